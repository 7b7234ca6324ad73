"""A mutex that is handed over in the order it was asked for.

Python's own lock is not fair: an actor flooded with ticks would take it again and again while an order waits.
"""

import threading
from collections import deque
from types import TracebackType


class FairLock:
    """First come, first served; use as a context manager."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._held = False
        self._waiting: deque[threading.Lock] = deque()

    def __enter__(self) -> None:
        with self._guard:
            if not self._held:
                self._held = True
                return
            turn = threading.Lock()
            turn.acquire()
            self._waiting.append(turn)
        turn.acquire()  # released by the holder before us, who leaves `_held` set for us

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._guard:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._held = False
