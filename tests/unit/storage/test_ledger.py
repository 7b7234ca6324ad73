import asyncio
import pickle
import time
from collections.abc import Callable

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.errors import ConfigError, InputError, LedgerDown, LedgerFenced
from core.records import (
    Alert,
    Fill,
    Intent,
    Kill,
    Move,
    Order,
    OrderEvent,
    Position,
    Refusal,
    RiskEvent,
    Settled,
    Verdict,
)
from storage.broker_store import PostgresBrokerStore
from storage.ledger import PostgresLedger, migrate
from storage.ledger.migrate import FOLDER

MakeLedger = Callable[..., PostgresLedger]

NO = Verdict(refusals=(Refusal(limit="order_size", allowed="1800", asked="1875", why="above the freeze"),))


def an_intent(tag: str = "A1", **changes: object) -> Intent:
    fields: dict[str, object] = {
        "tag": tag,
        "strategy": "manual",
        "index": "NIFTY",
        "symbol": "NIFTY2590224500CE",
        "side": "BUY",
        "quantity": 75,
        "order_type": "LIMIT",
        "limit_paise": 10_005,
        "created_ns": 1_756_000_000_123_456_789,
    }
    return Intent(**(fields | changes))


def a_fill(trade_id: str = "T1", tag: str = "A1", **changes: object) -> Fill:
    fields: dict[str, object] = {
        "trade_id": trade_id,
        "tag": tag,
        "strategy": "manual",
        "index": "NIFTY",
        "symbol": "NIFTY2590224500CE",
        "side": "BUY",
        "quantity": 75,
        "price_paise": 10_000,
        "at_ns": 1_756_000_001_000_000_001,
    }
    return Fill(**(fields | changes))


def a_position(**changes: object) -> Position:
    fields: dict[str, object] = {
        "symbol": "NIFTY2590224500CE",
        "index": "NIFTY",
        "quantity": 75,
        "average_paise": 10_000.0,
        "last_paise": 10_000,
        "realised_paise": 0,
        "unrealised_paise": 0,
        "charges_paise": 4_321,
    }
    return Position(**(fields | changes))


def done(intent: Intent) -> Order:
    return Order(
        intent=intent, state="COMPLETE", broker_id="B1", filled_quantity=75, average_paise=10_000.0, updated_ns=5
    )


def rows(dsn: str, sql: str, *args: object) -> list[asyncpg.Record]:
    async def ask() -> list[asyncpg.Record]:
        connection = await asyncpg.connect(dsn)
        try:
            return await connection.fetch(sql, *args)
        finally:
            await connection.close()

    return asyncio.run(ask())


def test_an_intent_is_an_order_before_anybody_answers(ledger: PostgresLedger) -> None:
    intent = an_intent()
    ledger.journal_intent(ledger.take_epoch(), intent)
    assert ledger.orders() == [Order(intent=intent, state="JOURNALLED", updated_ns=intent.created_ns)]


def test_a_newer_order_manager_fences_the_older(make_ledger: MakeLedger) -> None:
    old, new = make_ledger(), make_ledger()
    first = old.take_epoch()
    old.journal_intent(first, an_intent("A1"))
    assert new.take_epoch() == first + 1
    for late in (
        lambda: old.journal_intent(first, an_intent("A2")),
        lambda: old.record_refusal(first, an_intent("A2"), NO),
        lambda: old.record_order(first, done(an_intent()), OrderEvent(tag="A1", state="COMPLETE", at_ns=1)),
        lambda: old.record_fill(first, a_fill(), done(an_intent()), a_position()),
    ):
        with pytest.raises(LedgerFenced, match=f"epoch {first} was replaced by epoch {first + 1}"):
            late()
    assert [order.intent.tag for order in new.orders()] == ["A1"]
    new.journal_intent(first + 1, an_intent("A2"))
    assert new.fills() == []


def test_epochs_of_two_sessions_do_not_meet(make_ledger: MakeLedger) -> None:
    one, other = make_ledger("north"), make_ledger("south")
    epoch = one.take_epoch()
    other.take_epoch()
    one.journal_intent(epoch, an_intent())
    assert other.orders() == []


def test_a_fill_counts_once_and_writes_everything_with_it(ledger: PostgresLedger, dsn: str) -> None:
    epoch, intent = ledger.take_epoch(), an_intent()
    ledger.journal_intent(epoch, intent)
    assert ledger.record_fill(epoch, a_fill(), done(intent), a_position()) is True
    assert ledger.record_fill(epoch, a_fill(), done(intent), a_position(quantity=150)) is False
    assert ledger.fills() == [a_fill()]
    assert ledger.orders() == [done(intent)]
    assert ledger.positions() == [a_position()]
    history = rows(dsn, "SELECT position_quantity FROM trade_history WHERE session_id = $1", ledger._session)
    assert [row["position_quantity"] for row in history] == [75]
    with pytest.raises(InputError, match="T1 was recorded as"):
        ledger.record_fill(epoch, a_fill(price_paise=1), done(intent), a_position())


def test_a_fill_that_cannot_be_written_leaves_nothing(ledger: PostgresLedger) -> None:
    epoch, intent = ledger.take_epoch(), an_intent()
    ledger.journal_intent(epoch, intent)
    with pytest.raises(InputError, match="recording a fill"):
        ledger.record_fill(epoch, a_fill(), done(intent), a_position(realised_paise=2**63))
    assert ledger.fills() == []
    assert ledger.positions() == []
    assert ledger.record_fill(epoch, a_fill(), done(intent), a_position()) is True


def a_move(phase: str = "done", **changes: object) -> Move:
    given = {
        "move_id": "M1", "kind": "convert", "phase": phase, "strategy": "manual", "symbol": "NIFTY2590224500CE",
        "index": "NIFTY", "quantity": 75, "product_from": "NRML", "product": "MIS", "who": "asha", "at_ns": 7,
        "value_paise": 750_000, "beyond_from": -1, "beyond_to": 2, "message": "by hand",
    }  # fmt: skip
    return Move(**(given | changes))  # type: ignore[arg-type]


def test_a_move_is_asked_for_once_and_done_once(make_ledger: MakeLedger, dsn: str) -> None:
    ledger = make_ledger()
    epoch, there = ledger.take_epoch(), a_position(product="MIS")
    asked, done_ = a_move("asked", value_paise=0), a_move("done")
    assert ledger.record_move(epoch, asked, []) == asked
    assert ledger.positions() == []
    assert ledger.record_move(epoch, done_, [there]) == done_
    assert ledger.record_move(epoch, a_move("done", value_paise=1), [a_position()]) == done_, "the first stands"
    assert (ledger.moves(), ledger.positions()) == ([asked, done_], [there])
    assert make_ledger("another").moves() == []
    make_ledger().take_epoch()
    with pytest.raises(LedgerFenced):
        ledger.record_move(epoch, a_move("refused"), [])
    with pytest.raises(asyncpg.PostgresError, match="append-only"):
        rows(dsn, "UPDATE position_moves SET value_paise = 0")


def test_a_contract_settles_once_and_for_good(make_ledger: MakeLedger, dsn: str) -> None:
    ledger = make_ledger()
    epoch = ledger.take_epoch()
    ledger.journal_intent(epoch, an_intent())
    ledger.record_fill(epoch, a_fill(), done(an_intent()), a_position())
    first = Settled(
        symbol="NIFTY2590224500CE", index="NIFTY", close_paise=2_457_950, value_paise=7_950,
        source="mean of 15:00-15:30", at_ns=7,
    )  # fmt: skip
    flat = a_position(quantity=0, average_paise=0.0, realised_paise=-153_750)
    stands = ledger.record_settlement(epoch, first, [flat])
    other = Settled(**{name: getattr(first, name) for name in first.__struct_fields__} | {"value_paise": 8_000})

    assert stands == first
    assert ledger.record_settlement(epoch, other, [a_position()]) == first
    assert (ledger.settlements(), ledger.positions()) == ([first], [flat])
    assert make_ledger("another").settlements() == []
    make_ledger().take_epoch()
    with pytest.raises(LedgerFenced):
        ledger.record_settlement(epoch, first, [flat])
    with pytest.raises(asyncpg.PostgresError, match="append-only"):
        rows(dsn, "UPDATE settlements SET value_paise = 0")


def test_a_tag_is_used_once(ledger: PostgresLedger) -> None:
    epoch = ledger.take_epoch()
    ledger.journal_intent(epoch, an_intent())
    with pytest.raises(InputError, match="A1 was used before"):
        ledger.journal_intent(epoch, an_intent(quantity=150))


def test_a_refusal_says_why_and_is_read_back(ledger: PostgresLedger) -> None:
    ledger.record_refusal(ledger.take_epoch(), an_intent(), NO)
    (order,) = ledger.orders()
    assert order.state == "REFUSED"
    assert order.message == "order_size: above the freeze (asked 1875, allowed 1800)"


def test_an_account_carries_its_open_positions(make_ledger: MakeLedger) -> None:
    account = make_ledger("account", carry=True)
    epoch = account.take_epoch()
    account.journal_intent(epoch, an_intent())
    account.record_fill(epoch, a_fill(), done(an_intent()), a_position())
    flat = a_position(symbol="NIFTY25SEPFUT", quantity=0, realised_paise=77)
    account.record_fill(epoch, a_fill("T2"), done(an_intent()), flat)
    assert account.positions() == [a_position()]
    assert make_ledger("account").positions() == [a_position(), flat]


def test_what_happened_beside_the_orders_is_kept(ledger: PostgresLedger, dsn: str) -> None:
    ledger.record_risk_event(RiskEvent(at_ns=1, kind="halt", subject="oms", message="kill switch"))
    ledger.record_alert(Alert(at_wall_ns=2, severity="alarm", subject="ledger", message="was away"))
    ledger.record_daily_pnl("2026-11-20", -12_345, 678)
    ledger.record_daily_pnl("2026-11-20", -12_000, 700)
    ledger.audit("gateway", "login", {"user": "trader", "ok": True})
    assert 0 < ledger.ping() < 5
    pnl = rows(dsn, "SELECT date::text, net_paise FROM daily_pnl WHERE session_id = $1", ledger._session)
    assert [tuple(row) for row in pnl] == [("2026-11-20", -12_700)]
    log = rows(dsn, "SELECT actor, action, detail FROM audit_log WHERE session_id = $1 ORDER BY seq", ledger._session)
    assert [row["action"] for row in log] == ["risk_event", "alert", "daily_pnl", "daily_pnl", "login"]
    assert '"user": "trader"' in log[-1]["detail"]


def test_an_alert_is_audited_as_its_writers(make_ledger: MakeLedger, dsn: str) -> None:
    ledger = make_ledger(writer="oms")
    ledger.record_alert(Alert(at_wall_ns=2, severity="alarm", subject="orders X", message="a stray order"))
    (line,) = rows(dsn, "SELECT actor, action FROM audit_log WHERE session_id = $1", ledger._session)
    assert tuple(line) == ("oms", "alert")


@pytest.mark.parametrize("table", ["audit_log", "trade_history"])
@pytest.mark.parametrize("change", ["UPDATE {} SET session_id = 'x'", "DELETE FROM {}", "TRUNCATE {}"])
def test_the_database_itself_refuses_to_change_history(dsn: str, table: str, change: str) -> None:
    with pytest.raises(asyncpg.RestrictViolationError, match=f"{table} is append-only"):
        rows(dsn, change.format(table))
    replica = f"SET session_replication_role = replica; {change.format(table)}"

    async def as_replica() -> None:
        connection = await asyncpg.connect(dsn)
        try:
            await connection.execute(replica)
        finally:
            await connection.close()

    with pytest.raises(asyncpg.RestrictViolationError):
        asyncio.run(as_replica())


def test_a_ledger_travels_as_a_description(ledger: PostgresLedger) -> None:
    ledger.ping()
    twin = pickle.loads(pickle.dumps(ledger))
    ledger.journal_intent(twin.take_epoch(), an_intent())
    assert twin.orders() == ledger.orders()
    assert "postgresql" not in repr(ledger)
    twin.close()


def test_a_ledger_that_is_away_says_so(tmp_path: object) -> None:
    away = PostgresLedger(f"postgresql://u:p@/postgres?host={tmp_path}&port=5", "s", timeout_s=1)
    with pytest.raises(LedgerDown, match="asking the ledger"):
        away.ping()
    away.close()


def test_a_lost_connection_is_made_anew(ledger: PostgresLedger, dsn: str) -> None:
    epoch = ledger.take_epoch()
    rows(dsn, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'vikalp-ledger'")
    deadline = time.monotonic() + 10
    while True:
        try:
            ledger.ping()
            break
        except LedgerDown:
            assert time.monotonic() < deadline
    ledger.journal_intent(epoch, an_intent())
    assert len(ledger.orders()) == 1


WORDS = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=20)
PAISE = st.integers(-(2**62), 2**62)
POSITIVE = st.integers(0, 2**62)
PRICE = st.floats(allow_nan=False, allow_infinity=False)
INTENTS = st.builds(
    Intent,
    tag=st.from_regex(r"\A[A-Z0-9]{1,20}\Z"),
    strategy=WORDS,
    index=WORDS,
    symbol=WORDS,
    side=st.sampled_from(["BUY", "SELL"]),
    quantity=POSITIVE,
    order_type=st.sampled_from(["LIMIT", "MARKET"]),
    limit_paise=POSITIVE,
    product=st.sampled_from(["NRML", "MIS"]),
    purpose=st.sampled_from(["entry", "hedge", "exit"]),
    reason=WORDS,
    created_ns=st.integers(0, 2**61),
)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_records_come_back_exactly_as_they_went_in(make_ledger: MakeLedger, data: st.DataObject, dsn: str) -> None:
    intent = data.draw(INTENTS)
    rest = {"broker_id": WORDS, "filled_quantity": POSITIVE, "average_paise": PRICE, "message": WORDS}
    order = data.draw(
        st.builds(Order, intent=st.just(intent), state=st.just("OPEN"), updated_ns=st.integers(0, 2**61), **rest)
    )
    fill = data.draw(
        st.builds(
            Fill,
            trade_id=WORDS,
            tag=st.just(intent.tag),
            side=st.just(intent.side),
            strategy=WORDS,
            index=WORDS,
            symbol=WORDS,
            quantity=POSITIVE,
            price_paise=POSITIVE,
            at_ns=st.integers(0, 2**61),
        )
    )
    money = {f"{name}_paise": PAISE for name in ("last", "realised", "unrealised", "charges")}
    position = data.draw(st.builds(Position, symbol=WORDS, index=WORDS, quantity=PAISE, average_paise=PRICE, **money))
    session = f"property-{time.monotonic_ns()}"
    ledger = PostgresLedger(dsn, session)
    epoch = ledger.take_epoch()
    ledger.journal_intent(epoch, intent)
    ledger.record_fill(epoch, fill, order, position)
    assert (ledger.orders(), ledger.fills(), ledger.positions()) == ([order], [fill], [position])
    ledger.close()
    store = PostgresBrokerStore(dsn, session)
    store.save(order, [fill])
    store.save(order, [fill])
    assert store.load() == ([order], [fill])
    store.close()


def test_migrating_again_changes_nothing(dsn: str) -> None:
    assert migrate(dsn) == migrate(dsn) == len(list(FOLDER.glob("*.sql")))


def test_a_newer_or_altered_database_is_refused(dsn: str, tmp_path: object) -> None:
    files = sorted(FOLDER.glob("*.sql"))
    folder = tmp_path  # a release that knows less
    (folder / files[0].name).write_text(files[0].read_text())
    with pytest.raises(ConfigError, match="install the newer release"):
        migrate(dsn, folder=folder)
    for path in files:
        (folder / path.name).write_text(path.read_text() + "-- changed\n")
    with pytest.raises(ConfigError, match="altered after it was applied"):
        migrate(dsn, folder=folder)
    with pytest.raises(ConfigError, match="without a gap"):
        (folder / "0099_late.sql").write_text("SELECT 1")
        migrate(dsn, folder=folder)


def test_the_newest_word_of_a_scope_decides_about_the_kill_switch_in_every_session(dsn: str) -> None:
    friday = PostgresLedger(dsn, "friday", scope="account")
    assert friday.kill_switch() is None
    pulled = Kill(pulled=True, who="asha", why="fat finger", square_off=True, at_ns=5)
    friday.record_kill(pulled)
    monday = PostgresLedger(dsn, "monday", scope="account")
    assert monday.kill_switch() == pulled
    assert PostgresLedger(dsn, "monday", scope="another account").kill_switch() is None
    released = Kill(pulled=False, who="asha", why="looked into it", at_ns=6)
    monday.record_kill(released)
    assert friday.kill_switch() == released
    assert (friday.kills(0), friday.kills(6)) == ([pulled], [])
    assert monday.kills(6) == [released]
