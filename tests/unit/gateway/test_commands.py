"""The routes that steer: the kill switch, plans, limits, other prices for an order; to whom and in which words."""

import json
from pathlib import Path
from typing import Any

import pytest

from core.errors import DeskError
from core.records import Chain, Kill, PlanStatus, Position
from core.schemas import CONTRACTS
from gateway.plans import schema
from tests.e2e import synthetic
from tests.unit.cli.fake_world import rows_of
from tests.unit.gateway.world import BEARER, World

SYMBOL = synthetic.symbol("NIFTY", synthetic.EXPIRY_DAYS[0], 25_900, synthetic.Kind.CALL)
STOP = {"symbol": SYMBOL, "side": "SELL", "lots": 1, "order_type": "SL", "limit_paise": 9_500, "trigger_paise": 10_000,
        "purpose": "exit", "strategy": "ema_channel", "product": "MIS"}  # fmt: skip
CONVERT = {"symbol": SYMBOL, "product_from": "MIS", "product_to": "NRML", "quantity": 65, "id": "M1"}
HELD = Position(
    symbol="NIFTY26D0125900CE", index="NIFTY", quantity=65, average_paise=100.0, last_paise=100, realised_paise=0,
    unrealised_paise=0, charges_paise=0, strategy="ema",
)  # fmt: skip
BRACKET = {"type": "bracket", "symbol": "NIFTY26D0125900CE", "side": "BUY", "quantity": 130, "limit_paise": 12_000,
           "exit": {"stop_paise": 10_000, "target_paise": 15_000}}  # fmt: skip


def quoted(index: str) -> Chain:
    """The held contract and its next one, bid and asked."""
    rows = [
        {"index": index, "symbol": symbol, "bid_paise": 100, "ask_paise": 110, "bid_qty": 65, "ask_qty": 65}
        for symbol in (HELD.symbol, "NIFTY26D0825900CE")
    ]
    return Chain(contracts=rows_of(CONTRACTS, rows), expiries=synthetic.chain(index, 1).expiries)


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = World(tmp_path)
    made.fill()
    return made


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("post", "/api/kill", {"why": "x"}),
        ("post", "/api/release", {"why": "x"}),
        ("patch", "/api/orders/T", {"limit_paise": 5}),
        ("post", "/api/plans", BRACKET),
        ("delete", "/api/plans/P", None),
        ("post", "/api/convert", CONVERT),
        ("post", "/api/adopt", {"symbol": SYMBOL}),
        ("post", "/api/limits", {"changes": {"order_size.max_lots": 1}, "why": "x"}),
    ],
)
def test_whoever_has_no_token_steers_nothing(world: World, method: str, path: str, body: Any) -> None:
    more = {"json": body} if body else {}
    for headers in ({}, {"Authorization": "Bearer no"}):
        assert getattr(world.client, method)(path, headers=headers, **more).status_code == 401
    assert (world.desk.switch, world.desk.begun, world.desk.lots, world.desk.moved) == (None, {}, 20, {})


def test_the_kill_switch_is_pulled_and_released_with_who_and_why(world: World) -> None:
    pulled = world.client.post("/api/kill", json={"why": "all is red", "square_off": True}, headers=BEARER)
    world.poll.once()
    seen = world.client.get("/api/kill").json()["kill"]
    health = world.client.get("/health")
    metrics = world.client.get("/metrics").text
    released = world.client.post("/api/release", json={"why": "it was a test"}, headers=BEARER)
    world.poll.once()

    assert pulled.json() == seen
    assert (seen["who"], seen["why"], seen["square_off"]) == ("API from 127.0.0.1", "all is red", True)
    assert "the kill switch is pulled by API from 127.0.0.1: all is red" in health.json()["reasons"]
    assert "vikalp_killed 1.0" in metrics
    assert released.json() == {"oms_state": "HALTED"}
    assert world.client.get("/api/kill").json() == {"kill": None}


@pytest.mark.parametrize("path", ["/api/kill", "/api/release"])
def test_the_kill_switch_wants_a_reason(world: World, path: str) -> None:
    for body in ({}, {"why": ""}, {"why": "  "}):
        assert world.client.post(path, json=body, headers=BEARER).status_code == 422
    assert world.desk.switch is None


def test_a_kill_without_an_answer_is_503_in_words(world: World) -> None:
    def away(why: str, who: str, square_off: bool) -> Kill:  # noqa: FBT001
        raise DeskError("oms did not answer within 5 s")

    world.desk.kill = away  # type: ignore[method-assign]
    answer = world.client.post("/api/kill", json={"why": "x"}, headers=BEARER)

    assert (answer.status_code, answer.json()["detail"]) == (503, "oms did not answer within 5 s")


def test_a_stop_of_a_strategys_book_is_sent_and_modified(world: World) -> None:
    placed = world.client.post("/api/orders", json=STOP, headers=BEARER).json()
    tag = placed["intent"]["tag"]
    moved = world.client.patch(f"/api/orders/{tag}", json={"trigger_paise": 10_500}, headers=BEARER).json()
    limit = world.client.patch(f"/api/orders/{tag}", json={"order_type": "LIMIT"}, headers=BEARER).json()

    assert (placed["intent"]["strategy"], placed["intent"]["product"], placed["state"]) == (
        "ema_channel",
        "MIS",
        "OPEN",
    )
    assert (moved["resting_type"], moved["resting_limit_paise"], moved["resting_trigger_paise"]) == (
        "SL",
        9_500,
        10_500,
    )
    assert (limit["resting_type"], limit["resting_trigger_paise"]) == ("LIMIT", 0)


def test_what_cannot_be_modified_says_why(world: World) -> None:
    tag = world.client.post("/api/orders", json=STOP, headers=BEARER).json()["intent"]["tag"]

    assert world.client.patch("/api/orders/NOSUCH", json={"limit_paise": 5}, headers=BEARER).status_code == 404
    nothing = world.client.patch(f"/api/orders/{tag}", json={}, headers=BEARER)
    assert (nothing.status_code, "nothing to modify" in nothing.text) == (422, True)
    refused = world.client.patch(f"/api/orders/{tag}", json={"limit_paise": 66_600}, headers=BEARER).json()
    assert (refused["resting_limit_paise"], refused["message"]) == (0, "the broker refused to modify it: too late")


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"trigger_paise": 0}, "trigger_paise: expected above 0 for a SL order"),
        ({"trigger_paise": 10_003}, "trigger_paise: expected a multiple of the tick, 5"),
        ({"limit_paise": 0}, "limit_paise: expected above 0"),
        ({"purpose": "entry"}, "whose position an exit leaves"),
    ],
)
def test_a_stop_that_is_none_is_not_sent(world: World, change: dict[str, Any], word: str) -> None:
    answer = world.client.post("/api/orders", json=STOP | change, headers=BEARER)

    assert answer.status_code == 422
    assert word in answer.text
    assert not world.desk.book


def test_a_plan_is_started_listed_and_ended(world: World) -> None:
    begun = world.client.post("/api/plans", json=BRACKET, headers=BEARER).json()
    again = world.client.post("/api/plans", json=BRACKET | {"plan_id": begun["plan_id"]}, headers=BEARER).json()
    world.poll.once()
    listed = world.client.get("/api/plans").json()
    gone = f"/api/plans/{begun['plan_id']}"
    ended = world.client.delete(gone, params={"why": "enough"}, headers=BEARER).json()

    assert (begun["kind"], begun["index"], begun["strategy"], begun["running"]) == ("bracket", "NIFTY", "manual", True)
    assert begun["created_ns"] == world.clock.now_ns()
    assert again == begun
    assert [plan["plan_id"] for plan in listed] == [begun["plan_id"]]
    assert (ended["running"], ended["words"][-1]["message"]) == (False, "nothing was entered: enough")
    assert world.client.delete("/api/plans/NOSUCH", headers=BEARER).status_code == 404


@pytest.mark.parametrize(
    ("change", "word"),
    [({"type": "moon"}, "this is no plan"), ({"exit": {}}, "stop_paise"), ({"quantity": 75}, "whole lots of 65")],
)
def test_what_is_no_plan_is_refused_in_words(world: World, change: dict[str, Any], word: str) -> None:
    answer = world.client.post("/api/plans", json=BRACKET | change, headers=BEARER)

    assert answer.status_code == 422
    assert word in answer.json()["detail"]
    assert not world.desk.begun


def test_limits_are_changed_all_or_none(world: World) -> None:
    asked = {"changes": {"order_size.max_lots": 7}, "why": "a quiet day"}
    uses = world.client.post("/api/limits", json=asked, headers=BEARER).json()
    wrong = world.client.post("/api/limits", json=asked | {"changes": {"moon.lots": 1}}, headers=BEARER)

    assert {use["limit"]: use["allowed"] for use in uses}["order_size"] == 7
    assert (wrong.status_code, "no limit has that field" in wrong.text) == (422, True)
    assert world.client.post("/api/limits", json={"changes": {}, "why": "x"}, headers=BEARER).status_code == 422


def test_docs_have_every_kind_of_plan_with_its_fields_and_the_records_units(world: World) -> None:
    docs = world.client.get("/openapi.json").json()
    body = docs["paths"]["/api/plans"]["post"]["requestBody"]["content"]["application/json"]["schema"]

    kinds = {each["title"] for each in body["anyOf"]}
    assert {"Bracket", "Sliced", "SquareOff"} <= kinds
    assert "$ref" not in json.dumps(schema())
    assert docs["components"]["schemas"]["Kill"]["properties"]["at_ns"]["description"] == "ns, market clock, UTC"
    assert set(docs["components"]["schemas"]["PlanStatus"]["properties"]) == set(PlanStatus.__struct_fields__)


def test_a_position_is_converted_once_and_an_external_one_taken_over(world: World) -> None:
    first, again = (world.client.post("/api/convert", json=CONVERT, headers=BEARER).json() for _ in range(2))
    taken = world.client.post("/api/adopt", json={"symbol": SYMBOL, "strategy": "ema"}, headers=BEARER).json()

    assert first == again
    assert (first["phase"], first["who"], first["strategy"]) == ("done", "API from 127.0.0.1", "manual")
    assert (taken["kind"], taken["strategy"], len(taken["move_id"])) == ("adopt", "ema", 20)
    assert [move["kind"] for move in world.client.get("/api/moves").json()] == ["convert", "adopt"]


@pytest.mark.parametrize("change", [{"quantity": 0}, {"quantity": -65}, {"product_to": "CNC"}, {"product_to": "MIS"}])
def test_a_conversion_of_nothing_is_no_conversion(world: World, change: dict[str, Any]) -> None:
    assert world.client.post("/api/convert", json=CONVERT | change, headers=BEARER).status_code == 422
    assert world.desk.moved == {}


def test_what_expires_is_told_and_rolled_by_a_plan(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(world.desk, "positions", lambda: [HELD])
    monkeypatch.setattr(world.desk, "chain", quoted)
    answer = world.client.get("/api/roll", params={"days": 30})
    (row,) = answer.json()
    assert (row["symbol"], row["quantity"], row["into"], row["why"]) == (HELD.symbol, 65, "NIFTY26D0825900CE", "")
    assert world.client.post("/api/roll", params={"days": 30}).status_code == 401
    (plan,) = world.client.post("/api/roll", params={"days": 30}, headers=BEARER).json()
    assert (plan["kind"], json.loads(plan["body"])["legs"][0]["into"]) == ("rollover", row["into"])
    assert world.client.post("/api/roll", params={"index": "SENSEX"}, headers=BEARER).status_code == 422
