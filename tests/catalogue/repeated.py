"""The cases of a module once more, under another algorithm: its source is run again while tokens are forged for it."""

import sys
from collections.abc import Callable, Iterable
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

from . import forge


def again(algorithm: str, name: str, *, without: Iterable[str] = ()) -> dict[str, Callable[..., Any]]:
    """The tests of the module ``name`` by names of their own; the fixture ``algorithm`` knows what they are for."""
    full_name = f"{__package__}.{name}_under_{algorithm}"
    spec = spec_from_file_location(full_name, Path(__file__).with_name(f"{name}.py"))
    assert spec is not None and spec.loader is not None
    sys.modules[full_name] = module = module_from_spec(spec)
    with forge.under(algorithm):
        spec.loader.exec_module(module)
    tests = {test: function for test, function in vars(module).items() if test.startswith("test_")}
    assert set(without) <= set(tests)
    for function in tests.values():
        function.algorithm = algorithm
    return {f"{test}_under_{algorithm}": function for test, function in tests.items() if test not in without}
