"""A small market of two indices, books on it and the chain it would be, for the tests of margins, VaR and stress."""

import datetime as dt
import math

import pyarrow as pa

from core.market import IST, parse_symbol, to_ns
from core.pricing import price
from core.records import Chain
from core.risk.span_legs import Expiry, Leg, Market, Quote, Underlying, is_option, sign_of
from core.schemas import CONTRACTS, EXPIRIES

DAY = dt.date(2026, 7, 1)
NEAR, FAR = dt.date(2026, 7, 28), dt.date(2026, 8, 25)
SPOT, RATE, VOL = 24_400.0, 0.07, 0.13
SPOTS = {"NIFTY": SPOT, "BANKNIFTY": 57_000.0}
LOT = 65
BLANKS = {pa.string(): "", pa.float64(): math.nan}


def leg(symbol: str, lots: int, **changes: object) -> Leg:
    return Leg(contract=parse_symbol(symbol), quantity=lots * LOT, **changes)


def market(*symbols: str, on: dt.date = DAY, vol: float = VOL) -> Market:
    """Every named contract, priced at `vol` on forwards of 7 %, with the close at the spot."""
    contracts = [parse_symbol(symbol, on) for symbol in symbols]
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


def chain_of(known: Market, index: str = "NIFTY", *, spot: bool = True, close: bool = True) -> Chain:
    """`known` as a shard would publish it: quotes two paise about the price, `spot` and `close` or their unknown 0."""
    underlying = known.underlyings[index]

    def batch(schema: pa.Schema, rows: list[dict[str, object]]) -> pa.RecordBatch:
        blank = {field.name: BLANKS.get(field.type, 0) for field in schema} | {"index": index}
        return pa.RecordBatch.from_pylist([blank | row for row in rows], schema=schema)

    noon_ns = to_ns(dt.datetime.combine(known.on, dt.time(12), IST))
    contracts = [
        {"symbol": symbol, "exchange_ns": noon_ns, "expiry": parse_symbol(symbol, known.on).expiry, "iv": quote.vol,
         "bid_paise": round(quote.price * 100) - 2, "ask_paise": round(quote.price * 100) + 2}
        for symbol, quote in known.quotes.items() if parse_symbol(symbol).index == index
    ]  # fmt: skip
    expiries = [
        {"expiry": day, **expiry._asdict(), "atm_iv": VOL, "lot": LOT,
         "as_of_ns": noon_ns,
         "spot_paise": round(underlying.spot * 100) if spot else 0,
         "spot_prev_close_paise": round(underlying.close * 100) if close else 0}
        for day, expiry in underlying.expiries.items()
    ]  # fmt: skip
    return Chain(contracts=batch(CONTRACTS, contracts), expiries=batch(EXPIRIES, expiries))
