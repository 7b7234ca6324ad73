"""Through a running desk and its exchange: an order at other terms, and a bracket that leaves at its target."""

import time
from collections.abc import Iterator

import msgspec
import pytest

from cluster.attach import Desk
from core.orders.machine import terms
from core.orders.plans import Bracket, ExitRules
from core.records import Order, Terms
from core.schemas import Kind
from tests.cluster.conftest import until
from tests.cluster.orders_on_desk import emptied, lot_of, taken
from tests.cluster.whole_desk import ROOMY, near_the_money, own_desk, trading

pytestmark = [pytest.mark.cluster, pytest.mark.long, pytest.mark.timeout(400)]
SETTINGS = {
    "indices": ["NIFTY"], "market.seed": 7, "ray.object_store_mb": 100, "ray.cpus": 2, **ROOMY,
    "risk.limits.price_distance.max_share": 0.5,
}  # fmt: skip
SHOWN_S, TARGET_S = 20.0, 120.0


@pytest.fixture(scope="module")
def desk() -> Iterator[Desk]:
    with own_desk(SETTINGS) as made:
        yield trading(made)


def of(desk: Desk, tag: str) -> Order:
    return next(order for order in desk.orders() if order.intent.tag == tag)


def below(paise: int, share: float) -> int:
    return int(paise * (1 - share)) // 5 * 5


def modified(desk: Desk, tag: str, wanted: Terms) -> Order:
    """The answer, of the first time that the exchange is done with what it was asked before and the budget has room."""

    def asked() -> Order | None:
        answer = desk.modify(tag, limit_paise=wanted.limit_paise)
        busy = any(words in answer.message for words in ("being processed", "room again"))
        return None if busy else answer

    found: Order = until(asked, within_s=SHOWN_S, what="an answer to a modification", every_s=0.5)
    return found


def test_other_terms_are_answered_without_words_and_shown_and_a_refusal_has_its_own(desk: Desk) -> None:
    contract = near_the_money(desk)
    rests = taken(desk, symbol=contract["symbol"], limit_paise=below(contract["bid_paise"], 0.16))
    for share in (0.18, 0.17):
        wanted = Terms(order_type="LIMIT", limit_paise=below(contract["bid_paise"], share))
        answer = modified(desk, rests.intent.tag, wanted)
        assert (answer.state, answer.message) == ("OPEN", "")
        until(lambda: terms(of(desk, rests.intent.tag)) == wanted, within_s=SHOWN_S, what=f"{wanted} rests")  # noqa: B023
        assert of(desk, rests.intent.tag).message == ""
    far = desk.modify(rests.intent.tag, limit_paise=below(contract["bid_paise"], 0.9))

    assert far.message.startswith("not modified: price_distance")
    assert desk.cancel(rests.intent.tag).state == "CANCELLED"
    over = desk.modify(rests.intent.tag, limit_paise=rests.intent.limit_paise)
    assert (over.state, "is over" in over.message) == ("CANCELLED", True)


def bracket(desk: Desk, kind: Kind) -> Bracket:
    """One lot at market, whose target is 1 % above what is asked now, and its stop far below."""
    contract = near_the_money(desk, kind)
    ask = contract["ask_paise"]
    rules = ExitRules(stop_paise=below(ask, 0.5), target_paise=below(ask, -0.01))
    return Bracket(
        plan_id=f"B{kind.name}", strategy="manual", index="NIFTY", created_ns=time.time_ns(), symbol=contract["symbol"],
        side="BUY", quantity=lot_of(desk), limit_paise=below(ask, -0.005), exit=rules,
    )  # fmt: skip


def test_a_bracket_that_leaves_at_its_target_was_not_stopped(desk: Desk) -> None:
    """Of a call and a put one gains."""
    for kind in (Kind.CALL, Kind.PUT):
        desk.start_plan(msgspec.json.encode(bracket(desk, kind)).decode())

    def done() -> list[str]:
        said = [(plan.plan_id, word) for plan in desk.plans() for word in plan.words]
        return [word.message for _, word in said if word.key == "done" and "were left" in word.message]

    ends = until(done, within_s=TARGET_S, what="one of them has left at its target")
    stops = next(use for use in desk.client.limits() if use.limit == "consecutive_stops")

    assert all(words.endswith("(target)") for words in ends)
    assert stops.used == 0
    for kind in (Kind.CALL, Kind.PUT):
        desk.end_plan(f"B{kind.name}", "the test is over")
    emptied(desk)
