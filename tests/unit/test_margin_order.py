"""The margin of one order, as the ticket shows it."""

import datetime as dt

import pytest

from core.market import IST, to_ns
from core.records import Intent, Margin
from core.risk.margin import estimate
from core.risk.margin_portfolio import portfolio_margin
from core.risk.margin_terms import MarginRules
from core.risk.span import SpanModel
from tests.fakes_risk import DAY, LOT, NEAR, SPOT, VOL, leg, market

CALL = "NIFTY26JUL24400CE"


def order(side: str = "SELL", *, held: int = 0, on: dt.date = DAY, **known: object) -> Margin:
    one, values = leg(CALL, 1), market(CALL, on=on)
    expiry, quote = values.underlyings["NIFTY"].expiries[NEAR], values.quotes[CALL]
    intent = Intent(
        tag="T",
        strategy="manual",
        index="NIFTY",
        symbol=CALL,
        side=side,
        quantity=LOT,
        order_type="LIMIT",
        limit_paise=1,
    )
    noon = to_ns(dt.datetime.combine(on, dt.time(12), IST))
    return estimate(
        intent, one.contract, price_paise=round(quote.price * 100), held=held, forward=expiry.forward, vol=VOL,
        years=expiry.years, discount=expiry.discount, now_ns=noon, **known,
    )  # fmt: skip


def test_a_sold_option_blocks_what_a_portfolio_of_it_alone_does() -> None:
    found = order(spot=SPOT, close=SPOT)
    terms = portfolio_margin([leg(CALL, -1)], SpanModel(market=market(CALL))).terms

    assert found.span_paise == pytest.approx(terms.span_paise, abs=LOT)  # the price to the paisa
    assert found.exposure_paise == terms.exposure_paise
    assert (found.premium_paise, found.estimate) == (0, True)


def test_without_a_spot_the_forward_stands_for_it() -> None:
    known, unknown = order(spot=SPOT, close=SPOT), order()

    assert unknown.span_paise == pytest.approx(known.span_paise, rel=0.03)
    assert unknown.exposure_paise > known.exposure_paise


def test_on_its_expiry_day_a_sold_option_has_double_exposure_and_a_broker_may_ask_more() -> None:
    day = order(on=NEAR, spot=SPOT, close=SPOT)
    plain, buffered = (order(spot=SPOT, close=SPOT, rules=MarginRules(buffer=share)) for share in (0.0, 0.1))

    assert day.exposure_paise == 2 * plain.exposure_paise
    assert buffered.span_paise == pytest.approx(1.1 * plain.span_paise, abs=1)


def test_buying_costs_the_premium_and_selling_what_is_held_nothing() -> None:
    bought = order("BUY")

    assert bought.total_paise == bought.premium_paise > 0
    assert order(held=LOT).total_paise == 0
