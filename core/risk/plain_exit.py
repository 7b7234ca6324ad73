"""What is an exit when nobody can value the book: the rule that needs no price.

While the chain is there an exit is an order after which the worst stress loss and the margin are lower
(core/risk/exit.py). Without one, or while risk cannot be reached, this conservative rule holds instead:

- a buy that closes a short of its own strategy, whatever other strategies hold or wait for: it leaves no short less
  covered. That it closes no more than that short is made sure of before (actors/oms/gate.py, core/risk/exit.py);
- a sale is an exit of a long that covers no short. A long covers every short of the same index and right (call or
  put), unit for unit. Of two longs the one at the strike that protects more (the lower call, the higher put) covers
  first, and only one that expires no earlier than the last of those shorts covers for good. So the longs that are
  left at strikes at least as good as the one sold, and that live as long as every short, must be as many units as the
  shorts.

Orders that are still working are counted at their worst: a purchase that may not fill covers no short, a sale counts
as filled. The rule refuses some orders that would lower the risk (the sale of a worthless wing, of
a call that a put spread makes superfluous) and passes none that leaves a short less covered than before: what it
refuses can be sold once the short is bought back.
"""

from collections.abc import Iterable, Mapping

from core.market import Contract, parse_symbol
from core.records import Intent
from core.schemas import Kind

Working = Iterable[tuple[str, int]]  # of each order that may still fill: symbol, signed units (+ bought, − sold)


def plain_exit(holdings: Mapping[str, int], intent: Intent, working: Working = ()) -> bool:
    """Whether `intent` says it is an exit and is one by the rule above, whatever anything is worth.

    It takes off no more than its strategy holds and nothing else is taking off already: who asks has made sure of that.
    `holdings` are signed units by symbol, of the desk's whole book; `working` the orders beside `intent` that may still
    fill. UnknownName for a symbol that is no contract.
    """
    if intent.purpose != "exit" or intent.quantity <= 0:
        return False
    if intent.side == "BUY":
        return True
    have, left = holdings.get(intent.symbol, 0), _after_sales(holdings, working)
    left[intent.symbol] = left.get(intent.symbol, 0) - intent.quantity
    return have > 0 and left[intent.symbol] >= 0 and _covered(left, parse_symbol(intent.symbol))


def _after_sales(holdings: Mapping[str, int], working: Iterable[tuple[str, int]]) -> dict[str, int]:
    left = dict(holdings)
    for symbol, units in working:
        if units < 0:
            left[symbol] = left.get(symbol, 0) + units
    return left


def _covered(left: Mapping[str, int], sold: Contract) -> bool:
    """Whether what is `left` covers the shorts of the index and right of `sold` without it."""
    same = [(parse_symbol(symbol), units) for symbol, units in left.items() if units]
    same = [(one, units) for one, units in same if (one.index, one.kind) == (sold.index, sold.kind)]
    shorts = [(one, -units) for one, units in same if units < 0]
    if not shorts:
        return True
    last = max(one.expiry for one, _ in shorts if one.expiry is not None)
    covers = sum(
        units for one, units in same
        if units > 0 and one.expiry is not None and one.expiry >= last and _protects(one, sold)
    )  # fmt: skip
    return covers >= sum(units for _, units in shorts)


def _protects(one: Contract, sold: Contract) -> bool:
    """Whether a long in `one` protects a short at least as well as a long in `sold`."""
    if one.kind == Kind.PUT:
        return one.strike_paise >= sold.strike_paise
    return one.strike_paise <= sold.strike_paise
