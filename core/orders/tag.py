"""An order's one identity, made before anything is sent.

Kite takes at most 20 characters and promises letters and digits only; base32 (A–Z, 2–7) of 96 bits is exactly 20.
"""

import base64
import hashlib
import re

from core.errors import InputError

TAG = re.compile(r"[A-Z0-9]{1,20}")


def make_tag(seed: str | bytes) -> str:
    """The tag of `seed`: 20 characters of [A-Z2-7], the same for the same seed.

    A person's order seeds it with a fresh UUID; a strategy with what makes its order unique (its name, the bar, the
    leg), so that a strategy that restarts and decides again sends the same tag, and the order manager the first order.
    """
    data = seed.encode() if isinstance(seed, str) else seed
    return base64.b32encode(hashlib.blake2b(data, digest_size=12).digest()).decode().rstrip("=")


def check_tag(tag: str) -> str:
    """`tag` itself, or InputError saying what a tag looks like."""
    if not TAG.fullmatch(tag):
        raise InputError(f"tag {tag!r}: expected 1 to 20 characters of A–Z and 0–9; without one a new tag is made")
    return tag
