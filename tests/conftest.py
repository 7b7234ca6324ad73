import pytest

from tests.skipped import without_data


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """A checkout without the recorded data passes with none of their evidence: say so in one line."""
    skipped = terminalreporter.stats.get("skipped", [])
    if line := without_data(str(report.longrepr) for report in skipped):
        terminalreporter.write_line(line, yellow=True)
