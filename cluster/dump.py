"""The broker's instrument dump of the day: read as a desk is made, carried in it as the user's facts are.

A desk with a broker asks it for the dump once its login is there; a replay's is named by `market.instruments`: Kite's
instrument list as CSV, plain or gzipped. What it lists wins over the tables on that day; every difference is a risk
event of the ledger and an alert on the page.
"""

# Imported where used: a command that does not need Arrow starts at once.
# ruff: noqa: PLC0415

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from cluster.state import home, write_private
from core.errors import InputError

if TYPE_CHECKING:
    from cluster.desk import Desk
    from core.kite.instruments import Listing
    from core.market.overlay import DayContracts
    from storage.readers import Read

COPY = "instruments.json"  # in a desk's folder: the dump it was made with
SHOWN = 10  # differences on the page; the ledger has all


class _Row(msgspec.Struct, frozen=True):
    """One expiry of the dump as the copy has it."""

    index: str
    expiry: dt.date
    lot: int
    monthly: bool


class _Copy(msgspec.Struct, frozen=True):
    on: dt.date
    rows: tuple[_Row, ...]


def with_dump(desk: "Desk") -> "Desk":
    """`desk` with the dump its settings name, and where it differs from the tables; InputError for one of no use."""
    path = desk.settings.market.instruments
    if not path:
        return desk
    from cluster.desk import market_day

    contracts, differences = read_dump(Path(path), market_day(desk))
    return msgspec.structs.replace(desk, dump=contracts, differences=differences)


def with_listing(desk: "Desk") -> "Desk":
    """`desk` with the dump of its broker, and where that differs from the tables.

    Raises BrokerDown when the broker does not say, InputError for a dump of no use.
    """
    from cluster.desk import is_local, market_day
    from core.market.dump import merge_dump

    on = market_day(desk)
    if is_local(desk):  # its list is of its seed and its day: fetched each time, kept for whoever wants to look at it
        (_folder(desk) / f"{on}.csv.gz").unlink(missing_ok=True)
    read, listing = read_listing(desk)
    contracts, differences = merge_dump(listing.rows, on)
    said = (*(one.message for one in differences), *listing.problems, *_left_out(read), *read.notes)
    said = tuple(dict.fromkeys((*desk.differences, *said)))
    return msgspec.structs.replace(desk, dump=contracts, differences=said, listing=listing)


def read_listing(desk: "Desk") -> "tuple[Read, Listing]":
    """The dump of the desk's day, as it was kept or else from its broker. Raises as `with_listing` does."""
    from cluster.desk import market_clock, market_day
    from core.kite.instruments import listing_of
    from core.market import from_ns
    from storage.instruments import instruments_of

    now = from_ns(market_clock(desk).now_ns())
    read = instruments_of(_folder(desk), market_day(desk), lambda: _download(desk), now=now)
    return read, listing_of(read.table, desk.settings.indices)


def _folder(desk: "Desk") -> Path:
    from brokers.kite.login import file_of
    from cluster.account import root_of
    from cluster.desk import is_local

    return Path(desk.data_dir) / "instruments" if is_local(desk) else home() / "instruments" / file_of(root_of(desk))


def _download(desk: "Desk") -> bytes:
    from brokers.kite.instruments import download
    from brokers.kite.limiter import Limiter
    from cluster.account import make_client
    from core.kite.instruments import exchanges_of

    return download(make_client(desk), Limiter(), exchanges_of(desk.settings.indices))


def _left_out(read: "Read") -> list[str]:
    return [f"left out of the dump: {row}" for row in read.refused]


def read_dump(path: Path, on: dt.date) -> "tuple[DayContracts, tuple[str, ...]]":
    """What the dump in `path` lists on `on`, and in sentences what of it the tables have otherwise or cannot be read.

    Raises InputError for a file that is no dump, or none of that day.
    """
    from core.market.dump import DumpRow, merge_dump
    from core.schemas import Kind
    from storage.readers import read_instruments

    read = read_instruments(path)
    columns = (read.table.column(name).to_pylist() for name in DumpRow._fields)
    rows = (DumpRow(*values) for values in zip(*columns, strict=True))
    try:
        contracts, differences = merge_dump((row for row in rows if row.kind != Kind.INDEX), on)
    except InputError as error:
        raise InputError(f"market.instruments: {path}: {error}") from error
    return contracts, (*(one.message for one in differences), *_left_out(read))


def keep_dump(folder: Path, contracts: "DayContracts | None") -> None:
    """Write down what a desk is made with, for the processes that reach it later."""
    if contracts is None:
        (folder / COPY).unlink(missing_ok=True)
        return
    rows = tuple(_Row(*key, units, key in contracts.monthly) for key, units in contracts.lots.items())
    write_private(folder / COPY, msgspec.json.encode(_Copy(contracts.on, rows)).decode())


def install_dump(folder: Path) -> str:
    """Use the dump that the desk of that folder was made with, if it was; else the tables alone, and return why."""
    from core.market.overlay import DayContracts, use_dump

    use_dump(None)
    if not (folder / COPY).exists():
        return ""
    try:
        copy = msgspec.json.decode((folder / COPY).read_bytes(), type=_Copy)
    except (msgspec.DecodeError, OSError) as error:
        return f"{folder / COPY}: the desk's own instrument dump is not readable ({error})"
    lots = {(row.index, row.expiry): row.lot for row in copy.rows}
    monthly = frozenset((row.index, row.expiry) for row in copy.rows if row.monthly)
    use_dump(DayContracts(on=copy.on, lots=lots, monthly=monthly))
    return ""


def for_page(differences: tuple[str, ...]) -> tuple[str, ...]:
    """What of the differences the page shows."""
    left = len(differences) - SHOWN
    return (*differences[:SHOWN], *([f"{left} more differences are in the ledger"] if left > 0 else []))
