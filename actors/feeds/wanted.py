"""What a feed wants of its link: the universe of its index, as the money and the order manager's book move."""

import datetime as dt
import math
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from core.chain.forwards import future_forward
from core.kite import Registry
from core.market.symbols import Contract
from core.market.universe import Band, Catalogue, Expiry, Watch
from core.schemas import WANTED, Kind

_SEEN = ("symbol", "kind", "expiry", "exchange_ns", "last_paise", "bid_paise", "ask_paise")
FRESH_NS = 60_000_000_000  # market time; a future that is silent for longer does not say where the money is


class Wanted:
    """The set, and what it is chosen from. What is held or has an order is always in it, if it is listed at all.

    registry: the contracts of today, of which those of `index` are taken; on: the market date.
    """

    def __init__(self, registry: Registry, *, index: str, band: Band, most: int, on: dt.date) -> None:
        self._index, self._bands, self._most = index, {index: band}, most
        rows = registry.contracts.to_pylist()
        listed = [
            (Contract(row["index"], Kind(row["kind"]), row["expiry"], row["strike_paise"], row["symbol"]), token)
            for row, token in zip(rows, registry.tokens.tolist(), strict=True)
            if row["index"] == index
        ]
        self._tokens = {contract.symbol: token for contract, token in listed}
        self._always = sum(contract.kind in {Kind.INDEX, Kind.FUTURE} for contract, _ in listed)
        self._catalogue = Catalogue([contract for contract, _ in listed], on)
        self._level = 0
        self._forwards: dict[Expiry, tuple[float, int]] = {}  # paise, exchange time
        self._newest_ns = 0
        self._held: tuple[str, ...] = ()
        self._watch, self._batch = Watch(), _batch([], self._tokens)
        self._chosen_by: object = None  # middles and what is held
        self.symbols: frozenset[str] = frozenset()

    @property
    def level_paise(self) -> int:
        """Where the index is; 0 before its first tick."""
        return self._level

    @property
    def unlisted(self) -> tuple[str, ...]:
        """Held, and in no list of today: nobody can watch it."""
        return self._watch.unlisted

    @property
    def left_out(self) -> int:
        """Contracts of the bands for which there was no room."""
        return self._watch.left_out

    def see(self, ticks: pa.RecordBatch) -> bool:
        """Take the level and the forwards of TICKS, which are in order of time; whether the level is new."""
        unknown = not self._level
        self._newest_ns = max(self._newest_ns, int(ticks["exchange_ns"].to_numpy().max()))
        kinds = ticks["kind"].to_numpy()
        few = ticks.select(_SEEN).filter(pa.array((kinds == Kind.INDEX) | (kinds == Kind.FUTURE)))
        for symbol, kind, expiry, at, last, bids, asks in zip(*(few[n].to_pylist() for n in _SEEN), strict=True):
            if symbol == self._index and last > 0:
                self._level = last
            elif kind == Kind.FUTURE:
                forward = future_forward(bids[0] / 100, asks[0] / 100, fresh=True)
                self._forwards[self._index, expiry] = forward.value * 100, at
        return unknown and self._level > 0

    def hold(self, symbols: Sequence[str]) -> None:
        """All that has a position or a live order."""
        self._held = tuple(symbols)

    def choose(self) -> bool:
        """Choose anew; whether the set is another one now. Without a level the nearest forward stands for it."""
        oldest = self._newest_ns - FRESH_NS
        forwards = {expiry: paise for expiry, (paise, at) in self._forwards.items() if at >= oldest}
        near = next((paise for _, paise in sorted(forwards.items()) if math.isfinite(paise)), 0)
        money: Any = {"levels": {self._index: self._level or near}, "bands": self._bands, "forwards": forwards}
        chosen_by = self._catalogue.middles(self._watch, **money), self._held
        if chosen_by == self._chosen_by:
            return False
        most = max(self._most, len(set(self._held)) + self._always)  # never a reason to drop what is held
        self._watch = self._catalogue.choose(self._watch, **money, most=most, held=self._held)
        before, self._chosen_by = self.symbols, chosen_by
        self.symbols = frozenset(one.symbol for one in self._watch.contracts)
        self._batch = _batch([one.symbol for one in self._watch.contracts], self._tokens)
        return self.symbols != before

    def batch(self) -> pa.RecordBatch:
        """The set as schemas.WANTED."""
        return self._batch


def _batch(symbols: list[str], tokens: Mapping[str, int]) -> pa.RecordBatch:
    columns = [pa.array(symbols, pa.string()), pa.array([tokens[symbol] for symbol in symbols], pa.int64())]
    return pa.record_batch(columns, schema=WANTED)
