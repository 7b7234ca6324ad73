"""A backup put back into an empty desk: its order manager reconciles with the broker and goes on where it stands."""

import datetime as dt
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from core.orders.reconcile import Statement, compare, in_words
from core.orders.tag import make_tag
from core.records import LIVE
from storage.backup import back_up
from storage.ledger import PostgresLedger
from storage.ledger.roles import prepare_own
from storage.ledger.verify import verify
from storage.postgres import PostgresServer
from storage.restore import restore
from tests.unit.exchange.conftest import Served
from tests.unit.exchange.oms_desk import Desk, buy, opened, out_of

SESSION = "live-127.0.0.1-vikalp"
NOW = dt.datetime(2026, 11, 20, 10, tzinfo=dt.UTC)


@pytest.fixture
def home() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="vk"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def desk(served: Served) -> Iterator[Desk]:
    yield from opened(served)


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """The ledger's address as the desk in `folder` uses it: a role that owns nothing."""
    folder.mkdir(exist_ok=True)
    folder.chmod(0o711)
    server = PostgresServer(folder / "postgres", folder.with_name(f"{folder.name}-run"), 5432)
    server.start()
    try:
        yield prepare_own(server)
    finally:
        server.stop()


@contextmanager
def trading(desk: Desk, dsn: str) -> Iterator[PostgresLedger]:
    """A new order manager of the desk, on that ledger."""
    with closing(PostgresLedger(dsn, SESSION, carry=True, timeout_s=10)) as ledger:
        desk.ledger = ledger  # type: ignore[assignment]
        desk.restart()
        yield ledger


def differs(desk: Desk, ledger: PostgresLedger) -> str:
    """Every difference between the ledger and the exchange, in words; empty if there is none."""
    ours = Statement(
        orders=tuple(ledger.orders()), trades=tuple(ledger.fills()),
        positions={(one.symbol, one.product): one.quantity for one in ledger.positions()},
    )  # fmt: skip
    theirs = Statement(
        orders=tuple(desk.broker.book()), trades=tuple(desk.broker.trades()), positions=desk.broker.positions()
    )
    report = compare(ours, theirs)
    return "" if report.clean else in_words(report)


def test_a_desk_made_of_a_backup_reconciles_and_goes_on(desk: Desk, served: Served, home: Path) -> None:
    held, rests, late = buy(served, "held", lots=2), buy(served, "rests", rests=True), buy(served, "late")
    with serving(home / "desk-0") as dsn, trading(desk, dsn):
        assert desk.oms.submit(held).state in LIVE | {"COMPLETE"}
        assert desk.ended(held.tag) == "COMPLETE"
        desk.oms.submit(rests)
        desk.until(lambda: desk.theirs()[rests.tag] == ["OPEN"])  # before that it is not to be cancelled
        backup = back_up(dsn, "", home / "to", desk=0, now=NOW)
        # What comes after the backup: the exchange knows it, and what is restored does not.
        assert desk.oms.cancel(rests.tag).state in LIVE | {"CANCELLED"}
        desk.until(lambda: desk.theirs()[rests.tag] == ["CANCELLED"])
        desk.oms.submit(late)
        assert desk.ended(late.tag) == "COMPLETE"

    restore(backup, home / "desk-1", run_dir=home / "run", port=5432)
    with serving(home / "desk-1") as dsn, trading(desk, dsn) as ledger:
        assert desk.oms.state() == "ACTIVE"
        assert [order.intent.tag for order in desk.oms.orders()] == [held.tag, rests.tag]
        assert desk.ended(rests.tag) == "CANCELLED"
        assert desk.held() == {held.symbol: held.quantity}
        assert "order missing here" in differs(desk, ledger)  # `late`: the exchange has it, no backup can
        assert any(make_tag("late") in alert.message for alert in desk.oms.alerts())

        leave = out_of(desk.order(held.tag), "leave")
        desk.oms.submit(leave)
        assert desk.ended(leave.tag) == "COMPLETE"
        assert desk.held() == {}
        assert desk.theirs()[leave.tag] == ["COMPLETE"]
        assert all(len(states) == 1 for states in desk.theirs().values()), "an order is there twice"
        assert verify(dsn).whole
