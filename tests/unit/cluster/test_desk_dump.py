"""The day's instrument dump: taken as a desk is made, used by every process of it, its differences told."""

import datetime as dt
import pickle
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster import driver, lifecycle
from cluster.desk import Desk, check
from cluster.dump import COPY, SHOWN, for_page, install_dump, read_dump, with_dump
from cluster.settings import load
from cluster.state import desk_dir
from cluster.topology import specs
from core.errors import ConfigError, InputError
from core.market import IST, expiries, lot, parse_symbol, to_ns
from core.market.overlay import dump_of, use_dump
from core.records import RiskEvent
from tests.fakes_ledger import MemoryLedger
from tests.unit.cluster.listed import listed

D = dt.date
FRIDAY = D(2026, 11, 20)
HEADER = (
    "instrument_token,exchange_token,tradingsymbol,name,last_price,expiry,strike,tick_size,lot_size,instrument_type,"
    "segment,exchange\n"
)
LINES = (
    "1,1,NIFTY26NOV26000CE,NIFTY,0,2026-11-24,26000,0.05,65,CE,NFO-OPT,NFO\n"
    "2,2,NIFTY26D0126000CE,NIFTY,0,2026-12-01,26000,0.05,75,CE,NFO-OPT,NFO\n"
    "3,3,NIFTY26D0826000CE,NIFTY,0,2026-12-08,26000,0.05,65,CE,NFO-OPT,NFO\n"
    "4,4,INFY,INFOSYS,0,,0,0.05,1,EQ,NSE,NSE\n"
)


@pytest.fixture(autouse=True)
def no_dump() -> Iterator[None]:
    use_dump(None)
    yield
    use_dump(None)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "instruments.csv"
    path.write_text(HEADER + LINES)
    return path


def desk(path: Path, **market: object) -> Desk:
    settings = load(
        None, {"market.instruments": str(path), **{f"market.{key}": value for key, value in market.items()}}
    )
    check(settings)
    at = to_ns(dt.datetime.combine(FRIDAY, dt.time(8), IST))
    made = Desk(
        desk=0, settings=settings, session_id="s", namespace="n", dsn="", data_dir="/tmp/d", anchor_wall_ns=at
    )  # fmt: skip
    again: Desk = pickle.loads(pickle.dumps(with_dump(made)))
    return again


def test_every_actor_is_made_with_it_and_the_differences_are_said(file: Path) -> None:
    made = desk(file)

    assert made.dump is not None
    assert [spec.dump for spec in specs(listed(made)) if spec.dump != made.dump] == []
    assert made.dump.on == FRIDAY
    assert [words.split(";")[0] for words in made.differences] == [
        "NIFTY 2026-11-23: expiry is not listed in the instrument dump and listed in the tables",
        "NIFTY 2026-11-24: expiry is listed in the instrument dump and not listed in the tables",
        "NIFTY 2026-12-01: lot is 75 in the instrument dump and 65 in the tables",
    ]
    use_dump(made.dump)
    assert expiries("NIFTY", FRIDAY)[0] == D(2026, 11, 24)
    assert parse_symbol("NIFTY26NOV26000CE").expiry == D(2026, 11, 24)
    assert lot("NIFTY", D(2026, 12, 1), FRIDAY) == 75


def test_without_one_the_tables_answer() -> None:
    at = to_ns(dt.datetime.combine(FRIDAY, dt.time(8), IST))
    made = Desk(
        desk=0, settings=load(None), session_id="s", namespace="n", dsn="", data_dir="/tmp/d", anchor_wall_ns=at
    )  # fmt: skip

    assert with_dump(made) == made
    assert {spec.dump for spec in specs(listed(made))} == {None}


def test_a_row_that_cannot_be_read_is_told_beside_the_differences(file: Path) -> None:
    with file.open("a") as out:
        out.write("5,5,NIFTY26D2226000CE,NIFTY,0,2026-12-22,26000,0.05,0,CE,NFO-OPT,NFO\n")
    _, differences = read_dump(file, FRIDAY)

    where, why = (
        f"left out of the dump: {file}: line 6, column lot_size",
        "expected a lot of 1 or more for a derivative",
    )
    assert [words for words in differences if "left out" in words] == [f"{where}: {why}, found '0'"]


def test_a_missing_file_one_of_another_day_and_one_that_is_none_stop_the_start(file: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"market.instruments: no file"):
        desk(tmp_path / "none.csv")
    with pytest.raises(InputError, match=r"market.instruments: .*instruments.csv: the dump lists NIFTY 2026-11-24"):
        desk(file, session_date=D(2026, 11, 25))
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    with pytest.raises(InputError, match=r"other.csv"):
        desk(tmp_path / "other.csv")


def test_who_reaches_the_desk_later_uses_the_same_dump(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIKALP_HOME", str(tmp_path))
    settings = load(None, {"market.instruments": str(file), "market.session_date": FRIDAY})
    made, _ = lifecycle._prepare(settings, 11)

    assert install_dump(desk_dir(11)) == ""
    assert dump_of(FRIDAY) == made.dump
    (desk_dir(11) / COPY).write_text("{")
    assert COPY in install_dump(desk_dir(11))
    assert dump_of(None) is None
    lifecycle._prepare(load(None, {"market.session_date": FRIDAY}), 11)
    assert not (desk_dir(11) / COPY).exists()


def test_every_difference_is_a_risk_event_and_the_page_shows_the_first(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger, made = MemoryLedger(), desk(file)
    monkeypatch.setattr(driver, "make_ledger", lambda _, writer: ledger)
    driver._record(made)
    events = [event for _, event in ledger.events if isinstance(event, RiskEvent)]

    assert [event.message for event in events] == list(made.differences)
    assert {(event.kind, event.subject) for event in events} == {("difference", "instruments")}
    assert for_page(made.differences) == made.differences
    many = tuple(f"difference {number}" for number in range(SHOWN + 3))
    assert for_page(many) == (*many[:SHOWN], "3 more differences are in the ledger")
