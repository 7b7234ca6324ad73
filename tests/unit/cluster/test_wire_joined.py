"""Messages that came together: those that mean no more than their rows are one batch."""

from typing import Any

import pyarrow as pa

from cluster.wire import encode, joined
from core.records import Stamp
from core.schemas import WANTED, Kind
from tests.cluster.plain import batch
from tests.fakes_numbers import chain_of, future_of, option, row, ticks


def sent(topic: str, payload: Any, index: str = "NIFTY") -> tuple[Stamp, Any]:
    return Stamp(source="s", topic=topic, index=index, epoch=1, sequence=1, sent_wall_ns=0), encode(payload)


def wanted(token: int) -> pa.RecordBatch:
    return pa.RecordBatch.from_pylist([{"symbol": f"S{token}", "token": token}], schema=WANTED)


def test_ticks_of_one_index_that_came_together_are_one_batch_in_their_order() -> None:
    first, second, third = ticks(row("A"), row("B")), ticks(row("A", last_paise=5)), ticks(row("C"))
    messages = (sent("ticks", first), sent("ticks", second), sent("ticks", third, "SENSEX"), sent("ticks", first))
    found = list(joined(messages, {"ticks"}))

    assert [len(stamps) for stamps, _ in found] == [2, 1, 1]
    assert found[0][1].to_pylist() == first.to_pylist() + second.to_pylist()
    assert [batch.to_pylist() for _, batch in found[1:]] == [third.to_pylist(), first.to_pylist()]
    assert [len(stamps) for stamps, _ in joined(messages, ())] == [1] * 4


def test_other_topics_are_handed_over_one_by_one() -> None:
    a_chain = chain_of(future_of(), option(Kind.CALL, 25_000, bid=100, ask=101))
    messages = (
        sent("wanted", wanted(1)), sent("wanted", wanted(2)), sent("marks", a_chain), sent("marks", a_chain),
        sent("snapshot", ticks(row("A"))), sent("snapshot", ticks(row("A"))),
    )  # fmt: skip
    found = list(joined(messages, {"ticks"}))

    assert [stamps for stamps, _ in found] == [(stamp,) for stamp, _ in messages]
    assert [batch["token"].to_pylist() for _, batch in found[:2]] == [[1], [2]]
    assert found[2][1].contracts["bid_paise"].to_pylist() == [10_000]


def test_what_is_no_ticks_is_joined_with_nothing_so_that_only_it_is_refused() -> None:
    messages = (sent("ticks", ticks(row("A"))), sent("ticks", batch(1)), sent("ticks", ticks(row("B"))))
    assert [payload.num_rows for _, payload in joined(messages, {"ticks"})] == [1, 1, 1]
