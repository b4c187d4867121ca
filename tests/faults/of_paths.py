"""Faults in what is public: each kind of spelling that a router may read in another way, each limit of a pattern."""

from .fault import Fault

PATHS = "tests/web/test_paths.py::test_"
PROTECTED = (PATHS + "protected", "tests/catalogue/test_f_paths.py::test_protected_unless_canonical")
_ODD = r"""re.compile("//|/\\.\\.?(?:/|$)|[\x00-\x1f\x7f-\x9f\ufffd;%\\\\]")"""


def odd(name: str, text: str, instead: str = "") -> Fault:
    """A fault that lets one kind of odd spelling through."""
    assert text in _ODD
    return Fault(name=name, file="web/paths.py", old=_ODD, new=_ODD.replace(text, instead, 1), tests=PROTECTED)


FAULTS = (
    odd("public-with-empty-segments", "//|"),
    odd("public-with-dot-segments", r"/\\.\\.?(?:/|$)|"),
    odd("public-up-to-a-dot-at-the-end", "(?:/|$)", "/"),
    odd("public-with-a-line-break", r"\x00-\x1f"),
    odd("public-with-a-delete", r"\x7f-\x9f"),
    odd("public-with-what-is-no-utf-8", r"\ufffd"),
    odd("public-with-parameters", ";"),
    odd("public-encoded-twice", "%"),
    odd("public-with-a-backslash", r"\\\\", "\\\\x00"),
    Fault(
        name="public-by-letters-and-not-by-segments",
        file="web/paths.py",
        old='path = pattern[:-1] if pattern.endswith("/*") else pattern',
        new='path = pattern[:-2] if pattern.endswith("/*") and len(pattern) > 2 else pattern',
        tests=PROTECTED,
    ),
    Fault(
        name="public-and-whatever-is-below",
        file="web/paths.py",
        old="path in self._exact or path.startswith(self._below)",
        new="path.startswith((*self._exact, *self._below))",
        tests=PROTECTED,
    ),
    Fault(
        name="public-in-capitals-too",
        file="web/paths.py",
        old="path in self._exact or path.startswith(self._below)",
        new="path.lower() in self._exact or path.lower().startswith(self._below)",
        tests=PROTECTED,
    ),
    Fault(
        name="public-with-a-slash-at-the-end",
        file="web/paths.py",
        old="path in self._exact or",
        new='path.rstrip("/") in self._exact or path in self._exact or',
        tests=PROTECTED,
    ),
    Fault(
        name="a-public-path-that-can-never-match",
        file="web/paths.py",
        old='if not path.startswith("/") or "*" in path or _ODD.search(path):',
        new="if False:",
        tests=(PATHS + "what_cannot_be_public",),
    ),
    Fault(
        name="a-bad-token-shuts-what-is-public",
        file="web/middleware.py",
        old="            if not self._is_public(scope):\n                raise\n",
        new="            raise\n",
        tests=(PATHS + "a_bad_token_is_ignored_on_a_public_path",),
    ),
    Fault(
        name="everything-is-public",
        file="web/middleware.py",
        old="            if self._required and not self._is_public(scope):\n",
        new="            if False:\n",
        tests=PROTECTED,
    ),
    Fault(
        name="any-method-is-a-preflight",
        file="web/middleware.py",
        old='    if scope.get("method") != "OPTIONS":\n',
        new="    if False:\n",
        tests=(PATHS + "only_options_is_a_preflight",),
    ),
)
