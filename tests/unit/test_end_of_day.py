"""The end-of-day report: what it counts, what it compares, and how it says it."""

import datetime as dt
import json

from msgspec.structs import replace

from core.orders.books import ACCOUNT
from core.orders.day_result import sharpe
from core.orders.end_of_day import (
    LISTED_NS,
    EndOfDay,
    Facts,
    as_json,
    cash_paise,
    end_of_day,
    filled_up,
    in_short,
    markdown,
    prices_of,
    statement,
)
from core.orders.reconcile import Statement
from core.records import Chain, Fill, Order, Settled
from core.schemas import CONTRACTS
from tests.fakes_orders import DAY, INDEX, LOT, NOON, SYMBOL, intent
from tests.unit.cli.fake_world import rows_of

DAY_NS = 24 * 3_600 * 1_000_000_000


def order(tag: str, strategy: str, side: str, day: int = 0, *, state: str = "COMPLETE") -> Order:
    asked = intent(tag, strategy=strategy, side=side, created_ns=NOON + day * DAY_NS)
    filled = LOT if state == "COMPLETE" else 0
    return Order(intent=asked, state=state, broker_id=f"B{tag}", filled_quantity=filled, average_paise=10_000.0)


def fill_of(of: Order, price: int = 10_000) -> Fill:
    asked = of.intent
    return Fill(
        trade_id=f"T{asked.tag}", tag=asked.tag, strategy=asked.strategy, index=INDEX, symbol=SYMBOL, side=asked.side,
        quantity=LOT, price_paise=price, at_ns=asked.created_ns + 1,
    )  # fmt: skip


def facts() -> Facts:
    """Bought yesterday, sold today by `a`; bought today by `b`, whose second order was cancelled."""
    orders = (order("Y", "a", "BUY", -1), order("A", "a", "SELL"), order("B", "b", "BUY"),
              order("C", "b", "BUY", state="CANCELLED"))  # fmt: skip
    return Facts(
        orders=orders, fills=tuple(fill_of(one, p) for one, p in zip(orders[:3], (9_000, 10_000, 10_000), strict=True))
    )


def broker() -> Statement:
    said = statement(facts(), DAY)
    return replace(said, charges_paise=None, margin_paise=5)


def made(*said: Statement, of: Facts | None = None, **more: object) -> EndOfDay:
    given: dict[str, object] = {"prices": {SYMBOL: (10_500, 10_700, 10_600, 9_500)}, "marks_from": "the tape",
                                "broker_says": "its book", "as_of_ns": NOON}  # fmt: skip
    return end_of_day("S", DAY, of or facts(), said, **(given | more))  # type: ignore[arg-type]


def test_a_day_that_agrees_with_its_broker_is_clean_and_counts_its_own_day() -> None:
    report = made(broker())

    assert report.reconciliation.clean
    assert report.reconciliation.compared == {"orders": 3, "trades": 2, "positions": 1, "cash": 1}
    assert (report.orders, report.fills) == ({"CANCELLED": 1, "COMPLETE": 2}, 2)
    assert (report.units_bought, report.units_sold, report.cash_paise) == (LOT, LOT, 0)
    assert report.results["a"].gross_paise == LOT * 500  # from the previous close, not from its cost
    assert report.results["b"].gross_paise == LOT * 500  # at the bid
    assert report.account.gross_paise == LOT * 1_000
    assert [(one.strategy, one.quantity, one.mark_paise) for one in report.positions] == [
        ("a", 0, 10_500), ("b", LOT, 10_500),
    ]  # fmt: skip
    assert report.external == {}


def test_what_differs_from_the_broker_is_in_the_report_in_words() -> None:
    said = broker()
    theirs = replace(said, orders=(said.orders or ())[:2], positions={(SYMBOL, "NRML"): 3 * LOT, (SYMBOL, "MIS"): -LOT})
    report = made(theirs)

    assert [one.kind for one in report.reconciliation.mismatches] == [
        "order missing at the broker", "position", "position",
    ]  # fmt: skip
    assert report.external == {f"{SYMBOL} MIS": -LOT, f"{SYMBOL} NRML": 2 * LOT}
    assert in_short(report).startswith(
        f"end of day {DAY}: 3 differences from the broker: order missing at the broker of C"
    )
    text = markdown(report)
    assert "## Differences: 3" in text
    assert "- drawdown: of the snapshots, one every quarter of an hour, and the day's end" in text
    assert f"- external: -20 {SYMBOL} MIS at the broker, nobody's here" in text


def test_a_difference_of_one_moment_is_none_and_one_that_lasts_is() -> None:
    off = replace(broker(), cash_paise=1)

    assert made(off, broker()).reconciliation.clean
    assert [one.kind for one in made(off, off).reconciliation.mismatches] == ["cash"]


def test_a_broker_that_was_not_read_is_said_so_and_is_no_mismatch() -> None:
    report = made(broker_says="not asked: the desk does not run")

    assert report.reconciliation.clean
    assert "orders (not known at the broker)" in report.reconciliation.unread
    assert "- broker: not asked: the desk does not run" in markdown(report)


def test_what_has_settled_here_is_no_position_there_any_more() -> None:
    end = Settled(symbol=SYMBOL, index=INDEX, close_paise=1, value_paise=10_000, source="t", at_ns=NOON + 99)
    report = made(broker(), of=replace(facts(), settlements=(end,)))

    assert report.reconciliation.clean
    assert [one.quantity for one in report.positions] == [0, 0]


def test_without_prices_what_is_open_counts_at_its_last_trade_here() -> None:
    report = made(prices={}, marks_from="none")

    assert report.results["b"].gross_paise == 0
    assert "| b |" in markdown(report)
    assert "unknown" in markdown(report)


def test_what_has_no_previous_close_is_named_and_its_day_is_an_estimate_that_no_ratio_counts() -> None:
    days = [1, 2] * 10
    known, unknown = (
        made(broker(), prices={SYMBOL: (10_500, 10_700, 10_600, close)}, earlier=days) for close in (9_500, 0)
    )

    assert "no previous close" not in markdown(known)
    assert unknown.account.no_close == unknown.results["a"].no_close == (SYMBOL,)
    assert unknown.results["b"].no_close == ()
    assert unknown.marks_from == (
        f"the tape; no previous close of {SYMBOL} is known: results of what was carried in of it count from its cost, "
        "an estimate, and the account's is not kept as the day's result"
    )
    assert "| a (estimate) |" in (text := markdown(unknown))
    assert "| account (estimate) |" in text
    assert "| b |" in text
    assert "| unknown |" in text, "the drawdown: nothing was measured"
    assert (known.sharpe != sharpe(days), unknown.sharpe) == (True, sharpe(days))
    assert json.loads(json.dumps(as_json(unknown), default=str))["results"]["a"]["no_close"] == [SYMBOL]


def test_a_strategy_s_estimate_takes_nothing_from_the_account_that_carried_nothing_in() -> None:
    orders = (order("Y", "a", "BUY", -1), order("Z", "b", "SELL", -1))
    against = Facts(orders=orders, fills=tuple(fill_of(one) for one in orders))
    report = made(of=against, prices={SYMBOL: (10_500, 10_700, 10_600, 0)})

    assert (report.account.no_close, report.results["a"].no_close) == ((), (SYMBOL,))
    assert report.marks_from.endswith("from its cost, an estimate")
    assert [one.estimate for one in report.positions] == [True, True]


def test_what_the_last_chain_lacks_is_taken_of_the_snapshots() -> None:
    chain = {"IN": (1, 2, 3, 4), "NO CLOSE": (1, 2, 3, 0)}
    taken = {"IN": (0, 0, 9, 9), "NO CLOSE": (0, 0, 9, 8), "NOT IN": (0, 0, 9, 7)}

    assert filled_up(chain, taken) == {"IN": (1, 2, 3, 4), "NO CLOSE": (1, 2, 3, 8), "NOT IN": (0, 0, 9, 7)}


def test_a_live_order_must_be_listed_once_it_has_been_there_for_long() -> None:
    live = Facts(orders=(order("L", "a", "BUY", state="OPEN"),), fills=())
    nothing = Statement(orders=())

    assert made(nothing, of=live, as_of_ns=NOON + LISTED_NS - 1).reconciliation.clean
    late = made(nothing, of=live, as_of_ns=NOON + LISTED_NS).reconciliation
    assert [one.kind for one in late.mismatches] == ["order missing at the broker"]


def test_a_sharpe_ratio_comes_with_twenty_days() -> None:
    assert made(earlier=[1, 2] * 9).sharpe is None
    assert made(earlier=[1, 2] * 10).sharpe is not None


def test_the_report_is_json_with_its_sums() -> None:
    told = json.loads(json.dumps(as_json(made(broker())), default=str))

    assert (told["clean"], told["mismatches"], told["date"]) == (True, 0, str(DAY))
    assert told["results"][ACCOUNT]["net_paise"] == made(broker()).account.net_paise


def test_prices_come_from_a_chain_by_contract() -> None:
    contracts = rows_of(CONTRACTS, [{"index": INDEX, "symbol": SYMBOL, "expiry": DAY, "bid_paise": 1, "ask_paise": 2,
                                     "last_paise": 3, "prev_close_paise": 4}])  # fmt: skip

    assert prices_of(Chain(contracts=contracts, expiries=contracts)) == {SYMBOL: (1, 2, 3, 4)}


def test_cash_is_received_less_paid() -> None:
    assert cash_paise([fill_of(order("A", "a", "SELL"), 500), fill_of(order("B", "a", "BUY"), 300)]) == LOT * 200


def test_a_report_of_a_quiet_day_has_no_rows() -> None:
    quiet = end_of_day("S", DAY + dt.timedelta(days=3), Facts(orders=(), fills=()), [], prices={}, marks_from="none",
                       broker_says="none", as_of_ns=NOON)  # fmt: skip

    assert (quiet.fills, quiet.positions) == (0, ())
    assert "- orders: none" in markdown(quiet)
