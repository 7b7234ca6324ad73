"""The order manager starts from the ledger alone: without broker or login it is there, HALTED, and sends nothing."""

from collections.abc import Callable

import pytest

from core.errors import BrokerDown, LedgerDown, NotLoggedIn, VikalpError
from tests.fakes_orders import INDEX, LOT, SYMBOL, intent
from tests.world_oms import World

AWAY = [
    BrokerDown("Kite's orders cannot be read: connection refused"),
    NotLoggedIn("Kite calls the login dead: log in (vikalp login)"),
]


def away(world: World, error: VikalpError) -> Callable[[], None]:
    """The broker's book raises `error` until what is returned is called."""

    def book() -> None:
        raise error

    world.broker.book = book

    def back() -> None:
        del world.broker.book

    return back


@pytest.fixture
def held() -> World:
    """A lot is held and an order rests."""
    world = World()
    world.long(LOT)
    world.oms.submit(intent("RESTS", limit_paise=30_000))
    world.bus.symbols.clear()
    return world


@pytest.mark.parametrize("error", AWAY, ids=lambda error: type(error).__name__)
def test_without_the_broker_it_opens_halted_and_says_why(held: World, error: VikalpError) -> None:
    away(held, error)
    held.restart()
    (alarm,) = held.ledger.alerts()

    assert (held.oms.state(), "HALTED" in alarm, f"{error}" in alarm) == ("HALTED", True, True)
    assert [(one.symbol, one.quantity) for one in held.oms.positions()] == [(SYMBOL, LOT)]
    assert [order.intent.tag for order in held.oms.orders()] == ["LONG", "RESTS"]
    assert held.bus.symbols == [(INDEX, [SYMBOL])]


@pytest.mark.parametrize("error", AWAY, ids=lambda error: type(error).__name__)
def test_nothing_is_sent_before_the_broker_has_been_compared(held: World, error: VikalpError) -> None:
    away(held, error)
    held.restart()
    entry, leave = held.oms.submit(intent("NEW")), held.oms.submit(intent("OUT", side="SELL", purpose="exit"))
    cancelled, everything = held.oms.cancel("RESTS"), held.oms.exit_all("the end")
    held.later()

    assert {order.state for order in (entry, leave, *everything)} == {"REFUSED"}
    assert all("nothing can be sent" in order.message for order in everything)
    assert (cancelled.state, "nothing can be sent" in cancelled.message) == ("OPEN", True)
    assert (held.broker.placed, held.broker.orders["RESTS"].state) == (["LONG", "RESTS"], "OPEN")


@pytest.mark.parametrize("error", AWAY, ids=lambda error: type(error).__name__)
def test_it_recovers_on_the_timer_the_book_first(held: World, error: VikalpError) -> None:
    back = away(held, error)
    held.restart()
    held.broker.fill("RESTS", LOT, 30_000)
    before = len(held.ledger.alerts())
    held.later()
    back()
    held.later()

    assert (held.oms.state(), held.order("RESTS").state) == ("ACTIVE", "COMPLETE")
    assert [one.quantity for one in held.oms.positions()] == [2 * LOT]
    assert held.oms.submit(intent("NEW")).state == "OPEN"
    (info,) = held.ledger.alerts()[before:]
    assert "the broker can be followed again" in info


def test_what_a_person_says_meanwhile_holds_afterwards(held: World) -> None:
    back = away(held, AWAY[0])
    held.restart()
    said = held.oms.reduce("careful")
    back()
    held.later()

    assert (said, held.oms.state(), held.ledger.said) == ("HALTED", "REDUCING", ("REDUCING", "careful"))


def test_what_a_person_stopped_before_stays_stopped(held: World) -> None:
    held.oms.halt("enough for today")
    back = away(held, AWAY[0])
    held.restart()
    back()
    held.later()

    assert held.oms.state() == "HALTED"
    assert "enough for today" in held.oms.submit(intent("NEW")).message


def test_a_ledger_that_goes_away_before_the_broker_is_back_has_its_own_alarm(held: World) -> None:
    back = away(held, AWAY[0])
    held.restart()
    held.ledger.down = lambda name: True
    with pytest.raises(LedgerDown):
        held.oms.halt("so that it writes")
    alarms = [alert.message for alert in held.oms.alerts() if "the ledger is away" in alert.message]
    held.ledger.down = lambda name: False
    held.later()
    halted = held.oms.state()
    back()
    held.later()
    held.oms.resume()

    assert (len(alarms) > 0, halted, held.oms.state()) == (True, "HALTED", "ACTIVE")
