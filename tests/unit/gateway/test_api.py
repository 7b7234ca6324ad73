"""The REST API without a server: what it answers, and to whom."""

import re
from pathlib import Path

import pytest

from core.schemas import CONTRACTS, EXPIRIES
from tests.e2e import synthetic
from tests.e2e.fake_desk import NAMES
from tests.unit.gateway.world import BEARER, World


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_health_gives_every_reason_until_there_is_data(world: World) -> None:
    empty = world.client.get("/health")
    world.fill()
    full = world.client.get("/health")

    assert empty.status_code == 503
    assert "NIFTY: no chain yet" in empty.json()["reasons"]
    assert (full.status_code, full.json()) == (200, {"ok": True, "reasons": []})


def test_health_names_the_actor_that_is_not_ready(world: World) -> None:
    world.desk.crashed = True
    world.fill()

    answer = world.client.get("/health")

    assert answer.status_code == 503
    assert any("shard.NIFTY is RESTARTING" in reason for reason in answer.json()["reasons"])


def test_a_chain_is_the_batch_with_nan_as_null(world: World) -> None:
    world.fill()
    answer = world.client.get("/api/chain/SENSEX", params={"expiry": "2026-12-01"}).json()

    assert answer["sequence"] == 1
    assert [row["expiry"] for row in answer["expiries"]] == ["2026-12-01"]
    assert set(answer["contracts"][0]) == set(CONTRACTS.names)
    assert set(answer["expiries"][0]) == set(EXPIRIES.names)
    assert answer["expiries"][0]["vix"] is None
    assert len(answer["contracts"]) == 2 * (2 * synthetic.WIDTH + 1 + len(synthetic.FAR["SENSEX"]))


def test_the_last_chains_can_be_asked_for_by_sequence(world: World) -> None:
    world.fill(sequences=5)

    kept = world.client.get("/api/chain/NIFTY", params={"sequence": 3})
    gone = world.client.get("/api/chain/NIFTY", params={"sequence": 2})

    assert kept.json()["sequence"] == 3
    assert gone.status_code == 404
    assert "kept: 3 to 5" in gone.json()["detail"]


@pytest.mark.parametrize(
    ("path", "known"), [("/api/chain/DAX", "NIFTY, SENSEX"), ("/api/chain/NIFTY?expiry=2026-11-25", "2026-11-24")]
)
def test_an_unknown_name_is_404_with_what_is_known(world: World, path: str, known: str) -> None:
    world.fill()
    answer = world.client.get(path)

    assert answer.status_code == 404
    assert known in answer.json()["detail"]


def test_an_order_is_in_lots_and_needs_the_token(world: World) -> None:
    world.fill()
    symbol = synthetic.symbol("NIFTY", synthetic.EXPIRY_DAYS[0], 25900, kind=2)
    order = {"symbol": symbol, "side": "BUY", "lots": 2, "limit_paise": 12_405}

    assert world.client.post("/api/orders", json=order).status_code == 401
    assert world.client.post("/api/orders", json=order, headers={"Authorization": "Bearer no"}).status_code == 401
    assert not world.desk.book
    placed = world.client.post("/api/orders", json=order, headers=BEARER).json()

    assert (placed["intent"]["quantity"], placed["intent"]["strategy"]) == (150, "manual")
    assert list(world.desk.book) == [placed["intent"]["tag"]]


def test_an_order_without_an_answer_gives_its_tag_and_asked_again_with_it_is_one_order(world: World) -> None:
    world.fill()
    symbol = synthetic.symbol("NIFTY", synthetic.EXPIRY_DAYS[0], 25900, kind=2)
    order = {"symbol": symbol, "side": "BUY", "lots": 1, "limit_paise": 12_405}
    world.desk.mute = True

    lost = world.client.post("/api/orders", json=order, headers=BEARER)
    tag = lost.json()["tag"]
    again = world.client.post("/api/orders", json=order | {"tag": tag}, headers=BEARER)

    assert (lost.status_code, lost.json()["state"]) == (503, "UNKNOWN")
    assert f"with the tag {tag}" in lost.json()["detail"]
    assert (again.status_code, again.json()["intent"]["tag"], again.json()["state"]) == (200, tag, "COMPLETE")
    assert list(world.desk.book) == [tag]


def test_margin_cancel_and_exit_all_reach_the_desk(world: World) -> None:
    world.fill()
    symbol = synthetic.symbol("NIFTY", synthetic.EXPIRY_DAYS[0], 25900, kind=2)
    order = {"symbol": symbol, "side": "BUY", "lots": 1, "limit_paise": 50}

    margin = world.client.post("/api/margin", json=order, headers=BEARER).json()
    tag = world.client.post("/api/orders", json=order, headers=BEARER).json()["intent"]["tag"]
    cancelled = world.client.delete(f"/api/orders/{tag}", headers=BEARER).json()
    unknown = world.client.delete("/api/orders/NOSUCH", headers=BEARER)

    assert (margin["premium_paise"], margin["estimate"]) == (75 * 50, True)
    assert cancelled["state"] == "CANCELLED"
    assert unknown.status_code == 404
    assert world.client.post("/api/exit-all", headers=BEARER).status_code == 200


@pytest.mark.parametrize(
    ("change", "code", "word"),
    [
        ({"symbol": "NIFTY26B2499999CE"}, 404, "such as NIFTY26B24"),
        ({"lots": 0}, 422, "greater than 0"),
        ({"limit_paise": 0}, 422, "above 0"),
        ({"pirce": 1}, 422, "pirce"),
        ({"tag": "lower"}, 422, "tag"),
    ],
)
def test_an_order_that_is_none_says_why(world: World, change: dict[str, object], code: int, word: str) -> None:
    world.fill()
    symbol = synthetic.symbol("NIFTY", synthetic.EXPIRY_DAYS[0], 25900, kind=2)
    order = {"symbol": symbol, "side": "BUY", "lots": 1, "limit_paise": 5_000} | change

    answer = world.client.post("/api/orders", json=order, headers=BEARER)

    assert answer.status_code == code
    assert word in answer.text


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example:8000", "", "10.0.0.1"])
def test_a_host_that_is_not_this_machine_is_refused(world: World, host: str) -> None:
    assert world.client.get("/health", headers={"Host": host}).status_code == 421


@pytest.mark.parametrize(
    ("origin", "code"), [("http://127.0.0.1:8000", 200), ("https://evil.example", 403), ("http://127.0.0.1:9", 403)]
)
def test_an_origin_must_be_this_page(world: World, origin: str, code: int) -> None:
    world.fill()
    assert world.client.get("/health", headers={"Origin": origin}).status_code == code


def test_metrics_count_chains_actors_and_money(world: World) -> None:
    world.fill(sequences=2)
    text = world.client.get("/metrics").text

    assert 'vikalp_chain_sequence{index="NIFTY"} 2.0' in text
    assert f'vikalp_actors{{state="READY"}} {len(NAMES)}.0' in text
    assert "vikalp_pnl_net_paise 0.0" in text
    assert 'vikalp_actor_count{actor="feed.NIFTY",what="refused_crossed"} 2.0' in text


def test_docs_carry_the_units_of_the_schema(world: World) -> None:
    schemas = world.client.get("/openapi.json").json()["components"]["schemas"]

    assert schemas["Contract"]["properties"]["theta"]["description"].startswith("rupees/day")
    assert schemas["Order"]["properties"]["filled_quantity"]["description"] == "units, not lots"


def test_the_viewer_of_the_docs_and_all_it_loads_come_from_this_machine(world: World) -> None:
    viewer = world.client.get("/docs").text
    loaded = re.findall(r'(?:src|href)="([^"]*)"', viewer)

    assert len(loaded) >= 2
    assert re.findall(r"//[\w.-]+", viewer) == []
    assert {path: world.client.get(path).status_code for path in loaded} == dict.fromkeys(loaded, 200)
