"""The process of an order manager is killed at every point of an order's path: SIGKILL, on a real PostgreSQL."""

import itertools
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from multiprocessing.process import BaseProcess

import pytest

from exchange.server import orders
from storage.ledger import PostgresLedger
from tests.unit.orders.answers import ANSWERS, Answered
from tests.unit.orders.child import WIRE, WITHIN_S, lives, looks, place_of
from tests.unit.orders.clocks import CONTEXT
from tests.unit.orders.lives import LATE_S, Account
from tests.unit.orders.test_crash_points import PASSED, given_up
from tests.unit.orders.walk import PATHS, Walk, fills

FRESH = itertools.count(1)
KILLED = (
    "an order that fills", "the cancel of one that rests", "the modification of one that rests",
    "an order that risk refuses",
)  # fmt: skip


@pytest.fixture
def ledgered(served: Answered, dsn: str) -> Callable[[Answered], Account]:
    """An account with a ledger of its own in PostgreSQL."""
    return lambda _: Account(served, PostgresLedger(dsn, f"killed {next(FRESH)}"))


def points(name: str) -> Iterator[tuple[str, int]]:
    """Every point that the path passes, and those on the wire, with the how many-th of its name it is."""
    seen = Counter[str]()
    for mark in PASSED[name]:
        for side in ("before", "after"):
            seen[f"{mark} {side}"] += 1
            yield f"{mark} {side}", seen[f"{mark} {side}"]
    if PATHS[number(name)].sends:
        yield from ((point, 1) for point in WIRE)
    if PATHS[number(name)].asks == "POST" and PATHS[number(name)].sends:
        yield from ((point, 2) for point in WIRE[:2])


def number(name: str) -> int:
    return next(number for number, path in enumerate(PATHS) if path.name == name)


def kill(walk: Walk, dsn: str, point: str, nth: int) -> None:
    """The process of that path is killed there; another one recovers, and everything is right."""
    account, intent = walk.begin()
    process = CONTEXT.Process(
        target=lives, args=(place_of(account, dsn, account.ledger._session), PATHS.index(walk.path), intent, point, nth)
    )
    ends(process, f"{point} ({nth})")
    walk.served.script.next.clear()
    walk.after(account, intent)
    account.ledger.close()
    print(f"{walk.path.name}, {walk.name}: killed at {point} ({nth})")


def ends(process: BaseProcess, point: str) -> None:
    process.start()
    process.join(WITHIN_S)
    assert process.exitcode == -signal.SIGKILL, f"{point} was not reached"


@pytest.mark.parametrize("name", KILLED)
def test_a_process_killed_at_any_point_leaves_what_its_successor_needs(
    served: Answered, dsn: str, ledgered: Callable[[Answered], Account], name: str
) -> None:
    for point, nth in points(name):
        kill(Walk(served, PATHS[number(name)], "ACK", ledgered), dsn, point, nth)


@pytest.mark.parametrize("name", sorted(ANSWERS.keys() - {"ACK"}))
def test_a_process_killed_after_it_was_answered_leaves_what_its_successor_needs(
    served: Answered, dsn: str, ledgered: Callable[[Answered], Account], name: str
) -> None:
    kill(Walk(served, PATHS[0], name, ledgered), dsn, "broker.place after", 1)


@pytest.mark.parametrize("side", ["before", "after"])
def test_a_process_killed_at_an_alarm_leaves_what_its_successor_needs(
    served: Answered, dsn: str, ledgered: Callable[[Answered], Account], side: str
) -> None:
    kill(Walk(served, PATHS[0], "403 login died before it", ledgered), dsn, f"ledger.record_alert {side}", 1)


@pytest.mark.parametrize("point", ["ledger.record_risk_event before", "ledger.record_risk_event after"])
def test_a_process_killed_when_an_order_turns_up_that_was_given_up_hides_it_from_nobody(
    served: Answered, dsn: str, ledgered: Callable[[Answered], Account], monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    monkeypatch.setattr(orders, "LATE_S", 10 * LATE_S)
    account = ledgered(served)
    intent = given_up(account, fills)
    ends(CONTEXT.Process(target=looks, args=(place_of(account, dsn, account.ledger._session), point, 1)), point)
    account.recover()

    assert account.orders()[intent.tag].filled_quantity == intent.quantity == sum(account.held().values())
    assert any("is a position now" in alert.message for alert in account.oms.alerts())
    account.ledger.close()
