"""A whole frame into columns, whatever its bytes are."""

from dataclasses import dataclass

import numpy as np

from core.kite import kernels
from core.kite.layout import COUNT_BYTES, SHORTEST
from core.kite.packets import Packets, room


@dataclass(frozen=True, slots=True)
class Decoded:
    """The packets of a frame that are to be believed, and how many were not, by reason.

    unknown_length: skipped in a frame that adds up: a kind of packet we do not know.
    cut_short: announced, and the frame ended before them.
    damaged: in a frame that does not add up, everything from the first odd length on: what follows it may be read in
    the wrong place. These three and the packets make up the count the frame announced.
    trailing: 1 if there are bytes after the last packet announced, which nobody reads.
    """

    packets: Packets
    unknown_length: int = 0
    cut_short: int = 0
    damaged: int = 0
    trailing: int = 0

    @property
    def refused(self) -> int:
        """Packets announced and not given."""
        return self.unknown_length + self.cut_short + self.damaged


def decode(frame: bytes) -> Decoded:
    """The packets of a binary message, in their order; a message of less than two bytes is a heartbeat and has none.

    Never raises, and equals KiteTicker._parse_binary on a frame that is whole, but for what that one derives
    (`tradable`, `change`) and its times, which are in the zone of the host.
    """
    data = np.frombuffer(frame, np.uint8)
    if data.size < COUNT_BYTES:
        return Decoded(Packets.zeros(0))
    most = min(frame[0] << 8 | frame[1], data.size // SHORTEST)
    memory = room(most)
    counts = np.zeros(5, np.int64)
    kernels.read_frame(data, *memory, counts)
    kept, *refused = counts.tolist()
    return Decoded(Packets.over(*memory, kept), *refused)


def ticks_in(frame: bytes, *, index_only: bool) -> int:
    """How many packets, or packets of an index, come before the frame's first fault: a look, no decoding."""
    return kernels.count_ticks(np.frombuffer(frame, np.uint8), index_only) if len(frame) >= COUNT_BYTES else 0
