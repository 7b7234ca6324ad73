"""Orders sent to a running desk until one is answered as it should be, and limits that are others meanwhile."""

import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import reduce
from typing import Any

from cluster.attach import Desk
from cluster.settings import load
from core.records import Intent, Order
from tests.cluster.conftest import until
from tests.cluster.whole_desk import near_the_money

PATIENCE_S = 30.0


@contextmanager
def limits_meanwhile(desk: Desk, settings: Mapping[str, Any], changes: dict[str, Any]) -> Iterator[None]:
    """These limits meanwhile, and those of the desk's settings afterwards."""
    limits = load(overrides=settings).risk.limits
    before = {
        path: None if path.startswith("strategies.") else reduce(getattr, path.split("."), limits) for path in changes
    }
    desk.client.set_limits(changes, "a test", "to meet it")
    try:
        yield
    finally:
        desk.client.set_limits(before, "a test", "met")


def lot_of(desk: Desk) -> int:
    return int(desk.expiries("NIFTY").to_pylist()[0]["lot"])


def order(desk: Desk, **how: Any) -> Order:
    """One lot near the money, bought at market, or as `how` says."""
    made = {"symbol": near_the_money(desk)["symbol"], "side": "BUY", "quantity": lot_of(desk)} | how
    symbol, side, quantity = made.pop("symbol"), made.pop("side"), made.pop("quantity")
    return desk.place(symbol, side, quantity, **made)


def names(answer: Order) -> set[str]:
    """The limits that an order's message names."""
    return {part.split(":")[0].strip() for part in answer.message.split(";")}


def refused_by(desk: Desk, limit: str, **how: Any) -> Order:
    """An order like it is refused and the limit named; asked again while the market has not moved enough."""
    answer = asked_until(desk, lambda found: found.state == "REFUSED" and limit in names(found), how)
    assert answer.state == "REFUSED", f"{limit} did not refuse: {answer.state} {answer.message}"
    assert limit in names(answer), f"{limit} is not named: {answer.message}"
    assert "allowed" in answer.message
    assert "asked" in answer.message
    return answer


def taken(desk: Desk, **how: Any) -> Order:
    answer = asked_until(desk, lambda found: found.state in {"OPEN", "COMPLETE"}, how)
    assert answer.state in {"OPEN", "COMPLETE"}, answer.message
    return answer


def asked_until(desk: Desk, done: Callable[[Order], bool], how: dict[str, Any]) -> Order:
    """The first answer that is as it should be, else the last within PATIENCE_S."""
    deadline = time.monotonic() + PATIENCE_S
    while not done(answer := order(desk, **how)) and time.monotonic() < deadline:
        time.sleep(0.5)
    return answer


def filled(desk: Desk, tag: str) -> None:
    until(
        lambda: any(one.intent.tag == tag and one.state == "COMPLETE" for one in desk.orders()), within_s=PATIENCE_S,
        what=f"{tag} is filled",
    )  # fmt: skip


def emptied(desk: Desk) -> None:
    """Nothing is held: what a limit has not closed is asked for again, as the book shows so much and no more."""

    def empty() -> bool:
        desk.client.exit_all("to be flat")
        return all(one.quantity == 0 for one in desk.positions())

    until(empty, within_s=PATIENCE_S, what="nothing is held", every_s=1.0)


def call_spread(desk: Desk, strategy: str) -> tuple[str, str]:
    """A call above the money, sold, and the last one of its expiry, bought before it: their symbols."""
    near = near_the_money(desk)
    calls = [row for row in desk.chain("NIFTY").to_pylist() if row["kind"] == 2 and row["bid_paise"] > 0]
    same = sorted((one for one in calls if one["expiry"] == near["expiry"]), key=lambda one: one["strike_paise"])
    short = next(one["symbol"] for one in same if one["strike_paise"] > near["strike_paise"])
    wing = same[-1]["symbol"]
    filled(desk, taken(desk, symbol=wing, strategy=strategy, purpose="hedge").intent.tag)
    filled(desk, taken(desk, symbol=short, side="SELL", strategy=strategy).intent.tag)
    return short, wing


def told(desk: Desk, *words: str) -> None:
    """An alert of the desk's says all of it."""
    until(
        lambda: any(all(word in one.message for word in words) for one in desk.status().alerts), within_s=PATIENCE_S,
        what=f"an alert with {words}",
    )  # fmt: skip


def left(desk: Desk, bought: Order, reason: str = "") -> None:
    """The exit of it, filled."""
    intent = bought.intent
    out = desk.client.submit(
        Intent(
            tag=f"OUT{uuid.uuid4().hex[:12].upper()}", strategy=intent.strategy, index="NIFTY", purpose="exit",
            reason=reason, symbol=intent.symbol, side="SELL", quantity=intent.quantity, order_type="MARKET",
        )
    )  # fmt: skip
    filled(desk, out.intent.tag)


def breaker_closes(desk: Desk) -> None:
    """An order is let through after a while, and is answered."""
    probe = taken(desk)
    told(desk, f"the circuit breaker is CLOSED after HALF_OPEN, with order {probe.intent.tag}")
