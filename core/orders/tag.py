"""An order's one identity, made before anything is sent.

Kite takes at most 20 characters and promises letters and digits only; base32 (A–Z, 2–7) of 96 bits is exactly 20.
"""

import base64
import hashlib
import re

from core.errors import InputError
from core.records import Intent

TAG = re.compile(r"[A-Z0-9]{1,20}")


def make_tag(seed: str | bytes) -> str:
    """The tag of `seed`: 20 characters of [A-Z2-7], the same for the same seed.

    A person's order seeds it with a fresh UUID; a strategy with what makes its order unique (its name, the bar, the
    leg), so that a strategy that restarts and decides again sends the same tag, and the order manager the first order.
    """
    data = seed.encode() if isinstance(seed, str) else seed
    return base64.b32encode(hashlib.blake2b(data, digest_size=12).digest()).decode().rstrip("=")


def check_same(first: Intent, asked: Intent) -> None:
    """InputError if `asked` has the tag of `first` and is another order: a tag names one order for ever."""
    one, other = _words(first), _words(asked)
    if one != other:
        raise InputError(
            f"tag {first.tag} is that of {one}; asked for now was {other}: another order needs another tag"
        )


def _words(intent: Intent) -> str:
    limit = f" at {intent.limit_paise / 100:.2f}" if intent.limit_paise else ""
    trigger = f", trigger {intent.trigger_paise / 100:.2f}" if intent.trigger_paise else ""
    what = f"{intent.side} {intent.quantity} × {intent.symbol} {intent.order_type}{limit}{trigger}"
    kinds = "".join(f", {word}" for word in (intent.validity, intent.variety) if word not in {"DAY", "regular"})
    return f"{what} ({intent.product}, {intent.purpose}{kinds})"


def check_tag(tag: str) -> str:
    """`tag` itself, or InputError saying what a tag looks like."""
    if not TAG.fullmatch(tag):
        raise InputError(f"tag {tag!r}: expected 1 to 20 characters of A–Z and 0–9; without one a new tag is made")
    return tag
