"""The reliable way's memory, without Ray."""

from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from cluster.ring import Entry, Ring
from core.records import Stamp
from tests.cluster.plain import batch


def entry(sequence: int, topic: str = "ticks", size: int = 10, index: str = "NIFTY") -> Entry:
    stamp = Stamp(source="link", topic=topic, index=index, epoch=1, sequence=sequence, sent_wall_ns=0)
    return Entry(stamp, batch(sequence), size)


def handed_out(ring: Ring) -> list[int]:
    out = []
    while (found := ring.next()) is not None:
        out.append(found.stamp.sequence)
    return out


def test_what_is_durable_is_forgotten_and_the_rest_is_sent_again() -> None:
    ring = Ring(1000)
    for sequence in range(1, 6):
        ring.append(entry(sequence))

    assert handed_out(ring) == [1, 2, 3, 4, 5]
    ring.durable(entry(5).stamp, 3)
    assert len(ring) == 2
    assert handed_out(ring) == []
    ring.rewind()
    assert handed_out(ring) == [4, 5]


def test_a_full_ring_gives_up_the_oldest_and_counts_it() -> None:
    ring = Ring(30)
    for sequence in range(1, 6):
        ring.append(entry(sequence))

    assert ring.lost == 2
    assert ring.bytes == 30
    assert handed_out(ring) == [3, 4, 5]


def test_topics_are_made_durable_apart() -> None:
    ring = Ring(1000)
    ring.append(entry(1, "ticks"))
    ring.append(entry(1, "bars"))
    handed_out(ring)
    ring.durable(entry(1, "bars").stamp, 1)
    ring.rewind()

    assert [ring.next().stamp.topic, ring.next()] == ["ticks", None]


def test_indices_are_made_durable_apart() -> None:
    ring = Ring(1000)
    for sequence in (1, 2):
        ring.append(entry(sequence, index="NIFTY"))
        ring.append(entry(sequence, index="SENSEX"))
    handed_out(ring)
    ring.durable(entry(2, index="NIFTY").stamp, 2)
    ring.rewind()

    left = [found.stamp for found in iter(ring.next, None)]
    assert [(stamp.index, stamp.sequence) for stamp in left] == [("SENSEX", 1), ("SENSEX", 2)]


@hypothesis_settings(deadline=None)  # a busy machine is no failure
@given(st.lists(st.tuples(st.sampled_from(["append", "next", "durable", "rewind"]), st.integers(0, 30)), max_size=80))
def test_nothing_undurable_is_ever_lost_and_order_is_kept(steps: list[tuple[str, int]]) -> None:
    ring, added, durable = Ring(10**9), 0, 0
    for what, number in steps:
        if what == "append":
            added += 1
            ring.append(entry(added))
        elif what == "next":
            ring.next()
        elif what == "durable" and added:
            durable = max(durable, min(number, added))
            ring.durable(entry(1).stamp, min(number, added))
        elif what == "rewind":
            ring.rewind()
    ring.rewind()

    assert handed_out(ring) == list(range(durable + 1, added + 1))
    assert ring.lost == 0
