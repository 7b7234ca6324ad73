"""How many orders a second are journalled, chained and durable, beside the same without the chain and the bare fsyncs.

An order is three transactions: its intent, its acknowledgement, its fill. Both run on one server in turn; the first row
is of the order manager alone, the second with three more writers of its session, each a process as on a desk. The peer
is the same ledger with the chain's triggers off; how often the disk takes an fsync of one block in that second is its
limit.
"""

import asyncio
import multiprocessing
import os
import shutil
import statistics
import tempfile
import time
from multiprocessing.synchronize import Barrier, Event
from pathlib import Path

import asyncpg

from benchmarks.table import Row, write
from core.records import Alert, Fill, Intent, Order, OrderEvent, Position
from storage.ledger import PostgresLedger
from storage.ledger.roles import prepare_own
from storage.postgres import PostgresServer

SPAWN = multiprocessing.get_context("spawn")
SECONDS, ROUNDS, OTHERS = 3.0, 3, 3
WANTED = 200  # orders a second


def main() -> None:
    folder = Path(tempfile.mkdtemp(prefix="vk"))
    folder.chmod(0o755)
    server = PostgresServer(folder / "data", folder / "run", 24_999)
    server.start()
    try:
        dsn = prepare_own(server)
        orders(dsn, "warm", 0)
        for others in (0, OTHERS):
            ours, peer, syncs = [], [], []
            for turn in range(ROUNDS):
                ours.append(orders(dsn, f"chained-{others}-{turn}", others))
                chain(server.dsn, "DISABLE")
                peer.append(orders(dsn, f"bare-{others}-{turn}", others))
                chain(server.dsn, "ENABLE")
                syncs.append(fsyncs(folder))
            tell(others, statistics.median(ours), statistics.median(peer), statistics.median(syncs))
    finally:
        server.stop()
        shutil.rmtree(folder)


def tell(others: int, ours: float, peer: float, syncs: float) -> None:
    beside = f", {others} other writers" if others else ""
    row = Row(
        question=f"orders journalled{beside}: intent, acknowledgement and fill, hash-chained",
        ours=f"{ours:.0f} orders/s ({3 * ours:.0f} commits/s)",
        peer=f"without the chain {peer:.0f} orders/s; the disk {syncs:.0f} fsyncs/s",
        ratio=ours / peer,
        asked=f"≥ {WANTED} orders/s",
        reached=ours >= WANTED,
    )
    write(row)


def orders(dsn: str, session: str, others: int) -> float:
    """Orders a second of one order manager while `others` write alerts as fast as they can."""
    ledger, ended, writing = PostgresLedger(dsn, session, timeout_s=30), SPAWN.Event(), SPAWN.Barrier(others + 1)
    epoch, done = ledger.take_epoch(), 0
    processes = [SPAWN.Process(target=alerts, args=(dsn, session, writing, ended)) for _ in range(others)]
    for process in processes:
        process.start()
    writing.wait()
    began = time.perf_counter()
    while time.perf_counter() - began < SECONDS:
        one(ledger, epoch, f"T{done}")
        done += 1
    took = time.perf_counter() - began
    ended.set()
    for process in processes:
        process.join()
    ledger.close()
    return done / took


def one(ledger: PostgresLedger, epoch: int, tag: str) -> None:
    at_ns = 1_756_000_000_000_000_000
    intent = Intent(
        tag=tag, strategy="s", index="NIFTY", symbol="NIFTY2590224500CE", side="BUY", quantity=75, order_type="LIMIT",
        limit_paise=10_000, created_ns=at_ns,
    )  # fmt: skip
    ledger.journal_intent(epoch, intent)
    opened = Order(intent=intent, state="OPEN", broker_id=tag, updated_ns=at_ns)
    ledger.record_order(epoch, opened, OrderEvent(tag=tag, state="OPEN", at_ns=at_ns))
    fill = Fill(
        trade_id=tag, tag=tag, strategy="s", index="NIFTY", symbol=intent.symbol, side="BUY", quantity=75,
        price_paise=10_000, at_ns=at_ns,
    )  # fmt: skip
    filled = Order(
        intent=intent, state="COMPLETE", broker_id=tag, filled_quantity=75, average_paise=10_000.0, updated_ns=at_ns
    )
    position = Position(
        symbol=intent.symbol, index="NIFTY", quantity=75, average_paise=10_000.0, last_paise=10_000, realised_paise=0,
        unrealised_paise=0, charges_paise=2_400, strategy="s",
    )  # fmt: skip
    ledger.record_fill(epoch, fill, filled, position)


def alerts(dsn: str, session: str, writing: Barrier, ended: Event) -> None:
    ledger = PostgresLedger(dsn, session, timeout_s=30)
    ledger.ping()
    writing.wait()
    while not ended.is_set():
        ledger.record_alert(Alert(at_wall_ns=1, severity="info", subject="bench", message="another writer"))
    ledger.close()


def chain(owner_dsn: str, how: str) -> None:
    """Switch the chain's triggers: the peer's rounds write the tables alone."""

    async def go() -> None:
        connection = await asyncpg.connect(owner_dsn)
        for row in await connection.fetch("SELECT relation FROM chained WHERE NOT retired"):
            await connection.execute(f"ALTER TABLE {row['relation']} {how} TRIGGER chain")
        await connection.close()

    asyncio.run(go())


def fsyncs(folder: Path) -> float:
    """fdatasyncs a second of 8 kB written over, in the folder of the database."""
    file, block, done = os.open(folder / "probe", os.O_RDWR | os.O_CREAT), b"x" * 8192, 0
    began = time.perf_counter()
    while time.perf_counter() - began < 1.0:
        os.pwrite(file, block, 0)
        os.fdatasync(file)
        done += 1
    os.close(file)
    return done / (time.perf_counter() - began)


if __name__ == "__main__":
    main()
