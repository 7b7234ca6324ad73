"""Layers 1 and 2: is the market there, and is its price one to trade on. Each limit below, at and above its border."""

import datetime as dt

import msgspec
import pytest

from core.market import IST, to_ns
from core.market.closed import closed, holiday_name
from core.risk.book import RiskBook, at, with_marks, with_values
from core.risk.limits.contract import KnownContract
from core.risk.limits.market_hours import MarketHours
from core.risk.limits.price_band import PriceBand
from core.risk.limits.price_distance import PriceDistance
from core.risk.limits.spike import Spike
from core.risk.limits.spread import Spread
from core.risk.limits.stale_quote import StaleQuote
from core.risk.marks import BASE_NS, Mark
from tests.fakes_orders import NOON as DAY_NOON
from tests.fakes_orders import SYMBOL, intent
from tests.world_risk import CALL, NOON, SECOND, holding, order, passes, valued


def marked(**changes: int) -> RiskBook:
    mark = Mark(bid_paise=34_900, ask_paise=35_100, last_paise=35_000, at_ns=DAY_NOON)
    return with_marks(at(RiskBook(), DAY_NOON), {SYMBOL: msgspec.structs.replace(mark, **changes)})


@pytest.mark.parametrize(
    ("moment", "reason", "word"),
    [
        ("2026-11-21 12:00", "weekend", "Saturday"),
        ("2026-11-24 12:00", "holiday", "Guru Nanak Jayanti"),
        ("2026-12-25 12:00", "holiday", "Christmas"),
        ("2023-06-29 12:00", "holiday", "a trading holiday"),
        ("2025-10-21 12:00", "muhurat", "13:45 to 14:45"),
        ("2026-11-08 18:30", "unknown", "muhurat"),
        ("2026-11-23 09:10", "pre-open", "09:15 to 15:40"),
        ("2026-11-23 09:14", "pre-open", "options"),
        ("2026-11-23 15:40", "closed", "15:40"),
        ("2024-03-02 11:00", "closed", "pauses"),
        ("2095-01-05 12:00", "unknown", "outside the calendar"),
    ],
)
def test_a_closed_market_says_why(moment: str, reason: str, word: str) -> None:
    now_ns = to_ns(dt.datetime.fromisoformat(moment).replace(tzinfo=IST))
    refusal = MarketHours().check(intent(), at(RiskBook(), now_ns))

    assert (refusal.limit, refusal.allowed, refusal.asked) == ("market_hours", "open", reason)
    assert word in refusal.why
    assert MarketHours().check(intent(variety="amo"), at(RiskBook(), now_ns)) is None


def test_the_session_is_open_from_its_first_second_to_its_last() -> None:
    moments = ("2026-11-23 09:15", "2026-11-23 15:39", "2025-10-21 13:45", "2026-02-01 12:00", "2024-03-02 11:30")
    found = [closed("BSE", to_ns(dt.datetime.fromisoformat(text).replace(tzinfo=IST))) for text in moments]

    assert found == [None] * len(moments)


def test_a_holiday_of_every_year_has_its_name_in_every_year() -> None:
    assert (holiday_name(dt.date(2019, 8, 15)), holiday_name(dt.date(2019, 10, 28))) == ("Independence Day", "")


def test_a_contract_is_known_by_its_chain() -> None:
    book, limit = valued(CALL), KnownContract()
    other = order(book, CALL, 1, symbol="NIFTY26JUL24450CE")

    assert passes(limit, order(book, CALL, 1), book)
    assert "does not list NIFTY26JUL24450CE" in limit.check(other, book).why
    assert passes(limit, other, at(RiskBook(), NOON))  # before the first chain: stale_quote refuses it
    assert "no Kite symbol" in limit.check(order(book, CALL, 1, symbol="NIFTY26JULCE"), book).why
    assert "expired" in limit.check(order(book, CALL, 1, symbol="NIFTY26JUN24400CE"), book).why


def test_the_price_band_is_what_a_tenth_of_the_index_would_make_of_the_price() -> None:
    book, limit = valued(), PriceBand()
    low, high = limit.band(order(book, CALL, 1), book)

    assert 5 <= low < 100
    assert 2_400_00 < high < 2_700_00  # 24,400 × 1.1 less the strike, and some time value
    for price, through in ((low, True), (high, True), (high + 5, False), (2 * high, False)):
        assert passes(limit, order(book, CALL, 1, limit_paise=price), book) is through
    assert passes(limit, order(book, CALL, 1, limit_paise=0, order_type="MARKET"), book)
    assert PriceBand().band(intent(), marked()) is None


def test_a_put_s_band_is_the_other_way_round() -> None:
    book = valued()
    low, high = PriceBand(move=0.01).band(order(book, "NIFTY26JUL24400PE", 1), book)

    assert low < book.marks["NIFTY26JUL24400PE"].mid_paise < high


def test_the_limit_price_may_be_five_per_cent_or_twenty_ticks_from_the_last() -> None:
    limit = PriceDistance()
    asked = {price: passes(limit, intent(limit_paise=price), marked()) for price in (33_250, 33_245, 36_750, 36_755)}

    assert asked == {33_250: True, 33_245: False, 36_750: True, 36_755: False}
    cheap = marked(bid_paise=95, ask_paise=105, last_paise=100)
    assert {price: passes(limit, intent(limit_paise=price), cheap) for price in (200, 205)} == {200: True, 205: False}


def test_a_last_trade_the_quote_has_left_behind_counts_as_the_quote() -> None:
    limit, moved = PriceDistance(), marked(bid_paise=40_000, ask_paise=40_100, last_paise=35_000)

    assert passes(limit, intent(limit_paise=42_000), moved)
    assert not passes(limit, intent(limit_paise=35_000), moved)
    assert passes(limit, intent(limit_paise=35_000), at(RiskBook(), DAY_NOON))


def test_a_stop_limit_is_measured_from_its_trigger() -> None:
    limit = PriceDistance()
    far = intent(order_type="SL", trigger_paise=40_000, limit_paise=40_500)

    assert passes(limit, far, marked())
    assert "its trigger" in limit.check(msgspec.structs.replace(far, limit_paise=42_005), marked()).why


def test_the_index_s_own_chain_may_be_no_older_than_the_quote_may() -> None:
    book, limit = valued(CALL), StaleQuote(max_age_ms=10_000)
    quote = msgspec.structs.replace(book.marks[CALL], at_ns=NOON + 20 * SECOND)
    book = with_marks(at(book, NOON + 11 * SECOND), {CALL: quote})
    fresh_index = with_values(book, _aged(book, 1))

    assert "NIFTY is 11.0 s old" in limit.check(order(book, CALL, 1), book).why
    assert passes(limit, order(book, CALL, 1), with_values(book, _aged(book, 10)))
    assert passes(limit, order(book, CALL, 1), fresh_index)
    assert passes(limit, order(book, CALL, 1, variety="amo"), book)


def _aged(book: RiskBook, seconds: int) -> object:
    return msgspec.structs.replace(book.values["NIFTY"], as_of_ns=book.now_ns - seconds * SECOND)


@pytest.mark.parametrize(("price", "through"), [(43_750, True), (43_760, False), (26_250, True), (26_240, False)])
def test_a_jump_of_a_quarter_within_five_seconds_is_a_spike(price: int, through: bool) -> None:  # noqa: FBT001
    book = at(marked(), DAY_NOON + 60 * SECOND)
    now = {SYMBOL: Mark(bid_paise=price, ask_paise=price, last_paise=price, at_ns=DAY_NOON + 60 * SECOND)}
    book = with_marks(book, now)

    assert passes(Spike(), intent(), book) is through
    assert passes(Spike(), intent(), at(book, book.now_ns + BASE_NS))  # it has stood for five seconds
    assert passes(Spike(), intent(variety="amo"), book)


def test_steps_within_five_seconds_add_up_and_slow_ones_do_not() -> None:
    def walked(gap_s: int) -> RiskBook:
        book, price = marked(), 35_000
        for step in range(1, 5):
            price, now = int(price * 1.08), DAY_NOON + step * gap_s * SECOND
            book = with_marks(at(book, now), {SYMBOL: Mark(last_paise=price, at_ns=now)})
        return book

    assert not passes(Spike(), intent(), walked(1))
    assert passes(Spike(), intent(), walked(6))


def test_forty_ticks_are_no_spike() -> None:
    for price, through in ((300, True), (305, False)):
        book = with_marks(
            marked(bid_paise=0, ask_paise=0, last_paise=100), {SYMBOL: Mark(last_paise=price, at_ns=DAY_NOON + 1)}
        )
        assert passes(Spike(), intent(), book) is through


@pytest.mark.parametrize(
    ("bid", "ask", "through"),
    [
        (9_500, 10_500, True),
        (9_500, 10_505, False),
        (400, 500, True),  # 20 ticks
        (395, 500, False),
        (0, 5, True),  # no bid, as far out of the money as can be
        (0, 105, False),
        (100, 0, False),  # nobody sells
        (0, 0, True),
    ],
)
def test_a_spread_is_a_tenth_of_the_mid_or_twenty_ticks(bid: int, ask: int, through: bool) -> None:  # noqa: FBT001
    assert passes(Spread(), intent(), marked(bid_paise=bid, ask_paise=ask)) is through
    assert passes(Spread(), intent(variety="amo"), marked(bid_paise=bid, ask_paise=ask))


def test_what_is_held_shows_how_much_of_spike_and_spread_is_used() -> None:
    book = holding({CALL: 1})
    moved = with_marks(
        book, {CALL: msgspec.structs.replace(book.marks[CALL], bid_paise=60_000, ask_paise=66_000, at_ns=NOON + 1)}
    )

    assert Spread().use(moved).used == pytest.approx(6_000 / 63_000)
    assert Spike().use(moved).used == pytest.approx(abs(63_000 / book.marks[CALL].mid_paise - 1))
    assert (Spread().use(valued()).used, Spike().use(valued()).used) == (0, 0)
