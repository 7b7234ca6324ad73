"""Prices, implied vols and Greeks of European options on a forward; forwards from put–call parity."""

from core.pricing.black76 import Greeks, HigherGreeks, greeks, higher_greeks, price
from core.pricing.forward import ParityForward, parity_forward
from core.pricing.implied import ImpliedVol, implied_vol, nse_implied_vol
from core.pricing.realised import Annual, Estimator, Ohlc, bars_per_year, realised_vol, vol_premium
from core.pricing.reason import Reason
from core.pricing.scenarios import Cube, Legs, scenario_grid
from core.pricing.surface import Smile, Surface, fit_surface, smile
from core.pricing.warm import signatures, warm
from core.pricing.years import Clock, expected_settlement, nse_years, variance_pace, variance_years, years_to

__all__ = [
    "Annual",
    "Clock",
    "Cube",
    "Estimator",
    "Greeks",
    "HigherGreeks",
    "ImpliedVol",
    "Legs",
    "Ohlc",
    "ParityForward",
    "Reason",
    "Smile",
    "Surface",
    "bars_per_year",
    "expected_settlement",
    "fit_surface",
    "greeks",
    "higher_greeks",
    "implied_vol",
    "nse_implied_vol",
    "nse_years",
    "parity_forward",
    "price",
    "realised_vol",
    "scenario_grid",
    "signatures",
    "smile",
    "variance_pace",
    "variance_years",
    "vol_premium",
    "warm",
    "years_to",
]
