"""A smile for every expiry, free of static arbitrage: SSVI with Gatheral and Jacquier's power-law φ.

w(k, θ) = θ/2 · (1 + ρφk + √((φk + ρ)² + 1 − ρ²)),  φ(θ) = η · θ^−½ · (1 + θ)^−½,  k = ln(K/F)

(Gatheral & Jacquier, "Arbitrage-free SVI volatility surfaces", 2014, theorems 4.1 and 4.2, remark 4.4.) Free of
butterfly arbitrage when η(1 + |ρ|) ≤ 2, and of calendar arbitrage while θ grows with T and ρ is the same for every
expiry. θ is the integral of a positive forward variance, so it grows.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.errors import ConfigError

Floats = NDArray[np.float64]

ETA = 0.9
_KAPPA = 6.0  # a year: how fast the term structure forgets today's vol
SHORTEST_YEARS = 60.0 / (365.0 * 86_400.0)  # one minute: below it a smile is noise


@dataclass(frozen=True)
class Surface:
    """Total variance by log-moneyness and time; `long_vol` is where the term structure ends, decimals a year."""

    rho: float
    long_vol: float
    eta: float = ETA

    def __post_init__(self) -> None:
        if not (-1.0 < self.rho < 1.0 and self.eta > 0.0 and self.long_vol > 0.0):
            raise ConfigError(f"SSVI needs −1 < rho < 1, eta > 0 and a vol above 0, was {self}")
        if self.eta * (1.0 + abs(self.rho)) > 2.0:
            raise ConfigError(f"SSVI with eta·(1+|rho|) = {self.eta * (1 + abs(self.rho)):.3f} > 2 allows butterflies")

    def theta(self, spot_vol: Floats, years: Floats) -> Floats:
        """Total variance at the money: long² T + (spot² − long²)(1 − e^−κT)/κ, rising in T."""
        T = np.maximum(years, SHORTEST_YEARS)
        return self.long_vol**2 * T + (spot_vol**2 - self.long_vol**2) * -np.expm1(-_KAPPA * T) / _KAPPA

    def total_variance(self, k: Floats, theta: Floats) -> Floats:
        """w(k, θ): the square of vol times √years, at log-moneyness `k`."""
        phi_k = self.eta / np.sqrt(theta * (1.0 + theta)) * k
        return 0.5 * theta * (1.0 + self.rho * phi_k + np.sqrt((phi_k + self.rho) ** 2 + 1.0 - self.rho**2))


def calls_and_puts(F: Floats, K: Floats, w: Floats, discount: Floats) -> tuple[Floats, Floats]:
    """Black-76 premiums in points from total variance `w`; any common shape.

    Plain numpy and math.erf rather than core.pricing: a feed must not hold a compiler, and puts come from the same
    two values by parity.
    """
    root = np.sqrt(w)
    d1 = np.log(F / K) / root + 0.5 * root
    call = discount * (F * _cdf(d1) - K * _cdf(d1 - root))
    call = np.maximum(call, discount * np.maximum(F - K, 0.0))
    return call, call - discount * (F - K)


def _cdf(x: Floats) -> Floats:
    flat = np.fromiter(map(math.erf, (x.ravel() * math.sqrt(0.5)).tolist()), dtype=np.float64, count=x.size)
    return (0.5 * (1.0 + flat)).reshape(x.shape)
