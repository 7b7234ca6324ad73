"""Limits are data: what a change makes of them, as a whole or not at all."""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any

from pydantic import BaseModel, ValidationError

from core.errors import InputError
from core.risk.limits.limits import LimitBlocks, LimitsConfig
from core.risk.limits.paths import Change, differing, flat


def changed(config: LimitsConfig, changes: Mapping[str, Any]) -> LimitsConfig:
    """`config` with `changes`, by dotted path (`order_size.max_lots`) or nested alike; all of them or none.

    A strategy's own setting is `strategies.NAME.LIMIT.SETTING`; None takes it back. InputError, which says what was
    expected, for no change at all, a setting that is none and a value it cannot have.
    """
    if not changes:
        raise InputError("expected limits to change, such as order_size.max_lots=10; there was none")
    body = config.model_dump(mode="json")
    for path, value in flat(changes):
        names = path.split(".")
        _check_names(names, takes_back=value is None)
        _put(body, names, value)
    return parsed(body)


def parsed(body: object) -> LimitsConfig:
    """The limits that a version's body says; InputError naming the first setting that is wrong."""
    try:
        return LimitsConfig.model_validate(body)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        expected = first["msg"].replace("Input should be", "expected").replace("unable to", "cannot")
        raise InputError(f"limits: {where or 'strategies'}: {expected}, found {first['input']!r}") from error


def differences(old: LimitsConfig, new: LimitsConfig) -> tuple[Change, ...]:
    """Every setting that is not the same, in the order of the newer."""
    return differing(old.model_dump(mode="json"), new.model_dump(mode="json"))


def _check_names(path: list[str], *, takes_back: bool) -> None:
    """InputError for the first name of `path` that is none, with the nearest there is."""
    stem, names = "", path
    limits = {name: field for name, field in LimitsConfig.model_fields.items() if name != "strategies"}
    if path[0] == "strategies":
        if takes_back and len(path) <= 3:
            return  # what a strategy has of its own, whatever it is
        if len(path) < 4:
            raise InputError(f"limits: expected strategies.NAME.LIMIT.SETTING, found {'.'.join(path)!r}")
        stem, names, limits = f"{'.'.join(path[:2])}: ", path[2:], LimitBlocks.model_fields
    if names[0] not in limits:
        there = f"there are {', '.join(limits)}, and strategies.NAME for a strategy's own"
        raise InputError(f"limits: {stem}expected a limit, found {names[0]!r}; {_nearest(names[0], limits) or there}")
    if len(names) < 2 and takes_back:
        return
    kind = limits[names[0]].annotation
    settings = kind.model_fields if isinstance(kind, type) and issubclass(kind, BaseModel) else {}
    there = f"there {'is' if len(settings) == 1 else 'are'} {', '.join(settings)}" if settings else "it has none"
    if len(names) < 2:
        raise InputError(f"limits: {stem}expected a setting of {names[0]}, found {names[0]!r} itself; {there}")
    if names[1] not in settings:
        said = _nearest(names[1], settings) or there
        raise InputError(f"limits: {stem}expected a setting of {names[0]}, found {names[1]!r}; {said}")


def _nearest(name: str, there: Iterable[str]) -> str:
    found = get_close_matches(name, list(there), n=1)
    return f"did you mean {found[0]}?" if found else ""


def _put(body: dict[str, Any], path: list[str], value: object) -> None:
    for name in path[:-1]:
        inner = body.setdefault(name, {})
        if not isinstance(inner, dict):
            raise InputError(f"limits: {'.'.join(path)} is no setting: {name} has none of its own")
        body = inner
    if value is None:
        body.pop(path[-1], None)
    else:
        body[path[-1]] = value
