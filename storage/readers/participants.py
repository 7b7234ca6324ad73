"""NSE's participant-wise open interest and volume: one file a day, or many days in one long table."""

import datetime as dt
import re
from dataclasses import replace
from pathlib import Path

import pyarrow as pa

from core.errors import InputError
from core.file_schemas import PARTICIPANTS, SIDES
from core.flows import sum_checks
from storage.readers.cells import date, number, one_of
from storage.readers.refusal import MEND, Read, refusal
from storage.readers.rows import Column, from_text
from storage.readers.source import Text, read_text

NAMES = ("Client", "DII", "FII", "Pro", "TOTAL")
HEADERS = (
    "Future Index Long", "Future Index Short", "Future Stock Long", "Future Stock Short",
    "Option Index Call Long", "Option Index Put Long", "Option Index Call Short", "Option Index Put Short",
    "Option Stock Call Long", "Option Stock Put Long", "Option Stock Call Short", "Option Stock Put Short",
    "Total Long Contracts", "Total Short Contracts",
)  # fmt: skip
_SIDES = tuple(
    Column(header, f"{name}_contracts", number(least=0)) for header, name in zip(HEADERS, SIDES, strict=True)
)
_WHO = one_of({name: name for name in NAMES}, pa.string())
DAY = (Column("Client Type", "participant", _WHO), *_SIDES)
LONG = (Column("date", "date", date("%Y-%m-%d")), Column("client_type", "participant", _WHO), *_SIDES)
_TITLE = re.compile(
    r"[\"' ]*Participant wise (?P<what>Open Interest|Trading Volumes?) .*as on "
    r"(?P<month>[A-Za-z]{3,9}) +(?P<day>\d{1,2}), *(?P<year>\d{4})[\"' ]*,*\s*"
)
_MEASURES = {"Open Interest": "oi", "Trading Volume": "volume", "Trading Volumes": "volume"}


def read_participants(path: str | Path, *, strict: bool = False) -> Read:
    """A day's fao_participant_oi or _vol file as PARTICIPANTS; the title line says which, and the day.

    The title is quoted once, twice or with apostrophes and its month short or long, by the year of the file. All five
    participants must be there, each once. `notes` tells where the figures do not add up (core.flows), or that a refused
    row keeps that from being checked. Raises InputError for a file that is none, with `strict` for a bad row or sum.
    """
    text = read_text(path)
    day, measure = _title(text)
    # The last line may lack its line break: that all five rows are there is the stronger check.
    rows = from_text(Text(text.name, text.member, text.lines, cut=False), [column.header for column in DAY], first=2)
    rows.parse(DAY)
    rows.values["date"] = pa.array([day] * len(rows), pa.date32())
    rows.values["measure"] = pa.array([measure] * len(rows))
    rows.once(("participant",), "Client Type", "participant")
    if not rows.torn and not rows.reasons and len(rows) != len(NAMES):
        raise refusal(
            path, f"line {len(text.lines)}", "Client Type", f"the rows {', '.join(NAMES)}", f"{len(rows)} rows"
        )
    read = rows.read(PARTICIPANTS, strict=strict)
    if read.refused:
        return replace(read, notes=(f"the participants' sums are not checked: {len(read.refused)} rows were refused",))
    differences = sum_checks(read.table).differences
    if differences and strict:
        raise InputError(f"{path}: {differences[0]}; {MEND}")
    return replace(read, notes=tuple(str(difference) for difference in differences))


def read_participant_days(path: str | Path, measure: str, *, strict: bool = False) -> Read:
    """Many days in one CSV with the columns date and client_type before the exchange's fourteen, as PARTICIPANTS.

    `measure`, oi or volume, is what the file holds: it does not say. Whether the days add up, `core.flows.sum_checks`
    tells. Raises as `read_participants`, and InputError for another measure.
    """
    if measure not in _MEASURES.values():
        raise InputError(f"{path}: the measure must be oi or volume, was {measure!r}")
    rows = from_text(read_text(path), [column.header for column in LONG])
    rows.parse(LONG)
    rows.values["measure"] = pa.array([measure] * len(rows))
    rows.once(("date", "participant"), "client_type", "participant of a day")
    return rows.read(PARTICIPANTS, strict=strict)


def _title(text: Text) -> tuple[dt.date, str]:
    line = text.lines[0]
    match = _TITLE.fullmatch(line)
    if match:
        for form in ("%b %d %Y", "%B %d %Y"):
            try:
                day = dt.datetime.strptime(f"{match['month']} {match['day']} {match['year']}", form)  # noqa: DTZ007
            except ValueError:
                continue
            return day.date(), _MEASURES[match["what"]]
    raise refusal(text.name, "line 1", "title", "Participant wise Open Interest … as on Nov 14, 2025", line)
