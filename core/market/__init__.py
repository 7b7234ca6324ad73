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
)
from core.market.expiries import expiries, is_monthly, monthly_expiry
from core.market.freeze import freeze
from core.market.indices import (
    INDICES,
    check_index,
    derivatives_exchange_of,
    exchange_of,
    strike_step_paise,
    tick_paise,
)
from core.market.lots import lot
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
from core.market.symbols import Contract, future_symbol, option_symbol, parse_symbol

__all__ = [
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
    "check_index",
    "contract_note",
    "derivatives_exchange_of",
    "exchange_of",
    "exercise_charges",
    "expiries",
    "expiry_moment",
    "freeze",
    "from_ns",
    "future_symbol",
    "is_monthly",
    "lot",
    "monthly_expiry",
    "next_session",
    "option_symbol",
    "parse_symbol",
    "phase",
    "previous_session",
    "session",
    "settlement",
    "settlement_price",
    "spot_frozen",
    "strike_step_paise",
    "tick_paise",
    "to_ns",
    "turnover_charges",
    "why_closed",
]
