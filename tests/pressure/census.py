"""Every container that an object leads to, and how much is in each: a cache that has no bound is found that way."""

import functools
import gc
import sys
import types
from collections import deque
from typing import Any

PACKAGE = "jwt_refresh_middleware"
_CONTAINERS = (dict, list, set, frozenset, deque, bytearray)
_NOT_INTO = (type, types.ModuleType, types.FrameType, types.CodeType, types.BuiltinFunctionType)


def _is_ours(thing: Any) -> bool:
    return type(thing).__module__.partition(".")[0] == PACKAGE


def _leads_on(thing: Any) -> bool:
    """Whether to look into it: our own objects, containers, bound methods and closures; nobody else's objects."""
    if isinstance(thing, _NOT_INTO):
        return False
    held = (*_CONTAINERS, tuple, types.MappingProxyType, types.MethodType, types.CellType, functools.partial)
    return _is_ours(thing) or isinstance(thing, held)


def _into(thing: Any) -> list[Any]:
    if isinstance(thing, types.FunctionType):  # what it closes over; its module is looked at for itself
        return [cell.cell_contents for cell in thing.__closure__ or () if _is_full(cell)]
    return gc.get_referents(thing) if _leads_on(thing) else []


def _is_full(cell: types.CellType) -> bool:
    try:
        cell.cell_contents  # noqa: B018
    except ValueError:
        return False
    return True


def modules() -> list[Any]:
    """What the modules of the package hold by themselves."""
    found = [module for name, module in [*sys.modules.items()] if name.partition(".")[0] == PACKAGE]
    return [thing for module in found for name, thing in vars(module).items() if not name.startswith("__")]


def census(*roots: Any) -> dict[str, int]:
    """How much is in each container, by what leads to it; ``lru_cache`` too."""
    counted: dict[str, int] = {}
    seen: set[int] = set()
    coming: deque[tuple[str, Any]] = deque((type(root).__name__, root) for root in [*roots, *modules()])
    while coming:
        path, thing = coming.popleft()
        if id(thing) in seen or path.count(">") > 40:
            continue
        seen.add(id(thing))
        if isinstance(thing, functools._lru_cache_wrapper):
            counted[f"{path}>{thing.__name__}() #{id(thing):x}"] = thing.cache_info().currsize
        if isinstance(thing, _CONTAINERS):
            counted[f"{path} #{id(thing):x}"] = len(thing)
        coming += [(f"{path}>{type(one).__name__}", one) for one in _into(thing)]
    return counted


def grown(before: dict[str, int], after: dict[str, int]) -> dict[str, int]:
    """What is fuller now, and by how much; a container that is new counts whole."""
    sizes = {_number(path): size for path, size in before.items()}
    more = {path: size - sizes.get(_number(path), 0) for path, size in after.items()}
    return {path: number for path, number in more.items() if number > 0}


def _number(path: str) -> str:
    return path.rpartition("#")[2]
