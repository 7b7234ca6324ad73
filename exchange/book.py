"""What every contract of a simulated session shows at a given batch: price, five levels, volume, open interest.

`Market.ticks(rows, batch)` is a pure function: the same contract at the same batch number is the same whoever asks, in
whatever order, and whatever else is listed.

From 2026-08-03 the cash index stands still from 15:15 on, its constituents being in the closing auction, and prints its
close once; what expires that day is priced on the print from then on, all else on the path, which goes on.
"""

import zlib
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from core.schemas import DEPTH, TICKS, Kind
from exchange.levels import CARRY, RATE, Level
from exchange.paths import DAYS, Path, activity_done
from exchange.surface import Surface, calls_and_puts
from exchange.universe import VIX, Universe

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

TICK = 5  # paise; index options and futures are both quoted on multiples of it
YEAR_NS = 365 * 86_400 * 1_000_000_000
_VIX_YEARS = 30.0 / 365.0


class Hours(NamedTuple):
    """A session in UTC ns, batches of `batch_ns` counted from the open.

    The cash index stands still from `frozen_ns` to `printed_ns` and then shows its close; after the close: it does not.
    """

    open_ns: int
    close_ns: int
    batch_ns: int
    frozen_ns: int
    printed_ns: int

    @property
    def last(self) -> int:
        """Number of the last batch."""
        return (self.close_ns - self.open_ns) // self.batch_ns


def mix(keys: NDArray[Any], salt: Ints | int) -> NDArray[np.uint64]:
    """A hash of (key, salt), splitmix64's finaliser: noise that needs no generator's state."""
    x = keys.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.asarray(salt).astype(np.uint64) * np.uint64(
        0xD1B54A32D192ED03
    )
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: NDArray[np.uint64] = x ^ (x >> np.uint64(31))
    return mixed


class Market:
    """One index's session. `salt` is the day's; `prev_close` of every row, paise, None where nobody asks for ticks."""

    def __init__(
        self, universe: Universe, path: Path, level: Level, hours: Hours, *, salt: int, prev_close: Ints | None = None
    ) -> None:
        self.universe, self.path, self.surface, self.hours = universe, path, Surface(level.skew, level.vol), hours
        self._option = universe.kind >= Kind.CALL
        self._future = universe.kind == Kind.FUTURE
        symbols = [str(symbol) for symbol in universe.contracts["symbol"].to_pylist()]
        self._vix = np.array([s == VIX for s in symbols])
        self._cash = (universe.kind == Kind.INDEX) & ~self._vix
        self._ends = (universe.kind != Kind.INDEX) & (universe.settled_ns[universe.expiry_at] <= hours.close_ns)
        self._key = mix(np.array([zlib.crc32(s.encode()) for s in symbols], np.int64), salt)
        self._print = self._auction()
        self._draw_interest(level)
        self._prev_close = np.zeros(len(universe), np.int64) if prev_close is None else prev_close

    def fair(self, rows: Ints, market_ns: Ints) -> Floats:
        """Model price in points of `rows` at `market_ns`, both [n]."""
        frozen_ns, printed_ns = self.hours.frozen_ns, self.hours.printed_ns
        cash, printed = self._cash[rows], market_ns >= printed_ns
        seen = np.where(cash & (market_ns >= frozen_ns), frozen_ns, market_ns)
        spot, vol = self.path.at((seen - self.hours.open_ns) / 1e9)
        spot = np.where(printed & (cash | self._ends[rows]), self._print, spot)
        return self._fair(rows, market_ns, spot, vol)

    def last(self, rows: Ints, batch: Ints | int) -> Ints:
        """The last price of `rows` at the batch numbers `batch`, paise."""
        return self._quote(rows, np.broadcast_to(np.asarray(batch, np.int64), rows.shape))[0]

    def ticks(self, rows: Ints, batch: Ints | int) -> pa.RecordBatch:
        """TICKS of `rows` at the batch numbers `batch` (one for all, or one each)."""
        n = np.broadcast_to(np.asarray(batch, np.int64), rows.shape)
        at = self.hours.open_ns + n * self.hours.batch_ns
        last, bid, ask, gap, noise = self._quote(rows, n)
        fraction = np.clip((at - self.hours.open_ns) / (self.hours.close_ns - self.hours.open_ns), 0.0, 1.0)
        lots = self.universe.lots[rows]
        volume = np.floor(self._day_lots[rows] * activity_done(fraction)).astype(np.int64) * lots
        oi = self._prev_oi[rows] + np.floor(self._oi_change[rows] * fraction).astype(np.int64) * lots
        static = self.universe.contracts.take(pa.array(rows))
        columns = [
            *static.columns, pa.array(at), pa.array(at), pa.array(last), pa.array(self._prev_close[rows]),
            pa.array(volume), pa.array(oi), pa.array(self._prev_oi[rows]),
            *self._side(bid, -gap, noise, lots),
            *self._side(np.where(self.universe.kind[rows] == Kind.INDEX, 0, ask), gap, ~noise, lots),
        ]  # fmt: skip
        return pa.RecordBatch.from_arrays(columns, schema=TICKS)

    def _quote(self, rows: Ints, n: Ints) -> tuple[Ints, Ints, Ints, Ints, NDArray[np.uint64]]:
        """Last, best bid, best ask, distance between levels, all paise; and the noise of this moment."""
        fair = self.fair(rows, self.hours.open_ns + n * self.hours.batch_ns)
        bid, ask, gap = self._touch(rows, fair)
        noise = mix(self._key[rows], n)
        sold = (noise & np.uint64(1)).astype(bool) & (bid > 0)
        last = np.where(self.universe.kind[rows] == Kind.INDEX, _nearest_tick(fair), np.where(sold, bid, ask))
        last = np.where(self._vix[rows], np.round(fair * 100.0).astype(np.int64), last)  # VIX has two decimals, no tick
        return last, bid, ask, gap, noise

    def _auction(self) -> float:
        """The index's close by its auction, points: where the path is when it prints, and never the level it froze at.

        (So that it can be seen in bars; core.market.settlement_price takes a level that did not move for no print.)
        """
        moments = np.array([self.hours.frozen_ns, self.hours.printed_ns])
        frozen, printed = _nearest_tick(self.path.at((moments - self.hours.open_ns) / 1e9)[0]).tolist()
        return float(printed if printed != frozen else printed + TICK) / 100.0

    def _fair(self, rows: Ints, at: Ints, spot: Floats, vol: Floats) -> Floats:
        u = self.universe
        years = np.maximum(u.settled_ns[u.expiry_at[rows]] - at, 0) / YEAR_NS
        forward = spot * np.exp(CARRY * years)
        out = np.where(u.kind[rows] == Kind.FUTURE, forward, spot)
        vix = self._vix[rows]
        if vix.any():
            month = np.full(int(vix.sum()), _VIX_YEARS)
            out[vix] = 100.0 * np.sqrt(self.surface.theta(vol[vix], month) / _VIX_YEARS)
        option = self._option[rows]
        if option.any():
            F, K, T = forward[option], u.strike_paise[rows[option]] / 100.0, years[option]
            w = self.surface.total_variance(np.log(K / F), self.surface.theta(vol[option], T))
            values = np.stack(calls_and_puts(F, K, w, np.exp(-RATE * T)))
            values = np.where(T > 0, values, np.maximum(np.stack((F - K, K - F)), 0.0))
            out[option] = np.where(u.kind[rows[option]] == Kind.CALL, *values)
        return out

    def _touch(self, rows: Ints, fair: Floats) -> tuple[Ints, Ints, Ints]:
        """Best bid, best ask and the distance between levels, paise; wider for dear, far and distant contracts."""
        u = self.universe
        paise = fair * 100.0
        half = np.where(self._future[rows], 0.00008 * paise, 2.0 + 0.0015 * paise + 1.5 * self._distance[rows] ** 2)
        bid = np.floor((paise - half) / TICK).astype(np.int64) * TICK
        ask = np.ceil((paise + half) / TICK).astype(np.int64) * TICK
        ask = np.maximum(ask, np.maximum(bid, 0) + TICK)
        gap = np.maximum((ask - bid) // (3 * TICK), 1) * TICK
        return np.where(u.kind[rows] == Kind.INDEX, 0, np.maximum(bid, 0)), ask, gap

    def _side(self, best: Ints, gap: Ints, noise: NDArray[np.uint64], lots: Ints) -> list[pa.Array]:
        """Prices, quantities and orders of five levels, best first; a level below one tick does not exist."""
        levels = np.arange(DEPTH, dtype=np.int64)
        price = np.where(best[:, None] > 0, best[:, None] + gap[:, None] * levels, 0)
        there = price > 0
        drawn = (noise[:, None] >> (np.uint64(10) + np.uint64(9) * levels.astype(np.uint64))).astype(np.int64)
        orders = np.where(there, 1 + (drawn & 15), 0)
        quantity = orders * lots[:, None] * (1 + ((drawn >> 4) & 7) + levels)
        types = [TICKS.field(f"bid_{c}").type for c in ("paise", "qty", "orders")]
        values = [np.where(there, price, 0), quantity, orders.astype(np.int32)]
        return [
            pa.FixedSizeListArray.from_arrays(pa.array(v.ravel()), type=t) for v, t in zip(values, types, strict=True)
        ]

    def _draw_interest(self, level: Level) -> None:
        """A day's volume and open interest: most near the money and in the nearest expiry, round strikes liked more."""
        u = self.universe
        years = (u.settled_ns[u.expiry_at] - self.hours.open_ns) / YEAR_NS
        width = level.vol * self.path.prev_close * np.sqrt(np.maximum(years, 1.0 / DAYS))
        strike = u.strike_paise / 100.0
        self._distance = np.where(self._option, np.abs(strike - self.path.spot[0]) / width, 0.0)
        near = np.exp(-0.5 * (self._distance / 0.8) ** 2) * 0.45 ** np.minimum(u.expiry_at, 6)
        first, second, third = (_uniform(self._key, salt) for salt in (-1, -2, -3))
        normal = np.sqrt(-2.0 * np.log(first)) * np.cos(2.0 * np.pi * second)  # Box and Muller
        liked = np.where(np.round(strike) % 500 == 0, 1.6, 1.0) * np.exp(0.3 * normal)
        traded = self._option | self._future
        self._day_lots = np.where(traded, level.lots_a_day * near * liked * np.where(self._future, 0.2, 1.0), 0.0)
        held = np.exp(-0.5 * (self._distance / 1.6) ** 2) * 0.7 ** np.minimum(u.expiry_at, 6)
        self._prev_oi = (
            np.where(traded, np.floor(0.15 * level.lots_a_day * held * liked), 0.0).astype(np.int64) * u.lots
        )
        self._oi_change = self._prev_oi / u.lots * (0.8 * third - 0.25)


def _uniform(keys: NDArray[Any], salt: int) -> Floats:
    """A number above 0 and at most 1 of each key."""
    return ((mix(keys, salt) >> np.uint64(11)).astype(np.float64) + 1.0) * 2.0**-53


def _nearest_tick(points: Floats) -> Ints:
    return np.round(points * (100.0 / TICK)).astype(np.int64) * TICK
