"""Every single check of a module, taken back: a fault for each comparison, ``and``, ``or``, ``not`` and ``if``."""

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from .fault import Fault

PACKAGE = Path(__file__).parents[2] / "jwt_refresh_middleware"
NOTHING: Mapping[str, tuple[str, ...]] = MappingProxyType({})
_NEGATED: dict[type[ast.cmpop], str] = {
    ast.Eq: "!=", ast.NotEq: "==", ast.Lt: ">=", ast.LtE: ">", ast.Gt: "<=", ast.GtE: "<",
    ast.Is: "is not", ast.IsNot: "is", ast.In: "not in", ast.NotIn: "in",
}  # fmt: skip
_WRITTEN: dict[type[ast.cmpop], str] = {
    ast.Eq: "==", ast.NotEq: "!=", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=",
    ast.Is: "is", ast.IsNot: "is not", ast.In: "in", ast.NotIn: "not in",
}  # fmt: skip
_SHIFTED: dict[type[ast.cmpop], str] = {ast.Lt: "<=", ast.LtE: "<", ast.Gt: ">=", ast.GtE: ">"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant(Fault):
    """A fault at one place of its file, wherever else the same text stands.

    Attributes:
        begin: where in the file it is, in characters.
    """

    begin: int

    def applied_to(self, text: str) -> str:
        """The module with the fault in it. Raises ValueError if the text there is another one."""
        end = self.begin + len(self.old)
        if text[self.begin : end] != self.old:
            raise ValueError(f"{self.name}: {self.old!r} is not where it was")
        return text[: self.begin] + self.new + text[end:]


def every_check(
    file: str, tests: tuple[str, ...], *, apart: Mapping[str, tuple[str, ...]] = NOTHING
) -> tuple[Mutant, ...]:
    """A fault for every check in ``file``; ``apart``: functions whose checks others have to notice."""
    text = (PACKAGE / file).read_text("utf-8")
    lines = text.splitlines(keepends=True)
    tree = ast.parse(text)
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name in apart]
    mutants: list[Mutant] = []
    for node in ast.walk(tree):
        for where, new in _changes(node, text):
            before = lines[where.lineno - 1].encode()[: where.col_offset].decode()
            old = ast.get_source_segment(text, where)
            assert old is not None
            inside = [f.name for f in functions if f.lineno <= where.lineno <= (f.end_lineno or 0)]
            mutant = Mutant(
                name=f"{file.removesuffix('.py')}-check-{where.lineno}-{where.col_offset}-{len(mutants)}",
                file=file,
                old=old,
                new=new,
                tests=apart[inside[0]] if inside else tests,
                begin=len("".join(lines[: where.lineno - 1])) + len(before),
            )
            mutants.append(mutant)
    return tuple(mutants)


def _changes(node: ast.AST, text: str) -> Iterator[tuple[ast.expr, str]]:
    """Which expressions of ``node`` are replaced by what."""

    def words(expression: ast.expr) -> str:
        return ast.get_source_segment(text, expression) or ""

    if isinstance(node, ast.Compare):
        operands = [node.left, *node.comparators]
        for number, op in enumerate(node.ops):
            changes = [_NEGATED[type(op)], *([_SHIFTED[type(op)]] if type(op) in _SHIFTED else [])]
            for change in changes:
                ops = [change if n == number else _WRITTEN[type(o)] for n, o in enumerate(node.ops)]
                parts = [words(operands[0])]
                for written, operand in zip(ops, operands[1:], strict=True):
                    parts += [written, words(operand)]
                yield node, f"({' '.join(parts)})"
    elif isinstance(node, ast.BoolOp):
        other = " or " if isinstance(node.op, ast.And) else " and "
        yield node, "(" + other.join(f"({words(value)})" for value in node.values) + ")"
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield node, f"bool({words(node.operand)})"
    if isinstance(node, ast.If | ast.IfExp) and isinstance(node.test, ast.Name | ast.Call | ast.Attribute):
        yield node.test, f"(not {words(node.test)})"
