"""The list of checks for docs/doctor.md: ``python -m jwt_refresh_middleware.doctor.page`` prints it."""

import sys
from itertools import groupby

from .examination import CHECKS
from .findings import Check

_GROUPS = {
    "cors": "CORS",
    "cookie": "The cookie",
    "public": "Public paths",
    "secret": "Secrets",
    "workers": "Several workers",
    "proxy": "Proxies",
    "store": "The store",
    "keys": "Keys",
    "lifetime": "Lifetimes",
    "wiring": "How it is built in",
}


def _group(check: Check) -> str:
    return check.id.partition(".")[0]


def text() -> str:
    """All checks by group, in Markdown."""
    lines = []
    for group, checks in groupby(CHECKS, key=_group):
        lines += [f"### {_GROUPS[group]}", ""]
        for check in checks:
            lines += [f"**`{check.id}`** ({check.severity}). {check.what} {check.why} *{check.advice}*", ""]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.stdout.write(text())
