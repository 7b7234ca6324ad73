"""The user's facts reach every process of a desk with what that process is made from."""

import datetime as dt
import pickle
from collections.abc import Iterator

import pytest
from msgspec.structs import replace

from cluster.desk import Desk, make_phase, simulated
from cluster.settings import load
from cluster.topology import specs
from core.market import IST, to_ns
from core.market.overlay import UserFacts, UserSession, use, user_facts

EVENING = UserSession(date=dt.date(2026, 11, 8), kind="muhurat", open=dt.time(18, 15), close=dt.time(19, 15))
FACTS = UserFacts(source="NSE/CMTR/1", published=dt.date(2026, 11, 1), sessions=(EVENING,))
DURING = dt.datetime(2026, 11, 8, 18, 30, tzinfo=IST)


@pytest.fixture(autouse=True)
def another_process() -> Iterator[None]:
    use(())
    yield
    use(())


def desk(*facts: UserFacts) -> Desk:
    made = Desk(
        desk=0, settings=load(None), session_id="s", namespace="n", dsn="", data_dir="/tmp/d",
        anchor_wall_ns=to_ns(DURING), facts=facts,
    )  # fmt: skip
    again: Desk = pickle.loads(pickle.dumps(made))
    return again


def test_every_actor_is_made_with_them() -> None:
    assert {spec.facts for spec in specs(desk(FACTS))} == {(FACTS,)}


def test_the_supervisor_s_phase_brings_them_along() -> None:
    phase = pickle.loads(pickle.dumps(make_phase(desk(FACTS))))

    assert user_facts() == ()
    assert phase(to_ns(DURING)) == "open"
    assert user_facts() == (FACTS,)


def test_a_muhurat_sunday_of_unknown_hours_is_stepped_over_and_an_imported_one_simulated() -> None:
    assert simulated(desk()).date == dt.date(2026, 11, 9)
    use([FACTS])
    assert simulated(desk(FACTS)).date == dt.date(2026, 11, 8)


@pytest.mark.parametrize("day", [dt.date(2026, 12, 30), dt.date(2026, 12, 31), dt.date(2027, 1, 4)])
def test_the_default_desk_can_be_made_past_the_last_published_expiry(day: dt.date) -> None:
    at = to_ns(dt.datetime.combine(day, dt.time(8), IST))
    made = replace(desk(), anchor_wall_ns=at)

    assert len(specs(made)) > 10
    feed = next(spec for spec in specs(made) if spec.name == "feed.NIFTY")
    feed.ports["source"].open()
