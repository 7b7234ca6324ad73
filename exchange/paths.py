"""The simulated session's spot and vol: a pure function of seed, session date and time.

The whole session is drawn at once on a grid of one second, so that any moment of it can be asked for in any order,
by any process, with the same answer: a feed that is killed and started again shows no jump.

Log spot is a Heston-like diffusion with log-Ornstein–Uhlenbeck vol, a U-shaped activity over the day and a few jumps;
a common factor, drawn from the seed alone, moves every index. Where each session ends is drawn from its date, and its
path is bent to end there, in proportion to the variance passed (a Brownian bridge): the next session begins where this
one ended without either drawing the other. Moves from close to close have the variance of the long-run vol.
"""

import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from exchange.levels import Level

Floats = NDArray[np.float64]

DAYS = 252.0  # sessions in a year of variance
_REVERSION = 2.5  # of log vol, per session
_VOL_OF_VOL = 0.25  # sd of log vol over a session, before reversion
_LEVERAGE = -0.6  # correlation of the common factor with its vol
_JUMPS = 3.0  # expected in a session
_JUMP_SD = 0.0012  # log points


@dataclass(frozen=True)
class Path:
    """Spot in points and spot vol in decimals a year at whole seconds since the open; [seconds + 1] each."""

    prev_close: float
    spot: Floats
    vol: Floats

    def at(self, seconds: Floats) -> tuple[Floats, Floats]:
        """Spot and vol at `seconds` since the open, linear between grid points, held flat beyond both ends."""
        clipped = np.clip(seconds, 0.0, float(self.spot.size - 1))
        whole = np.minimum(clipped.astype(np.int64), self.spot.size - 2)
        part = clipped - whole
        spot = self.spot[whole] + part * (self.spot[whole + 1] - self.spot[whole])
        return spot, self.vol[whole] + part * (self.vol[whole + 1] - self.vol[whole])


def activity(fraction: Floats) -> Floats:
    """Relative activity over the session, 1 on average: high at the open and the close. `fraction` in 0…1."""
    return 0.55 + 5.4 * (fraction - 0.5) ** 2


def activity_done(fraction: Floats) -> Floats:
    """Share of the day's activity that is past; the integral of `activity`, 0 at 0 and 1 at 1."""
    centred = fraction - 0.5
    return 0.55 * fraction + 1.8 * (centred**3 + 0.125)


def generator(seed: int, ordinal: int, name: str) -> np.random.Generator:
    """A stream of its own for (seed, session date, name); independent of Python's salted hash."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, ordinal, zlib.crc32(name.encode())])))


def _jumps(rng: np.random.Generator, seconds: int, expected: float) -> Floats:
    out = np.zeros(seconds)
    many = int(rng.poisson(expected))
    np.add.at(out, rng.integers(0, seconds, many), rng.normal(0.0, _JUMP_SD, many))
    return out


def closing(index: str, level: Level, *, seed: int, ordinal: int) -> float:
    """Where the path of `index` ends on a session, points: a pure function of the date."""
    common, own = (generator(seed, ordinal, f"{name} close").normal() for name in ("common factor", index))
    mixed = level.beta * common + np.sqrt(1.0 - level.beta**2) * own
    return float(level.level * np.exp(level.vol / np.sqrt(2.0 * DAYS) * mixed))


def draw(index: str, level: Level, *, seed: int, ordinal: int, before: int, seconds: int) -> Path:
    """The path of one index over a session of `seconds`; `before` is the ordinal of the session before it."""
    common = generator(seed, ordinal, "common factor")
    own = generator(seed, ordinal, index)
    beta, alone = level.beta, np.sqrt(1.0 - level.beta**2)
    prev_close = closing(index, level, seed=seed, ordinal=before)
    start = prev_close * np.exp(0.003 * (beta * common.normal() + alone * own.normal()))

    shocks, vol_shocks = common.normal(size=seconds), common.normal(size=seconds)
    jumps = beta * _jumps(common, seconds, 0.7 * _JUMPS) + _jumps(own, seconds, 0.3 * _JUMPS)
    steps = np.arange(1, seconds + 1) / seconds
    growth = np.exp(_REVERSION * steps)
    mixed = _LEVERAGE * shocks + np.sqrt(1.0 - _LEVERAGE**2) * vol_shocks
    log_vol = np.cumsum(growth * mixed) * (_VOL_OF_VOL / np.sqrt(seconds)) / growth
    vols = level.vol * np.exp(np.concatenate(([0.0], log_vol)))

    per_second = vols[:-1] * np.sqrt(activity(steps) / (DAYS * seconds))
    moved = np.cumsum(per_second * (beta * shocks + alone * own.normal(size=seconds)) + jumps)
    passed = np.cumsum(per_second**2)
    end = np.log(closing(index, level, seed=seed, ordinal=ordinal) / start)
    moved += (end - moved[-1]) * passed / passed[-1]
    return Path(prev_close, start * np.exp(np.concatenate(([0.0], moved))), vols)
