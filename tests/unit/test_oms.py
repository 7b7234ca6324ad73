"""The order manager day by day: orders, exits, refusals, and risk away."""

import pytest

from core.errors import InputError, UnknownName
from core.records import Refusal, Terms, Verdict
from tests.fakes_orders import (
    INDEX,
    LOT,
    NOON,
    SYMBOL,
    intent,
    ticks,
)
from tests.world_oms import World


@pytest.fixture
def world() -> World:
    return World()


def test_a_filled_order_is_complete_and_its_position_marked_and_charged(world: World) -> None:
    sent = world.oms.submit(intent("A", quantity=2 * LOT))
    world.broker.fill("A", LOT, 34_900)
    world.broker.fill("A", LOT, 35_000)
    world.broker.matches = True
    world.oms.on_ticks(ticks(bids=[(35_500, 100)], asks=[(35_600, 100)]))
    position = world.oms.positions()[0]

    assert (sent.state, sent.broker_id) == ("OPEN", "B1")
    assert (world.order().state, world.order().filled_quantity, world.order().average_paise) == ("COMPLETE", 40, 34_950)
    assert (position.quantity, position.last_paise, position.unrealised_paise) == (40, 35_500, 40 * 550)
    assert position.charges_paise > 2000
    assert world.risk.booked == ["T1", "T2"]
    assert world.risk.released == ["A"]


def test_it_is_halted_before_open_and_sends_nothing(world: World) -> None:
    world.oms = world.make()

    assert world.oms.state() == "HALTED"
    assert world.oms.submit(intent()).state == "REFUSED"
    world.oms.on_timer()
    assert world.oms.state() == "HALTED"
    assert world.broker.placed == []


def test_open_asks_the_feeds_for_their_books(world: World) -> None:
    assert world.bus.sent == [("refresh", INDEX)]
    assert world.oms.state() == "ACTIVE"


def test_a_gap_in_a_feeds_ticks_is_filled_by_its_whole_book(world: World) -> None:
    world.bus.sent.clear()
    world.oms.on_gap("shard.NIFTY")
    assert world.bus.sent == []
    world.oms.on_gap(f"feed.{INDEX}")
    assert world.bus.sent == [("refresh", INDEX)]


def test_the_same_tag_is_answered_with_the_first_order(world: World) -> None:
    first = world.oms.submit(intent())
    again = world.oms.submit(intent(reason="asked again", created_ns=NOON + 1))

    assert again == first
    assert world.broker.placed == ["A"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"quantity": 5 * LOT}, "BUY 100 × SENSEX2591180500PE LIMIT at 350.00"),
        ({"side": "SELL"}, "SELL 20 × SENSEX2591180500PE LIMIT at 350.00"),
        ({"symbol": "SENSEX2591180600PE"}, "BUY 20 × SENSEX2591180600PE LIMIT at 350.00"),
        ({"limit_paise": 35_005}, "BUY 20 × SENSEX2591180500PE LIMIT at 350.05"),
        ({"order_type": "MARKET", "limit_paise": 0}, "BUY 20 × SENSEX2591180500PE MARKET"),
        ({"purpose": "exit"}, "BUY 20 × SENSEX2591180500PE LIMIT at 350.00 (NRML, exit)"),
        ({"product": "MIS"}, "BUY 20 × SENSEX2591180500PE LIMIT at 350.00 (MIS, entry)"),
    ],
)
def test_the_same_tag_with_another_order_is_an_error_that_names_both(
    world: World, changes: dict[str, object], words: str
) -> None:
    world.oms.submit(intent())
    with pytest.raises(InputError) as said:
        world.oms.submit(intent(**changes))

    assert "BUY 20 × SENSEX2591180500PE LIMIT at 350.00 (NRML, entry)" in str(said.value)
    assert words in str(said.value)
    assert world.broker.placed == ["A"]


def test_an_order_without_a_time_gets_the_order_managers(world: World) -> None:
    sent = world.oms.submit(intent("A"))
    world.ledger.down = lambda name: True
    unsent = world.oms.submit(intent("B"))

    assert (sent.intent.created_ns, unsent.intent.created_ns) == (NOON, NOON)
    assert world.ledger.table["A"].intent.created_ns == NOON


def test_the_same_tag_after_a_restart_is_answered_with_the_first_order(world: World) -> None:
    world.oms.submit(intent())
    again = world.restart().submit(intent())

    assert again.state == "OPEN"
    assert world.broker.placed == ["A"]


def test_the_brokers_refusal_is_rejected_in_its_words(world: World) -> None:
    world.broker.next_place = "refuse"

    assert world.oms.submit(intent()).state == "REJECTED"
    assert world.order().message == "Insufficient funds."
    assert world.risk.released == ["A"]


def test_a_refusal_by_risk_is_not_sent_and_says_which_limits(world: World) -> None:
    one, two = (Refusal(limit=name, allowed="3", asked="4", why="too many") for name in ("trades_per_day", "stops"))
    world.risk.answer = Verdict(refusals=(one, two))
    order = world.oms.submit(intent())

    assert order.state == "REFUSED"
    assert "trades_per_day" in order.message
    assert "stops" in order.message
    assert world.broker.placed == []


def test_an_order_that_the_broker_or_risk_turned_away_is_over_when_it_is_modified(world: World) -> None:
    world.broker.next_place = "refuse"
    world.oms.submit(intent("A"))
    world.risk.answer = Verdict(refusals=(Refusal(limit="margin", allowed="1", asked="2", why="no funds"),))
    world.oms.submit(intent("B"))
    other = Terms(order_type="LIMIT", limit_paise=34_000)

    answers = {tag: world.oms.modify(tag, other) for tag in ("A", "B")}
    assert {tag: (answer.state, answer.message) for tag, answer in answers.items()} == {
        "A": ("REJECTED", "not modified: state: order A is over (asked REJECTED, allowed OPEN)"),
        "B": ("REFUSED", "not modified: state: order B is over (asked REFUSED, allowed OPEN)"),
    }
    assert world.order("A").message == "Insufficient funds."


def test_a_broken_rule_of_the_exchange_is_refused_before_risk_is_asked(world: World) -> None:
    order = world.oms.submit(intent(quantity=LOT + 1, limit_paise=35_001))

    assert "lot" in order.message
    assert "tick" in order.message
    assert (world.risk.asked, world.broker.placed) == ([], [])


def test_an_intent_that_is_no_order_raises(world: World) -> None:
    with pytest.raises(InputError, match="20 characters"):
        world.oms.submit(intent("not a tag"))
    with pytest.raises(UnknownName):
        world.oms.submit(intent(symbol="SENSEX99"))
    with pytest.raises(UnknownName):
        world.oms.cancel("NOSUCHTAG")
    assert world.ledger.table == {}


def test_without_risk_entries_are_refused_and_exits_pass(world: World) -> None:
    world.long()
    world.risk.away = True
    entry = world.oms.submit(intent("E"))
    leave = world.oms.submit(intent("X", side="SELL", purpose="exit"))

    assert (entry.state, leave.state) == ("REFUSED", "OPEN")
    assert "risk cannot be reached" in entry.message


def test_fills_risk_could_not_be_told_are_told_later_in_order(world: World) -> None:
    world.oms.submit(intent())
    world.risk.away = True
    world.broker.fill("A", LOT, 35_000)
    world.later()
    world.risk.away = False
    missed = list(world.risk.booked)
    world.later()

    assert (missed, world.risk.booked, world.risk.released) == ([], ["T1"], ["A"])


def test_an_exit_beyond_the_position_is_refused(world: World) -> None:
    world.long(2 * LOT)
    first = world.oms.submit(intent("X1", side="SELL", purpose="exit", quantity=2 * LOT))
    second = world.oms.submit(intent("X2", side="SELL", purpose="exit"))
    wrong = world.oms.submit(intent("X3", side="BUY", purpose="exit"))

    assert [first.state, second.state, wrong.state] == ["OPEN", "REFUSED", "REFUSED"]
    assert "already leaving" in second.message


def test_reducing_sends_exits_only_and_halted_nothing(world: World) -> None:
    world.long()
    world.oms.reduce("a test")
    entry, leave = world.oms.submit(intent("E")), world.oms.submit(intent("X", side="SELL", purpose="exit"))
    world.oms.halt("a test")
    halted = world.oms.submit(intent("Y", side="SELL", purpose="exit"))
    world.oms.resume()

    assert [entry.state, leave.state, halted.state] == ["REFUSED", "OPEN", "REFUSED"]
    assert world.oms.submit(intent("Z")).state == "OPEN"


def test_exit_all_cancels_what_is_live_and_crosses_the_book_with_the_rest(world: World) -> None:
    world.long(2 * LOT)
    world.oms.submit(intent("LIVE"))
    world.oms.on_ticks(ticks(bids=[(34_000, 500)], asks=[(34_100, 500)]))
    world.oms.halt("kill switch")
    sent = world.oms.exit_all("kill switch")

    assert world.order("LIVE").state == "CANCELLED"
    assert len(sent) == 1
    assert (sent[0].state, sent[0].intent.side, sent[0].intent.quantity) == ("OPEN", "SELL", 2 * LOT)
    assert (sent[0].intent.limit_paise, sent[0].intent.purpose, sent[0].intent.reason) == (
        32_300,
        "exit",
        "kill switch",
    )


def test_exit_all_twice_sells_once(world: World) -> None:
    world.long(2 * LOT)
    first = world.oms.exit_all("one")
    world.broker.fill(first[0].intent.tag, 2 * LOT, 34_000)
    world.clock.sleep(1)

    assert world.oms.exit_all("two") == []
    assert world.oms.positions()[0].quantity == 0


def test_exit_all_slices_at_the_freeze_quantity(world: World) -> None:
    for number in range(3):
        world.oms.submit(intent(f"BIG{number}", quantity=50 * LOT))
        world.broker.fill(f"BIG{number}", 50 * LOT, 35_000)
    world.oms.on_timer()
    sent = world.oms.exit_all("slices")

    assert sum(order.intent.quantity for order in sent) == 150 * LOT
    assert len({order.intent.tag for order in sent}) == len(sent) >= 3
    assert {order.state for order in sent} == {"OPEN"}


def test_cancel_of_a_partly_filled_order_keeps_its_fills(world: World) -> None:
    world.oms.submit(intent("A", quantity=2 * LOT))
    world.broker.fill("A", LOT, 35_000)
    order = world.oms.cancel("A")

    assert (order.state, order.filled_quantity) == ("CANCELLED", LOT)
    assert world.oms.positions()[0].quantity == LOT
    assert world.oms.cancel("A") == order


def test_a_fill_that_comes_after_the_cancel_still_counts(world: World) -> None:
    world.oms.submit(intent("A", quantity=2 * LOT))
    world.oms.cancel("A")
    world.broker.fill("A", LOT, 35_000)
    world.later()

    assert (world.order().state, world.order().filled_quantity) == ("CANCELLED", LOT)
    assert world.oms.positions()[0].quantity == LOT


def test_a_trade_told_twice_counts_once(world: World) -> None:
    world.oms.submit(intent("A", quantity=2 * LOT))
    world.broker.fill("A", LOT, 35_000, trade_id="SAME")
    world.broker.fills.append(world.broker.fills[0])
    world.later()

    assert world.order().filled_quantity == LOT
    assert len(world.ledger.trades) == 1


def test_a_trade_of_nobodys_order_is_an_alarm_and_no_position(world: World) -> None:
    world.broker.place(intent("FOREIGN"))
    world.broker.fill("FOREIGN", LOT, 35_000)
    world.later()
    world.later()

    assert world.oms.positions() == []
    assert len([alert for alert in world.ledger.alerts() if "FOREIGN" in alert]) == 1


def test_health_is_the_time_of_the_last_progress(world: World) -> None:
    fresh = world.make()
    before = fresh.check_health()
    world.later(2)

    assert (before, world.oms.check_health()) == (0, world.clock.wall)
    assert SYMBOL.startswith(INDEX)


def test_an_account_at_an_exchange_is_followed_by_the_timer_and_not_by_every_tick(world: World) -> None:
    world.oms.submit(intent())
    world.broker.fill("A", LOT, 35_000)
    asked = world.broker.listings
    for _ in range(50):
        world.oms.on_ticks(ticks())
    by_ticks, early = world.broker.listings - asked, world.order().state
    world.later()

    assert (by_ticks, early, world.order().state) == (0, "OPEN", "COMPLETE")


def test_what_a_broker_matches_itself_is_counted_at_the_tick(world: World) -> None:
    world.oms.submit(intent())
    world.broker.fill("A", LOT, 35_000)
    world.broker.matches = True
    world.oms.on_ticks(ticks())

    assert world.order().state == "COMPLETE"
