"""Charges against worked figures that are not ours: the contract of exchange.md 8 and the golden days' trades."""

import datetime as dt
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InputError, UnknownDate, UnknownName
from core.market import (
    Charges,
    Exercise,
    TradingDay,
    charges,
    charges_at,
    contract_note,
    exercise_charges,
    option_symbol,
    rates,
    to_ns,
)
from core.market.moment import IST
from core.orders.positions import Holding, fold
from core.records import Fill, Intent, Order
from core.schemas import Kind

D = dt.date
MAY = D(2026, 5, 4)
SYMBOL = option_symbol("NIFTY", D(2026, 5, 5), Kind.CALL, 24_000_00)


def intent(side: str = "SELL", quantity: int = 65, tag: str = "A", symbol: str = SYMBOL) -> Intent:
    return Intent(
        tag=tag, strategy="s", index="NIFTY", symbol=symbol, side=side, quantity=quantity, order_type="MARKET"
    )


def fill(trade: int, quantity: int, paise: int, *, side: str = "SELL", tag: str = "A", on: dt.date = MAY) -> Fill:
    return Fill(
        trade_id=f"T{trade}", tag=tag, strategy="s", index="NIFTY", symbol=SYMBOL, side=side, quantity=quantity,
        price_paise=paise, at_ns=to_ns(dt.datetime.combine(on, dt.time(11), IST)) + trade,
    )  # fmt: skip


def rounded(cost: Charges, places: int) -> dict[str, Decimal]:
    return {name: round(value, places) for name, value in vars(cost).items()}


def test_the_worked_sale_line_by_line() -> None:
    sale = charges(intent(), [fill(1, 65, 100_00)])

    assert rounded(sale, 2) == {
        "brokerage": Decimal("20.00"), "stt": Decimal("9.75"), "exchange": Decimal("2.31"), "ipft": Decimal("0.00"),
        "sebi": Decimal("0.01"), "stamp": 0, "gst": Decimal("4.02"), "exercise_stt": 0,
    }  # fmt: skip
    assert sale.sebi == Decimal("0.0065")
    assert sale.exchange + sale.ipft == Decimal("2.30945")  # 3,553 a crore of premium together, NSE/FA/73061
    assert sale.total_paise == 3608
    assert charges_at("NIFTY", "SELL", 65, 100_00, MAY) == sale


def test_the_golden_trade_of_september_2025_line_by_line() -> None:
    both = charges_at("SENSEX", "BUY", 100, 34910, D(2025, 9, 5)) + charges_at(
        "SENSEX", "SELL", 100, 32815, D(2025, 9, 5)
    )

    assert rounded(both, 4) == {
        "brokerage": 40, "stt": Decimal("32.815"), "exchange": Decimal("22.0106"), "ipft": 0,
        "sebi": Decimal("0.0677"), "stamp": Decimal("1.0473"), "gst": Decimal("11.1741"), "exercise_stt": 0,
    }  # fmt: skip
    assert round(both.total, 4) == Decimal("107.1148")


def test_three_partial_fills_are_one_brokerage_and_three_slices_are_three() -> None:
    parts = [fill(n, 65, 100_00) for n in (1, 2, 3)]
    slices = [charges(intent(tag=tag), [fill(n, 65, 100_00, tag=tag)]) for n, tag in enumerate("ABC")]

    whole = charges(intent(quantity=195), parts)
    assert whole.brokerage == 20
    assert whole == charges_at("NIFTY", "SELL", 195, 100_00, MAY)
    assert sum(slices, Charges()).brokerage == 60
    assert sum(slices, Charges()).total - whole.total == Decimal("47.2")  # two brokerages and their GST


def test_an_order_without_a_fill_costs_nothing_and_a_fill_counts_once() -> None:
    order = Order(intent=intent(), state="CANCELLED")

    assert charges(order, []).total == 0
    assert charges(order, [fill(1, 65, 100_00)] * 2) == charges(order, [fill(1, 65, 100_00)])


@pytest.mark.parametrize(
    ("on", "stt", "exchange", "ipft"),
    [
        (D(2024, 10, 1), "10", "3.503", "0.05"),
        (D(2026, 2, 28), "10", "3.503", "0.05"),
        (D(2026, 3, 1), "10", "3.552", "0.001"),
        (D(2026, 3, 31), "10", "3.552", "0.001"),
        (D(2026, 4, 1), "15", "3.552", "0.001"),
    ],
)
def test_rates_change_on_their_day(on: dt.date, stt: str, exchange: str, ipft: str) -> None:
    sale = charges_at("NIFTY", "SELL", 100, 100_00, on)

    assert (sale.stt, sale.exchange, sale.ipft) == (Decimal(stt), Decimal(exchange), Decimal(ipft))
    assert charges_at("SENSEX", "SELL", 100, 100_00, on).exchange == Decimal("3.25")


def test_stt_is_the_seller_s_and_stamp_the_buyer_s() -> None:
    bought, sold = (charges_at("NIFTY", side, 65, 100_00, MAY) for side in ("BUY", "SELL"))

    assert (bought.stt, sold.stamp) == (0, 0)
    assert bought.stamp == Decimal("0.195")


@pytest.mark.parametrize(("on", "rupees"), [(D(2026, 3, 31), "8.125"), (D(2026, 4, 1), "9.75")])
def test_exercise_is_taxed_on_the_intrinsic_value(on: dt.date, rupees: str) -> None:
    cost = exercise_charges("NIFTY", 65, 100_00, on)

    assert cost == Charges(exercise_stt=Decimal(rupees))


def test_the_broker_s_published_example_of_exercise() -> None:
    """NIFTY 10800 CE expires at 10,900, one lot of 75: ₹9.38 (fyers' notice on the circular of 2019-09-01)."""
    assert round(exercise_charges("NIFTY", 75, 100_00, D(2019, 9, 26)).total, 2) == Decimal("9.38")


@pytest.mark.parametrize(("units", "paise", "rupees"), [(100, 670_67, 101), (100, 669_33, 100), (100, 670_00, 101)])
def test_stt_of_half_a_rupee_and_more_goes_up(units: int, paise: int, rupees: int) -> None:
    """Brokers' published example: ₹100.60 is ₹101 on the note, ₹100.40 is ₹100; here 100.6005, 100.3995 and 100.50."""
    assert contract_note(TradingDay(MAY, (fill(1, units, paise),))).stt_paise == rupees * 100


@pytest.mark.parametrize(
    ("on", "per_lakh"),
    [
        (D(2016, 6, 1), 50),
        (D(2023, 3, 31), 50),
        (D(2023, 4, 1), Decimal("62.5")),
        (D(2024, 9, 30), Decimal("62.5")),
        (D(2024, 10, 1), 100),
        (D(2026, 3, 31), 100),
        (D(2026, 4, 1), 150),
    ],
)
def test_stt_on_a_sale_by_date(on: dt.date, per_lakh: Decimal) -> None:
    assert rates.rate(rates.STT_SELL, on, "STT") * 100_000 == per_lakh


def test_a_contract_note_rounds_each_line_once() -> None:
    """Worked by hand. Sales 2 × 6,500, purchase 6,500; STT 19.50 → ₹20, stamp 0.195 → ₹0, exercise 9.75 → ₹10."""
    fills = (fill(1, 65, 100_00, tag="A"), fill(2, 65, 100_00, tag="B"), fill(3, 65, 100_00, side="BUY", tag="C"))
    note = contract_note(TradingDay(MAY, fills, (Exercise("NIFTY", 65, 100_00),)))

    assert (note.orders, note.brokerage_paise) == (3, 60_00)
    assert (note.stt_paise, note.exercise_stt_paise, note.stamp_paise) == (20_00, 10_00, 0)
    assert (note.exchange_paise, note.ipft_paise, note.sebi_paise) == (6_93, 0, 2)  # 6.9264, 0.00195, 0.0195
    assert note.gst_paise == 12_05  # 18 % of 60 + 6.92835 + 0.0195 = 66.94785
    assert note.total_paise == 60_00 + 20_00 + 10_00 + 6_93 + 2 + 12_05
    assert (note.premium_paise, note.net_paise) == (6_500_00, 6_500_00 - note.total_paise)


def test_a_trade_number_of_another_symbol_is_another_trade() -> None:
    """NSE and BSE number their trades each for itself."""
    other = msgspec.structs.replace(
        fill(1, 20, 100_00, tag="B"), symbol=option_symbol("SENSEX", D(2026, 5, 7), Kind.PUT, 76_000_00), index="SENSEX"
    )

    assert contract_note(TradingDay(MAY, (fill(1, 65, 100_00), other))).brokerage_paise == 40_00


@pytest.mark.parametrize(("price_paise", "paise"), [(500_00, 1), (1500_00, 2), (2500_00, 3), (499_99, 0)])
def test_half_a_paisa_goes_up_in_every_total(price_paise: int, paise: int) -> None:
    """The SEBI fee of ten units at ₹500 is half a paisa, in one order's charges and on the day's note."""
    sebi = charges_at("SENSEX", "BUY", 10, price_paise, MAY).sebi

    assert Charges(sebi=sebi).total_paise == paise
    assert Holding(symbol=SYMBOL, index="NIFTY", charges_rupees=sebi).charges_paise == paise
    fills = tuple(fill(n, 1, price_paise, side="BUY") for n in range(10))
    assert contract_note(TradingDay(MAY, fills)).sebi_paise == paise


def test_stt_of_two_small_sales_is_rounded_together() -> None:
    """Two sales of ₹300 are taxed 0.45 each: apart they would be ₹0 and ₹0, the day's 0.90 is ₹1."""
    fills = (fill(1, 5, 60_00, tag="A"), fill(2, 5, 60_00, tag="B"))

    assert contract_note(TradingDay(MAY, fills)).stt_paise == 1_00
    assert contract_note(TradingDay(MAY, fills[:1])).stt_paise == 0


ROWS = st.lists(
    st.tuples(st.sampled_from(("BUY", "SELL")), st.integers(1, 40), st.integers(1, 50_000), st.integers(0, 3)),
    min_size=1,
    max_size=12,
)


@given(ROWS)
def test_fills_positions_orders_and_the_note_agree(rows: list[tuple[str, int, int, int]]) -> None:
    fills = [
        fill(n, 65 * lots, 5 * ticks, side=side, tag=f"{side}{tag}") for n, (side, lots, ticks, tag) in enumerate(rows)
    ]
    orders: dict[str, list[Fill]] = {}
    for each in fills:
        orders.setdefault(each.tag, []).append(each)
    exact = sum((charges(intent(own[0].side, 10**9, tag), own) for tag, own in orders.items()), Charges())
    note = contract_note(TradingDay(MAY, tuple(reversed(fills))))

    assert fold(fills)[SYMBOL].charges_rupees == exact.total
    assert note.brokerage_paise == 20_00 * len(orders)
    assert note.stt_paise % 100 == note.stamp_paise % 100 == 0
    assert abs(note.total_paise - exact.total * 100) <= 50 + 50 + 5 * Decimal("0.5")


def test_what_cannot_be_charged_is_refused_with_its_numbers() -> None:
    with pytest.raises(UnknownDate, match="2024-10-01"):
        charges_at("NIFTY", "BUY", 25, 100_00, D(2024, 9, 30))
    with pytest.raises(UnknownDate, match=r"STT on exercise on 2019-08-31 .* begins 2019-09-01"):
        exercise_charges("NIFTY", 75, 100_00, D(2019, 8, 31))
    with pytest.raises(InputError, match="quantity above 0"):
        charges_at("NIFTY", "BUY", 0, 100_00, MAY)
    with pytest.raises(InputError, match="quantity above 0"):
        exercise_charges("NIFTY", 0, 100_00, MAY)
    for side in ("sell", "", "S"):
        with pytest.raises(InputError, match="BUY or SELL"):
            charges_at("NIFTY", side, 65, 100_00, MAY)
    with pytest.raises(UnknownName, match="DAX"):
        charges_at("DAX", "BUY", 1, 100_00, MAY)
    with pytest.raises(InputError, match=r"fill T1 is BUY .* expected SELL"):
        charges(intent(), [fill(1, 65, 100_00, side="BUY")])
    with pytest.raises(InputError, match="130 units, the order is of 65"):
        charges(intent(), [fill(1, 65, 100_00), fill(2, 65, 100_00)])
    with pytest.raises(InputError, match="no option"):
        charges(intent(symbol="NIFTY26MAYFUT"), [])
    with pytest.raises(InputError, match="2026-05-04 and 2026-05-05"):
        charges(intent(quantity=130), [fill(1, 65, 100_00), fill(2, 65, 100_00, on=D(2026, 5, 5))])
    with pytest.raises(InputError, match="twice and differently"):
        charges(intent(quantity=130), [fill(1, 65, 100_00), fill(1, 65, 100_05)])
    with pytest.raises(InputError, match="the note is of 2026-05-05"):
        contract_note(TradingDay(D(2026, 5, 5), (fill(1, 65, 100_00),)))
