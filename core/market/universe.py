"""Which contracts a desk watches: the universe that follows the money.

Of each index the level and the futures always, and the options of the nearest expiries about the money. What is held or
has an order is watched wherever the money goes.
"""

import datetime as dt
import math
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter

from core.errors import ConfigError, InputError
from core.market.symbols import Contract
from core.schemas import Kind

Expiry = tuple[str, dt.date]  # index, day


@dataclass(frozen=True, slots=True)
class Band:
    """How much of an index is watched.

    `strikes` on each side of the money are always there. `slack` more are watched, and the band stands still until the
    money has gone so many strikes from its middle: a level that swings by less than twice the slack changes nothing.
    """

    strikes: int = 20
    slack: int = 4
    expiries: int = 3

    def __post_init__(self) -> None:
        if self.strikes < 0 or self.slack < 0 or self.expiries < 0:
            raise ConfigError(f"a band has no negative number, was {self}")


@dataclass(frozen=True, slots=True)
class Watch:
    """What is to be watched.

    contracts: the most important first, each once. middles: of each band, a listed strike in paise; the next `choose`
    starts from them. left_out: contracts of a band for which there was no room. unlisted: what is held or has an order
    and is in no listing of today, so that nobody can watch it.
    """

    contracts: tuple[Contract, ...] = ()
    middles: Mapping[Expiry, int] = field(default_factory=dict)
    left_out: int = 0
    unlisted: tuple[str, ...] = ()


class Catalogue:
    """What is listed on a day, in the order in which it is chosen from; made once a day.

    No band is about an expiry beyond the index's last listed future: it has no forward but what a few far options say.
    """

    def __init__(self, contracts: Iterable[Contract], on: dt.date) -> None:
        """Contracts that expired before `on` are passed over."""
        listed = [one for one in contracts if one.expiry is None or one.expiry >= on]
        self._by_symbol = {one.symbol: one for one in listed}
        self._levels = [one for one in listed if one.kind == Kind.INDEX]
        self._futures = [one for one in listed if one.kind == Kind.FUTURE]
        self._options: defaultdict[Expiry, defaultdict[int, list[Contract]]] = defaultdict(lambda: defaultdict(list))
        for one in listed:
            if one.kind in {Kind.CALL, Kind.PUT} and one.expiry is not None:
                self._options[one.index, one.expiry][one.strike_paise].append(one)
        self._strikes = {expiry: sorted(strikes) for expiry, strikes in self._options.items()}
        self._expiries: defaultdict[str, list[dt.date]] = defaultdict(list)
        for index, day in sorted(self._strikes):
            last = max((one.expiry for one in self._futures if one.index == index and one.expiry), default=day)
            if day <= last:
                self._expiries[index].append(day)

    def middles(
        self,
        before: Watch,
        *,
        levels: Mapping[str, float],
        bands: Mapping[str, Band],
        forwards: Mapping[Expiry, float] | None = None,
    ) -> dict[Expiry, int]:
        """The middles that `choose` would choose about now, as Watch has them.

        Quick, where `choose` is not: for the same middles, `most` and `held` it chooses the same contracts.
        """
        middles = self._middles(before, bands, levels, forwards or {})
        return {expiry: self._strikes[expiry][place] for expiry, place in middles.items()}

    def choose(
        self,
        before: Watch,
        *,
        levels: Mapping[str, float],
        bands: Mapping[str, Band],
        most: int,
        forwards: Mapping[Expiry, float] | None = None,
        held: Collection[str] = (),
    ) -> Watch:
        """What to watch now.

        Args:
            before: the watch so far, `Watch()` at the start of a day.
            levels: of each index, in paise; NaN, 0 or none at all is unknown, and its bands stay where they are.
            forwards: of an expiry, in paise: where it is known, the money is there and not at the level.
            bands: of each index that is watched; of others only what is held.
            held: symbols with a position or a live order.
            most: so many contracts at most. Where the bands ask for more, the strikes farthest from the money go.

        InputError if what is held alone is more than `most`: none of it may be dropped.
        """
        keep = [self._by_symbol[symbol] for symbol in dict.fromkeys(held) if symbol in self._by_symbol]
        if len(keep) > most:
            raise InputError(f"{len(keep)} contracts are held or have orders and {most} can be watched: close some")
        middles = self._middles(before, bands, levels, forwards or {})
        always = [one for one in (*self._levels, *self._futures) if one.index in bands]
        each = (*keep, *always, *self._options_about(middles, bands))
        wanted = list({one.symbol: one for one in each}.values())
        return Watch(
            contracts=tuple(wanted[:most]),
            middles={expiry: self._strikes[expiry][place] for expiry, place in middles.items()},
            left_out=max(len(wanted) - most, 0),
            unlisted=tuple(symbol for symbol in dict.fromkeys(held) if symbol not in self._by_symbol),
        )

    def _middles(
        self, before: Watch, bands: Mapping[str, Band], levels: Mapping[str, float], forwards: Mapping[Expiry, float]
    ) -> dict[Expiry, int]:
        """The place of each band's middle among the strikes, moved no farther than it must; none where unknown."""
        out = {}
        for index, band in bands.items():
            for expiry in ((index, day) for day in self._expiries[index][: band.expiries]):
                strikes, was = self._strikes[expiry], before.middles.get(expiry)
                place = None if was is None else _nearest(strikes, was)
                money = next(
                    (at for at in (forwards.get(expiry), levels.get(index)) if at is not None and _known(at)), 0
                )
                if money:
                    now = _nearest(strikes, money)
                    place = now if place is None else min(max(place, now - band.slack), now + band.slack)
                if place is not None:
                    out[expiry] = place
        return out

    def _options_about(self, middles: Mapping[Expiry, int], bands: Mapping[str, Band]) -> list[Contract]:
        """The options of every band: first those near the money, and of equally near ones those that expire first."""
        ranked = []
        for expiry, middle in middles.items():
            strikes, reach = self._strikes[expiry], bands[expiry[0]].strikes + bands[expiry[0]].slack
            rank = self._expiries[expiry[0]].index(expiry[1])
            for place in range(max(middle - reach, 0), min(middle + reach + 1, len(strikes))):
                ranked += [(abs(place - middle), rank, one) for one in self._options[expiry][strikes[place]]]
        return [one for *_, one in sorted(ranked, key=itemgetter(0, 1))]


def _known(paise: float) -> bool:
    return math.isfinite(paise) and paise > 0


def _nearest(strikes: Sequence[int], paise: float) -> int:
    """The place of the strike nearest to `paise`, the lower of two equally near ones."""
    right = bisect_left(strikes, paise)
    if right == len(strikes):
        return right - 1
    return right if right == 0 or strikes[right] - paise < paise - strikes[right - 1] else right - 1
