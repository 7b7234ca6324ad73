"""What is free for new orders, and what is blocked, by this desk's own account."""

import msgspec

from core.errors import StaleDataError, UnknownDate
from core.records import Funds
from core.risk.book import RiskBook, cash_paise, day_charges_paise, with_end
from core.risk.case import case_of

SENT_NS = 1_000_000_000  # after it was made an order may still be on its way, and not in what the broker says


def counted(book: RiskBook) -> Funds | None:
    """Cash and collateral less margin and premium of what is working; None while what is held cannot be valued.

    What trades have paid and brought in is in the cash, so `used_paise` is what is blocked and due alone. The day's
    charges are not taken off: a broker takes them with the contract note, at the day's end.
    """
    try:
        margin, due = _taken(book)
    except (StaleDataError, UnknownDate):
        return None
    free = cash_paise(book) + day_charges_paise(book) + book.account.collateral_paise - margin - due
    return Funds(available_paise=free, used_paise=margin + due, margin_paise=margin, at_ns=book.now_ns)


def without(book: RiskBook, tag: str) -> RiskBook:
    """The book as if the working order `tag` were not there: what it takes counts as free at the broker too.

    So what other terms need more must be free, as an order for that much would have to be. It takes what it counts at,
    after a modification without an answer the dearer; while what is held cannot be valued, nothing. Nor does it by a
    figure of the broker's that is from before the order: there it is free already.
    """
    ended, order, broker = with_end(book, tag), book.placed.get(tag), book.account.broker
    if broker is None or order is None or broker.at_ns < order.at_ns + SENT_NS:
        return ended
    try:
        takes = sum(_taken(book)) - sum(_taken(ended))
    except (StaleDataError, UnknownDate):
        return ended
    broker = msgspec.structs.replace(broker, available_paise=broker.available_paise + max(0, takes))
    return msgspec.structs.replace(ended, account=msgspec.structs.replace(book.account, broker=broker))


def _taken(book: RiskBook) -> tuple[int, int]:
    """Margin blocked, and premium of working purchases, paise; StaleDataError, UnknownDate."""
    case = case_of(None, book)
    return case.margin_before.blocked_paise, case.due_paise
