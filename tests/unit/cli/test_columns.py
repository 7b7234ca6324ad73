"""Tables by the console's width: nothing is cut, what matters most is kept."""

import io
import re
from collections.abc import Sequence

import msgspec
import pytest
from rich.console import Console, RenderableType

from cluster.cli.books import orders_table, positions_table
from cluster.cli.chain import AROUND, read, table
from cluster.cli.columns import Column, Fit, Flow
from cluster.cli.screen import View, look, screen
from core.market.provenance import provenance
from core.records import ActorStatus, Intent, Order, Position
from tests.unit.cli.fake_world import STATE, STATUS, FakeDesk

WIDTHS = (80, 100, 140)
TAG = "ABCDEFGHIJ0123456789"


def drawn(what: RenderableType, width: int, height: int = 50) -> list[str]:
    console = Console(file=io.StringIO(), width=width, height=height, highlight=False)
    console.print(what)
    assert isinstance(console.file, io.StringIO)
    lines = console.file.getvalue().splitlines()
    assert max(map(len, lines)) <= width
    assert not any("…" in line for line in lines)
    return lines


def an_order(message: str = "") -> Order:
    intent = Intent(tag=TAG, strategy="ema_channel", index="MIDCPNIFTY", symbol="MIDCPNIFTY26N2413000CE", side="SELL",
                    quantity=1800, order_type="LIMIT", limit_paise=1_234_55)  # fmt: skip
    return Order(intent=intent, state="REFUSED" if message else "JOURNALLED", message=message)


@pytest.mark.parametrize("width", WIDTHS)
def test_an_order_is_one_line_with_its_tag_whole(width: int) -> None:
    lines = drawn(orders_table([an_order(), an_order()]), width)
    assert [line.split()[0] for line in lines] == ["tag", TAG, TAG]
    for text in ("MIDCPNIFTY26N2413000CE", "0/1800", "JOURNALLED", "₹1,234.55"):
        assert text in lines[1]


def test_a_refusal_stands_beside_its_order_where_there_is_room_and_below_where_there_is_not() -> None:
    why = "order_size: 3,000 units are above the freeze quantity (asked 3,000, allowed 1,800)"
    below = drawn(orders_table([an_order(why)]), 80)
    assert len(below) > 2
    assert below[2].startswith(f"{TAG}  order_size")
    assert why in " ".join(drawn(orders_table([an_order(why)]), 240)[1].split())


@pytest.mark.parametrize("width", WIDTHS)
def test_positions_keep_their_net_profit(width: int) -> None:
    held = Position(symbol="MIDCPNIFTY26N2413000CE", index="MIDCPNIFTY", quantity=-1800, average_paise=12_000.0,
                    last_paise=1_234_500, realised_paise=123_456_789, unrealised_paise=-98_765_432,
                    charges_paise=250_000)  # fmt: skip
    lines = drawn(positions_table([held]), width)
    assert len(lines) == 3
    assert "₹2,44,413.57" in lines[1]
    assert lines[2].startswith("total")


@pytest.mark.parametrize("width", (60, *WIDTHS))
@pytest.mark.parametrize("mode", ["LIVE", "SIMULATED", ""])
def test_a_chain_is_symmetrical_with_the_strike_in_the_middle(width: int, mode: str) -> None:
    figures, rows = read(FakeDesk(), "NIFTY", None)
    found = provenance(mode, as_of_ns=0, now_ns=10**15) if mode else None
    lines = drawn(table("NIFTY", figures, rows, found, around=AROUND), width)
    at = next(place for place, line in enumerate(lines) if "CALLS" in line)
    names = lines[at + 1].replace("IV %", "IV").replace("OI chg", "OI-chg").split()
    assert names == names[::-1]
    assert names[len(names) // 2] == "strike"
    assert {"LTP", "Bid", "Ask", "IV"} <= set(names)
    assert lines[at].index("CALLS") < lines[at + 1].index("strike") < lines[at].index("PUTS")
    assert [line for line in lines[at + 2 :] if "▸" in line] == [lines[at + 3]]
    assert "▸24,500◂" in lines[at + 3]
    said = " ".join(lines[at + 5 :])
    assert re.search(r"symbols: NIFTY26D0124500CE is the 24,500 call, +NIFTY26D0124500PE the put", said)


def test_without_a_strike_at_the_money_the_chain_names_no_symbol() -> None:
    figures, rows = read(FakeDesk(), "NIFTY", None)
    shown = drawn(table("NIFTY", figures, [row for row in rows if row["strike_paise"] < 0], None, around=1), 80)
    assert not any("symbols:" in line for line in shown)


def actors(count: int, state: str = "READY") -> Sequence[ActorStatus]:
    seen = msgspec.structs.replace(STATUS.actors[0], pid=1_234_567, gaps=99_999, dropped=99_999, refused=99_999)
    return [msgspec.structs.replace(seen, name=f"shard.MIDCPNIFTY{n}", state=state) for n in range(count)]


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("height", (24, 50))
def test_the_screen_fits_the_terminal_and_names_whoever_is_in_trouble(width: int, height: int) -> None:
    status = msgspec.structs.replace(STATUS, actors=(*actors(20), *STATUS.actors))
    seen = look(FakeDesk())
    view = View(status=status, figures=seen.figures, provenance=seen.provenance)
    lines = drawn(screen(view, STATE), width, height)
    assert len(lines) < height
    assert any("shard.MIDCPNIFTY19" in line for line in lines) == (height == 50)
    assert any("DEAD" in line for line in lines)
    assert any("killed" in line for line in lines)
    assert any("NIFTY" in line and "simulated" in line for line in lines)
    assert "Ctrl-C" in lines[-1]


def test_the_highest_rank_goes_first_and_all_of_one_rank_together() -> None:
    columns = [Column(name=name, cells=["1"], rank=rank) for name, rank in (("aaaa", 0), ("bbbb", 1), ("cc", 1))]
    assert drawn(Fit(columns), 14)[0].split() == ["aaaa", "bbbb", "cc"]
    assert drawn(Fit(columns), 12)[0].split() == ["aaaa", "bbbb", "cc"]
    assert drawn(Fit(columns), 11)[0].split() == ["aaaa"]


def test_pieces_flow_without_being_broken() -> None:
    assert drawn(Flow(["one two", "three", "four"]), 14) == ["one two  three", "four"]
