"""Finds, in the source of a module, MACs that are compared with anything but ``compare_digest``."""

import ast
from collections.abc import Iterator

_MAKERS = frozenset({"sign", "get_signature", "digest", "hexdigest", "prepared_hmac"})
_GIVEN = frozenset({"signature", "mac", "expected"})
_BY_PIECES = frozenset({"startswith", "endswith", "find", "index", "__eq__", "__ne__", "count", "removeprefix"})
CONSTANT_TIME = "compare_digest"
_INNOCENT = frozenset({CONSTANT_TIME, "len", "type", "isinstance"})


def _name(call: ast.Call) -> str:
    return getattr(call.func, "attr", getattr(call.func, "id", ""))


def _is_public_hash(call: ast.Call) -> bool:
    """``sha256(…).digest()``: a hash without a key, of something that is no secret to who compares."""
    made = getattr(call.func, "value", None)
    return isinstance(made, ast.Call) and _name(made).startswith(("sha", "md5"))


class _Function:
    """What is a MAC within one function: what makes one, what is given as one, and what either is assigned to."""

    def __init__(self, function: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        arguments = function.args
        named = [one.arg for one in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]
        self._names = _GIVEN & {*named}
        self._nodes = [*ast.walk(function)]
        for _ in range(3):  # names that are given to names
            self._names |= {name for node in self._nodes for name in self._assigned(node)}

    def _assigned(self, node: ast.AST) -> Iterator[str]:
        if isinstance(node, (ast.Assign, ast.AnnAssign, ast.NamedExpr)) and node.value and self.holds(node.value):
            for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                yield from (one.id for one in ast.walk(target) if isinstance(one, ast.Name))

    def holds(self, node: ast.AST) -> bool:
        """Whether there is a MAC in an expression, other than in what is safe to do with one."""
        if isinstance(node, ast.Call) and _name(node) in _INNOCENT:
            return False
        if isinstance(node, ast.Call) and _name(node) in _MAKERS and not _is_public_hash(node):
            return True
        if isinstance(node, ast.Name) and node.id in self._names:
            return True
        return any(self.holds(child) for child in ast.iter_child_nodes(node))

    def leaks(self) -> Iterator[int]:
        """The lines of comparisons that end early."""
        for node in self._nodes:
            if isinstance(node, ast.Compare) and any(self.holds(side) for side in (node.left, *node.comparators)):
                yield node.lineno
            if isinstance(node, ast.Call) and _name(node) in _BY_PIECES and self.holds(node):
                yield node.lineno


def leaks(source: str) -> list[int]:
    """The lines on which a MAC is compared in a time that depends on it."""
    if not any(name in source for name in (*_MAKERS, *_GIVEN)):
        return []
    functions = [n for n in ast.walk(ast.parse(source)) if isinstance(n, (ast.FunctionDef, ast.AsyncFunctionDef))]
    return sorted({line for function in functions for line in _Function(function).leaks()})


def constant_time(source: str) -> int:
    """How many comparisons there are by ``compare_digest``."""
    calls = (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call))
    return sum(_name(call) == CONSTANT_TIME for call in calls)
