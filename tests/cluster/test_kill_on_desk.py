"""The circuit breaker's states and every trigger of the kill switch, through a running desk.

    CLOSED → OPEN → HALF_OPEN → OPEN → HALF_OPEN → CLOSED, 3 timeouts    the_breaker_opens
    5 failures, 20 % of a minute's orders                                tests/cluster/test_limits_on_desk.py
    command · file · API                                                 a_command · the_file · the_api
    page, held                                                           tests/e2e/test_desk_page.py
    a person, positions squared off                                      a_person
    another desk of the account                                          another_desk
    daily_loss, drawdown                                                 a_breached_limit
    broker, ledger gone                                                  a_broker, a_ledger
    an actor given up                                                    an_actor

One desk, in this order: the first test needs a day that has earned little, the last leaves it without its feed.
"""

import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest
import requests

from cluster.attach import Desk
from cluster.desk import kill_scope
from cluster.lifecycle import DrainError
from cluster.running import running_desk
from cluster.state import DeskState, kill_path
from core.records import Kill, Order
from core.schemas import Kind
from storage.ledger import PostgresLedger
from tests.cluster.conftest import until
from tests.cluster.orders_on_desk import call_spread, emptied, lot_of, order, taken
from tests.cluster.whole_desk import (
    ROOMY,
    exchange_book,
    fault,
    fault_over,
    near_the_money,
    own_desk,
    row,
    trading,
    try_,
)

pytestmark = [pytest.mark.cluster, pytest.mark.long, pytest.mark.timeout(400)]
OPEN_S, GONE_S, PATIENCE_S = 8.0, 3.0, 40.0  # a busy machine has time to meet an open breaker
SETTINGS = {
    "indices": ["NIFTY"], "market.seed": 13, "ray.object_store_mb": 100, "ray.cpus": 2, **ROOMY,
    "oms.budget.orders_a_minute": 300, "risk.limits.trades_per_day.max_manual": 1_000,
    "oms.breaker.least_orders": 1_000,  # three timeouts alone open it here
    "oms.breaker.open_ms": int(OPEN_S * 1000), "oms.kill.ledger_gone_s": GONE_S, "oms.kill.broker_gone_s": GONE_S,
}  # fmt: skip


@pytest.fixture(scope="module")
def state() -> Iterator[DeskState]:
    with suppress(DrainError), own_desk(SETTINGS) as made:  # the last test leaves a feed that is given up
        yield made


@pytest.fixture(scope="module")
def desk(state: DeskState) -> Desk:
    return trading(state)


def entry(desk: Desk) -> Order:
    contract, lot = near_the_money(desk), desk.expiries("NIFTY").to_pylist()[0]["lot"]
    tag = f"K{uuid.uuid4().hex[:15].upper()}"  # asked for until somebody answers: one order, however often
    return until(
        lambda: try_(lambda: desk.place(contract["symbol"], "BUY", lot, tag=tag)), within_s=PATIENCE_S, what="an answer"
    )


def said(desk: Desk, words: str) -> Any:
    found = try_(desk.status)
    return found and any(words in alert.message for alert in found.alerts)


def killed(desk: Desk) -> Kill:
    """The kill switch, once it is pulled; an entry is refused by it."""
    kill: Kill = until(lambda: try_(desk.client.killed), within_s=PATIENCE_S, what="the kill switch is pulled")
    answer = entry(desk)
    assert answer.state == "REFUSED"
    assert "kill switch is pulled" in answer.message
    return kill


def released(desk: Desk) -> None:
    """A person lets go and resumes, and the desk trades; what is still gone pulls it again, and is let go again."""

    def active() -> bool:
        try_(lambda: desk.client.release("the test has seen it", "a test"))
        return bool(try_(desk.client.resume) == "ACTIVE")

    until(active, within_s=PATIENCE_S, what="ACTIVE", every_s=1.0)
    trades(desk)


def trades(desk: Desk) -> None:
    taken = {"OPEN", "COMPLETE"}
    until(lambda: entry(desk).state in taken, within_s=PATIENCE_S, what="an entry is taken", every_s=1.0)


@pytest.mark.parametrize(
    ("setting", "usual"), [("daily_loss.max_loss_paise", 2_500_000), ("drawdown.max_paise", 3_000_000)]
)
def test_a_breached_limit_pulls_it_and_closes_what_is_held(
    state: DeskState, desk: Desk, setting: str, usual: int
) -> None:
    desk.client.set_limits({setting: 1}, "a test", "to breach it")

    def lost() -> Any:
        """There and back costs spread and charges, so that what the day has earned is gone soon; something is held."""
        try_(lambda: desk.client.exit_all("there and back"))
        try_(lambda: order(desk, quantity=5 * lot_of(desk)))
        return try_(desk.client.killed)

    until(lost, within_s=2 * PATIENCE_S, what="the loss", every_s=0.5)
    kill = killed(desk)
    assert (kill.who, kill.square_off) == ("risk", True)
    assert kill.why.startswith(setting.partition(".")[0])
    until(lambda: flat(state, desk), within_s=PATIENCE_S, what="everything is closed", every_s=0.5)
    desk.client.set_limits({setting: usual}, "a test", "breached")
    released(desk)


def test_the_breaker_opens_lets_a_probe_through_opens_again_and_closes(state: DeskState, desk: Desk) -> None:
    """Orders are taken, and nobody hears of it; the book can be read, so that they are found."""
    fault(state, "accept_then_timeout", seconds=600)
    answers = [entry(desk).state for _ in range(3)]
    refused = entry(desk)
    assert (answers, refused.state) == (["UNKNOWN"] * 3, "REFUSED")
    assert "3 orders in a row were not answered" in refused.message
    until(lambda: entry(desk).state == "UNKNOWN", within_s=PATIENCE_S, what="a probe goes out", every_s=0.5)
    again = entry(desk)
    assert (again.state, "the probe was not answered" in again.message) == ("REFUSED", True)
    fault_over(state, "accept_then_timeout")
    trades(desk)
    until(lambda: said(desk, "the circuit breaker is CLOSED after HALF_OPEN"), within_s=PATIENCE_S, what="it says so")
    assert all(one.state != "UNKNOWN" for one in desk.orders()), "found by their tags"


def test_a_command_pulls_it_and_a_command_releases_it(state: DeskState, desk: Desk) -> None:
    def run(*words: str) -> str:
        made = subprocess.run(
            [sys.executable, "-m", "cluster.cli.main", *words, "--desk", str(state.desk)],
            capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        assert made.returncode == 0, made.stdout + made.stderr
        return made.stdout

    run("kill", "a drill by command")
    assert "a drill by command" in killed(desk).why
    assert [one for one in desk.orders() if one.state == "OPEN"] == []
    run("release", "seen", "--yes")
    assert desk.client.killed() is None
    released(desk)


def test_the_file_alone_pulls_it(state: DeskState, desk: Desk) -> None:
    kill_path(state.desk).write_text("a drill by file\n")
    kill = killed(desk)
    assert (kill.who, kill.why) == ("the kill file", "a drill by file")
    released(desk)
    assert not kill_path(state.desk).exists()


def test_the_api_pulls_it_and_it_outlives_the_order_manager(state: DeskState, desk: Desk) -> None:
    token = Path(state.token_path).read_text().strip()
    answer = requests.post(
        f"{state.page_url}/api/kill", json={"why": "a drill by the API", "square_off": False},
        headers={"Authorization": f"Bearer {token}"}, timeout=10,
    )  # fmt: skip
    assert answer.status_code == 200, answer.text
    assert killed(desk).why == "a drill by the API"
    order_manager_dies(desk)
    assert killed(desk).why == "a drill by the API"
    released(desk)


def order_manager_dies(desk: Desk) -> None:
    """By SIGKILL; the next one is there afterwards."""
    before = until(lambda: row(desk, "oms"), within_s=PATIENCE_S, what="oms")
    os.kill(before.pid, signal.SIGKILL)
    until(
        lambda: (now := row(desk, "oms")) and now.state == "READY" and now.pid != before.pid, within_s=PATIENCE_S,
        what="the order manager is back",
    )  # fmt: skip


def test_a_person_pulls_it_and_nothing_is_held_any_more_shorts_first(state: DeskState, desk: Desk) -> None:
    """Nothing else is held at first: another long would cover the short too, and the wing could go at once."""
    emptied(desk)
    short, wing = call_spread(desk, "spread")
    bid = near_the_money(desk, Kind.PUT)  # a call that filled would cover the short too
    rests = taken(desk, symbol=bid["symbol"], limit_paise=bid["bid_paise"] * 96 // 100 // 5 * 5).intent.tag
    known = {one["order_id"] for one in exchange_book(state)["orders"]}
    assert desk.kill("all out", square_off=True).square_off
    until(lambda: flat(state, desk), within_s=PATIENCE_S, what="nothing is held, here and at the exchange", every_s=0.5)

    sent = [one for one in exchange_book(state)["orders"] if one["order_id"] not in known]
    back = [int(one["order_id"]) for one in sent if (one["symbol"], one["side"]) == (short, "BUY")]
    sold = [int(one["order_id"]) for one in sent if (one["symbol"], one["side"]) == (wing, "SELL")]
    assert back, "the short was bought back"
    assert sold, "its wing was sold"
    assert max(back) < min(sold), "the short was bought back before its wing was sold"
    over = {"CANCELLED", "COMPLETE"}
    until(
        lambda: next(one.state for one in desk.orders() if one.intent.tag == rests) in over, within_s=PATIENCE_S,
        what="what rested is over",
    )  # fmt: skip
    order_manager_dies(desk)
    assert killed(desk).why == "all out"
    assert desk.client.state() == "HALTED"
    assert flat(state, desk)
    released(desk)


def flat(state: DeskState, desk: Desk) -> bool:
    """Nothing is held, by the desk's books and by the exchange's."""
    here = try_(desk.positions)
    if here is None:
        return False
    (account,) = exchange_book(state)["users"].values()
    there = [one["overnight"] + one["bought"] - one["sold"] for one in account["positions"]]
    return not any([*(one.quantity for one in here), *there])


def test_another_desk_of_the_account_pulls_it_and_lets_go_here_too(state: DeskState, desk: Desk) -> None:
    """That desk's row in the ledger is all that this one sees of it."""
    pulled = Kill(pulled=True, who="asha, elsewhere", why="a drill over there", at_ns=desk.status().market_ns)
    scope = kill_scope(running_desk(state))
    with closing(PostgresLedger(state.dsn, state.session_id, scope=scope)) as ledger:
        ledger.record_kill(pulled)
        assert killed(desk).who == "asha, elsewhere"
        until(lambda: said(desk, "KILL SWITCH of this account"), within_s=PATIENCE_S, what="it says so")
        ledger.record_kill(msgspec.structs.replace(pulled, pulled=False, why="seen", at_ns=desk.status().market_ns))
        until(lambda: desk.client.killed() is None, within_s=PATIENCE_S, what="it is let go")
    assert desk.client.state() == "HALTED"
    released(desk)


def test_a_broker_that_is_gone_too_long_pulls_it(state: DeskState, desk: Desk) -> None:
    fault(state, "unavailable", seconds=GONE_S + 6)
    gone(desk, "broker")


def test_a_ledger_that_is_gone_too_long_pulls_it(state: DeskState, desk: Desk) -> None:
    stopped = [one for one in psutil.process_iter() if _is_postgres_of(one, state)]
    assert stopped, "the desk's own PostgreSQL"
    try:
        for one in stopped:
            one.suspend()
        kill: Kill = until(lambda: try_(desk.client.killed), within_s=PATIENCE_S, what="the kill switch is pulled")
    finally:
        for one in stopped:
            with suppress(psutil.NoSuchProcess):
                one.resume()
    assert "the ledger is gone" in kill.why
    gone(desk, "ledger")


def gone(desk: Desk, what: str) -> None:
    """Pulled by the order manager itself; whoever comes back does so by itself, and a person lets go."""
    kill: Kill = until(lambda: try_(desk.client.killed), within_s=PATIENCE_S, what="the kill switch is pulled")
    assert (kill.who, f"the {what} is gone" in kill.why) == ("the order manager", True), kill
    released(desk)


def _is_postgres_of(process: psutil.Process, state: DeskState) -> bool:
    try:
        return process.name() == "postgres" and state.data_dir in (process.cwd() or "")
    except psutil.Error:
        return False


def test_an_actor_that_is_given_up_pulls_it(desk: Desk) -> None:
    pids: set[int] = set()

    def dies_again() -> bool:
        now = row(desk, "feed.NIFTY")
        if now is None or now.state == "QUARANTINED":
            return now is not None
        if now.pid and now.pid not in pids:
            pids.add(now.pid)
            with suppress(ProcessLookupError):
                os.kill(now.pid, signal.SIGKILL)
        return False

    until(dies_again, within_s=120, what="the feed is QUARANTINED", every_s=0.2)
    kill = killed(desk)
    assert (kill.who, "feed.NIFTY is QUARANTINED" in kill.why) == ("the supervisor", True)
