"""Each fault that is sown into a copy of the client is noticed by the tests that are there for it."""

import pytest

from tests.client.node.faults import IN_NODE
from tests.client.node.running import NEEDS_MODULES, need_modules, run


@pytest.mark.parametrize("fault", IN_NODE, ids=lambda fault: fault.name)
def test_a_fault_is_noticed(fault, tmp_path):
    if fault.file in NEEDS_MODULES:
        need_modules()
    ran, failed, output = run([fault.file], fault.sow(tmp_path), only=fault.noticed_by, patience=5)
    assert ran, output
    assert failed, output
