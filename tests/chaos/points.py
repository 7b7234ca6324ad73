"""Where each kill fell on the way of the order nearest to it: from recorded times, not from what was aimed at."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

NEAR_NS = 50_000_000  # of a send


class Point(StrEnum):
    ASKED = "asked → journalled"
    JOURNALLED = "journalled → sent"
    SENT = "sent → accepted"
    ACCEPTED = "accepted → acknowledged"
    LATER = "unacknowledged, later"
    ELSEWHERE = "elsewhere"


BETWEEN = frozenset({Point.JOURNALLED, Point.SENT, Point.ACCEPTED})  # a journal and its acknowledgement, near the send


@dataclass(frozen=True, kw_only=True)
class Way:
    """An order's times by the wall, UTC ns; 0 is never.

    asked: a trader first asked for it. journalled: its intent was written. came: its request was at the exchange.
    taken: the exchange had it. acknowledged: the ledger first said anything of it after the intent.
    """

    tag: str
    asked_ns: int = 0
    journalled_ns: int = 0
    came_ns: int = 0
    taken_ns: int = 0
    acknowledged_ns: int = 0

    @property
    def sent_ns(self) -> int:
        """Its request's arrival; of one that never set out, when it should have."""
        return self.came_ns or self.journalled_ns

    def between(self, at_ns: int) -> bool:
        """Journalled by then, and not acknowledged."""
        ends = self.acknowledged_ns or at_ns + 1
        return bool(self.journalled_ns) and self.journalled_ns <= at_ns < ends

    def point(self, at_ns: int) -> Point:
        if not self.between(at_ns):
            begun = bool(self.asked_ns) and self.asked_ns <= at_ns < self.journalled_ns
            return Point.ASKED if begun and self.journalled_ns - at_ns <= NEAR_NS else Point.ELSEWHERE
        if abs(at_ns - self.sent_ns) > NEAR_NS:
            return Point.LATER
        if not self.came_ns or at_ns < self.came_ns:
            return Point.JOURNALLED
        return Point.SENT if not self.taken_ns or at_ns < self.taken_ns else Point.ACCEPTED


@dataclass(frozen=True, kw_only=True)
class Kill:
    victim: str
    at_ns: int  # wall
    aimed: bool  # at an order, by whoever killed; the classification does not look at it


def locate(at_ns: int, ways: Iterable[Way]) -> Point:
    """Of the nearest order that a kill at `at_ns` interrupted; what is between journal and acknowledgement first."""
    order = [*BETWEEN, Point.ASKED, Point.LATER]
    found = ((way.point(at_ns), abs(at_ns - way.sent_ns)) for way in ways)
    hit = [(0 if point in BETWEEN else order.index(point), far, point) for point, far in found if point in order]
    return min(hit, key=lambda one: one[:2])[2] if hit else Point.ELSEWHERE


def kind_of(victim: str) -> str:
    """feed.NIFTY is a feed."""
    return victim.partition(".")[0]


def histogram(kills: Sequence[Kill], ways: Sequence[Way]) -> Counter[tuple[str, Point]]:
    """Kills by kind of victim and point."""
    return Counter((kind_of(kill.victim), locate(kill.at_ns, ways)) for kill in kills)


def share_between(counts: Counter[tuple[str, Point]]) -> float:
    """Of all kills, those within NEAR_NS of a send and between its journal and its acknowledgement; 0 to 1."""
    return sum(n for (_, point), n in counts.items() if point in BETWEEN) / max(1, counts.total())


def table(counts: Counter[tuple[str, Point]]) -> str:
    """The histogram in Markdown, a row a victim."""
    victims = sorted({victim for victim, _ in counts})
    head = ["victim", *Point, "all"]
    rows = [[v, *(str(counts[v, p]) for p in Point), str(sum(counts[v, p] for p in Point))] for v in victims]
    total = ["**all**", *(str(sum(counts[v, p] for v in victims)) for p in Point), str(counts.total())]
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows, total]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
