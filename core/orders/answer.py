"""A broker's answer to one request, as a value."""

from typing import Literal

import msgspec


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """ACK with the broker's id, REFUSED with words, or UNKNOWN: the request may or may not have been done.

    `again`: REFUSED for the moment, and not for what was asked: a limit on calls, no connection, no time.
    """

    kind: Literal["ACK", "REFUSED", "UNKNOWN"]
    broker_id: str = ""
    message: str = ""
    again: bool = False


def printable(text: str) -> str:
    """Somebody's words as a ledger can hold them: no NUL, nothing that is no text."""
    return text.encode("utf-8", "replace").decode().replace("\0", "?")
