"""A strategy's orders when the order manager is slow, fills a part, or somebody else sells the position."""

from collections.abc import Callable, Sequence

import msgspec
import pytest

from actors.strategies.strategy import StrategyActor
from core.errors import DeskError, InputError
from core.records import Intent, Order, Position
from core.strategies.events import EntryFilled
from tests.unit.test_strategy_actor import Clock, Manager, actor_with, feed, premium

SYMBOL = "SENSEX2591180500PE"
SECOND = 1_000_000_000


class Slow(Manager):
    """An order manager by hand: `answer` says what becomes of the next orders, `held` what is held."""

    def __init__(self, answer: Callable[[Intent], Order]) -> None:
        super().__init__()
        self.answer, self.held, self.cancelled = answer, 60, []

    def submit(self, intent: Intent) -> Order:
        order = self.answer(intent)
        self.book.append(order)
        return order

    def cancel(self, tag: str) -> Order:
        self.cancelled.append(tag)
        self.book = [msgspec.structs.replace(o, state="CANCELLED") if o.intent.tag == tag else o for o in self.book]
        return self.book[-1]

    def positions(self) -> Sequence[Position]:
        figures = dict.fromkeys(("average_paise", "last_paise", "realised_paise", "unrealised_paise"), 0)
        mine = Position(
            symbol=SYMBOL, index="SENSEX", quantity=self.held, charges_paise=0, strategy="ema_channel", **figures
        )
        return [msgspec.structs.replace(mine, strategy="manual", quantity=1_000), mine]


def test_its_position_is_its_own_whatever_else_is_held_of_the_contract(
    golden: tuple[StrategyActor, Clock, Slow],
) -> None:
    position = golden[0].position()

    assert position is not None
    assert (position.strategy, position.quantity) == ("ema_channel", 60)


def order(state: str, filled: int = 0) -> Callable[[Intent], Order]:
    return lambda made: Order(
        intent=made, state=state, filled_quantity=filled, average_paise=34_910.0, updated_ns=made.created_ns
    )


def silent(made: Intent) -> Order:
    raise DeskError("oms did not answer within 5 s")


@pytest.fixture
def golden() -> tuple[StrategyActor, Clock, Slow]:
    """At the golden signal, whose entry filled 60 of 100."""
    manager = Slow(order("CANCELLED", 60))
    actor, clock, _ = actor_with(manager)
    feed(actor, clock, "11:09")
    actor.on_timer()
    return actor, clock, manager


def fall(actor: StrategyActor, clock: Clock) -> None:
    actor.on_chain(premium(SYMBOL, 30_000, clock.now))


def test_an_entry_whose_answer_was_lost_is_followed_by_its_tag() -> None:
    manager = Slow(silent)
    actor, clock, _ = actor_with(manager)
    feed(actor, clock, "11:09")
    tag, made = next(iter(actor._follow._waiting.items()))
    manager.book.append(order("COMPLETE", 100)(made))
    actor.on_timer()
    manager.answer = order("COMPLETE", 100)
    fall(actor, clock)

    assert made.tag == tag
    assert [(o.intent.side, o.intent.quantity) for o in manager.book] == [("BUY", 100), ("SELL", 100)]


def test_an_entry_that_never_arrived_frees_the_strategy_after_the_calls_deadline() -> None:
    manager = Slow(silent)
    actor, clock, _ = actor_with(manager)
    feed(actor, clock, "11:09")
    actor.on_timer()
    waiting = actor._follow.waiting
    clock.wall_ns = lambda: 60 * SECOND  # type: ignore[method-assign]
    actor.on_timer()

    assert (waiting, actor._follow.waiting, actor._state.wanted) == (True, False, None)


def test_an_entry_that_is_no_order_raises_and_frees_the_strategy() -> None:
    def wrong(made: Intent) -> Order:
        raise InputError(f"{made.tag} is no order")

    actor, clock, _ = actor_with(Slow(wrong))
    with pytest.raises(InputError):
        feed(actor, clock, "11:09")

    assert (actor._follow.waiting, actor._state.wanted) == (False, None)


def test_an_exit_that_filled_a_part_is_followed_by_one_of_the_rest(golden: tuple[StrategyActor, Clock, Slow]) -> None:
    actor, clock, manager = golden
    manager.answer = order("CANCELLED", 20)
    fall(actor, clock)
    actor.on_timer()
    manager.answer = order("COMPLETE", 40)
    clock.now += 60 * SECOND
    fall(actor, clock)
    actor.on_timer()

    assert [(o.intent.side, o.intent.quantity) for o in manager.book[1:]] == [("SELL", 60), ("SELL", 40)]
    assert actor._state.held is None


def test_what_rests_too_long_is_cancelled_and_what_filled_is_held() -> None:
    manager = Slow(order("OPEN", 60))
    actor, clock, _ = actor_with(manager)
    feed(actor, clock, "11:09")
    actor.on_timer()
    early = list(manager.cancelled)
    clock.now += 60 * SECOND
    actor.on_timer()
    actor.on_timer()

    assert (early, len(manager.cancelled)) == ([], 1)
    assert actor._state.held is not None
    assert actor._state.held.quantity == 60


def test_a_refused_exit_is_not_sent_again_with_every_chain(golden: tuple[StrategyActor, Clock, Slow]) -> None:
    actor, clock, manager = golden
    manager.answer = order("REFUSED")
    for _ in range(20):
        clock.now += SECOND // 10
        fall(actor, clock)
    sent = len(manager.book) - 1
    clock.now += 10 * SECOND
    fall(actor, clock)

    assert (sent, len(manager.book) - 1) == (1, 2)


def test_a_position_somebody_else_sold_is_let_go(golden: tuple[StrategyActor, Clock, Slow]) -> None:
    actor, clock, manager = golden
    manager.answer, manager.held = order("REFUSED"), 0
    fall(actor, clock)

    assert actor._state.held is None


def test_of_a_position_somebody_sold_a_part_of_the_rest_is_sold(golden: tuple[StrategyActor, Clock, Slow]) -> None:
    actor, clock, manager = golden
    manager.answer, manager.held = order("REFUSED"), 20
    fall(actor, clock)
    manager.answer = order("COMPLETE", 20)
    clock.now += 10 * SECOND
    fall(actor, clock)
    actor.on_timer()

    assert [o.intent.quantity for o in manager.book[1:]] == [60, 20]
    assert actor._state.held is None


def test_a_restart_with_an_entry_on_its_way_does_not_enter_again() -> None:
    manager = Slow(order("OPEN"))
    first, clock, _ = actor_with(manager)
    feed(first, clock, "11:09")
    again, clock, _ = actor_with(manager)
    feed(again, clock, "13:00")

    assert len(manager.book) == 1


def tags(manager: Slow) -> list[str]:
    return [made.intent.tag for made in manager.book if made.intent.side == "SELL"]


@pytest.mark.parametrize("end", [order("CANCELLED"), order("CANCELLED", 20), order("REFUSED"), order("REJECTED")])
def test_an_exit_that_came_to_nothing_is_another_one_though_the_quote_stands_still(
    golden: tuple[StrategyActor, Clock, Slow], end: Callable[[Intent], Order]
) -> None:
    actor, clock, manager = golden
    manager.answer, quoted_ns = end, clock.now
    for _ in range(3):
        actor.on_chain(premium(SYMBOL, 30_000, quoted_ns))
        actor.on_timer()
        clock.now += 10 * SECOND

    assert len(tags(manager)) == len(set(tags(manager))) == 3


def test_after_a_restart_the_next_exit_is_another_one_too(golden: tuple[StrategyActor, Clock, Slow]) -> None:
    actor, clock, manager = golden
    quoted_ns = clock.now
    for end in (order("REFUSED"), order("CANCELLED")):
        manager.answer = end
        actor.on_chain(premium(SYMBOL, 30_000, quoted_ns))
        actor.on_timer()
        clock.now += 10 * SECOND
    again, _, _ = actor_with(manager)
    for one in (again, actor):
        one.on_chain(premium(SYMBOL, 30_000, quoted_ns))

    first, second, third, fourth = tags(manager)
    assert third == fourth  # the same decision, with and without the restart
    assert len({first, second, third}) == 3


def test_an_exit_decided_twice_across_a_restart_is_one_order(golden: tuple[StrategyActor, Clock, Slow]) -> None:
    actor, clock, manager = golden
    manager.answer = silent
    actor.on_chain(premium(SYMBOL, 30_000, clock.now))
    lost = next(iter(actor._follow._waiting))
    again, _, _ = actor_with(manager)
    manager.answer = order("OPEN")
    again.on_chain(premium(SYMBOL, 30_000, clock.now))

    assert tags(manager) == [lost]


def given_up() -> tuple[StrategyActor, Clock, Slow]:
    """The golden entry was given up as REJECTED, and then filled."""
    manager = Slow(order("OPEN"))
    actor, clock, _ = actor_with(manager)
    feed(actor, clock, "11:09")
    entry = manager.book[0].intent
    manager.book = [order("REJECTED")(entry)]
    actor.on_timer()
    assert actor._state.held is None
    manager.book = [order("REJECTED", 100)(entry)]
    return actor, clock, manager


def test_an_entry_that_fills_after_it_was_given_up_is_held_with_its_stop() -> None:
    actor, clock, manager = given_up()
    cash = actor._cash()
    actor.on_timer()
    held = actor._state.held
    manager.answer = order("COMPLETE", 100)
    fall(actor, clock)
    actor.on_timer()

    assert held is not None
    assert (held.symbol, held.quantity, held.entry_paise) == (SYMBOL, 100, 34_910)
    assert cash - actor._config.capital_paise == 0
    assert [(o.intent.side, o.intent.quantity, o.intent.reason) for o in manager.book[1:]] == [("SELL", 100, "stop")]
    assert (actor._state.held, actor._cash() - actor._config.capital_paise) == (None, 0)


def test_an_entry_that_fills_late_beside_another_position_is_left_at_once() -> None:
    actor, clock, manager = given_up()
    other = EntryFilled(symbol="SENSEX2591180600PE", price_paise=30_000, quantity=20, at_ns=clock.now)
    actor._tell(other)
    actor._follow._units[other.symbol] += 20
    manager.answer = order("COMPLETE", 100)
    actor.on_timer()
    actor.on_timer()

    sold = manager.book[-1].intent
    assert (sold.symbol, sold.side, sold.quantity, sold.reason) == (SYMBOL, "SELL", 100, "late fill")
    assert actor._state.held is not None
    assert (actor._state.held.symbol, actor._follow.units(SYMBOL), len(manager.book)) == (other.symbol, 0, 2)
