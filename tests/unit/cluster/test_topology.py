"""What each actor is given, as it arrives in the actor's own process."""

import sys
from typing import Any

import pytest
from ray import cloudpickle

from cluster.desk import Desk, book_id, check, is_rehearsal, make_bus, tape_url
from cluster.settings import load
from cluster.topology import LINKED, specs
from core.errors import ConfigError
from core.market import INDICES
from tests.unit.cluster.listed import listed

REPLAY = {
    "indices": ["NIFTY", "SENSEX"],
    "market.source": "file",
    "market.path": "day.parquet",
    "market.session_date": "2025-08-29",
    "market.speed": 0,
}


def ports(overrides: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Each actor's ports after both journeys: the driver's to the supervisor, the supervisor's to the actor."""
    desk = Desk(
        desk=7, settings=load(overrides=overrides), session_id="s", namespace="vikalp", dsn="", data_dir="",
        anchor_wall_ns=1_763_000_000_000_000_000,
    )  # fmt: skip
    desk = desk if desk.settings.mode == "REPLAY" else listed(desk)
    arrived = cloudpickle.loads(cloudpickle.dumps(specs(desk)))
    return {spec.name: cloudpickle.loads(cloudpickle.dumps(dict(spec.ports))) for spec in arrived}


def test_in_a_replay_the_paper_broker_reads_the_order_managers_own_clock_which_the_data_move() -> None:
    oms = ports(REPLAY)["oms"]
    before = oms["broker"]._clock.now_ns()
    oms["clock"].advance(before + 60_000_000_000)

    assert oms["broker"]._clock is oms["clock"]
    assert oms["broker"]._clock.now_ns() == before + 60_000_000_000


def test_a_desk_that_would_kill_its_order_manager_for_waiting_on_a_ledger_that_hangs_is_not_started() -> None:
    assert ports({"supervision.stuck_s": 7.6})
    with pytest.raises(ConfigError, match=r"supervision.stuck_s is 7.5: expected more than 7.5"):
        ports({"supervision.stuck_s": 7.5})


def test_a_live_desk_has_links_whose_indices_are_all_carried_once_and_feeds_that_hang_on_them() -> None:
    desk = Desk(
        desk=7, settings=load(overrides={"kite.links": 2}), session_id="s", namespace="vikalp", dsn="", data_dir="",
        anchor_wall_ns=1_763_000_000_000_000_000,
    )  # fmt: skip
    made = {spec.name: spec for spec in specs(listed(desk))}

    assert made["link.0"].config.indices == ("NIFTY", "FINNIFTY", "SENSEX")
    assert made["link.1"].config.indices == ("BANKNIFTY", "MIDCPNIFTY")
    assert {name: made[f"feed.{name}"].upstream for name in ("NIFTY", "BANKNIFTY")} == {
        "NIFTY": ("link.0",),
        "BANKNIFTY": ("link.1",),
    }
    assert made["oms"].ports["bus"]._routes["wanted"] == ("link.0", "link.1", "shard.{index}")
    assert {made[f"feed.{name}"].config.most for name in desk.settings.indices} == {600}
    assert "link.0" not in {name for name in made if made[name].upstream == (name,)}


def test_in_a_replay_nothing_is_sent_to_links_nor_asked_of_a_feed_that_has_none() -> None:
    routes = ports(REPLAY)["oms"]["bus"]._routes

    assert "ticks" in routes
    assert not LINKED & set(routes)


KITE = {"market.source": "kite", "kite.api_key": "k", "kite.root": "https://api.kite.trade"}


def made(**overrides: Any) -> Desk:
    settings = load(overrides=overrides)
    return Desk(
        desk=7, settings=settings, session_id="s7", namespace="vikalp", dsn="", data_dir="",
        anchor_wall_ns=1_763_000_000_000_000_000,
    )  # fmt: skip


def test_a_replay_and_a_rehearsal_never_record_where_a_live_desk_looks_for_its_last_chain() -> None:
    live = tape_url(made(**KITE))
    assert not live.endswith("s7")
    assert tape_url(made(**REPLAY)) == f"{live}/s7"
    assert tape_url(made(**REPLAY, **{"tape.url": "/some/where"})) == "/some/where"
    assert tape_url(made(**KITE | {"kite.root": "http://127.0.0.1:8100"})) == f"{live}/127.0.0.1:8100"


def test_a_paper_book_is_of_a_day_and_a_live_one_the_accounts_and_neither_of_another_root() -> None:
    live = KITE | {"kite.orders": True}
    books = [book_id(made(**one)) for one in (KITE, live, live | {"kite.root": "http://127.0.0.1:8100"})]

    assert books == ["paper-api.kite.trade-k-2025-11-13", "live-api.kite.trade-k", "live-127.0.0.1:8100-k"]
    assert [is_rehearsal(made(**one)) for one in (KITE, live, live | {"kite.root": "http://127.0.0.1:8100"}, {})] == [
        False,
        False,
        True,
        True,
    ]


def test_no_strategy_trades_an_account_by_a_setting_that_says_paper() -> None:
    enabled = {"strategies": [{"name": "ema_channel", "index": "NIFTY", "enabled": True}]}
    check(load(overrides=KITE | enabled))
    with pytest.raises(ConfigError, match="strategies: they trade on paper"):
        check(load(overrides=KITE | enabled | {"kite.orders": True}))


def test_the_order_manager_hears_quotes_a_little_later_only_where_the_broker_has_a_book_of_its_own() -> None:
    """The paper broker fills by them: what was decided on a chain must not meet an older book."""
    live = KITE | {"kite.orders": True}
    paces = [make_bus(made(**one), "feed.NIFTY", {})._pace_s for one in ({}, live, KITE, REPLAY)]
    both = {"recorder": 0.25, "oms": 0.25}
    assert paces == [both, both, {"recorder": 0.25}, {}]
    assert make_bus(made(**live), "link.0", {})._pace_s == {"recorder": 0.25}, "news of orders come at once"


def test_two_batches_are_one_only_for_who_reads_no_more_in_them_than_their_rows() -> None:
    joins = {spec.name: set(getattr(spec.cls, "rows", ())) for spec in specs(listed(made()))}
    assert {name: topics for name, topics in joins.items() if topics} == {
        **{f"feed.{index}": {"quotes"} for index in INDICES},
        **{f"shard.{index}": {"ticks"} for index in INDICES},
    }


def test_events_are_published_where_brokers_are_named_and_never_in_a_replay() -> None:
    kafka = {"events.kafka.bootstrap": "127.0.0.1:9092", "events.kafka.prefix": "desk."}
    given = ports(kafka)["publisher"]
    assert set(given) == {"clock", "outbox", "sink", "places", "session"}, "no bus: nobody waits for it"
    assert given["sink"]._about[:2] == ("127.0.0.1:9092", "desk.")
    assert "publisher" not in ports({})
    assert "publisher" not in ports(REPLAY | kafka)


def test_a_desk_that_is_to_publish_and_lacks_the_library_is_not_started(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load(overrides={"events.kafka.bootstrap": "127.0.0.1:9092"})
    check(settings)
    monkeypatch.setitem(sys.modules, "confluent_kafka", None)
    with pytest.raises(ConfigError, match=r"pip install 'vikalp\[kafka\]'"):
        check(settings)
