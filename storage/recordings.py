"""What a path holds that can be replayed: a recorded chain file, or the root of a tape; and a Source an index of it."""

import datetime as dt
from collections.abc import Mapping
from pathlib import Path

import pyarrow.compute as pc

from core.errors import InputError
from core.market import INDICES, session
from core.ports import Source
from storage.chain_files import ChainFileSource
from storage.readers import read_recorded_chain
from storage.tape_files import Files
from storage.tape_source import TapeSource

Days = Mapping[dt.date, Mapping[str, Source]]


def recorded_sources(path: str, date: dt.date | None) -> tuple[dt.date, Days]:
    """The day to show, and of each day of `path` a Source, not yet opened, of each index recorded on it.

    None takes the only trading day there is. Raises InputError, saying what there is, for a path that is neither a
    file nor a tape's root, for a day that is not in it, and where a day must be chosen.
    """
    if "://" not in path and Path(path).is_file():
        return _of_chain_file(path, date)
    if "://" not in path and not Path(path).is_dir():
        raise InputError(f"{path}: no such file or folder; give a recorded chain file or the root folder of a tape")
    return _of_tape(path, date)


def _of_chain_file(path: str, date: dt.date | None) -> tuple[dt.date, Days]:
    table = read_recorded_chain(path, strict=True).table
    days = {day: set[str]() for day in sorted(pc.unique(table["date"]).to_pylist())}
    for row in table.select(["date", "index"]).group_by(["date", "index"]).aggregate([]).to_pylist():
        days[row["date"]].add(row["index"])
    sources = {
        day: {index: ChainFileSource(path, index, day) for index in INDICES if index in days[day]} for day in days
    }
    return _chosen(path, date, days), sources


def _of_tape(root: str, date: dt.date | None) -> tuple[dt.date, Days]:
    days: dict[dt.date, set[str]] = {}
    for folder in Files(root).partitions():
        name, day, index = folder.split("/")[-3:]
        if name == "ticks":
            days.setdefault(dt.date.fromisoformat(day.removeprefix("date=")), set()).add(index.removeprefix("index="))
    if not days:
        raise InputError(f"{root}: no ticks in it; a tape's root is the folder that holds ticks/, as tape.url names it")
    sources = {day: {index: TapeSource(root, index, day) for index in INDICES if index in days[day]} for day in days}
    return _chosen(root, date, days), sources


def _chosen(path: str, date: dt.date | None, days: Mapping[dt.date, set[str]]) -> dt.date:
    """`date`, or the only trading day with an index of ours: a collector goes on through holidays."""
    ours = [day for day in sorted(days) if days[day] & set(INDICES)]
    there = ", ".join(str(day) for day in ours) or f"nothing of {', '.join(INDICES)}"
    if date is not None and date not in ours:
        raise InputError(f"{path} holds {there}, not {date}: choose another --date")
    traded = [date] if date is not None else [day for day in ours if session("NSE", day) is not None]
    if len(traded) != 1:
        raise InputError(f"{path} holds {there}: choose the day with --date")
    return traded[0]
