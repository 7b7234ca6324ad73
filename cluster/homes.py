"""Under which name Ray has whoever answers for an actor: its own, or that of the process it shares."""

from collections.abc import Iterable

PAIR = "pair"


def pair_of(name: str) -> str:
    """The process that has both feed.<index> and shard.<index> in the compact layout; "" for any other actor."""
    kind, _, index = name.partition(".")
    return f"{PAIR}.{index}" if index and kind in {"feed", "shard"} else ""


def indices_in(names: Iterable[str]) -> list[str]:
    """The indices that the actors of a desk price, sorted."""
    kinds = [name.partition(".") for name in names]
    return sorted({index for kind, _, index in kinds if kind in {"shard", PAIR}})
