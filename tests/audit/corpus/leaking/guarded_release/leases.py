"""A lease whose owner changed its name is not released, because release() compares the owner before it pops."""

leases: dict[str, dict] = {}  # leaks SS002c: release() in a finally, behind a comparison that may be false
by_kind = {"gpu": 0, "cpu": 0}  # clean: two kinds


def grant(lease_id, owner, kind):
    by_kind[kind] += 1
    leases[lease_id] = {"owner": owner, "kind": kind}


def rename_owner(lease_id, owner):
    leases[lease_id]["owner"] = owner


def release(lease_id, owner):
    lease = leases.get(lease_id)
    if lease and lease["owner"] == owner:
        by_kind[lease["kind"]] -= 1
        leases.pop(lease_id)
