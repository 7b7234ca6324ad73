"""Facts of the exchanges as effective-dated tables, each row with its source; docs/facts.md lists them.

A date no table covers raises UnknownDate, a name nobody knows UnknownName. Nothing here reads a file or a clock.
"""

from core.errors import UnknownDate
from core.market.calendar import next_session, phase, previous_session, session, why_closed
from core.market.charges import (
    Charges,
    ContractNote,
    Exercise,
    TradingDay,
    brokerage,
    charges,
    charges_at,
    contract_note,
    exercise_charges,
    turnover_charges,
    whole_paise,
)
from core.market.dump import merge_dump
from core.market.expiries import expiries, expiry_grade, is_monthly, monthly_expiry
from core.market.facts import table_horizons
from core.market.freeze import freeze, usable_freeze
from core.market.hours import day_windows
from core.market.indices import (
    CONTRACT_INDICES,
    INDICES,
    check_contract_index,
    check_index,
    derivatives_exchange_of,
    exchange_of,
    future_tick_paise,
    strike_step_paise,
    tick_paise,
)
from core.market.lots import lot
from core.market.margins import is_long_dated, margin_rates, price_scan, scan_rates, vol_rates, vol_scan
from core.market.moment import IST, from_ns, to_ns
from core.market.settlement import Method as SettlementMethod
from core.market.settlement import (
    Settlement,
    SettlementPrice,
    SettlementSource,
    expiry_moment,
    settlement,
    settlement_price,
    spot_frozen,
)
from core.market.symbols import (
    Contract,
    future_symbol,
    nse_identifier,
    option_symbol,
    parse_identifier,
    parse_symbol,
)

__all__ = [
    "CONTRACT_INDICES",
    "INDICES",
    "IST",
    "Charges",
    "Contract",
    "ContractNote",
    "Exercise",
    "Settlement",
    "SettlementMethod",
    "SettlementPrice",
    "SettlementSource",
    "TradingDay",
    "UnknownDate",
    "brokerage",
    "charges",
    "charges_at",
    "check_contract_index",
    "check_index",
    "contract_note",
    "day_windows",
    "derivatives_exchange_of",
    "exchange_of",
    "exercise_charges",
    "expiries",
    "expiry_grade",
    "expiry_moment",
    "freeze",
    "from_ns",
    "future_symbol",
    "future_tick_paise",
    "is_long_dated",
    "is_monthly",
    "lot",
    "margin_rates",
    "merge_dump",
    "monthly_expiry",
    "next_session",
    "nse_identifier",
    "option_symbol",
    "parse_identifier",
    "parse_symbol",
    "phase",
    "previous_session",
    "price_scan",
    "scan_rates",
    "session",
    "settlement",
    "settlement_price",
    "spot_frozen",
    "strike_step_paise",
    "table_horizons",
    "tick_paise",
    "to_ns",
    "turnover_charges",
    "usable_freeze",
    "vol_rates",
    "vol_scan",
    "whole_paise",
    "why_closed",
]
