"""What counts as an exit: an order after which nobody can lose more than before.

It takes off what its strategy holds of its contract (what the desk holds, where the strategy holds none: a square-off),
no more of it than working exits leave, and then is one of:

- an exit by the rule that needs no price (core/risk/plain_exit.py): a buy that closes a short, a sale of a long that
  covers no short of the desk's, another strategy's among them. What is left cannot lose more than it is worth, or than
  its other shorts could before: a long call does not protect a short put, nor a long put a short call.
- else an order after which the worst stress loss and the margin are both no higher than before (core/risk/case.py): of
  a wing that has become worthless, say. The sale of a spread's wing is none, the short that it covered stays.

While the book cannot be valued the first rule stands alone. It is asked first, since the worst loss by itself would
hold up honest exits: to sell the put of a straddle lets the call fall alone, and to buy back the short of a debit
spread puts the whole of the long's worth at stake.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from core.errors import StaleDataError, UnknownDate
from core.records import Intent, Refusal
from core.risk.book import RiskBook, alive, held, working
from core.risk.parts import own
from core.risk.plain_exit import plain_exit
from core.rupees import whole_rupees

if TYPE_CHECKING:
    from core.risk.case import Case

_PAISA = 0.01  # rupees: rounding of a sum of floats


def exit_refusal(intent: Intent, book: RiskBook) -> Refusal | None:
    """None if `intent` is an exit; else what it would do instead, with the figures before and after."""
    have, leaving = _position(intent, book)
    towards_flat = have > 0 if intent.side == "SELL" else have < 0
    if intent.quantity <= 0 or not towards_flat or intent.quantity + leaving > abs(have):
        room = max(0, abs(have) - leaving) if towards_flat else 0
        said = f"{intent.symbol}: {have:+d} units are held, {leaving} of them are leaving already"
        return _no(f"{room} units", f"{intent.quantity} units", said)
    if plain_exit(_holdings(book), intent, _working(book)):
        return None
    from core.risk.case import case_of  # noqa: PLC0415 loads the kernels, which who only wants words need not

    try:
        return _by_value(intent, case_of(intent, book))
    except (StaleDataError, UnknownDate) as error:
        return _no("a long that covers no short", "a cover", f"{intent.symbol} may cover a short, and {error}")


def _position(intent: Intent, book: RiskBook) -> tuple[int, int]:
    """Signed units that the order's strategy holds, or where it holds none the desk, and units leaving of them."""
    alone = own(book, intent.strategy)
    whose = alone if held(alone, intent.symbol) else book
    return held(whose, intent.symbol), working(whose, intent.symbol, intent.side)


def _by_value(intent: Intent, case: "Case") -> Refusal | None:
    loss, then = case.stress_before.loss, case.stress_after.loss
    margin, margin_then = case.margin_before.blocked_paise / 100, case.margin_after.blocked_paise / 100
    if then <= loss + _PAISA and margin_then <= margin + _PAISA:
        return None
    return _no(
        f"worst loss {whole_rupees(loss)}, margin {whole_rupees(margin)}",
        f"worst loss {whole_rupees(then)}, margin {whole_rupees(margin_then)}",
        f"without {intent.symbol} the book could lose more: buy back first what it covers",
    )


def _holdings(book: RiskBook) -> dict[str, int]:
    return {symbol: holding.quantity for symbol, holding in alive(book)}


def _working(book: RiskBook) -> Iterator[tuple[str, int]]:
    for order in book.placed.values():
        if order.left:
            yield order.intent.symbol, order.left if order.intent.side == "BUY" else -order.left


def _no(allowed: str, asked: str, why: str) -> Refusal:
    return Refusal(limit="exit", allowed=allowed, asked=asked, why=why)
