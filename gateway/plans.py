"""From what a person wrote to a plan: the same for the command line, the API and the page."""

import uuid
from collections.abc import Mapping
from typing import Any

import msgspec

from core.errors import InputError
from core.market import parse_symbol
from core.orders.plans import Plan
from core.orders.tag import make_tag


def body_of(asked: Mapping[str, Any], market_ns: int) -> str:
    """The plan as JSON, with an id, a time and the index where they were not given; InputError for what is no plan."""
    made = {"plan_id": make_tag(uuid.uuid4().bytes), "created_ns": market_ns, "strategy": "manual", **asked}
    if "index" not in made and "symbol" in made:
        made["index"] = parse_symbol(str(made["symbol"])).index
    try:
        plan = msgspec.convert(made, Plan)  # type: ignore[call-overload]  # a union of structs
    except msgspec.ValidationError as error:
        raise InputError(f"this is no plan: {error}; the kinds and their fields are in docs/plans.md") from None
    return msgspec.json.encode(plan).decode()


def schema() -> dict[str, Any]:
    """JSON Schema of a plan, made from its structs, nothing in it by reference."""
    (found,), known = msgspec.json.schema_components((Plan,), ref_template="{name}")
    return _whole(found, known)  # type: ignore[no-any-return]


def _whole(part: Any, known: Mapping[str, Any]) -> Any:
    if isinstance(part, dict):
        name = part.get("$ref")
        return _whole(known[name], known) if name else {key: _whole(inner, known) for key, inner in part.items()}
    return [_whole(inner, known) for inner in part] if isinstance(part, list) else part
