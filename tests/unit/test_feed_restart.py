"""A live feed that starts in the middle of a session: no bar twice as if it were two, none torn as if it were whole."""

import random
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.feeds.cover import MOST_UNSEEN
from actors.feeds.feed import FeedConfig
from actors.feeds.live import LiveFeedActor
from core.errors import InputError
from core.ports import Past
from core.records import Stamp
from core.schemas import BARS, NO_TICKS
from storage.past import TapePast
from storage.tape import ParquetTape
from tests.fakes_feed import HeardBus, ticks
from tests.fakes_past import ListPast
from tests.world_feed import DAY, OPEN, REGISTRY, SMALL, TERMS, WEEKS, S, StillClock, World, held, option

CALL, QUIET = option(WEEKS[0], 26_000), option(WEEKS[1], 26_000, "PE")
SYMBOLS = ("NIFTY", CALL, QUIET)
WALL = 1_000_000 * S
Key = tuple[int, int, str]  # seconds, start, symbol
Bar = tuple[int, int, int, int, int]


def market(second: int) -> list[dict[str, Any]]:
    """What a link brings in a second of the session: the level always, a call mostly, a put seldom."""
    rng = random.Random(second)
    rows = []
    for place, symbol in enumerate(SYMBOLS):
        if rng.random() > (1.0, 0.7, 0.05)[place]:
            continue
        index, kind, expiry, strike = TERMS[symbol]
        last = (26_000_00, 100_00, 90_00)[place] + 5 * round(1_000 * rng.random())
        rows.append({
            "index": index, "symbol": symbol, "kind": kind, "expiry": expiry, "strike_paise": strike,
            "exchange_ns": OPEN + second * S, "received_ns": WALL + second * S, "last_paise": last,
            "volume": place * 75 * second,
        })  # fmt: skip
    return rows


@cache
def quotes(second: int) -> pa.RecordBatch:
    return ticks(*market(second))


class Life:
    """A feed from one second of the session to another, and what of it a recorder had flushed: every two seconds."""

    def __init__(self, first: int, past: Past | None = None) -> None:
        self.bus, self.clock = HeardBus(), StillClock(OPEN + first * S)
        self.clock.wall = WALL + first * S
        config = FeedConfig(**{**SMALL, "expiries": 3})
        self.feed = LiveFeedActor(
            config, bus=self.bus, clock=self.clock, registry=REGISTRY, past=past or ListPast(), on=DAY
        )  # fmt: skip
        if past is not None:
            self.feed.restarted()
        self.flushed = 0
        self.feed.open()
        self.feed.on_symbols(held([CALL, QUIET]))

    def run(self, seconds: Iterable[int]) -> "Life":
        for second in seconds:
            self.clock.now, self.clock.wall = OPEN + second * S, WALL + second * S
            self.feed.on_timer()
            self.feed.on_quotes(quotes(second))
            if second % 2:
                self.flushed = len(self.bus.heard)
        return self

    def taped(self, topic: str) -> list[pa.RecordBatch]:
        return [batch for name, batch, _ in self.bus.heard[: self.flushed] if name == topic]

    def bars(self, topic: str = "bars") -> dict[Key, Bar]:
        return dict(rows(self.bus.of(topic)))


def after(*lives: Life) -> ListPast:
    """What is on the tape of these."""
    bars = [bar for life in lives for batch in life.taped("bars") for bar in batch.to_pylist()]
    groups: dict[tuple[int, int], dict[str, Any]] = {}
    for bar in bars:
        groups.setdefault((bar["seconds"], bar["start_ns"]), {})[bar["symbol"]] = bar
    return ListPast(
        bars=[pa.RecordBatch.from_pylist(list(of.values()), schema=BARS) for _, of in sorted(groups.items())],
        ticks=[batch for life in lives for batch in life.taped("ticks")],
    )


def rows(batches: Iterable[pa.RecordBatch]) -> Iterator[tuple[Key, Bar]]:
    for batch in batches:
        for bar in batch.to_pylist():
            prices = tuple(bar[f"{name}_paise"] for name in ("open", "high", "low", "close"))
            yield (bar["seconds"], bar["start_ns"] - OPEN, bar["symbol"]), (*prices, bar["volume"])  # type: ignore[misc]


@cache
def truth_of_a_quarter() -> dict[Key, Bar]:
    return Life(-5).run(range(-2, 900)).bars()


def whole_session(until: int) -> dict[Key, Bar]:
    """Every bar that quotes of the seconds before `until` close."""
    return {key: bar for key, bar in truth_of_a_quarter().items() if key[1] // S + key[0] < until}


def unseen(key: Key, first: int, last: int) -> float:
    """Share of a bar that lies between these seconds."""
    start = key[1] // S
    return max(0, min(start + key[0], last) - max(start, first)) / key[0]


def test_a_session_seen_from_before_its_open_has_all_its_bars() -> None:
    bars = whole_session(400)
    assert {key[:2] for key in bars if key[2] == "NIFTY"} == {
        *((60, at * S) for at in range(0, 360, 60)),
        *((180, at * S) for at in range(0, 360, 180)),
    }


def test_the_first_bars_of_a_feed_that_comes_late_are_left_out() -> None:
    life = Life(100).run(range(102, 400))
    assert life.bars() == {
        key: bar for key, bar in whole_session(400).items() if key[1] >= (120 if key[0] == 60 else 180) * S
    }
    assert life.feed.counts()["bars_left_out"] > 0
    assert life.feed.counts()["bars_torn"] == 0


def test_after_a_restart_the_bars_being_built_are_built_on_from_the_tape_s_ticks() -> None:
    first = Life(-5).run(range(-2, 220))  # dies at 03:40, in the fourth minute
    second = Life(222, after(first)).run(range(222, 560))
    truth = whole_session(560)

    past = second.bars("past_bars")
    assert past == {key: bar for key, bar in truth.items() if key[1] // S + key[0] <= 219}
    sent = second.bars()
    assert set(sent) == set(truth) - set(past)
    torn = {key for key in sent if sent[key] != truth[key]}
    assert all(unseen(key, 219, 223) > 0 for key in torn)
    for key in torn:  # only what happened in the three seconds is missing
        assert sent[key][0] == truth[key][0]
        assert sent[key][1] <= truth[key][1]
        assert sent[key][2] >= truth[key][2]
    counts = second.feed.counts()
    assert (counts["breaks"], counts["break_ms"]) == (1, 3_000)
    assert 0 < counts["bars_torn"] <= 6
    assert counts["bars_left_out"] == 0


def test_a_bar_of_which_too_much_was_missed_is_left_out_and_counted() -> None:
    second = Life(233, after(Life(-5).run(range(-2, 220)))).run(range(233, 560))
    minutes = {key[1] // S for key in second.bars() if key[0] == 60 and key[2] == "NIFTY"}
    assert minutes == {240, 300, 360, 420, 480}
    assert (180, 180 * S, "NIFTY") in second.bars()  # fourteen seconds of a hundred and eighty
    assert second.feed.counts()["bars_left_out"] >= 1


def test_bars_that_had_closed_and_were_not_on_the_tape_are_sent_first_and_those_on_it_are_not_sent_again() -> None:
    first = Life(-5).run(range(-2, 241))  # the fourth bar closes, and is not flushed before the crash
    assert first.bars().keys() - dict(rows(first.taped("bars"))).keys() >= {(60, 180 * S, "NIFTY")}

    second = Life(243, after(first))

    second.feed.on_timer()
    assert {key[1] for key in second.bars()} == {180 * S}
    topics = [topic for topic, _, _ in second.bus.heard if topic != "wanted"]
    assert topics == ["past_bars", "past_bars", "bars"]


def test_the_book_is_there_again_as_far_as_the_tape_s_last_minutes_have_it() -> None:
    second = Life(222, after(Life(-5).run(range(-2, 220))))
    second.feed.on_refresh(NO_TICKS)
    (book,) = second.bus.of("snapshot")
    assert set(book["symbol"].to_pylist()) == set(SYMBOLS)


def test_a_break_in_the_quotes_tears_bars_as_a_restart_does() -> None:
    life = Life(-5).run(range(-2, 100)).run(range(140, 400))
    minutes = {key[1] // S for key in life.bars() if key[0] == 60 and key[2] == "NIFTY"}
    assert minutes == {0, 180, 240, 300}  # twenty seconds of each are missing
    assert life.feed.counts()["break_ms"] == 41_000


def test_a_contract_is_in_no_bar_that_had_begun_before_it_was_watched() -> None:
    world, late = World(expiries=0), option(WEEKS[2], 24_000)
    world.go(2)
    volume = 0
    for second in range(2, 200):
        world.quote("NIFTY")
        if second == 20:
            world.hold(late)
        volume += 75
        world.quote(late, last=5_00, volume=volume)
        world.go(1)
    starts = {bar["start_ns"] - OPEN for b in world.bus.of("bars") for bar in b.to_pylist() if bar["symbol"] == late}
    assert starts == {60 * S, 120 * S}


class Broken(ListPast):
    def ticks(self, since_ns: int, until_ns: int) -> Iterator[pa.RecordBatch]:
        raise InputError("the disk is gone")


def test_a_tape_that_cannot_be_read_stops_no_feed_and_is_said() -> None:
    some = after(Life(-5).run(range(-2, 220))).bars(0, OPEN + 220 * S)

    life = Life(222, Broken(bars=some)).run(range(222, 330))

    (said,) = life.feed.alerts()
    assert "the disk is gone" in said.message
    assert {key[:2] for key in life.bars()} == {(60, 240 * S)}
    assert life.bars("past_bars") == {}


@settings(max_examples=12, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 150), st.integers(1, 40)), min_size=1, max_size=3))
def test_however_often_it_dies_every_bar_is_true_or_torn_by_little_or_left_out(lives: list[tuple[int, int]]) -> None:
    at, breaks, past = 0, [], []
    told: dict[Key, Bar] = {}
    for lasts, away in [*lives, (200, 0)]:
        life = Life(at, after(*past)).run(range(at, at + lasts))
        sent, on_tape = life.bars(), dict(rows(batch for one in past for batch in one.taped("bars")))
        assert not sent.keys() & on_tape.keys()
        told |= sent
        past.append(life)
        breaks.append((at + lasts - 3, at + lasts + away))  # the tape's last two seconds were not flushed
        at += lasts + away
    truth = whole_session(at)
    for key, bar in told.items():
        missed = sum(unseen(key, *one) for one in breaks[:-1])
        assert missed - 3 * len(breaks) / key[0] <= MOST_UNSEEN
        if missed == 0:
            assert bar[:4] == truth[key][:4]
            assert bar[4] >= truth[key][4]  # the first after a break also has what was traded in it
        assert bar[1] <= truth[key][1]
        assert bar[2] >= truth[key][2]
    for key in truth.keys() - told.keys():
        if key[2] == "NIFTY":  # of the others one bar may have had no other trade
            assert sum(unseen(key, *one) for one in breaks[:-1]) > MOST_UNSEEN


def test_a_real_tape_is_such_a_past(tmp_path: Path) -> None:
    first = Life(-5).run(range(-2, 220))
    tape = ParquetTape(str(tmp_path))
    for topic in ("ticks", "bars"):
        for sequence, batch in enumerate(first.taped(topic), 1):
            stamp = Stamp(source="feed.NIFTY", topic=topic, index="NIFTY", epoch=1, sequence=sequence, sent_wall_ns=0)
            tape.append(stamp, topic, "NIFTY", batch)
            if sequence % 25 == 0:
                tape.flush()
    tape.flush()

    real = Life(222, TapePast(str(tmp_path), "NIFTY")).run(range(222, 400))

    like = Life(222, after(first)).run(range(222, 400))
    assert real.bars() == like.bars()
    assert real.bars("past_bars") == like.bars("past_bars") != {}
    assert real.feed.counts() == like.feed.counts()
