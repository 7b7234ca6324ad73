"""What the page, the API and the metrics say a chain is: live, simulated, replay, or the last there was, cached."""

import datetime as dt
from pathlib import Path

import msgspec
import pytest

from core.errors import InputError
from core.market import IST, to_ns
from core.market.provenance import Provenance
from core.records import Chain
from gateway import format as fmt
from gateway import panels
from gateway.actor import GatewayActor, GatewayConfig
from gateway.view import Shown, banner, strip
from tests.e2e import synthetic
from tests.e2e.fake_desk import FakeBus, FakeClock, FakeDesk
from tests.unit.gateway.test_panels import order
from tests.unit.gateway.world import BEARER, World

S = 1_000_000_000
FAR = dt.datetime(2026, 11, 20, 15, 39, 7, tzinfo=IST)
SYMBOL = synthetic.symbol("NIFTY", synthetic.EXPIRY_DAYS[0], 25_900, synthetic.Kind.CALL)


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = World(tmp_path)
    made.fill()
    return made


def mode(world: World, word: str) -> None:
    status = msgspec.structs.replace(world.desk.status(), mode=word)
    world.desk.status = lambda: status  # type: ignore[method-assign]
    world.poll.once()


def silence(world: World, seconds: int) -> None:
    """NIFTY's next chain arrived that long ago."""
    world.store.put(synthetic.chain("NIFTY", 2), world.clock.wall_ns() - seconds * S)


def shown(world: World) -> Shown:
    made, kept = Shown(), world.store.latest("NIFTY")
    assert kept is not None
    strip(world.context, made)
    banner(world.context, kept, made)
    return made


def of(kind: str, origin: str, age_s: float) -> Provenance:
    return Provenance(kind=kind, origin=origin, as_of_ns=to_ns(FAR), age_ns=int(age_s * S))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("found", "words", "narrow"),
    [
        (of("live", "live", 0.2), "live", None),
        (of("cached", "live", 12), "cached 12.0s", "cached 12.0s"),
        (of("cached", "live", 3599), "cached 59m59s", "cached 59m59s"),
        (of("cached", "live", 3600), "cached, 2026-11-20 15:39", "cached 20 Nov"),
        (of("cached", "simulated", 185), "cached 3m05s, simulated", "cached 3m05s"),
        (of("cached", "replay", 86_400), "cached, 2026-11-20 15:39, replay", "cached 20 Nov"),
        (None, "–", None),
    ],
)
def test_it_is_written_with_its_age_and_after_an_hour_with_its_time(
    found: Provenance | None, words: str, narrow: str | None
) -> None:
    assert fmt.provenance(found) == words
    if found is not None and narrow is not None:
        assert fmt.cached(found) == narrow


@pytest.mark.parametrize(
    ("word", "kind"), [("SIMULATED", "simulated"), ("REPLAY", "replay"), ("PAPER", "live"), ("LIVE", "live")]
)
def test_a_fresh_chain_says_of_which_market_it_is(world: World, word: str, kind: str) -> None:
    mode(world, word)

    made = shown(world)
    answer = world.client.get("/api/chain/NIFTY").json()["provenance"]

    assert made.texts["provenance"] == kind
    assert (made.classes["provenance"], made.classes["chain-box"]) == (f"is-{kind}", "")
    assert (answer["kind"], answer["origin"], answer["says"]) == (kind, kind, kind)


def test_a_silent_index_is_cached_alone_and_its_age_counts(world: World) -> None:
    silence(world, 12)
    first = shown(world)
    silence(world, 14)
    second = shown(world)

    assert first.texts["provenance"].startswith("cached 12.")
    assert first.texts["provenance"].endswith("s, simulated: entries are refused, exits pass")
    assert second.texts["provenance"].startswith("cached 14.")
    assert second.classes["chain-box"] == "stale"
    assert second.texts["strip-NIFTY-age"].startswith("cached 14.")
    assert second.classes["strip-NIFTY-age"] == "age bad"
    assert second.classes["strip-SENSEX-age"] == "age good"
    indices = {row["index"]: row for row in world.client.get("/api/indices").json()}
    assert indices["NIFTY"]["provenance"]["kind"] == "cached"
    assert indices["SENSEX"]["provenance"]["kind"] == "simulated"
    assert 14 <= world.client.get("/api/chain/NIFTY").json()["provenance"]["age_s"] < 15
    text = world.client.get("/metrics").text
    assert 'vikalp_chain_cached{index="NIFTY"} 1.0' in text
    assert 'vikalp_chain_cached{index="SENSEX"} 0.0' in text
    assert [reason for reason in world.context.unwell() if reason.startswith("NIFTY: cached 14.")]


def test_old_quotes_that_come_at_once_are_cached_by_the_markets_clock(world: World) -> None:
    """Whoever logs in after the close gets the day's last quotes."""
    mode(world, "LIVE")
    world.clock.advance(synthetic.OPEN_NS + 11 * S)
    world.store.put(synthetic.chain("NIFTY", 2), world.clock.wall_ns())

    assert shown(world).texts["provenance"].startswith("cached 10.5s: ")


def test_before_the_desk_has_said_its_mode_nothing_is_called_live(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.store.put(synthetic.chain("NIFTY", 1), world.clock.wall_ns())
    fresh = shown(world)
    silence(world, 6)

    assert (fresh.texts["provenance"], fresh.classes["chain-box"]) == ("–", "")
    assert world.client.get("/api/chain/NIFTY").json()["provenance"] is None
    assert shown(world).classes["chain-box"] == "stale"


def test_what_is_of_the_tape_is_cached_until_the_markets_first_chain(tmp_path: Path) -> None:
    world = World(tmp_path)
    mode(world, "LIVE")
    world.store.load(synthetic.chain("NIFTY", 40))
    before = shown(world)
    reasons = world.context.unwell()
    world.store.load(synthetic.chain("NIFTY", 41))
    world.store.put(synthetic.chain("NIFTY", 1), world.clock.wall_ns())
    world.store.load(synthetic.chain("NIFTY", 42))

    assert before.texts["provenance"] == "cached, 2026-11-20 09:15: entries are refused, exits pass"
    assert before.texts["strip-NIFTY-age"] == "cached 20 Nov"
    assert "NIFTY: no chain yet, the last of the tape is shown: cached, 2026-11-20 09:15" in reasons
    assert shown(world).texts["provenance"] == "live"
    assert world.client.get("/api/chain/NIFTY", params={"sequence": 40}).status_code == 404


def test_an_exit_can_be_asked_for_on_a_cached_chain(tmp_path: Path) -> None:
    world = World(tmp_path)
    mode(world, "LIVE")
    world.store.load(synthetic.chain("NIFTY", 40))
    order = {"symbol": SYMBOL, "side": "SELL", "lots": 1, "limit_paise": 5_000, "purpose": "exit"}

    assert world.client.post("/api/orders", json=order, headers=BEARER).json()["state"] == "COMPLETE"


class Last:
    """core.ports.LastChains: what a tape would hold."""

    def __init__(self, **chains: Chain | Exception) -> None:
        self._chains, self.asked = chains, 0

    def last(self, index: str) -> Chain | None:
        self.asked += 1
        found = self._chains.get(index)
        if isinstance(found, Exception):
            raise found
        return found


def opened(tmp_path: Path, last: Last | None) -> World:
    """The store as the actor's open() leaves it, before any server."""
    clock = FakeClock()
    config = GatewayConfig(indices=("NIFTY", "SENSEX", "BANKNIFTY"))
    actor = GatewayActor(config, bus=FakeBus(), clock=clock, desk=FakeDesk(clock), last=last)
    actor.load_last()
    world = World(tmp_path)
    world.store = actor._store
    return world


def test_what_cannot_be_read_is_left_out_and_the_others_are_shown(tmp_path: Path) -> None:
    last = Last(NIFTY=synthetic.chain("NIFTY", 7), SENSEX=InputError("no Parquet"), BANKNIFTY=OSError("away"))
    store = opened(tmp_path, last).store

    kept = store.latest("NIFTY")
    assert kept is not None
    assert (kept.loaded, kept.sequence, kept.arrived_wall_ns) == (True, 7, kept.as_of_ns)
    assert (store.latest("SENSEX"), store.latest("BANKNIFTY"), last.asked) == (None, None, 3)


def test_without_the_port_nothing_is_shown_before_the_first_chain(tmp_path: Path) -> None:
    store = opened(tmp_path, None).store

    assert [store.latest(index) for index in store.indices] == [None, None, None]


def test_a_position_marked_on_cached_quotes_says_so(world: World) -> None:
    world.desk.submit(order("A", "manual").intent)
    world.poll.once()
    fresh = panels.tables(world.context)["positions"][0]
    silence(world, 6)
    old = panels.tables(world.context)["positions"][0]

    assert "stale" not in " ".join(class_ for _, class_ in fresh["cells"])
    assert [("stale" in class_) for _, class_ in old["cells"]] == [False] * 4 + [True, True, False, True, False]
    assert (fresh["title"], old["title"]) == ("", "marked on cached quotes")


def test_a_rehearsal_on_a_local_exchange_is_called_simulated(world: World) -> None:
    mode(world, "LIVE")
    assert world.context.provenance(world.store.latest("NIFTY")).kind == "live"
    status = msgspec.structs.replace(world.desk.status(), rehearsal=True)
    world.desk.status = lambda: status  # type: ignore[method-assign]
    world.poll.once()

    assert world.context.provenance(world.store.latest("NIFTY")).kind == "simulated"
