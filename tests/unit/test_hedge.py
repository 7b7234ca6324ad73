"""An order that calls itself a hedge lowers the worst stress loss, or it is an entry in every respect."""

import msgspec
import pytest

from core.errors import InputError
from core.records import COVER, Side, Terms, Verdict
from core.risk.book import RiskBook, trades, with_end
from core.risk.case import Memory
from core.risk.hedge import as_judged, let_through
from tests.fakes_orders import LOT, intent
from tests.unit.test_risk_actor import Desk, chain, refused
from tests.world_oms import World
from tests.world_risk import BANK, CALL, FAR_WING, PUT, WING, holding, order, valued, working


def judged(book: RiskBook, symbol: str, number: int, replaces: str = "", **how: object) -> str:
    return as_judged(order(book, symbol, number, purpose="hedge", **how), book, replaces).purpose


@pytest.mark.parametrize(
    ("held", "symbol", "number", "purpose"),
    [
        ({CALL: -1}, WING, 1, "hedge"),
        ({CALL: -1}, FAR_WING, 1, "hedge"),
        ({CALL: -1}, PUT, 1, "entry"),
        ({CALL: -1}, BANK, 1, "entry"),
        ({}, WING, 1, "entry"),
        ({CALL: 1}, WING, -1, "hedge"),
        ({CALL: 1}, WING, -3, "entry"),
    ],
)
def test_it_is_one_if_the_worst_loss_is_lower_after_it(
    held: dict[str, int], symbol: str, number: int, purpose: str
) -> None:
    assert judged(holding(held), symbol, number) == purpose


def test_of_a_plan_the_cover_is_bought_first_and_a_sale_is_measured_all_the_same() -> None:
    book = valued()

    asked = ((WING, "P1", COVER), (CALL, "P1", COVER), (WING, "", COVER), (WING, "P1", "P1"))
    found = [judged(book, name, -1 if name == CALL else 1, plan=plan, reason=why) for name, plan, why in asked]

    assert found == ["hedge", "entry", "entry", "entry"]


def test_other_terms_of_an_order_that_rests_are_no_trade_of_their_own() -> None:
    book = working(valued(), CALL, 2)

    assert (judged(book, CALL, 2, "W0"), judged(book, CALL, 1, "W0")) == ("hedge", "entry")
    assert judged(with_end(book, "W0"), CALL, 2, "W0") == "entry"


def test_an_order_like_one_that_rests_is_no_hedge_by_that() -> None:
    assert judged(working(valued(), CALL, 2), CALL, 2) == "entry"


def test_the_order_manager_names_the_order_whose_other_terms_it_asks_about() -> None:
    world = World()
    world.oms.submit(intent("A", order_type="LIMIT", limit_paise=100_00))
    world.oms.modify("A", Terms(order_type="LIMIT", limit_paise=101_00))

    assert world.risk.replaced == ["", "A"]


def test_what_nobody_can_value_is_an_entry() -> None:
    book = msgspec.structs.replace(holding({CALL: -1}), values={}, memory=Memory())

    assert judged(book, WING, 1) == "entry"


def test_a_hedge_in_name_alone_is_a_trade_of_its_day_until_it_died_unfilled() -> None:
    book = valued()
    asked = order(book, WING, 1, purpose="hedge")
    after = let_through(book, asked, as_judged(asked, book))
    true = order(book, WING, 1, purpose="hedge", plan="P1", reason=COVER)

    assert (trades(after, "s"), trades(with_end(after, asked.tag), "s")) == (1, 0)
    assert trades(let_through(book, true, as_judged(true, book)), "s") == 0


def test_the_limit_of_trades_a_day_counts_it_after_a_restart_of_risk_too() -> None:
    desk = Desk()
    desk.risk.on_marks(chain())
    for number in range(3):
        assert refused(desk, f"H{number}", purpose="hedge") == []
        desk.risk.book(desk.journal(f"H{number}", fill=35_000, purpose="hedge"))
    before = refused(desk, "H3", purpose="hedge")
    desk.clock.sleep(1)
    desk.risk.on_marks(chain(at_ns=desk.clock.now))
    desk.restart()
    desk.risk.on_marks(chain(at_ns=desk.clock.now))

    assert (before, refused(desk, "H4", purpose="hedge")) == (["trades_per_day"], ["trades_per_day"])


def test_nobody_but_a_plan_sends_an_order_of_a_plan() -> None:
    """Its purchases are hedges unmeasured, and no duplicates of each other."""
    world = World()
    with pytest.raises(InputError, match="plan P1"):
        world.oms.submit(intent("H", purpose="hedge", plan="P1"))
    assert (world.broker.orders, list(world.oms.orders())) == ({}, [])


@pytest.mark.parametrize(("verdict", "side", "state"), [("entry", "BUY", "REFUSED"), ("", "BUY", "OPEN")])
def test_the_order_budget_takes_it_for_what_risk_judged_it_as(verdict: str, side: Side, state: str) -> None:
    budget = {"requests_a_second": 4, "exits_keep_a_second": 1, "hedges_keep_a_second": 2}
    world = World(budget=budget)
    world.oms.submit(intent("A"))  # the one that entries have room for
    world.risk.answer = Verdict(purpose=verdict)  # type: ignore[arg-type]

    assert world.oms.submit(intent("H", purpose="hedge", side=side, quantity=LOT)).state == state
