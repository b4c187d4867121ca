"""The cases of access tokens once more under key pairs: groups A to E, and what of group J depends on the key."""

from .forge import PAIRS
from .repeated import again

_MODULES = {
    "test_a_algorithms": (),
    "test_b_encoding": (),
    "test_c_claims": (),
    "test_d_confusion": (),
    "test_e_carriage": (),
    "test_j_failure": (
        "test_a_store_that_raises_lets_nobody_in",  # nothing of these is about keys
        "test_a_user_loader_that_raises_lets_nobody_in",
        "test_j07_a_thousand_tokens_more_than_are_remembered",
    ),
}

for _algorithm in PAIRS:
    for _name, _without in _MODULES.items():
        _group = _name.split("_")[1]
        globals().update({f"{test}_{_group}": run for test, run in again(_algorithm, _name, without=_without).items()})
