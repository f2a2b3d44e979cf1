"""The run of all tests tells the truth: what it counts, what it refuses, and that it is offline."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

TESTS = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(TESTS))
import run as run_of_tests  # noqa: E402

JUNIT = """<testsuites><testsuite>
<testcase classname="tests.unit.test_one" name="a"/>
<testcase classname="tests.unit.test_one" name="b"><failure message="no"/></testcase>
<testcase classname="tests.unit.test_one" name="c"><error message="no"/></testcase>
{browser}
</testsuite></testsuites>"""
PASSED = '<testcase classname="tests.browser.test_panel" name="a"/>'
SKIPPED = '<testcase classname="tests.browser.test_panel" name="b"><skipped message="no browser"/></testcase>'


def results(folder: Path, browser: str) -> Path:
    (folder / "browser.xml").write_text(JUNIT.format(browser=browser))
    return folder


def test_counts_are_those_of_the_results(tmp_path):
    folder = results(tmp_path, PASSED + SKIPPED)
    assert run_of_tests.counted(folder / "browser.xml") == run_of_tests.Count(passed=2, failed=2, skipped=1)


def test_closing_line_is_plain():
    assert str(run_of_tests.Count(3, 0, 1)) == "3 passed, 0 failed, 1 skipped"


def test_required_browser_tests_must_all_run(tmp_path):
    assert run_of_tests.missing_browser_tests(results(tmp_path, PASSED)) == ""
    assert "1 skipped" in run_of_tests.missing_browser_tests(results(tmp_path, PASSED + SKIPPED))
    assert "0 passed" in run_of_tests.missing_browser_tests(results(tmp_path, ""))


@pytest.mark.parametrize("body", ["", "def test_no(): assert False", "syntax error"])
def test_a_part_fails_without_tests_or_with_failing_ones(tmp_path, body):
    (tmp_path / "test_it.py").write_text(body)
    junit = tmp_path / "tests.xml"
    command = [sys.executable, "-m", "pytest", "-c", os.devnull, f"--junitxml={junit}", "."]
    assert run_of_tests.run(run_of_tests.Part("trial", command, tmp_path, junit)).failed >= 1


def test_connections_that_leave_are_refused_here_and_in_children():
    # a datagram socket: its connect() sends nothing, should the guard be broken; 192.0.2.0/24 is nobody's
    script = "import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).connect(('192.0.2.1', 9))"
    with pytest.raises(ConnectionError, match="offline"):
        exec(script, {})
    child = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert "tests run offline" in child.stderr


def test_connections_on_this_machine_are_not_refused():
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname()).close()
        socket.create_connection(("localhost", server.getsockname()[1])).close()
