"""The user's facts reach every process of a desk with what that process is made from."""

import datetime as dt
import os
import pickle
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from cluster import lifecycle
from cluster.desk import Desk, make_phase, simulated
from cluster.facts import COPY, facts_dir, install_copy, install_for_job, keep_copy
from cluster.local_exchange import world_of
from cluster.settings import load
from cluster.state import SESSION_TAG, DeskState, desk_dir, pid_of, write_private, write_state
from cluster.topology import specs
from core.backtest.day import BacktestConfig
from core.backtest.records import DayData
from core.errors import InputError
from core.market import IST, to_ns
from core.market.overlay import UserFacts, UserSession, use, user_facts
from core.strategies.ema_channel import EmaChannelConfig
from jobs import backtest
from tests.unit.cluster.listed import listed

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
    assert {spec.facts for spec in specs(listed(desk(FACTS)))} == {(FACTS,)}


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

    assert len(specs(listed(made))) > 10
    assert len(world_of(made).day.listing) > 1_000


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("VIKALP_HOME", str(tmp_path))
    monkeypatch.delenv(SESSION_TAG, raising=False)
    return tmp_path


def test_who_reaches_a_desk_later_answers_from_what_it_was_made_with(home: Path) -> None:
    keep_copy(home, [FACTS])
    write_private(facts_dir() / "later.json", "{")  # the files of now are another matter

    assert install_copy(home) == ""
    assert user_facts() == (FACTS,)
    keep_copy(home, [])
    assert install_copy(home) == ""
    assert user_facts() == ()


@pytest.mark.parametrize("text", [None, "{", "[1]"])
def test_a_copy_that_cannot_be_read_is_said_and_the_tables_answer(home: Path, text: str | None) -> None:
    use([FACTS])
    if text is not None:
        (home / COPY).write_text(text)

    assert COPY in install_copy(home)
    assert user_facts() == ()


def test_a_desk_that_starts_keeps_a_copy(home: Path) -> None:
    write_private(facts_dir() / "mine.json", msgspec.json.encode(FACTS).decode())
    made, _ = lifecycle._prepare(load(None), 11)

    assert made.facts == (FACTS,)
    assert install_copy(desk_dir(11)) == ""
    assert user_facts() == (FACTS,)


def test_a_job_of_a_desk_answers_from_the_desk_s_rows_and_any_other_from_the_imported_ones(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = replace(FACTS, source="imported since")
    write_private(facts_dir() / "mine.json", msgspec.json.encode(other).decode())
    keep_copy(desk_dir(3), [FACTS])
    write_state(
        DeskState(
            desk=3, session_id="s3", phase="READY", step="ready", mode="SIMULATED", host=pid_of(os.getpid()),
            data_dir=str(desk_dir(3)),
        )
    )  # fmt: skip
    for session, rows in (("s3", (FACTS,)), ("another desk's", (other,))):
        use(())
        monkeypatch.setenv(SESSION_TAG, session)
        install_for_job()
        assert user_facts() == rows

    (desk_dir(3) / COPY).write_text("{")
    monkeypatch.setenv(SESSION_TAG, "s3")
    with pytest.raises(InputError, match="not readable"):
        install_for_job()


def test_a_task_of_a_backtest_answers_from_the_rows_it_is_handed() -> None:
    sunday = DayData(index="NIFTY", day=EVENING.date, index_bars=(), options={})
    with pytest.raises(InputError, match="no bars"):
        backtest._one_day(BacktestConfig(strategy=EmaChannelConfig()), [sunday], 0, [FACTS])
    assert user_facts() == (FACTS,)
