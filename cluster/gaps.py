"""What is missing in the messages that reach one actor, by their stamps."""

import time

from core.records import Stamp

TOLD_NS = 1_000_000_000  # wall; the gaps of one sender are told once in so long: no load upon a load


class Gaps:
    """A sender's first epoch here begins wherever it begins; a later one begins at 1."""

    def __init__(self) -> None:
        self._last: dict[tuple[str, str, str], Stamp] = {}
        self._told_ns: dict[str, int] = {}
        self.count = 0  # messages

    def before(self, stamp: Stamp, ready_ns: int) -> bool:
        """Whether messages are missing before this one, and the actor is to be told now.

        What was lost before `ready_ns`, while it opened, was never promised to it: not counted, but told, since what it
        asked for in open() may be older.
        """
        key = (stamp.source, stamp.topic, stamp.index)
        before = self._last.get(key)
        if before is not None and before.epoch == stamp.epoch and stamp.sequence <= before.sequence:
            return False
        self._last[key] = stamp
        if before is None:
            return False
        missing = stamp.sequence - 1 - (before.sequence if before.epoch == stamp.epoch else 0)
        if missing <= 0:
            return False
        self.count += missing if before.sent_wall_ns >= ready_ns else 0
        now_ns = time.time_ns()
        if now_ns - self._told_ns.get(stamp.source, 0) < TOLD_NS:
            return False
        self._told_ns[stamp.source] = now_ns
        return True
