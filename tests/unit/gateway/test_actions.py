"""What the page's socket is told when it asks for what is no order: our words, and nothing reaches the desk."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from core.errors import InputError, UnknownName, VikalpError
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
        (
            {"symbol": "NIFTY26NOVFUT"},
            "NIFTY26NOVFUT is a future: this desk reads its price and trades options alone",
        ),
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


def test_an_exit_all_with_nothing_to_close_says_that_the_orders_are_gone_too(world: World) -> None:
    said: list[dict[str, Any]] = []
    actions = Actions(world.context, lambda about, **words: said.append({"about": about, **words}))
    asyncio.run(actions.take({"do": "exit"}))

    assert (said[-1]["text"], said[-1]["tone"]) == ("exit all: no working order and no open position is left", "good")


def test_an_order_without_an_answer_is_unknown_and_asked_again_with_its_tag_it_is_the_same_order(world: World) -> None:
    world.desk.mute = True
    first = answer(world, tag="PAGE2345")
    again = answer(world, tag="PAGE2345")

    assert first["text"].startswith("UNKNOWN: BUY 75 NIFTY")
    assert "oms did not answer within 5 s" in first["text"]
    assert "Send again" in first["text"]
    assert (first["unanswered"], first["tag"], first["tone"]) == (True, "PAGE2345", "bad")
    assert again["text"].startswith("COMPLETE: BUY 75 NIFTY")
    assert not again["unanswered"]
    assert list(world.desk.book) == ["PAGE2345"]


@pytest.mark.parametrize("error", [InputError("tag T is that of another order"), UnknownName("no contract X")])
def test_what_the_order_manager_says_is_no_order_can_be_mended(world: World, error: VikalpError) -> None:
    def refuse(intent: Intent) -> Order:
        raise error

    world.desk.submit = refuse  # type: ignore[method-assign]
    said = answer(world, tag="PAGE2345")

    assert (said["failed"], said["text"], said["tag"]) == (True, str(error), "PAGE2345")


def test_a_tag_that_is_none_is_refused(world: World) -> None:
    said = answer(world, tag="no tag")

    assert said["failed"]
    assert "tag: not 'no tag'" in said["text"]
    assert not world.desk.book
