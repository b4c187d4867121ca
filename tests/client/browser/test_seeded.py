"""Faults that only a browser shows, sown into a copy of the client: the cases that are there for them fail."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.client.browser.serving import ROOT
from tests.client.node.faults import Fault

HERE = Path(__file__).parent

IN_A_BROWSER = [
    Fault(
        "no lock",
        r"return await navigator\.locks\.request\([^{]*\{[^}]*\}, async",
        "return await (async (work) => work())(async",
        "test_tabs.py",
        "ten_requests and 5 and no_timer",
    ),
    Fault(
        "the token is written down",
        r"Object\(storage\)",
        "(local ?? Object(storage))",
        "test_flow.py",
        "in_memory_mode",
    ),
    Fault("tabs are not told", r"channel\?\.postMessage\(\[\]\);", "", "test_tabs.py", "a_logout_reaches and text"),
    Fault(
        "tokens are not shared",
        r"channel\?\.postMessage\(\[accessToken, expiresIn\]\);",
        "",
        "test_tabs.py",
        "a_login_reaches",
    ),
    Fault(
        "a tab that takes up the session is not told",
        r'token \? end\("other-tab"\) : drop\(\);',
        'if (token) end("other-tab");',
        "test_tabs.py",
        "another_tab_is_taking_up",
    ),
    Fault(
        "the timer ends with a long wait",
        r"finally\(\(\) => flight = look\(\)\);\n\n",
        "finally(() => flight = null);\n\n",
        "test_interruptions.py",
        "how_long_to_wait",
    ),
    Fault(
        "what another tab notes is not looked at",
        r" \|\| local\?\.\[issuer\] !== old",
        "",
        "test_tabs.py",
        "in_the_last_millisecond",
    ),
    Fault("strangers ask", r"const alive = \(\) => [^;]*;", "const alive = () => true;", "test_flow.py", "anonymous"),
    Fault("refreshed in the background", r"!page\?\.hidden", "true", "test_tabs.py", "in_the_background"),
]


@pytest.mark.parametrize("fault", IN_A_BROWSER, ids=lambda fault: fault.name)
def test_a_fault_is_noticed(chromium, fault, tmp_path):
    environment = os.environ | {
        "CLIENT_FOLDER": str(fault.sow(tmp_path)),
        "PYTEST_ADDOPTS": "",
        "BROWSER_PATIENCE": "6",
    }
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", str(HERE / fault.file)]
    done = subprocess.run(
        [*command, "-k", fault.noticed_by],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    assert done.returncode == pytest.ExitCode.TESTS_FAILED, done.stdout
    assert "1 failed" in done.stdout, done.stdout
