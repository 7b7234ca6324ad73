"""A link on the exchange's socket, through each of its faults: what it passes on, what it says, how long it took."""

import datetime as dt
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from kiteconnect import KiteConnect

from actors.links.link import LinkActor, LinkConfig
from brokers.kite.instruments import download
from brokers.kite.limiter import Limiter
from brokers.kite.socket import KiteSocket
from core.kite.instruments import Listing, exchanges_of, listing_of
from core.market import IST
from core.schemas import WANTED
from exchange.faults import Fault
from storage.instruments import instruments_of
from tests.fakes_feed import HeardBus
from tests.unit.exchange.conftest import DATE, Served, served
from tests.unit.exchange.test_orders import order_of, traded_option, wait
from tests.unit.kite.test_kite_socket import DEADLINE_S, Store, always, config, quick, store, switch

__all__ = ["quick", "served", "store"]
INDICES = ("NIFTY", "SENSEX")


class WallClock:
    def now_ns(self) -> int:
        return time.time_ns()

    wall_ns = now_ns

    def advance(self, to_ns: int) -> None: ...


class Desk:
    """A link with two feeds, which want the first hundred contracts of their index."""

    def __init__(self, socket: KiteSocket, listing: Listing) -> None:
        self.bus, clock = HeardBus(), WallClock()
        self.link = LinkActor(
            LinkConfig(indices=INDICES), bus=self.bus, clock=clock, socket=socket, registry=listing.registry,
            on=dt.datetime.now(IST).date(),
        )  # fmt: skip
        self.wanted = [wanted(listing, index) for index in INDICES]
        self.link.open()

    def until(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + DEADLINE_S
        while not condition():
            assert time.monotonic() < deadline, (self.said(), self.link.counts())
            for one in self.wanted:
                self.link.on_wanted(one)
            self.link.on_timer()
            time.sleep(0.01)

    def until_quotes(self) -> None:
        """Of every contract wanted, from now on, each in its index's batches: a new connection gives the latest."""
        self.bus.heard.clear()
        for index, its in zip(INDICES, self.wanted, strict=True):
            self.until(lambda index=index, its=its: set(its["symbol"].to_pylist()) <= self.symbols(index))

    def symbols(self, index: str) -> set[str]:
        quotes = [batch for topic, batch, its in self.bus.heard if topic == "quotes" and its == index]
        return {symbol for batch in quotes for symbol in batch["symbol"].to_pylist()}

    def said(self) -> list[str]:
        return [alert.message for alert in self.link.alerts()]

    def news(self) -> list[dict[str, Any]]:
        return [row for batch in self.bus.of("order_news") for row in batch.to_pylist()]


def wanted(listing: Listing, index: str) -> pa.RecordBatch:
    own = [one.symbol for one in listing.contracts if one.index == index]
    levels = [symbol for symbol in own if symbol == index]
    rows = [{"symbol": symbol, "token": listing.token(symbol)} for symbol in [*levels, *own[-100:]]]
    return pa.RecordBatch.from_pylist(rows, schema=WANTED)


@pytest.fixture
def desk(served: Served, store: Store, tmp_path: Path) -> Iterator[Desk]:
    now = dt.datetime.combine(DATE, dt.time(9), IST)
    dump = download(served.client(), Limiter(), exchanges_of(INDICES))
    store.tokens.append(served.client().access_token)
    listing = listing_of(instruments_of(tmp_path, DATE, lambda: dump, now=now).table, INDICES)
    desk = Desk(KiteSocket(config(served.root), token=store, market_open=always), listing)
    desk.until_quotes()
    yield desk
    desk.link.close()
    served.world.faults.stop()


@pytest.mark.parametrize("fault", [Fault.DROP, Fault.STALL, Fault.HEARTBEATS_ONLY, Fault.TOKEN_DEATH])
def test_after_a_loss_every_index_has_quotes_again_and_how_long_it_took_is_said(
    served: Served, store: Store, desk: Desk, fault: Fault
) -> None:
    switch(served, fault)
    desk.until(lambda: desk.link.counts()["losses"] == 1)
    if fault is Fault.TOKEN_DEATH:
        desk.until(lambda: any("vikalp login" in words for words in desk.said()))
        store.tokens.append(served.client().access_token)
    served.world.faults.stop()
    desk.until_quotes()

    counts, said = desk.link.counts(), desk.said()
    assert (counts["losses"], counts["recoveries"]) == (1, 1)
    assert 0 < counts["away_ms"] <= counts["no_ticks_ms"]
    assert said[0].startswith("no connection: ")
    assert said[-1].startswith("prices come again, ")
    refused = {name: count for name, count in counts.items() if name.startswith("refused") and count}
    assert refused.keys() <= {"refused_not_full"}, refused  # sent between subscribing and asking for the full mode
    print(f"{fault}: {said[-1]}")


@pytest.mark.parametrize("fault", [None, Fault.UPDATES_OUT_OF_ORDER])
def test_what_becomes_of_an_order_is_told_also_when_it_comes_twice_and_the_last_first(
    served: Served, store: Store, desk: Desk, fault: Fault | None
) -> None:
    if fault is not None:
        switch(served, fault)
    kite, one = KiteConnect("vikalp", store.tokens[-1], root=served.root), traded_option(served)
    ask = served.world.day.quotes.book["ask_paise"][one.place][0] / 100
    order_id = kite.place_order(**order_of(served, one, price=round(ask * 1.1, 1), tag="NEWS"))
    wait(kite, order_id, "COMPLETE")
    desk.until(lambda: (order_id, "NEWS", "COMPLETE") in [tuple(row.values()) for row in desk.news()])


def test_each_connection_says_that_anything_may_have_happened(served: Served, desk: Desk) -> None:
    desk.bus.heard.clear()
    switch(served, Fault.DROP)
    desk.until(lambda: desk.link.counts()["recoveries"] == 1)
    assert desk.news() == [{"order_id": "", "tag": "", "status": ""}]


def test_a_frame_that_was_cut_loses_what_was_cut_and_counts_it(served: Served, desk: Desk) -> None:
    switch(served, Fault.MALFORMED)
    desk.until(lambda: desk.link.counts()["refused_cut_short"] > 0)
    served.world.faults.stop()
    desk.until_quotes()
    assert desk.link.counts()["losses"] == 0
