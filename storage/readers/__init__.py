"""Strict readers of the files that exchanges and the broker publish; docs/data.md tells what each refuses.

Every reader gives a `Read`: the good rows as an Arrow table of core.file_schemas, and beside it the rows it left out,
each with its file, line, column, what was expected and what was found. `strict=True` raises InputError at the first of
them. A file that is no such file at all raises InputError either way.
"""

from storage.readers.bars import read_bars, read_contract_bars
from storage.readers.bhavcopy import read_old_bhavcopy, read_udiff
from storage.readers.cash_flows import read_cash_flow_days, read_cash_flows
from storage.readers.daily import read_index_closes, read_india_vix
from storage.readers.fii_statistics import read_fii_statistics
from storage.readers.instruments import read_instruments
from storage.readers.market_activity import read_market_activity
from storage.readers.option_chain import read_bse_chain, read_nse_chain
from storage.readers.participants import read_participant_days, read_participants
from storage.readers.recorded_chain import read_recorded_chain
from storage.readers.refusal import Read, Refused

__all__ = [
    "Read",
    "Refused",
    "read_bars",
    "read_bse_chain",
    "read_cash_flow_days",
    "read_cash_flows",
    "read_contract_bars",
    "read_fii_statistics",
    "read_index_closes",
    "read_india_vix",
    "read_instruments",
    "read_market_activity",
    "read_nse_chain",
    "read_old_bhavcopy",
    "read_participant_days",
    "read_participants",
    "read_recorded_chain",
    "read_udiff",
]
