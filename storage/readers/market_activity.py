"""Options of NSE's market-activity report (the op*.csv of a fo*.zip), the only public premium turnover per contract.

Two layouts are in circulation: the padded one (op14112025.csv, fifteen columns, a closing note) with open interest in
units, and the long one (op241125.csv, fourteen columns, the contract in one word) with open interest in lots. Neither
carries its date but in its name.
"""

import datetime as dt
import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from core.file_schemas import MARKET_ACTIVITY
from core.schemas import Kind
from storage.readers.cells import date, number, one_of, paise, text, whole
from storage.readers.refusal import Read, refusal
from storage.readers.rows import Column, Rows, from_text
from storage.readers.source import Text, read_text

_TYPES = {"OPTIDX": True, "OPTSTK": False, "OPTIVX": True}
_RIGHTS = {"CE": int(Kind.CALL), "PE": int(Kind.PUT)}
PADDED = (
    Column("INSTRUMENT", "is_index", one_of(_TYPES, pa.bool_())),
    Column("SYMBOL", "underlying", text()),
    Column("EXP_DATE", "expiry", date("%d/%m/%Y")),
    Column("STR_PRICE", "strike_paise", paise(least=0.01)),
    Column("OPT_TYPE", "kind", one_of(_RIGHTS, pa.int8())),
    Column("OPEN_PRICE", "open_paise", paise()),
    Column("HI_PRICE", "high_paise", paise()),
    Column("LO_PRICE", "low_paise", paise()),
    Column("CLOSE_PRICE", "close_paise", paise()),
    Column("OPEN_INT*", "oi", whole()),
    Column("TRD_QTY", "volume", whole()),
    Column("NO_OF_CONT", "contracts", whole()),
    Column("NO_OF_TRADE", "trades", whole()),
    Column("NOTION_VAL", "notional_rupees", number(least=0)),
    Column("PR_VAL", "premium_rupees", number(least=0)),
)
_NOTE = "* - OPEN_INT"
_WORD = (
    r"(?P<type>OPTIDX|OPTSTK|OPTIVX)(?P<name>.+?)(?P<day>\d\d-[A-Z]{3}-\d{4})(?P<right>CE|PE)(?P<strike>\d+(?:\.\d+)?)"
)
LONG = (
    Column("CONTRACT_D", "word", text(_WORD, "a contract as OPTIDXNIFTY25-NOV-2025CE26000")),
    Column("PREVIOUS_S", "previous_paise", paise(optional=True)),
    Column("OPEN_PRICE", "open_paise", paise()),
    Column("HIGH_PRICE", "high_paise", paise()),
    Column("LOW_PRICE", "low_paise", paise()),
    Column("CLOSE_PRIC", "close_paise", paise(optional=True)),
    Column("SETTLEMENT", "settlement_paise", paise()),
    Column("NET_CHANGE", "change", number(optional=True)),
    Column("OI_NO_CON", "oi_lots", number(least=0)),
    Column("TRADED_QUA", "volume", whole()),
    Column("TRD_NO_CON", "contracts", whole()),
    Column("UNDRLNG_ST", "underlying_paise", paise()),
    Column("NOTIONAL_V", "notional_rupees", number(least=0)),
    Column("PREMIUM_TR", "premium_rupees", number(least=0)),
)


def read_market_activity(path: str | Path, *, strict: bool = False) -> Read:
    """The report's options as MARKET_ACTIVITY; a fo*.zip, or an op*.csv taken out of one.

    Raises InputError for a file that is none, cut off, or named without its date; with `strict` for its first bad row.
    """
    report = read_text(path, r"op\d{6}(\d\d)?\.csv")
    day = _day_of(report)
    padded = report.lines[:1] and report.lines[0].startswith("INSTRUMENT")
    rows = _padded(report) if padded else _long(report)
    rows.values["date"] = pa.array([day] * len(rows), pa.date32())
    header = {column.name: column.header for column in (PADDED if padded else LONG)}
    volume, contracts, high = rows.ints("volume"), rows.ints("contracts"), rows.ints("high_paise")
    lots = np.where(contracts > 0, volume % np.maximum(contracts, 1), volume)
    rows.refuse(lots != 0, header["volume"], "a whole lot times the contracts traded")
    low, opened = rows.ints("low_paise"), rows.ints("open_paise")
    rows.refuse((high > 0) & (low > high), header["low_paise"], "a low not above the high")
    rows.refuse((high > 0) & ((opened < low) | (opened > high)), header["open_paise"], "an open between low and high")
    premium = rows.floats("notional_rupees") - rows.ints("strike_paise") * volume / 100
    apart = np.abs(premium - rows.floats("premium_rupees")) > 0.01
    rows.refuse(apart, header["premium_rupees"], "the notional value less strike × quantity")
    first = "underlying" if padded else "word"
    rows.once(("underlying", "expiry", "kind", "strike_paise"), header[first], "contract")
    return rows.read(MARKET_ACTIVITY, strict=strict)


def _padded(report: Text) -> Rows:
    rows = from_text(report, [column.header for column in PADDED], footer=_NOTE)
    rows.parse(PADDED)
    none = pa.nulls(len(rows), pa.int64())
    rows.values["settlement_paise"] = rows.values["underlying_paise"] = none
    lot = _lot(rows)
    rows.values["oi_lots"] = pa.array(rows.ints("oi") / np.maximum(lot, 1), mask=lot == 0)
    return rows


def _long(report: Text) -> Rows:
    rows = from_text(report, [column.header for column in LONG])
    rows.parse(LONG)
    parts = pc.extract_regex(rows.values["word"], f"^{_WORD}$")
    for name, cell in (
        ("type", one_of(_TYPES, pa.bool_())), ("day", date("%d-%b-%Y")), ("right", one_of(_RIGHTS, pa.int8())),
        ("strike", paise(least=0.01)),
    ):  # fmt: skip
        target = {"type": "is_index", "day": "expiry", "right": "kind", "strike": "strike_paise"}[name]
        rows.values[target], bad = cell.parse(pc.struct_field(parts, name).fill_null(""))
        rows.refuse(bad, "CONTRACT_D", f"{cell.expected} in the contract")
    rows.values["underlying"] = pc.struct_field(parts, "name").fill_null("")
    rows.values["trades"] = pa.nulls(len(rows), pa.int64())
    rows.values["close_paise"] = rows.values["close_paise"].fill_null(0)
    lots, lot = rows.floats("oi_lots"), _lot(rows)
    rows.values["oi"] = pa.array(np.rint(lots * lot).astype(np.int64), mask=(lot == 0) & (lots > 0))
    return rows


def _lot(rows: Rows) -> NDArray[np.int64]:
    """Units in a lot as the traded ones tell it; 0 where nothing was traded."""
    return rows.ints("volume") // np.maximum(rows.ints("contracts"), 1)


def _day_of(report: Text) -> dt.date:
    match = re.fullmatch(r"op(\d{4})(\d{2}|\d{4})\.csv", report.member)
    try:
        if match:
            form = "%d%m%Y" if len(match[2]) == 4 else "%d%m%y"
            return dt.datetime.strptime(match[1] + match[2], form).date()  # noqa: DTZ007 a calendar day has no zone
    except ValueError:
        pass
    raise refusal(report.name, "line 0", "name", "the day in the name, as op14112025.csv", report.member)
