"""Compile every kernel, or load it from numba's cache, before anything is READY."""

from core.pricing import kernels, svi
from core.pricing.black76 import greeks, price
from core.pricing.implied import implied_vol

KERNELS = ("price_rows", "greeks_rows", "implied_vol_rows")


def warm() -> dict[str, int]:
    """Return the number of compiled signatures of each kernel; no call of this package compiles after it.

    A kernel compiling inside a live actor freezes it for a second. Milliseconds with a warm cache, seconds without.
    """
    price(1, 100.0, 100.0, 0.25, 0.2, 1.0)
    implied_vol(1, 4.0, 100.0, 100.0, 0.25, 1.0)
    greeks(1, 100.0, 100.0, 0.25, 0.2, 1.0)
    svi.warm()
    return signatures()


def signatures() -> dict[str, int]:
    """Return how many signatures each kernel has compiled or loaded in this process."""
    return {name: len(getattr(kernels, name).signatures) for name in KERNELS} | svi.signatures()
