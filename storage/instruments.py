"""The broker's instrument dump of a trading day: fetched once, then read from this machine's own file.

Kite builds its dump once a day and asks to fetch it from about 08:30 IST (its documentation). What comes earlier may be
the day before's: it is used, said to be provisional, and not kept.
"""

import datetime as dt
import gzip
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from core.errors import BrokerDown, InputError
from core.market import IST, from_ns, to_ns
from storage.readers import Read, read_instruments

BUILT = dt.time(8, 30)  # IST


def instruments_of(folder: Path, on: dt.date, download: Callable[[], bytes], *, now: dt.datetime) -> Read:
    """INSTRUMENTS of the trading day `on`: from `folder` if they were fetched on that day, else by `download`.

    `folder` is of one source alone: the list of a local exchange is not Kite's. `now` is aware, of the market's clock.
    A torn file is fetched again; one of another day is never read. Raises InputError for a dump that is none and, when
    nothing is kept, for a day whose dump is no longer given, BrokerDown as `download` does, naming what is kept.
    """
    moment, path, notes = from_ns(to_ns(now)), folder / f"{on}.csv.gz", []
    if path.exists():
        try:
            return read_instruments(path)
        except InputError as error:
            notes.append(f"fetched again: {error}")
    built = dt.datetime.combine(on, BUILT, IST)
    if moment >= built + dt.timedelta(days=1):
        raise InputError(
            f"{path}: no instrument dump of {on} is kept, and at {moment:%Y-%m-%d %H:%M} Kite has a later one"
        )
    try:
        text = download()
    except BrokerDown as error:
        raise BrokerDown(f"no instrument dump of {on}: {error}{_others(folder)}") from error
    final = moment >= built
    if not final:
        notes.append(f"fetched at {moment:%Y-%m-%d %H:%M}, before the dump of {on} is built: fetch it again from 08:30")
    read = _keep(path, text, final=final)
    return replace(read, notes=(*read.notes, *notes))


def _keep(path: Path, text: bytes, *, final: bool) -> Read:
    """Written aside, read, and only then, if it is `final`, given its name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with aside.open("wb") as file:
            file.write(gzip.compress(text, mtime=0))
            file.flush()
            os.fsync(file.fileno())
        read = read_instruments(aside)
        if final:
            aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)
    return read


def _others(folder: Path) -> str:
    kept = sorted(path.name.removesuffix(".csv.gz") for path in folder.glob("????-??-??.csv.gz"))
    return f"; the one of {kept[-1]} is kept here and is not used for another day" if kept else ""
