"""A ledger proves itself, and a row that a superuser has altered, removed or put in is found and named."""

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.errors import InputError, LedgerDown, LedgerFenced
from core.records import Alert
from storage.ledger import PostgresLedger, migrate
from storage.ledger.migrate import FOLDER
from storage.ledger.verify import Problem, Verified, verify
from storage.postgres import PostgresServer
from tests.unit.storage.attacks import FACTS, KEYS, STATES, alter, behind_the_desk_s_back, fill_in, put_in, run
from tests.unit.storage.conftest import free_port
from tests.unit.storage.test_ledger import an_intent

MakeLedger = Callable[..., PostgresLedger]


@pytest.fixture
def session(ledger: PostgresLedger, dsn: str) -> str:
    fill_in(ledger, dsn)
    return ledger._session


def one(dsn: str, session: str, **more: str) -> Verified:
    report = verify(dsn, session=session, **more)
    assert report.unguarded == ()
    return report.sessions[0]


def problem(dsn: str, session: str) -> Problem:
    found = one(dsn, session).problem
    assert found is not None
    return found


def test_a_ledger_as_it_was_written_is_whole(dsn: str, session: str) -> None:
    found = one(dsn, session)
    (head,) = run(dsn, """SELECT "offset" AS n, hash FROM chain_heads WHERE session_id = $1""", session)
    assert found.problem is None
    assert (found.events, found.head) == (head["n"], head["hash"].hex())
    ledger_now = verify(dsn, session=session, head=found.head)
    assert (ledger_now.noted_at, ledger_now.whole) == (f"event {found.events} of {session}", True)
    told = {row["fact"] for row in run(dsn, "SELECT DISTINCT fact FROM events WHERE session_id = $1", session)}
    kept = {row["fact"]: row["relation"] for row in run(dsn, "SELECT fact, relation FROM chained WHERE NOT retired")}
    assert {kept[fact] for fact in told} == {*FACTS, *STATES, "sessions"}


@pytest.mark.parametrize("table", FACTS)
def test_a_fact_that_a_superuser_alters_is_named(dsn: str, session: str, table: str) -> None:
    behind_the_desk_s_back(dsn, table, alter(table, FACTS[table]), session)
    found = problem(dsn, session)
    assert (found.what, found.where.split()[:2]) == ("altered", [table, "seq"])
    assert found.expected != found.found
    assert {found.expected.split()[0], found.found.split()[0]} == {FACTS[table]}


@pytest.mark.parametrize("table", STATES)
def test_a_state_that_a_superuser_alters_is_named(dsn: str, session: str, table: str) -> None:
    behind_the_desk_s_back(dsn, table, alter(table, STATES[table]), session)
    found = problem(dsn, session)
    assert (found.what, found.where.split()[:2]) == ("altered", [table, KEYS[table]] if table in KEYS else [table])
    assert {found.expected.split()[0], found.found.split()[0]} == {STATES[table]}


@pytest.mark.parametrize("table", [*FACTS, *KEYS])
def test_a_row_that_a_superuser_removes_is_named(dsn: str, session: str, table: str) -> None:
    behind_the_desk_s_back(dsn, table, f"DELETE FROM {table} WHERE session_id = $1", session)
    found = problem(dsn, session)
    assert (found.what, found.where.split()[0], found.found) == ("missing", table, "no such row")


@pytest.mark.parametrize("table", [*FACTS, *KEYS])
def test_a_row_that_a_superuser_puts_in_is_named(dsn: str, session: str, table: str) -> None:
    behind_the_desk_s_back(dsn, table, put_in(dsn, table), session)
    found = problem(dsn, session)
    assert (found.what, found.where.split()[0]) == ("inserted", table)
    assert found.expected == "no such row, as no event tells of it"
    assert "FORGED" in found.found or "999999" in found.found or "2020-01-01" in found.found


def test_a_row_put_in_with_the_triggers_on_is_in_the_chain_as_its_writer_s(dsn: str, session: str) -> None:
    run(dsn, "INSERT INTO system_alerts (session_id, at_wall_ns, severity, subject, message) "
             "VALUES ($1, 1, 'info', 'x', 'all is well')", session)  # fmt: skip
    (event,) = run(
        dsn, """SELECT writer, topic FROM events WHERE session_id = $1 ORDER BY "offset" DESC LIMIT 1""", session
    )
    assert one(dsn, session).problem is None
    assert tuple(event) == ("vikalp", "system.alerts")


NINTH = """WHERE session_id = $1 AND "offset" = 9"""
BROKEN = {
    "altered": (f"""UPDATE events SET body = body || '{{"message": "x"}}' {NINTH}""", "event 9 ("),
    "missing": (f"DELETE FROM events {NINTH}", "event 9"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_break_in_the_chain_itself_is_the_first_problem(dsn: str, session: str, what: str) -> None:
    sql, where = BROKEN[what]
    behind_the_desk_s_back(dsn, "events", sql, session)
    found = problem(dsn, session)
    assert (found.what, found.offset) == (what, 9)
    assert found.where.startswith(where)


REHASHED = f"""UPDATE events SET topic = 'x', hash = sha256(previous || convert_to(jsonb_build_array(session_id,
    "offset", 'x', fact, key, at_ns, recorded_wall_ns, writer, body)::text, 'UTF8')) {NINTH}"""


def test_an_event_rewritten_with_its_hash_does_not_fit_the_next(dsn: str, session: str) -> None:
    behind_the_desk_s_back(dsn, "events", REHASHED, session)
    found = problem(dsn, session)
    assert (found.what, found.offset) == ("altered", 9)
    assert "which event 10 carries as the hash before it" in found.expected


def test_the_last_events_removed_are_missed_by_the_head(dsn: str, session: str) -> None:
    last = one(dsn, session).events
    behind_the_desk_s_back(
        dsn, "events", f'DELETE FROM events WHERE session_id = $1 AND "offset" > {last - 2}', session
    )
    found = problem(dsn, session)
    assert (found.what, found.where) == ("missing", f"events {last - 1} to {last}")


def test_a_head_set_back_with_the_rows_is_found_by_a_hash_kept_elsewhere(dsn: str, session: str) -> None:
    kept = one(dsn, session)
    cut = kept.events - 1
    last = "DELETE FROM audit_log WHERE seq = (SELECT max(seq) FROM audit_log WHERE session_id = $1)"
    behind_the_desk_s_back(dsn, "audit_log", last, session)
    behind_the_desk_s_back(dsn, "events", f'DELETE FROM events WHERE session_id = $1 AND "offset" > {cut}', session)
    back = f"""UPDATE chain_heads h SET "offset" = {cut}, hash = e.hash FROM events e
        WHERE h.session_id = $1 AND e.session_id = $1 AND e."offset" = {cut}"""
    behind_the_desk_s_back(dsn, "chain_heads", back, session)

    assert one(dsn, session).problem is None, "who alters rows, events and head alike is not seen without the hash"
    report = verify(dsn, session=session, head=kept.head)
    assert (report.noted, report.whole) == (False, False)


def test_a_head_that_is_gone_or_wrong_is_named(dsn: str, session: str) -> None:
    behind_the_desk_s_back(
        dsn, "chain_heads", "UPDATE chain_heads SET hash = sha256('x') WHERE session_id = $1", session
    )
    assert problem(dsn, session).where == "the chain's head or last event"
    behind_the_desk_s_back(dsn, "chain_heads", "DELETE FROM chain_heads WHERE session_id = $1", session)
    assert problem(dsn, session).where == "the chain's head"


def test_a_trigger_left_off_is_told(dsn: str, session: str) -> None:
    run(dsn, "ALTER TABLE fills DISABLE TRIGGER append_only")
    run(dsn, "ALTER TABLE orders DISABLE TRIGGER chain")
    try:
        report = verify(dsn, session=session)
        assert (report.unguarded, report.whole) == (("append_only of fills", "chain of orders"), False)
    finally:
        run(dsn, "ALTER TABLE fills ENABLE ALWAYS TRIGGER append_only")
        run(dsn, "ALTER TABLE orders ENABLE TRIGGER chain")
    assert verify(dsn, session=session).whole


def test_words_for_what_is_not_there(dsn: str, session: str) -> None:
    with pytest.raises(InputError, match="no session 'nowhere' in this ledger"):
        verify(dsn, session="nowhere")
    with pytest.raises(InputError, match="64 hexadecimal digits"):
        verify(dsn, session=session, head="xyz")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"])), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(detail=st.dictionaries(st.sampled_from(["a", "bb", "ä"]), JSON), text=st.text(
    st.characters(exclude_characters="\x00", exclude_categories=["Cs"])))  # fmt: skip
def test_whatever_is_written_hashes_alike_here_and_there(
    ledger: PostgresLedger, dsn: str, detail: dict[str, object], text: str
) -> None:
    ledger.audit(text, text, detail)
    ledger.record_alert(Alert(at_wall_ns=2**62, severity="info", subject=text, message=text))
    assert one(dsn, ledger._session).problem is None


def test_server_settings_change_no_hash(server: PostgresServer, dsn: str, make_ledger: MakeLedger) -> None:
    run(dsn, "ALTER ROLE vikalp SET TimeZone = 'Asia/Kolkata'")
    run(dsn, "ALTER ROLE vikalp SET extra_float_digits = -3")
    run(dsn, "ALTER ROLE vikalp SET DateStyle = 'German'")
    try:
        ledger = make_ledger()
        fill_in(ledger, dsn)
        assert one(dsn, ledger._session).problem is None
    finally:
        run(dsn, "ALTER ROLE vikalp RESET ALL")
    assert one(dsn, ledger._session).problem is None


def test_many_writers_of_one_session_make_one_chain(make_ledger: MakeLedger, dsn: str) -> None:
    """Two order managers that take the epoch from each other, a person, risk and the supervisor, all at once."""
    failures: list[BaseException] = []
    made = make_ledger()
    made.take_epoch()

    def write(number: int) -> None:
        ledger = make_ledger()
        try:
            for turn in range(15):
                if number < 2:
                    epoch = ledger.take_epoch()
                    with contextlib.suppress(LedgerFenced):
                        ledger.journal_intent(epoch, an_intent(f"W{number}T{turn}"))
                        ledger.record_standing(epoch, "ACTIVE", f"{number} {turn}")
                elif number == 2:
                    ledger.record_daily_pnl("2026-11-20", turn, 1)
                else:
                    ledger.record_alert(Alert(at_wall_ns=1, severity="info", subject=str(number), message=str(turn)))
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert one(dsn, made._session).problem is None


def test_killed_while_several_write_the_chain_holds(place: Path) -> None:
    server = PostgresServer(place / "data", place / "run", free_port())
    server.start()
    migrate(server.dsn)
    counts, enough = [0, 0, 0], threading.Event()

    def write(number: int) -> None:
        ledger = PostgresLedger(server.dsn, "s")
        try:
            epoch = ledger.take_epoch() if number == 0 else 0
            while True:
                if number == 0:
                    ledger.journal_intent(epoch, an_intent(f"T{counts[0]}"))
                else:
                    ledger.audit("risk", "look", {"turn": counts[number]})
                counts[number] += 1
                if min(counts) >= 20:
                    enough.set()
        except LedgerDown:
            ledger.close()

    threads = [threading.Thread(target=write, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    assert enough.wait(60)
    os.kill(server.pid, signal.SIGKILL)
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    began = time.monotonic()
    server.start()
    assert time.monotonic() - began < 15
    found = one(server.dsn, "s")
    audits = run(server.dsn, "SELECT count(*) AS n FROM audit_log WHERE action = 'look'")[0]["n"]
    server.stop()
    assert found.problem is None
    assert counts[1] + counts[2] <= audits <= counts[1] + counts[2] + 2


def test_what_a_ledger_held_before_the_chain_is_chained_as_it_was_found(server: PostgresServer, tmp_path: Path) -> None:
    for path in sorted(FOLDER.glob("000[1-5]_*.sql")):
        (tmp_path / path.name).write_text(path.read_text())
    run(server.dsn, "CREATE DATABASE old")
    dsn = server.dsn.replace("/postgres?", "/old?")
    migrate(dsn, folder=tmp_path)
    run(dsn, "INSERT INTO sessions VALUES ('s', '2026-11-20 09:15:00+05:30')")
    for tag in ("A2", "A1"):
        intent = """INSERT INTO intents (session_id, tag, strategy, index, symbol, side, quantity, order_type,
            limit_paise, product, purpose, reason, created_ns)
            VALUES ('s', $1, 'manual', 'NIFTY', 'X', 'BUY', 65, 'LIMIT', 5, 'NRML', 'entry', '', 7)"""
        run(dsn, intent, tag)
    run(dsn, "INSERT INTO orders VALUES ('s', 'A1', 'OPEN', 'B1', 0, 0.1, '', 8)")

    migrate(dsn)
    PostgresLedger(dsn, "s").take_epoch()

    found = one(dsn, "s")
    told = run(dsn, """SELECT topic, key FROM events ORDER BY "offset" """)
    assert found.problem is None
    assert [tuple(row) for row in told][:4] == [
        ("ledger.sessions", ""), ("orders.submitted", "A2"), ("orders.submitted", "A1"), ("ledger.orders", "A1"),
    ]  # fmt: skip
    behind_the_desk_s_back(dsn, "intents", "UPDATE intents SET quantity = 650 WHERE tag = $1", "A1")
    assert problem(dsn, "s").found == "quantity 650"


def test_every_table_of_a_session_is_in_the_chain(dsn: str) -> None:
    """A new table's migration calls keep_facts or keep_state; a broker's own book is no fact of the desk."""
    sql = """SELECT table_name FROM information_schema.columns WHERE column_name = 'session_id'
        AND table_schema = 'public' AND table_name NOT IN (SELECT relation FROM chained WHERE NOT retired)"""
    assert {row["table_name"] for row in run(dsn, sql)} == {"events", "chain_heads", "paper_orders", "paper_fills"}


def test_a_table_whose_key_changes_begins_again_in_the_chain(server: PostgresServer) -> None:
    run(server.dsn, "CREATE DATABASE rekeyed")
    dsn = server.dsn.replace("/postgres?", "/rekeyed?")
    migrate(dsn)
    ledger = PostgresLedger(dsn, "s")
    fill_in(ledger, dsn)
    run(dsn, "SELECT keep_state('daily_pnl', 'ledger.daily_pnl', 'date', 'charges_paise')")
    assert one(dsn, "s").problem is None
    assert run(dsn, "SELECT fact FROM chained WHERE relation = 'daily_pnl' AND NOT retired")[0][0] == "daily_pnl.2"
    run(dsn, "SELECT keep_facts('system_alerts', 'system.alerts', 'subject')")
    topics = [event.topic for event in ledger.events(0) if event.key == "ledger"]
    assert topics == ["system.alerts", "ledger.system_alerts"], "what is chained again is no news"
    behind_the_desk_s_back(dsn, "daily_pnl", "UPDATE daily_pnl SET gross_paise = 1 WHERE session_id = $1", "s")
    assert problem(dsn, "s").what == "altered"
    run(dsn, "DELETE FROM chained WHERE relation = 'daily_pnl'")
    assert problem(dsn, "s").where == "table daily_pnl"
    ledger.close()
