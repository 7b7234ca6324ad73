"""Settings of limits by dotted path, and what differs between two versions of them."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple


class Change(NamedTuple):
    """One setting of two versions; None where a version does not have it."""

    path: str
    old: object
    new: object


def flat(body: Mapping[str, Any], stem: str = "") -> Iterator[tuple[str, Any]]:
    """Every setting of nested blocks by its path.

    >>> list(flat({"position": {"max_lots": 40}}))
    [('position.max_lots', 40)]
    """
    for name, value in body.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{stem}{name}.")
        else:
            yield f"{stem}{name}", value


def differing(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[Change, ...]:
    """Every setting that is not the same in two bodies, in the order of the newer."""
    before, after = dict(flat(old)), dict(flat(new))
    paths = dict.fromkeys((*after, *before))
    return tuple(
        Change(path, before.get(path), after.get(path)) for path in paths if before.get(path) != after.get(path)
    )
