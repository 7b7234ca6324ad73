"""The job that fills a desk's tape, as a person or Ray starts it."""

import fcntl
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from brokers.kite.limiter import Call
from brokers.kite.login import Login
from cluster.account import login_path
from cluster.desk import Desk, tape_url
from cluster.running import running_desk
from cluster.settings import PASSPHRASE, KiteSettings
from cluster.state import ROOT, write_state
from core.kite.instruments import Listing
from core.market import from_ns, session
from core.schemas import BARS
from jobs.backfill import Done, latest, least_s, limiter, main, now_and_then
from storage.backfilled import backfill_root
from storage.secrets import Passphrase, Secrets
from storage.tape import ParquetTape, read_partition, read_tape
from tests.unit.backfill_desk import (
    NOW,
    SECOND,
    Hand,
    _logged_in,
    desk,
    filled,
    home,
    listing,
    made_desk,
    missing,
    number,
    paper,
    recorded,
    rows,
    served,
)
from tests.unit.exchange.conftest import DATE

__all__ = ["_logged_in", "desk", "home", "listing", "number", "recorded", "served"]


def test_its_limiter_leaves_a_third_of_the_historical_requests_to_others() -> None:
    hand, granted = Hand(), 0
    ours = limiter(hand)
    while hand.now < 60 * SECOND:
        granted += not ours.ask(Call.HISTORY)
        hand.sleep(0.05)
    assert 90 < granted <= 2 * 60


@pytest.mark.parametrize("requests", [0, 1, 2, 3, 100, 2_600])
def test_how_long_it_will_take_is_what_its_limiter_takes(requests: int) -> None:
    hand = Hand()
    ours = limiter(hand)
    for _ in range(requests):
        while wait := ours.ask(Call.HISTORY):
            hand.now += wait
    assert least_s(requests) == pytest.approx(hand.now / SECOND)


def test_it_says_every_ten_seconds_how_far_it_is_and_how_long_at_this_pace_the_rest_takes() -> None:
    hand, said = Hand(), list[str]()
    look = now_and_then(said.append, 600, clock=lambda: hand.now / SECOND)
    for requests in range(1, 601):
        hand.sleep(1.0)
        look(Done(requests=requests, bars=5 * requests))
    assert said[0] == "10 of 600 requests, 50 bars filled, about 10 minutes left"
    assert said[-2:] == [
        "590 of 600 requests, 2950 bars filled, less than a minute left",
        "600 of 600 requests, 3000 bars filled, less than a minute left",
    ]
    assert len(said) == 60


# The command


def test_the_job_finds_its_desk_says_what_it_did_and_does_it_once(
    desk: Desk, number: int, capsys: pytest.CaptureFixture[str]
) -> None:
    args = ["--desk", str(number), "--symbols", "NIFTY", "NIFTY26NOVFUT", "--seconds", "60"]
    assert main(args) == 0
    said = capsys.readouterr().out
    assert "NIFTY on 2026-11-20: 2 contracts; bars: " in said
    assert said.index("2 requests, at most 2 in 1.2 s: less than a minute\n") < said.index("filled ")
    assert "of 2 contracts" in said
    assert "took " in said
    once = rows(read_partition(backfill_root(tape_url(desk)), "bars", DATE, "NIFTY"))
    assert main(args) == 0
    again = rows(read_partition(backfill_root(tape_url(desk)), "bars", DATE, "NIFTY"))  # each once, so asked for once
    assert again.items() >= once.items()
    assert read_tape(tape_url(desk), "bars", DATE, "NIFTY").schema.equals(BARS)
    with (Path(desk.data_dir) / "backfill.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert main(args) == 2
    assert "another backfill" in capsys.readouterr().err


def test_a_live_desk_at_the_weekend_fills_the_session_before(number: int) -> None:
    live = running_desk(paper(number))
    begun = latest(live)
    assert begun <= from_ns(time.time_ns()).date()
    assert session("NSE", begun) is not None
    assert latest(made_desk(number=number)) == DATE


@pytest.mark.usefixtures("desk")
def test_what_it_cannot_do_it_says_in_words(number: int, capsys: pytest.CaptureFixture[str]) -> None:
    one = ["--desk", str(number)]
    for args, words in (
        ([*one, "--symbols", "NIFTY26N1723700CE"], "Kite has no history of what has expired"),
        ([*one, "--index", "SENSEX"], "the desk has NIFTY, not SENSEX"),
        ([*one, "--index", "NIFTEE"], "known are"),
        ([*one, "--date", "2026-11-21"], "has no session"),
        ([*one, "--date", "2026-11-23"], "is yet to come"),
        ([*one, "--date", "yesterday"], "yesterday"),
        ([*one, "--seconds", "3600"], "Kite has no candles"),
        (["--desk", "0"], "desk 0 is not running"),
    ):
        assert main(args) == 2
        assert words in capsys.readouterr().err
    made_desk("r", number=number, mode="replay")
    assert main(one) == 2
    assert "replays a recorded day" in capsys.readouterr().err


class Stdin:
    def __init__(self, *, terminal: bool) -> None:
        self.isatty = lambda: terminal


def test_by_hand_the_passphrase_of_a_live_desk_is_asked_for(
    number: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    nobody = KiteSettings(root="http://127.0.0.1:9", api_key="key")
    write_state(paper(number, nobody))
    monkeypatch.setenv(PASSPHRASE, "")
    login = Login(root=nobody.root, api_key="key", api_secret="s", access_token="T" * 32, expires_ns=1 << 62)
    Secrets(login_path(nobody.root), Passphrase("the words"), Login, iterations=1).save(login)

    monkeypatch.setattr(sys, "stdin", Stdin(terminal=False))
    assert main(["--desk", str(number)]) == 2
    assert f"give it as {PASSPHRASE}" in capsys.readouterr().err

    monkeypatch.setattr(sys, "stdin", Stdin(terminal=True))
    monkeypatch.setattr("getpass.getpass", lambda asked: "the words" if "passphrase" in asked else "")
    assert main(["--desk", str(number)]) == 2
    assert "Kite cannot be reached" in capsys.readouterr().err, "the login opened, and was used"


def test_a_bug_is_not_said_to_be_the_users(desk: Desk, number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def bug(*_: object, **__: object) -> None:
        raise ValueError("array is too big")

    assert desk
    monkeypatch.setattr("jobs.backfill.wanted", bug)
    with pytest.raises(ValueError, match="too big"):
        main(["--desk", str(number)])


def test_killed_at_any_moment_it_asks_for_the_rest_alone(desk: Desk, number: int, listing: Listing) -> None:
    """A process of its own, killed with SIGKILL as soon as some of it is on the disk."""
    symbols = [c.symbol for c in listing.contracts if c.symbol in {"NIFTY", "INDIA VIX"} or c.kind == 1]
    args = [sys.executable, "-m", "jobs.backfill", "--desk", str(number), "--symbols", *symbols]
    root = tape_url(desk)
    process = subprocess.Popen(args, cwd=ROOT, stdout=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 60  # of a busy machine
        while not list(Path(backfill_root(root)).rglob("part-*.parquet")):
            assert time.monotonic() < until, "nothing was filled"
            assert process.poll() is None
            time.sleep(0.01)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    ParquetTape(backfill_root(root)).recover()  # as the job does
    kept = rows(read_partition(backfill_root(root), "bars", DATE, "NIFTY"))
    left = missing(desk, listing, *symbols, now_ns=NOW)
    assert 0 < len(left.gaps) < 10, "some is done, some is left"
    done = filled(desk, left, now_ns=NOW)
    whole = rows(read_partition(backfill_root(root), "bars", DATE, "NIFTY"))
    assert len(whole) == len(kept) + done.bars, "nothing was asked for twice"
    assert not missing(desk, listing, *symbols, now_ns=NOW).gaps


def test_one_killed_before_a_part_had_its_name_fills_no_bar_twice(desk: Desk, number: int) -> None:
    assert main(["--desk", str(number), "--symbols", "NIFTY"]) == 0
    root = backfill_root(tape_url(desk))
    before = rows(read_partition(root, "bars", DATE, "NIFTY"))
    (part, *_) = sorted(Path(root).rglob("part-*.parquet"), reverse=True)
    part.rename(part.with_name(f".{part.name}"))

    assert main(["--desk", str(number), "--symbols", "NIFTY"]) == 0
    assert rows(read_partition(root, "bars", DATE, "NIFTY")) == before
