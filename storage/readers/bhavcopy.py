"""F&O bhavcopies: UDiFF (since 2024-07-08; csv, zip, or Parquet of the same columns) and the format before it.

What misleads in them is settled here once: NSE's traded volume is in contracts, BSE's in units, and the open interest
of both in units, which the turnover must confirm; the settlement price of an expiring contract is the close of its
underlying, not what the option is worth.
"""

from pathlib import Path

import numpy as np
import pyarrow as pa

from core.file_schemas import FO_BHAVCOPY
from core.schemas import Kind
from storage.readers.cells import Cell, blank, date, number, one_of, paise, text, whole
from storage.readers.refusal import Read
from storage.readers.rows import Column, Rows, from_table, from_text
from storage.readers.source import read_parquet, read_text

_UDIFF_TYPES = {"IDO": (True, True), "IDF": (True, False), "STO": (False, True), "STF": (False, False)}
_OLD_TYPES = {"OPTIDX": (True, True), "FUTIDX": (True, False), "OPTSTK": (False, True), "FUTSTK": (False, False)}
_OLD_TYPES |= {"OPTIVX": (True, True), "FUTIVX": (True, False)}
_ISO = date("%Y-%m-%d")
_UDIFF_PARTS: tuple[tuple[str, str, Cell], ...] = (
    ("TradDt", "date", _ISO), ("BizDt", "business_date", _ISO),
    ("Sgmt", "segment", one_of({"FO": "FO"}, pa.string())),
    ("Src", "exchange", one_of({"NSE": "NSE", "BSE": "BSE"}, pa.string())),
    ("FinInstrmTp", "type", one_of({name: name for name in _UDIFF_TYPES}, pa.string())),
    ("FinInstrmId", "token", whole(least=1)), ("ISIN", "isin", text(optional=True)), ("TckrSymb", "underlying", text()),
    ("SctySrs", "series", text(optional=True)), ("XpryDt", "listed_expiry", _ISO),
    ("FininstrmActlXpryDt", "expiry", _ISO), ("StrkPric", "strike_paise", paise(optional=True)),
    ("OptnTp", "right", one_of({"CE": "CE", "PE": "PE", "": "", "XX": ""}, pa.string())),
    ("FinInstrmNm", "symbol", text()), ("OpnPric", "open_paise", paise()), ("HghPric", "high_paise", paise()),
    ("LwPric", "low_paise", paise()), ("ClsPric", "close_paise", paise()), ("LastPric", "last_paise", paise()),
    ("PrvsClsgPric", "prev_close_paise", paise()), ("UndrlygPric", "underlying_paise", paise()),
    ("SttlmPric", "settlement_paise", paise()), ("OpnIntrst", "oi", whole()),
    ("ChngInOpnIntrst", "oi_change", whole(least=-1e15)), ("TtlTradgVol", "traded", whole()),
    ("TtlTrfVal", "notional_rupees", number(least=0)), ("TtlNbOfTxsExctd", "trades", whole()),
    ("SsnId", "session", text()), ("NewBrdLotQty", "lot", whole(least=1)), ("Rmks", "remarks", text(optional=True)),
    *((f"Rsvd{n}", f"reserved{n}", text(optional=True)) for n in (1, 2, 3, 4)),
)  # fmt: skip
UDIFF = tuple(Column(*part) for part in _UDIFF_PARTS)
_NOT_IN_PARQUET = {"ISIN", "SctySrs", "Rmks", "Rsvd1", "Rsvd2", "Rsvd3", "Rsvd4"}  # empty in every F&O file
_OLD_DAY = date("%d-%b-%Y", "%d-%b-%y")  # NSE's file of 2012-05-14 has years of two digits
_OLD_RIGHTS = {"CE": "CE", "PE": "PE", "XX": "", "CA": "CE", "PA": "PE"}  # American: stock options until 2010
_TURNOVER_SLACK = 0.1  # a wrong unit is off by the lot, ten and more; two real rows by 0.1 %
_OLD_PARTS: tuple[tuple[str, str, Cell], ...] = (
    ("INSTRUMENT", "type", one_of({name: name for name in _OLD_TYPES}, pa.string())), ("SYMBOL", "underlying", text()),
    ("EXPIRY_DT", "expiry", _OLD_DAY), ("STRIKE_PR", "strike_paise", paise()),
    ("OPTION_TYP", "right", one_of(_OLD_RIGHTS, pa.string())),
    ("OPEN", "open_paise", paise()), ("HIGH", "high_paise", paise()), ("LOW", "low_paise", paise()),
    ("CLOSE", "close_paise", paise()), ("SETTLE_PR", "settlement_paise", paise()), ("CONTRACTS", "contracts", whole()),
    ("VAL_INLAKH", "notional_rupees", number(least=0, scale=1e5)), ("OPEN_INT", "oi", whole()),
    ("CHG_IN_OI", "oi_change", whole(least=-1e15)), ("TIMESTAMP", "date", _OLD_DAY), ("", "end", blank()),
)  # fmt: skip
OLD = tuple(Column(*part) for part in _OLD_PARTS)
_NOT_IN_OLD = ("last_paise", "prev_close_paise", "underlying_paise", "volume", "trades", "lot")


def read_udiff(path: str | Path, *, strict: bool = False) -> Read:
    """A UDiFF F&O bhavcopy as FO_BHAVCOPY; a Parquet file (by its suffix) may hold several days.

    Raises InputError for a file that is none, with `strict` for its first bad row.
    """
    if Path(path).suffix == ".parquet":
        columns = tuple(column for column in UDIFF if column.header not in _NOT_IN_PARQUET)
        rows = from_table(path, read_parquet(path), [column.header for column in columns])
        rows.parse(columns)
    else:
        rows = from_text(read_text(path, r"BhavCopy_.*\.(csv|CSV)"), [column.header for column in UDIFF])
        rows.parse(UDIFF)
        rows.one_day("date", "TradDt")
    _quantities(rows)
    _check(rows, {column.name: column.header for column in UDIFF}, _UDIFF_TYPES)
    last = rows.ints("last_paise")
    outside = (last < rows.ints("low_paise")) | (last > rows.ints("high_paise"))
    rows.refuse((rows.ints("high_paise") > 0) & outside, "LastPric", "a last price between low and high")
    expiring = rows.ints("date_number") == rows.ints("expiry_number")
    differs = rows.ints("settlement_paise") != rows.ints("underlying_paise")
    rows.refuse(expiring & differs, "SttlmPric", "the underlying's close as an expiring contract's settlement price")
    _check_turnover(rows)
    return _finish(rows, strict=strict)


def read_old_bhavcopy(path: str | Path, *, strict: bool = False) -> Read:
    """An F&O bhavcopy of before 2024-07-08 (foDDMONYYYYbhav.csv, or its zip) as FO_BHAVCOPY.

    It has no lot, so `volume` in units is null, and neither last price, previous close, underlying nor trades. Raises
    as `read_udiff`.
    """
    rows = from_text(read_text(path, r"fo.*bhav\.csv"), [column.header for column in OLD])
    rows.parse(OLD)
    rows.one_day("date", "TIMESTAMP")
    rows.values["listed_expiry"] = rows.values["expiry"]
    rows.values["exchange"] = pa.array(["NSE"] * len(rows), pa.string())
    for name in _NOT_IN_OLD:
        rows.values[name] = pa.nulls(len(rows), pa.int64())
    _check(rows, {column.name: column.header for column in OLD}, _OLD_TYPES)
    return _finish(rows, strict=strict)


def _quantities(rows: Rows) -> None:
    """`contracts` and `volume` in units, of which NSE publishes the first and BSE the second."""
    traded, lot = rows.ints("traded"), np.maximum(rows.ints("lot"), 1)
    units = np.array(rows.values["exchange"].to_pylist(), object) == "BSE"
    rows.refuse(units & (traded % lot != 0), "TtlTradgVol", "units of whole lots, as BSE gives them")
    rows.values["contracts"] = pa.array(np.where(units, traded // lot, traded))
    rows.values["volume"] = pa.array(np.where(units, traded, traded * lot))


def _check_turnover(rows: Rows) -> None:
    """The turnover is (strike + price) × units at a price of the day; volume in another unit shows here."""
    strike, volume, value = rows.ints("strike_paise"), rows.ints("volume"), rows.floats("notional_rupees")
    low, high = ((strike + rows.ints(f"{side}_paise")) / 100 * volume for side in ("low", "high"))
    priced = (volume > 0) & (rows.ints("high_paise") > 0)
    off = (value < low * (1 - _TURNOVER_SLACK)) | (value > high * (1 + _TURNOVER_SLACK))
    rows.refuse(priced & off, "TtlTrfVal", "the turnover, (strike + price) × units traded")


def _check(rows: Rows, header: dict[str, str], types: dict[str, tuple[bool, bool]]) -> None:
    """What both formats must keep: a strike and a side for options only, prices in order, no contract twice."""
    codes = [types.get(name, (False, False)) for name in rows.values["type"].to_pylist()]
    rows.values["is_index"] = pa.array([index for index, _ in codes], pa.bool_())
    option = np.array([is_option for _, is_option in codes], bool)
    right = np.array(rows.values["right"].to_pylist(), object)
    rows.values["kind"] = pa.array(
        np.where(right == "CE", Kind.CALL, np.where(right == "PE", Kind.PUT, Kind.FUTURE)).astype(np.int8)
    )
    rows.values["strike_paise"] = rows.values["strike_paise"].fill_null(0)
    strike = rows.ints("strike_paise")
    rows.refuse(option & (right == ""), header["right"], "CE or PE for an option")
    rows.refuse(~option & (right != ""), header["right"], "nothing for a future")
    rows.refuse(option & (strike == 0), header["strike_paise"], "a strike above 0 for an option")
    rows.refuse(~option & (strike != 0), header["strike_paise"], "no strike for a future")
    for name in ("date", "expiry"):
        rows.values[f"{name}_number"] = rows.values[name].cast(pa.int32())
    rows.refuse(rows.ints("expiry_number") < rows.ints("date_number"), header["expiry"], "an expiry from the day on")
    low, high, opened = rows.ints("low_paise"), rows.ints("high_paise"), rows.ints("open_paise")
    # Real rows: a lone trade without open, high and low; a close outside of low and high. So neither is a rule.
    rows.refuse((high > 0) & (low > high), header["low_paise"], "a low not above the high")
    rows.refuse((high > 0) & ((opened < low) | (opened > high)), header["open_paise"], "an open between low and high")
    rows.refuse((rows.ints("contracts") == 0) & (high > 0), header["high_paise"], "no price where nothing was traded")
    key = ("date", "exchange", "underlying", "expiry", "kind", "strike_paise")
    rows.once(key, header["underlying"], "contract")


def _finish(rows: Rows, *, strict: bool) -> Read:
    """Settlement apart: a contract's own until the day before, the underlying's close on expiry day."""
    expiring = rows.ints("date_number") == rows.ints("expiry_number")
    settlement = rows.ints("settlement_paise")
    rows.values["settlement_paise"] = pa.array(settlement, mask=expiring)
    rows.values["final_settlement_paise"] = pa.array(settlement, mask=~expiring)
    return rows.read(FO_BHAVCOPY, strict=strict)
