"""`vikalp report eod` and `vikalp snapshots`, on the ledger of a desk that does not run."""

import json
import os
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner, Result

from cluster.cli.main import app
from cluster.desk import book_id
from cluster.ledger import own_server
from cluster.running import keep_settings, running_desk
from cluster.settings import Settings
from cluster.state import DeskState, desk_dir, pid_of, write_state
from core.orders.books import ACCOUNT
from core.orders.snapshot import Earned, Snapshot
from core.records import Fill, LimitUse, Order, OrderEvent
from jobs import end_of_day
from storage.broker_store import PostgresBrokerStore
from storage.ledger import PostgresLedger
from storage.ledger.roles import prepare_own
from tests.fakes_orders import INDEX, LOT, NOON, SYMBOL, intent
from tests.unit.storage.test_ledger import a_position, rows
from tests.unit.test_snapshot import taken

RUN, SESSION, DAY = CliRunner(), "paper-kite-2025-09-05", "2025-09-05"
BOUGHT = Order(
    intent=intent("A", strategy="s", created_ns=NOON), state="COMPLETE", broker_id="P1", filled_quantity=LOT,
    average_paise=34_910.0, updated_ns=NOON,
)  # fmt: skip
FILL = Fill(
    trade_id="T1", tag="A", strategy="s", index=INDEX, symbol=SYMBOL, side="BUY", quantity=LOT, price_paise=34_910,
    at_ns=NOON + 1,
)  # fmt: skip


def vikalp(*words: object) -> Result:
    return RUN.invoke(app, [str(word) for word in words])


@contextmanager
def serving() -> Iterator[str]:
    """The ledger of desk 0; a command starts its server by itself, and ends it."""
    server = own_server(0)
    server.start()
    try:
        yield prepare_own(server)
    finally:
        server.stop()


@pytest.fixture
def desk(short_home: Path) -> None:
    """Desk 0, which does not run: one buy, here and in the paper book."""
    desk_dir(0).mkdir(parents=True)
    desk_dir(0).chmod(0o711)
    with (
        serving() as dsn,
        closing(PostgresLedger(dsn, SESSION)) as ledger,
        closing(PostgresBrokerStore(dsn, SESSION)) as store,
    ):
        epoch = ledger.take_epoch()
        ledger.journal_intent(epoch, BOUGHT.intent)
        ledger.record_order(epoch, BOUGHT, OrderEvent(tag="A", state="OPEN", at_ns=NOON))
        ledger.record_fill(epoch, FILL, BOUGHT, a_position(symbol=SYMBOL, index=INDEX, quantity=LOT))
        better = (Earned(strategy=ACCOUNT, gross_paise=100_000, charges_paise=0),)
        used = (LimitUse(limit="daily_loss", used=1_234_567.5, allowed=2_500_000.0, unit="rupees"),)
        seen = taken(mark=36_000, at_ns=NOON + 5)
        ledger.record_snapshot(epoch, msgspec.structs.replace(seen, results=better, limits=used))
        store.save(BOUGHT, [FILL])


@pytest.mark.usefixtures("desk")
def test_a_day_is_reported_kept_and_its_differences_raise_the_alarm() -> None:
    first = vikalp("report", "eod", "--date", DAY, "--json")
    assert first.exit_code == 0, first.output
    told = json.loads(first.stdout)
    assert (told["session"], told["clean"], told["broker"]) == (SESSION, True, "the paper broker's own book")
    assert told["marks_from"].startswith("the day's last snapshot")
    assert told["results"][ACCOUNT]["gross_paise"] == LOT * (36_000 - 34_910)
    end = told["results"][ACCOUNT]["gross_paise"] - told["results"][ACCOUNT]["charges_paise"]
    assert told["results"][ACCOUNT]["max_drawdown_paise"] == 100_000 - end > 0  # from the snapshot of the same day
    with serving() as dsn, closing(PostgresBrokerStore(dsn, SESSION)) as store:
        (day,) = rows(dsn, "SELECT * FROM daily_pnl")
        assert rows(dsn, "SELECT * FROM risk_events") == []
        store.save(Order(intent=intent("B", created_ns=NOON), state="OPEN", broker_id="P2"), [])
    assert (day["gross_paise"], day["trades"], day["sharpe"]) == (LOT * 1_090, 0, None)
    assert (desk_dir(0) / "reports" / f"{DAY}-{SESSION}.md").read_text().startswith(f"# End of day {DAY}")

    again = vikalp("report", "eod")  # the day of the last order
    assert again.exit_code == 1
    assert "order missing here" in again.stdout
    assert "1 mismatches" in " ".join(again.stderr.split())
    assert "drawdown: of the snapshots, one every quarter of an hour" in " ".join(again.stderr.split())
    with serving() as dsn:
        (event,) = rows(dsn, "SELECT * FROM risk_events")
        (alert,) = rows(dsn, "SELECT * FROM system_alerts")
        kept_ones = rows(dsn, "SELECT differences FROM eod_reports ORDER BY seq")
    assert (event["kind"], alert["severity"]) == ("difference", "alarm")
    assert "order missing here of B" in alert["message"]
    assert [row["differences"] for row in kept_ones] == [0, 1]

    kept = vikalp("report", "eod", "--kept", "--date", DAY)
    assert json.loads(kept.stdout)["mismatches"] == 1
    none = vikalp("report", "eod", "--date", "2025-09-04")
    assert (none.exit_code, "has no order of 2025-09-04" in none.stderr) == (2, True)

    listed = vikalp("snapshots", "--json")
    assert [one["at_ns"] for one in json.loads(listed.stdout)["snapshots"]] == [NOON + 5]
    shown = vikalp("snapshots", "12:00")
    assert "2025-09-05 12:00:00" in shown.stdout
    assert "daily_loss 12,34,567.50 25,00,000.00 rupees" in " ".join(shown.stdout.split())
    assert "no snapshot up to 11:59" in vikalp("snapshots", "11:59").stdout


@pytest.mark.usefixtures("desk")
def test_the_day_of_what_was_carried_in_is_kept_where_a_snapshot_has_its_previous_close() -> None:
    """No chain is on the tape; without a close what the days before brought would be booked as this day's."""
    late = NOON + 3 * 86_400 * 10**9  # Monday
    asked = msgspec.structs.replace(BOUGHT.intent, tag="B", side="SELL", created_ns=late)
    order = msgspec.structs.replace(BOUGHT, intent=asked, broker_id="P2", average_paise=11_000.0)
    fill = msgspec.structs.replace(FILL, trade_id="T2", tag="B", side="SELL", price_paise=11_000, at_ns=late + 1)
    told = []
    for n, close in enumerate((0, 10_000)):
        with serving() as dsn, closing(PostgresLedger(dsn, SESSION)) as ledger:
            epoch = ledger.take_epoch()
            if not told:
                ledger.journal_intent(epoch, asked)
                ledger.record_fill(epoch, fill, order, a_position(symbol=SYMBOL, index=INDEX, quantity=0))
            held = msgspec.structs.replace(taken().positions[0], quantity=0, carried=LOT, prev_close_paise=close)
            ledger.record_snapshot(epoch, Snapshot(at_ns=late + 5 + n, state="ACTIVE", positions=(held,)))
        told.append(json.loads(vikalp("report", "eod", "--date", "2025-09-08", "--json").stdout))
        with serving() as dsn:
            told[-1]["kept"] = [row["gross_paise"] for row in rows(dsn, "SELECT * FROM daily_pnl")]

    assert [one["results"][ACCOUNT]["no_close"] for one in told] == [[SYMBOL], []]
    assert [one["kept"] for one in told] == [[], [LOT * 1_000]]
    assert [f"no previous close of {SYMBOL} is known" in one["marks_from"] for one in told] == [True, False]


def test_without_a_number_the_only_desk_that_runs_is_meant(short_home: Path) -> None:
    write_state(DeskState(desk=7, session_id="s", phase="READY", step="ready", mode="PAPER", host=pid_of(os.getpid())))
    (desk_dir(7) / "settings.json").write_text("none")
    for words in (("report", "eod"), ("snapshots",), ("backup",)):
        found = vikalp(*words)
        assert (found.exit_code, "desk-7/settings.json" in found.stderr) == (2, True), found.output
    assert "desk 7 has no ledger of its own" in vikalp("audit", "reader").stderr


def test_what_cannot_be_reported_is_said_in_one_line(short_home: Path) -> None:
    for words, said in (
        (("report", "eod", "--desk", 7), "there is no desk 7"),
        (("report", "eod", "--date", "yesterday"), "expected a day"),
        (("report", "monthly"), "eod"),
        (("snapshots", "noon", "--desk", 7), "there is no desk 7"),
    ):
        found = vikalp(*words)
        assert (found.exit_code, said in " ".join(found.stderr.split())) == (2, True), found.stderr


def test_the_job_of_a_desk_that_does_not_run_ends_with_one_line(
    short_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for words in (["--desk", "7"], ["--desk", "7", "--date", "2025-09-05"]):
        assert end_of_day.main(words) == 2
        assert "end_of_day: desk 7 is not running" in capsys.readouterr().err


@pytest.mark.usefixtures("desk")
def test_of_a_desk_that_runs_its_own_day_and_session_are_taken_and_its_server_is_left_running() -> None:
    settings = Settings(market={"source": "kite"}, kite={"api_key": "key"})
    keep_settings(desk_dir(0), settings)
    with serving() as dsn:
        state = DeskState(
            desk=0, session_id="s", phase="READY", step="ready", mode="PAPER", host=pid_of(os.getpid()),
            data_dir=str(desk_dir(0)), dsn=dsn, tape_url=str(desk_dir(0) / "tape"), anchor_wall_ns=time.time_ns(),
        )  # fmt: skip
        write_state(state)
        today = json.loads(vikalp("report", "eod", "--json").stdout)
        assert today["session"] == book_id(running_desk(state))
        assert (today["fills"], today["clean"]) == (0, True)
        assert today["broker"] == "its paper broker has no order of that session"
        named = json.loads(vikalp("report", "eod", "--session", SESSION, "--date", DAY, "--json").stdout)
        assert (named["fills"], named["clean"], named["broker"]) == (1, True, "the paper broker's own book")
        assert rows(dsn, "SELECT count(*) AS n FROM eod_reports")[0]["n"] == 2
