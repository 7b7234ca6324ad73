"""Positions as people read them: each strategy's own, and under several of one contract and product their sum."""

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from core.records import Position

NET = "net"  # the strategy of a sum, in words


def with_nets(positions: "Iterable[Position]") -> "Sequence[Position]":
    """By contract, product and strategy; where a contract and product is in several books their sum follows.

    A sum has no strategy and no average: what one book is long and another short is at no one price.
    """
    ordered = sorted(positions, key=lambda p: (p.symbol, p.product, p.strategy))
    found: list[Position] = []
    for _, group in groupby(ordered, key=lambda p: (p.symbol, p.product)):
        books = list(group)
        found += books
        if len(books) > 1:
            found.append(_sum(books))
    return found


def _sum(books: "Sequence[Position]") -> "Position":
    return msgspec.structs.replace(
        books[0],
        strategy="",
        quantity=sum(book.quantity for book in books),
        average_paise=0.0,
        realised_paise=sum(book.realised_paise for book in books),
        unrealised_paise=sum(book.unrealised_paise for book in books),
        charges_paise=sum(book.charges_paise for book in books),
    )
