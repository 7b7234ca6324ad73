import os

import pytest

from tests.skipped import without_data

# What tests start is on this machine, whatever proxy and passwords the environment has for others.
os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1,localhost"
os.environ["NETRC"] = os.devnull


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """A checkout without the recorded data passes with none of their evidence: say so in one line."""
    skipped = terminalreporter.stats.get("skipped", [])
    if line := without_data(str(report.longrepr) for report in skipped):
        terminalreporter.write_line(line, yellow=True)
