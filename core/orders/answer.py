"""A broker's answer to one request, as a value."""

from typing import Literal

import msgspec


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """ACK with the broker's id, REFUSED with words, or UNKNOWN: the request may or may not have been done."""

    kind: Literal["ACK", "REFUSED", "UNKNOWN"]
    broker_id: str = ""
    message: str = ""
