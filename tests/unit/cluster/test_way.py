"""The way to one subscriber: what a call carries, when it is due, what is given up and what never is."""

from hypothesis import given
from hypothesis import strategies as st

from cluster.ring import Entry, Ring
from cluster.way import CALL_BYTES, QUIET_S, RETRY_S, BusLimits, Call, Way
from core.records import Stamp
from tests.cluster.plain import batch


def entry(sequence: int, size: int = 10, topic: str = "ticks", index: str = "NIFTY") -> Entry:
    stamp = Stamp(source="feed", topic=topic, index=index, epoch=1, sequence=sequence, sent_wall_ns=0)
    return Entry(stamp, batch(sequence), size)


def sequences(call: Call) -> list[int]:
    return [one.stamp.sequence for one in call]


def met(way: Way, now: float = 0.0) -> Way:
    """A way whose subscriber has answered once."""
    way.put(entry(0))
    way.answered(way.due(now), [0])
    return way


def lossy(**limits: int) -> Way:
    return met(Way("shard", BusLimits(**limits)))


def test_one_call_is_on_its_way_and_the_next_carries_all_that_waited() -> None:
    way = lossy()
    way.put(entry(1))
    first = way.due(1.0)
    for sequence in (2, 3, 4):
        way.put(entry(sequence))
    assert (sequences(first), way.due(1.0), way.due_in(1.0)) == ([1], (), None)

    way.answered(first, ())
    assert way.due_in(1.0) == 0.0
    assert sequences(way.due(1.0)) == [2, 3, 4]


def test_a_call_has_so_many_messages_and_so_many_bytes_and_one_that_is_larger_goes_alone() -> None:
    way = lossy(together=3)
    for sequence, size in enumerate([CALL_BYTES + 1, 1, CALL_BYTES - 1, 1, 1, 1, 1], start=1):
        way.put(entry(sequence, size))
    found = []
    while call := way.due(1.0):
        found.append(sequences(call))
        way.answered(call, ())
    assert found == [[1], [2, 3], [4, 5, 6], [7]]


def test_a_subscriber_that_never_answered_is_felt_for_with_one_message() -> None:
    way = Way("shard", BusLimits())
    for sequence in (1, 2, 3):
        way.put(entry(sequence))
    call = way.due(0.0)
    assert sequences(call) == [1]
    assert way.failed(call, 0.0, gone=False) == 1
    assert way.due(RETRY_S / 2) == (), "who is opening is not asked again at once"
    call = way.due(RETRY_S)
    assert sequences(call) == [2]
    way.answered(call, ())
    assert sequences(way.due(RETRY_S)) == [3]


def test_where_nobody_is_all_that_waits_is_given_up_and_he_is_looked_for_again() -> None:
    way = Way("shard", BusLimits())
    for sequence in (1, 2, 3):
        way.put(entry(sequence))
    assert way.failed(way.due(0.0), 0.0, gone=True) == 3
    assert way.idle

    way.put(entry(4))
    assert way.due(RETRY_S / 2) == ()
    assert way.due_in(RETRY_S / 2) == RETRY_S / 2
    assert sequences(way.due(RETRY_S)) == [4]


def test_of_chains_that_wait_the_newest_of_each_index_is_kept_and_the_others_are_counted() -> None:
    way = lossy()
    way.put(entry(1))
    way.due(1.0)
    waits = [
        (2, "chain", "NIFTY"),
        (3, "chain", "SENSEX"),
        (4, "chain", "NIFTY"),
        (5, "marks", "NIFTY"),
        (6, "ticks", "NIFTY"),
        (7, "marks", "NIFTY"),
        (8, "ticks", "NIFTY"),
    ]
    given_up = [way.put(entry(number, topic=topic, index=index)) for number, topic, index in waits]
    way.answered((), ())
    assert given_up == [0, 0, 1, 0, 0, 1, 0]
    assert sequences(way.due(1.0)) == [3, 4, 6, 7, 8]


def test_a_paced_way_rests_after_each_call_but_not_while_more_waits_than_one_carries() -> None:
    way = met(Way("recorder", BusLimits(together=2), pace_s=0.25), now=0.5)
    for sequence in (1, 2, 3):
        way.put(entry(sequence))
    way.answered(way.due(1.0), ())
    call = way.due(1.0)
    assert sequences(call) == [3]
    way.answered(call, ())
    way.put(entry(4))
    assert (way.due(1.2), round(way.due_in(1.2) or 0.0, 6)) == ((), 0.05)
    assert sequences(way.due(1.25)) == [4]


def test_what_hurries_rests_no_more() -> None:
    way = met(Way("recorder", BusLimits(), pace_s=60.0))
    way.put(entry(1))
    assert way.due(1.0) == ()
    way.hurry()
    assert sequences(way.due(1.0)) == [1]


def test_the_recorder_is_asked_again_when_it_is_quiet_and_rows_are_not_on_disk() -> None:
    way = met(Way("recorder", BusLimits(), Ring(1000)))
    way.put(entry(1))
    way.answered(way.due(1.0), [0])
    assert (way.idle, way.due(2.0), way.due_in(2.0)) == (True, (), QUIET_S - 1.0)
    call = way.due(1.0 + QUIET_S)
    assert sequences(call) == [1]
    way.answered(call, [1])
    assert (way.due(99.0), way.due_in(99.0)) == ((), None)


STEPS = st.lists(
    st.one_of(
        st.just("put"), st.tuples(st.just("answer"), st.integers(0, 40)), st.sampled_from(("gone", "refused")),
        st.tuples(st.just("later"), st.floats(0, 7)),
    ),
    max_size=80,
)  # fmt: skip


@given(STEPS, st.one_of(st.none(), st.builds(Ring, st.just(10**9))), st.integers(1, 5), st.sampled_from((0.0, 0.3)))
def test_every_message_is_carried_in_order_or_counted_and_a_ring_gives_up_none(
    steps: list[str | tuple[str, float]],
    ring: Ring | None,
    waiting: int,
    pace_s: float,
) -> None:
    way = Way("x", BusLimits(waiting=waiting, together=3), ring, pace_s)
    sent = dropped = disk = 0
    now, taken, open_call = 0.0, [], ()
    for step in [*steps, *[("later", 7.0), ("answer", 0)] * 90]:
        what, number = step if isinstance(step, tuple) else (step, 0)
        now += number if what == "later" else 0.0
        if what == "put":
            sent += 1
            dropped += way.put(entry(sent))
        elif open_call and what == "answer":
            taken += sequences(open_call)
            disk = max(disk, min(int(number), max(taken)))
            way.answered(open_call, [disk] * len(open_call))
            open_call = ()
        elif open_call and what in {"gone", "refused"}:
            dropped += way.failed(open_call, now, gone=what == "gone")
            open_call = ()
        open_call = open_call or way.due(now)

    if ring is not None:
        assert list(dict.fromkeys(taken)) == list(range(1, sent + 1)), "again, but first in order"
        assert dropped == 0
    else:
        assert taken == sorted(set(taken))
        assert len(taken) + dropped == sent
