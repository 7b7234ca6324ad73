"""Which bars a backfill asks for: those of a day that have closed, are not on the tape and not known to be nowhere."""

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from brokers.kite.history import Gap, gap_of
from core.kite.instruments import Listing
from core.market import IST, to_ns
from core.market.missing import Hole, missing
from core.market.symbols import Contract
from core.schemas import Kind
from storage.taped_day import NONE, TapedDay

SECOND = 1_000_000_000


class Want(NamedTuple):
    """What is wanted of a day and which of it is missing.

    gaps: levels, then futures, then options. counts: of contracts; of bars `there`, `idle` (not traded, as the tape
    proves), `nowhere` (known holes) and `missing`. unlisted: contracts of the tape that are in today's dump no more.
    """

    gaps: tuple[Gap, ...]
    counts: Mapping[str, int]
    unlisted: tuple[str, ...]


def wanted(
    taped: TapedDay,
    listing: Listing,
    index: str,
    day: dt.date,
    *,
    seconds: Sequence[int],
    now_ns: int,
    holes: Mapping[tuple[str, int], Iterable[Hole]],
    symbols: Sequence[str] = (),
) -> Want:
    """The bars of `index` on `day`, of `symbols` alone if any are named, that have closed and are nowhere.

    Raises InputError for a length that Kite has no candles of.
    """
    gaps, counts, midnight = [], Counter(contracts=0, there=0, idle=0, nowhere=0, missing=0), midnight_ns(day)
    for contract in listing.contracts:
        first = _first_ns(contract, taped, midnight, symbols)
        if contract.index != index or first is None or (contract.expiry is not None and contract.expiry < day):
            continue
        counts["contracts"] += 1
        for length in seconds:
            span = first - first % (length * SECOND), midnight + 86_400 * SECOND
            token = listing.token(contract.symbol)
            every = gap_of(contract, token, length, span, now_ns=now_ns, have=NONE)
            absent = missing(every.starts, taped.have(contract.symbol, length))
            open_ = missing(absent, NONE, holes.get((contract.symbol, length), ()))
            idle = taped.idle(contract.symbol, length, open_)
            counts.update(there=every.starts.size - absent.size, nowhere=absent.size - open_.size)
            counts.update(idle=int(idle.sum()), missing=int((~idle).sum()))
            if not idle.all():
                gaps.append(every._replace(starts=open_[~idle]))
    unlisted = () if symbols else tuple(sorted(set(taped.contracts) - set(listing.keys)))
    return Want(tuple(gaps), counts, unlisted)


def in_words(counts: Mapping[str, int]) -> str:
    return (
        f"{counts['contracts']} contracts; bars: {counts['there']} there, {counts['idle']} never were (not traded), "
        f"{counts['nowhere']} known to be nowhere, {counts['missing']} missing"
    )


def midnight_ns(day: dt.date) -> int:
    return to_ns(dt.datetime.combine(day, dt.time(), IST))


def _first_ns(contract: Contract, taped: TapedDay, midnight_ns: int, symbols: Sequence[str]) -> int | None:
    """From when on the contract is wanted; None: not at all."""
    if symbols:
        return midnight_ns if contract.symbol in symbols else None
    return midnight_ns if contract.kind in {Kind.INDEX, Kind.FUTURE} else taped.first_ns(contract.symbol)
