"""Bars that a running desk's tape lacks, from its broker's history, into the tape.

    ray job submit -- python -m jobs.backfill [--date 2026-11-20] [--index NIFTY …] [--symbols …] [--seconds 60 180]

Wanted are, of each index, the level and every listed future from the open, and each option from its first tick on the
tape: before it nobody watched it (named by --symbols, it too is wanted from the open). Bars the tape proves to be none,
as the contract did not trade, and those Kite is known not to have are not asked for. A simulated desk asks its own
exchange, a live one Kite. Every answer is on disk before the next question, so that a job that was killed and is
started again asks for the rest alone. Exit code 1: the broker did not answer to the end.
"""

import argparse
import datetime as dt
import fcntl
import getpass
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from kiteconnect import KiteConnect

from brokers.kite.history import FINAL_S, INTERVALS, Gap, backfill, requests_of
from brokers.kite.limiter import BUNCHING_NS, WINDOWS, Call, Limiter
from cluster.account import login_path, make_client, root_of
from cluster.desk import Desk, is_local, market_clock, market_day, simulated, tape_url
from cluster.dump import install_dump, read_listing
from cluster.facts import install_copy
from cluster.running import job_state, running_desk
from cluster.settings import PASSPHRASE
from core.errors import BrokerDown, ConfigError, DeskError, InputError, VikalpError
from core.kite.instruments import Listing
from core.market import check_index, from_ns, previous_session, session, why_closed
from core.records import Stamp
from core.schemas import Kind
from jobs.wanted import in_words, midnight_ns, wanted
from storage.backfilled import backfill_root
from storage.holes import Holes
from storage.secrets import kind_at
from storage.tape import ParquetTape
from storage.taped_day import TapedDay

SECOND = 1_000_000_000
SOURCE = "backfill"  # the sender, on the tape
# Of Kite's 3 historical requests a second and account: the order manager's limiter is in another process and knows
# nothing of this one, so that one request a second is left to whoever else asks.
REQUESTS = 2
IN_NS = SECOND + BUNCHING_NS
SAID_S = 10.0  # between two words of how far it is
NAMED = 5  # symbols and refusals in a sentence; of more only how many

Say = Callable[[str], None]


@dataclass
class Done:
    """What has come of it so far; `refused` in sentences."""

    requests: int = 0
    bars: int = 0
    contracts: set[str] = field(default_factory=set)
    nowhere: int = 0  # bars Kite does not have
    refused: list[str] = field(default_factory=list)


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code 0; 1 when the broker stopped answering, what had come is kept; 2 after a line that says why not."""
    args = _arguments(argv)
    try:
        desk = _desk(args.desk)
        day = _date(args.date) if args.date else latest(desk)
        indices = tuple(args.index) or desk.settings.indices
        _check(desk, day, indices)
        _unlock(desk)
        with _alone(Path(desk.data_dir)):
            return run(desk, day, indices, args.symbols, args.seconds, say=lambda line: print(line, flush=True))
    except (VikalpError, OSError) as error:
        print(f"backfill: {error}", file=sys.stderr)
        return 2


def run(
    desk: Desk, day: dt.date, indices: Sequence[str], symbols: Sequence[str], seconds: Sequence[int], *, say: Say
) -> int:
    """As `main`, for a desk that was found and whose tape no other job fills."""
    began, now_ns, root = time.monotonic(), _asked_at(desk), tape_url(desk)
    _, listing = read_listing(desk)
    _require_listed(symbols, listing, indices)
    ParquetTape(backfill_root(root)).recover()  # what a job before this one had on the disk is no gap
    holes = Holes(root).read()
    gaps: list[Gap] = []
    for index in indices:
        want = wanted(TapedDay(root, day, index), listing, index, day, seconds=seconds, now_ns=now_ns, holes=holes,
                      symbols=symbols)  # fmt: skip
        say(f"{index} on {day}: {in_words(want.counts)}")
        if want.unlisted:
            say(f"  not in today's instrument dump: {_some(want.unlisted)}; Kite has no history of what has expired")
        gaps += want.gaps
    gaps.sort(key=_first_things_first)
    requests = sum(len(requests_of(gap)) for gap in gaps)
    say(f"{requests} requests, at most {REQUESTS} in {IN_NS / SECOND:g} s: {_minutes(least_s(requests))}")
    done, why = Done(), ""
    try:
        if requests:
            fill(gaps, make_client(desk), limiter(), root, now_ns=now_ns, done=done, say=now_and_then(say, requests))
    except BrokerDown as error:
        why = f"stopped after {done.requests} of {requests} requests: {error}; run it again for the rest"
    for line in (*summary(done), f"took {time.monotonic() - began:.1f} s", *filter(None, [why])):
        say(line)
    return 1 if why else 0


def fill(
    gaps: Iterable[Gap],
    client: KiteConnect,
    limiter: Limiter,
    root: str,
    *,
    now_ns: int,
    done: Done,
    say: Callable[[Done], None] = lambda _: None,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Ask, and have each answer on the disk before the next question; `done` is kept up to date.

    Bars go to a tape of their own beside the recorder's (storage.backfilled), what Kite does not have to its holes.
    Raises BrokerDown when Kite does not answer, OSError when the disk does not take it: what is in `done` is kept.
    """
    tape, holes, epoch = ParquetTape(backfill_root(root)), Holes(root), time.time_ns()
    sent: Counter[str] = Counter()
    for one in backfill(gaps, client, limiter, now_ns=now_ns, sleep=sleep):
        for batch in one.batches:
            index = batch["index"][0].as_py()
            sent[index] += 1
            stamp = Stamp(
                source=SOURCE, topic="bars", index=index, epoch=epoch, sequence=sent[index], sent_wall_ns=time.time_ns()
            )
            tape.append(stamp, "bars", index, batch)
        tape.flush()
        if one.holes:
            holes.add(one.holes)
        rows = sum(batch.num_rows for batch in one.batches)
        done.requests, done.bars = done.requests + 1, done.bars + rows
        done.contracts |= {one.symbol} if rows else set()
        done.nowhere += sum((hole.end_ns - hole.first_ns) // (hole.seconds * SECOND) for hole in one.holes)
        done.refused += one.refused
        say(done)


def limiter(clock: Callable[[], int] = time.monotonic_ns) -> Limiter:
    """This process's own: of the account's historical requests as many as it may take."""
    own = {"most": REQUESTS, "period_ns": IN_NS}
    windows = [replace(one, **own) if one.calls == {Call.HISTORY} else one for one in WINDOWS]
    return Limiter(windows, clock=clock)


def least_s(requests: int) -> float:
    """Until the last of them is asked, if every answer comes at once."""
    return max(0, -(-requests // REQUESTS) - 1) * IN_NS / SECOND


def now_and_then(say: Say, requests: int, *, clock: Callable[[], float] = time.monotonic) -> Callable[[Done], None]:
    """Told of each request, it says every SAID_S how far it is, and how long the rest takes at the pace so far."""
    began = said = clock()

    def look(done: Done) -> None:
        nonlocal said
        if clock() - said >= SAID_S:
            said = clock()
            left = _minutes((said - began) / done.requests * (requests - done.requests))
            say(f"{done.requests} of {requests} requests, {done.bars} bars filled, {left} left")

    return look


def latest(desk: Desk) -> dt.date:
    """The last session that has begun: of a live desk at the weekend the one before."""
    day = market_day(desk)
    return previous_session(desk.exchange, day) if midnight_ns(day) > market_clock(desk).now_ns() else day


def summary(done: Done) -> Iterator[str]:
    yield f"filled {done.bars} bars of {len(done.contracts)} contracts"
    yield f"{done.nowhere} bars are not at the broker's either, and are not asked for again"
    if done.refused:
        yield f"refused, {len(done.refused)} in all:"
        yield from (f"  {why}" for why in done.refused[:NAMED])


def _first_things_first(gap: Gap) -> tuple[int, bool, str, int]:
    kind = gap.contract.kind
    return min(kind, Kind.CALL), gap.contract.expiry is None, gap.contract.symbol, gap.seconds


def _desk(number: int | None) -> Desk:
    """The running desk, with its own facts of the exchanges in use here."""
    state = job_state(number)
    for why in filter(None, (install_copy(Path(state.data_dir)), install_dump(Path(state.data_dir)))):
        raise InputError(why)
    if state.mode == "REPLAY":
        raise ConfigError(f"desk {state.desk} replays a recorded day: its broker is of paper and has no history to ask")
    return running_desk(state)


def _date(text: str) -> dt.date:
    try:
        return dt.date.fromisoformat(text)
    except ValueError as error:
        raise InputError(f"--date: {error}; as 2026-11-20") from error


def _unlock(desk: Desk) -> None:
    """A job of the desk has the passphrase of the stored login in its environment; who runs it by hand is asked."""
    if is_local(desk) or os.environ.get(PASSPHRASE) or kind_at(login_path(root_of(desk))) != "passphrase":
        return
    if not sys.stdin.isatty():
        raise ConfigError(
            f"the login is stored under a passphrase: give it as {PASSPHRASE}, or run this in a terminal, which asks "
            "for it, or as a job of the desk, which has it"
        )
    os.environ[PASSPHRASE] = getpass.getpass("passphrase of the stored login: ")


def _check(desk: Desk, day: dt.date, indices: Sequence[str]) -> None:
    for index in indices:
        if check_index(index) not in desk.settings.indices:
            raise ConfigError(f"--index: the desk has {', '.join(desk.settings.indices)}, not {index}")
    if session(desk.exchange, day) is None:
        raise InputError(f"--date: {day} has no session: {why_closed(desk.exchange, day)}")
    if midnight_ns(day) > market_clock(desk).now_ns():
        raise InputError(
            f"--date: {day} is yet to come; the desk is at {from_ns(market_clock(desk).now_ns()):%Y-%m-%d}"
        )


def _require_listed(symbols: Sequence[str], listing: Listing, indices: Sequence[str]) -> None:
    known = {one.symbol for one in listing.contracts if one.index in indices}
    absent = [symbol for symbol in symbols if symbol not in known]
    if absent:
        raise InputError(
            f"--symbols: not in today's instrument dump of {', '.join(indices)}: {_some(absent)}; Kite has no history "
            "of what has expired"
        )


def _asked_at(desk: Desk) -> int:
    """Market time; a simulated session's clock stands still at its close, where all its candles are final."""
    now_ns = market_clock(desk).now_ns()
    over = is_local(desk) and now_ns >= simulated(desk).close_ns
    return now_ns + (FINAL_S + max(INTERVALS)) * SECOND if over else now_ns


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """The one job that fills this desk's tape; the system gives it back with the process."""
    with (folder / "backfill.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise DeskError("another backfill fills this desk's tape: wait for its end") from error
        yield


def _minutes(seconds: float) -> str:
    minutes = round(seconds / 60)
    return "less than a minute" if seconds < 60 else f"about {minutes} minute{'s' if minutes > 1 else ''}"


def _some(names: Sequence[str]) -> str:
    left = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {left} more" if left > 0 else "")


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m jobs.backfill", description=__doc__.splitlines()[0])
    parser.add_argument("--date", help="session to fill, YYYY-MM-DD (default: the latest that has begun)")
    parser.add_argument("--index", nargs="*", default=[], help="indices to fill (default: all of the desk)")
    parser.add_argument("--symbols", nargs="*", default=[], help="these contracts alone, each from the open")
    parser.add_argument("--seconds", nargs="*", type=int, default=[60, 180], help="bar lengths (default 60 180)")
    parser.add_argument("--desk", type=int, help="desk number (default: the one whose job this is)")
    return parser.parse_args(argv)


if __name__ == "__main__":
    os.nice(10)  # the desk goes first
    sys.exit(main())
