"""What passes as an exit while the book can be valued, and what while it cannot."""

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from core.risk.book import with_fill
from core.risk.case import case_of
from core.risk.exit import exit_refusal
from core.risk.limits.limits import LimitsConfig
from core.risk.plain_exit import plain_exit
from core.risk.verdict import verdict
from core.rupees import whole_rupees
from tests.world_risk import CALL, FAR_WING, PUT, SYMBOLS, WING, holding, order, trade, valued, working

BASE = valued()


def leaves(held: dict[str, int], symbol: str, number: int, *, blind: bool = False) -> bool:
    book = holding(held, BASE)
    book = msgspec.structs.replace(book, values={}) if blind else book
    return exit_refusal(order(BASE, symbol, number, purpose="exit"), book) is None


@pytest.mark.parametrize("blind", [False, True])
@pytest.mark.parametrize(
    ("held", "symbol", "number", "is_one"),
    [
        ({CALL: -1, WING: 1}, WING, -1, False),  # the wing of a spread
        ({CALL: -1, WING: 1}, CALL, 1, True),
        ({CALL: 1, WING: -1}, WING, 1, True),  # the short of a debit spread
        ({CALL: 1, WING: -1}, CALL, -1, False),
        ({CALL: 1, PUT: 1}, PUT, -1, True),  # half of a straddle
        ({CALL: -1, PUT: -1}, PUT, 1, True),
        ({CALL: 1}, CALL, -1, True),
        ({CALL: 1}, CALL, -2, False),
        ({CALL: 1}, CALL, 1, False),
        ({CALL: 1}, PUT, -1, False),
        ({CALL: -1, WING: 1, FAR_WING: 1}, FAR_WING, -1, True),
    ],
)
def test_an_exit_is_what_nobody_can_lose_more_after(
    held: dict[str, int],
    symbol: str,
    number: int,
    *,
    is_one: bool,
    blind: bool,
) -> None:
    assert leaves(held, symbol, number, blind=blind) is is_one


def test_a_false_exit_is_refused_by_name_with_the_figures_before_and_after() -> None:
    book = holding({CALL: -1, WING: 1}, BASE)
    asked = order(book, WING, -1, purpose="exit")
    case = case_of(asked, book)
    (refusal,) = verdict(LimitsConfig().all(), asked, book).refusals

    assert refusal.limit == "exit"
    for said, worst, margin in (
        (refusal.allowed, case.stress_before, case.margin_before),
        (refusal.asked, case.stress_after, case.margin_after),
    ):
        assert said == f"worst loss {whole_rupees(worst.loss)}, margin {whole_rupees(margin.blocked_paise / 100)}"
    assert case.margin_after.blocked_paise > case.margin_before.blocked_paise


def test_more_than_is_held_and_not_leaving_is_no_exit() -> None:
    book = working(holding({CALL: 2}, BASE), CALL, -1, purpose="exit", tag="LEAVING")
    refusal = exit_refusal(order(book, CALL, -2, purpose="exit"), book)

    assert (refusal.allowed, refusal.asked) == ("65 units", "130 units")
    assert exit_refusal(order(book, CALL, -1, purpose="exit"), book) is None


def test_a_strategy_leaves_its_own_position_unless_it_covers_another_s_short() -> None:
    short = holding({CALL: 1}, holding({CALL: -1}, BASE, strategy="a"), strategy="b")  # the desk is flat

    assert exit_refusal(order(short, CALL, 1, purpose="exit", strategy="a"), short) is None
    refusal = exit_refusal(order(short, CALL, -1, purpose="exit", strategy="b"), short)
    assert "buy back first" in refusal.why  # a would be naked
    assert exit_refusal(order(short, CALL, 2, purpose="exit", strategy="a"), short).allowed == "65 units"


def test_a_square_off_by_nobody_s_strategy_leaves_what_the_desk_holds() -> None:
    book = holding({CALL: 2}, BASE, strategy="a")

    assert exit_refusal(order(book, CALL, -2, purpose="exit", strategy="manual"), book) is None
    assert exit_refusal(order(book, CALL, -3, purpose="exit", strategy="manual"), book) is not None


def test_an_unvalued_cover_is_kept_with_the_reason() -> None:
    book = msgspec.structs.replace(holding({CALL: -1, WING: 1}, BASE), values={})
    refusal = exit_refusal(order(BASE, WING, -1, purpose="exit"), book)

    assert "no chain of NIFTY" in refusal.why


def test_a_true_exit_meets_no_limit_at_all() -> None:
    book = holding({CALL: -9}, BASE)
    tight = LimitsConfig.model_validate({"order_size": {"max_lots": 1}, "exposure": {"max_paise": 1}})

    assert verdict(tight.all(), order(book, CALL, 9, purpose="exit"), book).refusals == ()
    assert len(verdict(tight.all(), order(book, CALL, 9), book).refusals) >= 1


LEGS = st.dictionaries(st.sampled_from(SYMBOLS), st.integers(-3, 3).filter(bool), max_size=4)


@given(LEGS, st.sampled_from(SYMBOLS), st.integers(-4, 4).filter(bool))
@example({"NIFTY26JUL24400CE": 2, "NIFTY26JUL24400PE": 1, "NIFTY26JUL24600CE": -1}, "NIFTY26JUL24400PE", -1)
def test_no_exit_raises_the_margin_beyond_what_a_calendar_charge_does_or_opens_anything(
    held: dict[str, int], name: str, number: int
) -> None:
    book = holding(held, BASE)
    asked = order(book, name, number, purpose="exit")
    if exit_refusal(asked, book) is not None:
        return
    then = with_fill(book, trade(book, name, number, strategy="x"))
    before, after = (case_of(None, each).margin_before for each in (book, then))

    assert abs(then.holdings[name].quantity) < abs(book.holdings[name].quantity)
    if number < 0 and plain_exit({symbol: one.quantity for symbol, one in book.holdings.items()}, asked):
        return  # it covers no short, so its holder may sell it, though in the worst case it brings more than it cost
    assert after.scan_paise + after.exposure_paise <= before.scan_paise + before.exposure_paise + _net_premium(
        before, after
    )


def _net_premium(before: object, after: object) -> int:
    """A long sold no longer counts against the scan of the others, at most by what it was worth."""
    return abs(after.nov_paise - before.nov_paise)  # type: ignore[attr-defined]
