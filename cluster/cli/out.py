"""What commands print: results on stdout (tables, or JSON with --json), steps and errors on stderr."""

# Imported where used: a command that does not need Ray or Arrow starts at once.
# ruff: noqa: PLC0415

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console

from core.errors import ConfigError, InputError, SchemaError, UnknownDate, UnknownName, VikalpError

USAGE, FAILURE = 2, 1  # exit codes: what was asked cannot be; the desk could not
BAD_INPUT = (ConfigError, UnknownName, UnknownDate, InputError, SchemaError)


def out() -> Console:
    return Console(highlight=False)


def err() -> Console:
    return Console(stderr=True, highlight=False)


def say(text: str) -> None:
    """One line for a person, on stderr, so that stdout holds the result alone."""
    err().print(text, markup=False, soft_wrap=True)


def plain(value: Any) -> Any:
    """Records, dates and numpy numbers as JSON has them; NaN and infinity are null."""
    import msgspec

    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, str | bytes) or value is None:
        return value
    if isinstance(value, Sequence | frozenset | set):
        return [plain(inner) for inner in value]
    made = msgspec.to_builtins(value, enc_hook=str)
    return plain(made) if isinstance(made, dict | list | float) else made


def print_json(value: Any) -> None:
    """One JSON value on stdout, indented."""
    print(json.dumps(plain(value), indent=2, ensure_ascii=False, allow_nan=False))


def exit_code(error: VikalpError) -> int:
    return USAGE if isinstance(error, BAD_INPUT) else FAILURE


def print_error(error: VikalpError, *, as_json: bool) -> None:
    """One clear line on stderr: what was expected, what was found, what to do. The error's own words say that."""
    print_problem(str(error), type(error).__name__, as_json=as_json, limit=getattr(error, "limit", None))


def print_problem(text: str, kind: str, *, as_json: bool, limit: str | None = None) -> None:
    if as_json:
        extra = {"limit": limit} if limit else {}
        print(json.dumps({"error": text, "kind": kind, **extra}, ensure_ascii=False), file=err().file)
        return
    line = " ".join(text.split())
    err().print(f"error: {line}", style="red", markup=False, soft_wrap=True)
