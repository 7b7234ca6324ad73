"""`python -m tests.unit.kite.fuzz_client N [SEED]`: N malformed answers, none of which may harm the client of Kite.

What may be concluded is read from the answer as it was sent (fuzz_judges):
an order is ACK only by its id in a whole answer that says success in a status of success; REFUSED only by an envelope
of an error that proves that nothing was placed; UNKNOWN else, and each is one request. A read gives the rows of the
answer, or raises BrokerDown or InputError; anything else, or an answer that takes longer than the patience, fails.
"""

import contextlib
import datetime as dt
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
from kiteconnect import KiteConnect

from brokers.kite import session, wire
from brokers.kite.broker import KiteBroker, KiteConfig
from brokers.kite.history import Gap, backfill
from brokers.kite.instruments import download
from brokers.kite.limiter import Call, Limiter, Window
from brokers.kite.login import Login
from brokers.kite.outcome import careful
from core.errors import BrokerDown, InputError
from core.kite.instruments import Listing, listing_of
from core.market import IST, to_ns
from core.market.symbols import Contract
from core.orders.answer import Answer
from core.orders.plans.plan import GttLeg, PlaceGtt
from core.records import Intent, Terms
from core.schemas import Kind
from storage.instruments import instruments_of
from tests.unit.kite.fuzz_bodies import Reply, malformed
from tests.unit.kite.fuzz_judges import JUDGES, judge_read
from tests.unit.kite.fuzz_seeds import OURS, SYMBOL, sound
from tests.unit.kite.fuzz_server import Server

PATIENCE_S, WHOLE_S = 0.25, 0.6  # for a byte, and for an answer
LONGEST_S = 2 * (PATIENCE_S + WHOLE_S) + 5.0  # of a call, which may be two requests; and a machine that is busy
DAY = dt.date(2026, 11, 20)
NOW, OPEN_NS = (to_ns(dt.datetime.combine(DAY, at, IST)) for at in (dt.time(20), dt.time(9, 15)))
CONTRACT = Contract("NIFTY", Kind.CALL, dt.date(2026, 11, 23), 26_000_00, SYMBOL)
GAP = Gap(CONTRACT, 10189826, 60, OPEN_NS + 60_000_000_000 * np.arange(5, dtype=np.int64))
INTENT = Intent(tag=OURS[0], strategy="", index="NIFTY", symbol=SYMBOL, side="BUY", quantity=65, order_type="LIMIT",
                limit_paise=10_150)  # fmt: skip
GTT = PlaceGtt(name=OURS[0], symbol=SYMBOL, side="SELL", quantity=65, last_paise=10_150, legs=(
    GttLeg(trigger_paise=9_100, limit_paise=9_050), GttLeg(trigger_paise=12_000, limit_paise=11_950)))  # fmt: skip
WEIGHTS = {"modify": 10, "margins": 5, "gtts": 6, "place gtt": 5, "cancel gtt": 3, "convert": 4,
           "place": 30, "cancel": 10, "book": 15, "find": 5, "trades": 12, "instruments": 8, "history": 8,
           "open session": 5, "adopt": 3, "is alive": 2, "close session": 2}  # fmt: skip
ASKS = {"modify": "order", "margins": "margins", "gtts": "gtts", "place gtt": "trigger", "cancel gtt": "trigger",
        "convert": "convert", "place": "order", "cancel": "order", "book": "orders", "find": "orders",
        "trades": "trades", "instruments": "instruments", "history": "history", "open session": "session",
        "adopt": "profile", "is alive": "profile", "close session": "logout"}  # fmt: skip


class Client:
    """Every call of brokers/kite to one server, each with a budget of its own and the patience above."""

    def __init__(self, root: str) -> None:
        self._login = Login(root=root, api_key="key", api_secret="secret", access_token="T" * 32)
        tokens = map("{:032}".format, count())  # another each time: one that was called dead is not used again
        self._broker = KiteBroker(
            KiteConfig(api_key="key", root=root, timeout_s=PATIENCE_S + WHOLE_S), lambda: next(tokens)
        )
        self._plain = careful(KiteConnect("key", "T" * 32, root=root, timeout=PATIENCE_S))

    def ask(self, name: str) -> object:
        budget = Limiter([Window(frozenset(Call), 100, 1)], cool_down_ns=10**12)  # after a 429 nothing is asked again
        self._broker._limiter = budget
        calls: Mapping[str, Callable[[], object]] = {
            "place": lambda: self._broker.place(INTENT),
            "cancel": lambda: self._broker.cancel("1953341975595868160"),
            "modify": lambda: self._broker.modify("1953341975595868160", Terms(order_type="LIMIT", limit_paise=10_200)),
            "margins": self._broker.margins,
            "gtts": self._broker.gtts,
            "place gtt": lambda: self._broker.place_gtt(GTT),
            "cancel gtt": lambda: self._broker.cancel_gtt("112127"),
            "convert": lambda: self._broker.convert(SYMBOL, "NRML", "MIS", 65),
            "book": self._broker.book,
            "find": lambda: self._broker.find(OURS[0]),
            "trades": self._broker.trades,
            "instruments": lambda: _listing(lambda: download(self._plain, budget, ("NFO",))),
            "history": lambda: list(backfill([GAP], self._plain, budget, now_ns=NOW)),
            "open session": lambda: session.open_session(self._login, "R" * 32, NOW),
            "adopt": lambda: session.adopt(self._login, "T" * 32, NOW),
            "is alive": lambda: session.is_alive(self._login),
            "close session": lambda: session.close_session(self._login),
        }
        return calls[name]()


def _listing(fetch: Callable[[], bytes]) -> Listing:
    """The day's contracts, as a desk comes by them: fetched, kept in a file, read, listed."""
    with tempfile.TemporaryDirectory() as folder:
        read = instruments_of(Path(folder), DAY, fetch, now=dt.datetime.combine(DAY, dt.time(9), IST))
    return listing_of(read.table, ("NIFTY",))


def fuzz(rounds: int, seed: int) -> Counter[str]:
    """How often each call came to what; AssertionError, with seed, number and answer, for what it may not come to."""
    totals: Counter[str] = Counter()
    replies: dict[str, Reply] = {}
    with patience(), Server(lambda method, path: replies.get(_kind(method, path), replies["other"])) as server:
        client = Client(server.root)
        for number in range(rounds):
            rng = random.Random(f"{seed} {number}")
            (call,) = rng.choices(list(WEIGHTS), list(WEIGHTS.values()))
            reply = sound(rng, ASKS[call])
            if rng.random() < 0.95:  # and some as they should be
                reply = malformed(rng, reply)
            replies.clear()
            replies["other"] = reply
            if call == "trades":  # whose they are is read from the book
                replies["orders"] = sound(rng, "orders") if rng.random() < 0.7 else malformed(rng, sound(rng, "orders"))
            asked, began = len(server.asked), time.monotonic()
            try:
                try:
                    got: object = client.ask(call)
                except (BrokerDown, InputError) as error:
                    got = error
                took, many = time.monotonic() - began, len(server.asked) - asked
                assert took < LONGEST_S, f"it took {took:.1f} s"
                JUDGES.get(call, judge_read)(got, reply, many)
            except Exception as error:
                raise AssertionError(
                    f"seed {seed}, number {number}, {call}: {type(error).__name__}: {error}; answer {_short(reply)}"
                ) from error
            totals[f"{call}: {got.kind if isinstance(got, Answer) else type(got).__name__}"] += 1
    return totals


@contextlib.contextmanager
def patience() -> Any:
    """Short limits for what has no setting of its own."""
    before = session.TIMEOUT_S, wire.WHOLE_S
    session.TIMEOUT_S, wire.WHOLE_S = PATIENCE_S, WHOLE_S
    try:
        yield
    finally:
        session.TIMEOUT_S, wire.WHOLE_S = before


def _kind(method: str, path: str) -> str:
    return path.strip("/") if method == "GET" else "other"


def _short(reply: Reply) -> str:
    return f"{reply.status} {reply.framing} {reply.fault or 'whole'} {str(reply.headers)[:200]} {reply.body[:600]!r}"


if __name__ == "__main__":
    given = int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0
    print(f"fuzz of the client: {given[0]} answers, seed {given[1]}", flush=True)
    for what, times in sorted(fuzz(*given).items()):
        print(f"  {what:28} {times}")
