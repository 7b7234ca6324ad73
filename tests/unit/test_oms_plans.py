"""Plans run by the order manager: decided from the ledger alone, so that a death changes nothing of what is sent."""

import msgspec
import pytest

from core.errors import DeskError, InputError, UnknownName
from core.orders.budget import BudgetConfig
from core.orders.machine import terms
from core.orders.plans import Bracket, ExitRules
from core.records import LIVE, Order, Refusal, Terms, Verdict
from tests.fakes_orders import INDEX, LOT, SYMBOL, intent, ticks
from tests.world_oms import World, leave


class Planned(World):
    """A contract quoted at 350.00 / 351.00, and a bracket on it: stop 320.00, target 400.00."""

    def __init__(self, **config: object) -> None:
        super().__init__(**config)
        self.quote(35_000)

    def quote(self, bid: int) -> None:
        self.clock.sleep(0.5)
        at_ns = self.clock.now_ns()
        self.oms.on_ticks(ticks(bids=[(bid, 500)], asks=[(bid + 100, 500)], last=bid, at_ns=at_ns))
        self.oms.on_timer()

    def bracket(self, plan_id: str = "P1", quantity: int = 2 * LOT) -> str:
        plan = Bracket(
            plan_id=plan_id, strategy="s", index=INDEX, created_ns=self.clock.now_ns(), symbol=SYMBOL, side="BUY",
            quantity=quantity, limit_paise=35_100, exit=ExitRules(stop_paise=32_000, target_paise=40_000),
        )  # fmt: skip
        return msgspec.json.encode(plan).decode()

    def begin(self) -> Order:
        """The bracket's entry, resting."""
        self.oms.start_plan(self.bracket())
        self.quote(35_000)
        (entry,) = self.of("BUY")
        return entry

    def of(self, side: str, *, live: bool = False) -> list[Order]:
        return [one for one in self.oms.orders() if one.intent.side == side and (not live or one.state in LIVE)]

    def words(self) -> dict[str, str]:
        (status,) = self.oms.plans()
        return {word.key: word.message for word in status.words}


def test_a_bracket_enters_protects_what_filled_and_leaves_at_its_target() -> None:
    world = Planned()
    entry = world.begin()
    world.broker.fill(entry.intent.tag, LOT, 35_100)
    world.quote(35_000)
    (stop,) = world.of("SELL")
    assert (stop.intent.order_type, stop.intent.trigger_paise, stop.intent.quantity) == ("SL", 32_000, LOT)
    assert (stop.intent.purpose, stop.intent.plan, stop.intent.strategy) == ("exit", "P1", "s")
    world.broker.fill(entry.intent.tag, LOT, 35_100)
    world.quote(35_000)
    assert [one.intent.quantity for one in world.of("SELL", live=True)] == [LOT, LOT]
    for _ in range(4):
        world.quote(40_000)

    assert {terms(one) for one in world.of("SELL", live=True)} == {Terms(order_type="LIMIT", limit_paise=40_000)}
    for order in world.of("SELL", live=True):
        world.broker.fill(order.intent.tag, LOT, 40_000)
    for _ in range(3):
        world.quote(40_000)
    assert "target" in world.words()["done"]
    assert [fill.reason for fill in world.ledger.trades] == ["", "", "target", "target"], "it was sent as a stop"
    assert not world.oms.plans()[0].running
    assert [position.quantity for position in world.oms.positions()] == [0]


def test_a_death_at_any_moment_leaves_one_entry_and_one_stop() -> None:
    world = Planned()
    world.begin()
    world.restart()
    world.quote(35_000)
    (entry,) = world.of("BUY")
    world.broker.fill(entry.intent.tag, 2 * LOT, 35_100)
    for _ in range(3):
        world.restart()
        world.quote(35_000)

    assert len(world.broker.placed) == len(set(world.broker.placed)) == 2
    assert [one.intent.quantity for one in world.of("SELL", live=True)] == [2 * LOT]


def test_entries_wait_while_only_exits_pass_and_its_exits_go_out_even_when_halted() -> None:
    world = Planned()
    world.oms.reduce("lunch")
    world.oms.start_plan(world.bracket())
    world.quote(35_000)
    assert world.of("BUY") == []
    world.oms.resume()
    world.quote(35_000)
    (entry,) = world.of("BUY")
    world.oms.halt("looking at something")
    world.broker.fill(entry.intent.tag, 2 * LOT, 35_100)
    world.quote(35_000)

    assert [one.intent.order_type for one in world.of("SELL", live=True)] == ["SL"]


@pytest.mark.parametrize("how", ["kill", "exit_all"])
def test_the_kill_switch_and_exit_all_end_it(how: str) -> None:
    world = Planned()
    entry = world.begin()
    world.broker.fill(entry.intent.tag, 2 * LOT, 35_100)
    world.quote(35_000)
    if how == "kill":
        world.oms.kill("drill", "asha", True)
    else:
        world.oms.exit_all("drill")
    for _ in range(6):
        world.quote(35_000)
        for order in world.of("SELL", live=True):
            if order.intent.order_type != "SL":
                world.broker.fill(order.intent.tag, order.intent.quantity - order.filled_quantity, 34_900)

    assert world.words()["done"].startswith("failed: ")
    assert [position.quantity for position in world.oms.positions()] == [0]
    assert world.of("SELL", live=True) == []


def test_a_person_may_end_it_and_it_leaves_what_it_entered() -> None:
    world = Planned()
    entry = world.begin()
    world.broker.fill(entry.intent.tag, 2 * LOT, 35_100)
    world.quote(35_000)
    status = world.oms.end_plan("P1", "going home")
    assert [word.key for word in status.words] == ["ending"]
    for _ in range(4):
        world.quote(35_000)
    (leaving,) = world.of("SELL", live=True)

    assert terms(leaving).order_type == "LIMIT"
    assert terms(leaving).limit_paise <= 35_000
    world.broker.fill(leaving.intent.tag, 2 * LOT, 34_900)
    world.quote(35_000)
    world.quote(35_000)
    assert not world.oms.plans()[0].running


def test_an_id_names_one_plan_for_ever_and_what_is_no_plan_is_refused() -> None:
    world = Planned()
    first = world.oms.start_plan(world.bracket())
    assert world.oms.start_plan(world.bracket()).plan_id == first.plan_id
    assert len(world.oms.plans()) == 1
    with pytest.raises(InputError, match="another one already"):
        world.oms.start_plan(world.bracket(quantity=LOT))
    for body in ("{}", "not json", '{"type": "braket"}'):
        with pytest.raises(InputError, match="this is no plan"):
            world.oms.start_plan(body)
    with pytest.raises(UnknownName, match="vikalp plans"):
        world.oms.end_plan("P2", "")


def test_what_a_plan_goes_by_is_watched_until_it_is_over() -> None:
    world = Planned()
    world.oms.start_plan(world.bracket())
    world.oms.on_timer()
    assert world.bus.symbols[-1] == (INDEX, [SYMBOL])


def test_no_plan_starts_while_the_kill_switch_is_pulled() -> None:
    world = Planned()
    world.oms.kill("drill", "asha")
    with pytest.raises(InputError, match="kill switch is pulled"):
        world.oms.start_plan(world.bracket())
    assert world.oms.plans() == []


def test_without_room_in_the_budget_a_step_waits_and_its_tag_stays_free() -> None:
    world = Planned(budget=BudgetConfig(orders_a_minute=3, exits_keep_a_minute=1, hedges_keep_a_minute=1))
    world.oms.submit(intent("A", limit_paise=100))
    world.oms.start_plan(world.bracket())
    world.oms.on_timer()
    assert [one.intent.tag for one in world.of("BUY")] == ["A"]
    world.clock.sleep(61)
    world.quote(35_000)
    assert len(world.of("BUY")) == 2
    assert all(one.state == "OPEN" for one in world.of("BUY")), [one.message for one in world.of("BUY")]


def test_a_modification_is_asked_once_counted_and_told_from_the_book() -> None:
    world = Planned()
    world.oms.submit(intent("A", limit_paise=30_000))
    asked = world.oms.modify("A", Terms(order_type="LIMIT", limit_paise=31_000))
    assert (terms(asked).limit_paise, asked.modifications) == (31_000, 1)
    world.broker.next_modify = "refuse"
    refused = world.oms.modify("A", Terms(order_type="LIMIT", limit_paise=32_000))
    assert "the broker refused to modify it: Order cannot be modified." in refused.message
    assert (terms(refused).limit_paise, refused.modifications) == (31_000, 2)
    world.broker.next_modify = "lose the answer"
    lost = world.oms.modify("A", Terms(order_type="LIMIT", limit_paise=33_000))
    assert (terms(lost).limit_paise, lost.message) == (33_000, "")
    world.broker.next_modify = "lose the request"
    unsure = world.oms.modify("A", Terms(order_type="LIMIT", limit_paise=34_000))
    assert "no clear answer" in unsure.message
    world.later(1)
    assert terms(world.order("A")).limit_paise == 33_000, "the book says what rests"
    world.restart()
    assert (terms(world.order("A")).limit_paise, world.order("A").modifications) == (33_000, 4)
    with pytest.raises(UnknownName):
        world.oms.modify("NONE", Terms(order_type="LIMIT", limit_paise=33_000))


def test_a_bracket_that_was_stopped_says_so_with_its_trade() -> None:
    world = Planned()
    entry = world.begin()
    world.broker.fill(entry.intent.tag, 2 * LOT, 35_100)
    world.quote(35_000)
    (stop,) = world.of("SELL", live=True)
    world.broker.fill(stop.intent.tag, 2 * LOT, 31_900)
    for _ in range(3):
        world.quote(31_800)

    assert [fill.reason for fill in world.ledger.trades] == ["", "stop"]
    assert "stop" in world.words()["done"]


def test_while_nothing_can_be_kept_a_plan_is_to_be_asked_for_again() -> None:
    world = Planned()
    world.ledger.down = lambda name: True
    world.oms.on_timer()
    with pytest.raises(DeskError, match="ask again with its id"):
        world.oms.start_plan(world.bracket())
    world.ledger.down = lambda name: False
    world.oms.on_timer()
    assert world.oms.start_plan(world.bracket()).running


def test_a_plan_that_cannot_be_read_keeps_nobody_from_opening() -> None:
    world = Planned()
    world.oms.start_plan(world.bracket())
    world.ledger.planned["OLD"] = '{"type": "of another release"}'
    world.restart()
    assert world.oms.state() == "ACTIVE"
    assert [status.plan_id for status in world.oms.plans()] == ["P1"]
    assert any("plan OLD cannot be read" in words for words in world.ledger.alerts())


def test_a_modification_of_an_entry_is_held_against_the_limits_and_that_of_an_exit_is_not() -> None:
    world = Planned()
    world.long()
    world.oms.submit(intent("A", limit_paise=30_000))
    world.oms.submit(leave("X"))
    world.risk.answer = Verdict(refusals=(Refusal(limit="exposure", allowed="1", asked="2", why="too much"),))
    entry = world.oms.modify("A", Terms(order_type="LIMIT", limit_paise=34_000))
    exit_ = world.oms.modify("X", Terms(order_type="LIMIT", limit_paise=34_000))
    assert "not modified: exposure: too much" in entry.message
    assert (terms(entry).limit_paise, terms(exit_).limit_paise) == (30_000, 34_000)
    world.risk.answer = Verdict()
    assert terms(world.oms.modify("A", Terms(order_type="LIMIT", limit_paise=34_000))).limit_paise == 34_000
    assert world.risk.working == {"A", "X"}, "what was asked about is not an order"


def test_a_step_that_risk_refuses_uses_none_of_the_order_budget() -> None:
    world = Planned(budget=BudgetConfig(orders_a_minute=10, exits_keep_a_minute=1, hedges_keep_a_minute=1))
    world.risk.answer = Verdict(refusals=(Refusal(limit="exposure", allowed="1", asked="2", why="too much"),))
    for number in range(12):
        world.oms.start_plan(world.bracket(f"P{number}", quantity=LOT))
        world.quote(35_000)
    assert {one.state for one in world.of("BUY")} == {"REFUSED"}
    assert {one.message for one in world.of("BUY")} == {"exposure: too much (asked 2, allowed 1)"}
    world.risk.answer = Verdict()
    assert world.oms.submit(intent("A", limit_paise=100)).state == "OPEN"


def test_a_plan_that_ended_on_an_earlier_day_is_told_when_it_is_asked_for() -> None:
    world = Planned()
    world.begin()
    world.oms.end_plan("P1", "enough")
    world.quote(35_000)
    world.quote(35_000)
    assert [(one.plan_id, one.running) for one in world.oms.plans()] == [("P1", False)]
    world.clock.sleep(3 * 86_400)
    world.oms.start_plan(world.bracket(plan_id="P2"))
    assert [one.plan_id for one in world.oms.plans()] == ["P2"]
    world.clock.sleep(86_400)
    world.restart()
    told = [[one.plan_id for one in asked()] for asked in (world.oms.plans, world.oms.all_plans)]
    assert told == [["P2"], ["P1", "P2"]]
