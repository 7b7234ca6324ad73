from pathlib import Path

import pytest

from core.errors import SchemaError
from core.records import Chain
from gateway.actor import GatewayActor, GatewayConfig
from gateway.store import ChainStore
from gateway.view import Shown, chain, changed, layout
from tests.e2e import synthetic
from tests.e2e.fake_desk import FakeBus, FakeClock, FakeDesk
from tests.unit.gateway.world import World


def test_a_chain_of_the_wrong_schema_changes_nothing() -> None:
    store = ChainStore(("NIFTY",), 3)
    good = synthetic.chain("NIFTY", 1)
    store.put(good, 1)

    with pytest.raises(SchemaError, match="contracts"):
        store.put(Chain(contracts=good.expiries, expiries=good.expiries), 2)
    with pytest.raises(SchemaError, match="expected one of NIFTY, was SENSEX"):
        store.put(synthetic.chain("SENSEX", 1), 3)

    kept = store.latest("NIFTY")
    assert kept is not None
    assert kept.arrived_wall_ns == 1


def test_an_actor_that_does_not_answer_is_said_and_its_last_answer_stays(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.fill()
    world.desk.down = True

    world.poll.once()

    assert world.poll.view.unreachable == {"status": "supervisor did not answer within 5 s"}
    assert world.poll.view.status is not None
    assert any(reason.startswith("status: supervisor") for reason in world.context.unwell())


def test_a_chain_moves_the_actors_clock_and_its_progress() -> None:
    clock = FakeClock()
    actor = GatewayActor(GatewayConfig(), bus=FakeBus(), clock=clock, desk=FakeDesk(clock))
    assert actor.check_health() == 0

    actor.on_marks(synthetic.chain("NIFTY", 40))

    assert clock.now_ns() == synthetic.OPEN_NS + 40 * 250_000_000
    assert actor.check_health() > 0


def test_a_diff_holds_only_the_cells_that_changed() -> None:
    store = ChainStore(("NIFTY",), 3)
    day = synthetic.EXPIRY_DAYS[0]
    first, second = (store.put(synthetic.chain("NIFTY", n), n) for n in (1, 2))
    one, two = chain(first, day), chain(second, day)

    sent = changed(one.texts, two.texts)

    assert layout(first, day) == layout(second, day)
    assert sent["chain-sequence"] == "2"
    assert 0 < len(sent) < len(two.texts)
    assert one.texts | sent == two.texts
    assert changed(two.texts, two.texts) == {}
    assert isinstance(two, Shown)
