"""Packets become TICKS by what their tokens are today, and by nothing else."""

import datetime as dt

import numpy as np
import pyarrow as pa
import pytest

from core.errors import InputError
from core.kite import Mode, Packets, Registry, Segment, length_of, to_ticks, token_of
from core.kite.ticks import CONTRACT
from core.schemas import Kind, check

NIFTY, CALL, FUTURE = token_of(1001, Segment.INDICES), token_of(39804, Segment.NFO), token_of(8, Segment.NFO)
EXPIRY = dt.date(2026, 11, 24)
ROWS = [
    {"index": "NIFTY", "symbol": "NIFTY26NOV26000CE", "kind": Kind.CALL, "expiry": EXPIRY, "strike_paise": 26_000_00},
    {"index": "NIFTY", "symbol": "NIFTY", "kind": Kind.INDEX, "expiry": None, "strike_paise": 0},
    {"index": "NIFTY", "symbol": "NIFTY26NOVFUT", "kind": Kind.FUTURE, "expiry": EXPIRY, "strike_paise": 0},
]
RECEIVED = 1_795_000_000_123_456_789


def registry(tokens: list[int]) -> Registry:
    return Registry(np.array(tokens, np.int64), pa.RecordBatch.from_pylist(ROWS[: len(tokens)], schema=CONTRACT))


def sent(tokens: list[int], mode: Mode = Mode.FULL) -> Packets:
    """Packets whose every number says which packet it is of."""
    packets = Packets.zeros(len(tokens))
    for name in Packets.__dataclass_fields__:
        column = getattr(packets, name)
        column.T[:] = 100 + np.arange(len(tokens))
    packets.exchange_ns[:] *= 1_000_000_000
    packets.token[:] = tokens
    packets.length[:] = length_of(packets.token, mode)
    return packets


def test_a_row_holds_its_contract_and_its_packets_numbers() -> None:
    taken = to_ticks(sent([FUTURE, NIFTY, CALL, FUTURE]), registry([CALL, NIFTY, FUTURE]), received_ns=RECEIVED)

    rows = check("ticks", taken.ticks).to_pylist()
    assert [row["symbol"] for row in rows] == ["NIFTY26NOVFUT", "NIFTY", "NIFTY26NOV26000CE", "NIFTY26NOVFUT"]
    numbers = dict.fromkeys(("last_paise", "prev_close_paise", "volume", "oi"), 102)
    numbers |= {f"{side}_{name}": [102] * 5 for side in ("bid", "ask") for name in ("paise", "qty", "orders")}
    times = {"exchange_ns": 102_000_000_000, "received_ns": RECEIVED, "prev_oi": -1}
    assert rows[2] == ROWS[0] | times | numbers
    assert (taken.unknown, taken.not_full, taken.untimed) == (0, 0, 0)


def test_what_cannot_be_a_row_is_counted_by_reason() -> None:
    packets = sent([NIFTY, token_of(5, Segment.NFO), CALL, token_of(39804, Segment.BFO), FUTURE])
    packets.length[4] = 44
    packets.exchange_ns[2] = 0

    taken = to_ticks(packets, registry([CALL, NIFTY, FUTURE]), received_ns=RECEIVED)

    assert taken.ticks.column("symbol").to_pylist() == ["NIFTY"]
    assert (taken.unknown, taken.not_full, taken.untimed) == (2, 1, 1)


def test_an_option_in_an_indexs_packet_has_no_depth_and_is_no_row() -> None:
    packets = sent([CALL])
    packets.length[:] = 32

    assert to_ticks(packets, registry([CALL]), received_ns=RECEIVED).not_full == 1


def test_without_packets_or_without_tokens_there_are_no_rows() -> None:
    assert check("ticks", to_ticks(sent([]), registry([CALL]), received_ns=RECEIVED).ticks).num_rows == 0
    assert to_ticks(sent([CALL]), registry([]), received_ns=RECEIVED).unknown == 1


@pytest.mark.parametrize(
    ("tokens", "why"),
    [([CALL, NIFTY, CALL], f"token {CALL} is given to two"), ([token_of(7, Segment.CDS)], "no paise")],
)
def test_a_registry_that_could_mislead_is_refused(tokens: list[int], why: str) -> None:
    with pytest.raises(InputError, match=why):
        registry(tokens)


def test_a_registry_needs_a_row_a_token() -> None:
    with pytest.raises(InputError, match="each of its 2 tokens"):
        Registry(np.array([CALL, NIFTY]), pa.RecordBatch.from_pylist(ROWS, schema=CONTRACT))
