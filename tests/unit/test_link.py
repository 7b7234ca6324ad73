"""The link: what it passes on, what it carries, what it says."""

import datetime as dt
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.links import line
from actors.links.link import LinkActor, LinkConfig
from brokers.kite.stream import State
from brokers.kite.subscriptions import MOST_TOKENS, Subscriptions
from core.errors import InputError, SchemaError
from core.kite import Mode, Packets, Registry, Segment, decode, encode, length_of, signatures, to_ticks, token_of
from core.kite.ticks import CONTRACT
from core.ports import Arrived
from core.schemas import WANTED, Kind, check
from tests.fakes_feed import HeardBus
from tests.unit.kite.frames import framed, packets

MS, S = 1_000_000, 1_000_000_000
EXPIRY = dt.date(2026, 11, 24)
NIFTY, BANK, SENSEX = (token_of(number, Segment.INDICES) for number in (1001, 1033, 265))
CALL, PUT, BANK_CALL = (token_of(number, Segment.NFO) for number in (39804, 39805, 41000))
SENSEX_CALL, STRANGER = token_of(7, Segment.BFO), token_of(99, Segment.NFO)
CONTRACTS = {
    NIFTY: ("NIFTY", "NIFTY", Kind.INDEX), CALL: ("NIFTY", "NIFTY26NOV26000CE", Kind.CALL),
    PUT: ("NIFTY", "NIFTY26NOV26000PE", Kind.PUT), BANK: ("BANKNIFTY", "BANKNIFTY", Kind.INDEX),
    BANK_CALL: ("BANKNIFTY", "BANKNIFTY26NOV58000CE", Kind.CALL), SENSEX: ("SENSEX", "SENSEX", Kind.INDEX),
    SENSEX_CALL: ("SENSEX", "SENSEX26N2685000CE", Kind.CALL),
}  # fmt: skip
EMPTY_NEWS = {"order_id": "", "tag": "", "status": ""}
Frames = list[tuple[bytes, int]]


def registry(more: Mapping[int, tuple[str, str, Kind]] | None = None) -> Registry:
    contracts = CONTRACTS | dict(more or {})
    rows = [
        {"index": index, "symbol": symbol, "kind": kind, "expiry": EXPIRY if kind else None, "strike_paise": 0}
        for index, symbol, kind in contracts.values()
    ]
    return Registry(np.array(list(contracts), np.int64), pa.RecordBatch.from_pylist(rows, schema=CONTRACT))


class ListSocket:
    """Gives what it is told to, and refuses what one socket cannot carry."""

    def __init__(self) -> None:
        self.next, self.is_open, self.dropped = Arrived(), False, 0
        self.asked: list[Mapping[int, Mode]] = []
        self.waited: list[float] = []
        self._wants = Subscriptions()

    def open(self) -> None:
        self.is_open = True

    def close(self) -> None:
        self.is_open = False

    def subscribe(self, modes: Mapping[int, Mode]) -> None:
        self._wants.want(modes)
        self.asked.append(modes)

    def take(self) -> Arrived:
        given, self.next = self.next, Arrived()
        return given

    def wait(self, longest_s: float) -> None:
        self.waited.append(longest_s)

    def counts(self) -> Mapping[str, int]:
        return {"connections": 2, "dropped_frames": self.dropped}


class StillClock:
    def __init__(self) -> None:
        self.wall = 10 * S

    def now_ns(self) -> int:
        return self.wall

    def wall_ns(self) -> int:
        return self.wall

    def advance(self, to_ns: int) -> None: ...


class World:
    def __init__(self, *indices: str, tokens: Registry | None = None, on: dt.date = EXPIRY, **config: Any) -> None:
        self.bus, self.clock, self.socket = HeardBus(), StillClock(), ListSocket()
        self.link = LinkActor(
            LinkConfig(indices=indices or ("NIFTY", "BANKNIFTY"), **config), bus=self.bus, clock=self.clock,
            socket=self.socket, registry=tokens or registry(), on=on,
        )  # fmt: skip
        self.link.open()

    def comes(self, *frames: tuple[bytes, int], texts: list[tuple[str, Any]] | None = None, **said: Any) -> None:
        self.socket.next = Arrived(frames=frames, texts=[(kind, data, 0) for kind, data in texts or []], **said)
        self.link.on_timer()

    def quiet(self, ms: int = 80) -> None:
        self.clock.wall += ms * MS
        self.link.on_timer()

    def quotes(self, index: str) -> list[dict[str, Any]]:
        heard = [batch for topic, batch, its in self.bus.heard if topic == "quotes" and its == index]
        return [row for batch in heard for row in check("ticks", batch).to_pylist()]

    def counts(self, *names: str) -> dict[str, int]:
        return {name: self.link.counts()[name] for name in names}

    def alerts(self) -> list[tuple[str, str]]:
        return [(alert.severity, alert.message) for alert in self.link.alerts()]


def frame(*tokens: int, at_s: int = 100, mode: Mode = Mode.FULL) -> bytes:
    packets = Packets.zeros(len(tokens))
    packets.token[:] = tokens
    packets.exchange_ns[:] = at_s * S
    packets.last_price[:] = at_s + np.arange(len(tokens))
    return encode(packets, mode)


def wanted(*tokens: int, symbols: list[str] | None = None) -> pa.RecordBatch:
    names = symbols or [CONTRACTS[token][1] if token in CONTRACTS else f"S{token}" for token in tokens]
    return pa.RecordBatch.from_pylist(
        [{"symbol": symbol, "token": token} for symbol, token in zip(names, tokens, strict=True)], schema=WANTED
    )


def test_a_frame_becomes_a_batch_an_index_with_the_time_it_came() -> None:
    world = World()
    assert world.link.check_health() == 0

    world.comes((frame(BANK, CALL, NIFTY, SENSEX), 5))

    assert [row["symbol"] for row in world.quotes("NIFTY")] == ["NIFTY26NOV26000CE", "NIFTY"]
    assert [(row["symbol"], row["received_ns"]) for row in world.quotes("BANKNIFTY")] == [("BANKNIFTY", 5)]
    assert world.link.check_health() == world.clock.wall
    assert world.counts("frames", "ticks", "refused_unknown") == {"frames": 1, "ticks": 3, "refused_unknown": 1}
    assert world.counts("socket_connections") == {"socket_connections": 2}


def test_frames_a_tenth_of_a_second_apart_go_on_at_once_and_a_flood_is_gathered() -> None:
    world = World("NIFTY")
    for at in range(3):
        world.comes((frame(NIFTY, at_s=at + 1), at))
        assert len(world.bus.of("quotes")) == at + 1
        world.clock.wall += 100 * MS

    world.comes((frame(NIFTY, at_s=11), 11))
    for at in range(12, 20):
        world.comes((frame(NIFTY, CALL, at_s=at), at))
    assert len(world.bus.of("quotes")) == 4
    world.quiet(79)
    assert len(world.bus.of("quotes")) == 4
    world.quiet(1)

    assert world.bus.of("quotes")[4]["received_ns"].to_pylist() == sorted([*range(12, 20)] * 2)
    world.quiet()
    assert len(world.bus.of("quotes")) == 5, "nothing new, nothing sent"


def test_it_waits_for_its_socket_and_no_longer_than_until_the_next_batch_is_due() -> None:
    world = World("NIFTY")
    world.link.wait(0.2)
    world.comes((frame(NIFTY), 1))
    world.link.wait(0.2)
    world.clock.wall += 30 * MS
    world.comes((frame(NIFTY), 2))
    world.link.wait(0.2)
    world.link.wait(0.01)
    world.clock.wall += 60 * MS
    world.link.wait(0.2)
    assert world.socket.waited == [0.2, 0.2, 0.05, 0.01, 0.0]


def test_a_clock_set_back_holds_nothing_up() -> None:
    world = World("NIFTY")
    world.comes((frame(NIFTY), 1))
    world.clock.wall -= 3600 * S
    world.comes((frame(NIFTY), 2))
    assert len(world.bus.of("quotes")) == 2


@st.composite
def many(draw: st.DrawFn) -> list[bytes]:
    """Frames of any packets of any tokens, whole, cut, damaged or no frames at all."""
    frames = []
    for _ in range(draw(st.integers(1, 6))):
        tokens = draw(st.lists(st.sampled_from([*CONTRACTS, STRANGER]), max_size=12))
        packets = Packets.zeros(len(tokens))
        packets.token[:] = tokens
        packets.last_price[:] = draw(st.lists(st.integers(0, 9), min_size=len(tokens), max_size=len(tokens)))
        packets.exchange_ns[:] = [draw(st.sampled_from((0, S, 2 * S))) for _ in tokens]
        modes = np.array([draw(st.sampled_from((2, 2, 2, 0, 1))) for _ in tokens], np.int64)
        packets.length[:] = length_of(packets.token, modes)
        whole = encode(packets)
        frames.append(draw(st.sampled_from((whole, whole, whole, whole[: len(whole) // 2], whole + b"x", b"\0"))))
    return frames


@settings(max_examples=60, deadline=None)
@given(many(), st.data())
def test_frames_become_the_same_ticks_one_by_one_or_gathered_and_every_packet_is_a_tick_or_counted(
    frames: list[bytes], data: st.DataObject
) -> None:
    one, together = World(batch_ms=0), World()
    for at, raw in enumerate(frames):
        one.comes((raw, at))
    cut = data.draw(st.integers(0, len(frames)))
    numbered = [(raw, at) for at, raw in enumerate(frames)]
    together.comes(*numbered[:cut])
    together.comes(*numbered[cut:])
    together.quiet()

    found = [decode(raw) for raw in frames]
    ticks = [to_ticks(one.packets, registry(), received_ns=at).ticks for at, one in enumerate(found)]
    rows = [row for batch in ticks for row in batch.to_pylist()]
    for index in ("NIFTY", "BANKNIFTY"):
        assert one.quotes(index) == together.quotes(index) == [row for row in rows if row["index"] == index]
    counts = one.link.counts()
    assert counts == together.link.counts()
    announced = sum(len(one.packets) + one.refused for one in found)
    assert counts["ticks"] + sum(n for name, n in counts.items() if name.startswith("refused")) == announced


def test_packets_that_become_no_tick_are_counted_by_reason_and_stop_nothing() -> None:
    world = World("NIFTY")
    odd = b"\0\2" + b"\0\5abcde" + (8).to_bytes(2) + NIFTY.to_bytes(4) + b"\0\0\0\1"
    frames = [
        frame(NIFTY, STRANGER), frame(CALL, mode=Mode.LTP), frame(CALL, at_s=0), frame(CALL, PUT)[:-10], odd,
        odd + b"!", frame(CALL) + b"trailing", b"\0", b"",
    ]  # fmt: skip

    world.comes(*((raw, 1) for raw in frames))

    assert {name: count for name, count in world.link.counts().items() if name.startswith("refused") and count} == {
        "refused_unknown": 1, "refused_not_full": 2, "refused_untimed": 1, "refused_cut_short": 1,
        "refused_unknown_length": 1, "refused_damaged": 2,
    }  # fmt: skip
    assert world.counts("frames", "ticks", "trailing") == {"frames": 9, "ticks": 3, "trailing": 1}


def test_what_its_feeds_want_is_carried_in_full_and_asked_for_when_it_changes() -> None:
    world = World()
    world.link.on_wanted(wanted(NIFTY, CALL))
    world.link.on_wanted(wanted(NIFTY, CALL))
    world.link.on_wanted(wanted(CALL, NIFTY))
    assert world.socket.asked == [{NIFTY: Mode.FULL, CALL: Mode.FULL}]

    world.link.on_wanted(wanted(BANK))
    world.link.on_wanted(wanted(NIFTY, PUT))

    assert world.socket.asked[1:] == [
        dict.fromkeys((NIFTY, CALL, BANK), Mode.FULL),
        dict.fromkeys((NIFTY, PUT, BANK), Mode.FULL),
    ]
    assert world.alerts() == []


def test_another_links_index_and_nothing_at_all_are_no_wish() -> None:
    world = World()
    world.link.on_wanted(wanted(NIFTY))
    world.link.on_wanted(wanted(SENSEX, SENSEX_CALL))
    world.link.on_wanted(wanted())
    world.link.on_wanted(wanted(STRANGER))
    assert world.socket.asked == [{NIFTY: Mode.FULL}]


def test_a_token_that_is_another_contract_today_is_not_carried_and_told() -> None:
    world = World()
    world.link.on_wanted(wanted(NIFTY, CALL, STRANGER, symbols=["NIFTY", "NIFTY26NOV25000CE", "GONE"]))
    world.link.on_wanted(wanted(NIFTY, CALL, STRANGER, symbols=["NIFTY", "NIFTY26NOV25000CE", "GONE"]))

    assert world.socket.asked == [{NIFTY: Mode.FULL}]
    assert world.counts("wanted_unknown") == {"wanted_unknown": 2}
    ((severity, words),) = world.alerts()
    assert severity == "warning"
    assert words == "2 contracts of NIFTY are not in today's registry, as NIFTY26NOV25000CE, GONE"


def test_a_message_of_no_feed_is_refused_and_changes_nothing() -> None:
    world = World()
    with pytest.raises(InputError, match="BANKNIFTY, NIFTY"):
        world.link.on_wanted(wanted(NIFTY, BANK))
    with pytest.raises(SchemaError):
        world.link.on_wanted(pa.record_batch({"token": [NIFTY]}))
    assert world.socket.asked == []


def test_more_than_one_socket_carries_is_told_and_what_was_carried_stays() -> None:
    extra = {
        token_of(100_000 + number, Segment.NFO): ("NIFTY", f"NIFTY{number}CE", Kind.CALL)
        for number in range(MOST_TOKENS)
    }
    world = World(tokens=registry(extra))
    too_many = wanted(NIFTY, *extra, symbols=["NIFTY", *(symbol for _, symbol, _ in extra.values())])
    world.link.on_wanted(wanted(NIFTY))
    world.link.on_wanted(too_many)
    world.link.on_wanted(too_many)

    assert world.socket.asked == [{NIFTY: Mode.FULL}]
    ((severity, words),) = world.alerts()
    assert severity == "alarm"
    assert "one socket carries 3000 instruments, was 3001" in words
    world.link.on_wanted(wanted(BANK))
    assert world.socket.asked[-1] == {NIFTY: Mode.FULL, BANK: Mode.FULL}


def test_an_order_is_news_and_a_new_connection_says_that_anything_may_have_happened() -> None:
    world = World()
    order = {"order_id": "1", "tag": "T", "status": "COMPLETE", "pnl": 3}
    world.comes(states=[("open", "")], texts=[("order", order), ("order", {"order_id": "2", "tag": None})])
    world.comes(texts=[("order", order)])

    first, second = (check("order_news", batch).to_pylist() for batch in world.bus.of("order_news"))
    row = {"order_id": "1", "tag": "T", "status": "COMPLETE"}
    assert first == [EMPTY_NEWS, row, {"order_id": "2", "tag": "", "status": ""}]
    assert second == [row]
    assert world.counts("orders") == {"orders": 3}


@pytest.mark.parametrize("data", [None, 1, "x", [], [1], {"order_id": 5}, {"tag": ["a"]}, {"order_id": "\ud800"}])
def test_odd_texts_stop_nothing_and_an_order_nobody_can_read_is_a_reason_to_compare(data: Any) -> None:
    world = World()
    world.comes(texts=[("order", data), ("error", data), ("message", data), ("whatever", data)])

    ((row,),) = (batch.to_pylist() for batch in world.bus.of("order_news"))
    assert row["order_id"] in {"", "?"}
    assert [severity for severity, _ in world.alerts()] == ["warning", "info"]
    assert world.counts("odd_texts") == {"odd_texts": 1}


def test_what_the_server_says_is_shown_once_and_not_at_any_length() -> None:
    world = World()
    world.comes(texts=[("error", "Too many tokens"), ("error", "Too many tokens"), ("message", "m" * 10_000)])
    assert world.alerts() == [("warning", "Kite says: Too many tokens"), ("info", f"Kite says: {'m' * 200}")]


def test_a_loss_is_told_once_and_so_is_the_end_of_it_with_how_long_it_took() -> None:
    world = World()
    world.comes(states=[("connecting", ""), ("open", "")])
    world.comes((frame(NIFTY), 100 * S), (b"\0", 101 * S))
    world.comes(states=[("waiting before the next attempt", "the connection was lost: reset; next attempt in 0.5 s")])
    world.comes(states=[("connecting", ""), ("waiting before the next attempt", "unreachable; next attempt in 1 s")])
    world.comes((b"\0", 104 * S), states=[("connecting", ""), ("open", "")])
    assert [severity for severity, _ in world.alerts()] == ["warning"], "connected, and no prices yet"
    world.comes((frame(NIFTY), 104 * S + 250 * MS))
    world.comes((frame(NIFTY), 105 * S))

    assert world.alerts() == [
        ("warning", "no connection: the connection was lost: reset; next attempt in 0.5 s"),
        ("info", "prices come again, 3.25 s after the last frame, 4.25 s after the last ticks"),
    ]
    assert world.counts("losses", "recoveries", "away_ms", "no_ticks_ms") == {
        "losses": 1, "recoveries": 1, "away_ms": 3250, "no_ticks_ms": 4250,
    }  # fmt: skip
    assert {alert.subject for alert in world.link.alerts()} == {"link NIFTY, BANKNIFTY"}
    assert len(world.bus.of("order_news")) == 2


@pytest.mark.parametrize("why", ["nobody is logged in: log in (vikalp login)", "refused"])
def test_a_dead_token_is_an_alarm_that_says_what_to_do(why: str) -> None:
    world = World()
    world.comes((frame(NIFTY), 100 * S))
    world.comes(states=[("waiting before the next attempt", "lost"), ("connecting", ""), ("login needed", why)])
    world.comes((frame(NIFTY), 160 * S), states=[("connecting", ""), ("open", "")])

    (_, lost), (severity, words), (_, again) = world.alerts()
    assert lost == "no connection: lost"
    assert severity == "alarm"
    assert words.count("vikalp login") == 1
    assert why in words
    assert again == "prices come again, 60.00 s after the last frame, 60.00 s after the last ticks"


def test_prices_that_come_for_the_first_time_after_a_wait_have_nothing_to_be_measured_from() -> None:
    world = World()
    world.comes(states=[("login needed", "nobody is logged in")])
    world.comes((frame(NIFTY), 100 * S), states=[("open", "")])
    assert world.alerts()[-1] == ("info", "prices come")
    assert world.counts("away_ms") == {"away_ms": 0}


def test_frames_that_were_dropped_are_an_alarm() -> None:
    world = World()
    for world.socket.dropped in (0, 3, 3, 10):
        world.comes()
    assert world.alerts() == [
        ("alarm", "3 frames were dropped: this link did not keep up"),
        ("alarm", "7 frames were dropped: this link did not keep up"),
    ]


def test_it_keeps_its_latest_alerts() -> None:
    world = World()
    for number in range(50):
        world.comes(texts=[("message", str(number))])
    assert [words for _, words in world.alerts()] == [f"Kite says: {number}" for number in range(30, 50)]


def test_the_words_of_the_states_are_the_streams() -> None:
    assert (line.OPEN, line.WAITING, line.LOGIN_NEEDED) == (State.OPEN, State.WAITING, State.LOGIN_NEEDED)


def test_open_loads_every_kernel_and_opens_the_socket_and_close_closes_it() -> None:
    world = World()
    before = signatures()
    assert min(before.values()) > 0
    assert world.socket.is_open
    world.comes((frame(NIFTY, CALL), 1), (b"\0", 2))
    assert signatures() == before
    world.link.close()
    assert not world.socket.is_open


def test_an_index_nobody_has_listed_is_refused_at_the_start() -> None:
    with pytest.raises(InputError, match="FINNIFTY"):
        World("FINNIFTY")
    with pytest.raises(ValueError, match="indices"):
        LinkConfig(indices=())


KNOWN = st.sampled_from([NIFTY, CALL, PUT, BANK, BANK_CALL, SENSEX_CALL, STRANGER])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(KNOWN, max_size=5, unique=True), max_size=12), st.integers(1, 5))
def test_what_is_carried_is_the_last_that_fitted_of_each_feed(messages: list[list[int]], most: int) -> None:
    class Narrow(ListSocket):
        def subscribe(self, modes: Mapping[int, Mode]) -> None:
            if len(modes) > most:
                raise InputError(f"{len(modes)} are too many")
            super().subscribe(modes)

    world = World()
    world.socket = world.link._socket = Narrow()
    carried: dict[str, set[int]] = {}
    for tokens in messages:
        indices = {CONTRACTS[token][0] for token in tokens if token in CONTRACTS}
        before = len(world.socket.asked)
        if len(indices) > 1:
            with pytest.raises(InputError):
                world.link.on_wanted(wanted(*tokens))
        else:
            world.link.on_wanted(wanted(*tokens))
            (index,) = indices or {""}
            then = carried | {index: {token for token in tokens if token in CONTRACTS}}
            fits = index in {"NIFTY", "BANKNIFTY"} and sum(map(len, then.values())) <= most
            changed = fits and then != carried
            carried = then if fits else carried
            assert len(world.socket.asked) == before + changed
            continue
        assert len(world.socket.asked) == before
    if carried:
        assert world.socket.asked[-1] == dict.fromkeys(set().union(*carried.values()), Mode.FULL)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.one_of(st.binary(max_size=300), packets().map(framed)), max_size=4))
def test_no_bytes_stop_it(frames: list[bytes]) -> None:
    world = World(batch_ms=0)
    own = [raw[:4] + NIFTY.to_bytes(4) + raw[8:] if len(raw) > 10 else raw for raw in frames]
    world.comes(*((raw, 1) for raw in own))
    counts = world.link.counts()
    assert counts["frames"] == len(frames)
    assert counts["ticks"] == len(world.quotes("NIFTY"))
