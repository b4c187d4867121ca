"""For the reference page: ``:class:`Name``` in a docstring becomes plain code, as the site shows it."""

import re
from typing import Any

import griffe

_ROLE = re.compile(r":(?:class|meth|func|exc|attr):`([\w.]+)`")


class SphinxRoles(griffe.Extension):
    """Rewrites the roles in every docstring of the package."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """One object with everything in it is loaded."""
        if obj.docstring is not None:
            obj.docstring.value = _ROLE.sub(r"`\1`", obj.docstring.value)
