"""
Sphinx configuration.
"""

import sessionstate

project = "sessionstate"
author = "The sessionstate authors"
copyright = "2026, The sessionstate authors"
version = release = sessionstate.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
]
exclude_patterns = ["_build"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

html_theme = "furo"
html_title = "sessionstate"

# A word in single backticks is a link where it names something public, and code where it does not.
default_role = "py:obj"
nitpick_ignore_regex = [
    ("py:obj", r".*"),
    # Nothing is fetched while building, so names of other projects cannot be resolved.
    ("py:.*", r"(?!sessionstate\b).*"),
    # Type variables, and the types of what is private.
    ("py:class", r"sessionstate\.((containers|testing|audit)\.)?_.*"),
]
autodoc_default_options = {"members": True, "show-inheritance": True}
autodoc_member_order = "groupwise"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
napoleon_numpy_docstring = False
