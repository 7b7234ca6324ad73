"""How many tests hold numbers to the recorded market data, and did not run because the data are not here."""

from collections.abc import Iterable

DATA = "shared/data"  # what the reason of every such skip names


def without_data(reasons: Iterable[str]) -> str:
    """One line for the end of a test run; empty where every such test ran."""
    many = sum(DATA in reason for reason in reasons)
    if not many:
        return ""
    what = "1 test that holds" if many == 1 else f"{many} tests that hold"
    return f"{what} the numbers to recorded market data did not run: ../{DATA}/market is not here, or not whole"
