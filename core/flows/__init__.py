"""Who holds and trades what, as the exchange publishes it at the end of a day; nothing here is intraday or inferred."""

from core.flows.participants import ROUNDING_CONTRACTS, Difference, SumCheck, sum_checks

__all__ = ["ROUNDING_CONTRACTS", "Difference", "SumCheck", "sum_checks"]
