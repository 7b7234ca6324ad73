"""The answer of a list of limits to one intent."""

from collections.abc import Iterable

from core.records import Intent, Refusal, Verdict
from core.risk.book import RiskBook, reduces
from core.risk.limits.limit import Limit


def verdict(limits: Iterable[Limit], intent: Intent, book: RiskBook) -> Verdict:
    """Every limit that says no, in the order of `limits`; an exit that truly reduces its position always passes.

    An order called an exit that would open, enlarge or turn a position is held to the limits like an entry.
    """
    if reduces(book, intent):
        return Verdict()
    refusals: list[Refusal] = []
    for limit in limits:
        refusal = limit.check(intent, book)
        if refusal is not None:
            refusals.append(refusal)
    return Verdict(refusals=tuple(refusals))


def in_words(answer: Verdict) -> str:
    """The refusals as one line for an order's message."""
    return "; ".join(f"{r.limit}: {r.why} (asked {r.asked}, allowed {r.allowed})" for r in answer.refusals)
