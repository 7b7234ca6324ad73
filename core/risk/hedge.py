"""What counts as a hedge: an order after which the book would lose less at worst; anything else is judged as an entry.

A hedge is no trade of its own (`trades_per_day`) and goes before entries in the order budget, so the name alone must
not make one. The measure is the worst stress loss, as for an exit (core/risk/exit.py). Two are hedges unmeasured: the
cover that a multi-leg or a rollover plan buys first and sells only behind, by a reason of its own that no definition of
a plan can give its orders, and the rest of a resting order at other terms, which the order manager names.
"""

import msgspec

from core.errors import StaleDataError, UnknownDate
from core.records import COVER, Intent
from core.risk.book import RiskBook, with_end, with_intent
from core.risk.case import case_of

_PAISA = 0.01  # rupees: rounding of a sum of floats


def as_judged(intent: Intent, book: RiskBook, replaces: str = "") -> Intent:
    """`intent` itself, or as an entry if it only calls itself a hedge; so too while the book cannot be valued.

    `replaces` is the tag of the order whose rest it is at other terms; one that is not that is measured as any other.
    """
    if intent.purpose != "hedge" or _is_cover(intent) or is_rest(intent, book, replaces):
        return intent
    case = case_of(intent, book)
    try:
        if case.stress_after.loss < case.stress_before.loss - _PAISA:
            return intent
    except (StaleDataError, UnknownDate):
        pass
    return msgspec.structs.replace(intent, purpose="entry")


def let_through(book: RiskBook, intent: Intent, judged: Intent, replaces: str = "") -> RiskBook:
    """The book after `intent` was accepted as `judged`: a hedge in name alone counts as a trade of its day.

    Other terms of the order `replaces` were asked for now, for the rate of orders, and are none that works beside it.
    """
    after = with_intent(book, intent)
    if replaces:
        return with_end(after, intent.tag)
    return after if judged is intent else msgspec.structs.replace(after, entries=after.entries | {intent.tag})


def _is_cover(intent: Intent) -> bool:
    return bool(intent.plan) and intent.side == "BUY" and intent.reason == COVER


def is_rest(intent: Intent, book: RiskBook, replaces: str) -> bool:
    """Whether `intent` is the rest of the working order with the tag `replaces`, at whatever terms."""
    one = book.placed.get(replaces)
    if one is None:
        return False
    rest = (one.intent.strategy, one.intent.symbol, one.intent.side, one.left)
    return rest == (intent.strategy, intent.symbol, intent.side, intent.quantity)
