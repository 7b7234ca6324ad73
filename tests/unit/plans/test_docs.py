"""docs/plans.md shows every kind of plan as JSON that can be sent as it is, with every field of its own."""

import datetime as dt
import json
import re
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest

from core.market import IST, to_ns
from core.orders.plans import ExitRules, Ladder, Plan, PlanBase, Policy, Trail
from gateway.plans import body_of

PAGE = Path(__file__).parents[3] / "docs/plans.md"
BLOCKS: list[dict[str, Any]] = [
    json.loads(text) for text in re.findall(r"^```json\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
]
KINDS: dict[str, type[PlanBase]] = {kind.__struct_config__.tag: kind for kind in get_args(Plan)}
WRITTEN_NS = to_ns(dt.datetime(2026, 11, 23, 9, 30, tzinfo=IST))  # its contracts are listed then


def fields(of: type[msgspec.Struct]) -> set[str]:
    return {one.name for one in msgspec.structs.fields(of)}


def test_the_page_shows_every_kind_once() -> None:
    assert sorted(block["type"] for block in BLOCKS) == sorted(KINDS)


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block["type"])
def test_an_example_is_a_plan_with_every_field_of_its_kind(block: dict[str, Any]) -> None:
    kind = KINDS[block["type"]]
    plan = msgspec.json.decode(body_of(block, WRITTEN_NS), type=Plan)

    assert type(plan) is kind
    assert fields(kind) - fields(PlanBase) <= set(block)
    assert plan.symbols()


@pytest.mark.parametrize(
    ("name", "kind"), [("exit", ExitRules), ("trail", Trail), ("ladder", Ladder), ("policy", Policy)]
)
def test_what_lies_within_a_plan_is_shown_whole_somewhere(name: str, kind: type[msgspec.Struct]) -> None:
    shown = [part[name] for block in BLOCKS for part in (block, block.get("exit", {})) if part.get(name)]

    assert set().union(*map(set, shown)) == fields(kind)
