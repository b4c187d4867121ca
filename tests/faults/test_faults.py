"""Every seeded fault is caught, and what says so can fail itself."""

import re
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future

import pytest

from .areas import AREAS, area_of, listed
from .catalogue import FAULTS
from .fault import Fault
from .runner import PACKAGE, ROOT, Outcome, Runner, Said

pytestmark = pytest.mark.alone  # it makes use of all processors by itself

QUICK = ("tests/unit/test_limits.py",)
NOTHING = Fault(name="nothing", file="limits.py", old="import math\n", new="import math\n", tests=QUICK)
WRONG = "        if self._rate is None or window is None:\n"
"""Occurs once in ``limits.py``."""


def control(name: str, old: str, new: str, tests: tuple[str, ...] = QUICK) -> Fault:
    return Fault(name=name, file="limits.py", old=old, new=new, tests=tests)


_OTHERS = [fault for fault in FAULTS if area_of(fault) not in AREAS]
TRIED = [*(fault for fault in FAULTS if area_of(fault) in AREAS), *_OTHERS[::3]]
"""All of the six areas, and every third of the others; ``python -m tests.faults`` tries all."""

# Not faults of the package, but of the list: none of them may count as caught.
BROKEN = (
    control("cannot be compiled", "import math\n", "import math math\n"),
    control("cannot be imported", "import math\n", "import no_such_module\n"),
    control("a name that is missing", "class RefreshRate", "class RefreshRate_"),
    control("a test that is not there", "import math\n", "import math  # \n", ("tests/unit/test_limits.py::test_no",)),
)


@pytest.fixture(scope="module")
def runner() -> Iterator[Runner]:
    with Runner() as made:
        yield made


@pytest.fixture(scope="module")
def sound(runner: Runner) -> Outcome:
    """What the tests say of the package without a fault; it has to be known first."""
    return runner.check_sound([*FAULTS, NOTHING])


@pytest.fixture(scope="module")
def outcomes(request: pytest.FixtureRequest, runner: Runner, sound: Outcome) -> dict[str, "Future[Outcome]"]:
    """What became of every fault that is asked for in this run; all of them are under way at once."""
    assert sound.said in (Said.SURVIVED, Said.SKIPPED), "nothing can be said of a package that fails its tests"
    asked = {item.callspec.id for item in request.session.items if hasattr(item, "callspec")}
    return runner.begin([fault for fault in FAULTS if fault.name in asked])


def test_there_are_enough_and_each_has_a_name_of_its_own() -> None:
    assert len({fault.name for fault in FAULTS}) == len(FAULTS) >= 36


def test_there_are_enough_in_each_area_and_all_that_have_one_are_there() -> None:
    counted = Counter(area_of(fault) for fault in FAULTS)
    assert min(counted[area] for area in AREAS) >= 8
    assert listed() <= {fault.name for fault in FAULTS}


def test_the_page_says_how_many_there_are() -> None:
    page = (ROOT / "docs/reliability.md").read_text("utf-8")
    assert f"| {len(FAULTS)} deliberate faults in the package, one at a time; all are caught |" in page
    counted = Counter(area_of(fault) for fault in FAULTS)
    table = page.partition("| area | faults |")[2].partition("\n\n")[0]
    assert [int(number) for number in re.findall(r"\| (\d+) \|$", table, re.M)] == [counted[area] for area in AREAS]


@pytest.mark.parametrize("fault", FAULTS, ids=[fault.name for fault in FAULTS])
def test_its_place_is_there_once_and_it_is_python(fault: Fault) -> None:
    before = (ROOT / PACKAGE / fault.file).read_text("utf-8")
    after = fault.applied_to(before)
    assert after != before
    compile(after, fault.file, "exec")


def test_without_a_fault_all_tests_pass(sound: Outcome) -> None:
    if sound.said is Said.SKIPPED:
        pytest.skip("a server is missing")
    assert sound.said is Said.SURVIVED, sound


def test_a_fault_that_is_none_is_not_caught(runner: Runner, sound: Outcome) -> None:
    assert runner.run(NOTHING).said is Said.SURVIVED


def test_a_fault_that_is_one_is_caught(runner: Runner, sound: Outcome) -> None:
    outcome = runner.run(control("no limit", WRONG, "        if True:\n"))
    assert outcome.said is Said.CAUGHT, outcome
    assert outcome.by.endswith("test_the_limit_is_reached_exactly")


@pytest.mark.parametrize("fault", BROKEN, ids=[fault.name for fault in BROKEN])
def test_what_breaks_the_package_or_its_tests_is_not_caught(runner: Runner, sound: Outcome, fault: Fault) -> None:
    assert runner.run(fault).said is Said.BROKEN


@pytest.mark.parametrize("hangs", [False, True])
def test_what_hangs_is_caught_only_if_that_was_said(runner: Runner, sound: Outcome, hangs: bool) -> None:
    endless = "        while True:\n            pass\n" + WRONG
    fault = Fault(name="endless", file="limits.py", old=WRONG, new=endless, tests=QUICK, hangs=hangs)
    assert runner.run(fault, seconds=1).said is (Said.CAUGHT if hangs else Said.BROKEN)


@pytest.mark.parametrize("text", ["def add", "not in there"])
def test_a_place_that_is_not_there_or_not_alone_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match="times in limits"):
        control("rotten", text, "").applied_to("def add\ndef add\n")


@pytest.mark.parametrize("name", [pytest.param(fault.name, id=fault.name) for fault in TRIED])
def test_it_is_caught(outcomes: dict[str, "Future[Outcome]"], name: str) -> None:
    outcome = outcomes[name].result()
    if outcome.said is Said.SKIPPED:
        pytest.skip("a server is missing")
    assert outcome.said is Said.CAUGHT, f"{outcome.by}\n{outcome.detail}"
