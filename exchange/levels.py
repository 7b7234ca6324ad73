"""Where each simulated market starts: invented round figures, near no particular day's market.

Nothing here is a fact of the exchange; lots, steps, ticks and expiries come from core.market.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Level:
    """One index of the simulated market."""

    level: float  # points, around which every simulated session's previous close lies
    vol: float  # long-run vol, decimals a year
    beta: float  # correlation of its returns with the common factor
    lots_a_day: float  # lots a busy at-the-money contract of the nearest expiry trades in a session
    skew: float  # SSVI rho: below 0, puts dearer than calls


LEVELS = {
    "NIFTY": Level(25_000.0, 0.125, 0.97, 900_000, -0.32),
    "BANKNIFTY": Level(56_000.0, 0.140, 0.88, 160_000, -0.28),
    "FINNIFTY": Level(26_500.0, 0.138, 0.90, 12_000, -0.28),
    "MIDCPNIFTY": Level(13_000.0, 0.165, 0.80, 40_000, -0.35),
    "SENSEX": Level(82_000.0, 0.122, 0.96, 500_000, -0.32),
}
RATE = 0.065  # a year; discounts the simulated premiums
CARRY = 0.053  # a year; rate less dividend yield, from spot to forward
