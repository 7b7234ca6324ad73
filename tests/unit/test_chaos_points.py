"""Where a kill fell is said by the times that were recorded, whatever it was aimed at."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.chaos.plan import VICTIMS, draw, rng_of
from tests.chaos.points import BETWEEN, Kill, Point, Way, histogram, locate, share_between, table

MS = 1_000_000
WAY = Way(
    tag="A", asked_ns=990 * MS, journalled_ns=1000 * MS, came_ns=1003 * MS, taken_ns=1023 * MS,
    acknowledged_ns=1046 * MS,
)  # fmt: skip


@pytest.mark.parametrize(
    ("at_ms", "point"),
    [
        (980, Point.ELSEWHERE),
        (995, Point.ASKED),
        (1000, Point.JOURNALLED),
        (1002, Point.JOURNALLED),
        (1003, Point.SENT),
        (1022, Point.SENT),
        (1023, Point.ACCEPTED),
        (1045, Point.ACCEPTED),
        (1046, Point.ELSEWHERE),
    ],
)
def test_a_kill_falls_between_two_steps_of_an_order(at_ms: int, point: Point) -> None:
    assert locate(at_ms * MS, [WAY]) == point


def test_a_kill_long_after_the_send_of_an_unanswered_order_is_not_near_it() -> None:
    unanswered = Way(tag="B", journalled_ns=1000 * MS, came_ns=1003 * MS, taken_ns=1023 * MS, acknowledged_ns=0)

    assert locate(1053 * MS, [unanswered]) == Point.ACCEPTED
    assert locate(1054 * MS, [unanswered]) == Point.LATER
    assert Point.LATER not in BETWEEN


def test_an_order_that_never_reached_the_exchange_was_about_to_be_sent_for_fifty_milliseconds() -> None:
    never = Way(tag="C", journalled_ns=1000 * MS, acknowledged_ns=200_000 * MS)

    assert locate(1049 * MS, [never]) == Point.JOURNALLED
    assert locate(1051 * MS, [never]) == Point.LATER


def test_of_two_orders_the_one_that_is_between_journal_and_acknowledgement_counts() -> None:
    late = Way(tag="D", journalled_ns=100 * MS, came_ns=103 * MS, taken_ns=104 * MS, acknowledged_ns=9000 * MS)
    next_one = Way(tag="E", asked_ns=1000 * MS, journalled_ns=1030 * MS, came_ns=1033 * MS, acknowledged_ns=1040 * MS)

    assert locate(1010 * MS, [late, WAY, next_one]) == Point.SENT
    assert locate(1010 * MS, [late, next_one]) == Point.ASKED
    assert locate(2000 * MS, [late, next_one]) == Point.LATER


@given(st.integers(0, 2_000), st.lists(st.integers(0, 2_000), min_size=4, max_size=4))
def test_every_moment_has_one_point_and_only_those_near_a_send_count(at: int, times: list[int]) -> None:
    journalled, came, taken, acknowledged = sorted(times)
    way = Way(
        tag="X",
        journalled_ns=journalled * MS,
        came_ns=came * MS,
        taken_ns=taken * MS,
        acknowledged_ns=acknowledged * MS,
    )
    point = locate(at * MS, [way])

    if point in BETWEEN:
        assert journalled <= at < max(acknowledged, 1 + at * (acknowledged == 0))
        assert abs(at * MS - way.sent_ns) <= 50 * MS


def test_the_histogram_counts_kinds_of_victims_and_the_share_is_of_all_kills() -> None:
    kills = [
        Kill(victim="feed.NIFTY", at_ns=1010 * MS, aimed=True),
        Kill(victim="feed.SENSEX", at_ns=1030 * MS, aimed=False),
        Kill(victim="oms", at_ns=5000 * MS, aimed=True),
        Kill(victim="postgres", at_ns=1001 * MS, aimed=True),
    ]
    counts = histogram(kills, [WAY])

    assert counts == Counter(
        {
            ("feed", Point.SENT): 1,
            ("feed", Point.ACCEPTED): 1,
            ("oms", Point.ELSEWHERE): 1,
            ("postgres", Point.JOURNALLED): 1,
        }
    )
    assert share_between(counts) == 0.75
    assert "| feed | 0 | 0 | 1 | 1 | 0 | 0 | 2 |" in table(counts)
    assert "| **all** | 0 | 1 | 1 | 1 | 0 | 1 | 4 |" in table(counts)


def test_a_seed_draws_the_same_victims_and_everybody_dies_in_time() -> None:
    up = ["oms", "risk", "feed.NIFTY", "shard.NIFTY", "link.0", "recorder", "gateway", "supervisor", "postgres"]
    rounds = [[draw(rng, up, VICTIMS) for _ in range(300)] for rng in (rng_of(7, "killer"), rng_of(7, "killer"))]
    died = Counter(victim for victims in rounds[0] for victim in victims)

    assert rounds[0] == rounds[1]
    assert all(len(set(victims)) == len(victims) for victims in rounds[0])
    assert died.keys() == set(up)
    assert died.most_common(1)[0][0] == "oms"
