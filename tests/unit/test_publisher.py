"""Events go out in their order, each at least once; a broker that is away is told of once and stops nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pytest

from actors.publisher import PublisherActor, PublisherConfig
from core.errors import LedgerDown
from core.records import LedgerEvent

SECOND = 1_000_000_000


def event(offset: int, topic: str = "orders.executed", session: str = "s") -> LedgerEvent:
    return LedgerEvent(
        session_id=session, offset=offset, topic=topic, key="A1", at_ns=1, recorded_wall_ns=2, body='{"n": 1}'
    )


@dataclass
class Wall:
    ns: int = SECOND

    def wall_ns(self) -> int:
        return self.ns

    now_ns = wall_ns


@dataclass
class Held:
    """An outbox of lists."""

    sessions: dict[str, list[LedgerEvent]] = field(default_factory=dict)

    def events(self, session: str, after: int, topics: Sequence[str] = (), limit: int = 500) -> list[LedgerEvent]:
        return [one for one in self.sessions.get(session, []) if one.offset > after][:limit]

    def head(self, session: str) -> int:
        return len(self.sessions.get(session, []))


@dataclass
class Sink:
    """Takes `room` events of a call, then says why not."""

    taken: list[LedgerEvent] = field(default_factory=list)
    room: int = 10**9
    calls: int = 0

    def publish(self, events: Sequence[LedgerEvent]) -> tuple[int, str]:
        self.calls += 1
        self.taken += events[: self.room]
        return min(self.room, len(events)), "" if len(events) <= self.room else "no broker"

    def close(self) -> None:
        pass


@dataclass
class Places:
    at: dict[str, int] = field(default_factory=dict)
    fails: bool = False

    def read(self) -> dict[str, int]:
        return dict(self.at)

    def keep(self, places: Mapping[str, int]) -> None:
        if self.fails:
            raise OSError("no room")
        self.at = dict(places)


class Desk:
    def __init__(self, events: int, page: int = 3) -> None:
        topics = ["orders.submitted", "ledger.orders", "orders.executed", "ledger.audit_log"]
        self.outbox = Held({"s": [event(n, topics[n % 4]) for n in range(1, events + 1)]})
        self.sink, self.places, self.wall, self.page = Sink(), Places(), Wall(), page
        self.start()

    def start(self) -> None:
        config = PublisherConfig(page=self.page, back_off_s=8)
        ports = {"clock": self.wall, "outbox": self.outbox, "sink": self.sink, "places": self.places}
        self.actor = PublisherActor(config, **ports, session="s")  # type: ignore[arg-type]
        self.actor.open()

    def later(self, seconds: float = 0.5) -> None:
        self.wall.ns += int(seconds * SECOND)
        self.actor.on_timer()

    def said(self) -> list[str]:
        return [alert.severity for alert in self.actor.alerts()]


def test_what_others_may_want_goes_out_in_order_and_the_place_is_kept() -> None:
    desk = Desk(20)
    desk.later()
    assert [one.offset for one in desk.sink.taken] == [n for n in range(1, 21) if n % 2 == 0]
    assert (desk.places.at, desk.actor.counts()["behind"]) == ({"s": 20}, 0)
    desk.outbox.sessions["s"].append(event(21))
    desk.later()
    assert desk.sink.taken[-1].offset == 21
    assert desk.said() == []


@pytest.mark.parametrize("room", range(5))
def test_what_was_not_confirmed_is_sent_again_from_the_first_that_was_not(room: int) -> None:
    desk = Desk(20, page=20)
    desk.sink.room = room
    desk.later()
    wanted = [n for n in range(1, 21) if n % 2 == 0]
    assert desk.places.at.get("s", 0) == wanted[room] - 1
    desk.sink.room = 10**9
    desk.later(2)
    assert list(dict.fromkeys(one.offset for one in desk.sink.taken)) == wanted
    assert desk.places.at == {"s": 20}


def test_a_broker_that_is_away_is_told_of_once_and_asked_less_and_less() -> None:
    desk = Desk(20)
    desk.sink.room = 0
    for _ in range(60):
        desk.later(1)
    assert desk.said() == ["warning"]
    assert desk.sink.calls < 14, "after 1, 2, 4 and then every 8 s"
    assert (desk.actor.counts()["behind"], desk.actor.check_health()) == (19, desk.wall.ns), (
        "the first is the ledger's own"
    )
    assert "no broker" in desk.actor.alerts()[0].message
    desk.sink.room = 10**9
    desk.later(8)
    assert desk.said() == ["warning", "info"]
    assert desk.places.at == {"s": 20}


def test_a_session_that_was_not_finished_is_before_the_new_one_begins() -> None:
    desk = Desk(4)
    desk.outbox.sessions["old"] = [event(n, session="old") for n in range(1, 6)]
    desk.places.at = {"old": 3}
    desk.start()
    desk.later()
    assert [(one.session_id, one.offset) for one in desk.sink.taken] == [("old", 4), ("old", 5), ("s", 2), ("s", 4)]
    assert desk.places.at == {"s": 4}


def test_a_place_that_cannot_be_kept_is_told_of_once_and_publishes_again_later_and_passes_nothing() -> None:
    """A full disk is no bug of the actor's, which would end its process."""
    desk = Desk(4, page=4)
    desk.places.fails = True
    for _ in range(3):
        desk.later(0.3)
    assert (desk.sink.calls, desk.said()) == (1, ["warning"]), "not again before its time"
    assert "no room" in desk.actor.alerts()[0].message
    desk.places.fails = False
    desk.later(2)
    assert [one.offset for one in desk.sink.taken] == [2, 4, 2, 4]
    assert (desk.places.at, desk.said()) == ({"s": 4}, ["warning", "info"])


def test_a_ledger_that_is_away_is_asked_again() -> None:
    desk = Desk(4)
    real, desk.outbox.events = desk.outbox.events, lambda *a, **k: (_ for _ in ()).throw(LedgerDown("away"))  # type: ignore[assignment,method-assign]
    with pytest.raises(LedgerDown):
        desk.later()
    desk.outbox.events = real  # type: ignore[method-assign]
    desk.later()
    assert desk.places.at == {"s": 4}
