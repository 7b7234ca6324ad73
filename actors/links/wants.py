"""What the feeds want of one link."""

from collections.abc import Mapping, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from core.errors import InputError
from core.kite import Mode, Registry
from core.schemas import check

Tokens = frozenset[int]


class Wants:
    """The tokens each index's feed wants, as far as the socket has taken them; empty until a feed has spoken."""

    def __init__(self, registry: Registry, indices: Sequence[str]) -> None:
        self._registry, self._indices = registry, frozenset(indices)
        self._names = registry.contracts.select(["index", "symbol"])
        self._carried: dict[str, Tokens] = {}

    def read(self, wanted: pa.RecordBatch) -> tuple[str, Tokens, list[str]]:
        """Index, tokens, and the symbols that today's registry does not know under their token: nobody can carry those.

        A message is of one feed, and so of one index: that of its contracts in the registry, "" if there is none or if
        it is of another link. SchemaError if it is no WANTED, InputError if it is of two indices.
        """
        check("wanted", wanted)
        tokens = wanted.column("token").to_numpy()
        rows = self._registry.rows(tokens)
        ours = self._names.take(rows.clip(0))
        known = (rows >= 0) & pc.equal(ours.column("symbol"), wanted.column("symbol")).to_numpy(zero_copy_only=False)
        mask = pa.array(known)
        indices = [str(index) for index in ours.column("index").filter(mask).unique().to_pylist()]
        if len(indices) > 1:
            raise InputError(f"a feed wants contracts of its own index, was {', '.join(sorted(indices))}")
        if not indices or indices[0] not in self._indices:
            return "", frozenset(), []
        strange = [str(symbol) for symbol in wanted.column("symbol").filter(pc.invert(mask)).to_pylist()]
        return indices[0], frozenset(tokens[known].tolist()), strange

    def differs(self, index: str, tokens: Tokens) -> bool:
        return self._carried.get(index) != tokens

    def with_(self, index: str, tokens: Tokens) -> Mapping[int, Mode]:
        """All that the link carries once `index` has `tokens`."""
        return {token: Mode.FULL for its in ({**self._carried, index: tokens}).values() for token in its}

    def carried(self, index: str, tokens: Tokens) -> None:
        """The socket has taken it."""
        self._carried[index] = tokens
