"""Figures of an option chain, each a pure function; `analyse` turns a book of quotes into the published chain."""

from core.chain.analyse import analyse
from core.chain.book import Book

__all__ = ["Book", "analyse"]
