"""Numbers that are none: refused by name before a margin or a VaR is made of them, as an error of ours."""

import datetime as dt
import math
from collections.abc import Sequence

import msgspec
import numpy as np
import pytest

from core.errors import InputError, StaleDataError
from core.risk.margin_portfolio import portfolio_margin
from core.risk.span import RiskArrays, SpanModel
from core.risk.span_legs import Expiry, Leg, Market, Quote
from core.risk.var_book import positions
from tests.fakes_risk import NEAR, leg, market

CALL = "NIFTY26JUL24400CE"
GOOD = market(CALL)
NONE = (math.nan, math.inf, -1.0)


def with_level(name: str, value: float) -> Market:
    index = msgspec.structs.replace(GOOD.underlyings["NIFTY"], **{name: value})
    return msgspec.structs.replace(GOOD, underlyings={"NIFTY": index})


def with_expiry(name: str, value: float) -> Market:
    expiry: Expiry = GOOD.underlyings["NIFTY"].expiries[NEAR]._replace(**{name: value})
    index = msgspec.structs.replace(GOOD.underlyings["NIFTY"], expiries={NEAR: expiry})
    return msgspec.structs.replace(GOOD, underlyings={"NIFTY": index})


def with_quote(name: str, value: float) -> Market:
    quote: Quote = GOOD.quotes[CALL]._replace(**{name: value})
    return msgspec.structs.replace(GOOD, quotes={CALL: quote})


BROKEN = [
    *((with_level(name, value), "no level") for name in ("close", "spot") for value in (*NONE, 0.0)),
    *((with_expiry(name, value), "no level") for name in ("forward", "discount") for value in (*NONE, 0.0)),
    *((with_expiry("years", value), "no level") for value in NONE),
    *((with_quote("price", value), "no price") for value in NONE),
    *((with_quote("vol", value), "no implied vol") for value in (*NONE, 0.0)),
]


@pytest.mark.parametrize(("broken", "words"), BROKEN)
@pytest.mark.parametrize("carry", ["spot", "forward"])
def test_a_market_with_a_number_that_is_none_gives_no_margin_and_no_book(
    broken: Market, words: str, carry: str
) -> None:
    with pytest.raises(StaleDataError, match=f"{CALL}.*{words}"):
        portfolio_margin([leg(CALL, -1)], SpanModel(market=broken, carry=carry))
    with pytest.raises(StaleDataError, match=f"{CALL}.*{words}"):
        positions([leg(CALL, -1)], broken)


@pytest.mark.parametrize("vols", ["market", "ewma"])
def test_a_volatility_that_is_none_gives_no_scan_range(vols: str) -> None:
    with pytest.raises(InputError, match="sigma"):
        portfolio_margin([leg(CALL, -1)], SpanModel(market=with_level("sigma", math.inf), vols=vols))


class Arrays:
    """The model's arrays with one number changed: a source that did not look at what it read."""

    on, estimate = GOOD.on, False

    def __init__(self, **changes: float) -> None:
        self._changes = changes

    def arrays(self, legs: Sequence[Leg]) -> RiskArrays:
        found = SpanModel(market=GOOD).arrays(legs)
        for name, value in self._changes.items():
            getattr(found, name).flat[-1] = value
        return found


@pytest.mark.parametrize("name", ["losses", "prices"])
def test_an_array_with_a_number_that_is_none_is_no_margin_of_nothing(name: str) -> None:
    """A NaN among sixteen scenarios is no worst loss of 0."""
    assert portfolio_margin([leg(CALL, -1)], Arrays()).total_paise > 0
    with pytest.raises(StaleDataError, match=f"{CALL} has a risk array"):
        portfolio_margin([leg(CALL, -1)], Arrays(**{name: math.nan}))


def test_what_has_expired_is_refused_by_margins_and_books_alike() -> None:
    late = market(CALL, on=NEAR)
    late = msgspec.structs.replace(late, on=NEAR + dt.timedelta(days=1))
    words = "NIFTY26JUL24400CE expired on 2026-07-28"

    assert np.array_equal(positions([leg(CALL, -1)], market(CALL, on=NEAR)).years, [0.0])
    with pytest.raises(InputError, match=words):
        portfolio_margin([leg(CALL, -1)], SpanModel(market=late))
    with pytest.raises(InputError, match=words):
        positions([leg(CALL, -1)], late)
