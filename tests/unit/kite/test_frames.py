"""Kite's frames, against Kite's own samples and Kite's own parser."""

import ast
import base64
import datetime as dt
import json
import os
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InputError
from core.kite import DTYPES, Mode, Packets, Segment, decode, encode, kernels, length_of, ticks_in, token_of
from core.kite.packets import ROWS
from core.kite.warm import KERNELS, warm
from tests.unit.kite.frames import MOCKS, framed, ours, packets, same, theirs
from tests.unit.kite.fuzz_frames import fuzz

ROOT = Path(__file__).parents[3]


def mock(name: str) -> bytes:
    if not (MOCKS / name).exists():
        pytest.skip(f"{MOCKS / name} is not here")
    return (MOCKS / name).read_bytes()


@pytest.mark.parametrize("name", ["quote", "full"])
def test_the_sample_packets_decode_to_their_json(name: str) -> None:
    got = decode(framed(base64.b64decode(mock(f"ticker_{name}.packet"))))
    wanted = json.loads(mock(f"ticker_{name}.json"))

    (row,) = ours(got.packets)
    named = {"instrument_token": "token", "last_quantity": "last_quantity", "volume": "volume",
             "buy_quantity": "buy_quantity", "sell_quantity": "sell_quantity"}  # fmt: skip
    assert {key: wanted[key] for key in named} == {key: row[value] for key, value in named.items()}
    prices = {"last_price": wanted["last_price"], "average_price": wanted["average_price"], **wanted["ohlc"]}
    assert {key: row[key] for key in prices} == {key: round(price * 100) for key, price in prices.items()}
    if name == "full":
        assert row["oi"] == wanted["oi"]
        for key, value in {"last_trade_ns": "last_trade_time", "exchange_ns": "timestamp"}.items():
            assert row[key] == dt.datetime.fromisoformat(wanted[value]).timestamp() * 1e9
        for side, prefix in {"buy": "bid", "sell": "ask"}.items():
            assert row[f"{prefix}_price"] == [round(level["price"] * 100) for level in wanted["depth"][side]]
            assert row[f"{prefix}_quantity"] == [level["quantity"] for level in wanted["depth"][side]]
            assert row[f"{prefix}_orders"] == [level["orders"] for level in wanted["depth"][side]]


@given(st.lists(packets(), max_size=12))
def test_any_frame_decodes_as_kiteticker_reads_it(parts: list[bytes]) -> None:
    got = decode(framed(*parts))

    assert ours(got.packets) == theirs(framed(*parts))
    assert got.packets.length.tolist() == [len(part) for part in parts]
    assert (got.refused, got.trailing) == (0, 0)


def test_an_hour_of_mixed_frames_decodes_as_kiteticker_reads_it() -> None:
    """A frame a second; every field of every packet."""
    rng = np.random.default_rng(15)
    lengths = np.array(tuple(DTYPES))
    for _ in range(3_600):
        parts = [bytearray(rng.bytes(length)) for length in rng.choice(lengths, rng.integers(0, 9)).tolist()]
        for part in parts:
            part[3] = rng.integers(0, 13)
        frame = framed(*map(bytes, parts))

        assert ours(decode(frame).packets) == theirs(frame)


@given(st.lists(packets(), max_size=12))
def test_encoding_what_was_decoded_gives_the_same_bytes(parts: list[bytes]) -> None:
    assert encode(decode(framed(*parts)).packets) == framed(*parts)


@given(packets())
def test_the_dtypes_read_the_same_numbers(part: bytes) -> None:
    row = np.frombuffer(part, DTYPES[len(part)])[0]
    got = decode(framed(part)).packets

    for name in row.dtype.names:
        if name in {"bids", "asks"}:
            for inner in ("price", "quantity", "orders"):
                assert row[name][inner].tolist() == getattr(got, f"{name[:-1]}_{inner}")[0].tolist()
        elif name.endswith("_s"):
            assert int(row[name]) * 1_000_000_000 == getattr(got, f"{name[:-2]}_ns")[0]
        else:
            assert row[name] == getattr(got, name)[0]


def test_a_price_keeps_its_segments_unit() -> None:
    tokens = [token_of(7, Segment.CDS), token_of(7, Segment.BCD), token_of(7, Segment.NCO), token_of(7, Segment.BFO)]
    got = decode(framed(*(struct.pack(">II", token, 839_725_000) for token in tokens))).packets

    assert got.last_price.tolist() == [839_725_000] * 4
    assert got.divisor.tolist() == [10_000_000, 10_000, 10_000, 100]


def test_a_mode_is_a_length_by_segment() -> None:
    tokens = np.array([token_of(1001, Segment.INDICES), token_of(39804, Segment.NFO)])

    assert [length_of(tokens, mode).tolist() for mode in Mode] == [[8, 8], [28, 44], [32, 184]]
    assert length_of(tokens, np.array([Mode.FULL, Mode.LTP])).tolist() == [32, 8]


def test_nine_thousand_full_packets_come_back() -> None:
    rng = np.random.default_rng(3)
    sent = Packets.zeros(9_000)
    for name in Packets.__dataclass_fields__:
        most = 2**16 if name.endswith("orders") else 2**32
        getattr(sent, name)[:] = rng.integers(0, most, getattr(sent, name).shape)
    sent.token[:] = np.arange(9_000) << 8 | Segment.NFO
    for name in ("last_trade_ns", "exchange_ns"):
        getattr(sent, name)[:] *= 1_000_000_000
    sent.index_change[:] = 0
    sent.length[:] = 184

    assert same(decode(encode(sent, Mode.FULL)).packets, sent)


@pytest.mark.parametrize(
    ("name", "value"),
    [("last_price", -1), ("volume", 2**32), ("bid_orders", 65_536), ("exchange_ns", -1), ("ask_price", -5)],
)
def test_a_number_the_wire_cannot_hold_is_refused_by_name(name: str, value: int) -> None:
    packets = Packets.zeros(2)
    getattr(packets, name)[1] = value

    with pytest.raises(InputError, match=name):
        encode(packets, Mode.FULL)


def test_a_length_that_is_no_packets_is_not_written() -> None:
    with pytest.raises(InputError, match="8, 28, 32, 44, 184"):
        encode(Packets.zeros(1))


GOOD, LAST = struct.pack(">II", 1 << 8 | 2, 5), struct.pack(">II", 2 << 8 | 2, 6)
INDEX = struct.pack(">7I", 256_265, *range(6))


def refused(frame: bytes) -> tuple[list[int], dict[str, int]]:
    got = decode(frame)
    counts = {name: getattr(got, name) for name in ("unknown_length", "cut_short", "damaged", "trailing")}
    return (got.packets.token >> 8).tolist(), {name: count for name, count in counts.items() if count}


@pytest.mark.parametrize("frame", [b"", b"\0", b"\0\0"], ids=["nothing", "heartbeat", "no packets"])
def test_a_message_without_packets_is_no_fault(frame: bytes) -> None:
    assert refused(frame) == ([], {})


def test_a_packet_of_an_unknown_length_costs_no_other() -> None:
    assert refused(framed(GOOD, b"x" * 12, b"", LAST)) == ([1, 2], {"unknown_length": 2})


def test_what_is_missing_at_the_end_costs_nothing_before_it() -> None:
    assert refused(framed(GOOD, LAST)[:-1]) == ([1], {"cut_short": 1})
    assert refused(b"\xff\xff" + framed(GOOD, LAST)[2:]) == ([1, 2], {"cut_short": 65_533})


def test_bytes_after_the_last_packet_are_counted() -> None:
    assert refused(framed(GOOD, LAST) + b"\0") == ([1, 2], {"trailing": 1})


def test_after_an_odd_length_in_a_frame_that_does_not_add_up_nothing_is_believed() -> None:
    """With 6 for its 8 bytes the second packet's price is read as a length, and a third packet from the wrong place."""
    frame = framed(GOOD, struct.pack(">II", 3 << 8 | 2, 8), LAST)
    wrong = frame[:12] + b"\0\6" + frame[14:]

    assert refused(wrong) == ([1], {"damaged": 2})


def test_malformed_frames_do_no_harm() -> None:
    totals = fuzz(20_000, seed=1)

    assert all(totals.values()), f"a fault that never came up: {totals}"


def test_no_kernel_touches_a_place_outside_its_arrays() -> None:
    """In plain Python, where numpy raises IndexError for it."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "tests.unit.kite.fuzz_frames", "1500", "2"],
        cwd=ROOT, env=os.environ | {"NUMBA_DISABLE_JIT": "1"}, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert all(ast.literal_eval(done.stdout).values())


def test_a_look_for_ticks_sees_no_heartbeat_and_tells_an_index() -> None:
    assert ticks_in(b"\0", index_only=False) == 0
    assert ticks_in(framed(GOOD, INDEX, LAST), index_only=False) == 3
    assert ticks_in(framed(GOOD, INDEX, LAST), index_only=True) == 1
    assert ticks_in(framed(GOOD, b"odd", INDEX), index_only=True) == 0


def test_nothing_compiles_after_warm() -> None:
    before = warm()
    decode(framed(GOOD, INDEX, b"x"))
    decode(bytes(bytearray(framed(GOOD))))
    encode(Packets.zeros(3), Mode.QUOTE)
    ticks_in(memoryview(framed(GOOD)).tobytes(), index_only=False)

    assert warm() == before == dict.fromkeys(KERNELS, 1)


def test_the_kernels_own_numbers_are_those_of_the_layout() -> None:
    """numba's cache sees a change of the kernels' file only, so that file repeats them."""
    first = ["TOKEN", "LENGTH", "LAST", "LAST_QUANTITY", "AVERAGE", "VOLUME", "BUY_QUANTITY", "SELL_QUANTITY"]
    names = [*first, "OPEN", "HIGH", "LOW", "CLOSE", "INDEX_CHANGE", "LAST_TRADE", "OI", "OI_HIGH", "OI_LOW"]

    assert [getattr(kernels, name) for name in (*names, "EXCHANGE_TIME")] == list(range(len(ROWS)))
    assert tuple(DTYPES) == (kernels.LTP, kernels.INDEX_QUOTE, kernels.INDEX_FULL, kernels.QUOTE, kernels.FULL)
    assert all(kind.itemsize == length for length, kind in DTYPES.items())
    assert Segment.INDICES == kernels.INDICES
