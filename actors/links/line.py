"""What has happened to a connection, in words for people, each thing once."""

from typing import Literal

from actors.said import Said

# The words of brokers.kite.stream.State that matter here.
OPEN, WAITING, LOGIN_NEEDED = "open", "waiting before the next attempt", "login needed"
COMMAND = "vikalp login"
REPEAT_NS = 30_000_000_000  # the same is not said again within this
_S = 1_000_000_000


class Line:
    """Whether prices come. A loss is over with the first ticks after it, not with the connection.

    counts: `losses`, `recoveries`, and of the last recovery `away_ms`, from the last frame before the loss to the first
    ticks after it, and `no_ticks_ms`, from the last ticks: longer where heartbeats went on and prices did not.
    """

    def __init__(self, said: Said) -> None:
        self._said, self._lost = said, False
        self._frame_ns = self._ticks_ns = self._before_ns = 0  # of the last frame, ticks, and frame before the loss
        self.counts = dict.fromkeys(("losses", "recoveries", "away_ms", "no_ticks_ms"), 0)

    def state(self, state: str, why: str) -> None:
        """The socket is in a new state."""
        if state == LOGIN_NEEDED:
            self._lose("alarm", f"no prices without a login: {why}{'' if COMMAND in why else f'; run: {COMMAND}'}")
        elif state == WAITING and not self._lost:
            self._lose("warning", f"no connection: {why}")

    def frame(self, received_ns: int, ticks: int) -> None:
        """A frame came, with so many ticks."""
        if ticks and self._lost:
            self._find(received_ns)
        self._frame_ns = received_ns
        self._ticks_ns = received_ns if ticks else self._ticks_ns

    def _lose(self, severity: Literal["warning", "alarm"], message: str) -> None:
        if not self._lost:
            self._lost, self._before_ns = True, self._frame_ns
            self.counts["losses"] += 1
        self._said.say(severity, message)

    def _find(self, received_ns: int) -> None:
        self._lost = False
        self.counts["recoveries"] += 1
        if not self._ticks_ns:
            self._said.say("info", "prices come")
            return
        away_ns, no_ticks_ns = received_ns - self._before_ns, received_ns - self._ticks_ns
        self.counts |= {"away_ms": away_ns // 1_000_000, "no_ticks_ms": no_ticks_ns // 1_000_000}
        after = f"{away_ns / _S:.2f} s after the last frame, {no_ticks_ns / _S:.2f} s after the last ticks"
        self._said.say("info", f"prices come again, {after}")
