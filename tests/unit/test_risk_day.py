"""What risk knows of the day after its own restart: the best results, and what it has said already."""

import pytest

from core.errors import LedgerDown
from core.records import LimitUse, RiskDay
from core.risk.limits.limits import LimitsConfig
from core.risk.warnings import in_words
from tests.fakes_orders import LOT, NOON, SECOND, intent
from tests.unit.test_risk_actor import Desk, chain, refused

EARNED = 5_000  # paise a unit: with four lots of 20 ₹4,000, of which a drawdown limit of ₹3,000 lets ₹1,000 stand
FALLS = LimitsConfig.model_validate({"drawdown": {"max_paise": 300_000}})
LOCKS = LimitsConfig.model_validate({"profit_lock": {"arm_paise": 300_000, "keep": 0.5}})


def look(desk: Desk, bid: int, seconds: float = 1.0) -> None:
    """The market `seconds` later."""
    desk.clock.sleep(seconds)
    desk.risk.on_marks(chain(bid=bid, ask=bid + 10, at_ns=desk.clock.now))


def earned(limits: LimitsConfig | None = None) -> Desk:
    """Four lots are held, and the day has earned some ₹4,000."""
    desk = Desk(limits)
    desk.risk.on_marks(chain(bid=34_990, ask=35_000))
    desk.risk.check(intent("A", quantity=4 * LOT))
    desk.risk.book(desk.journal("A", fill=35_000, quantity=4 * LOT))
    look(desk, 35_000 + EARNED)
    return desk


def test_before_the_first_chain_after_a_restart_nothing_is_given_back_that_nobody_has_priced() -> None:
    desk = earned(FALLS)
    desk.restart()
    before = desk.risk.breach()
    look(desk, 35_000, 0.0)

    assert (before, desk.risk.breach().partition(":")[0]) == ("", "drawdown")


def test_a_restart_at_a_loss_makes_no_best_result_of_what_is_held_at_its_cost() -> None:
    desk = Desk(FALLS)
    desk.risk.on_marks(chain(bid=34_990, ask=35_000))
    desk.risk.check(intent("A", quantity=4 * LOT))
    desk.risk.book(desk.journal("A", fill=35_000, quantity=4 * LOT))
    desk.risk.check(intent("B", quantity=LOT, side="SELL", purpose="exit"))
    desk.risk.book(desk.journal("B", fill=55_000, quantity=LOT, side="SELL", purpose="exit"))
    look(desk, 25_000)
    highs = desk.risk._book.highs
    desk.restart()
    look(desk, 25_000, 0.0)

    assert desk.risk._book.highs == highs


@pytest.mark.parametrize(("limits", "limit"), [(FALLS, "drawdown"), (LOCKS, "profit_lock")])
def test_after_a_restart_the_fall_from_the_days_best_is_judged_as_before(limits: LimitsConfig, limit: str) -> None:
    desk = earned(limits)
    look(desk, 35_000)
    before = [use for use in desk.risk.limits() if use.limit == limit]
    desk.restart()
    look(desk, 35_000, 0.0)

    assert [use for use in desk.risk.limits() if use.limit == limit] == before
    assert refused(desk, "B", limit_paise=35_005) == [limit]


def test_the_peak_of_each_strategy_is_kept_too() -> None:
    own = {"strategies": {"s": {"drawdown": {"max_paise": 300_000}}}}
    desk = earned(LimitsConfig.model_validate(own))
    look(desk, 35_000)
    desk.restart()
    look(desk, 35_000, 0.0)

    assert refused(desk, "B", limit_paise=35_005) == ["drawdown"]
    assert refused(desk, "C", limit_paise=35_005, strategy="t") == []


def test_what_was_said_before_a_restart_is_not_said_again() -> None:
    desk = Desk(LimitsConfig.model_validate({"position": {"max_lots": 5}, "daily_loss": {"max_loss_paise": 100_000}}))
    desk.risk.on_marks(chain(bid=34_990, ask=35_000))
    desk.risk.check(intent("A", quantity=4 * LOT))
    desk.risk.book(desk.journal("A", fill=35_000, quantity=4 * LOT))
    look(desk, 33_000)
    said = [event for _, event in desk.ledger.events]
    desk.restart()
    look(desk, 33_000)

    assert {event.subject for event in said} >= {"position", "daily_loss"}
    assert [event for _, event in desk.ledger.events] == said


def test_yesterdays_best_is_not_todays() -> None:
    desk = earned(FALLS)
    desk.ledger.risk_days = {"2025-09-04": RiskDay(date="2025-09-04", highs={"": 10**9}, lost=True)}
    desk.restart()
    look(desk, 35_000, 0.0)

    assert refused(desk, "B", limit_paise=35_005) == []


def test_a_peak_that_creeps_is_not_written_with_every_chain() -> None:
    desk = earned()
    writes: list[str] = []
    desk.ledger.down = lambda name: bool(name == "record_risk_day" and writes.append(name))
    for second in range(1, 60):
        look(desk, 35_000 + EARNED + 5 * second)  # ₹4 a second
    crept = len(writes)
    look(desk, 35_000 + 2 * EARNED)

    assert (crept, len(writes)) == (0, 1)
    assert desk.ledger.risk_day().highs[""] >= 4 * LOT * 2 * EARNED - 100_000


def test_what_the_ledger_did_not_take_is_written_at_the_next_look() -> None:
    desk = earned()
    kept = desk.ledger.risk_day().highs[""]
    desk.ledger.down = lambda name: name == "record_risk_day"
    with pytest.raises(LedgerDown):
        look(desk, 35_000 + 2 * EARNED)
    desk.ledger.down = lambda name: False
    look(desk, 35_000 + 2 * EARNED)

    assert desk.ledger.risk_day().highs[""] > kept
    assert desk.clock.now > NOON + 2 * SECOND


def test_a_warning_that_the_ledger_did_not_take_is_an_event_once_it_does() -> None:
    desk = Desk(LimitsConfig.model_validate({"position": {"max_lots": 5}}))
    desk.risk.on_marks(chain(bid=34_990, ask=35_000))
    desk.risk.check(intent("A", quantity=4 * LOT))
    desk.risk.book(desk.journal("A", fill=35_000, quantity=4 * LOT))
    desk.ledger.down = lambda name: name == "record_risk_event"
    with pytest.raises(LedgerDown):
        look(desk, 35_000)
    desk.ledger.down = lambda name: False
    look(desk, 35_000)
    look(desk, 35_000)

    assert [event.subject for _, event in desk.ledger.events].count("position") == 1


@pytest.mark.parametrize(("lots", "passed"), [(4, ""), (3, "position")])
def test_what_may_be_held_whole_is_passed_by_more_than_it(lots: int, passed: str) -> None:
    desk = earned()
    desk.config = desk.config.model_copy(update={"kill_on": ("position",)})
    desk.restart()
    look(desk, 35_000, 0.0)
    desk.risk.set_limits({"position.max_lots": lots}, "asha", "a test")

    assert desk.risk.breach().partition(":")[0] == passed


def test_of_a_limit_that_allows_nothing_the_words_have_no_share() -> None:
    nothing = LimitUse(limit="premium", used=5, allowed=0, unit="rupees")

    assert in_words(nothing) == "premium: ₹5 of ₹0 are used"
