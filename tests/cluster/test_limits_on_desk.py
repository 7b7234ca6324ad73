"""Every limit through a running desk: it is tightened while the desk runs, an order meets it, and it is named.

Its session is of a Tuesday, on which NIFTY has an expiry. Which test meets what:

    market_hours                      tests/cluster/test_live_desk.py: a simulated market is always open
    lot, freeze, tick, expiry, amo    what_the_exchange_would_not_take
    contract, valuation               a_contract_nobody_lists, a_short_that_nobody_can_price
    price_band, price_distance        a_price_far_from_the_market
    AT_ONCE                           it_refuses_an_entry_once_it_is_tightened
    order_size, position              the_size_of_an_order_and_of_a_position
    expiry_day, profit_lock           on_expiry_day, a_good_day_that_has_given_back
    duplicate, order_rate             the_same_order_again_at_once
    daily_loss, consecutive_stops     a_strategy_that_has_lost, two_stops_in_a_row
    exit                              the_wing_of_a_spread_is_no_exit
    breaker                           five_orders_in_a_row, a_fifth_of_a_minutes_orders; its rest: test_kill_on_desk.py
    requests_a_second, premium        more_orders_than_the_budget, a_purchase_that_the_cash_does_not_pay

The last test counts what those before it were refused by: run the whole file.
"""

import datetime as dt
import getpass
import json
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing
from typing import Any

import pytest

from cluster.attach import Desk
from cluster.state import DeskState
from core.market import expiries, freeze, from_ns, option_symbol
from core.risk.limits.limits import LimitBlocks
from core.rupees import rupees
from core.schemas import Kind
from storage.ledger import PostgresLedger
from tests.cluster.conftest import until
from tests.cluster.orders_on_desk import (
    PATIENCE_S,
    breaker_closes,
    call_spread,
    emptied,
    filled,
    left,
    limits_meanwhile,
    lot_of,
    names,
    order,
    refused_by,
    taken,
    told,
)
from tests.cluster.whole_desk import ROOMY, fault, fault_over, near_the_money, own_desk, trading

pytestmark = [pytest.mark.cluster, pytest.mark.long, pytest.mark.timeout(400)]
SETTINGS = {
    "indices": ["NIFTY"], "market.seed": 5, "ray.object_store_mb": 100, "ray.cpus": 2, "risk.kill_on": [],
    "oms.budget.requests_a_second": 5, "oms.budget.orders_a_minute": 300, "oms.budget.exits_keep_a_second": 1,
    "oms.budget.hedges_keep_a_second": 0, "oms.budget.exits_keep_a_minute": 10,
    "risk.limits.order_rate.max_per_minute": 600, "risk.limits.expiry_day.share": 1.0,
    "market.session_date": "2026-12-01",
    # Orders that nobody answered are what a local exchange has of failures: here three of them are no reason yet.
    "oms.breaker.timeouts": 1_000, "oms.breaker.open_ms": 8_000,
    "risk.limits.trades_per_day.max_manual": 1_000, "risk.limits.position.max_lots": 200, **ROOMY,
    "risk.funds.cash_paise": 10**8,  # what an account at the exchange begins with: `premium` looks at no other
}  # fmt: skip
# One lot bought at market is refused, whatever else is held.
AT_ONCE = [
    ("stale_quote", {"stale_quote.max_age_ms": 1}),
    ("exposure", {"exposure.max_paise": 1}),
    ("concentration", {"concentration.max_share": 0.001, "concentration.from_paise": 1}),
    ("market_share", {"market_share.max_of_volume": 1e-9, "market_share.free_lots": 0}),
    ("trades_per_day", {"trades_per_day.max_manual": 1}),
    ("margin", {"margin.max_share": 1e-9}),
    ("delta", {"delta.max_rupees": 1}),
    ("gamma", {"gamma.max_rupees": 0.01}),
    ("vega", {"vega.max_rupees": 1}),
    ("theta", {"theta.max_rupees": 1}),
    ("stress", {"stress.max_loss_paise": 1}),
    ("var", {"var.max_loss_paise": 1}),
    ("drawdown", {"strategies.manual.drawdown.max_paise": 1}),
    ("spread", {"spread.max_share": 1e-9, "spread.ticks": 1}),
    ("spike", {"spike.max_share": 1e-9, "spike.ticks": 1}),
]


@pytest.fixture(scope="module")
def state() -> Iterator[DeskState]:
    with own_desk(SETTINGS) as made:
        yield made


@pytest.fixture(scope="module")
def desk(state: DeskState) -> Desk:
    """One lot is held, so that the day has cost something."""
    return trading(state)


def tight(desk: Desk, changes: dict[str, Any]) -> AbstractContextManager[None]:
    return limits_meanwhile(desk, SETTINGS, changes)


@pytest.mark.parametrize(("limit", "changes"), AT_ONCE, ids=[limit for limit, _ in AT_ONCE])
def test_it_refuses_an_entry_once_it_is_tightened_and_not_before(
    desk: Desk, limit: str, changes: dict[str, Any]
) -> None:
    with tight(desk, changes):
        refused_by(desk, limit)
    taken(desk)


def test_the_size_of_an_order_and_of_a_position(desk: Desk) -> None:
    with tight(desk, {"order_size.max_lots": 1}):
        refused_by(desk, "order_size", quantity=2 * lot_of(desk))
    bought = taken(desk)
    filled(desk, bought.intent.tag)
    with tight(desk, {"position.max_lots": 1}):
        refused_by(desk, "position", symbol=bought.intent.symbol)


def test_a_price_far_from_the_market(desk: Desk) -> None:
    contract = near_the_money(desk)
    far = contract["ask_paise"] * 115 // 100 // 5 * 5
    refused_by(desk, "price_distance", symbol=contract["symbol"], limit_paise=far)
    refused_by(desk, "price_band", symbol=contract["symbol"], limit_paise=500_000)


@pytest.mark.parametrize("purpose", ["entry", "exit"])
def test_what_the_exchange_would_not_take_is_refused_to_entries_and_exits_alike(desk: Desk, purpose: str) -> None:
    near, lot = near_the_money(desk), lot_of(desk)
    today = from_ns(desk.status().market_ns).date()
    most, over = freeze("NIFTY", today), expiries("NIFTY", today - dt.timedelta(days=14))[0]
    gone = option_symbol("NIFTY", over, Kind.CALL, near["strike_paise"], today)
    above = near["ask_paise"] + 1
    for limit, allowed, asked, how in (
        ("lot", f"{lot} × n", f"{lot + 1}", {"quantity": lot + 1}),
        ("lot", f"{lot} × n", f"{-lot}", {"quantity": -lot}),
        ("freeze", f"{most}", f"{(most // lot + 1) * lot}", {"quantity": (most // lot + 1) * lot}),
        ("tick", "₹0.05 × n", rupees(above), {"limit_paise": above}),
        ("expiry", f"{today} or later", f"{over}", {"symbol": gone}),
        ("amo", "15:45 to 09:10, not 01:00 to 05:30", "", {"variety": "amo", "limit_paise": near["ask_paise"]}),
    ):
        answer = refused_by(desk, limit, **{"symbol": near["symbol"], "purpose": purpose} | how)
        assert f"(asked {asked}" in answer.message, answer.message
        assert f"allowed {allowed})" in answer.message, answer.message


def test_a_contract_nobody_lists(desk: Desk) -> None:
    contract = near_the_money(desk)
    strike = f"{contract['strike_paise'] // 100}"
    refused_by(desk, "contract", symbol=contract["symbol"].replace(strike, "99950"))


def test_a_short_that_nobody_can_price(desk: Desk) -> None:
    contract = near_the_money(desk)
    unpriced = contract["symbol"].replace(f"{contract['strike_paise'] // 100}", "99950")
    refused_by(desk, "valuation", symbol=unpriced, side="SELL", limit_paise=500)


def test_on_expiry_day_less_of_a_limit_is_allowed(desk: Desk) -> None:
    with tight(desk, {"expiry_day.share": 1e-9}):
        refused_by(desk, "delta")
        assert "NIFTY has an expiry today" in order(desk).message
        assert "delta of NIFTY, expiry day" in {use.limit for use in desk.client.limits()}
    taken(desk)


def test_a_good_day_that_has_given_back_is_locked(desk: Desk) -> None:
    """One of the two earns within moments, wherever the market goes; a hundredth of its best is soon gone again."""
    near = near_the_money(desk)
    for strategy, symbol in (("up", near["symbol"]), ("down", f"{near['symbol'][:-2]}PE")):
        filled(desk, taken(desk, strategy=strategy, symbol=symbol, quantity=5 * lot_of(desk)).intent.tag)
    lock = {"profit_lock.arm_paise": 1, "profit_lock.keep": 0.99}
    with tight(desk, {f"strategies.{name}.{path}": one for name in ("up", "down") for path, one in lock.items()}):

        def locked() -> bool:
            return any("profit_lock" in names(order(desk, strategy=name, limit_paise=5)) for name in ("up", "down"))

        until(locked, within_s=4 * PATIENCE_S, what="profit_lock refuses", every_s=1.0)
        taken(desk)


def test_who_asked_for_an_order_is_in_the_audit_log(desk: Desk, state: DeskState) -> None:
    placed = taken(desk)
    with closing(PostgresLedger(state.dsn, state.session_id)) as ledger:
        (line,) = ledger.audit_rows(action="submit", entity=("order", placed.intent.tag))
    assert (line.actor, line.user_id) == ("oms", getpass.getuser())
    assert line.user_agent.startswith(f"notebook pid {os.getpid()} on ")


def test_the_same_order_again_at_once_and_too_many_a_second(desk: Desk) -> None:
    with tight(desk, {"duplicate.window_ms": 60_000}):
        first = taken(desk, strategy="twice")
        refused_by(desk, "duplicate", symbol=first.intent.symbol, strategy="twice")
    with tight(desk, {"order_rate.max_per_second": 1}):
        until(
            lambda: "order_rate" in {name for _ in range(3) for name in names(order(desk))}, within_s=PATIENCE_S,
            what="order_rate refuses",
        )  # fmt: skip


def test_a_strategy_that_has_lost_its_days_worth(desk: Desk) -> None:
    bought = taken(desk, strategy="loser")
    filled(desk, bought.intent.tag)
    left(desk, bought)  # the spread and the charges are lost for sure
    with tight(desk, {"strategies.loser.daily_loss.max_loss_paise": 1}):
        refused_by(desk, "daily_loss", strategy="loser")
        taken(desk)


def test_two_stops_in_a_row_halt_a_strategy_and_no_other(desk: Desk) -> None:
    with tight(desk, {"strategies.stopper.consecutive_stops.max_stops": 1}):
        bought = taken(desk, strategy="stopper")
        filled(desk, bought.intent.tag)
        left(desk, bought, "stop")
        refused_by(desk, "consecutive_stops", strategy="stopper")
        taken(desk)


def test_the_wing_of_a_spread_is_no_exit_and_its_short_is(desk: Desk) -> None:
    emptied(desk)  # a long of another strategy would cover the short too
    short, wing = call_spread(desk, "spread")
    wrong = order(desk, symbol=wing, side="SELL", purpose="exit", strategy="spread")
    assert (wrong.state, "exit" in names(wrong)) == ("REFUSED", True), wrong
    back = taken(desk, symbol=short, side="BUY", purpose="exit", strategy="spread")
    filled(desk, back.intent.tag)
    taken(desk, symbol=wing, side="SELL", purpose="exit", strategy="spread")


def test_every_change_is_kept_with_who_and_why(desk: Desk, state: DeskState) -> None:
    uses = {use.limit: use.allowed for use in desk.client.limits()}
    before = int(uses["order_size"])
    desk.client.set_limits({"order_size.max_lots": 7}, "asha", "a slipped digit")
    assert {use.limit: use.allowed for use in desk.client.limits()}["order_size"] == 7
    desk.client.set_limits({"order_size.max_lots": before}, "ravi", "seen")
    assert {use.limit: use.allowed for use in desk.client.limits()} == uses
    with closing(PostgresLedger(state.dsn, state.session_id)) as ledger:
        changes = ledger.audit_rows(action="set_limit", entity=("limit", "order_size.max_lots"))[-2:]
    assert [(one.actor, one.user_id, one.old_value, one.new_value) for one in changes] == [
        ("asha", "asha", f"{before}", "7"),
        ("ravi", "ravi", "7", f"{before}"),
    ]
    first, second = (json.loads(one.detail) for one in changes)
    assert (first["why"], second["why"]) == ("a slipped digit", "seen")
    assert second["version"] == first["version"] + 1


def test_a_fifth_of_a_minutes_orders_that_fail_open_it(state: DeskState, desk: Desk) -> None:
    """Two that pass and one that fails, again and again: never two in a row."""

    def opened() -> bool:
        fine = any("breaker" in names(order(desk)) for _ in range(2))
        fault(state, "lost_answer", uses=1, seconds=600)
        return fine or "breaker" in names(order(desk))

    until(opened, within_s=2 * PATIENCE_S, what="the breaker refuses", every_s=0.5)
    told(desk, "the circuit breaker is OPEN after CLOSED", " orders in the last minute failed")
    fault_over(state, "lost_answer")
    breaker_closes(desk)


def test_five_orders_in_a_row_that_fail_open_the_breaker_which_lets_exits_pass(state: DeskState, desk: Desk) -> None:
    """After the test above, whose orders a closed breaker has forgotten: else their share would count first."""
    held = taken(desk, strategy="broken")
    filled(desk, held.intent.tag)
    fault(state, "lost_answer", seconds=600)
    until(lambda: "breaker" in names(order(desk)), within_s=PATIENCE_S, what="the breaker refuses")
    told(desk, "the circuit breaker is OPEN after CLOSED", ": 5 orders in a row failed")
    left(desk, held)
    fault_over(state, "lost_answer")
    breaker_closes(desk)


def test_more_orders_than_the_budget_allows(desk: Desk) -> None:
    symbol = near_the_money(desk)["symbol"]

    def burst() -> set[str]:
        return {name for _ in range(6) for name in names(order(desk, symbol=symbol))}

    until(lambda: "requests_a_second" in burst(), within_s=PATIENCE_S, what="the budget refuses", every_s=1.0)


def test_a_purchase_that_the_cash_does_not_pay(desk: Desk) -> None:
    """Of the dearest calls as many as one order may have cost more than the account has."""
    rows = [row for row in desk.chain("NIFTY").to_pylist() if row["kind"] == 2 and row["ask_paise"] > 0]
    dear = max(rows, key=lambda row: row["ask_paise"])
    wide = {"order_size.max_lots": 10_000, "position.max_lots": 10_000, "market_share.free_lots": 10_000}
    with tight(desk, wide | {"spread.max_share": 1.0}):
        lots = freeze("NIFTY", from_ns(desk.status().market_ns).date()) // lot_of(desk)
        how = {"symbol": dear["symbol"], "quantity": lots * lot_of(desk), "limit_paise": dear["ask_paise"]}
        answer = refused_by(desk, "premium", **how)
    assert "a bought option is paid in full and in cash before it is sent (asked ₹" in answer.message


def test_every_limit_there_is_has_refused_an_order_of_the_tests_above(desk: Desk) -> None:
    refusals = [one for one in desk.all_orders() if one.state == "REFUSED"]
    assert set(LimitBlocks.model_fields) - {name for one in refusals for name in names(one)} == {"market_hours"}
