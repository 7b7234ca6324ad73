"""JSON from a client, as flat forms: what is no list of flat objects is refused before anything looks at it."""

import json
from collections.abc import Mapping
from typing import Any

from exchange.refusal import bad_input

MOST_ROWS = 200


def rows(text: bytes | str, name: str) -> list[dict[str, str]]:
    """A JSON list of objects, 1 to MOST_ROWS, each as the form it would be; KiteError 400 naming `name`."""
    value = _json(text, name)
    if not isinstance(value, list) or not 1 <= len(value) <= MOST_ROWS:
        raise bad_input(f"Invalid `{name}`: expected a list of 1 to {MOST_ROWS} objects")
    return [_flat(row, name) for row in value]


def one(text: str, name: str, *, leave: str = "") -> tuple[dict[str, str], list[dict[str, str]]]:
    """A JSON object as a form, and the list of numbers at its key `leave` as a form each."""
    value = _json(text, name)
    if not isinstance(value, dict):
        raise bad_input(f"Invalid `{name}`: expected an object")
    listed = value.pop(leave, [])
    if not isinstance(listed, list) or len(listed) > MOST_ROWS:
        raise bad_input(f"Invalid `{leave}`: expected a list of numbers")
    return _flat(value, name), [_flat({leave: number}, leave) for number in listed]


def _json(text: bytes | str, name: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise bad_input(f"Invalid `{name}`: the body is no JSON.") from None


def _flat(row: object, name: str) -> dict[str, str]:
    if not isinstance(row, Mapping):
        raise bad_input(f"Invalid `{name}`: expected objects")
    return {str(key): _word(value, name) for key, value in row.items() if value is not None}


def _word(value: object, name: str) -> str:
    if isinstance(value, list | dict) or not str(value).isprintable():  # a lone surrogate cannot be said back
        raise bad_input(f"Invalid `{name}`: expected numbers and words")
    return str(value)
