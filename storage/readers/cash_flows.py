"""Cash-market buying and selling of foreign and domestic institutions, as NSE shows it (provisional) each evening."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from core.file_schemas import CASH_FLOWS
from storage.readers.cells import date, number, one_of
from storage.readers.entries import Wrong, collect, day_of, number_of, read_json, text_of
from storage.readers.refusal import Read, refusal
from storage.readers.rows import Column, from_text
from storage.readers.source import read_text

_SLACK_CRORE = 0.011  # buy, sell and net are rounded one by one
_PARTICIPANTS = {"DII": "DII", "FII/FPI": "FII", "FII": "FII"}
COLUMNS = (
    Column("date", "date", date("%Y-%m-%d")),
    Column("category", "participant", one_of(_PARTICIPANTS, pa.string())),
    Column("buy_value", "buy_crore", number(least=0)),
    Column("sell_value", "sell_crore", number(least=0)),
    Column("net_value", "net_crore", number()),
)


def read_cash_flows(path: str | Path, *, strict: bool = False) -> Read:
    """NSE's fiidiiTradeReact document as CASH_FLOWS: `[{"category": "DII", "date": …}, …]`, amounts as text.

    Categories are matched by their beginning ("DII **" and "FII/FPI *" until December 2025). Raises InputError for a
    document that is none, with `strict` for its first bad entry.
    """
    document = read_json(path)
    if not isinstance(document, list):
        raise refusal(path, "line 1", "document", "a list of entries", type(document).__name__)
    seen: set[tuple[Any, ...]] = set()

    def rows_of(entry: Any) -> list[dict[str, Any]]:
        row = _row(entry)
        key = (row["date"], row["participant"])
        if key in seen:
            raise Wrong("category", "each participant of a day once", entry["category"])
        seen.add(key)
        return [row]

    rows, refused = collect(path, document, rows_of, strict=strict)
    return Read(pa.Table.from_pylist(rows, CASH_FLOWS), refused)


def read_cash_flow_days(path: str | Path, *, strict: bool = False) -> Read:
    """Many days of it in a CSV date,category,buy_value,sell_value,net_value, as CASH_FLOWS. Raises alike."""
    rows = from_text(read_text(path), [column.header for column in COLUMNS])
    rows.parse(COLUMNS)
    off = rows.floats("buy_crore") - rows.floats("sell_crore") - rows.floats("net_crore")
    rows.refuse(np.abs(off) > _SLACK_CRORE, "net_value", "buy_value less sell_value")
    rows.once(("date", "participant"), "category", "participant of a day")
    return rows.read(CASH_FLOWS, strict=strict)


def _row(entry: Any) -> dict[str, Any]:
    category = text_of(entry, "category")
    who = next((who for prefix, who in _PARTICIPANTS.items() if category.startswith(prefix)), None)
    if who is None:
        raise Wrong("category", "a category that begins with DII or FII", category)
    buy, sell = (number_of(entry, name, least=0) for name in ("buyValue", "sellValue"))
    net = number_of(entry, "netValue")
    if abs(buy - sell - net) > _SLACK_CRORE:
        raise Wrong("netValue", f"buyValue less sellValue, {buy - sell:.2f}", net)
    day = day_of(entry, "date", "%d-%b-%Y")
    return {"date": day, "participant": who, "buy_crore": buy, "sell_crore": sell, "net_crore": net}
