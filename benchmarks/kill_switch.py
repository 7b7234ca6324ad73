"""The kill switch of a running desk with 50 open orders beside a hedged short: how soon is what done?

Asked: an entry sent right after is refused within 50 ms, the first cancel reaches the exchange within 100 ms, every
one of the 50 is acknowledged as cancelled within 50 / rate + 1 s at the desk's own rate of requests. It is pulled with
square-off: then the short is bought back and its wing is sold, and after no fill is more short than the wing covers, so
that no second of naked short is added. Times of cancels and the order of fills are the exchange's own (`/admin/book`).

Peer: 50 cancels one after the other at the same rate by the plain kiteconnect client.
"""

import sys
import tempfile
import threading
import time
import urllib.request
import uuid
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from kiteconnect import KiteConnect
from msgspec.structs import replace

from benchmarks.desk import ask, running
from benchmarks.table import Row, write
from cluster.account import LOCAL, Login, Secrets, login_path, own_root
from cluster.attach import Desk, attach
from cluster.state import DeskState
from core.orders.tag import make_tag
from core.records import LIVE, Intent, Order, Side

ORDERS, RATE, PAUSE_S = 50, 5, 0.35
SPREAD_LOTS, CROSS = 2, 1.1  # of the short and of its wing; how far beyond the best price they are entered
FLAT_S = 120.0  # by when the spread must be closed
TRIES = 20  # entries sent beside the switch, until it refuses one
SETTINGS: dict[str, Any] = {
    "indices": ["NIFTY"],
    "oms": {"budget": {"orders_a_minute": 400, "exits_keep_a_minute": 25, "hedges_keep_a_second": 0}},
    "risk": {
        "limits": {
            "duplicate": {"window_ms": 0}, "order_rate": {"max_per_minute": 600}, "trades_per_day": {"max_manual": 500},
            "exposure": {"max_paise": 10**11}, "stress": {"max_loss_paise": 10**11}, "var": {"max_loss_paise": 10**11},
            "price_distance": {"max_share": 0.99}, "price_band": {"move": 0.9}, "position": {"max_lots": 1_000},
            "concentration": {"from_paise": 10**11},
            **{greek: {"max_rupees": 10**9} for greek in ("delta", "gamma", "vega", "theta")},
        },
        "funds": {"cash_paise": 10**11},
    },
}  # fmt: skip


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "kill.yaml"
        file.write_text(yaml.safe_dump(SETTINGS))
        with running("--config", str(file), indices=SETTINGS["indices"]) as (state, _), attach(state.desk) as desk:
            refused_ms, first_ms, all_s, closed = _measured(state, desk)
            peer_s = _plain(state, desk)
    asked_s = ORDERS / RATE + 1
    row = Row(
        question=f"kill switch with {ORDERS} open orders, {RATE} requests a second",
        ours=f"an entry refused after {refused_ms:.0f} ms, first cancel {first_ms:.0f} ms, all over {all_s:.1f} s; "
        f"{closed.words}",
        peer=f"{peer_s:.1f} s: kiteconnect's cancel_order, one every {1 / RATE:g} s",
        ratio=all_s / peer_s,
        asked=f"≤ 50 ms, ≤ 100 ms, ≤ {asked_s:.0f} s, 0 units",
        reached=refused_ms <= 50 and first_ms <= 100 and all_s <= asked_s and not closed.naked,
    )
    write(row)
    return 0 if row.reached else 1


@dataclass(frozen=True)
class Spread:
    """Contracts of a hedged short, and units of each."""

    wing: str
    short: str
    units: int


@dataclass(frozen=True)
class Closed:
    """`naked`: the most units that were short without a wing after any of the day's `fills` of the spread."""

    spread: Spread
    seconds: float
    fills: int
    naked: int

    @property
    def words(self) -> str:
        return (
            f"a short of {self.spread.units} and its wing closed after {self.seconds:.1f} s, {self.naked} units naked "
            f"after any of {self.fills} fills"
        )


def _measured(state: DeskState, desk: Desk) -> tuple[float, float, float, Closed]:
    spread = _enter(desk)
    chain = [row for row in desk.chain("NIFTY").to_pylist() if row["kind"] == 2 and row["bid_paise"] > 5_000]
    chain = [row for row in chain if row["symbol"] not in {spread.wing, spread.short}]
    contract, lot = min(chain, key=lambda row: row["ask_paise"]), int(desk.expiries("NIFTY").to_pylist()[0]["lot"])
    low = contract["bid_paise"] * 3 // 4 // 5 * 5
    placed = [_rest(desk, contract["symbol"], lot, low - 5 * number) for number in range(ORDERS)]
    resting = [order for order in placed if order.state == "OPEN"]
    if len(resting) < ORDERS:
        raise RuntimeError(f"{ORDERS - len(resting)} of {ORDERS} do not rest: {placed[-1].message}")
    late: list[float] = []
    began_ns = time.time_ns()
    made = Intent(
        tag="", strategy="manual", index="NIFTY", symbol=contract["symbol"], side="BUY", quantity=lot,
        order_type="LIMIT", limit_paise=low, reason="a benchmark",
    )  # fmt: skip
    probe = threading.Thread(target=_probe, args=(desk, made, began_ns, late))
    probe.start()
    desk.client.kill("a benchmark", "benchmarks.kill_switch", square_off=True)
    tags = {order.intent.tag for order in resting}
    while any(order.state in LIVE for order in desk.orders() if order.intent.tag in tags):
        time.sleep(0.05)
    all_s = (time.time_ns() - began_ns) / 1e9
    probe.join()
    flat_s = _flat(desk, began_ns)
    desk.client.release("measured", "benchmarks.kill_switch")
    book = ask(urllib.request.Request(f"{own_root(state.desk)}/admin/book"))["data"]
    cancels = [call["came_ns"] for call in book["calls"] if call["method"] == "DELETE" and call["came_ns"] >= began_ns]
    return late[0], (min(cancels) - began_ns) / 1e6, all_s, _closed(book, spread, flat_s)


def _enter(desk: Desk) -> Spread:
    """Hold a short of calls and the wing that covers it, bought first; RuntimeError if either is not filled."""
    calls = [row for row in desk.chain("NIFTY").to_pylist() if row["kind"] == 2 and row["bid_paise"] > 0]
    expiry = min(row["expiry"] for row in calls)
    calls = sorted((row for row in calls if row["expiry"] == expiry), key=lambda row: row["ask_paise"])
    middle = len(calls) // 2
    units = SPREAD_LOTS * int(desk.expiries("NIFTY").to_pylist()[0]["lot"])
    spread = Spread(calls[middle - 4]["symbol"], calls[middle]["symbol"], units)
    _fill(desk, spread.wing, "BUY", units, round(calls[middle - 4]["ask_paise"] * CROSS) // 5 * 5)
    _fill(desk, spread.short, "SELL", units, round(calls[middle]["bid_paise"] / CROSS) // 5 * 5)
    return spread


def _fill(desk: Desk, symbol: str, side: Side, units: int, paise: int) -> None:
    order = desk.place(symbol, side, units, limit_paise=paise)
    by = time.monotonic() + 10
    while order.state in LIVE and time.monotonic() < by:
        time.sleep(0.05)
        order = next(one for one in desk.orders() if one.intent.tag == order.intent.tag)
    if order.state != "COMPLETE":
        raise RuntimeError(f"{side} {units} {symbol} was not filled: {order.state} {order.message}")


def _flat(desk: Desk, began_ns: int) -> float:
    """Seconds until nothing is held; RuntimeError if that takes longer than FLAT_S."""
    while held := [(one.symbol, one.quantity) for one in desk.positions() if one.quantity]:
        if time.time_ns() - began_ns > FLAT_S * 1e9:
            raise RuntimeError(f"the square-off has not closed everything within {FLAT_S:.0f} s: {held}")
        time.sleep(0.05)
    return (time.time_ns() - began_ns) / 1e9


def _closed(book: dict[str, Any], spread: Spread, seconds: float) -> Closed:
    """The spread's fills one after the other, as the exchange has made them."""
    orders = {order["order_id"]: order for order in book["orders"]}
    held, naked, fills = Counter[str](), 0, 0
    for trade in book["trades"]:
        order = orders[trade["order_id"]]
        if order["symbol"] in {spread.wing, spread.short}:
            held[order["symbol"]] += trade["quantity"] if order["side"] == "BUY" else -trade["quantity"]
            naked, fills = max(naked, -held[spread.short] - held[spread.wing]), fills + 1
    if any(held.values()):
        raise RuntimeError(f"the exchange still has {dict(held)} of the spread, and the desk says that it is flat")
    return Closed(spread, seconds, fills, naked)


def _rest(desk: Desk, symbol: str, lot: int, paise: int) -> Order:
    """An order that rests; asked for again, as another, while the budget has no room."""
    for _ in range(60):
        order = desk.place(symbol, "BUY", lot, limit_paise=paise)
        if order.state == "OPEN":
            return order
        time.sleep(PAUSE_S)
    return order


def _probe(desk: Desk, made: Intent, began_ns: int, late: list[float]) -> None:
    """Entries a moment after the switch, each after the other's answer: how long after it the first was refused, ms.

    One that overtakes the switch on its way is an order like the others, and cancelled with them.
    """
    answer = None
    for _ in range(TRIES):
        time.sleep(0.002)
        answer = desk.client.submit(replace(made, tag=make_tag(uuid.uuid4().bytes)))
        if "kill switch" in answer.message:
            late.append((time.time_ns() - began_ns) / 1e6)
            return
    raise RuntimeError(f"no entry of {TRIES} was refused by the kill switch: {answer}")


def _plain(state: DeskState, desk: Desk) -> float:
    """Seconds that the plain client takes to cancel as many orders, one every 1 / RATE s, until the book shows it."""
    root = own_root(state.desk)
    login = Secrets(login_path(root), LOCAL, Login).load()
    assert login is not None, "a desk logs in at its own exchange when it starts"
    kite = KiteConnect(login.api_key, login.access_token, root=root)
    row = min(desk.chain("NIFTY").to_pylist(), key=lambda one: (one["kind"] != 2, one["ask_paise"] or 10**9))
    lot = int(desk.expiries("NIFTY").to_pylist()[0]["lot"])
    ids, price = [], max(5, row["bid_paise"] // 10 * 5) / 100
    for _ in range(ORDERS):
        ids.append(kite.place_order("regular", "NFO", row["symbol"], "BUY", lot, "NRML", "LIMIT", price=price))
        time.sleep(1 / RATE)
    began = time.monotonic()
    for number, order_id in enumerate(ids):
        time.sleep(max(0.0, began + number / RATE - time.monotonic()))
        kite.cancel_order("regular", order_id)
    while any(one["order_id"] in ids and one["status"] == "OPEN" for one in kite.orders()):
        time.sleep(0.05)
    return time.monotonic() - began


if __name__ == "__main__":
    sys.exit(main())
