"""Several orders, answers and crashes in whatever order chance has them: the exchange's book is the judge at the end.

`python -m tests.unit.orders.test_crash_sequences 2000` draws so many days; the tests draw a few.
"""

import sys

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.errors import VikalpError
from core.records import LIVE, Intent, Terms
from tests.unit.orders.answers import ANSWERS, Answered
from tests.unit.orders.conftest import answered
from tests.unit.orders.lives import Account
from tests.unit.orders.points import Crash, Trap
from tests.unit.orders.walk import fills, fills_in_part, rests

KINDS = {"fills": fills, "rests": rests, "fills in part": fills_in_part}
NAMES = st.sampled_from(sorted(ANSWERS))
CRASH = st.just(0) | st.integers(1, 12)  # at how many points from here; 0: not
STEPS = st.one_of(
    st.tuples(st.just("send"), st.sampled_from(sorted(KINDS)), NAMES, CRASH),
    st.tuples(st.just("cancel"), st.integers(0, 3), NAMES, CRASH),
    st.tuples(st.just("modify"), st.integers(0, 3), NAMES, CRASH),
    st.tuples(st.just("exit all"), st.just(0), NAMES, CRASH),
    st.tuples(st.just("wait"), st.sampled_from((0.5, 5.0, 60.0)), st.just("ACK"), CRASH),
    st.tuples(st.just("restart"), st.just(0), st.just("ACK"), CRASH),
)


class Day:
    def __init__(self, served: Answered) -> None:
        self.account, self.sent = Account(served), list[Intent]()
        self.start()

    def start(self) -> None:
        self.trap = Trap()
        self.account.start(self.trap)
        self.account.login()

    def step(self, what: str, which: object, name: str, crash: int) -> None:
        """Whoever asks may hear an error, or that the process has ended."""
        account = self.account
        asks = {"send": "POST", "exit all": "POST", "cancel": "DELETE", "modify": "PUT"}.get(what)
        if asks:
            account.served.script.next[asks].append(ANSWERS[name])
        self.trap.at = len(self.trap.passed) + crash if crash else 0
        try:
            self.act(what, which)
        except VikalpError:
            pass
        except Crash:
            self.start()
        self.trap.at = 0
        account.served.script.next.clear()
        account.arrives()
        account.login()

    def act(self, what: str, which: object) -> None:
        account, live = self.account, [tag for tag, order in self.account.orders().items() if order.state in LIVE]
        if what == "send":
            self.sent.append(KINDS[str(which)](account.served, f"{which} {len(self.sent)}"))
            account.oms.submit(self.sent[-1])
            account.later()
        elif what == "wait":
            account.later(float(str(which)))
        elif what == "restart":
            account.start(self.trap)
        elif what == "exit all":
            account.oms.exit_all("a test")
            account.later()
        elif live and what == "cancel":
            account.oms.cancel(live[int(str(which)) % len(live)])
        elif live:
            tag = live[int(str(which)) % len(live)]
            limit = account.orders()[tag].intent.limit_paise - 50
            account.oms.modify(tag, Terms(order_type="LIMIT", limit_paise=limit))

    def end(self) -> None:
        """Everything is known, asked for again, taken back and sold; each time the two books agree."""
        self.account.recover()
        self.account.judge()
        for intent in self.sent:
            self.account.oms.submit(intent)
        self.account.later()
        self.account.judge()
        for tag in [tag for tag, order in self.account.orders().items() if order.state in LIVE]:
            self.account.cancel(tag)
        self.account.flat()
        self.account.judge()
        self.account.stays()


def live(served: Answered, steps: list[tuple[str, object, str, int]]) -> None:
    day = Day(served)
    for step in steps:
        day.step(*step)
    day.end()


SEQUENCES = st.lists(STEPS, min_size=2, max_size=8)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=SEQUENCES)
def test_whatever_order_of_orders_answers_and_crashes_nothing_is_lost_or_doubled(
    served: Answered, steps: list[tuple[str, object, str, int]]
) -> None:
    live(served, steps)


if __name__ == "__main__":
    with answered() as server:

        def many(steps: list[tuple[str, object, str, int]]) -> None:
            live(server, steps)

        settings(max_examples=int(sys.argv[1]), deadline=None)(given(steps=SEQUENCES)(many))()
