"""Frames into ticks by index, kept until they are sent."""

from collections import Counter
from collections.abc import Iterator, Sequence

import pyarrow as pa

from core.kite import Registry, decode, to_ticks

_COUNTED = (
    "frames", "ticks", "refused_unknown_length", "refused_cut_short", "refused_damaged", "refused_unknown",
    "refused_not_full", "refused_untimed", "trailing",
)  # fmt: skip


class Gather:
    """A tick of each index's contracts, once, in the order in which they came; packets that become none are counted.

    counts: frames, ticks, and what was announced and refused: `refused_unknown_length`, `_cut_short` and `_damaged` as
    core.kite.Decoded says, `_unknown` (no contract of the link's indices), `_not_full` and `_untimed` as Taken does.
    The ticks and the refused make up the packets announced. `trailing`: frames with bytes after their last packet.
    """

    def __init__(self, registry: Registry, indices: Sequence[str]) -> None:
        """InputError if the registry has nothing of an index."""
        self._parts = [(index, registry.of(index)) for index in indices]
        self._ticks: dict[str, list[pa.RecordBatch]] = {index: [] for index in indices}
        self.counts = Counter(dict.fromkeys(_COUNTED, 0))

    def add(self, frame: bytes, received_ns: int) -> int:
        """How many ticks the frame holds."""
        found = decode(frame)
        packets, known, ticks = found.packets, 0, 0
        self.counts.update(
            frames=1, trailing=found.trailing, refused_unknown_length=found.unknown_length,
            refused_cut_short=found.cut_short, refused_damaged=found.damaged,
        )  # fmt: skip
        for index, registry in self._parts if len(packets) else ():
            taken = to_ticks(packets, registry, received_ns=received_ns)
            self.counts.update(refused_not_full=taken.not_full, refused_untimed=taken.untimed)
            known += len(packets) - taken.unknown
            if taken.ticks.num_rows:
                self._ticks[index].append(taken.ticks)
                ticks += taken.ticks.num_rows
        self.counts.update(ticks=ticks, refused_unknown=len(packets) - known)
        return ticks

    @property
    def waits(self) -> bool:
        """Whether `take` has anything to give."""
        return any(self._ticks.values())

    def take(self) -> Iterator[tuple[str, pa.RecordBatch]]:
        """What has gathered since the last call: a batch of TICKS an index, for those that have any."""
        for index, batches in self._ticks.items():
            if batches:
                self._ticks[index] = []
                yield index, batches[0] if len(batches) == 1 else _joined(batches)


def _joined(batches: list[pa.RecordBatch]) -> pa.RecordBatch:
    return pa.Table.from_batches(batches).combine_chunks().to_batches()[0]
