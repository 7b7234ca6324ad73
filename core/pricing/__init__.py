"""Prices, implied vols and Greeks of European options on a forward; forwards from put–call parity."""

from core.pricing.black76 import Greeks, greeks, price
from core.pricing.forward import ParityForward, parity_forward
from core.pricing.implied import ImpliedVol, implied_vol, nse_implied_vol
from core.pricing.reason import Reason
from core.pricing.surface import Smile, Surface, fit_surface, smile
from core.pricing.warm import signatures, warm
from core.pricing.years import Clock, expected_settlement, nse_years, variance_pace, variance_years, years_to

__all__ = [
    "Clock",
    "Greeks",
    "ImpliedVol",
    "ParityForward",
    "Reason",
    "Smile",
    "Surface",
    "expected_settlement",
    "fit_surface",
    "greeks",
    "implied_vol",
    "nse_implied_vol",
    "nse_years",
    "parity_forward",
    "price",
    "signatures",
    "smile",
    "variance_pace",
    "variance_years",
    "warm",
    "years_to",
]
