"""NSE Clearing's and BSE's SPAN files (.spn, XML format 4.00, about 50 MB), streamed; zipped as published or plain.

Structure, as described by readers of the files of 2026-05-29 and 2026-06-25 (no real file is at hand): spanFile >
pointInTime > (date, isSetl, clearingOrg > (ccDef, exchange > (phyPf > phy, futPf > fut, oopPf > series > opt))). A
contract's `ra` holds sixteen `a` in rupees of one unit, a loss of a *long* unit positive, and the composite delta `d`.
"""

import datetime as dt
import math
import zipfile
import zlib
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast
from xml.etree import ElementTree as ET

from core.errors import InputError
from core.risk.span import Spread
from core.risk.span_file import Key, SpanContract, SpanFile, SpanIndex

ALIASES = {"BSX": "SENSEX", "BSESEN": "SENSEX"}
"""BSE's codes of the SENSEX."""
_SIGNS = {"C": 1, "P": -1}
_HEADER = {"fileFormat", "created", "date"}
_DONE = {"definitions", "pointDef", "ccDef", "phyPf", "futPf", "oopPf"}


class _Found:
    """What has been read of one index."""

    def __init__(self) -> None:
        self.spot = float("nan")
        self.contracts: dict[Key, SpanContract] = {}
        self.spreads: list[tuple[int, Spread]] = []
        self.short_minimum = 0.0


def read_spn(path: Path, indices: Collection[str], *, aliases: Mapping[str, str] | None = None) -> SpanFile:
    """The file's arrays of `indices`, by our names; what else is in it is skipped.

    Raises InputError, naming file and element, for another format, a missing index or one priced twice, a negative
    price, an array that is not of sixteen numbers, or a calendar spread of a kind the files were never seen to have.
    """
    reader = _Reader(path, frozenset(indices), {**ALIASES, **(aliases or {})})
    with _opened(path) as stream:
        reader.read(stream)
    return reader.result()


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    try:
        if not zipfile.is_zipfile(path):
            with path.open("rb") as plain:
                yield plain
            return
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if name.lower().endswith((".spn", ".xml"))]
            if len(names) != 1:
                raise InputError(f"{path.name} holds {len(names)} .spn or .xml files, expected one; unpack it")
            with archive.open(names[0]) as member:
                yield cast("BinaryIO", member)
    except (OSError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise InputError(
            f"{path.name} cannot be read: {getattr(error, 'strerror', None) or error}; fetch it again"
        ) from error


class _Reader:
    def __init__(self, path: Path, wanted: frozenset[str], aliases: Mapping[str, str]) -> None:
        self._file, self._wanted, self._aliases = path.name, wanted, aliases
        self._found: dict[str, _Found] = {}
        self._header: dict[str, str] = {}

    def read(self, stream: BinaryIO) -> None:
        events = ET.iterparse(stream)  # noqa: S314 the exchange's own file
        for element in self._ended(events):
            if element.tag in _HEADER:
                self._header.setdefault(element.tag, (element.text or "").strip())  # the head comes first
            elif element.tag in _DONE:
                self._take(element)
                element.clear()
        if events.root.tag != "spanFile":
            raise self._wrong(f"begins with <{events.root.tag}>, expected <spanFile>")

    def _ended(self, events: Iterator[tuple[str, ET.Element]]) -> Iterator[ET.Element]:
        """Elements as they end; a declared encoding that nobody knows is a LookupError or ValueError of the parser."""
        try:
            for _, element in events:
                yield element
        except (ET.ParseError, LookupError, ValueError) as error:
            raise self._wrong(f"is no whole XML file: {error}") from error

    def _wrong(self, what: str, remedy: str = "fetch the file again") -> InputError:
        return InputError(f"{self._file}: {what}; {remedy}")

    def result(self) -> SpanFile:
        head = self._header
        if head.get("fileFormat") != "4.00" or "date" not in head:
            raise self._wrong(
                f"has format {head.get('fileFormat')!r} of {head.get('date')!r}, expected 4.00 and a date"
            )
        missing = sorted(name for name in self._wanted if name not in self._found or not self._found[name].contracts)
        if missing:
            raise self._wrong(f"has no contracts of {', '.join(missing)}", "choose the file of their exchange")
        return SpanFile(
            on=self._date(head["date"], "pointInTime/date"),
            created=head.get("created", ""),
            indices={name: self._index(name, found) for name, found in self._found.items() if found.contracts},
        )

    def _index(self, name: str, found: _Found) -> SpanIndex:
        if not found.spot > 0:
            raise self._wrong(f"has no price of {name} itself (phyPf/phy/p)")
        spreads = tuple(spread for _, spread in sorted(found.spreads, key=lambda row: row[0]))
        return SpanIndex(spot=found.spot, contracts=found.contracts, spreads=spreads, short_minimum=found.short_minimum)

    def _take(self, element: ET.Element) -> None:
        code = element.findtext("cc" if element.tag == "ccDef" else "pfCode", "").strip()
        name = self._aliases.get(code, code)
        if name not in self._wanted:
            return
        found = self._found.setdefault(name, _Found())
        match element.tag:
            case "ccDef":
                self._commodity(name, element, found)
            case "phyPf":
                self._physical(name, element, found)
            case "futPf":
                for row in element.findall("fut"):
                    key = self._expiry(row, name), 0, 0
                    found.contracts[key] = self._contract(name, key, row)
            case "oopPf":
                self._options(name, element, found)

    def _physical(self, name: str, element: ET.Element, found: _Found) -> None:
        for row in element.findall("phy"):
            if not math.isnan(found.spot):
                raise self._wrong(f"{name} is priced twice (phyPf/phy), expected once")
            found.spot = self._price(row, name)

    def _options(self, name: str, element: ET.Element, found: _Found) -> None:
        for series in element.findall("series"):
            expiry = self._expiry(series, name)
            for row in series.findall("opt"):
                sign = _SIGNS.get(row.findtext("o", "").strip())
                if sign is None:
                    raise self._wrong(f"{name} {expiry} has an option that is neither C nor P")
                key = expiry, sign, round(self._number(row, "k", name) * 100)
                found.contracts[key] = self._contract(name, key, row)

    def _contract(self, name: str, key: Key, row: ET.Element) -> SpanContract:
        expiry, sign, strike = key
        where = f"{name} {expiry} {'PFC'[sign + 1]}{strike / 100 if strike else ''}"
        losses = tuple(self._value(a.text, f"{where} ra/a") for a in row.findall("ra/a"))
        if len(losses) != 16:
            raise self._wrong(f"{where} has {len(losses)} scenarios, expected 16")
        return SpanContract(losses, self._number(row, "ra/d", where), self._price(row, where))

    def _commodity(self, name: str, element: ET.Element, found: _Found) -> None:
        rates = [self._value(rate.text, f"{name} somTiers") for rate in element.findall("somTiers/tier/rate/val")]
        found.short_minimum = max(rates, default=0.0)
        for spread in element.findall("dSpread"):
            legs = spread.findall("pLeg")
            method = spread.findtext("chargeMeth", "").strip()
            ratios = {self._number(leg, "i", name) for leg in legs}
            if method != "F" or len(legs) != 2 or ratios != {1.0}:
                raise self._wrong(
                    f"a calendar spread of {name} has method {method!r} and {len(legs)} legs in the ratios "
                    f"{sorted(ratios)}, expected F and two legs of 1"
                )
            near, far = sorted(self._expiry(leg, name) for leg in legs)
            order = int(self._number(spread, "spread", name))
            found.spreads.append((order, Spread(near, far, self._number(spread, "rate/val", name))))

    def _expiry(self, row: ET.Element, where: str) -> dt.date:
        return self._date(row.findtext("pe", "").strip(), f"{where} pe")

    def _date(self, text: str, where: str) -> dt.date:
        try:
            return dt.datetime.strptime(text, "%Y%m%d").date()  # noqa: DTZ007 a day, not a moment
        except ValueError as error:
            raise self._wrong(f"{where} is {text!r}, expected YYYYMMDD") from error

    def _price(self, row: ET.Element, where: str) -> float:
        price = self._number(row, "p", where)
        if price < 0:
            raise self._wrong(f"{where} p is {row.findtext('p')!r}, expected 0 or more")
        return price

    def _number(self, row: ET.Element, tag: str, where: str) -> float:
        return self._value(row.findtext(tag), f"{where} {tag}")

    def _value(self, text: str | None, where: str) -> float:
        try:
            value = float(text or "")
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise self._wrong(f"{where} is {'not there' if text is None else repr(text)}, expected a number")
        return value
