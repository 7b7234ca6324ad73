"""The desk's answer to one intent: its limits, each strategy's own settings of them, and each strategy's own book."""

from core.records import Intent, Refusal, Verdict
from core.risk.book import RiskBook
from core.risk.limits.expiry_day import expires_today
from core.risk.limits.limit import Limit
from core.risk.limits.limits import LimitsConfig
from core.risk.parts import of_index, own
from core.risk.verdict import verdict


def desk_verdict(config: LimitsConfig, intent: Intent, book: RiskBook) -> Verdict:
    """The desk's answer: its limits with the strategy's own settings, and the strategy's own book beside the desk's.

    A limit of the portfolio that both books are over is named once, for the desk. For an index that has an expiry
    today some limits are held against its own part of the book too, at a share (core/risk/limits/expiry_day.py).
    """
    if intent.purpose == "exit":
        return verdict((), intent, book)
    of_desk, of_strategy = {one.name for one in config.portfolio()}, config.of(intent.strategy)
    alone = None if of_strategy is config and _alone(intent.strategy, book) else own(book, intent.strategy)
    near = of_index(book, intent.index) if expires_today(book, intent.index) else None
    refusals: list[Refusal] = []
    for limit in of_strategy.all():
        desks: Limit = getattr(config, limit.name) if limit.name in of_desk else limit
        refusal = desks.check(intent, book)
        if refusal is None and alone is not None and limit.name in of_desk:
            refusal = limit.check(intent, alone)
        if refusal is None and near is not None:
            refusal = config.expiry_day.refusal(desks, intent, near)
        if refusal is not None:
            refusals.append(refusal)
    return Verdict(refusals=tuple(refusals))


def _alone(strategy: str, book: RiskBook) -> bool:
    """Whether nobody else has traded or ordered anything: the strategy's book is the desk's."""
    others = (order.intent.strategy for order in book.placed.values())
    return book.parts.keys() <= {strategy} and all(name == strategy for name in others)
