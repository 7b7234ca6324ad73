"""A small market of two indices and books on it, for the tests of margins, VaR and stress."""

import datetime as dt
import math

from core.market import parse_symbol
from core.pricing import price
from core.risk.span_legs import Expiry, Leg, Market, Quote, Underlying, is_option, sign_of

DAY = dt.date(2026, 7, 1)
NEAR, FAR = dt.date(2026, 7, 28), dt.date(2026, 8, 25)
SPOT, RATE, VOL = 24_400.0, 0.07, 0.13
SPOTS = {"NIFTY": SPOT, "BANKNIFTY": 57_000.0}
LOT = 65


def leg(symbol: str, lots: int, **changes: object) -> Leg:
    return Leg(contract=parse_symbol(symbol), quantity=lots * LOT, **changes)


def market(*symbols: str, on: dt.date = DAY, vol: float = VOL) -> Market:
    """Every named contract, priced at `vol` on forwards of 7 %, with the close at the spot."""
    contracts = [parse_symbol(symbol) for symbol in symbols]
    underlyings = {}
    for name in {contract.index for contract in contracts}:
        expiries, spot = {}, SPOTS[name]
        for day in {contract.expiry for contract in contracts if contract.index == name}:
            years = (day - on).days / 365
            expiries[day] = Expiry(spot * math.exp(RATE * years), years, math.exp(-RATE * years))
        underlyings[name] = Underlying(close=spot, spot=spot, expiries=expiries)
    quotes = {}
    for contract in contracts:
        forward, years, discount = underlyings[contract.index].expiries[contract.expiry]
        one = Leg(contract=contract, quantity=1)
        worth = price(sign_of(one), forward, contract.strike_paise / 100, years, vol, discount)
        quotes[contract.symbol] = Quote(float(worth), vol) if is_option(one) else Quote(forward)
    return Market(on=on, underlyings=underlyings, quotes=quotes)
