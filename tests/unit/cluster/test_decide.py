"""The supervisor's judgement, case by case, without Ray."""

from dataclasses import replace

import pytest

from cluster.decide import NS, SupervisionConfig, Watch, decide
from cluster.seen import Seen
from cluster.topology import Spec
from cluster.vitals import Vitals
from core.records import Health

NOW = 1_000 * NS
LIMITS = SupervisionConfig(stuck_s=4, open_s=90, silent_s=10)


def vitals(counts: dict[str, int] | None = None, **health: int) -> Vitals:
    fields = {"started_ns": NOW - 60 * NS, "ready_ns": NOW - 50 * NS, "progress_ns": NOW - NS, "in_flight_since_ns": 0}
    said = Health(**(fields | health), handled=1, gaps=0, refused=0)
    return Vitals(name="x", pid=1, spec_hash="", node_id="n", rss_mb=1, dropped={}, health=said, counts=counts or {})


def watch(**changes: object) -> Watch:
    fields: dict = {
        "exists": True, "upstream": (), "vitals": vitals(), "asked_ns": 0, "process_alive": True,
        "starts_ns": (NOW - 60 * NS,), "quarantined": False,
    }  # fmt: skip
    return Watch(**(fields | changes))


def judged(*, market_open: bool = True, **watches: Watch) -> dict[str, tuple[str, str]]:
    found = decide(watches, now_ns=NOW, market_open=market_open, limits=LIMITS)
    return {name: (one.state, one.do) for name, one in found.items()}


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        (watch(), ("READY", "nothing")),
        (watch(vitals=None), ("STARTING", "nothing")),
        (watch(vitals=None, starts_ns=(1, 2)), ("RESTARTING", "nothing")),
        (watch(vitals=None, asked_ns=NOW - 89 * NS), ("STARTING", "nothing")),
        (watch(vitals=None, asked_ns=NOW - 91 * NS), ("STUCK", "kill")),  # adopted, and it hangs
        (watch(process_alive=False, asked_ns=NOW - 91 * NS), ("STUCK", "kill")),  # the next one hangs from the start
        (watch(exists=False), ("DEAD", "create")),
        (watch(process_alive=False, asked_ns=NOW - 9 * NS), ("RESTARTING", "nothing")),
        (watch(asked_ns=NOW - 3 * NS), ("READY", "nothing")),
        (watch(asked_ns=NOW - 5 * NS), ("STUCK", "kill")),
        (watch(vitals=vitals(in_flight_since_ns=NOW - 5 * NS)), ("STUCK", "kill")),
        (watch(vitals=vitals(ready_ns=0, in_flight_since_ns=NOW - 30 * NS)), ("STARTING", "nothing")),
        (watch(vitals=vitals(ready_ns=0, in_flight_since_ns=NOW - 91 * NS)), ("STUCK", "kill")),
        (watch(starts_ns=tuple(NOW - n * NS for n in range(5))), ("READY", "nothing")),
        (watch(starts_ns=tuple(NOW - n * NS for n in range(6))), ("QUARANTINED", "quarantine")),
        (watch(starts_ns=tuple(NOW - n * 20 * NS for n in range(20))), ("READY", "nothing")),
        (watch(quarantined=True, exists=False), ("QUARANTINED", "nothing")),
    ],
)
def test_each_state_by_itself(seen: Watch, expected: tuple[str, str]) -> None:
    assert judged(x=seen)["x"] == expected


def test_only_the_one_that_is_silent_by_itself_is_killed() -> None:
    quiet = vitals(progress_ns=NOW - 20 * NS)
    feed_speaks = judged(feed=watch(upstream=("feed",)), shard=watch(upstream=("feed",), vitals=quiet))
    feed_silent = judged(feed=watch(upstream=("feed",), vitals=quiet), shard=watch(upstream=("feed",), vitals=quiet))

    assert feed_speaks == {"feed": ("READY", "nothing"), "shard": ("SILENT", "kill")}
    assert feed_silent == {"feed": ("SILENT", "kill"), "shard": ("READY", "nothing")}


def test_after_an_outage_nobody_is_silent_before_its_source_has_spoken_again_for_as_long() -> None:
    quiet = vitals(progress_ns=NOW - 30 * NS)
    for spoken_s, expected in ((2, "READY"), (9, "READY"), (11, "SILENT")):
        link = watch(speaks_since_ns=NOW - spoken_s * NS)
        assert judged(link=link, feed=watch(upstream=("link",), vitals=quiet))["feed"][0] == expected


def test_progress_after_a_pause_begins_to_speak_anew() -> None:
    seen = Seen(Spec(name="link", cls=object, config=SupervisionConfig()))
    moments = []
    for second in (0, 1, 4, 30, 31):
        seen.take(vitals(progress_ns=NOW + second * NS), NOW + second * NS, silent_s=10)
        moments.append((seen.speaks_since_ns - NOW) // NS)

    assert moments == [0, 0, 0, 30, 30]


def test_a_feed_that_has_to_refuse_all_it_gets_is_at_work_and_its_shard_owes_nothing() -> None:
    quiet = vitals(progress_ns=NOW - 60 * NS)
    feed = watch(upstream=("link",), vitals=quiet, refused_all_ns=NOW - NS)
    link, shard = watch(), watch(upstream=("feed",), vitals=quiet)
    assert judged(link=link, feed=feed, shard=shard)["feed"] == ("READY", "nothing")
    assert judged(link=link, feed=feed, shard=shard)["shard"] == ("READY", "nothing")

    no_more = replace(feed, refused_all_ns=NOW - 11 * NS)  # nor does it refuse: it hangs
    assert judged(link=link, feed=no_more)["feed"] == ("SILENT", "kill")


def after(answers: list[dict[str, int]]) -> int:
    """Seconds at which one was last seen to have refused all it got; 0 is never."""
    seen = Seen(Spec(name="feed", cls=object, config=SupervisionConfig()))
    for second, counts in enumerate(answers, 1):
        seen.take(vitals(counts), second * NS, silent_s=10)
    return seen.watch("n").refused_all_ns // NS


def test_all_is_refused_while_refusals_grow_and_nothing_is_sent() -> None:
    assert after([{"ticks": 5, "refused_time": 7}]) == 0, "one look says nothing: they may be of long ago"
    assert after([{"ticks": 5, "refused_time": 7}] * 3) == 0
    assert after([{"ticks": 5}, {"ticks": 5, "refused_time": 9}, {"ticks": 5, "refused_time": 9}]) == 2
    assert after([{}, {"refused_time": 9}, {"refused_time": 9, "refused_null": 1}]) == 3
    assert after([{"ticks": 5, "refused_time": 7}, {"ticks": 6, "refused_time": 70}]) == 0, "a shard has its due"
    assert after([{"ticks": 5, "refused_time": 7}, {"ticks": 0, "refused_time": 2}]) == 0, "a new process"


def test_nobody_is_silent_while_the_market_is_closed_or_before_it_had_time() -> None:
    quiet = watch(upstream=("x",), vitals=vitals(progress_ns=NOW - 20 * NS))
    young = watch(upstream=("x",), vitals=vitals(progress_ns=0, ready_ns=NOW - 2 * NS))

    assert judged(market_open=False, x=quiet)["x"] == ("READY", "nothing")
    assert judged(x=young)["x"] == ("READY", "nothing")
