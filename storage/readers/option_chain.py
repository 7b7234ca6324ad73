"""Option chains as the exchanges' pages hold them: NSE's option-chain-indices document and BSE's.

Both give open interest and volume in lots, which become units by the lot of that expiry on that date; quantities at
bid and ask are units already. A vol of 0 is one the exchange could not solve: NaN here.
"""

import datetime as dt
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa

from core.errors import UnknownDate, UnknownName
from core.file_schemas import OPTION_CHAIN
from core.market import check_contract_index, from_ns, lot
from core.schemas import Kind
from storage.readers.entries import (
    Wrong,
    collect,
    day_of,
    moment_of,
    number_of,
    paise_of,
    part,
    read_json,
    structural,
    text_of,
    whole_of,
)
from storage.readers.refusal import Read, refusal

_NSE_SIDES = {"CE": Kind.CALL, "PE": Kind.PUT}


class _Names(NamedTuple):
    """What NSE calls an entry's expiry, how a leg writes it, and a leg's best bid and ask."""

    expiry: str
    leg_form: str
    bid: str
    bid_qty: str
    ask: str
    ask_qty: str


_FIRST = _Names("expiryDate", "%d-%b-%Y", "bidprice", "bidQty", "askPrice", "askQty")
_V3 = _Names("expiryDates", "%d-%m-%Y", "buyPrice1", "buyQuantity1", "sellPrice1", "sellQuantity1")
_BSE_SIDES = {"C_": Kind.CALL, "": Kind.PUT}  # a call's columns begin with C_, a put's have no prefix
_BSE_TOTALS = {  # the page's own sum: the column summed
    "tot_C_Open_Interest": "C_Open_Interest",
    "tot_Open_Interest": "Open_Interest",
    "tot_C_Vol_Traded": "C_Vol_Traded",
    "tot_Vol_Traded": "Vol_Traded",
}


def read_nse_chain(path: str | Path, *, strict: bool = False) -> Read:
    """NSE's document as OPTION_CHAIN, a row an option: option-chain-indices, every expiry, or option-chain-v3, one.

    Raises InputError for a document that is none, with `strict` for its first bad entry (a strike of an expiry).
    """
    records = part(path, read_json(path), "records", dict)
    at = structural(path, lambda: moment_of(records, "timestamp", "%d-%b-%Y %H:%M:%S"), "entry records")
    entries = part(path, records, "data", list)
    seen: set[tuple[Any, ...]] = set()

    def rows_of(entry: Any) -> list[dict[str, Any]]:
        names = _V3 if isinstance(entry, dict) and _V3.expiry in entry else _FIRST
        strike, expiry = paise_of(entry, "strikePrice", least=0.01), day_of(entry, names.expiry, "%d-%b-%Y")
        sides = [side for side in _NSE_SIDES if side in entry]
        if not sides:
            raise Wrong("CE, PE", "a call, a put or both", "neither")
        for side in sides:
            leg = entry[side]
            if paise_of(leg, "strikePrice") != strike or day_of(leg, "expiryDate", names.leg_form) != expiry:
                raise Wrong("strikePrice", "the strike and expiry of its entry", leg["strikePrice"])
        both = {"fetched_ns": at, "expiry": expiry, "strike_paise": strike}
        rows = [both | _nse_row(entry[side], _NSE_SIDES[side], names, expiry, at) for side in sides]
        _once(rows, seen, "strikePrice")
        return rows

    rows, refused = collect(path, entries, rows_of, strict=strict)
    return Read(pa.Table.from_pylist(rows, OPTION_CHAIN), refused)


def read_bse_chain(path: str | Path, *, strict: bool = False) -> Read:
    """BSE's document, one expiry, as OPTION_CHAIN; empty text is nothing traded, quoted or open.

    The page's own totals must be the sums of its columns; a note where a refused entry keeps that from being checked.
    Raises as `read_nse_chain`.
    """
    document = read_json(path)
    entries = part(path, document, "Table", list)
    made = part(path, document, "ASON", dict)
    at = structural(path, lambda: moment_of(made, "DT_TM", "%d %b %Y | %H:%M"), "entry ASON")
    seen: set[tuple[Any, ...]] = set()

    def rows_of(entry: Any) -> list[dict[str, Any]]:
        rows = [_bse_row(entry, prefix, kind, at) for prefix, kind in _BSE_SIDES.items()]
        _once(rows, seen, "Strike_Price1")
        return rows

    rows, refused = collect(path, entries, rows_of, strict=strict)
    notes = (f"the page's totals are not checked: {len(refused)} entries were refused",) if refused else ()
    if not refused:
        for name, column in _BSE_TOTALS.items():
            total = structural(path, lambda name=name: number_of(document, name), "line 1")
            summed = sum(number_of(entry, column, blank=0.0) for entry in entries)
            if summed != total:
                raise refusal(path, "line 1", name, f"the sum of {column}, {summed:,.10g}", f"{total:,.10g}")
    return Read(pa.Table.from_pylist(rows, OPTION_CHAIN), refused, notes)


def _nse_row(leg: Any, kind: Kind, names: _Names, expiry: dt.date, at: int) -> dict[str, Any]:
    return {
        "index": _index(leg, "underlying"),
        "kind": int(kind),
        "spot_paise": paise_of(leg, "underlyingValue", least=0.01),
        "last_paise": paise_of(leg, "lastPrice"),
        "change_paise": round(number_of(leg, "change") * 100),  # a float's tail: 95.30000000000001
        "bid_paise": paise_of(leg, names.bid),
        "bid_qty": whole_of(leg, names.bid_qty),
        "ask_paise": paise_of(leg, names.ask),
        "ask_qty": whole_of(leg, names.ask_qty),
        **_quantities(
            _lot(leg, "underlying", expiry, at),
            lambda name, least: number_of(leg, name, least=least),
            ("openInterest", "changeinOpenInterest", "totalTradedVolume"),
        ),
        "iv": _vol(number_of(leg, "impliedVolatility", least=0)),
    }


def _bse_row(entry: Any, prefix: str, kind: Kind, at: int) -> dict[str, Any]:
    expiry = day_of(entry, "End_TimeStamp", "%d %b %Y")
    return {
        "fetched_ns": at,
        "index": _index(entry, "comapny_name"),
        "kind": int(kind),
        "expiry": expiry,
        "strike_paise": paise_of(entry, "Strike_Price1", least=0.01),
        "spot_paise": paise_of(entry, "UlaValue", least=0.01),
        "last_paise": paise_of(entry, f"{prefix}Last_Trd_Price", blank=0.0),
        "change_paise": paise_of(entry, f"{prefix}NetChange", least=-math.inf, blank=0.0),
        "bid_paise": paise_of(entry, "C_BidPrice" if prefix else "BidPrice", blank=0.0),
        "bid_qty": whole_of(entry, f"{prefix}BIdQty", blank=0.0),
        "ask_paise": paise_of(entry, f"{prefix}OfferPrice", blank=0.0),
        "ask_qty": whole_of(entry, f"{prefix}OfferQty", blank=0.0),
        **_quantities(
            _lot(entry, "comapny_name", expiry, at),
            lambda name, least: number_of(entry, f"{prefix}{name}", least=least, blank=0.0),
            ("Open_Interest", "Absolute_Change_OI", "Vol_Traded"),
        ),
        "iv": _vol(number_of(entry, f"{prefix}IV", least=0, blank=0.0)),
    }


def _index(entry: Any, name: str) -> str:
    try:
        return check_contract_index(text_of(entry, name))
    except UnknownName as error:
        raise Wrong(name, "an index whose options Vikalp knows", str(error)) from None


def _lot(entry: Any, name: str, expiry: dt.date, at: int) -> int | None:
    try:
        return lot(_index(entry, name), expiry, from_ns(at).date())
    except UnknownDate:
        return None


def _quantities(
    units: int | None, number: Callable[[str, float], float], names: tuple[str, str, str]
) -> dict[str, float | int | None]:
    """Open interest in lots, and open interest, its change and volume in units; `units` in a lot, None unknown."""
    lots = {name: number(name, least) for name, least in zip(names, (0.0, -math.inf, 0.0), strict=True)}
    found: list[int | None] = []
    for name, value in lots.items():
        exact = value * units if units else 0.0
        if abs(exact - round(exact)) > 1e-4:
            raise Wrong(name, f"lots of {units} that are whole units", value)
        found.append(round(exact) if units else None)
    return {"oi_lots": lots[names[0]], "oi": found[0], "oi_change": found[1], "volume": found[2]}


def _vol(percent: float) -> float:
    return percent / 100 if percent > 0 else math.nan


def _once(rows: list[dict[str, Any]], seen: set[tuple[Any, ...]], column: str) -> None:
    keys = {(row["index"], row["expiry"], row["kind"], row["strike_paise"]) for row in rows}
    if keys & seen:
        raise Wrong(column, "each contract once", f"{rows[0]['strike_paise'] / 100:g} of {rows[0]['expiry']} again")
    seen |= keys
