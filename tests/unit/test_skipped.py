"""What a run without the recorded market data says of itself."""

import pytest

from tests.skipped import without_data
from tests.unit.market_data import data


def test_tests_of_recorded_data_that_did_not_run_are_counted_in_one_line() -> None:
    with pytest.raises(pytest.skip.Exception) as skipped:
        data("no such file")
    here = str(skipped.value)

    assert without_data(["no browser", here, here]) == (
        "2 tests that hold the numbers to recorded market data did not run: ../shared/data/market is not here, or not "
        "whole"
    )
    assert without_data([here]).startswith("1 test that holds")
    assert without_data(["only root runs the server as somebody else"]) == without_data([]) == ""
