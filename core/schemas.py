"""Every batch that crosses an actor boundary, one Arrow schema per topic.

This file is the wire contract: names, types, units. Times are UTC nanoseconds of the *market's* clock
unless the name says wall; money is integer paise; `rupees` fields are floats and for analytics only;
vols and rates are decimals (0.12 is 12 %). A contract is known by its Kite trading symbol.
"""

from enum import IntEnum

import pyarrow as pa

from core.errors import SchemaError

DEPTH = 5  # levels of the book that Kite publishes


class Kind(IntEnum):
    """What a row of TICKS or BARS describes."""

    INDEX = 0
    FUTURE = 1
    CALL = 2
    PUT = 3


def field(name: str, type_: pa.DataType, unit: str, doc: str, *, nullable: bool = False) -> "pa.Field[pa.DataType]":
    return pa.field(name, type_, nullable=nullable, metadata={"unit": unit, "doc": doc})


def _levels(type_: pa.DataType) -> pa.DataType:
    return pa.list_(pa.field("item", type_, nullable=False), DEPTH)


_CONTRACT = [
    field("index", pa.string(), "name", "index the contract is on: NIFTY, BANKNIFTY, FINNIFTY, MIDCPNIFTY, SENSEX"),
    field("symbol", pa.string(), "name", "Kite trading symbol; for an index its own name, INDIA VIX among them"),
    field("kind", pa.int8(), "Kind", "0 index, 1 future, 2 call, 3 put"),
    field("expiry", pa.date32(), "date", "expiry day; null for an index", nullable=True),
    field("strike_paise", pa.int64(), "paise", "strike; 0 where there is none"),
]

TICKS = pa.schema(
    [
        *_CONTRACT,
        field("exchange_ns", pa.int64(), "ns", "time of the quote, market clock, UTC"),
        field(
            "received_ns", pa.int64(), "ns", "when it arrived at this machine, wall clock, UTC; exchange_ns in a replay"
        ),
        field("last_paise", pa.int64(), "paise", "last traded price, or the index level; 0 before the first trade"),
        field("prev_close_paise", pa.int64(), "paise", "close of the previous session; 0 unknown"),
        field("volume", pa.int64(), "units", "traded today, cumulative"),
        field("oi", pa.int64(), "units", "open interest"),
        field("prev_oi", pa.int64(), "units", "open interest at the previous close; -1 unknown"),
        field("bid_paise", _levels(pa.int64()), "paise", "five best bids, best first; 0 is no bid"),
        field("bid_qty", _levels(pa.int64()), "units", "quantity at each bid"),
        field("bid_orders", _levels(pa.int32()), "orders", "orders at each bid; 0 unknown"),
        field("ask_paise", _levels(pa.int64()), "paise", "five best asks, best first; 0 is no ask"),
        field("ask_qty", _levels(pa.int64()), "units", "quantity at each ask"),
        field("ask_orders", _levels(pa.int32()), "orders", "orders at each ask; 0 unknown"),
    ]
)

BARS = pa.schema(
    [
        *_CONTRACT,
        field("start_ns", pa.int64(), "ns", "open of the bar, market clock, UTC"),
        field("seconds", pa.int32(), "s", "length of the bar"),
        field("open_paise", pa.int64(), "paise", "first price"),
        field("high_paise", pa.int64(), "paise", "highest price"),
        field("low_paise", pa.int64(), "paise", "lowest price"),
        field("close_paise", pa.int64(), "paise", "last price"),
        field("volume", pa.int64(), "units", "traded in the bar"),
        field("oi", pa.int64(), "units", "open interest at the close of the bar"),
    ]
)

CONTRACTS = pa.schema(
    [
        *_CONTRACT,
        field("exchange_ns", pa.int64(), "ns", "time of the contract's latest quote, market clock, UTC"),
        field("bid_paise", pa.int64(), "paise", "best bid; 0 is no bid"),
        field("bid_qty", pa.int64(), "units", "quantity at the best bid"),
        field("ask_paise", pa.int64(), "paise", "best ask; 0 is no ask"),
        field("ask_qty", pa.int64(), "units", "quantity at the best ask"),
        field("last_paise", pa.int64(), "paise", "last traded price; 0 before the first trade"),
        field("prev_close_paise", pa.int64(), "paise", "close of the previous session; 0 unknown"),
        field("volume", pa.int64(), "units", "traded today"),
        field("oi", pa.int64(), "units", "open interest"),
        field("prev_oi", pa.int64(), "units", "open interest at the previous close; -1 unknown"),
        field(
            "price", pa.float64(), "rupees", "what was inverted: mid of a two-sided quote, else today's last; NaN none"
        ),
        field("iv", pa.float64(), "1/√year", "Black-76 implied vol on the forward; NaN if none exists"),
        field("iv_reason", pa.int8(), "code", "0 priced; else core.pricing.Reason: why iv is NaN"),
        field("delta", pa.float64(), "1", "per forward point, discounted"),
        field("gamma", pa.float64(), "1/point", "change of delta per forward point, discounted"),
        field("theta", pa.float64(), "rupees/day", "per calendar day"),
        field("vega", pa.float64(), "rupees/0.01", "per 0.01 of vol"),
        field("rho", pa.float64(), "rupees/0.01", "per 0.01 of rate, forward held"),
    ]
)

EXPIRIES = pa.schema(
    [
        field("index", pa.string(), "name", "index"),
        field("expiry", pa.date32(), "date", "expiry day"),
        field("as_of_ns", pa.int64(), "ns", "market clock of the newest tick in it, UTC"),
        field(
            "sequence", pa.int64(), "count", "number of this chain since its shard opened; the page and the API show it"
        ),
        field("lot", pa.int64(), "units", "units in one lot of this expiry"),
        field("years", pa.float64(), "years", "to expiry, ACT/365; 0 once the settlement price is known"),
        field("discount", pa.float64(), "1", "discount factor to expiry"),
        field("spot_paise", pa.int64(), "paise", "index level; 0 unknown"),
        field("spot_prev_close_paise", pa.int64(), "paise", "previous close of the index; 0 unknown"),
        field("future_paise", pa.int64(), "paise", "future of this expiry, mid or last; 0 where there is none"),
        field("vix", pa.float64(), "1", "India VIX as published (13.2 is 13.2 %); NaN where there is none"),
        field("forward", pa.float64(), "rupees", "forward the expiry is priced on; NaN if unknown"),
        field("forward_source", pa.string(), "name", "future, parity, spot or none"),
        field("forward_error", pa.float64(), "rupees", "standard error of the forward; NaN if not estimated"),
        field("atm_spot_paise", pa.int64(), "paise", "listed strike nearest to spot; 0 unknown"),
        field("atm_forward_paise", pa.int64(), "paise", "listed strike nearest to the forward; 0 unknown"),
        field("atm_iv", pa.float64(), "1/√year", "vol at the forward's ATM strike, call and put averaged; NaN none"),
        field("atm_straddle", pa.float64(), "rupees", "call plus put at the forward's ATM strike; NaN none"),
        field("expected_move", pa.float64(), "rupees", "forward × atm_iv × √years, one standard deviation; NaN none"),
        field("avg_iv", pa.float64(), "1/√year", "vega-weighted mean vol of the expiry; NaN none"),
        field("pcr_volume", pa.float64(), "1", "put over call volume; NaN if no call volume"),
        field("pcr_oi", pa.float64(), "1", "put over call open interest; NaN if no call open interest"),
        field(
            "pcr_premium", pa.float64(), "1", "put over call traded premium, Σ volume × last; NaN if no call premium"
        ),
        field("max_pain_paise", pa.int64(), "paise", "strike at which open positions are worth least; 0 unknown"),
        field("call_oi", pa.int64(), "units", "open interest of the calls"),
        field("put_oi", pa.int64(), "units", "open interest of the puts"),
        field("call_volume", pa.int64(), "units", "volume of the calls"),
        field("put_volume", pa.int64(), "units", "volume of the puts"),
        field("contracts", pa.int32(), "count", "contracts of the expiry"),
        field("quoted", pa.int32(), "count", "contracts with a bid, an ask or a trade"),
        field("iv_count", pa.int32(), "count", "contracts with an implied vol"),
        field("sentiment", pa.float64(), "−1…1", "sentiment score, docs/analytics.md; above 0 is bullish"),
        field("sentiment_pcr", pa.float64(), "−1…1", "part: open-interest PCR"),
        field("sentiment_oi_change", pa.float64(), "−1…1", "part: puts written against calls written today"),
        field("sentiment_skew", pa.float64(), "−1…1", "part: 25-delta risk reversal"),
        field("sentiment_max_pain", pa.float64(), "−1…1", "part: max pain against the forward"),
        field("quality", pa.float64(), "0…1", "data-quality score, docs/analytics.md"),
        field("quality_fresh", pa.float64(), "0…1", "part: share of quotes younger than the limit"),
        field("quality_two_sided", pa.float64(), "0…1", "part: share of contracts near the money with bid and ask"),
        field("quality_spread", pa.float64(), "0…1", "part: tightness of the spreads near the money"),
        field("quality_iv", pa.float64(), "0…1", "part: share of quoted contracts with a vol"),
        field("quality_forward", pa.float64(), "0…1", "part: how well put–call parity agrees with itself"),
    ]
)

NO_TICKS = pa.RecordBatch.from_pylist([], schema=TICKS)  # what the topic `refresh` carries: the asking is all

WANTED = pa.schema(
    [
        field("symbol", pa.string(), "name", "a contract to watch, as in TICKS"),
        field("token", pa.int64(), "number", "Kite's instrument token of today"),
    ]
)

SYMBOLS = pa.schema([field("symbol", pa.string(), "name", "a contract, as in TICKS")])

ORDER_NEWS = pa.schema(
    [
        field(
            "order_id", pa.string(), "name", "the broker's; empty: the connection is new, anything may have happened"
        ),
        field("tag", pa.string(), "name", "the order's tag; empty if it has none"),
        field("status", pa.string(), "name", "as the broker writes it"),
    ]
)

SCHEMAS = {"ticks": TICKS, "bars": BARS, "contracts": CONTRACTS, "expiries": EXPIRIES}
# The tape's, and those that only pass between actors.
ALL = {**SCHEMAS, "wanted": WANTED, "symbols": SYMBOLS, "order_news": ORDER_NEWS}


def check(name: str, batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return `batch`, or raise SchemaError naming the first field that differs from schema `name`."""
    expected = ALL[name]
    if batch.schema.equals(expected):
        return batch
    for want, have in zip(expected, batch.schema, strict=False):
        if not want.equals(have):
            raise SchemaError(f"{name}.{want.name}: expected {want.type}, was {have.name} {have.type}")
    raise SchemaError(f"{name}: expected {len(expected)} fields, was {len(batch.schema)}")
