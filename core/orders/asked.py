"""What an order says of a modification that was asked for, until the broker's book answers it or the order ends."""

import msgspec

from core.orders.machine import in_words_of
from core.records import LIVE, Order, Terms

_ASKED = "asked to be "


def asked(terms: Terms) -> str:
    """The words of an order that the broker is about to be asked to modify."""
    return f"{_ASKED}{in_words_of(terms)}"


def is_asked(order: Order) -> bool:
    """Whether those are its words still: no book has shown the terms, and nobody has said why not."""
    return order.message.startswith(_ASKED)


def with_asked(before: Order, after: Order) -> Order:
    """`after`, which says so if it is an order's end that came before any book showed the terms it was asked to have.

    Whether it had them nobody knows: the trade that ends it may be in the broker's list before they are in the book.
    """
    ended = before.state in LIVE and after.state not in LIVE
    if not ended or after.message != before.message or not is_asked(after):
        return after
    words = f"{after.message}, and {after.state} before the broker's book showed that"
    return msgspec.structs.replace(after, message=words)
