"""The open sockets: who wants which instrument in which mode, and what is on its way to them (kite.md §7)."""

import asyncio
import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.kite import Mode, Packets, encode
from exchange.accounts import Session
from exchange.limits import Rates
from exchange.listing import Listing
from exchange.quotes import Quotes

Ints = NDArray[np.int64]
WAITING = 64  # frames; a client that is further behind is let go, as Kite does
HEARTBEAT, HEARTBEAT_S = b"\x00", 2.0
UNWANTED = -1
Frame = bytes | str


class Socket:
    """One connection. `mode` has an entry an instrument of the listing, UNWANTED or a Mode."""

    def __init__(self, session: Session, listing: Listing, rates: Rates) -> None:
        self.session, self._rates = session, rates
        self.queue: asyncio.Queue[Frame | None] = asyncio.Queue(WAITING)
        self.wanted: dict[int, Mode] = {}
        self.fresh: set[int] = set()  # places whose packet is due at once
        self.last_sent_s = 0.0
        self.packets = 0  # in the frames that were queued
        self.relist(listing)

    def relist(self, listing: Listing) -> None:
        """A new day: the same tokens, where they are listed still."""
        self._listing = listing
        self.mode = np.full(len(listing), UNWANTED, np.int64)
        self.fresh.clear()
        for token, mode in self.wanted.items():
            self._set(token, mode)

    def _set(self, token: int, mode: Mode | int) -> None:
        one = self._listing.by_token.get(token)
        if one is not None:
            self.mode[one.place] = mode
            (self.fresh.discard if mode == UNWANTED else self.fresh.add)(one.place)

    def hear(self, text: str) -> str | None:
        """One message of the client; what it is told if it makes no sense."""
        try:
            message = json.loads(text)
            action, value = message["a"], message["v"]
            mode, tokens = value if action == "mode" else ("quote", value)
            tokens = [_token(token) for token in tokens]
            wanted = Mode[mode.upper()]
            known = action in ("subscribe", "unsubscribe", "mode")
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return f"invalid message: {text[:100]!r}"
        if not known:
            return f"invalid message: unknown action {action!r}"
        if action == "unsubscribe":
            for token in tokens:
                self.wanted.pop(token, None)
                self._set(token, UNWANTED)
            return None
        return self._want(tokens, wanted, keep=action == "subscribe")

    def _want(self, tokens: list[int], mode: Mode, *, keep: bool) -> str | None:
        """`keep`: a second subscribe leaves the mode that was set. Tokens past the limit are told and left out."""
        over, most = 0, self._rates.tokens_a_socket
        for token in tokens:
            if self._rates.enforced and token not in self.wanted and len(self.wanted) >= most:
                over += 1
                continue
            self.wanted[token] = self.wanted.get(token, mode) if keep else mode
            self._set(token, self.wanted[token])
        return f"Too many tokens requested. Max permitted is {most}; {over} were left out." if over else None

    def due(self, changed: Ints) -> Ints:
        """Places to send now: what changed and is wanted, and what was just asked for."""
        wanted = changed[self.mode[changed] != UNWANTED]
        if not self.fresh:
            return wanted
        fresh, self.fresh = np.fromiter(self.fresh, np.int64), set()
        return np.union1d(wanted, fresh)

    def put(self, frame: Frame) -> bool:
        """Queue a frame; False for a client that does not take them."""
        try:
            self.queue.put_nowait(frame)
        except asyncio.QueueFull:
            return False
        return True


class Hub:
    """Every socket of the exchange."""

    def __init__(self) -> None:
        self.sockets: list[Socket] = []
        self.packets = 0  # to all sockets there have been

    def publish(
        self, listing: Listing, quotes: Quotes, changed: Ints, now_s: float, *, ticks: bool = True, cut: bool = False
    ) -> None:
        """A frame to each socket with something due, a heartbeat to one that has heard nothing for two seconds.

        Faults: without `ticks` heartbeats alone; with `cut` a frame ends in the middle of its last packet.
        """
        for socket in self.sockets:
            places = socket.due(changed) if ticks else changed[:0]  # what was asked for meanwhile stays due
            places = places[quotes.at_ns[places] > 0]
            frame: Frame | None = None
            if places.size:
                frame = encode(packets(listing, quotes, places), socket.mode[places])
                frame = frame[: -len(frame) // 3] if cut else frame
            elif now_s - socket.last_sent_s >= HEARTBEAT_S:
                frame = HEARTBEAT
            if frame is not None:
                socket.last_sent_s = now_s
                if not socket.put(frame):
                    self.drop(socket)
                elif frame is not HEARTBEAT:
                    socket.packets += places.size
                    self.packets += places.size

    def tell(self, user_id: str, kind: str, data: Any) -> None:
        """A text frame to every socket of a user: order, error or message."""
        text = json.dumps({"type": kind, "data": data})
        for socket in self.sockets:
            if socket.session.user.user_id == user_id and not socket.put(text):
                self.drop(socket)

    def drop(self, socket: Socket) -> None:
        """Let a socket go: its sender ends when it finds the end of its queue."""
        if socket in self.sockets:
            self.sockets = [one for one in self.sockets if one is not socket]
            while not socket.queue.empty():
                socket.queue.get_nowait()
            socket.queue.put_nowait(None)

    def drop_all(self) -> None:
        for socket in self.sockets:
            self.drop(socket)

    def relist(self, listing: Listing) -> None:
        for socket in self.sockets:
            socket.relist(listing)


def packets(listing: Listing, quotes: Quotes, places: Ints) -> Packets:
    """The packets of `places` as columns, full."""
    q = quotes
    bids, asks = q.book["bid_qty"][places], q.book["ask_qty"][places]
    zeros = np.zeros(places.size, np.int64)
    return Packets(
        token=listing.token[places], length=zeros, last_price=q.last[places], last_quantity=q.last_quantity[places],
        average_price=q.average(places), volume=q.volume[places], buy_quantity=bids.sum(axis=1),
        sell_quantity=asks.sum(axis=1), open=q.open[places], high=q.high[places], low=q.low[places],
        close=q.close[places], index_change=np.maximum(q.last[places] - q.close[places], 0),
        last_trade_ns=q.traded_ns[places], oi=q.oi[places], oi_day_high=q.oi_high[places], oi_day_low=q.oi_low[places],
        exchange_ns=q.at_ns[places], bid_price=q.book["bid_paise"][places], bid_quantity=bids,
        bid_orders=q.book["bid_orders"][places].astype(np.int32), ask_price=q.book["ask_paise"][places],
        ask_quantity=asks, ask_orders=q.book["ask_orders"][places].astype(np.int32),
    )  # fmt: skip


def _token(token: object) -> int:
    if not isinstance(token, int) or isinstance(token, bool):
        raise TypeError(f"a token is a number, was {token!r}")
    return token
