"""The process of an order manager ends at every point of an order's path, whatever the broker answers.

The real KiteBroker over HTTP against the local exchange, the real order manager; what outlives the process is a ledger
that keeps what was committed. `-s` prints every point with every answer; `python -m tests.unit.orders.walk` walks all.
"""

from collections.abc import Callable
from contextlib import suppress

import pytest

from brokers.kite.broker import KiteBroker
from core.records import Intent
from exchange.server import orders
from tests.unit.orders.answers import ANSWERS, Answered
from tests.unit.orders.lives import LATE_S, Account
from tests.unit.orders.points import MARKS, Crash, Trap
from tests.unit.orders.walk import PATHS, Walk, enter, fills, pairs, rests

START = ("ledger.take_epoch", "risk.settle")
SENT = ("risk.check", "ledger.journal_intent", "broker.place", "ledger.record_order")
FILLED = ("ledger.record_fill", "risk.book", "risk.release")
WAITED = ("risk.settle",) * 3  # every 10 s
BACK = ("broker.cancel", "ledger.record_order", "risk.release")
CHANGE = ("risk.check", "ledger.record_order", "broker.modify")  # counted before it is asked for
# What each path passes where nothing goes wrong, in this order, each of them before and after.
PASSED: dict[str, tuple[str, ...]] = {
    "an order that fills": (*START, *SENT, *FILLED),
    "an order that rests": (*START, *SENT, *WAITED),
    "an order that fills in part": (*START, *SENT, *FILLED[:2], *WAITED),
    "the cancel of one that rests": (*START, *BACK),
    "the cancel of one filled in part": (*START, *BACK),
    "the modification of one that rests": (*START, *CHANGE, "ledger.record_order", "risk.rests"),
    "a modification by which it fills": (*START, *CHANGE, "risk.rests", "ledger.record_order", "risk.rests", *FILLED),
    "exit_all, and its sale": (*START, *BACK, *SENT, *FILLED),
    "exit_all, and its cancel": (*START, *BACK, *SENT, *FILLED),
    "an order that risk refuses": (*START, "risk.check", "ledger.record_refusal"),
}
ELSEWHERE = {
    "ledger.record_settlement": "at an expiry, which is no part of an order's path",
    "ledger.record_standing": "what a person wants of the order manager",
    "ledger.record_risk_event": "an order that turns up after it was given up: below",
}
UNSURE = ("ACK", "timeout, taken", "502 before it was taken", "timeout, 90 s late in the book")


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.name)
def test_a_path_passes_the_points_that_are_listed(served: Answered, path: object) -> None:
    sides = [f"{mark} {side}" for mark in PASSED[path.name] for side in ("before", "after")]  # type: ignore[attr-defined]
    assert Walk(served, path).whole() == sides  # type: ignore[arg-type]


def test_every_mark_there_is_lies_on_a_path_or_is_named_as_lying_elsewhere() -> None:
    every = {f"{port}.{method}" for port, methods in MARKS.items() for method in methods}
    assert every - ELSEWHERE.keys() == {mark for passed in PASSED.values() for mark in passed} | {"ledger.record_alert"}
    assert set(PASSED) == {path.name for path in PATHS}


@pytest.mark.parametrize("name", ANSWERS)
def test_an_order_whose_process_ends_at_any_point_is_sent_once_and_known_for_what_it_is(
    served: Answered, name: str
) -> None:
    """Before it is sent no answer matters, so those points are walked with one of them."""
    walk = Walk(served, PATHS[0], name)
    for number, point in enumerate(walk.crashes(since="" if name == "ACK" else "broker.place after"), 1):
        print(f"{PATHS[0].name}, {name}: {number:2} {point}")


@pytest.mark.parametrize("path", PATHS[1:-1], ids=lambda path: path.name)
def test_so_is_every_other_order_at_each_point_and_with_each_answer(served: Answered, path: object) -> None:
    """Every point with one of the answers, and every answer at one of the points; `walk` does all of both."""
    for walk, at in pairs([Walk(served, path, name) for name in ANSWERS]):  # type: ignore[arg-type]
        print(f"{walk.path.name}, {walk.name}: {at:2} {walk.crash(at)}")


def test_a_refusal_is_kept_or_made_anew(served: Answered) -> None:
    for point in Walk(served, PATHS[-1]).crashes():
        print(f"{PATHS[-1].name}: {point}")


@pytest.mark.parametrize("name", UNSURE)
def test_a_recovery_that_ends_at_any_of_its_own_points_is_begun_again(served: Answered, name: str) -> None:
    tried = list(Walk(served, PATHS[0], name).crashes_of_recovery("broker.place after"))
    print(*(f"{PATHS[0].name}, {name}, then in recovery: {point}" for point in tried), sep="\n")
    assert {"ledger.take_epoch before", "ledger.record_order after", "risk.settle after"} <= set(tried)


def test_the_judge_sees_an_order_that_was_given_up_too_early(served: Answered, monkeypatch: pytest.MonkeyPatch) -> None:
    """That nothing is found is worth what the judge is: a broker believed to list every order within a second."""
    monkeypatch.setattr(KiteBroker, "unlisted_ms", 1_000)
    with pytest.raises(AssertionError):
        Walk(served, PATHS[0], "timeout, 90 s late in the book").whole()


def test_the_judge_sees_an_order_that_is_sent_again(served: Answered, monkeypatch: pytest.MonkeyPatch) -> None:
    place = KiteBroker.place
    monkeypatch.setattr(KiteBroker, "place", lambda self, intent: (place(self, intent), place(self, intent))[1])
    with pytest.raises(AssertionError, match="twice"):
        Walk(served, PATHS[0], "ACK").whole()


@pytest.mark.parametrize("make", [fills, rests])
def test_one_that_turns_up_after_it_was_given_up_is_taken_back_or_counted_wherever_the_process_ends(
    served: Answered, monkeypatch: pytest.MonkeyPatch, make: Callable[[Answered, str], Intent]
) -> None:
    """Later than any broker is believed to list an order: then it is cancelled, or counted once with a risk event."""
    monkeypatch.setattr(orders, "LATE_S", 10 * LATE_S)
    filled, at, passed, seen = make is fills, 0, [""], set[str]()
    while len(passed) >= at:
        at += 1
        account = Account(served)
        intent = given_up(account, make)
        trap = Trap(at)
        with suppress(Crash):
            account.start(trap)
            account.later()
        account.recover()
        passed, mine, (theirs,) = trap.passed, account.orders()[intent.tag], account.taken()
        seen |= set(passed[:at])
        told = {event.kind for kind, event in account.ledger.events if kind == "risk"}
        units = intent.quantity if filled else 0
        assert (str(theirs.status), theirs.filled) == ("COMPLETE" if filled else "CANCELLED", units)
        assert (mine.state, mine.filled_quantity, len(account.ledger.fills())) == ("REJECTED", units, int(filled))
        assert sum(account.held().values()) == units
        assert ("late fill" in told) == filled, (at, passed)
    marks = {point.rpartition(" ")[0] for point in seen}
    counted = {"ledger.record_risk_event", "ledger.record_fill", "ledger.record_order"}  # risk is told by settling
    assert marks == {*START, "ledger.record_alert"} | (counted if filled else {"broker.cancel", "ledger.record_order"})


def given_up(account: Account, make: Callable[[Answered, str], Intent]) -> Intent:
    """An order that the broker took and did not list for as long as anybody waits for it; now it does."""
    intent = make(account.served, "given up")
    account.served.script.next["POST"].append(ANSWERS["timeout, 90 s late in the book"])
    account.start()
    enter(account, intent)
    assert account.orders()[intent.tag].state == "REJECTED"
    account.wall.on(10 * LATE_S)
    return intent
