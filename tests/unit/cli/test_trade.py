"""Orders by hand when the desk is not well: what was not done is said and counted, and an exit needs only the oms."""

import json
from collections.abc import Sequence

import pytest

from cluster.attach import Desk
from core.errors import DeskError, StaleDataError
from core.records import Chain, DeskStatus, Intent, Margin, Order, OrderState
from tests.unit.cli.fake_world import FakeDesk, Place
from tests.unit.cli.test_commands import CALL, vikalp


class Leaving(FakeDesk):
    """exit_all answers with an order in each of `states`."""

    def __init__(self, *states: OrderState) -> None:
        super().__init__()
        self.states = states

    def exit_all(self, why: str) -> Sequence[Order]:
        made = super().exit_all(why)[0]
        bad = "state: HALTED, the ledger is away; nothing was sent"
        return [
            Order(intent=made.intent, state=state, message=bad if state in {"REFUSED", "REJECTED", "UNKNOWN"} else "")
            for state in self.states
        ]


@pytest.mark.parametrize("state", ["REFUSED", "REJECTED", "UNKNOWN"])
def test_exit_all_that_sent_nothing_says_why_and_exits_1(state: OrderState) -> None:
    done = vikalp(Place(Leaving(state)), "exit-all", "--yes")

    assert done.exit_code == 1
    assert f"1 {state}" in done.stderr
    assert f"{CALL}: {state.lower()}: state: HALTED, the ledger is away; nothing was sent" in done.stderr


def test_exit_all_counts_by_state_and_one_failure_is_one() -> None:
    done = vikalp(Place(Leaving("OPEN", "COMPLETE", "REFUSED", "COMPLETE")), "exit-all", "--yes")

    assert done.exit_code == 1
    assert "4 orders: 1 OPEN, 2 COMPLETE, 1 REFUSED" in done.stderr
    assert done.stderr.count("nothing was sent") == 1


def test_exit_all_as_json_prints_the_orders_and_exits_1_too() -> None:
    done = vikalp(Place(Leaving("OPEN", "REFUSED")), "exit-all", "--yes", "--json")

    assert done.exit_code == 1
    assert [order["state"] for order in json.loads(done.stdout)] == ["OPEN", "REFUSED"]
    assert "the ledger is away" in done.stderr


def test_exit_all_that_worked_exits_0() -> None:
    done = vikalp(Place(Leaving("OPEN", "COMPLETE")), "exit-all", "--yes")

    assert done.exit_code == 0
    assert "error" not in done.stderr
    assert vikalp(Place(Leaving()), "exit-all", "--yes").exit_code == 0


def test_a_cancel_the_broker_refused_says_so_and_exits_1() -> None:
    class Refusing(FakeDesk):
        def cancel(self, tag: str) -> Order:
            return Order(intent=self.sent[-1], state="OPEN", message="the broker refused to cancel it: too late")

    place = Place(Refusing())
    vikalp(place, "order", CALL, "buy", "--yes")
    done = vikalp(place, "cancel", "T")

    assert done.exit_code == 1
    assert "open: the broker refused to cancel it: too late" in done.stderr


class OnlyOms(FakeDesk):
    """The order manager answers and nobody else."""

    def chain(self, index: str) -> Chain | None:
        raise DeskError(f"shard.{index} is down")

    def margin(self, intent: Intent) -> Margin:
        raise DeskError("risk did not answer within 5 s")


class NoSupervisor(FakeDesk):
    def status(self) -> DeskStatus:
        raise DeskError("no actor supervisor on this desk")

    def margin(self, intent: Intent) -> Margin:
        raise StaleDataError("no chain")


@pytest.mark.parametrize("desk", [OnlyOms(), NoSupervisor()])
def test_an_exit_is_sent_without_risk_and_without_shard_or_supervisor(desk: FakeDesk) -> None:
    done = vikalp(Place(desk), "order", CALL, "sell", "--purpose", "exit", "--yes")

    assert done.exit_code == 0, done.output
    assert [(sent.purpose, sent.quantity, sent.created_ns) for sent in desk.sent] == [("exit", 65, 0)]
    assert "the margin is not known" in done.stderr


def test_an_entry_without_its_margin_is_not_sent() -> None:
    desk = OnlyOms()
    done = vikalp(Place(desk), "order", CALL, "buy", "--yes")

    assert (done.exit_code, desk.sent) == (1, [])
    assert "risk did not answer" in done.stderr


class NoAnswer(FakeDesk):
    """Takes the first order and does not say so; the same tag is the same order."""

    def submit(self, intent: Intent) -> Order:
        if not self.sent:
            super().submit(intent)
            raise DeskError("oms did not answer within 5 s")
        return Order(intent=next(sent for sent in self.sent if sent.tag == intent.tag), state="COMPLETE")


def test_an_order_without_an_answer_names_its_tag_and_with_it_is_the_same_order() -> None:
    place = Place(NoAnswer())
    lost = vikalp(place, "order", CALL, "buy", "--yes")
    tag = place.client.sent[0].tag
    again = vikalp(place, "order", CALL, "buy", "--yes", "--tag", tag)

    assert lost.exit_code == 1
    assert f"it may have been sent: ask again with --tag {tag}" in lost.stderr
    assert again.exit_code == 0
    assert len(place.client.sent) == 1


def test_a_notebook_is_told_the_tag_of_an_order_without_an_answer() -> None:
    client = NoAnswer()
    desk = Desk(client)  # type: ignore[arg-type]  # what it asks of a client, this one has
    with pytest.raises(DeskError, match=r"it may have been sent: ask again with tag=") as caught:
        desk.place(CALL, "BUY", 65)

    assert client.sent[0].tag in str(caught.value)
    assert desk.place(CALL, "BUY", 65, tag=client.sent[0].tag).state == "COMPLETE"
    assert len(client.sent) == 1
