"""Limits that are data: changed while risk runs, all or none, versioned, and there again after a restart."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InputError, LedgerDown
from core.risk.limits.changes import changed, differences, parsed
from core.risk.limits.limits import LimitsConfig
from core.risk.limits.paths import Change
from tests.fakes_orders import LOT
from tests.unit.test_risk_actor import Desk, chain, refused

DESK = LimitsConfig()


def test_a_change_by_dotted_path_or_nested_is_the_same() -> None:
    dotted = changed(DESK, {"order_size.max_lots": 7, "spread.ticks": 3})
    nested = changed(DESK, {"order_size": {"max_lots": 7}, "spread": {"ticks": 3}})

    assert dotted == nested
    assert dotted.order_size.max_lots == 7
    assert differences(DESK, dotted) == (Change("spread.ticks", 20, 3), Change("order_size.max_lots", 20, 7))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "there was none"),
        ({"order_size.max_lots": 0}, "order_size.max_lots: expected greater than 0, found 0"),
        ({"order_size.max_lot": 5}, "expected a setting of order_size, found 'max_lot'; did you mean max_lots"),
        ({"order_sise.max_lots": 5}, "expected a limit, found 'order_sise'; did you mean order_size"),
        ({"zzz.max_lots": 5}, r"found 'zzz'; there are market_hours, contract, .*, expiry_day, and strategies\.NAME"),
        ({"order_size.zzz": 5}, "found 'zzz'; there is max_lots"),
        ({"premium.max": 5}, "found 'max'; it has none"),
        ({"order_size.max_lots.most": 5}, "max_lots has none of its own"),
        ({"order_size": 5}, "expected a setting of order_size, found 'order_size' itself; there is max_lots"),
        ({"order_size.max_lots": None}, None),
        ({"strategies.s.order_size.max_lots": 0}, "max_lots"),
        ({"strategies.s.order_sise.max_lots": 5}, "strategies.s.*found 'order_sise'; did you mean order_size"),
        ({"strategies.s.order_size.max_lot": 5}, "strategies.s.*found 'max_lot'; did you mean max_lots"),
        ({"strategies.s": 5}, "strategies.NAME.LIMIT.SETTING, found 'strategies.s'"),
    ],
)
def test_a_change_that_is_none_is_refused_whole(changes: dict[str, object], words: str | None) -> None:
    good = {"position.max_lots": 9}
    if words is None:
        assert changed(changed(DESK, {"order_size.max_lots": 7}), changes) == DESK  # back to its default
        return
    with pytest.raises(InputError, match=words):
        changed(DESK, changes and {**good, **changes})


def test_a_strategy_s_own_setting_comes_and_goes() -> None:
    mine = changed(DESK, {"strategies.s.trades_per_day.max_trades": 1})

    assert (mine.of("s").trades_per_day.max_trades, mine.of("t").trades_per_day.max_trades) == (1, 3)
    assert mine.of("s").order_size == DESK.order_size
    gone = changed(mine, {"strategies.s.trades_per_day.max_trades": None})
    assert gone.of("s").trades_per_day.max_trades == 3


PATHS = st.dictionaries(
    st.sampled_from(("order_size.max_lots", "position.max_lots", "strategies.s.position.max_lots", "spread.ticks")),
    st.integers(1, 99),
    min_size=1,
)


@given(PATHS, PATHS)
def test_what_differs_between_two_versions_makes_the_one_of_the_other(
    one: dict[str, int], other: dict[str, int]
) -> None:
    old, new = changed(DESK, one), changed(DESK, other)
    found = {change.path: change.new for change in differences(old, new)}
    back = changed(old, found) if found else old

    assert back.model_dump(exclude={"strategies"}) == new.model_dump(exclude={"strategies"})
    assert back.of("s").all() == new.of("s").all()
    assert parsed(new.model_dump(mode="json")) == new


def test_a_changed_limit_holds_from_the_next_order_on_and_after_a_restart() -> None:
    desk = Desk()
    desk.risk.on_marks(chain())
    before = refused(desk, "A", quantity=2 * LOT)
    version = desk.risk.set_limits({"order_size.max_lots": 1}, "asha", "expiry day")
    after = refused(desk, "B", quantity=2 * LOT)
    risk = desk.restart()
    risk.on_marks(chain())

    assert (before, version, after) == ([], 1, ["order_size"])
    assert refused(desk, "C", quantity=2 * LOT) == ["order_size"]
    assert [(number, who, why) for number, _, who, why in desk.ledger.limit_versions] == [
        (0, "settings", "as the desk was set up"),
        (1, "asha", "expiry day"),
    ]


def test_versions_count_up_and_a_change_of_nothing_makes_none() -> None:
    desk = Desk()
    found = [desk.risk.set_limits({"order_size.max_lots": lots}, "asha", "why not") for lots in (5, 5, 6)]

    assert found == [1, 1, 2]


@pytest.mark.parametrize(("who", "why"), [("", "a reason"), ("asha", " ")])
def test_nobody_changes_limits_without_a_name_and_a_reason(who: str, why: str) -> None:
    with pytest.raises(InputError, match="who makes it and why"):
        Desk().risk.set_limits({"order_size.max_lots": 5}, who, why)


def test_a_change_the_ledger_did_not_take_is_not_in_force() -> None:
    desk = Desk()
    desk.risk.on_marks(chain())
    desk.ledger.down = lambda name: name == "record_limits"
    with pytest.raises(LedgerDown):
        desk.risk.set_limits({"order_size.max_lots": 1}, "asha", "expiry day")
    desk.ledger.down = lambda name: False

    assert refused(desk, "A", quantity=2 * LOT) == []


def test_a_change_whose_answer_was_lost_is_found_when_it_is_said_again() -> None:
    desk = Desk()
    desk.risk.on_marks(chain())
    desk.risk.set_limits({"position.max_lots": 9}, "asha", "before")
    desk.ledger.lost = lambda name: name == "record_limits"
    with pytest.raises(LedgerDown):
        desk.risk.set_limits({"order_size.max_lots": 1}, "asha", "expiry day")
    desk.ledger.lost = lambda name: False

    assert desk.risk.set_limits({"order_size.max_lots": 1}, "asha", "expiry day") == 2
    assert refused(desk, "A", quantity=2 * LOT) == ["order_size"]
