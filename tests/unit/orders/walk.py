"""The path of an order, walked once to its end, and then once for each point at which the process may end.

`python -m tests.unit.orders.walk` walks every point of every path with every answer and prints the table; the tests
walk every point and every answer of the first path, and of the others every point and every answer once.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field

from core.records import LIVE, Intent, Refusal, Terms, Verdict
from tests.unit.exchange.oms_desk import buy, quoted
from tests.unit.exchange.test_orders import traded_option
from tests.unit.orders.answers import ANSWERS, Answer, Answered
from tests.unit.orders.conftest import answered
from tests.unit.orders.lives import LATE_S, SHOWN, Account, Process
from tests.unit.orders.points import Crash, Trap

Act = Callable[[Process, Intent], None]


def fills(served: Answered, seed: str) -> Intent:
    return buy(served, seed)


def rests(served: Answered, seed: str) -> Intent:
    return buy(served, seed, rests=True)


def fills_in_part(served: Answered, seed: str) -> Intent:
    """More than is shown at its limit, the best price."""
    return buy(served, seed, lots=SHOWN + 2, limit_paise=quoted(served, traded_option(served), "ask"))


def nothing(account: Process, intent: Intent) -> None:
    """It begins with the order itself."""


def enter(account: Process, intent: Intent) -> None:
    """Send it, and follow it until everything is known of it."""
    account.oms.submit(intent)
    account.later()
    account.arrives()
    account.later()
    account.login()
    if account.orders()[intent.tag].state in LIVE:
        for _ in range(3):
            account.later(LATE_S / 2)
    for _ in range(12):  # until it is given up
        if account.orders()[intent.tag].state == "UNKNOWN":
            account.later(LATE_S / 10)


def begun(account: Process, intent: Intent) -> None:
    """It was sent by an earlier process."""
    account.start()
    account.oms.submit(intent)
    account.later()
    account.later()


def take_back(account: Process, intent: Intent) -> None:
    account.oms.cancel(intent.tag)
    account.later()
    account.arrives()
    account.later()
    account.login()
    account.cancel(intent.tag)


def change(account: Process, intent: Intent) -> None:
    """It rests at another price, where it does not trade either."""
    account.oms.modify(intent.tag, Terms(order_type="LIMIT", limit_paise=intent.limit_paise - 50))
    account.later()
    account.arrives()
    account.later()
    account.login()


def catch(account: Process, intent: Intent) -> None:
    """At the other price it trades."""
    account.oms.modify(intent.tag, Terms(order_type="LIMIT", limit_paise=intent.limit_paise * 3 // 2 // 5 * 5))
    account.later()
    account.arrives()
    account.later()
    account.login()


def held_and_begun(account: Account, intent: Intent) -> None:
    """Beside it a position, bought by an earlier process."""
    begun(account, buy(account.served, "held", lots=2))
    begun(account, intent)


def leave(account: Process, intent: Intent) -> None:
    """Everything is cancelled and sold."""
    account.oms.exit_all("a test")
    account.later()
    account.arrives()
    account.later()
    account.login()
    account.cancel(intent.tag)


def risk_says_no(account: Process, intent: Intent) -> None:
    account.risk.answer = Verdict(refusals=(Refusal(limit="order_size", allowed="0", asked="1", why="a test"),))
    account.oms.submit(intent)
    account.later()


@dataclass(frozen=True)
class Path:
    """A life of an order without accidents. `asks` is the request whose answer varies; the others are acknowledged."""

    name: str
    of: Callable[[Answered, str], Intent]
    live: Act
    before: Act = nothing  # by earlier processes, which live
    asks: str = "POST"
    sends: bool = True


PATHS = (
    Path("an order that fills", fills, enter),
    Path("an order that rests", rests, enter),
    Path("an order that fills in part", fills_in_part, enter),
    Path("the cancel of one that rests", rests, take_back, begun, "DELETE"),
    Path("the cancel of one filled in part", fills_in_part, take_back, begun, "DELETE"),
    Path("the modification of one that rests", rests, change, begun, "PUT"),
    Path("a modification by which it fills", rests, catch, begun, "PUT"),
    Path("exit_all, and its sale", rests, leave, held_and_begun),
    Path("exit_all, and its cancel", rests, leave, held_and_begun, "DELETE"),
    Path("an order that risk refuses", fills, risk_says_no, sends=False),
)


@dataclass
class Walk:
    """One path with one answer on one exchange. `points` are those that it passes, in their order."""

    served: Answered
    path: Path
    name: str = "ACK"  # of the answer
    make: Callable[[Answered], Account] = Account
    points: list[str] = field(default_factory=list)

    @property
    def answer(self) -> Answer:
        return ANSWERS[self.name]

    def whole(self) -> list[str]:
        """Nothing ends, and everything is right; the points."""
        self.after(*self.pass_through())
        return self.points

    def pass_through(self) -> tuple[Account, Intent]:
        """Nothing ends; fills `points`."""
        account, intent = self.begin()
        trap = Trap()
        self._live(account, intent, trap)
        self.points = trap.passed
        return account, intent

    def crash(self, at: int) -> str:
        """The process ends at the `at`-th point, from 1, and everything is right all the same; the point's name."""
        account, intent = self.begin()
        trap = Trap(at)
        self._live(account, intent, trap)
        self.after(account, intent)
        assert trap.passed == self.points[:at], "it was not that point"
        return trap.passed[-1]

    def crashes(self, *, since: str = "") -> Iterator[str]:
        """At each point in turn, or at each since the first of that name; what was tried."""
        points = self.points or self.whole()
        for at in range(points.index(since) + 1 if since else 1, len(points) + 1):
            yield self.crash(at)

    def crash_again(self, at: int, second: int) -> str:
        """The process ends at its `at`-th point, and the next at its `second`-th; empty if that one passes fewer."""
        account, intent = self.begin()
        self._live(account, intent, Trap(at))
        again = Trap(second)
        with suppress(Crash):
            account.recover(again)
        self.after(account, intent)
        return again.passed[-1] if len(again.passed) == second else ""

    def crashes_of_recovery(self, after: str) -> Iterator[str]:
        """It ends at the first point of that name, and the next process at each of its own in turn; what was tried."""
        at, second = (self.points or self.whole()).index(after) + 1, 1
        while point := self.crash_again(at, second):
            yield point
            second += 1

    def begin(self) -> tuple[Account, Intent]:
        account = self.make(self.served)
        intent = self.path.of(self.served, f"{self.path.name} {self.name}")
        self.path.before(account, intent)
        self.served.script.next[self.path.asks].append(self.answer)
        return account, intent

    def _live(self, account: Account, intent: Intent, trap: Trap) -> None:
        """Until the path or the process ends."""
        try:
            account.start(trap)
            self.path.live(account, intent)
        except Crash:
            self.served.script.next.clear()

    def after(self, account: Account, intent: Intent) -> None:
        """Another process recovers; who sent the order, and has not heard of it, asks again; it ends, and stays so."""
        account.recover()
        account.judge()
        account.oms.submit(intent)
        account.later()
        account.judge()
        account.cancel(intent.tag)
        account.flat()
        account.judge()
        account.stays()


def pairs(walks: list[Walk]) -> Iterator[tuple[Walk, int]]:
    """Every point with one of the answers and every answer at one of the points."""
    for walk in walks:
        walk.pass_through()
    ahead = [(walk, len(walk.points)) for walk in walks]
    longest = max(many for _, many in ahead)
    for turn in range(max(longest, len(ahead))):
        walk, many = ahead[turn % len(ahead)]
        yield walk, turn % longest % many + 1


def main() -> None:
    with answered() as served:
        for path in PATHS:
            for name in ANSWERS if path.sends else ("ACK",):
                print(f"{path.name}, {name}")
                for number, point in enumerate(Walk(served, path, name).crashes(), 1):
                    print(f"  {number:3} {point}")


if __name__ == "__main__":
    main()
