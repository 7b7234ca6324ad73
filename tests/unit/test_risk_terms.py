"""An order counts at the limit it rests at now, at the dearer while nobody knows whether a modification was done."""

import msgspec
import pytest

from core.orders.budget import BudgetConfig
from core.orders.machine import resting
from core.records import Funds, Order, Terms
from core.risk.book import RiskBook, with_end, with_intent, with_limit
from core.risk.case import Memory, case_of
from core.risk.free import SENT_NS
from core.risk.limits.concentration import Concentration
from core.risk.limits.exposure import Exposure
from core.risk.limits.limits import LimitsConfig
from core.risk.limits.order_rate import OrderRate
from core.risk.replay import replay
from core.risk.resting import live_limits
from tests.fakes_broker import Died
from tests.fakes_orders import LOT, NOON, intent
from tests.unit.test_oms_risk_agrees import CrashDesk, LostAnswers
from tests.unit.test_risk_actor import Desk, chain, refused
from tests.world_oms import World, leave

OLD, NEW = 35_000, 36_000


def limit(paise: int) -> Terms:
    return Terms(order_type="LIMIT", limit_paise=paise)


def due(book: RiskBook) -> int:
    return case_of(None, msgspec.structs.replace(book, memory=Memory())).due_paise


def told(world: World) -> list[tuple[str, int]]:
    """What risk heard of the terms of orders, in this order."""
    return world.risk.rested


def test_what_rests_dearer_is_due_dearer_and_stands_for_more_of_the_book() -> None:
    book = with_intent(RiskBook(), intent("A"))
    dearer = with_limit(book, "A", NEW)

    assert (due(book), due(dearer), due(with_limit(dearer, "A", OLD))) == (LOT * OLD, LOT * NEW, LOT * OLD)
    shares = Concentration(max_share=0.5, from_paise=2 * LOT * OLD)
    other = intent("B", symbol="SENSEX2591180000PE", limit_paise=OLD)
    assert shares.check(other, book) is None
    assert shares.use(with_intent(dearer, other)).used == NEW / (OLD + NEW)


def test_it_is_told_of_no_order_that_has_ended_or_that_nobody_knows() -> None:
    book = with_end(with_intent(RiskBook(), intent("A")), "A")

    assert with_limit(with_limit(book, "A", NEW), "B", NEW) == book


def test_a_replay_counts_what_the_ledger_says_that_rests() -> None:
    order = resting(Order(intent=intent("A"), state="OPEN"), limit(NEW))

    assert due(replay([order], [])) == LOT * NEW
    assert due(replay([Order(intent=intent("A"), state="OPEN")], [])) == LOT * OLD


@pytest.mark.parametrize(
    ("answer", "paise", "heard"),
    [
        ("ack", NEW, [("A", NEW)]),
        ("ack", OLD - 500, [("A", OLD - 500)]),
        ("refuse", NEW, []),
        ("lose the answer", NEW, [("A", NEW)]),
        ("lose the request", NEW, [("A", NEW)]),  # it may be on its way still
        ("lose the request", OLD - 500, []),  # what rests is the dearer one
    ],
)
def test_after_a_modification_risk_hears_what_the_order_may_cost(
    answer: str, paise: int, heard: list[tuple[str, int]]
) -> None:
    world = World()
    world.oms.submit(intent("A"))
    world.broker.next_modify = answer
    world.oms.modify("A", limit(paise))

    assert told(world) == heard


def test_once_the_book_shows_what_rests_it_counts_at_that_again() -> None:
    world = World()
    world.oms.submit(intent("A"))
    for answer, paise in (("lose the request", NEW + 500), ("ack", NEW)):
        world.broker.next_modify = answer
        world.oms.modify("A", limit(paise))
    world.clock.sleep(10)
    world.oms.on_timer()

    assert told(world) == [("A", NEW + 500), ("A", NEW)]
    assert world.risk.live == {"A": NEW}


def test_a_limit_asked_for_in_vain_is_forgotten_once_other_terms_show() -> None:
    world = World()
    world.oms.submit(intent("A", order_type="SL", limit_paise=OLD, trigger_paise=34_000))
    world.broker.next_modify = "lose the request"
    world.oms.modify("A", Terms(order_type="SL", limit_paise=NEW, trigger_paise=34_000))
    world.oms.modify("A", Terms(order_type="SL", limit_paise=OLD, trigger_paise=34_500))
    heard = told(world)
    world.clock.sleep(10)
    world.oms.on_timer()

    assert (heard, world.risk.live) == ([("A", NEW), ("A", 0)], {"A": 0})


def test_of_a_sale_that_leaves_nobody_asks_at_what_price() -> None:
    world = World()
    world.long(2 * LOT)
    world.oms.submit(leave("X"))
    world.oms.modify("X", limit(80_000))
    world.clock.sleep(10)
    world.oms.on_timer()

    assert (told(world), world.risk.live) == ([], {"X": 0})


def test_what_was_lost_on_the_way_to_risk_it_reads_in_the_ledger() -> None:
    desk = CrashDesk()
    line = LostAnswers(desk.risk)
    desk.risk = line  # type: ignore[assignment]
    desk.start()
    desk.oms.submit(intent("A"))
    modify = desk.broker.modify
    desk.broker.modify = lambda *asked: (modify(*asked), setattr(line, "before", True))[0]  # type: ignore[method-assign]
    desk.oms.modify("A", limit(NEW))
    line.before = False
    before = due(line.risk._book)
    desk.clock.sleep(10)
    desk.oms.on_timer()

    assert (before, due(line.risk._book)) == (LOT * OLD, LOT * NEW)


@pytest.mark.parametrize("answer", ["ack", "lose the answer"])
def test_wherever_the_process_ends_in_a_modification_risk_counts_what_rests(answer: str) -> None:
    for step in range(1, 40):
        desk = CrashDesk()
        desk.fault.around(desk.broker, "modify")
        desk.oms.submit(intent("A"))
        desk.fault.dies_at, desk.broker.next_modify = desk.fault.steps + step, answer
        try:
            desk.oms.modify("A", limit(NEW))
        except Died:
            desk.fault.dies_at = -1
            desk.start()
            desk.oms.on_timer()
        else:
            break
        rests = desk.broker.orders["A"].resting_limit_paise or OLD
        assert due(desk.risk._book) == LOT * rests, f"died at step {step}"
    assert step > 10


def test_what_the_order_manager_is_unsure_of_stays_the_dearer_after_risk_has_read_the_ledger() -> None:
    desk = Desk()
    desk.journal("A")
    desk.risk.settle({"A": NEW}, [])
    unsure = due(desk.risk._book)
    desk.ledger.table["A"] = resting(desk.ledger.table["A"], limit(OLD + 500))
    desk.risk.settle({"A": OLD + 500}, [])

    assert (unsure, due(desk.risk._book)) == (LOT * NEW, LOT * (OLD + 500))


def test_an_entry_after_a_modification_upwards_meets_what_is_left() -> None:
    desk = Desk(LimitsConfig(exposure=Exposure(max_paise=2 * LOT * OLD)))
    desk.risk.on_marks(chain())
    asked = [refused(desk, "A"), refused(desk, "B")]
    desk.risk.release("B")
    desk.risk.rests("A", NEW)

    assert [*asked, refused(desk, "C")] == [[], [], ["exposure"]]


def test_one_asked_back_to_its_first_limit_counts_at_that_while_nobody_knows() -> None:
    desk = Desk()
    desk.journal("A")
    desk.ledger.table["A"] = resting(desk.ledger.table["A"], limit(OLD - 500))
    desk.risk.settle({"A": OLD - 500}, [])
    cheaper = due(desk.risk._book)
    desk.risk.settle({"A": 0}, [])

    assert (cheaper, due(desk.risk._book)) == (LOT * (OLD - 500), LOT * OLD)


def test_other_terms_are_judged_in_the_place_of_what_rests() -> None:
    desk = Desk(LimitsConfig(exposure=Exposure(max_paise=LOT * NEW)))
    desk.risk.on_marks(chain())
    asked = refused(desk, "A")
    other = msgspec.structs.replace(desk.risk._book.placed["A"].intent, tag="B", purpose="hedge")
    dearer, too_dear = (msgspec.structs.replace(other, limit_paise=paise) for paise in (NEW, NEW + 500))

    assert asked == []
    assert desk.risk.check(dearer, "A").refusals == ()
    assert [one.limit for one in desk.risk.check(too_dear, "A").refusals] == ["exposure"]
    assert [one.limit for one in desk.risk.check(dearer).refusals] == ["exposure"], "beside it, it is too much"
    assert live_limits(desk.risk._book) == {"A": 0}, "what was asked about is not working"


def test_other_terms_are_one_more_order_of_the_strategys_rate() -> None:
    desk = Desk(LimitsConfig(order_rate=OrderRate(max_per_minute=3)))
    desk.risk.on_marks(chain())
    asked = [refused(desk, "A")]
    for step in range(3):
        other = intent(f"A modified {step}", limit_paise=NEW, purpose="hedge")
        asked.append([one.limit for one in desk.risk.check(other, "A").refusals])

    assert asked == [[], [], [], ["order_rate"]]
    assert live_limits(desk.risk._book) == {"A": 0}


def test_other_terms_need_free_at_the_broker_only_what_they_need_more() -> None:
    desk = Desk()
    desk.risk.on_marks(chain())
    desk.risk.check(intent("A"))
    said = Funds(available_paise=LOT * 500, used_paise=0, at_ns=NOON + SENT_NS)  # A's premium is taken off
    desk.risk.funds(said)
    asked = {
        paise: [
            one.limit for one in desk.risk.check(intent(f"A{paise}", limit_paise=paise, purpose="hedge"), "A").refusals
        ]
        for paise in (34_500, 35_000, 35_500, 35_505)
    }

    assert asked == {34_500: [], 35_000: [], 35_500: [], 35_505: ["margin"]}


def test_what_an_order_takes_is_not_free_by_a_figure_of_before_it() -> None:
    """The broker had not taken it off yet: all that the other terms need must be free."""
    desk = Desk()
    desk.risk.on_marks(chain())
    desk.risk.funds(Funds(available_paise=LOT * 35_500, used_paise=0, at_ns=NOON + SENT_NS - 1))
    desk.risk.check(intent("A", created_ns=NOON))
    asked = [
        [one.limit for one in desk.risk.check(intent(f"A{paise}", limit_paise=paise, purpose="hedge"), "A").refusals]
        for paise in (35_500, 35_505)
    ]

    assert asked == [[], ["margin"]]


def test_a_refused_modification_is_found_by_the_order_it_was_for() -> None:
    desk = Desk(LimitsConfig(exposure=Exposure(max_paise=LOT * OLD)))
    desk.risk.on_marks(chain())
    refused(desk, "A")
    desk.risk.check(intent("A at other terms", limit_paise=NEW, purpose="hedge"), "A")
    refused(desk, "B")

    said = [(event.kind, event.subject, event.action_taken) for _, event in desk.ledger.events]
    assert [one for one in said if one[0] == "refusal"] == [
        ("refusal", "A", "the order was not modified"),
        ("refusal", "B", "the order was not sent"),
    ]


def test_an_order_that_is_over_says_so_when_it_is_modified() -> None:
    world = World()
    world.oms.submit(intent("A"))
    world.oms.cancel("A")

    answer = world.oms.modify("A", limit(NEW))
    assert (answer.state, "order A is over" in answer.message) == ("CANCELLED", True)


def test_risk_is_not_asked_about_what_the_order_budget_has_no_room_for() -> None:
    """What risk lets through is one more in its rate of orders, sent or not."""
    world = World(budget=BudgetConfig(requests_a_second=4, exits_keep_a_second=1, hedges_keep_a_second=1))
    sent = [world.oms.submit(intent(tag)).state for tag in "ABCD"]
    changed = [world.oms.modify("A", limit(NEW + more)).message.split(":")[:2] for more in (0, 500)]
    world.clock.sleep(1)
    world.oms.modify("A", limit(NEW + 500))
    world.oms.submit(intent("E"))

    assert sent == ["OPEN", "OPEN", "REFUSED", "REFUSED"]
    assert changed == [[""], ["not modified", " requests_a_second"]]
    assert (world.risk.asked[:2], world.risk.asked[-1], len(world.risk.asked)) == (["A", "B"], "E", 5)
    assert world.risk.working == {"A", "B", "E"}
