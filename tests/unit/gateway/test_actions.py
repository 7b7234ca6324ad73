"""What the page's socket is told when it asks for what is no order: our words, and nothing reaches the desk."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from core.records import Intent, Order
from gateway.actions import Actions
from tests.e2e import synthetic
from tests.unit.gateway.world import World

ASKED = {"do": "order", "symbol": "", "side": "BUY", "lots": "1", "type": "LIMIT", "limit": "50.05", "purpose": "entry"}


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = World(tmp_path)
    made.fill()
    return made


def answer(world: World, **change: Any) -> dict[str, Any]:
    said: list[dict[str, Any]] = []
    symbol = synthetic.symbol("NIFTY", synthetic.EXPIRY_DAYS[0], 25_900, synthetic.Kind.CALL)
    actions = Actions(world.context, lambda about, **words: said.append({"about": about, **words}))
    asyncio.run(actions.take(ASKED | {"symbol": symbol} | change))
    return said[-1]


def test_a_whole_order_is_sent(world: World) -> None:
    assert answer(world)["text"].startswith("COMPLETE: BUY 75 NIFTY")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"lots": ""}, "lots: a whole number of 1 or more, at most 10000, was ''"),
        ({"lots": "0"}, "lots: a whole number of 1 or more"),
        ({"lots": "1.5"}, "lots: a whole number of 1 or more"),
        ({"lots": "10001"}, "at most 10000"),
        ({"limit": "0"}, "limit: expected rupees above 0"),
        ({"limit": "50.03"}, "expected a multiple of the tick, 5, was 5003"),
        ({"side": ""}, "side: not ''"),
        ({"symbol": "NIFTY"}, "in no chain of this desk"),
    ],
)
def test_what_is_no_order_is_refused_in_our_words(world: World, change: dict[str, Any], words: str) -> None:
    said = answer(world, **change)

    assert words in said["text"]
    assert said["failed"]
    assert not world.desk.book


def test_an_exit_all_that_was_refused_is_no_good_news(world: World) -> None:
    said: list[dict[str, Any]] = []
    actions = Actions(world.context, lambda about, **words: said.append({"about": about, **words}))
    held = Intent(tag="X1", strategy="manual", index="NIFTY", symbol="NIFTY26D0124500CE", side="SELL", quantity=75,
                  order_type="LIMIT", purpose="exit", reason="")  # fmt: skip
    answers = [
        Order(intent=held, state="OPEN"),
        Order(intent=held, state="REFUSED", message="state: HALTED, the ledger is away; nothing was sent"),
    ]
    world.desk.exit_all = lambda why: answers  # type: ignore[method-assign]
    asyncio.run(actions.take({"do": "exit"}))

    assert said[-1]["tone"] == "bad"
    assert "1 of 2 orders sent" in said[-1]["text"]
    assert "the ledger is away" in said[-1]["text"]
