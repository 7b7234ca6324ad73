"""What the small tables and the charts say of a desk, as data: no browser."""

import datetime as dt
import math
from pathlib import Path

import msgspec
import pyarrow as pa
import pytest

from core.market import IST, to_ns
from core.records import Alert, Chain, Intent, LimitUse, Order
from core.schemas import CONTRACTS, EXPIRIES, Kind
from gateway import panels
from gateway.limits import cells, traders
from gateway.store import ChainStore, Kept
from gateway.view import Shown, smile
from tests.e2e import synthetic
from tests.unit.gateway.world import World

DAY = synthetic.EXPIRY_DAYS[0]
S = 1_000_000_000


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = World(tmp_path)
    made.fill()
    return made


def order(
    tag: str, strategy: str, *, at_s: int = 1, state: str = "COMPLETE", filled: int = 75, purpose: str = "entry"
) -> Order:
    intent = Intent(
        tag=tag,
        strategy=strategy,
        index="NIFTY",
        symbol="NIFTY26B2425900CE",
        side="BUY",
        quantity=75,
        order_type="LIMIT",
        limit_paise=5_000,
        purpose=purpose,  # type: ignore[arg-type]
        created_ns=synthetic.OPEN_NS + at_s * S,
    )
    return Order(intent=intent, state=state, filled_quantity=filled, updated_ns=intent.created_ns + 60 * S)  # type: ignore[arg-type]


def words(world: World, limit: str, used: float, allowed: float, unit: str = "") -> str:
    return cells(LimitUse(limit=limit, used=used, allowed=allowed, unit=unit), world.context)[1][0]


def test_a_limit_says_in_words_what_it_is(world: World) -> None:
    assert words(world, "market_hours", 0, 1, "session") == "open"
    assert words(world, "order_size", 0, 20, "lots") == "at most 20 lots an order"
    assert words(world, "order_size", 5, 20, "lots") == "at most 20 lots an order, 5 working"
    assert words(world, "position", 31, 40, "lots") == "31 of 40 lots of one contract"
    assert words(world, "consecutive_stops", 1, 2, "stops in a row") == "1 of 2 stops in a row"
    assert words(world, "daily_loss", 8_250.5, 25_000, "rupees") == "₹8,250.50 of ₹25,000.00 lost"
    assert words(world, "one_of_tomorrow", 1, 4, "moons") == "1 of 4 moons"


def test_the_quotes_age_is_that_of_the_index_longest_silent(world: World) -> None:
    world.store.put(synthetic.chain("SENSEX", 2), world.clock.wall_ns() - 4 * S)

    share, said = cells(LimitUse(limit="stale_quote", used=0, allowed=10_000, unit="ms"), world.context)

    assert said[0].startswith("SENSEX 4.")
    assert said[0].endswith("s old, at most 10 s")
    assert 0.4 <= float(share[0]) < 0.5


def test_closed_hours_are_said_with_the_phase(world: World) -> None:
    status = msgspec.structs.replace(world.desk.status(), phase="closed")
    world.desk.status = lambda: status  # type: ignore[method-assign]
    world.poll.once()

    assert words(world, "market_hours", 0, 1, "session") == "closed: only exits pass"


@pytest.mark.parametrize(
    ("orders", "used", "who"),
    [
        ([], 0, []),
        ([order("A", "manual")], 1, ["manual"]),
        ([order("A", "manual"), order("B", "ema_channel")], 1, ["ema_channel"]),
        ([order("A", "manual"), order("B", "manual"), order("C", "ema_channel")], 2, ["manual"]),
        ([order("A", "ema_channel", purpose="exit"), order("B", "manual")], 1, ["manual"]),
        ([order("A", "ema_channel", state="CANCELLED", filled=0), order("B", "manual")], 1, ["manual"]),
        ([order("A", "ema_channel", state="REFUSED", filled=0)], 0, []),
        ([order("A", "ema_channel", at_s=-86_400), order("B", "manual")], 1, ["manual"]),
    ],
)
def test_trades_of_the_day_are_named_with_who_made_them(orders: list[Order], used: int, who: list[str]) -> None:
    assert traders(orders, used, synthetic.OPEN_NS + 100 * S) == who


def test_orders_are_newest_first_at_the_time_they_were_made(world: World) -> None:
    world.desk.book = {
        o.intent.tag: o
        for o in (order("A", "manual", at_s=5), order("B", "manual", at_s=9), order("C", "manual", at_s=5))
    }
    world.poll.once()

    rows = panels.tables(world.context)["orders"]

    assert [row["key"] for row in rows] == ["B", "C", "A"]
    assert [row["cells"][0][0] for row in rows] == ["09:15:09", "09:15:05", "09:15:05"]
    assert rows[0]["title"] == "manual, NRML: made 09:15:09, last change 09:16:09"


def alert(age_s: int, severity: str, *, now_ns: int) -> Alert:
    return Alert(at_wall_ns=now_ns - age_s * S, severity=severity, subject="oms", message=f"{age_s}")  # type: ignore[arg-type]


def test_an_alert_goes_after_a_minute_and_an_alarm_stays() -> None:
    now = 1_000_000 * S
    alarm, old, new = (alert(age, kind, now_ns=now) for age, kind in ((900, "alarm"), (61, "warning"), (59, "warning")))

    assert panels.current([], now) == []
    assert panels.current([old], now) == []
    assert panels.current([alarm, old], now) == [alarm]
    assert panels.current([alarm, old, new], now) == [new, alarm]


def test_an_alert_says_by_which_clock_its_time_is(world: World) -> None:
    """The clock beside it is the market's: in a simulated session another hour of another day."""
    at = to_ns(dt.datetime(2026, 11, 21, 20, 31, 7, tzinfo=IST))
    world.clock.wall_ns = lambda: at + S  # type: ignore[method-assign]
    world.desk.alerts = (Alert(at_wall_ns=at, severity="warning", subject="oms", message="slow"),)
    world.poll.once()
    shown = Shown()

    panels.banner(world.context, shown)

    assert shown.texts["trouble"] == "20:31:07 by the wall clock, warning: oms: slow"
    assert shown.texts["market-clock"] == "09:15:00"


def test_the_exit_dialog_says_how_far_its_limits_reach(world: World) -> None:
    shown = Shown()
    panels.banner(world.context, shown)
    assert shown.texts["exit-says"] == "Cancel every working order (0 now)? No position is open."
    world.desk.submit(order("A", "manual").intent)
    world.poll.once()

    panels.banner(world.context, shown)

    assert (
        "close this position with limit orders that reach up to 5 % beyond the best price" in shown.texts["exit-says"]
    )
    assert [row["cells"][2][0] for row in panels.tables(world.context)["closing"]] == ["SELL"]
    for tag in ("B", "C"):
        world.desk.book[tag] = order(tag, "manual", state="OPEN", filled=0)
    world.poll.once()
    panels.banner(world.context, shown)
    assert shown.texts["exit-says"].startswith("Cancel every working order (2 now), and close this position")


def changed(index: str, **values: dict[str, object]) -> Kept:
    """The first chain of `index` with some columns of some symbols set."""
    chain = synthetic.chain(index, 1)
    rows = [row | values.get(row["symbol"], {}) for row in chain.contracts.to_pylist()]
    store = ChainStore((index,), 1)
    return store.put(Chain(contracts=pa.RecordBatch.from_pylist(rows, schema=CONTRACTS), expiries=chain.expiries), 1)


def strikes(kept: Kept) -> tuple[list[float], list[float]]:
    calls, puts = (series["data"] for series in smile(kept, DAY)["series"])
    return [level for level, _ in calls], [level for level, _ in puts]


def test_a_smile_is_of_the_sides_out_of_the_money_and_of_both_at_the_money() -> None:
    kept = changed("NIFTY")
    at = kept.expiry(DAY)["atm_forward_paise"] / 100

    calls, puts = strikes(kept)

    assert min(calls) == at - 50
    assert max(puts) == at + 50
    assert max(calls) > at + 500
    assert min(puts) < at - 500


def test_a_leg_without_both_quotes_has_no_point() -> None:
    plain = changed("NIFTY")
    at = round(plain.expiry(DAY)["atm_forward_paise"] / 100)
    no_bid, no_ask, no_vol = (synthetic.symbol("NIFTY", DAY, at + 50 * n, Kind.CALL) for n in (1, 2, 3))
    unquoted = {no_bid: {"bid_paise": 0}, no_ask: {"ask_paise": 0}, no_vol: {"iv": math.nan}}

    gone = set(strikes(plain)[0]) - set(strikes(changed("NIFTY", **unquoted))[0])

    assert gone == {at + 50, at + 100, at + 150}


def test_a_settled_expiry_has_no_smile_and_says_so_and_the_next_has_its_own() -> None:
    chain = synthetic.chain("NIFTY", 1)
    figures = [row | ({"years": 0.0} if row["expiry"] == DAY else {}) for row in chain.expiries.to_pylist()]
    settled = Chain(contracts=chain.contracts, expiries=pa.RecordBatch.from_pylist(figures, schema=EXPIRIES))
    kept = ChainStore(("NIFTY",), 1).put(settled, 1)

    gone, there = (smile(kept, day) for day in synthetic.EXPIRY_DAYS[:2])

    assert [series["data"] for series in gone["series"]] == [[], []]
    assert gone["series"][0]["markLine"]["data"] == []
    assert gone["title"]["text"] == "Implied vol by strike, %: settled"
    assert all(series["data"] for series in there["series"])
    assert there["title"]["text"] == "Implied vol by strike, %"
