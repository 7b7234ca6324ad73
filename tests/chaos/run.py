"""One run: a desk that trades, is killed, meets faults, comes to rest; then the two books are compared."""

import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import requests

from cluster.account import own_root
from cluster.attach import attach
from cluster.state import DeskState
from core.errors import VikalpError
from tests.chaos.actions import act
from tests.chaos.audit import Report, audit
from tests.chaos.books import LIVE, Exchange, exchange_of
from tests.chaos.census import Census
from tests.chaos.evidence import keep, keep_logs
from tests.chaos.killer import Killer
from tests.chaos.ledger import LedgerEye
from tests.chaos.person import Person
from tests.chaos.plan import ChaosConfig
from tests.chaos.points import Kill, Point, Way, histogram, share_between
from tests.chaos.prices import Prices
from tests.chaos.traders import Notes, Trader
from tests.chaos.troubles import FOR_GOOD_S, Troubles, clear, log_in, switch
from tests.cluster.whole_desk import own_desk

SAY_S = 10.0
BACK_S = 120.0  # for everybody to be up once nothing is killed any more
PART_S = 60.0  # for a part to end: one call of the desk, or a login
EXIT_AGAIN_S = 10.0


@dataclass
class Outcome:
    """Everything the last line and docs/chaos.md are made of."""

    config: ChaosConfig
    report: Report
    kills: list[Kill]
    faults: Counter[str]
    ways: list[Way]
    states: Counter[str]
    seconds: float
    restarts: Counter[str] = field(default_factory=Counter)
    did: Counter[str] = field(default_factory=Counter)  # the traders' steps
    refused: Counter[str] = field(default_factory=Counter)  # by whom, refused and rejected ones
    person: Counter[str] = field(default_factory=Counter)  # what was done with the kill switch
    unanswered: Counter[str] = field(default_factory=Counter)  # their calls that nobody answered, by the first words

    @property
    def orders(self) -> int:
        """Intents journalled to be sent."""
        return len(self.ways)

    @property
    def histogram(self) -> Counter[tuple[str, Point]]:
        return histogram(self.kills, self.ways)

    @property
    def share(self) -> float:
        return share_between(self.histogram)

    @property
    def reached(self) -> bool:
        c = self.config
        enough = len(self.kills) >= c.kills and self.share >= c.least_share and self.orders >= c.least_orders
        return self.report.clean and enough

    def last_line(self) -> str:
        r = self.report
        wrong = f"lost={len(r.lost)} doubled={len(r.doubled)} mismatched={len(r.mismatched)}"
        return (
            f"kills={len(self.kills)} faults={self.faults.total()} orders={self.orders} {wrong} seed={self.config.seed}"
        )


class Chaos:
    """The parts of a run that is under way, on the desk of `state`."""

    def __init__(self, config: ChaosConfig, state: DeskState, say: Callable[[str], None]) -> None:
        self._config, self._state, self._say = config, state, say
        self._root = own_root(state.desk)
        self._desk = attach(state.desk)
        self._stop, self._calm = threading.Event(), threading.Event()  # of the census; of all that makes trouble
        self._notes, self._began = Notes(), time.monotonic()
        self._states: dict[str, int] = {}
        client: Any = self._desk.client
        names = [actor.name for actor in self._desk.status().actors]
        self._census = Census(state, client, names, self._stop)
        self._person = Person(client, config, self._calm)
        self._troubles = Troubles(self._root, config, self._calm)
        prices = Prices(client, config.indices, self._calm)
        traders = [
            Trader(i, config, client, act, prices=prices, notes=self._notes, stop=self._calm)
            for i in range(config.traders)
        ]
        self._makers = [prices, *traders, self._troubles, self._person]

    def go(self) -> Outcome:
        switch(self._root, "far", seconds=FOR_GOOD_S)
        with self._eye() as aim, self._eye() as eye:
            killer = Killer(self._config, self._census, aim, self._calm)
            try:
                self._trouble(killer, eye)
                self._come_to_rest(eye)
                return self._compare(killer, eye)
            except TimeoutError:
                self._say(f"logs in {keep_logs(self._state)}")
                raise
            finally:
                self._end(killer)

    def _trouble(self, killer: Killer, eye: LedgerEye) -> None:
        """Trade and kill until all kills are done."""
        self._census.start()
        self._until(lambda: not self._census.down(), BACK_S, "everybody is up")
        for part in (*self._makers, killer):
            part.start()
        while killer.is_alive():
            killer.join(SAY_S)
            self._progress(killer, eye)
        self._calm.set()
        for part in (*self._makers, killer, self._census):
            if part.error:
                raise RuntimeError(part.error)

    def _end(self, killer: Killer) -> None:
        """Nobody calls the desk any more: Ray ends a process at once that has left it and calls it again."""
        self._calm.set()
        self._stop.set()
        for part in (*self._makers, killer, self._census):
            if part.is_alive():
                part.join(PART_S)

    def _eye(self) -> LedgerEye:
        return LedgerEye(self._state.dsn, self._state.session_id)

    def _come_to_rest(self, eye: LedgerEye) -> None:
        """Faults off, a login that lives, everybody up; then every order cancelled and every position exited."""
        clear(self._root, self._config)
        log_in(self._root)
        for part in self._makers:
            part.join(PART_S)
        self._until(lambda: not self._census.down(), BACK_S, "everybody is up again")
        until = time.monotonic() + self._config.settle_s
        while time.monotonic() < until and not self._at_rest(eye):
            self._person.let_go()
            self._exit_all()
            again = time.monotonic() + EXIT_AGAIN_S
            while time.monotonic() < again and not self._at_rest(eye):
                time.sleep(0.5)

    def _at_rest(self, eye: LedgerEye) -> bool:
        """No order lives, nothing is held, here or at the exchange."""
        states = eye.states()
        if not states or states.keys() & LIVE:
            return False
        book, theirs = eye.book(), self._exchange()
        ended = all(order.status in {"COMPLETE", "CANCELLED", "REJECTED"} for order in theirs.orders)
        return ended and not any(row.quantity for row in (*book.positions, *theirs.positions))

    def _exit_all(self) -> None:
        try:
            self._desk.client.exit_all("the end of chaos")
        except VikalpError as error:
            self._say(f"exit all: {error}")

    def _exchange(self) -> Exchange:
        return exchange_of(self._admin())

    def _admin(self) -> dict[str, Any]:
        answer = requests.get(f"{self._root}/admin/book", timeout=30)
        answer.raise_for_status()
        data: dict[str, Any] = answer.json()["data"]
        return data

    def _compare(self, killer: Killer, eye: LedgerEye) -> Outcome:
        data, book = self._admin(), eye.book()
        report = audit(book, exchange_of(data), answered=self._notes.answered)
        if not report.clean:
            self._say(f"evidence in {keep(self._state, report, book, data, kills=killer.kills, eye=eye)}")
        return Outcome(
            config=self._config, report=report, kills=killer.kills, faults=self._troubles.began,
            ways=ways(eye.ways(), data["calls"], self._notes.asked_ns),
            states=Counter(order.state for order in book.orders),
            refused=Counter(_first_words(o.message) for o in book.orders if o.state in {"REFUSED", "REJECTED"}),
            seconds=time.monotonic() - self._began,
            restarts=self._census.restarts, did=self._notes.did, unanswered=self._notes.unanswered,
            person=self._person.did,
        )  # fmt: skip

    def _progress(self, killer: Killer, eye: LedgerEye) -> None:
        self._states = states = eye.states() or self._states  # as last seen, while the server is away
        live = sum(count for state, count in states.items() if state in LIVE)
        restarts, faults = self._census.restarts.total(), self._troubles.began.total()
        self._say(
            f"{time.monotonic() - self._began:5.0f} s: kills {len(killer.kills)}/{self._config.kills} in "
            f"{killer.rounds} rounds, orders {sum(states.values())}, in flight {live}, "
            f"restarts {restarts}, faults {faults}, down: {', '.join(self._census.down()) or 'nobody'}"
        )

    def _until(self, condition: Callable[[], bool], within_s: float, what: str) -> None:
        deadline = time.monotonic() + within_s
        while not condition():
            if time.monotonic() > deadline:
                raise TimeoutError(f"not within {within_s:g} s: {what}; down: {self._census.down()}")
            time.sleep(0.1)


def _first_words(message: str) -> str:
    return " ".join(message.partition(":")[0].split()[:6])


def ways(journal: Sequence[Way], calls: Sequence[dict[str, Any]], asked_ns: dict[str, int]) -> list[Way]:
    """The ledger's times with the exchange's of the same tag, and the traders'."""
    posts = {call["tag"]: call for call in reversed(calls) if call["method"] == "POST"}
    out = []
    for way in journal:
        post = posts.get(way.tag, {})
        out.append(
            Way(
                tag=way.tag, asked_ns=asked_ns.get(way.tag, 0), journalled_ns=way.journalled_ns,
                came_ns=post.get("came_ns", 0), taken_ns=post.get("taken_ns", 0), acknowledged_ns=way.acknowledged_ns,
            )
        )  # fmt: skip
    return out


def run(config: ChaosConfig, say: Callable[[str], None]) -> Outcome:
    """On a desk of its own; raises what its start raises, and TimeoutError where a part of it stays away."""
    os.environ.setdefault("RAY_IGNORE_UNHANDLED_ERRORS", "1")  # an actor that is down says so by the thousand
    with own_desk(config.settings()) as state:
        say(f"desk {state.desk}: {state.market_says}")
        return Chaos(config, state, say).go()
