"""Contracts that leave a live feed's watch and come back: what was not seen of a bar is not in it as if it had been."""

from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.feeds.cover import MOST_UNSEEN, Cover
from core.market.bars import Bars
from tests.fakes_feed import ticks
from tests.world_feed import OPEN, TERMS, WEEKS, S, World, option

FAR = option(WEEKS[2], 24_000)
A_SECOND = 10  # units that are traded
Bar = tuple[int, int]  # length, start after the open, both s


def row(symbol: str, second: int) -> dict[str, Any]:
    names = ("index", "kind", "expiry", "strike_paise")
    terms = dict(zip(names, TERMS[symbol], strict=True))
    volume = 0 if symbol == "NIFTY" else 1_000_000 + A_SECOND * second
    return {**terms, "symbol": symbol, "exchange_ns": OPEN + second * S, "last_paise": 5_00, "volume": volume}


def watched(*spells: tuple[int, int], until: int) -> tuple[dict[Bar, int], Counter[str]]:
    """Volume of each bar of FAR that is sent, and the counts: it is held in these spells and quoted every second."""
    world = World(expiries=0)
    for second in range(until):
        world.clock.now, world.clock.wall = OPEN + second * S, 1_000_000 * S + second * S
        for since, upto in spells:
            if second in {since, upto}:
                world.hold(*([FAR] if second == since else []))
        world.feed.on_timer()
        inside = any(since <= second < upto for since, upto in spells)
        world.feed.on_quotes(ticks(*(row(one, second) for one in ("NIFTY", *([FAR] if inside else [])))))
    rows = [bar for batch in world.bus.of("bars") for bar in batch.to_pylist() if bar["symbol"] == FAR]
    return {(bar["seconds"], (bar["start_ns"] - OPEN) // S): bar["volume"] for bar in rows}, Counter(
        world.feed.counts()
    )


def test_of_a_contract_that_leaves_no_bar_is_sent_that_was_seen_too_little_of() -> None:
    sent, counts = watched((0, 190), until=400)
    assert set(sent) == {(60, 0), (60, 60), (60, 120), (180, 0)}
    assert counts["bars_left_out"] == 2
    assert counts["bars_torn"] == 0


def test_a_bar_of_which_little_was_not_seen_is_sent_as_a_torn_one() -> None:
    sent, counts = watched((0, 175), until=400)
    assert set(sent) == {(60, 0), (60, 60), (60, 120), (180, 0)}
    assert (counts["bars_torn"], counts["bars_left_out"]) == (2, 0)


@pytest.mark.parametrize("away", [40, 130, 3_600])
def test_what_was_traded_while_a_contract_was_not_watched_is_in_no_bar(away: int) -> None:
    back = 182 + away
    sent, _ = watched((0, 182), (back, back + 400), until=back + 400)
    later = {bar: volume for bar, volume in sent.items() if bar[1] > 182}
    assert later.keys() >= {(60, -(-back // 60) * 60), (180, -(-back // 180) * 180)}
    for (length, start), volume in later.items():
        assert back - start <= MOST_UNSEEN * length
        assert volume == (min(start + length - back, length) - (back > start)) * A_SECOND


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(1, 200), min_size=1, max_size=5))
def test_no_bar_has_more_than_was_traded_in_it_and_none_was_seen_too_little_of(lasts: list[int]) -> None:
    edges = [sum(lasts[:n]) for n in range(len(lasts) + 1)]
    spells = list(zip(edges[::2], edges[1::2], strict=False))
    sent, _ = watched(*spells, until=edges[-1] + 200)
    for (length, start), volume in sent.items():
        seen = sum(max(0, min(upto, start + length) - max(since, start)) for since, upto in spells)
        assert length - seen <= MOST_UNSEEN * length
        assert volume <= length * A_SECOND


def test_what_an_earlier_life_had_let_go_of_was_seen_until_its_last_quote() -> None:
    cover, bars = Cover(180), Bars((180,))
    for second in range(170, 340):
        batch = ticks(*(row(one, second) for one in ("NIFTY", *([FAR] if second < 190 else []))))
        cover.taped(batch)
        bars.add(batch)
    cover.watch({"NIFTY"}, OPEN + 342 * S)  # eighteen seconds of the bar are left
    cover.heard(OPEN + 342 * S, 342 * S)
    cover.heard(OPEN + 359 * S, 343 * S)

    kept = cover.whole(bars.flush())

    assert kept is not None
    assert kept["symbol"].to_pylist() == ["NIFTY"]
