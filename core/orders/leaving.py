"""Which longs must stay for now when positions leave, so that no short of any book is left without its cover."""

from collections import Counter
from collections.abc import Iterable, Mapping

from core.market import parse_symbol
from core.records import Intent, Order
from core.risk.plain_exit import plain_exit

Closing = Iterable[tuple[str, int]]  # contract, signed units as they are held


def uncovered(held: Mapping[str, int], closing: Closing, going: Closing, working: Iterable[Order]) -> frozenset[str]:
    """Of the longs among `closing`, which leave at one time, the contracts whose sale has to wait.

    `held` are the account's signed units by contract, `going` longs that others sell already, `working` further live
    orders. Shorts among `closing` count as bought back: who closes these sells longs after them. A short counts against
    a long only if it ends no later: what expires sooner covers it for some hours at most, and risk judges that sale by
    what it does to the stress loss. Raises UnknownName for no contract.
    """
    left, closing = Counter(held), tuple(closing)
    for symbol, units in going:
        left[symbol] -= min(units, max(0, left[symbol]))
    for symbol, units in closing:
        left[symbol] -= min(units, 0)
    moving = [(one.intent.symbol, _left(one)) for one in working if one.intent.side == "SELL"]
    waits = set[str]()
    for symbol, units in closing:
        if units <= 0:
            continue
        if plain_exit(_against(left, symbol), _sale(symbol, units), moving):
            left[symbol] -= units
        else:
            waits.add(symbol)
    return frozenset(waits)


def _against(left: Mapping[str, int], symbol: str) -> dict[str, int]:
    """What is left without the shorts that live longer than `symbol`."""
    ends = parse_symbol(symbol).expiry
    return {one: units for one, units in left.items() if units >= 0 or not _later(parse_symbol(one).expiry, ends)}


def _later(one: object, other: object) -> bool:
    return one is not None and other is not None and one > other  # type: ignore[operator]


def _left(order: Order) -> int:
    return order.filled_quantity - order.intent.quantity


def _sale(symbol: str, units: int) -> Intent:
    index = parse_symbol(symbol).index
    return Intent(
        tag="CHECK", strategy="", index=index, symbol=symbol, side="SELL", quantity=units, order_type="MARKET",
        purpose="exit",
    )  # fmt: skip
