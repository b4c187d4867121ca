"""A deliberate fault in our own code, as a value."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One change to the package that takes something away that it promises.

    Attributes:
        name: what is wrong then, in a few words with dashes between them.
        file: which module of the package is changed, from the package's directory.
        old: the text that is replaced; it occurs exactly once in the file.
        new: what stands there instead.
        tests: node ids of the tests that have to notice: few and quick.
        hangs: whether they may notice by never coming to an end.
    """

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]
    hangs: bool = False

    def applied_to(self, text: str) -> str:
        """The module with the fault in it. Raises ValueError where its place is not to be found, or not alone."""
        if text.count(self.old) != 1:
            raise ValueError(f"{self.name}: {self.old!r} occurs {text.count(self.old)} times in {self.file}")
        return text.replace(self.old, self.new)
