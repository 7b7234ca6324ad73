"""What a trader may do: every kind of order and plan the desk knows. To add one, write it and name it in ACTIONS."""

from collections.abc import Callable

from core.records import Terms
from tests.chaos.prices import Contract
from tests.chaos.traders import Trader, ticks

SECOND = 1_000_000_000


def buy_at_market(trader: Trader) -> None:
    if contract := trader.contract():
        trader.ask(contract, "BUY", trader.rng.choice((1, 1, 2)) * contract.lot, order_type="MARKET")


def buy_across(trader: Trader) -> None:
    if contract := trader.contract():
        lots = trader.rng.choice((1, 1, 2, 4))
        trader.ask(contract, "BUY", lots * contract.lot, limit_paise=ticks(contract.ask_paise * 1.01))


def buy_and_rest(trader: Trader) -> None:
    if contract := trader.contract():
        below = ticks(contract.bid_paise * trader.rng.choice((0.995, 0.98, 0.96)))
        trader.ask(contract, "BUY", trader.rng.choice((1, 2)) * contract.lot, limit_paise=below)


def buy_more_than_is_shown(trader: Trader) -> None:
    """At the touch, so that what the first level does not have is left resting."""
    if contract := trader.contract():
        trader.ask(contract, "BUY", trader.rng.choice((8, 12)) * contract.lot, limit_paise=contract.ask_paise)


def buy_at_once_or_never(trader: Trader) -> None:
    if contract := trader.contract():
        trader.ask(contract, "BUY", 6 * contract.lot, limit_paise=contract.ask_paise, validity="IOC")


def leave(trader: Trader) -> None:
    if held := trader.held():
        contract, quantity = held
        limit = trader.rng.choice((0, ticks(contract.bid_paise * 0.98)))
        trader.ask(
            contract, "SELL", quantity, purpose="exit", limit_paise=limit, order_type="LIMIT" if limit else "MARKET"
        )


def leave_later(trader: Trader) -> None:
    if held := trader.held():
        contract, quantity = held
        limit = ticks(contract.ask_paise * trader.rng.choice((1.005, 1.03)))
        trader.ask(contract, "SELL", quantity, purpose="exit", limit_paise=limit)


def leave_by_a_stop(trader: Trader) -> None:
    if held := trader.held():
        contract, quantity = held
        trigger = ticks(contract.bid_paise * trader.rng.choice((0.998, 0.97)))
        trader.ask(
            contract, "SELL", quantity, purpose="exit", order_type="SL", trigger_paise=trigger,
            limit_paise=ticks(trigger * 0.96),
        )  # fmt: skip


def change(trader: Trader) -> None:
    """Another limit for one of its live orders, nearer to the market or farther."""
    orders = [order for order in trader.live() if order.intent.order_type == "LIMIT"]
    if orders:
        order = trader.rng.choice(orders)
        limit = ticks(order.intent.limit_paise * trader.rng.choice((0.99, 0.995, 1.005, 1.01)))
        trader.hear(trader.call("modify", order.intent.tag, Terms(order_type="LIMIT", limit_paise=limit)))


def cancel(trader: Trader) -> None:
    """One of its live orders, be it that its fate is not known."""
    if orders := trader.live():
        trader.hear(trader.call("cancel", trader.rng.choice(orders).intent.tag))


def start_bracket(trader: Trader) -> None:
    """In at market; a stop rests, the target is watched; some trail."""
    if contract := trader.contract():
        paid, rng = contract.ask_paise, trader.rng
        leave_by = {
            "stop_paise": ticks(paid * rng.choice((0.9, 0.97))), "target_paise": ticks(paid * rng.choice((1.01, 1.1))),
        }  # fmt: skip
        if rng.random() < 0.4:
            leave_by["trail"] = {"distance_share": 0.03}
        body = {"symbol": contract.symbol, "side": "BUY", "quantity": contract.lot * rng.randint(1, 3)}
        trader.plan("bracket", contract, {**body, "exit": leave_by, "rest_ns": 10 * SECOND})


def start_twap(trader: Trader) -> None:
    if contract := trader.contract():
        start = trader.prices.as_of_ns(trader.index_of(contract.symbol))
        body = {"symbol": contract.symbol, "side": "BUY", "quantity": contract.lot * 3, "slices": 3}
        trader.plan("twap", contract, {**body, "start_ns": start, "end_ns": start + 20 * SECOND})


def start_spread(trader: Trader) -> None:
    """A call or put near the money is sold against one farther out."""
    if pair := _pair(trader):
        near, far = pair
        legs = {
            "hedges": [{"symbol": far.symbol, "quantity": far.lot}],
            "shorts": [{"symbol": near.symbol, "quantity": near.lot, "hedge": 0}],
        }
        trader.plan("multi_leg", near, legs)


def end_plan(trader: Trader) -> None:
    if trader.plans:
        trader.call("end_plan", trader.rng.choice(trader.plans), "chaos wants it to end")


def _pair(trader: Trader) -> tuple[Contract, Contract] | None:
    """The nearest of one kind and the next farther out."""
    near = trader.prices.near(trader.rng.choice(trader.config.indices))
    kind = trader.rng.choice(("CE", "PE"))
    same = [one for one in near if one.symbol.endswith(kind)]
    same.sort(key=lambda one: -one.ask_paise)
    return (same[0], same[-1]) if len(same) > 1 else None


ACTIONS: tuple[tuple[Callable[[Trader], None], int], ...] = (
    (buy_at_market, 3),
    (buy_across, 4),
    (buy_and_rest, 4),
    (buy_more_than_is_shown, 1),
    (buy_at_once_or_never, 1),
    (leave, 5),
    (leave_later, 2),
    (leave_by_a_stop, 2),
    (change, 3),
    (cancel, 4),
    (start_bracket, 2),
    (start_twap, 1),
    (start_spread, 1),
    (end_plan, 1),
)


def act(trader: Trader) -> None:
    """One step: what the draw says, or what its orders and lots make necessary."""
    (chosen,) = trader.rng.choices([each for each, _ in ACTIONS], [weight for _, weight in ACTIONS])
    trader.look()
    if trader.is_full:
        chosen = cancel
    elif trader.has_enough:
        chosen = leave
    trader.notes.did[chosen.__name__] += 1
    chosen(trader)
