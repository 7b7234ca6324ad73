"""The participants' sums as properties: rows made to add up do, one figure changed is found where it was changed."""

import datetime as dt

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InputError
from core.file_schemas import PARTICIPANTS, SIDES
from core.flows import ROUNDING_CONTRACTS, sum_checks

ROWS = ("Client", "DII", "FII", "Pro", "TOTAL")
DAY = dt.date(2025, 11, 17)
FIGURES = st.integers(0, 10**6)


def day(figures: np.ndarray, on: dt.date = DAY) -> pa.Table:
    """Five rows from twelve longs and shorts of Client, DII and FII; Pro is the other side of every instrument."""
    at = {name: place for place, name in enumerate(SIDES)}
    table = np.zeros((5, 14))
    table[:3, :12] = figures
    for name in SIDES[:12]:
        if "long" in name:
            long, short = at[name], at[name.replace("long", "short")]
            net = table[:3, long].sum() - table[:3, short].sum()
            table[3, long], table[3, short] = max(-net, 0) + 5, max(net, 0) + 5
    for total, side in ((12, "long"), (13, "short")):
        table[:, total] = table[:, [at[name] for name in SIDES[:12] if name.endswith(side)]].sum(axis=1)
    table[4] = table[:4].sum(axis=0)
    columns = [pa.array([on] * 5), pa.array(["oi"] * 5), pa.array(ROWS), *(pa.array(column) for column in table.T)]
    return pa.Table.from_arrays(columns, schema=PARTICIPANTS)


figures = st.lists(FIGURES, min_size=36, max_size=36).map(lambda numbers: np.array(numbers).reshape(3, 12))


@given(figures, st.permutations(range(5)))
def test_rows_that_add_up_pass_in_any_order(numbers: np.ndarray, order: list[int]) -> None:
    check = sum_checks(day(numbers).take(pa.array(order)))

    assert (check.days, check.exact, check.rounded, check.differences, check.incomplete) == (1, 1, 0, (), ())


@given(figures, st.sampled_from(SIDES), st.integers(0, 4), st.floats(ROUNDING_CONTRACTS * 1.01, 1e6))
def test_a_figure_changed_is_found_and_named(numbers: np.ndarray, side: str, row: int, by: float) -> None:
    table = day(numbers)
    name = f"{side}_contracts"
    values = table[name].to_numpy().copy()
    values[row] += by
    check = sum_checks(table.set_column(table.column_names.index(name), table.schema.field(name), pa.array(values)))

    assert check.failed == (DAY,)
    assert side in {difference.column for difference in check.differences}
    assert {difference.row for difference in check.differences} <= {ROWS[row], "TOTAL"}


@given(figures)
def test_a_contract_of_rounding_is_told_from_a_wrong_figure(numbers: np.ndarray) -> None:
    table = day(numbers)
    values = table["total_long_contracts"].to_numpy().copy()
    values[4] += 1
    check = sum_checks(table.set_column(15, table.schema.field(15), pa.array(values)))

    assert (check.exact, check.rounded, check.failed) == (0, 1, ())


def test_a_day_without_a_participant_is_not_checked_but_told() -> None:
    other = dt.date(2025, 11, 18)
    table = pa.concat_tables([day(np.ones((3, 12))), day(np.ones((3, 12)), other).slice(1)])
    check = sum_checks(table)

    assert (check.days, check.exact, check.incomplete) == (2, 1, (other,))
    assert sum_checks(table.slice(0, 0)).days == 0


def test_a_figure_that_is_no_number_is_a_difference() -> None:
    table = day(np.ones((3, 12)))
    values = table["future_index_long_contracts"].to_numpy().copy()
    values[1] = np.nan
    check = sum_checks(table.set_column(3, table.schema.field(3), pa.array(values)))

    assert (check.exact, check.rounded, check.failed) == (0, 0, (DAY,))
    assert {(d.row, d.column) for d in check.differences} == {("TOTAL", "future_index_long"), ("DII", "total_long")}


def test_a_participant_twice_and_two_measures_are_refused() -> None:
    one = day(np.ones((3, 12)))
    volume = one.set_column(1, one.schema.field(1), pa.array(["volume"] * 5))

    with pytest.raises(InputError, match="Client of 2025-11-17 is there twice"):
        sum_checks(pa.concat_tables([one, one.slice(0, 1)]))
    with pytest.raises(InputError, match="oi, volume"):
        sum_checks(pa.concat_tables([one, volume]))


def test_a_difference_says_what_was_expected() -> None:
    table = day(np.ones((3, 12)))
    values = table["total_short_contracts"].to_numpy().copy()
    values[0] = 1_234_567
    first = sum_checks(table.set_column(16, table.schema.field(16), pa.array(values))).differences[1]

    assert str(first) == (
        "2025-11-17, row Client, column total_short: expected the sum of the row, 6, found 1,234,567 contracts"
    )
