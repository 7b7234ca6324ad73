"""An order manager in a process of its own, which is killed or stopped at a point of its path.

What it shares with the test: the exchange over HTTP, the ledger in PostgreSQL, and the clock.
"""

import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

import psutil
from urllib3.connection import HTTPConnection

from brokers.kite.broker import KiteBroker
from core.errors import VikalpError
from core.records import Intent
from storage.ledger import PostgresLedger, write
from tests.unit.orders.clocks import CONTEXT, MarketClock, StandingWall
from tests.unit.orders.lives import Account, Process
from tests.unit.orders.points import Trap
from tests.unit.orders.walk import PATHS

CONTEXT.set_forkserver_preload([__name__, "pytest"])
WITHIN_S = 30.0
AT_ONCE_S = 0.05
LEDGER_S = 1.0  # of a call of the ledger
WIRE = ("wire write before", "wire write after", "wire answer before")  # the first of a head, the second of a body


@dataclass(frozen=True)
class Place:
    """Where an order manager works; picklable."""

    root: str
    dsn: str
    session: str
    token: str
    wall: StandingWall
    market_ns: int

    def process(self) -> Process:
        ledger = PostgresLedger(self.dsn, self.session, timeout_s=LEDGER_S)
        return Process(self.root, self.wall, MarketClock(self.wall, self.market_ns), ledger, self.token)


def place_of(account: Account, dsn: str, session: str) -> Place:
    return Place(account.root, dsn, session, account.token, account.wall, account.clock.now_ns())


class At(Trap):
    """Sends this process a signal at the `nth` point of a name."""

    def __init__(self, name: str, nth: int, what: signal.Signals) -> None:
        super().__init__()
        self._name, self._left, self._what = name, nth, what

    def __call__(self, point: str) -> None:
        self._left -= point == self._name
        if point == self._name and self._left == 0:
            os.kill(os.getpid(), self._what)
            time.sleep(AT_ONCE_S)  # a thread runs on for a moment


def lives(place: Place, path: int, intent: Intent, point: str, nth: int) -> None:
    """Walk that path; SIGKILL at that point."""
    trap = At(point, nth, signal.SIGKILL)
    _points_on_the_wire(place.wall, trap)
    process = place.process()
    process.start(trap)
    PATHS[path].live(process, intent)


def looks(place: Place, point: str, nth: int) -> None:
    """Recover, and look once; SIGKILL at that point."""
    trap = At(point, nth, signal.SIGKILL)
    process = place.process()
    process.start(trap)
    process.later()


def serves(place: Place, point: str, nth: int, line: Connection) -> None:
    """Do what the test asks; SIGSTOP at that point, and go on from there when it is continued."""
    trap = At(point, nth, signal.SIGSTOP)
    _points_on_the_wire(place.wall, trap)
    process = place.process()
    while True:
        asked, args = line.recv()
        try:
            if asked == "open":
                process.start(trap)
                line.send((True, None))
            else:
                line.send((True, getattr(process.oms, asked)(*args)))
        except VikalpError as error:
            line.send((False, f"{type(error).__name__}: {error}"))


def _points_on_the_wire(wall: StandingWall, trap: Trap) -> None:
    """WIRE, for what is sent to the broker, and one inside a transaction of the ledger.

    What this process takes for time goes on with everybody's.
    """
    real, began_ns = time.monotonic, wall()
    time.monotonic = lambda: real() + (wall() - began_ns) / 1e9
    call, connect = KiteBroker._send, HTTPConnection.connect
    send, response = HTTPConnection.send, HTTPConnection.getresponse
    sending = [False]

    def point(name: str) -> None:
        if sending[0]:
            trap(name)

    def called(self: KiteBroker, *args: Any, **kwargs: Any) -> Any:
        sending[0] = True
        try:
            return call(self, *args, **kwargs)
        finally:
            sending[0] = False

    def connected(self: HTTPConnection) -> None:
        connect(self)
        point("wire connected")

    def sent(self: HTTPConnection, data: Any) -> None:
        point("wire write before")
        send(self, data)
        point("wire write after")

    def answered(self: HTTPConnection) -> Any:
        point("wire answer before")
        return response(self)

    intent = write.intent

    async def written(connection: Any, *args: Any) -> None:
        async with connection.transaction():
            await intent(connection, *args)
            trap("ledger.journal_intent uncommitted")

    write.intent = written
    KiteBroker._send, HTTPConnection.connect = called, connected  # type: ignore[method-assign]
    HTTPConnection.send, HTTPConnection.getresponse = sent, answered  # type: ignore[method-assign]


class Manager:
    """A process that `serves`, from outside."""

    def __init__(self, place: Place, point: str = "", nth: int = 1) -> None:
        """It is stopped at the `nth` point of that name."""
        self._line, theirs = CONTEXT.Pipe()
        self._process = CONTEXT.Process(target=serves, args=(place, point, nth, theirs), daemon=True)
        self._process.start()
        theirs.close()
        assert self._process.pid is not None
        self._seen = psutil.Process(self._process.pid)

    def tell(self, what: str, *args: object) -> None:
        self._line.send((what, args))

    def hear(self) -> Any:
        """The answer; an error as its words."""
        assert self._line.poll(WITHIN_S), "it does not answer"
        return self._line.recv()[1]

    def ask(self, what: str, *args: object) -> Any:
        self.tell(what, *args)
        return self.hear()

    def is_stopped(self) -> bool:
        return bool(self._seen.status() == psutil.STATUS_STOPPED)

    def stops(self) -> None:
        self._seen.send_signal(signal.SIGSTOP)
        until(self.is_stopped, "it is not stopped")

    def goes_on(self) -> None:
        self._seen.send_signal(signal.SIGCONT)

    def close(self) -> None:
        self._seen.kill()
        self._process.join(WITHIN_S)
        self._line.close()


def until(happened: Callable[[], object], what: str) -> None:
    end = time.monotonic() + WITHIN_S
    while not happened():
        assert time.monotonic() < end, what
        time.sleep(0.005)
