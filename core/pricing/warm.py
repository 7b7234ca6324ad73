"""Compile every kernel, or load it from numba's cache, before anything is READY."""

from typing import Any

from core.pricing import kernels, kernels_chain, kernels_implied, kernels_parity, svi
from core.pricing.black76 import greeks, higher_greeks, price
from core.pricing.implied import implied_vol

KERNELS: dict[str, Any] = {
    "price_rows": kernels.price_rows,
    "greeks_rows": kernels.greeks_rows,
    "higher_rows": kernels.higher_rows,
    "implied_vol_rows": kernels_implied.implied_vol_rows,
    "quote_rows": kernels_chain.quote_rows,
    "figure_rows": kernels_chain.figure_rows,
    "parity_row": kernels_parity.parity_row,
    "parity_rows": kernels_parity.parity_rows,
}


def warm() -> dict[str, int]:
    """Return the number of compiled signatures of each kernel; no call of this package compiles after it.

    A kernel compiling inside a live actor freezes it for a second. Milliseconds with a warm cache, seconds without.
    """
    price(1, 100.0, 100.0, 0.25, 0.2, 1.0)
    implied_vol(1, 4.0, 100.0, 100.0, 0.25, 1.0)
    greeks(1, 100.0, 100.0, 0.25, 0.2, 1.0)
    higher_greeks(1, 100.0, 100.0, 0.25, 0.2, 1.0)
    kernels_chain.warm()
    kernels_parity.warm()
    svi.warm()
    return signatures()


def signatures() -> dict[str, int]:
    """Return how many signatures each kernel has compiled or loaded in this process."""
    return {name: len(kernel.signatures) for name, kernel in KERNELS.items()} | svi.signatures()
