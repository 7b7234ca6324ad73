"""The margin of one order beside what is held, as the ticket shows it."""

import datetime as dt
import math
from collections.abc import Mapping

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.risk.risk import RiskActor, RiskConfig
from core.errors import StaleDataError
from core.market import IST, charges_at, to_ns
from core.records import Chain, Fill, Intent, Margin
from core.risk.basket import basket_margin, without
from core.risk.margin import margin_of
from core.risk.margin_portfolio import portfolio_margin
from core.risk.margin_terms import MarginRules, MarginTerms
from core.risk.span import SpanModel
from core.risk.span_legs import Leg, Market
from tests.fakes_ledger import MemoryLedger
from tests.fakes_orders import HandClock, ListBus
from tests.fakes_risk import DAY, LOT, NEAR, chain_of, leg, market

CALL, WING, PUT, FAR_CALL = "NIFTY26JUL24400CE", "NIFTY26JUL25200CE", "NIFTY26JUL23600PE", "NIFTY26AUG24400CE"
ALL = (CALL, WING, PUT, FAR_CALL)
CLOSE = 24_317.10


def live(*symbols: str, on: dt.date = DAY) -> Market:
    """Spot 24,400.00, the close before 24,317.10, every price on a paisa as a quote is."""
    found = market(*(symbols or ALL), on=on)
    index = msgspec.structs.replace(found.underlyings["NIFTY"], close=CLOSE)
    quotes = {symbol: quote._replace(price=round(quote.price, 2)) for symbol, quote in found.quotes.items()}
    return msgspec.structs.replace(found, underlyings={"NIFTY": index}, quotes=quotes)


def noon(on: dt.date = DAY, at: dt.time = dt.time(12)) -> int:
    return to_ns(dt.datetime.combine(on, at, IST))


def order(symbol: str = CALL, side: str = "SELL", **changes: object) -> Intent:
    made = Intent(tag="T", strategy="manual", index="NIFTY", symbol=symbol, side=side, quantity=LOT,
                  order_type="MARKET", limit_paise=0)  # fmt: skip
    return msgspec.structs.replace(made, **changes)


def asked(
    intent: Intent,
    known: Market | Chain | None = None,
    *,
    held: Mapping[str, int] | None = None,
    now_ns: int | None = None,
    rules: MarginRules | None = None,
) -> Margin:
    known = live() if known is None else known
    chain = chain_of(known) if isinstance(known, Market) else known
    return margin_of(intent, chain, held=held or {}, now_ns=noon() if now_ns is None else now_ns, rules=rules)


def blocked(terms: MarginTerms) -> tuple[int, int]:
    return terms.span_paise + terms.buffer_paise, terms.exposure_paise + terms.expiry_day_paise


def terms_of(*legs: Leg, known: Market | None = None, **how: object) -> MarginTerms:
    return portfolio_margin(legs, SpanModel(market=known or live(), **how)).terms


def shown(margin: Margin) -> tuple[int, int]:
    return margin.span_paise, margin.exposure_paise


def test_a_sold_option_blocks_what_a_portfolio_of_it_alone_does_to_the_paisa() -> None:
    """Level and close differ, as they do on any day: a range of the wrong one is seen here."""
    found = asked(order())

    assert shown(found) == blocked(terms_of(leg(CALL, -1)))
    assert (found.premium_paise, found.estimate) == (0, True)
    assert found.total_paise == sum(shown(found)) > 0


def test_where_the_spot_is_not_known_the_forward_moves_and_the_close_still_sets_the_range() -> None:
    index = live(CALL).underlyings["NIFTY"]
    forward = index.expiries[NEAR].forward
    expected = []
    for close in (CLOSE, forward):
        levels = msgspec.structs.replace(index, spot=forward, close=close)
        known = msgspec.structs.replace(live(CALL), underlyings={"NIFTY": levels})
        expected.append(blocked(terms_of(leg(CALL, -1), known=known, carry="forward")))
    found = [shown(asked(order(), chain_of(live(CALL), spot=False, close=close))) for close in (True, False)]

    assert found == expected


def test_from_a_quarter_past_three_the_forward_moves_and_not_the_frozen_spot() -> None:
    """As on 3 August 2026, forwards 0.82 % ahead of a spot that stands still: its own SPAN was 4.7 % too low."""
    day, near, far = dt.date(2026, 8, 19), "NIFTY26AUG24800CE", "NIFTY26SEP24800CE"
    known = live(near, far, on=day)
    index = known.underlyings["NIFTY"]
    ahead = {end: one._replace(forward=1.0082 * one.forward) for end, one in index.expiries.items()}
    index = msgspec.structs.replace(index, expiries=ahead)
    known = msgspec.structs.replace(known, underlyings={"NIFTY": index})
    level = msgspec.structs.replace(index, spot=ahead[min(ahead)].forward)  # the nearest: the auction's best estimate
    moved = msgspec.structs.replace(known, underlyings={"NIFTY": level})
    early, late = (
        asked(order(far), known, held={near: -LOT}, now_ns=noon(day, at)) for at in (dt.time(15, 14), dt.time(15, 25))
    )
    path = basket_margin([leg(far, -1)], SpanModel(market=moved, carry="forward"), held=[leg(near, -1)])

    now, then = blocked(path.before.terms), blocked(path.final.terms)

    assert shown(late) == (then[0] - now[0], then[1] - now[1])
    assert late.span_paise > 1.03 * early.span_paise
    assert late.exposure_paise == pytest.approx(2 * level.spot * LOT, abs=1)
    assert early.exposure_paise == round(2 * index.spot * LOT)


def test_on_its_expiry_day_a_sold_option_has_double_exposure_and_a_broker_may_ask_more() -> None:
    inside = "NIFTY26JUL24000CE"
    plain, day = asked(order()), asked(order(inside), live(inside, on=NEAR), now_ns=noon(NEAR))
    buffered = asked(order(), rules=MarginRules(buffer=0.1))

    assert day.exposure_paise == 2 * plain.exposure_paise == 2 * round(2 * 24_400 * LOT)
    assert buffered.span_paise == pytest.approx(1.1 * plain.span_paise, abs=1)


def test_a_purchase_costs_the_premium_at_its_limit_or_the_ask_and_nothing_beside_what_is_held() -> None:
    ask = round(live().quotes[CALL].price * 100) + 2
    market_order, limit_order = asked(order(side="BUY")), asked(order(side="BUY", limit_paise=ask - 500))
    back = asked(order(side="BUY"), held={CALL: -2 * LOT, PUT: -LOT})

    assert (market_order.premium_paise, shown(market_order)) == (LOT * ask, (0, 0))
    assert limit_order.total_paise == LOT * (ask - 500)
    assert back == market_order


def test_a_sale_is_charged_at_its_price_and_margined_at_the_mark() -> None:
    bid = round(live().quotes[CALL].price * 100) - 2
    at_market, patient = asked(order()), asked(order(limit_paise=bid + 10_000))

    assert at_market.charges_paise == charges_at("NIFTY", "SELL", LOT, bid, DAY).total_paise
    assert patient.charges_paise == charges_at("NIFTY", "SELL", LOT, bid + 10_000, DAY).total_paise
    assert shown(patient) == shown(at_market)


def test_a_sale_beside_a_held_wing_blocks_what_the_pair_does_and_a_second_short_what_it_adds() -> None:
    pair, wing = terms_of(leg(CALL, -1), leg(WING, 1, paid=True)), terms_of(leg(WING, 1, paid=True))
    beside = asked(order(), held={WING: LOT})
    second = asked(order(), held={CALL: -LOT, WING: LOT})
    two = terms_of(leg(CALL, -2), leg(WING, 1, paid=True))

    assert wing.blocked_paise == 0
    assert shown(beside) == blocked(pair)
    assert beside.total_paise < 0.55 * asked(order()).total_paise
    assert shown(second) == tuple(b - a for a, b in zip(blocked(pair), blocked(two), strict=True))


def test_a_sale_of_the_wing_costs_what_the_short_then_needs_alone() -> None:
    book = [leg(CALL, -1), leg(WING, 1, paid=True)]
    naked = without(book, WING, SpanModel(market=live()))
    sold = asked(order(WING, purpose="exit"), held={CALL: -LOT, WING: LOT})

    assert sold.total_paise == naked.more_paise > 50_000 * 100
    assert sold.exposure_paise == 0


def test_selling_what_is_held_needs_no_vol_and_blocks_nothing_while_no_short_is_left() -> None:
    quote = live().quotes[CALL]._replace(vol=math.nan)
    known = msgspec.structs.replace(live(), quotes={**live().quotes, CALL: quote})

    assert asked(order(), known, held={CALL: LOT}).total_paise == 0
    assert asked(order(), known, held={CALL: LOT, "NIFTY26SEP24400CE": LOT}).total_paise == 0  # in no chain yet
    for held in ({}, {CALL: LOT - 1}):
        with pytest.raises(StaleDataError, match=f"{CALL} has no implied vol now: the margin of a sale"):
            asked(order(), known, held=held)


def test_a_monthly_symbol_is_of_the_expiry_it_had_on_the_day_of_the_order() -> None:
    """Of a contract that a later rule of expiry days moved: the chain of the day knows only its first expiry."""
    on, short, wing = dt.date(2025, 2, 3), "NIFTY25SEP24400CE", "NIFTY25SEP25200CE"
    known = live(short, wing, on=on)
    alone, beside = (asked(order(short), known, held=held, now_ns=noon(on)) for held in ({}, {wing: LOT}))

    assert list(known.underlyings["NIFTY"].expiries) == [dt.date(2025, 9, 25)]
    assert 0 < beside.span_paise < alone.span_paise


def test_another_index_and_what_has_expired_do_not_count() -> None:
    held = {"BANKNIFTY26JUL57000CE": -LOT, "NIFTY26JUN23700CE": -LOT, PUT: 0}

    assert asked(order(), held=held) == asked(order())


def test_a_held_leg_without_a_vol_takes_its_expirys_and_one_without_a_price_is_refused_by_name() -> None:
    known, held = live(), {WING: LOT}
    unpriced = {**known.quotes, WING: known.quotes[WING]._replace(vol=math.nan)}
    assert asked(order(), msgspec.structs.replace(known, quotes=unpriced), held=held) == asked(order(), held=held)

    chain = chain_of(known)
    rows = [row | ({"bid_paise": 0} if row["symbol"] == WING else {}) for row in chain.contracts.to_pylist()]
    silent = Chain(contracts=chain.contracts.from_pylist(rows, schema=chain.contracts.schema), expiries=chain.expiries)
    with pytest.raises(StaleDataError, match=f"{WING} has no price yet"):
        asked(order(), silent, held=held)
    with pytest.raises(StaleDataError, match="NIFTY26SEP24400CE: no level or forward"):
        asked(order(), held={"NIFTY26SEP24400CE": LOT})


def test_a_contract_without_a_mark_is_margined_at_the_orders_price_and_without_any_refused() -> None:
    chain = chain_of(live(CALL))
    paise = round(live().quotes[CALL].price * 100)

    def one_sided(bid: int) -> Chain:
        rows = [row | {"bid_paise": bid, "ask_paise": 0} for row in chain.contracts.to_pylist()]
        return Chain(
            contracts=chain.contracts.from_pylist(rows, schema=chain.contracts.schema), expiries=chain.expiries
        )

    assert shown(asked(order(), one_sided(paise))) == shown(asked(order()))
    with pytest.raises(StaleDataError, match="has no price yet"):
        asked(order(), one_sided(0))
    with pytest.raises(StaleDataError, match="no chain with NIFTY26SEP24400CE"):
        asked(order("NIFTY26SEP24400CE"))


@settings(max_examples=60)
@given(st.dictionaries(st.sampled_from(ALL), st.integers(-3, 3), max_size=4), st.sampled_from(ALL), st.integers(1, 3))
def test_a_purchase_never_raises_the_margin_and_a_sale_never_lowers_it_but_by_the_calendar_charge(
    lots: dict[str, int], symbol: str, more: int
) -> None:
    """Why a purchase needs its premium alone, and no sale is credited."""
    held, source = [leg(one, count) for one, count in lots.items()], SpanModel(market=live())
    for sign in (1, -1):
        path = basket_margin([leg(symbol, sign * more, paid=True)], source, held=held)
        now, then = path.before.terms, path.final.terms
        charged = abs(then.calendar_paise - now.calendar_paise)

        assert sign * (then.span_paise - now.span_paise) <= charged + 3
        assert sign * (then.exposure_paise - now.exposure_paise) <= 1


def test_the_desk_margins_an_order_beside_its_own_book_and_by_the_rules_of_its_settings() -> None:
    def desk(rules: MarginRules) -> RiskActor:
        made = RiskActor(RiskConfig(margin=rules), bus=ListBus(), clock=HandClock(noon()), ledger=MemoryLedger())
        made.on_marks(chain_of(live()))
        return made

    plain, buffered = desk(MarginRules()), desk(MarginRules(buffer=0.1))
    assert plain.margin(order()) == asked(order())
    assert buffered.margin(order()) == asked(order(), rules=MarginRules(buffer=0.1)) != plain.margin(order())

    fill = Fill(trade_id="1", tag="W", strategy="manual", index="NIFTY", symbol=WING, side="BUY", quantity=LOT,
                price_paise=10_000, at_ns=noon())  # fmt: skip
    plain.book(fill)
    assert plain.margin(order()) == asked(order(), held={WING: LOT})
