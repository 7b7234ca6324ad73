"""What risk says without being asked, and for how long its word holds."""

import datetime as dt
import itertools
import math

import msgspec
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.records import Funds, Kill, LimitUse
from core.risk.limits.limits import LimitBlocks, LimitsConfig
from core.risk.warnings import Warned, in_words, warnings
from tests.fakes_orders import LOT, NOON, SECOND, intent
from tests.unit.test_risk_actor import Desk, chain, refused

DAY, NEXT = dt.date(2026, 11, 23), dt.date(2026, 11, 25)


def use(used: float, *, limit: str = "position", allowed: float = 100.0) -> LimitUse:
    return LimitUse(limit=limit, used=used, allowed=allowed, unit="lots")


def told(uses: list[float]) -> list[bool]:
    warned, found = Warned(), []
    for used in uses:
        new, warned = warnings([use(used)], warned, DAY)
        found.append(bool(new))
    return found


def test_a_limit_warns_at_eighty_per_cent_and_again_after_it_fell_below_seventy() -> None:
    assert told([79.9, 80, 95, 100, 70, 80, 69.9, 79, 80]) == [False, True, *[False] * 6, True]


def test_a_new_day_warns_anew_and_each_limit_for_itself() -> None:
    _, warned = warnings([use(90), use(10, limit="stress")], Warned(), DAY)
    new, warned = warnings([use(90), use(90, limit="stress")], warned, DAY)

    assert [one.limit for one in new] == ["stress"]
    assert len(warnings([use(90), use(90, limit="stress")], warned, NEXT)[0]) == 2


@given(st.lists(st.floats(0, 120), max_size=30))
def test_between_two_warnings_the_use_was_below_seventy(uses: list[float]) -> None:
    found = told(uses)
    at = [place for place, said in enumerate(found) if said]

    assert all(uses[place] >= 80 for place in at)
    assert all(min(uses[first:then]) < 70 for first, then in itertools.pairwise(at))


def test_a_limit_nearly_used_up_is_an_event_and_an_alert_once() -> None:
    desk = Desk(LimitsConfig.model_validate({"position": {"max_lots": 5}}))
    desk.risk.on_marks(chain())
    desk.risk.check(intent("A", quantity=4 * LOT))
    desk.risk.book(desk.journal("A", fill=35_000, quantity=4 * LOT))
    for second in range(1, 4):
        desk.clock.now = NOON + second * SECOND
        desk.risk.on_marks(chain(at_ns=desk.clock.now))
    said = [(event.kind, event.subject) for _, event in desk.ledger.events]

    assert said == [("warning", "position")]
    assert [(alert.severity, alert.message) for alert in desk.risk.alerts()] == [
        ("warning", "position: 4 of 5 lots are used, 80%")
    ]


@pytest.mark.parametrize(
    ("used", "allowed", "unit", "words"),
    [
        (26_000, 25_000, "rupees", "₹26,000 of ₹25,000 are used, 104%"),
        (25_000.4, 25_000, "rupees", "₹25,000.40 of ₹25,000.00 are used, 100%"),
        (8_000_000.4, 1e7, "rupees a day", "₹80,00,000 of ₹1,00,00,000 a day are used, 80%"),
        (1_234_567.25, 1_500_000, "ms", "12,34,567.25 of 15,00,000 ms are used, 82%"),
        (0.04, 0.05, "of the mid", "0.04 of 0.05 of the mid are used, 80%"),
    ],
)
def test_figures_are_written_out_and_rupees_are_whole(used: float, allowed: float, unit: str, words: str) -> None:
    assert in_words(LimitUse(limit="it", used=used, allowed=allowed, unit=unit)) == f"it: {words}"


def test_a_second_strategy_s_own_book_is_shown_beside_the_desk_s() -> None:
    desk = Desk()
    desk.risk.on_marks(chain())
    alone = [one.limit for one in desk.risk.limits()]
    for tag, strategy in (("A", "s"), ("B", "t")):
        desk.risk.check(intent(tag, strategy=strategy))
        desk.risk.book(desk.journal(tag, fill=35_000, strategy=strategy))
    both = {one.limit: one for one in desk.risk.limits()}

    assert alone == list(LimitBlocks.model_fields)
    assert both["delta"].used == both["delta of s"].used + both["delta of t"].used > 0
    assert both["daily_loss of s"].used > 0


def test_risk_leases_its_word_while_it_is_sound() -> None:
    desk = Desk()
    flat = desk.risk.lease()
    desk.risk.on_marks(chain())
    desk.risk.check(intent("A"))
    desk.risk.book(desk.journal("A", fill=35_000))
    held = desk.risk.lease()
    desk.clock.sleep(10)
    border = desk.risk.lease()
    desk.clock.sleep(1)

    assert (flat, held, border, desk.risk.lease()) == (3_000, 3_000, 3_000, 0)
    assert "the chain of SENSEX is 11.0 s old" in desk.risk.unsound()
    desk.risk.on_marks(chain(at_ns=desk.clock.now))
    assert desk.risk.lease() == 3_000


def test_what_is_held_and_has_no_price_ends_the_lease() -> None:
    desk = Desk()
    desk.journal("A", fill=35_000)
    risk = desk.restart()

    assert (risk.lease(), "has no price yet" in risk.unsound()) == (0, True)


def test_after_the_close_nothing_is_asked_of_marks() -> None:
    desk = Desk()
    desk.risk.on_marks(chain())
    desk.risk.check(intent("A"))
    desk.risk.book(desk.journal("A", fill=35_000))
    desk.clock.sleep(6 * 3600)

    assert desk.risk.lease() == 3_000
    assert refused(desk, "B") == ["market_hours", "stale_quote"]


def test_without_the_ledger_halted_or_killed_there_is_no_lease() -> None:
    desk = Desk()
    desk.ledger.down = lambda name: name == "standing"
    away = (desk.risk.lease(), desk.risk.unsound())
    desk.ledger.down = lambda name: False
    desk.ledger.said = ("HALTED", "lunch")
    halted = (desk.risk.lease(), desk.risk.unsound())
    desk.ledger.said = ("ACTIVE", "resumed")
    desk.ledger.record_kill(Kill(pulled=True, who="asha", why="fire", at_ns=NOON))
    killed = (desk.risk.lease(), desk.risk.unsound())
    desk.ledger.record_kill(Kill(pulled=False, who="asha", why="false alarm", at_ns=NOON))

    assert (away[0], halted, killed[0]) == (0, (0, "halted: lunch"), 0)
    assert "asha: fire" in killed[1]
    assert desk.risk.lease() == 3_000


def test_what_the_broker_says_is_free_counts_where_it_is_less() -> None:
    desk = Desk()
    desk.risk.on_marks(chain())
    need = LOT * 35_000
    desk.risk.funds(Funds(available_paise=need - 1, used_paise=0, at_ns=NOON))
    short = refused(desk, "A")
    desk.risk.funds(Funds(available_paise=need, used_paise=0, at_ns=NOON))

    assert (short, refused(desk, "B")) == (["margin"], [])


def test_what_the_broker_says_is_answered_with_what_is_counted_here() -> None:
    desk = Desk()
    desk.risk.on_marks(chain())
    found = Funds(available_paise=10**9, used_paise=0, at_ns=NOON)
    flat = desk.risk.funds(found)
    desk.risk.check(intent("A"))
    working = desk.risk.funds(found)
    desk.risk.book(desk.journal("A", fill=35_000))
    held = desk.risk.funds(found)
    cash, price = desk.config.funds.cash_paise, LOT * 35_000

    assert [(one.available_paise, one.used_paise, one.margin_paise) for one in (flat, working, held)] == [
        (cash, 0, 0), (cash - price, price, 0), (cash - price, 0, 0),
    ]  # fmt: skip


def test_what_cannot_be_valued_is_counted_as_nothing_known() -> None:
    desk = Desk()
    desk.journal("A", fill=35_000, side="SELL")
    desk.restart()

    assert desk.risk.funds(Funds(available_paise=5, used_paise=0, at_ns=NOON)) is None


def test_a_chain_in_which_nothing_can_be_valued_changes_no_mark() -> None:
    desk = Desk()
    blind = chain(iv=math.nan)
    blank = blind.contracts.set_column(
        blind.contracts.schema.get_field_index("iv"), blind.contracts.schema.field("iv"), pa.array([math.nan])
    )
    desk.risk.on_marks(msgspec.structs.replace(blind, contracts=blank))

    assert refused(desk, "A") == []
    assert refused(desk, "B", side="SELL") == ["valuation"]


def test_an_event_says_how_grave_it_is_what_it_was_triggered_by_and_what_was_done() -> None:
    desk = Desk(LimitsConfig.model_validate({"position": {"max_lots": 5}, "daily_loss": {"max_loss_paise": 100_000}}))
    desk.risk.on_marks(chain(bid=34_990, ask=35_000))
    desk.risk.check(intent("A", quantity=4 * LOT))
    desk.risk.book(desk.journal("A", fill=35_000, quantity=4 * LOT))
    refused(desk, "B", quantity=2 * LOT)
    desk.clock.sleep(1)
    desk.risk.on_marks(chain(bid=33_000, ask=33_010, at_ns=desk.clock.now))
    said = {event.kind: event for _, event in desk.ledger.events}

    assert {kind: (one.severity, one.triggered_by, one.action_taken) for kind, one in said.items()} == {
        "refusal": ("info", "position", "the order was not sent"),
        "limit": ("alarm", "daily_loss", "the kill switch is pulled"),
        "warning": ("warning", said["warning"].subject, "told"),
    }


def test_the_days_result_is_written_with_what_of_it_is_realised() -> None:
    desk = Desk()
    desk.risk.on_marks(chain(bid=34_990, ask=35_000))
    for tag, paise, side in (("A", 35_000, "BUY"), ("B", 35_100, "SELL")):
        desk.risk.book(desk.journal(tag, fill=paise, side=side, quantity=(2 if side == "BUY" else 1) * LOT))
    desk.clock.sleep(60)
    desk.risk.on_marks(chain(bid=34_900, ask=34_910, at_ns=desk.clock.now))

    assert desk.ledger.days[-1][1] == 0
    assert desk.ledger.results[-1] == {"realised_paise": 100 * LOT, "unrealised_paise": -100 * LOT}
