"""Compile this package's kernels, or load them from numba's cache, before anything is READY."""

from typing import Any

from core.kite import kernels
from core.kite.decode import decode, ticks_in
from core.kite.encode import encode
from core.kite.layout import FULL
from core.kite.packets import Packets

KERNELS: dict[str, Any] = {
    "read_frame": kernels.read_frame,
    "count_ticks": kernels.count_ticks,
    "write_frame": kernels.write_frame,
}


def warm() -> dict[str, int]:
    """Return the number of compiled signatures of each kernel; no call of this package compiles after it."""
    packets = Packets.zeros(1)
    packets.length[:] = FULL
    frame = encode(packets)
    decode(frame)
    ticks_in(frame, index_only=True)
    return signatures()


def signatures() -> dict[str, int]:
    """Return how many signatures each kernel has compiled or loaded in this process."""
    return {name: len(kernel.signatures) for name, kernel in KERNELS.items()}
