"""How long from an intent to the exchange's acknowledgement through a whole running desk, every process of it at work?

A notebook attaches and submits one order after the other: over Ray to the order manager, to risk and all its limits,
into the ledger on the disk, over HTTP to the local exchange and back, while fifteen actors price, record and show the
market on the same cores. Orders are immediate-or-cancel and below the market; limits on their number are raised, the
exchange's own of ten a second is kept.

Peer, in turn with ours: kiteconnect's place_order of the same order at the same exchange.
"""

import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import numpy as np
import yaml
from kiteconnect import KiteConnect

from benchmarks.desk import running
from benchmarks.kill_switch import SETTINGS
from benchmarks.table import Row, write
from cluster.account import LOCAL, Login, Secrets, login_path, own_root
from cluster.attach import Desk, attach

ORDERS, WARM = 200, 20
# Before each pair: the desk counts the plain client's orders too, as Kite does, and waits above 6 in 1.2 s.
PAUSE_S = 0.7
INDEX = "NIFTY"


def main() -> int:
    settings = {
        "risk": SETTINGS["risk"],
        "oms": {
            "allow_ioc": True,
            "budget": {"orders_a_minute": 400, "exits_keep_a_minute": 1, "hedges_keep_a_second": 0},
        },
    }
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "order.yaml"
        file.write_text(yaml.safe_dump(settings))
        with running("--config", str(file)) as (state, _), attach(state.desk) as desk:
            ours, plain = _measured(desk, own_root(state.desk))
    p50, p99 = (float(np.percentile(ours, q)) for q in (50, 99))
    peer = [float(np.percentile(plain, q)) for q in (50, 99)]
    row = Row(
        question="intent → acknowledged through the running desk: notebook, order manager, risk, ledger, exchange",
        ours=f"p50 {p50:.1f} ms, p99 {p99:.1f} ms ({ORDERS} orders)",
        peer=f"p50 {peer[0]:.1f} ms, p99 {peer[1]:.1f} ms, kiteconnect's place_order alone",
        ratio=p50 / peer[0],
        asked="p50 ≤ 10 ms, p99 ≤ 30 ms",
        reached=p50 <= 10 and p99 <= 30,
    )
    write(row)
    return 0 if row.reached else 1


def _measured(desk: Desk, root: str) -> tuple[list[float], list[float]]:
    """Milliseconds of each order of ours, and of the plain client's."""
    chain = [row for row in desk.chain(INDEX).to_pylist() if row["kind"] == 2 and row["bid_paise"] > 5_000]
    contract, lot = min(chain, key=lambda row: row["ask_paise"]), int(desk.expiries(INDEX).to_pylist()[0]["lot"])
    symbol, low = contract["symbol"], contract["bid_paise"] * 3 // 4 // 5 * 5
    login = Secrets(login_path(root), LOCAL, Login).load()
    assert login is not None, "a desk logs in at its own exchange when it starts"
    kite = KiteConnect(login.api_key, login.access_token, root=root)

    def ours(number: int) -> None:
        order = desk.place(symbol, "BUY", lot, limit_paise=low - 5 * (number % 50), validity="IOC", tag=_tag())
        if order.state not in ("OPEN", "CANCELLED"):
            raise RuntimeError(f"order {number} was not acknowledged: {order.state} {order.message}")

    def plain(number: int) -> None:
        price = (low - 5 * (number % 50)) / 100
        kite.place_order("regular", "NFO", symbol, "BUY", lot, "NRML", "LIMIT", price=price, validity="IOC", tag=_tag())

    took, theirs = [], []
    for number in range(WARM + ORDERS):
        time.sleep(PAUSE_S)
        took.append(_ms(ours, number))
        theirs.append(_ms(plain, number))
    return took[WARM:], theirs[WARM:]


def _tag() -> str:
    return f"B{uuid.uuid4().hex[:15].upper()}"


def _ms(call: Callable[[int], None], number: int) -> float:
    began = time.perf_counter_ns()
    call(number)
    return (time.perf_counter_ns() - began) / 1e6


if __name__ == "__main__":
    sys.exit(main())
