"""Packets into TICKS, by a registry of what each token is today."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from core.errors import InputError
from core.kite.layout import FULL, INDEX_FULL
from core.kite.packets import Packets
from core.kite.segments import PAISE, divisor_of
from core.schemas import TICKS, Kind

Ints = NDArray[np.int64]
_DEPTH = {
    "bid_price": "bid_paise", "bid_quantity": "bid_qty", "bid_orders": "bid_orders",
    "ask_price": "ask_paise", "ask_quantity": "ask_qty", "ask_orders": "ask_orders",
}  # fmt: skip
CONTRACT = pa.schema([TICKS.field(name) for name in ("index", "symbol", "kind", "expiry", "strike_paise")])


class Registry:
    """What each instrument token is; tokens are given to other contracts after an expiry, so make one a day."""

    def __init__(self, tokens: Ints, contracts: pa.RecordBatch) -> None:
        """`contracts` has the columns of CONTRACT, a row for each token.

        InputError if a token comes twice, or is of a segment whose prices are no paise: this desk trades none.
        """
        if not contracts.schema.equals(CONTRACT) or contracts.num_rows != tokens.size:
            raise InputError(f"a registry needs a row of {CONTRACT.names} for each of its {tokens.size} tokens")
        foreign = tokens[divisor_of(tokens) != PAISE]
        if foreign.size:
            raise InputError(f"prices of token {foreign[0]} are no paise: CDS, BCD and NCO are not traded here")
        order = np.argsort(tokens, kind="stable")
        self.tokens = tokens[order]
        again = self.tokens[1:][self.tokens[1:] == self.tokens[:-1]]
        if again.size:
            raise InputError(f"token {again[0]} is given to two contracts")
        self.contracts = contracts.take(order)
        self.is_index = self.contracts.column("kind").to_numpy() == Kind.INDEX

    def __len__(self) -> int:
        return self.tokens.size

    def of(self, index: str) -> "Registry":
        """The contracts of one index, its level and India VIX with NIFTY's among them; InputError if there are none."""
        own = pc.equal(self.contracts.column("index"), pa.scalar(index))
        if not pc.any(own).as_py():
            raise InputError(f"the registry of tokens has no contract of {index}")
        return Registry(self.tokens[own.to_numpy(zero_copy_only=False)], self.contracts.filter(own))

    def rows(self, tokens: Ints) -> Ints:
        """The row of each token in `contracts`, −1 for one nobody knows."""
        if not len(self):
            return np.full(tokens.shape, -1, np.int64)
        at = np.minimum(np.searchsorted(self.tokens, tokens), len(self) - 1)
        return np.where(self.tokens[at] == tokens, at, -1)


@dataclass(frozen=True, slots=True)
class Taken:
    """TICKS, and the packets that became none, by reason.

    unknown: a token that is not in the registry. not_full: a packet without depth and open interest, or for an index
    without a time: a row of TICKS cannot say "not sent". untimed: a full packet whose exchange time is 0.
    """

    ticks: pa.RecordBatch
    unknown: int = 0
    not_full: int = 0
    untimed: int = 0


def to_ticks(packets: Packets, registry: Registry, *, received_ns: int) -> Taken:
    """One row for each full packet of a known token, in order; prev_oi is −1, as Kite does not send it."""
    row = registry.rows(packets.token)
    known = row >= 0
    index_full = known & (packets.length == INDEX_FULL)
    index_full[index_full] = registry.is_index[row[index_full]]
    full = known & (packets.length == FULL) | index_full
    taken = full & (packets.exchange_ns > 0)
    return Taken(
        _batch(packets, registry.contracts.take(row[taken]), taken, received_ns),
        unknown=int((~known).sum()),
        not_full=int((known & ~full).sum()),
        untimed=int((full & ~taken).sum()),
    )


def _batch(packets: Packets, contracts: pa.RecordBatch, taken: NDArray[np.bool_], received_ns: int) -> pa.RecordBatch:
    flat = [packets.last_price, packets.close, packets.volume, packets.oi]
    return pa.RecordBatch.from_arrays(
        [
            *contracts.columns,
            pa.array(packets.exchange_ns[taken]),
            pa.array(np.full(contracts.num_rows, received_ns)),
            *(pa.array(column[taken]) for column in flat),
            pa.array(np.full(contracts.num_rows, -1)),
            *(_levels(getattr(packets, name)[taken], column) for name, column in _DEPTH.items()),
        ],
        schema=TICKS,
    )


def _levels(values: NDArray[Any], column: str) -> "pa.Array[Any]":
    type_: Any = TICKS.field(column).type
    return pa.FixedSizeListArray.from_arrays(pa.array(values.reshape(-1), type_.value_type), type=type_)
