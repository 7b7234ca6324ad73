"""One call of a bus and what becomes of its line, with a receiver that is restarted; Ray's part is played."""

from typing import Any

import pytest

from cluster import bus
from cluster.bus import RayBus
from core.errors import DeskError
from tests.cluster.conftest import until
from tests.cluster.plain import batch


class Ends:
    """Plays `find` and the lines it gives: a receiver that may be away, opening or there."""

    def __init__(self) -> None:
        self.state, self.life, self.found, self.got = "there", 1, 0, []

    def find(self, *_: str) -> "End":
        self.found += 1
        if self.state == "away":
            raise ValueError("no actor of that name")
        if self.state == "opening":
            raise DeskError("it is opening")
        return End(self, self.life)


class End:
    def __init__(self, ends: Ends, life: int) -> None:
        self._ends, self._life, self._closed = ends, life, False

    @property
    def over(self) -> bool:
        if self._closed:
            raise OSError("handle is closed")
        return self._life != self._ends.life

    def ask(self, messages: Any, within_s: float | None = None) -> tuple[int, ...]:
        assert not self.over
        self._ends.got += [stamp.sequence for stamp, _ in messages]
        return ()

    def close(self) -> None:
        self._closed = True


@pytest.fixture
def ends(monkeypatch: pytest.MonkeyPatch) -> Ends:
    played = Ends()
    monkeypatch.setattr(bus, "find", played.find)
    return played


def sends(sender: RayBus, ends: Ends, sequence: int) -> None:
    sender.publish("ticks", batch(sequence))
    until(lambda: all(way.idle for way in sender._ways.values()), within_s=10, what=f"{sequence} is over")


def test_a_line_whose_receiver_began_anew_and_is_opening_is_not_used_again(ends: Ends) -> None:
    sender = RayBus("n", {"ticks": ("shard",)}, source="feed")
    sends(sender, ends, 1)
    ends.life, ends.state = 2, "opening"
    sends(sender, ends, 2)
    ends.state = "there"
    for sequence in (3, 4, 5):
        sends(sender, ends, sequence)

    assert ends.got == [1, 3, 4, 5]
    assert sender.stats() == {"shard": 1}
    assert ends.found == 3


def test_in_a_replay_it_is_waited_for_through_all_of_it(ends: Ends) -> None:
    sender = RayBus("n", {"ticks": ("shard",)}, source="feed", lossless=True)
    sender.publish("ticks", batch(1))
    ends.life = 2
    sender.publish("ticks", batch(2))
    assert ends.got == [1, 2]
    assert sender.stats() == {}
