"""The answer of a list of limits to one intent."""

from collections.abc import Iterable

from core.records import Intent, Verdict
from core.risk.book import RiskBook
from core.risk.exit import exit_refusal
from core.risk.limits.limit import Limit


def verdict(limits: Iterable[Limit], intent: Intent, book: RiskBook) -> Verdict:
    """Every limit that says no, in the order of `limits`.

    An order that says it is an exit meets no limit: it passes if it is one (core/risk/exit.py) and is refused under
    the name `exit` if not.
    """
    if intent.purpose == "exit":
        false = exit_refusal(intent, book)
        return Verdict(refusals=(false,) if false else ())
    refusals = (limit.check(intent, book) for limit in limits)
    return Verdict(refusals=tuple(refusal for refusal in refusals if refusal is not None))


def in_words(answer: Verdict) -> str:
    """The refusals as one line for an order's message."""
    return "; ".join(f"{r.limit}: {r.why} (asked {r.asked}, allowed {r.allowed})" for r in answer.refusals)
