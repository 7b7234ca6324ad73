"""Rupees and other figures in words, grouped the Indian way: ₹5,00,000.00. The one place that writes rupees."""

import math
from decimal import ROUND_HALF_EVEN, Decimal


def grouped(whole: int) -> str:
    """`whole` with the last three digits, then pairs: 12345678 → 1,23,45,678."""
    digits = str(abs(whole))
    head, tail = digits[:-3], digits[-3:]
    pairs: list[str] = []
    while head:
        head, pair = head[:-2], head[-2:]
        pairs.insert(0, pair)
    return ("−" if whole < 0 else "") + ",".join([*pairs, tail])


def rupees(paise: float | Decimal, *, least: int = 2, most: int = 2) -> str:
    """₹ with `least` decimals, and up to `most` where they are not 0; what is beyond is rounded half to even."""
    amount = Decimal(str(paise)) / 100 if math.isfinite(paise) else paise
    text = number(amount, least=least, most=most)
    return f"−₹{text[1:]}" if text.startswith("−") else f"₹{text}"


def number(value: float | Decimal, *, least: int = 0, most: int = 4) -> str:
    """A figure of any unit in the same way, never as a power of ten: 12,34,567.5."""
    if not math.isfinite(value):
        return f"{value}"
    exact = Decimal(str(value)).quantize(Decimal(1).scaleb(-most), ROUND_HALF_EVEN)
    whole, _, part = f"{abs(exact):f}".partition(".")
    part = part[:least] + part[least:].rstrip("0")
    return f"{'−' if exact < 0 else ''}{grouped(int(whole))}{'.' if part else ''}{part}"


def whole_rupees(amount: float) -> str:
    """An amount in rupees, without paise: ₹12,34,567."""
    return rupees(100 * amount, least=0, most=0)
