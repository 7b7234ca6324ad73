"""What the readers of exchange and broker files give, one Arrow schema a kind of file; schemas.py has the wire's.

Units are normalised: quantities are units of the underlying unless the name says contracts or lots, money is integer
paise, amounts that a file gives in crore of rupees keep that unit in their name, a vol is a decimal. Minute bars are
schemas.BARS.
"""

import pyarrow as pa

from core.schemas import field

_INT, _FLOAT, _TEXT, _DAY, _BOOL = pa.int64(), pa.float64(), pa.string(), pa.date32(), pa.bool_()

_OHLC = [
    field("open_paise", _INT, "paise", "first trade; 0 if none"),
    field("high_paise", _INT, "paise", "highest trade; 0 if none"),
    field("low_paise", _INT, "paise", "lowest trade; 0 if none"),
]
_CONTRACT = [
    field("underlying", _TEXT, "name", "exchange's symbol of the index or stock the contract is on"),
    field("is_index", _BOOL, "bool", "true for a contract on an index, false on a stock"),
    field("kind", pa.int8(), "Kind", "1 future, 2 call, 3 put"),
    field("expiry", _DAY, "date", "day on which the contract expires"),
    field("strike_paise", _INT, "paise", "strike; 0 for a future"),
]
_SETTLEMENT = [
    field("settlement_paise", _INT, "paise", "the contract's own daily settlement; null on expiry day", nullable=True),
    field(
        "final_settlement_paise", _INT, "paise", "close of the underlying, which the file prints as the settlement "
        "price of an expiring contract; null before", nullable=True,
    ),
]  # fmt: skip

INSTRUMENTS = pa.schema(
    [
        field("instrument_token", _INT, "id", "the broker's token; used again after expiry, so never a key"),
        field("exchange_token", _INT, "id", "the exchange's token"),
        field("symbol", _TEXT, "name", "trading symbol, with the exchange the key of an instrument"),
        field("name", _TEXT, "name", "name of the underlying; empty in old dumps and for some BSE rows"),
        field("kind", pa.int8(), "Kind", "0 none of a derivative, 1 future, 2 call, 3 put"),
        field("instrument_type", _TEXT, "name", "FUT, CE, PE or EQ as in the dump"),
        field("expiry", _DAY, "date", "expiry day; null where there is none", nullable=True),
        field("strike_paise", _INT, "paise", "strike; 0 where there is none"),
        field("tick_paise", _FLOAT, "paise", "smallest step of the price; a fraction for currencies"),
        field("lot", _INT, "units", "units in one lot"),
        field("last_paise", _INT, "paise", "last price when the dump was made; 0 unknown"),
        field("segment", _TEXT, "name", "NFO-OPT, BFO-FUT …"),
        field("exchange", _TEXT, "name", "NFO, BFO, NSE, BSE …"),
    ]
)

FO_BHAVCOPY = pa.schema(
    [
        field("date", _DAY, "date", "trading day"),
        field("exchange", _TEXT, "name", "NSE or BSE"),
        *_CONTRACT,
        field("listed_expiry", _DAY, "date", "expiry as listed; a later holiday may have moved it"),
        *_OHLC,
        field("close_paise", _INT, "paise", "close; yesterday's where nothing was traded"),
        field("last_paise", _INT, "paise", "last trade, 0 if none; null in the old format", nullable=True),
        field("prev_close_paise", _INT, "paise", "close of the day before; null in the old format", nullable=True),
        field("underlying_paise", _INT, "paise", "close of the underlying; null in the old format", nullable=True),
        *_SETTLEMENT,
        field("oi", _INT, "units", "open interest; not always whole lots, odd ones remain after a lot change"),
        field("oi_change", _INT, "units", "open interest less that of the day before"),
        field("contracts", _INT, "contracts", "traded"),
        field("volume", _INT, "units", "traded, contracts × lot; null in the old format", nullable=True),
        field("notional_rupees", _FLOAT, "rupees", "traded value, (strike + premium) × units for an option"),
        field("trades", _INT, "count", "number of trades; null in the old format", nullable=True),
        field("lot", _INT, "units", "units in one lot; null in the old format", nullable=True),
    ]
)

MARKET_ACTIVITY = pa.schema(
    [
        field("date", _DAY, "date", "trading day, from the name of the file"),
        *_CONTRACT,
        *_OHLC,
        field("close_paise", _INT, "paise", "close; 0 if nothing was traded in the long layout"),
        field("settlement_paise", _INT, "paise", "settlement as printed; null in the padded layout", nullable=True),
        field("underlying_paise", _INT, "paise", "close of the underlying; null in the padded layout", nullable=True),
        field("oi", _INT, "units", "open interest; null where the layout has lots and nothing traded", nullable=True),
        field("oi_lots", _FLOAT, "lots", "open interest in lots; null where it cannot be told", nullable=True),
        field("volume", _INT, "units", "traded"),
        field("contracts", _INT, "contracts", "traded"),
        field("trades", _INT, "count", "number of trades; null in the long layout", nullable=True),
        field("notional_rupees", _FLOAT, "rupees", "(strike + premium) × units traded"),
        field("premium_rupees", _FLOAT, "rupees", "premium × units traded: the premium turnover"),
    ]
)

SIDES = tuple(
    f"{what}_{side}"
    for what, sides in (
        ("future_index", ("long", "short")),
        ("future_stock", ("long", "short")),
        ("option_index", ("call_long", "put_long", "call_short", "put_short")),
        ("option_stock", ("call_long", "put_long", "call_short", "put_short")),
        ("total", ("long", "short")),
    )
    for side in sides
)
"""The fourteen figures of a participant's row, in the file's order: call long, put long, call short, put short."""

PARTICIPANTS = pa.schema(
    [
        field("date", _DAY, "date", "trading day"),
        field("measure", _TEXT, "name", "oi, open interest at the end of the day, or volume, traded in it"),
        field("participant", _TEXT, "name", "Client, DII, FII, Pro or TOTAL"),
        *(
            field(f"{name}_contracts", _FLOAT, "contracts", f"{name.replace('_', ' ')}; a fraction after a lot change")
            for name in SIDES
        ),
    ]
)

FII_STATISTICS = pa.schema(
    [
        field("date", _DAY, "date", "trading day"),
        field("instrument", _TEXT, "name", "INDEX FUTURES, NIFTY OPTIONS, STOCK FUTURES …"),
        field("buy_contracts", _INT, "contracts", "bought by foreign investors"),
        field("buy_crore", _FLOAT, "crore", "bought, rupees; for options strike × quantity: notional, not premium"),
        field("sell_contracts", _INT, "contracts", "sold"),
        field("sell_crore", _FLOAT, "crore", "sold, rupees, as bought"),
        field("oi_contracts", _INT, "contracts", "open interest, bought and sold together"),
        field("oi_crore", _FLOAT, "crore", "open interest, rupees; for options underlying's close × quantity"),
    ]
)

CASH_FLOWS = pa.schema(
    [
        field("date", _DAY, "date", "trading day"),
        field("participant", _TEXT, "name", "FII or DII; provisional figures of the cash market"),
        field("buy_crore", _FLOAT, "crore", "bought, rupees"),
        field("sell_crore", _FLOAT, "crore", "sold, rupees"),
        field("net_crore", _FLOAT, "crore", "bought − sold, rupees"),
    ]
)

OPTION_CHAIN = pa.schema(
    [
        field("fetched_ns", _INT, "ns", "time the exchange's page gives itself, UTC"),
        field("index", _TEXT, "name", "index the option is on"),
        field("kind", pa.int8(), "Kind", "2 call, 3 put"),
        field("expiry", _DAY, "date", "expiry day"),
        field("strike_paise", _INT, "paise", "strike"),
        field("spot_paise", _INT, "paise", "index level on the page; since August 2026 it stands still from 15:15"),
        field("last_paise", _INT, "paise", "last trade; 0 if none"),
        field("change_paise", _INT, "paise", "last trade less the previous close; 0 if none"),
        field("bid_paise", _INT, "paise", "best bid; 0 is no bid"),
        field("bid_qty", _INT, "units", "quantity at the best bid"),
        field("ask_paise", _INT, "paise", "best ask; 0 is no ask"),
        field("ask_qty", _INT, "units", "quantity at the best ask"),
        field("oi_lots", _FLOAT, "lots", "open interest as the page has it; a fraction after a lot change"),
        field("oi", _INT, "units", "open interest; null where the lot is not known", nullable=True),
        field("oi_change", _INT, "units", "change of open interest today; null as oi", nullable=True),
        field("volume", _INT, "units", "traded today; null as oi", nullable=True),
        field("iv", _FLOAT, "1/√year", "the exchange's implied vol, on spot and its own rate; NaN where it prints 0"),
    ]
)

RECORDED_CHAIN = pa.schema(
    [
        field("fetched_ns", _INT, "ns", "time the exchange's page gives itself, UTC"),
        field("collection", _TEXT, "name", "the collector's stamp: rows that share it were collected at once"),
        field("date", _DAY, "date", "day of the collection"),
        field("index", _TEXT, "name", "index the options are on"),
        field("expiry", _DAY, "date", "expiry day"),
        field("strike_paise", _INT, "paise", "strike"),
        *(
            each
            for side in ("call", "put")
            for each in (
                field(f"{side}_oi_lots", _FLOAT, "lots", "open interest; a fraction after a lot change"),
                field(f"{side}_oi_change_lots", _FLOAT, "lots", "change of open interest today"),
                field(f"{side}_volume_lots", _FLOAT, "lots", "traded today"),
                field(
                    f"{side}_iv_pct", _FLOAT, "%", "the exchange's implied vol, per cent; 0 is one it could not solve"
                ),
                field(f"{side}_last_paise", _INT, "paise", "last trade; 0 if none"),
                field(f"{side}_change_paise", _INT, "paise", "last trade less the previous close; 0 if none"),
                field(f"{side}_bid_paise", _INT, "paise", "best bid; 0 is no bid"),
                field(f"{side}_bid_qty", _INT, "units", "quantity at the best bid"),
                field(f"{side}_ask_paise", _INT, "paise", "best ask; 0 is no ask"),
                field(f"{side}_ask_qty", _INT, "units", "quantity at the best ask"),
            )
        ),
    ]
)

VIX_DAYS = pa.schema(
    [
        field("date", _DAY, "date", "trading day"),
        field("open_pct", _FLOAT, "%", "India VIX, per cent a year, at the open; null if not given", nullable=True),
        field("high_pct", _FLOAT, "%", "highest; null if not given", nullable=True),
        field("low_pct", _FLOAT, "%", "lowest; null if not given", nullable=True),
        field("close_pct", _FLOAT, "%", "at the close"),
        field("prev_close_pct", _FLOAT, "%", "close of the day before"),
    ]
)

INDEX_CLOSES = pa.schema(
    [
        field("date", _DAY, "date", "trading day"),
        field("name", _TEXT, "name", "index as NSE names it: Nifty 50, Nifty Bank, India VIX …"),
        field("open_points", _FLOAT, "points", "first level; null where none is published", nullable=True),
        field("high_points", _FLOAT, "points", "highest level; null as open", nullable=True),
        field("low_points", _FLOAT, "points", "lowest level; null as open", nullable=True),
        field("close_points", _FLOAT, "points", "closing level: what index options settle on"),
        field("change_points", _FLOAT, "points", "close less the previous close", nullable=True),
        field("volume", _INT, "shares", "shares of the constituents traded; null where none", nullable=True),
        field("turnover_crore", _FLOAT, "crore", "turnover of the constituents, rupees", nullable=True),
        field("pe", _FLOAT, "1", "price over earnings", nullable=True),
        field("pb", _FLOAT, "1", "price over book", nullable=True),
        field("dividend_yield_pct", _FLOAT, "%", "dividend yield, per cent a year", nullable=True),
    ]
)

FILE_SCHEMAS = {
    "instruments": INSTRUMENTS,
    "fo_bhavcopy": FO_BHAVCOPY,
    "market_activity": MARKET_ACTIVITY,
    "participants": PARTICIPANTS,
    "fii_statistics": FII_STATISTICS,
    "cash_flows": CASH_FLOWS,
    "option_chain": OPTION_CHAIN,
    "recorded_chain": RECORDED_CHAIN,
    "vix_days": VIX_DAYS,
    "index_closes": INDEX_CLOSES,
}
