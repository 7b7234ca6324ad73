import threading
import time

from cluster.alerts import REPEAT_NS, AlertDesk
from core.errors import InputError
from core.records import Alert
from tests.fakes_ledger import MemoryLedger


class Watch:
    def __init__(self) -> None:
        self.now_ns = 1_000 * REPEAT_NS

    def __call__(self) -> int:
        return self.now_ns


def test_the_same_alert_is_held_back_for_a_while_and_then_said_again() -> None:
    watch = Watch()
    alerts = AlertDesk(None, wall_ns=watch)

    for _ in range(3):
        alerts.raise_("warning", "feed.NIFTY", "SILENT: no tick")
        watch.now_ns += REPEAT_NS // 2

    assert [alert.at_wall_ns / REPEAT_NS for alert in alerts.latest()] == [1_000, 1_001]


def test_what_was_said_long_ago_is_forgotten() -> None:
    watch = Watch()
    alerts = AlertDesk(None, wall_ns=watch)

    for pid in range(100):
        alerts.raise_("warning", "oms", f"started again, pid {pid}")
        watch.now_ns += REPEAT_NS

    assert len(alerts._said) == 1


def alert(at_wall_ns: int, message: str) -> Alert:
    return Alert(at_wall_ns=at_wall_ns, severity="alarm", subject="orders X", message=message)


def test_what_an_actor_raised_stands_among_ours_in_the_order_it_happened_and_once() -> None:
    watch = Watch()
    alerts = AlertDesk(None, wall_ns=watch)
    alerts.raise_("warning", "feed.NIFTY", "started again")
    early, late = alert(watch.now_ns - 1, "HALTED, the ledger is away"), alert(watch.now_ns + 1, "a stray order")

    alerts.heard("oms", (early,))
    alerts.heard("oms", (early, late))
    alerts.heard("oms", (late,))  # it keeps so many and no more

    assert [said.message for said in alerts.latest()] == [
        "HALTED, the ledger is away",
        "started again",
        "a stray order",
    ]


def test_an_actor_that_began_anew_has_forgotten_and_we_have_not() -> None:
    alerts = AlertDesk(None)
    alerts.heard("oms", (alert(1, "before"),))
    alerts.heard("oms", ())
    alerts.heard("oms", (alert(2, "after"),))

    assert [said.message for said in alerts.latest()] == ["before", "after"]


class Picky(MemoryLedger):
    """Cannot hold one message."""

    def __init__(self) -> None:
        super().__init__()
        self.wrote = threading.Event()

    def record_alert(self, said: Alert) -> None:
        if "\0" in said.message:
            raise InputError("the ledger cannot hold this value")
        super().record_alert(said)
        self.wrote.set()


def test_an_alert_the_ledger_cannot_hold_holds_up_no_other() -> None:
    ledger = Picky()
    alerts = AlertDesk(ledger)
    alerts.raise_("alarm", "oms", "the broker said \0")
    alerts.raise_("alarm", "oms", "after it")

    assert ledger.wrote.wait(10)
    assert ledger.alerts() == ["after it"]
    assert len(alerts.latest()) == 2, "both are shown"


def test_what_an_actor_without_a_ledger_raised_is_written_down_for_it_once() -> None:
    ledger, watch = MemoryLedger(), Watch()
    alerts = AlertDesk(ledger, wall_ns=watch)
    one, other = alert(1, "login needed"), alert(2, "prices come again")

    alerts.heard("link.0", (one,), write=True)
    alerts.heard("link.0", (one, other), write=True)
    alerts.heard("oms", (alert(3, "its own"),))
    until = time.monotonic() + 10
    while len(ledger.alerts()) < 2:
        assert time.monotonic() < until, "not written"

    assert ledger.alerts() == ["login needed", "prices come again"]
