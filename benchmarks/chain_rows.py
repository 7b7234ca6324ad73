"""The chain that options are priced on here: performance.md's, a million rows, half of them in the money."""

from pathlib import Path

import numpy as np

from core.pricing import price

ROWS = 1_000_000
RATE = 0.06


def save(path: Path, rows: int = ROWS) -> None:
    """Forward 25,000, strikes ±10 % every 50, 1 to 60 days, vols 8 to 40 %, calls and puts, and what they are worth."""
    rng = np.random.default_rng(5)
    kind, years = rng.choice([1.0, -1.0], rows), rng.uniform(1, 60, rows) / 365
    strike, vol = 50 * np.round(rng.uniform(22_500, 27_500, rows) / 50), rng.uniform(0.08, 0.4, rows)
    forward, discount = np.full(rows, 25_000.0), np.exp(-RATE * years)
    premium = price(kind, forward, strike, years, vol, discount)
    time_value = premium - discount * np.maximum(kind * (forward - strike), 0)
    np.savez(path, kind=kind, forward=forward, strike=strike, years=years, vol=vol, discount=discount,
             premium=premium, clear=time_value >= 0.05)  # fmt: skip
