"""What the broker says the account holds, beside the journal: what differs is told, and no exit makes a short of it."""

from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import BrokerDown
from core.records import Order
from tests.fakes_orders import LOT, SYMBOL, intent
from tests.world_oms import World, leave

NRML, MIS = (SYMBOL, "NRML"), (SYMBOL, "MIS")


@pytest.fixture
def world() -> World:
    """Two lots are held, and the account has been compared."""
    world = World()
    world.long(2 * LOT)
    world.later()
    return world


def compare(world: World, times: int = 1) -> None:
    for _ in range(times):
        world.later(10)


def told(world: World) -> list[tuple[str, str]]:
    return [(one.severity, one.message) for one in world.oms.alerts() if one.subject.startswith("positions")]


def test_an_account_that_agrees_says_nothing(world: World) -> None:
    compare(world, 5)

    assert told(world) == []


def test_the_account_is_asked_at_most_every_ten_seconds(world: World) -> None:
    before = world.broker.counts
    for _ in range(100):
        world.later(0.5)

    assert world.broker.counts - before == 5


def test_a_sale_by_hand_is_one_alarm_and_its_end_one_info(world: World) -> None:
    world.broker.by_hand[NRML] -= LOT
    compare(world)
    early = told(world)
    compare(world, 5)
    ((severity, words),) = told(world)
    world.broker.by_hand.clear()
    compare(world, 3)

    assert (early, severity) == ([], "alarm")
    assert f"{SYMBOL}: +{LOT} NRML at the broker, +{2 * LOT} here" in words
    assert told(world)[1:] == [("info", f"{SYMBOL}: the account holds what this desk counts again")]


def test_a_difference_seen_once_is_nothing(world: World) -> None:
    world.broker.by_hand[NRML] -= LOT
    compare(world)
    world.broker.by_hand.clear()
    compare(world, 3)

    assert told(world) == []


def test_another_difference_is_another_alarm(world: World) -> None:
    world.broker.by_hand[NRML] -= LOT
    compare(world, 3)
    world.broker.by_hand[NRML] -= LOT
    compare(world, 3)

    assert [severity for severity, _ in told(world)] == ["alarm", "alarm"]
    assert f"+0 NRML at the broker, +{2 * LOT} here" in told(world)[1][1]


def test_a_position_that_was_there_before_is_told(world: World) -> None:
    world.broker.by_hand["SENSEX2591180600CE", "NRML"] = 3 * LOT
    compare(world, 3)

    ((severity, words),) = told(world)
    assert (severity, f"+{3 * LOT} NRML at the broker, +0 here" in words) == ("alarm", True)


def test_a_position_in_another_product_is_a_difference_of_both(world: World) -> None:
    world.broker.by_hand.update({NRML: -2 * LOT, MIS: 2 * LOT})
    compare(world, 3)

    ((_, words),) = told(world)
    assert f"+{2 * LOT} MIS at the broker, +0 here; +0 NRML at the broker, +{2 * LOT} here" in words


@pytest.mark.parametrize(("sells", "alarms"), [(2, 0), (1, 1)])
def test_what_a_live_order_may_have_filled_by_now_is_no_difference(world: World, sells: int, alarms: int) -> None:
    world.oms.submit(leave("X", sells * LOT))
    world.broker.by_hand[NRML] -= 2 * LOT
    compare(world, 4)

    assert len(told(world)) == alarms


def test_an_order_in_flight_neither_ends_nor_repeats_an_alarm(world: World) -> None:
    world.broker.by_hand[NRML] -= LOT
    compare(world, 3)
    world.oms.submit(leave("X", LOT))
    compare(world, 3)
    world.oms.cancel("X")
    compare(world, 3)

    assert [severity for severity, _ in told(world)] == ["alarm"]


def test_a_contract_that_has_expired_is_no_difference(world: World) -> None:
    world.broker.by_hand[NRML] -= LOT
    compare(world, 3)
    world.clock.sleep(6 * 86_400 + 4 * 3_600)  # past the last trade of its day
    compare(world, 3)

    assert [severity for severity, _ in told(world)] == ["alarm"]


def test_positions_that_cannot_be_read_are_told_and_hold_nothing_up(world: World) -> None:
    def positions() -> None:
        raise BrokerDown("no answer")

    world.broker.positions = positions
    compare(world)
    early = told(world)
    compare(world, 3)
    state = world.oms.state()
    del world.broker.positions
    compare(world, 2)

    assert (early, state) == ([], "ACTIVE")
    assert told(world) == [
        ("alarm", "the account's positions cannot be read, nothing compares them: no answer"),
        ("info", "the account's positions can be read again"),
    ]


def test_exit_all_sells_no_more_than_the_account_has(world: World) -> None:
    world.broker.by_hand[NRML] -= LOT
    withheld, sold = world.oms.exit_all("the end")

    assert (withheld.state, withheld.intent.quantity) == ("REFUSED", LOT)
    assert f"the account has {LOT} of the {2 * LOT} NRML that this desk counts" in withheld.message
    assert (sold.state, world.sold()) == ("OPEN", [("OPEN", LOT)])


def test_exit_all_opens_no_short_for_a_position_that_is_gone(world: World) -> None:
    world.broker.by_hand[NRML] -= 2 * LOT
    (withheld,) = world.oms.exit_all("the end")
    compare(world, 3)

    assert (withheld.state, withheld.intent.quantity, world.sold()) == ("REFUSED", 2 * LOT, [])


def test_exit_all_counts_an_exit_that_is_on_its_way_once(world: World) -> None:
    world.oms.submit(leave("X", LOT))
    world.broker.slow = True
    world.broker.by_hand[NRML] -= LOT
    answers = world.oms.exit_all("the end")

    on_its_way = world.sold()
    world.broker.confirm()
    world.later()
    world.later()

    assert [order.intent.quantity for order in answers if order.state == "REFUSED"] == [LOT, LOT]
    assert (on_its_way, world.broker.orders["X"].state) == ([("OPEN", LOT)], "CANCELLED")
    assert world.sold() == [("OPEN", LOT)]


def test_what_was_bought_since_the_last_look_is_sold(world: World) -> None:
    world.broker.by_hand[NRML] -= LOT
    compare(world)
    world.oms.submit(intent("MORE", quantity=LOT))
    world.broker.fill("MORE", LOT, 35_000)
    world.oms.exit_all("the end")

    assert world.sold() == [("OPEN", 2 * LOT)]


def test_without_an_answer_of_the_account_exit_all_sells_what_is_counted(world: World) -> None:
    def positions() -> None:
        raise BrokerDown("no answer")

    world.broker.positions = positions
    world.clock.sleep(30)
    world.oms.exit_all("the end")

    assert world.sold() == [("OPEN", 2 * LOT)]


@pytest.mark.parametrize("answers", [True, False])
def test_positions_that_take_long_hold_the_exits_up_for_one_turn(world: World, answers: bool) -> None:  # noqa: FBT001
    told = world.broker.positions

    def positions() -> Mapping[tuple[str, str], int]:
        world.clock.sleep(2.5)
        if answers:
            return told()
        raise BrokerDown("no answer")

    world.broker.by_hand[NRML] -= LOT
    world.broker.positions = positions
    world.clock.sleep(30)
    world.oms.exit_all("the end")
    world.later()
    world.later()

    assert world.sold() == [("OPEN", LOT if answers else 2 * LOT)]


def test_more_than_the_desk_counts_is_not_the_desks_to_sell(world: World) -> None:
    world.broker.by_hand[NRML] += 5 * LOT
    world.oms.exit_all("the end")

    assert world.sold() == [("OPEN", 2 * LOT)]


STEPS = st.sampled_from(
    [
        "buy",
        "fill",
        "fill part",
        "by hand",
        "exit all",
        "slow",
        "fast",
        "confirm",
        "timer",
        "ten seconds",
        "late",
        "told",
    ]
)


@settings(max_examples=150, deadline=None)
@given(steps=st.lists(STEPS, max_size=25))
def test_exits_never_add_up_to_more_than_the_account_has(steps: list[str]) -> None:
    """Whatever is bought, sold by hand and exited, in whatever order: somebody sells what is there and not for sale."""
    world = World()
    for number, step in enumerate([*steps, "exit all", "timer", "timer"]):
        do(world, step, number)
        for_sale = sum(order.intent.quantity - order.filled_quantity for order in on_sale(world))
        assert for_sale <= max(0, net(world)), step


def net(world: World) -> int:
    return world.broker.positions()[NRML]


def on_sale(world: World) -> list[Order]:
    return [order for order in world.broker.orders.values() if order.intent.side == "SELL" and order.state == "OPEN"]


def do(world: World, step: str, number: int) -> None:
    broker = world.broker
    resting = [order for order in broker.orders.values() if order.state == "OPEN"]
    if step == "buy":
        world.oms.submit(intent(f"B{number}", quantity=2 * LOT))
    elif step in {"fill", "fill part"} and resting:
        order = resting[number % len(resting)]
        left = order.intent.quantity - order.filled_quantity
        broker.fill(order.intent.tag, min(left, LOT) if step == "fill part" else left, 35_000)
    elif step == "by hand":
        free = net(world) - sum(order.intent.quantity - order.filled_quantity for order in on_sale(world))
        broker.by_hand[NRML] -= max(0, min(free, LOT))
    elif step == "exit all":
        world.oms.exit_all("the end")
    elif step in {"slow", "fast"}:
        broker.slow = step == "slow"
    elif step in {"late", "told"}:
        broker.lags(step == "late")
    elif step == "confirm":
        broker.confirm()
    else:
        world.later(10 if step == "ten seconds" else 0.5)
