"""What a server says of orders, as ORDER_NEWS can carry it."""

from typing import Any

from core.schemas import ORDER_NEWS


def news(data: Any) -> dict[str, str]:
    """A row of ORDER_NEWS; what is no text is empty, and without an order's id the whole book is to be compared."""
    said = data if isinstance(data, dict) else {}
    return {name: text(said.get(name)) for name in ORDER_NEWS.names}


def text(said: Any) -> str:
    """A text as UTF-8 can carry it: JSON can spell half a character; "" for what is no text."""
    return said.encode(errors="replace").decode() if isinstance(said, str) else ""
