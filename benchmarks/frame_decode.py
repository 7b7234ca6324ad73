"""Kite packets decoded a second on one core: frames of 500 full packets, and of 500 of all five lengths.

Peer, in the same run and given the same bytes: the unmodified kiteconnect's KiteTicker._parse_binary. Before anything
is timed both say the sum of every number they read, weighted by its place, in the wire's units, and must agree exactly.
What KiteTicker derives besides (`tradable`, `change`) is part of its time, as it cannot be left out.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.rounds import Contestant, race
from benchmarks.table import Row, write
from core.kite import DTYPES, FULL

ROUNDS = 15
PACKETS = 500
REPEATED = {"ours": 200, "peer": 2}  # frames a turn: both take some milliseconds
HEAD = """
import sys
frame, repeated = open(sys.argv[1], "rb").read(), int(sys.argv[2])
SIZES = ("last_quantity", "volume", "buy_quantity", "sell_quantity", "oi", "oi_day_high", "oi_day_low")
def check():
    rows = list(found())
    return [sum((place + 1) * row[column] for place, row in enumerate(rows)) % 2**53 for column in range(len(rows[0]))]
"""
OURS = (
    HEAD
    + """
from core.kite import decode
def work():
    for _ in range(repeated):
        decode(frame)
def found():
    p = decode(frame).packets
    names = ("token", "last_price", "average_price", "open", "high", "low", "close", *SIZES)
    columns = [getattr(p, name).tolist() for name in names]
    columns += [(getattr(p, name) // 10**9).tolist() for name in ("last_trade_ns", "exchange_ns")]
    for side in (p.bid_price, p.bid_quantity, p.bid_orders, p.ask_price, p.ask_quantity, p.ask_orders):
        columns += [side[:, level].tolist() for level in range(5)]
    return zip(*columns)
"""
)
PEER = (
    HEAD
    + """
from kiteconnect import KiteTicker
parse = KiteTicker("key", "token")._parse_binary
NAMES = dict(zip(SIZES, ("last_traded_quantity", "volume_traded", "total_buy_quantity", "total_sell_quantity", "oi",
                         "oi_day_high", "oi_day_low")))
NONE = [{"price": 0, "quantity": 0, "orders": 0}] * 5
def work():
    for _ in range(repeated):
        parse(frame)
def seconds(moment):
    return 0 if moment is None else round(moment.timestamp())
def found():
    for tick in parse(frame):
        prices = [tick["last_price"], tick.get("average_traded_price", 0)]
        prices += [tick.get("ohlc", {}).get(name, 0) for name in ("open", "high", "low", "close")]
        row = [tick["instrument_token"], *(round(100 * price) for price in prices)]
        row += [tick.get(NAMES[name], 0) for name in SIZES]
        row += [seconds(tick.get(name)) for name in ("last_trade_time", "exchange_timestamp")]
        for side in ("buy", "sell"):
            levels = tick.get("depth", {}).get(side, NONE)
            row += [round(100 * level["price"]) for level in levels]
            row += [level[name] for name in ("quantity", "orders") for level in levels]
        yield row
"""
)


def frame(lengths: list[int]) -> bytes:
    """Packets of these lengths with random numbers of NFO and of indices; drawn from a fixed seed."""
    rng = np.random.default_rng(7)
    parts = [len(lengths).to_bytes(2, "big")]
    for length in lengths:
        body = bytearray(rng.integers(0, 256, length, np.uint8).tobytes())
        body[3] = 9 if length in {28, 32} else 2
        parts += [length.to_bytes(2, "big"), bytes(body)]
    return b"".join(parts)


def ask(question: str, lengths: list[int], least: int) -> bool:
    """One row of the table; False if it falls short or the two disagree."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "frame"
        path.write_bytes(frame(lengths))
        entered = {
            name: (Contestant(source, str(path), str(REPEATED[name]), threads=1), "work")
            for name, source in {"ours": OURS, "peer": PEER}.items()
        }
        sums = {name: contestant.checked for name, (contestant, _) in entered.items()}
        took = race(entered, ROUNDS)
    if sums["ours"] != sums["peer"]:
        print(f"frame_decode: the contestants disagree: {sums}", file=sys.stderr)
        return False
    rate = {name: len(lengths) * REPEATED[name] / seconds for name, seconds in took.items()}
    ratio = rate["ours"] / rate["peer"]
    write(Row(question=question, ours=f"{rate['ours'] / 1e6:.1f} M packets/s",
              peer=f"{rate['peer'] / 1e3:.0f} k packets/s (kiteconnect's KiteTicker._parse_binary)",
              ratio=ratio, asked=f"≥ {least}×", reached=ratio >= least))  # fmt: skip
    return ratio >= least


def main() -> int:
    lengths = list(DTYPES)
    done = [
        ask("Kite frame of 500 full packets, one core", [FULL] * PACKETS, 100),
        ask("Kite frame of 500 packets of all lengths, one core", lengths * (PACKETS // len(lengths)), 50),
    ]
    return 0 if all(done) else 1


if __name__ == "__main__":
    sys.exit(main())
