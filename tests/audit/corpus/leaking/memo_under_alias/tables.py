"""Who may do what."""

RIGHTS = {  # clean: constant
    "read": {"guests", "members"},
    "write": {"members"},
    "delete": {"admins"},
}
