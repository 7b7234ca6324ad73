"""What a stream has brought and nobody has taken yet: one thread brings, another takes."""

import threading
from collections import deque
from typing import Any

from core.ports import Arrived

MOST_BYTES = 32 << 20  # of frames; 3,000 full packets a second are 0.6 MB


class Waiting:
    """Above `most_bytes` of frames the oldest go, counted in `dropped_frames`; texts and states are never dropped."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most, self._lock, self._arrived = most_bytes, threading.Lock(), threading.Event()
        self._frames: deque[tuple[bytes, int]] = deque()
        self._texts: list[tuple[str, Any, int]] = []
        self._states: deque[tuple[int, str, str]] = deque()  # with the number of the frame each came before
        self._first = self._bytes = 0  # the number of the oldest frame here, and what all of them weigh
        self.dropped_frames = 0

    def on_frame(self, frame: bytes, received_ns: int) -> None:
        with self._lock:
            self._frames.append((frame, received_ns))
            self._bytes += len(frame)
            self._arrived.set()
            while self._bytes > self._most:
                self._next()
                self.dropped_frames += 1

    def on_text(self, kind: str, data: Any, received_ns: int) -> None:
        with self._lock:
            self._texts.append((kind, data, received_ns))
            self._arrived.set()

    def on_state(self, state: str, why: str) -> None:
        with self._lock:
            self._states.append((self._first + len(self._frames), str(state), why))
            self._arrived.set()

    def wait(self, longest_s: float) -> None:
        """Return when there is something to take, or after `longest_s` seconds."""
        self._arrived.wait(longest_s)

    def take(self) -> Arrived:
        """The states that came before the oldest frame, the frames up to the next state, and every text.

        So that in one Arrived the states came first; the rest is given by the next call.
        """
        with self._lock:
            states = []
            while self._states and self._states[0][0] <= self._first:
                _, state, why = self._states.popleft()
                states.append((state, why))
            end = self._states[0][0] if self._states else self._first + len(self._frames)
            frames = [self._next() for _ in range(end - self._first)]
            texts, self._texts = self._texts, []
            if not self._states and not self._frames:
                self._arrived.clear()
        return Arrived(frames=frames, texts=texts, states=states)

    def _next(self) -> tuple[bytes, int]:
        frame = self._frames.popleft()
        self._bytes -= len(frame[0])
        self._first += 1
        return frame
