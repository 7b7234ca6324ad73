"""The dump from Kite's client through the day's file into tokens and the day's contracts."""

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from kiteconnect import KiteConnect

from brokers.kite.instruments import HEADER, download
from brokers.kite.limiter import Limiter
from core.errors import BrokerDown, InputError
from core.kite.instruments import INDEX_NAMES, exchanges_of, listing_of
from core.market import IST, merge_dump
from core.market.symbols import VIX
from core.schemas import Kind
from exchange.faults import Fault
from exchange.limits import Rates
from exchange.world import World, WorldConfig
from storage.instruments import instruments_of
from storage.readers import read_instruments
from tests.unit.exchange.conftest import DATE, Served
from tests.unit.market_data import DUMPS, data

OWN = ("NIFTY", "SENSEX")
MORNING = dt.datetime.combine(DATE, dt.time(9), IST)
HEAD = ",".join(HEADER)
CALL = '10189826,39804,NIFTY26N2326000CE,"NIFTY",0,2026-11-23,26000,0.05,65,CE,NFO-OPT,NFO'
PUT = "10190082,39805,NIFTY26N2326000PE,NIFTY,0,2026-11-23,26000,0.05,65,PE,NFO-OPT,NFO"
SPOT = '256265,1001,"NIFTY 50","NIFTY 50",0,,0,0,0,EQ,INDICES,NSE'


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    world = World(WorldConfig(date=DATE, indices=OWN, rates=Rates(enforced=False)))
    with Served(world) as server:
        yield server


@pytest.fixture(scope="module")
def text(served: Served) -> bytes:
    return download(served.client(), Limiter(), exchanges_of(OWN))


def table(tmp_path: Path, *rows: str) -> pa.Table:
    path = tmp_path / "dump.csv"
    path.write_text("\n".join([HEAD, *rows, ""]))
    return read_instruments(path, strict=True).table


class Kite(KiteConnect):
    """A client that gives what it was made with."""

    def __init__(self, answer: str | Exception) -> None:
        super().__init__(api_key="k")
        self.answer = answer

    def instruments(self, exchange: str | None = None) -> list[dict[str, object]]:
        if isinstance(self.answer, Exception):
            raise self.answer
        parsed: list[dict[str, object]] = self._parse_instruments(self.answer.encode())
        return parsed


def test_what_the_exchange_lists_is_what_the_desk_has(served: Served, text: bytes, tmp_path: Path) -> None:
    read = instruments_of(tmp_path, DATE, lambda: text, now=MORNING)
    listing = listing_of(read.table, OWN)

    there = {(one.exchange, one.symbol): one for one in served.world.day.listing.instruments}
    assert listing.tokens == {key: one.token for key, one in there.items()}
    assert not read.refused
    assert not listing.problems
    assert listing.keys["NIFTY"] == ("NSE", "NIFTY 50")
    assert listing.token(VIX) == there["NSE", VIX].token
    for one in listing.contracts:
        its = there[listing.keys[one.symbol]]
        expiry = one.expiry.isoformat() if one.expiry else ""
        assert (one.index, one.kind, expiry, one.strike_paise) == (its.index, its.kind, its.expiry, its.strike_paise)


def test_the_registry_and_the_days_contracts_come_from_the_same_rows(text: bytes, tmp_path: Path) -> None:
    listing = listing_of(instruments_of(tmp_path, DATE, lambda: text, now=MORNING).table, OWN)

    rows = {row["symbol"]: row for row in listing.registry.contracts.to_pylist()}
    assert set(rows) == {one.symbol for one in listing.contracts}
    row = listing.registry.rows(pa.array([listing.token("SENSEX")]).to_numpy())[0]
    assert listing.registry.contracts.slice(row, 1).to_pylist()[0]["symbol"] == "SENSEX"
    contracts, differences = merge_dump(listing.rows, DATE)
    assert {index for index, _ in contracts.lots} == set(OWN)
    assert not [one for one in differences if one.what != "expiry"]


def test_a_dump_is_fetched_once_a_day_and_another_days_is_not_used(text: bytes, tmp_path: Path) -> None:
    calls: list[int] = []

    def fetch() -> bytes:
        calls.append(1)
        return text

    first = instruments_of(tmp_path, DATE, fetch, now=MORNING)
    again = instruments_of(tmp_path, DATE, fetch, now=MORNING + dt.timedelta(days=9))
    assert (len(calls), again.table.equals(first.table)) == (1, True)
    assert [path.name for path in tmp_path.iterdir()] == [f"{DATE}.csv.gz"]

    later = DATE + dt.timedelta(days=3)
    with pytest.raises(BrokerDown, match=f"{DATE} is kept here and is not used"):
        instruments_of(tmp_path, later, _down, now=MORNING + dt.timedelta(days=3))
    with pytest.raises(InputError, match="a later one"):
        instruments_of(tmp_path, DATE - dt.timedelta(days=1), fetch, now=MORNING)
    assert len(calls) == 1


def _down() -> bytes:
    raise BrokerDown("502")


def test_before_half_past_eight_it_may_be_yesterdays_and_is_not_kept(text: bytes, tmp_path: Path) -> None:
    early = instruments_of(tmp_path, DATE, lambda: text, now=MORNING - dt.timedelta(minutes=31))
    assert "before the dump" in early.notes[0]
    assert not list(tmp_path.iterdir())
    utc = dt.datetime.combine(DATE, dt.time(3, 0), dt.UTC)
    assert not instruments_of(tmp_path, DATE, lambda: text, now=utc).notes
    with pytest.raises(ValueError, match="no time zone"):
        instruments_of(tmp_path, DATE, lambda: text, now=utc.replace(tzinfo=None))


def test_a_torn_file_is_fetched_again_and_a_bad_answer_leaves_none(text: bytes, tmp_path: Path) -> None:
    instruments_of(tmp_path, DATE, lambda: text, now=MORNING)
    kept = tmp_path / f"{DATE}.csv.gz"
    kept.write_bytes(kept.read_bytes()[:-1000])
    read = instruments_of(tmp_path, DATE, lambda: text, now=MORNING)
    assert "fetched again" in read.notes[0]
    assert not read_instruments(kept).refused
    kept.unlink()
    with pytest.raises(InputError):
        instruments_of(tmp_path, DATE, lambda: b"<html>", now=MORNING)
    assert not list(tmp_path.iterdir())


def test_floats_and_quotes_come_out_as_they_went_in(tmp_path: Path) -> None:
    stock = '1,7,M&M26NOV3000CE,"M, M",12.35,2026-11-24,3000.5,0.05,175,CE,NFO-OPT,NFO'
    text = download(Kite(f"{HEAD}\n{stock}\n{CALL}\n"), Limiter(), ["NFO"])
    path = tmp_path / "out.csv"
    path.write_bytes(text)
    assert read_instruments(path, strict=True).table.equals(table(tmp_path, stock, CALL))


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        (HEAD + "\n", InputError, "is empty"),
        (f"{HEAD}\n{CALL[:-1]}", InputError, "exchange is 'NF'"),
        (f"{HEAD}\n{CALL[:-4]}", InputError, "exchange is None"),
        (f"{HEAD}\n{CALL},more", InputError, "columns"),
        (f"{HEAD},new\n{CALL},1", InputError, "columns"),
        (f"{HEAD}\n{CALL[:40]}", BrokerDown, "TypeError"),
        (ConnectionResetError("gone"), BrokerDown, "gone"),
    ],
)
def test_a_dump_that_is_not_whole_is_refused(answer: str | Exception, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        download(Kite(answer), Limiter(), ["NFO"])


def test_an_exchange_that_is_away_says_nothing_about_what_is_listed(served: Served, tmp_path: Path) -> None:
    kite = served.client()
    for fault, words in ((Fault.BAD_GATEWAY, "502"), (Fault.UNAVAILABLE, "503"), (Fault.TOKEN_DEATH, "access_token")):
        served.world.fault(fault)
        with pytest.raises(BrokerDown, match=words):
            instruments_of(tmp_path, DATE, lambda: download(kite, Limiter(), exchanges_of(OWN)), now=MORNING)
        served.world.faults.stop()
        assert not list(tmp_path.iterdir())


def test_a_blank_name_is_read_from_the_symbol_and_only_of_that_index(tmp_path: Path) -> None:
    weekly = "221330181,864571,SENSEX26N2680000PE,,0,2026-11-26,80000,0.05,20,PE,BFO-OPT,BFO"
    other = "221330437,864572,SENSEX5026N2630000PE,,0,2026-11-26,30000,0.05,75,PE,BFO-OPT,BFO"
    named = "221330693,864573,SENSEX5026N2630100PE,SENSEX50,0,2026-11-26,30100,0.05,75,PE,BFO-OPT,BFO"
    monthly = "218804229,854704,BANKEX26NOV63000PE,,0,2026-11-26,63000,0.05,30,PE,BFO-OPT,BFO"
    listing = listing_of(table(tmp_path, weekly, other, named, monthly), ("SENSEX",))

    assert [one.symbol for one in listing.contracts] == ["SENSEX26N2680000PE"]
    assert [(row.symbol, row.name) for row in listing.rows] == [
        ("SENSEX26N2680000PE", "SENSEX"),
        ("BANKEX26NOV63000PE", "BANKEX"),
    ]


def test_what_is_missing_or_twice_is_said(tmp_path: Path) -> None:
    again = CALL.replace("NIFTY26N2326000CE", "NIFTY26NOV26000CE").replace("10189826", "999938")
    listing = listing_of(table(tmp_path, CALL, PUT, again, SPOT), ("NIFTY",))
    assert [one.symbol for one in listing.contracts] == ["NIFTY26N2326000CE", "NIFTY26N2326000PE", "NIFTY"]
    assert listing.problems == (
        "NIFTY26NOV26000CE is the same contract as NIFTY26N2326000CE in the dump: it is left out",
        "the instrument dump has no NSE:INDIA VIX: INDIA VIX has no level from Kite",
    )
    with pytest.raises(InputError, match="no contract of SENSEX"):
        listing_of(table(tmp_path, CALL), ("NIFTY", "SENSEX"))
    with pytest.raises(InputError, match="is not in today's"):
        listing.token("NIFTY26N2399000CE")
    with pytest.raises(InputError, match="two contracts"):
        listing_of(table(tmp_path, CALL, PUT.replace("10190082", "10189826")), ("NIFTY",))


def test_a_share_called_as_an_index_is_none(tmp_path: Path) -> None:
    share = SPOT.replace('"NIFTY 50",0,', ",0,").replace("INDICES", "NSE")
    assert [one.kind for one in listing_of(table(tmp_path, CALL, share), ("NIFTY",)).contracts] == [Kind.CALL]


@pytest.mark.parametrize("name", DUMPS)
def test_a_real_dump_reads_whole(name: str) -> None:
    read = read_instruments(data(f"instruments/{name}.csv.gz"))
    indices = [index for index in INDEX_NAMES if index != VIX and index in set(read.table.column("name").to_pylist())]
    listing = listing_of(read.table, indices)

    assert len(listing.registry) == len(listing.contracts) == len(listing.tokens)
    assert len(listing.problems) == len(indices) + ("NIFTY" in indices)  # the excerpt has no index rows
    merge_dump(listing.rows, DUMPS[name])
