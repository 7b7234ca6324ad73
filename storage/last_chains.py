"""The last chain of each index on the tape, for a page that has none yet.

The recorder keeps a chain about once a second: its contracts in one partition, the figures of its expiries, which name
its sequence and time, in another. Only the end of each is read.
"""

from collections import Counter

import pyarrow as pa
import pyarrow.compute as pc

from core.errors import InputError, SchemaError
from core.market import check_index
from core.records import Chain
from core.schemas import check
from storage.tape_files import Files, Part, partition_read, read_parts


class TapeLastChains:
    """core.ports.LastChains on a tape's root, a folder or a URL. Reads beside a recorder that is writing."""

    def __init__(self, root: str) -> None:
        self.root = str(root)

    def last(self, index: str) -> Chain | None:
        """The newest chain of the newest date that has one whole; None on a tape without any.

        Raises InputError for a file that is none, UnknownName for an index nobody knows.
        """
        check_index(index)
        files = Files(self.root)
        for date in reversed(files.dates("expiries")):
            expiries, contracts = (_Tail(files, name, date, index) for name in ("expiries", "contracts"))
            chain = _chain(expiries, contracts)
            if chain is not None:
                return chain
        return None


class _Tail:
    """The end of one partition, a part at a time, backwards."""

    def __init__(self, files: Files, name: str, date: str, index: str) -> None:
        self._files, self._folder = files, files.partition(name, date, index)

    def rows(self, least: int) -> pa.Table | None:
        """The last rows, at least so many; None if there are not."""

        def read(parts: list[Part]) -> pa.Table | None:
            for first in range(len(parts) - 1, -1, -1):
                found = read_parts(self._files, self._folder, parts[first:])
                if found.num_rows >= least:
                    return found
            return None

        return partition_read(self._files, self._folder, read)


def _chain(expiries: _Tail, contracts: _Tail) -> Chain | None:
    """The last figures on the tape with the last contracts; None where they are not of one chain.

    A crash may have kept two seconds more of the contracts than of the figures. Then they are of one chain as long as
    it had the same contracts.
    """
    figures = expiries.rows(1)
    if figures is None:
        return None
    head = _checked("expiries", figures)
    same = pc.and_(pc.equal(head["sequence"], head["sequence"][-1]), pc.equal(head["as_of_ns"], head["as_of_ns"][-1]))
    head = head.filter(same)
    counts = dict(zip(head["expiry"].to_pylist(), head["contracts"].to_pylist(), strict=True))
    least = sum(counts.values())
    found = contracts.rows(least)
    if found is None or not least:
        return None
    rows = _checked("contracts", found.slice(found.num_rows - least))
    if Counter(rows["expiry"].to_pylist()) != Counter(counts) or pc.count_distinct(rows["symbol"]).as_py() != least:
        return None
    return Chain(contracts=rows, expiries=head)


def _checked(name: str, table: pa.Table) -> pa.RecordBatch:
    batch = table.combine_chunks().to_batches()[0]
    try:
        return check(name, batch)
    except SchemaError as error:
        raise InputError(
            f"the tape's {name} are of another release ({error}); the next session records its own"
        ) from error
