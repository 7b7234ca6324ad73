"""How long from an intent to the broker's acknowledgement, journalled, and how many orders a second are journalled?

The order manager runs in this process with the ports of a live desk: the ledger on a PostgreSQL of its own, whose every
commit waits for the disk, and the Kite adapter over HTTP to the local exchange, a process of its own. Risk is one that
says yes at once: what its check takes is another question (`risk_check`). Orders are immediate-or-cancel and below the
market, so that the exchange's book stays small; its limits on calls, and those of the desk, are off.

Peers, each in turn with ours: kiteconnect's bare place_order of the same order, and a bare loop that appends 8 kB to a
file beside the ledger and waits for the disk, as a commit must.
"""

import datetime as dt
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import numpy as np
import requests
from kiteconnect import KiteConnect

from actors.oms.oms import OmsActor, OmsConfig
from benchmarks.table import Row, write
from brokers.kite.broker import KiteBroker, KiteConfig
from brokers.kite.forms import placed
from brokers.kite.limiter import Call, Limiter, Window
from brokers.kite.login import request_token_of
from core.market import session, to_ns
from core.orders.budget import BudgetConfig
from core.orders.machine import born
from core.orders.tag import make_tag
from core.ports import Payload
from core.records import Intent, OrderEvent, Verdict
from storage.ledger import PostgresLedger, migrate
from storage.postgres import PostgresServer

ORDERS, WARM = 400, 20
JOURNAL_S = 5.0
SECOND = 1_000_000_000
OLD_S = 1_800  # of the exchange's day
DATE = dt.date(2026, 11, 20)
WIDE = BudgetConfig.model_construct(**{n: 0 if "keep" in n else 10**6 for n in BudgetConfig.model_fields})
Timed = Counter[str]  # ns by port


class Market:
    """The exchange's market time."""

    def __init__(self, opens_wall_ns: int) -> None:
        hours = session("NSE", DATE)
        assert hours is not None
        self._ahead_ns = to_ns(hours.open) - opens_wall_ns

    def now_ns(self) -> int:
        return time.time_ns() + self._ahead_ns

    def wall_ns(self) -> int:
        return time.time_ns()

    def advance(self, to_ns: int) -> None: ...


class Nobody:
    """A bus without subscribers."""

    def publish(self, topic: str, payload: Payload, *, index: str = "") -> None: ...


class Yes:
    """Risk that lets everything pass."""

    def check(self, _: Intent, replaces: str = "") -> Verdict:  # noqa: ARG002 - as the port has it
        return Verdict()

    def lease(self) -> int:
        return 3_000

    def breach(self) -> str:
        return ""

    def __getattr__(self, _: str) -> Callable[..., None]:
        """It keeps nothing of what it is told."""
        return lambda *_: None


class Watched:
    """A port, with the time its calls take."""

    def __init__(self, name: str, port: Any, spent: Timed) -> None:
        self._name, self._port, self._spent = name, port, spent

    def __getattr__(self, what: str) -> Any:
        found = getattr(self._port, what)
        if not callable(found):
            return found

        def timed(*args: Any, **kwargs: Any) -> Any:
            began = time.perf_counter_ns()
            try:
                return found(*args, **kwargs)
            finally:
                self._spent[self._name] += time.perf_counter_ns() - began
                self._spent[f"{self._name} calls"] += 1

        return timed


def main() -> int:
    if sys.argv[1:2] == ["exchange"]:
        return _exchange(int(sys.argv[2]))
    with tempfile.TemporaryDirectory(prefix="vk", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        with _ledger(Path(folder)) as dsn, _market() as (root, opens_wall_ns):
            kite = _login(root)
            _path(Path(folder), dsn, root, kite, Market(opens_wall_ns))
            _journal(Path(folder), dsn, kite)
    return 0


def _exchange(opens_wall_ns: int) -> int:
    """The server's process: says its port."""
    from cluster.local_exchange import serve  # noqa: PLC0415 of this process alone
    from exchange.limits import Rates  # noqa: PLC0415
    from exchange.world import World, WorldConfig  # noqa: PLC0415

    config = WorldConfig(
        date=DATE, opens_wall_ns=opens_wall_ns, indices=("NIFTY",), one_day=True,
        rates=Rates(enforced=False),
    )  # fmt: skip
    serve(World(config), 0, lambda port: print(port, flush=True))
    return 0


@contextmanager
def _market() -> Iterator[tuple[str, int]]:
    """Its address and when its day opened, wall ns."""
    opens_wall_ns = time.time_ns() - OLD_S * SECOND
    command = [sys.executable, "-m", "benchmarks.order_path", "exchange", f"{opens_wall_ns}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}", opens_wall_ns
        finally:
            process.terminate()


@contextmanager
def _ledger(folder: Path) -> Iterator[str]:
    server = PostgresServer(folder / "data", folder / "run", 5_432)  # the port names a socket in its own folder
    server.start()
    try:
        migrate(server.dsn)
        yield server.dsn
    finally:
        server.stop()


def _login(root: str) -> KiteConnect:
    kite, deadline = KiteConnect(api_key="vikalp", root=root), time.monotonic() + 60
    while True:
        try:
            answer = requests.get(f"{root}/connect/login?v=3&api_key=vikalp", allow_redirects=False, timeout=30)
            break
        except requests.ConnectionError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
    request_token = request_token_of(answer.headers["location"].partition("?")[2])
    kite.set_access_token(kite.generate_session(request_token, "vikalp")["access_token"])
    return kite


def _intent(kite: KiteConnect) -> Callable[[str], Intent]:
    """Orders for a lot of an option near the money, a fifth below its price, that do not rest."""
    spot = kite.ltp(["NSE:NIFTY 50"])["NSE:NIFTY 50"]["last_price"]
    calls = [row for row in kite.instruments("NFO") if row["name"] == "NIFTY" and row["instrument_type"] == "CE"]
    first = min(row["expiry"] for row in calls)
    near = min((row for row in calls if row["expiry"] == first), key=lambda row: abs(row["strike"] - spot))
    last = kite.ltp([f"NFO:{near['tradingsymbol']}"])[f"NFO:{near['tradingsymbol']}"]["last_price"]
    return lambda seed: Intent(
        tag=make_tag(seed), strategy="manual", index="NIFTY", symbol=near["tradingsymbol"], side="BUY",
        quantity=near["lot_size"], order_type="LIMIT", limit_paise=round(last * 16) * 5, validity="IOC",
    )  # fmt: skip


def _path(folder: Path, dsn: str, root: str, kite: KiteConnect, clock: Market) -> None:
    spent: Timed = Counter()
    limiter = Limiter([Window(frozenset(Call), 10**6, SECOND)])
    broker = KiteBroker(KiteConfig(api_key="vikalp", root=root), lambda: str(kite.access_token), limiter=limiter)
    config, ports = OmsConfig(budget=WIDE, allow_ioc=True), {"ledger": PostgresLedger(dsn, "path"), "broker": broker}
    watched: dict[str, Any] = {name: Watched(name, port, spent) for name, port in ports.items()}
    oms = OmsActor(config, bus=Nobody(), clock=clock, **watched | {"risk": Yes()})
    oms.open()
    made = _intent(kite)

    def ours(number: int) -> None:
        order = oms.submit(made(f"ours {number}"))
        if order.state != "OPEN":
            raise RuntimeError(f"order {number} is {order.state}: {order.message}")

    def bare(number: int) -> None:
        kite.place_order(**placed(made(f"bare {number}")))

    with _Disk(folder) as disk:
        took = _in_turn((ours, bare, lambda _: disk.write()), spent)
    share = {name: spent[name] / ORDERS / 1e6 for name in ("ledger", "broker")}
    rest = np.mean(took[0]) - sum(share.values())
    p50, p99 = (float(np.percentile(took[0], q)) for q in (50, 99))
    peer = [float(np.percentile(took[1], q)) for q in (50, 99)]
    write(
        Row(
            question="intent → acknowledged on the local exchange, journalled with fsync; no risk, no Ray",
            ours=f"p50 {p50:.1f} ms, p99 {p99:.1f} ms (mean: ledger {share['ledger']:.1f} in "
            f"{spent['ledger calls'] / ORDERS:.0f} commits, broker {share['broker']:.1f}, the rest {rest:.1f})",
            peer=f"p50 {peer[0]:.1f} ms, p99 {peer[1]:.1f} ms, kiteconnect's place_order alone; an fsync "
            f"{np.percentile(took[2], 50):.2f}, p99 {np.percentile(took[2], 99):.1f} ms",
            ratio=p50 / peer[0],
            asked="p50 ≤ 10 ms, p99 ≤ 30 ms",
            reached=p50 <= 10 and p99 <= 30,
        )
    )


def _in_turn(calls: Sequence[Callable[[int], None]], spent: Timed) -> list[list[float]]:
    """Milliseconds of each call of each, one of each after the other: what disturbs the machine disturbs all."""
    took: list[list[float]] = [[] for _ in calls]
    for number in range(-WARM, ORDERS):
        if number == 0:
            spent.clear()
        for call, mine in zip(calls, took, strict=True):
            began = time.perf_counter_ns()
            call(number)
            if number >= 0:
                mine.append((time.perf_counter_ns() - began) / 1e6)
    return took


def _journal(folder: Path, dsn: str, kite: KiteConnect) -> None:
    """Of each order its intent and its acknowledgement, by one writer, as the order manager is one."""
    ledger, made = PostgresLedger(dsn, "journal"), _intent(kite)
    epoch = ledger.take_epoch()

    def order(number: int) -> None:
        asked = made(f"journal {number}")
        ledger.journal_intent(epoch, asked)
        told = born(asked, time.time_ns())
        ledger.record_order(epoch, told, OrderEvent(tag=asked.tag, state="OPEN", at_ns=told.updated_ns))

    with _Disk(folder) as disk:
        rates = [(_rate(order), _rate(lambda _: disk.write())) for _ in range(3)]
    ours, syncs = (float(np.median([pair[place] for pair in rates])) for place in (0, 1))
    ledger.close()
    write(
        Row(
            question="orders journalled by one writer, intent and acknowledgement",
            ours=f"{ours:.0f}/s, {2 * ours:.0f} commits/s",
            peer=f"{syncs:.0f} fsyncs/s of the same disk, bare: {syncs / 2:.0f} orders/s at most",
            ratio=2 * ours / syncs,
            asked="≥ 200/s",
            reached=ours >= 200,
        )
    )


def _rate(call: Callable[[int], None]) -> float:
    """Calls a second."""
    began, number = time.perf_counter(), 0
    while time.perf_counter() - began < JOURNAL_S:
        call(number + int(began * 1e6))
        number += 1
    return number / (time.perf_counter() - began)


class _Disk:
    """A file that grows by a page of the ledger's a time."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "appended"

    def __enter__(self) -> Self:
        self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._file)

    def write(self) -> None:
        os.write(self._file, bytes(8_192))
        os.fdatasync(self._file)


if __name__ == "__main__":
    sys.exit(main())
