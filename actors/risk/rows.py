"""Rows of a chain as marks."""

import numpy as np
import pyarrow as pa

from core.records import Chain
from core.risk.marks import Mark

_MARKED = ("bid_paise", "ask_paise", "last_paise", "exchange_ns", "prev_close_paise", "volume", "oi")


def marks_of(chain: Chain, before: Chain | None) -> dict[str, Mark]:
    """Of the rows of CONTRACTS that are not as they were in the chain `before`: most quotes stand still for a while."""
    contracts = chain.contracts
    if before is not None and contracts["symbol"].equals(before.contracts["symbol"]):
        same = [contracts[name].to_numpy() == before.contracts[name].to_numpy() for name in _MARKED]
        contracts = contracts.filter(pa.array(~np.logical_and.reduce(same)))
    columns = (contracts[name].to_pylist() for name in ("symbol", *_MARKED))
    return {
        symbol: Mark(bid_paise=bid, ask_paise=ask, last_paise=last, at_ns=at_ns, prev_close_paise=close, volume=volume,
                     oi=oi)
        for symbol, bid, ask, last, at_ns, close, volume, oi in zip(*columns, strict=True)
    }  # fmt: skip
