"""What the traders know of the market: the newest chain near the money of each index, a second old or older."""

import threading
from collections.abc import Sequence
from typing import Any, NamedTuple

import pyarrow.compute as pc

from core.errors import VikalpError
from core.records import Chain
from tests.chaos.parts import Part

EVERY_S = 1.0
KEPT = 12  # contracts of an index, the nearest to the money


class Contract(NamedTuple):
    symbol: str
    lot: int
    bid_paise: int
    ask_paise: int


class Near(NamedTuple):
    contracts: list[Contract]
    as_of_ns: int  # market time


class Prices(Part):
    """`near` is empty until a chain has come; a shard that is down leaves the last one."""

    def __init__(self, client: Any, indices: Sequence[str], stop: threading.Event) -> None:
        super().__init__("prices", stop)
        self._client, self._indices = client, indices
        self._near: dict[str, Near] = {}

    def near(self, index: str) -> list[Contract]:
        return self._near[index].contracts if index in self._near else []

    def as_of_ns(self, index: str) -> int:
        """Market time of `near`; KeyError before the first chain."""
        return self._near[index].as_of_ns

    def work(self) -> None:
        while not self.stopped.wait(EVERY_S):
            for index in self._indices:
                try:
                    chain = self._client.chain(index)
                except VikalpError:
                    continue
                if chain is not None and chain.expiries.num_rows:
                    self._near[index] = near_the_money(chain)


def near_the_money(chain: Chain) -> Near:
    """Two-sided options of the nearest expiry."""
    first = chain.expiries.slice(0, 1).to_pylist()[0]
    rows = chain.contracts.filter(pc.equal(chain.contracts["expiry"], first["expiry"])).to_pylist()
    quoted = [row for row in rows if row["kind"] >= 2 and row["bid_paise"] > 0 and row["ask_paise"] > 0]
    quoted.sort(key=lambda row: (abs(row["strike_paise"] - first["spot_paise"]), row["symbol"]))
    contracts = [Contract(row["symbol"], first["lot"], row["bid_paise"], row["ask_paise"]) for row in quoted[:KEPT]]
    return Near(contracts, first["as_of_ns"])
