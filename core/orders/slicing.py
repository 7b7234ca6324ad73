"""An order larger than the exchange takes in one, as several: whole lots, each at or below the freeze quantity."""

from typing import Literal

from core.errors import InputError

# What a slice that is turned away means for the rest: send no more and cancel what rests; send the others all the
# same; or send no more, cancel what rests and get out of what has filled.
OnRefused = Literal["stop", "continue", "unwind"]


def sizes(quantity: int, most: int) -> tuple[int, ...]:
    """The slices of `quantity` units, each of at most `most`: as few as can be, the last one the smallest.

    `most` is the usable freeze quantity (core.market.usable_freeze), a multiple of the lot, so that every slice of a
    quantity in whole lots is one. InputError if `most` allows nothing.

    >>> sizes(4_000, 1_755)
    (1755, 1755, 490)
    """
    if most <= 0:
        raise InputError(f"an order may have at most {most} units, so nothing can be sent")
    whole, rest = divmod(max(0, quantity), most)
    return (most,) * whole + ((rest,) if rest else ())


def spread(quantity: int, parts: int, lot: int) -> tuple[int, ...]:
    """`quantity` in at most `parts` parts of whole lots that differ by one lot at most, the larger ones first.

    Fewer parts where there are fewer lots. InputError for a quantity that is no whole number of lots, or no part.

    >>> spread(650, 4, 65)
    (195, 195, 130, 130)
    """
    if quantity <= 0 or lot <= 0 or quantity % lot or parts <= 0:
        raise InputError(f"expected whole lots of {lot} in 1 part or more, was {quantity} in {parts}")
    each, more = divmod(quantity // lot, parts)
    return tuple(part for place in range(parts) if (part := (each + (place < more)) * lot))
