"""Some limits are tighter for an index on the day one of its expiries ends."""

import msgspec
import pytest
from pydantic import ValidationError

from actors.risk.watch import uses
from core.risk.book import RiskBook, with_values
from core.risk.desk_verdict import desk_verdict
from core.risk.limits.changes import changed
from core.risk.limits.limits import LimitsConfig
from tests.fakes_risk import DAY, NEAR
from tests.world_risk import BANK, CALL, LATER, PUT, holding, order, valued

WIDE = {
    "exposure.max_paise": 10**9, "concentration.from_paise": 10**9, "margin.max_share": 1.0, "position.max_lots": 10,
    "stress.max_loss_paise": 10**9, "var.max_loss_paise": 10**9, "delta.max_rupees": 1e7, "gamma.max_rupees": 1e7,
    "vega.max_rupees": 1e7, "theta.max_rupees": 1e7,
}  # fmt: skip
"""Nothing else is met by a few lots."""


def limits(**settings: object) -> LimitsConfig:
    return changed(LimitsConfig(), WIDE | {name.replace("__", "."): value for name, value in settings.items()})


def expiring(held: dict[str, int] | None = None) -> RiskBook:
    """A contract of NIFTY that nobody holds has its last day."""
    book = holding(held or {})
    nifty = book.values["NIFTY"]
    listed = msgspec.structs.replace(nifty, expiries={DAY: nifty.expiries[NEAR], **nifty.expiries})
    return with_values(book, listed)


def names(config: LimitsConfig, book: RiskBook, symbol: str, number: int, **how: object) -> list[str]:
    return [one.limit for one in desk_verdict(config, order(book, symbol, number, **how), book).refusals]


def test_half_of_the_lots_may_be_held_on_expiry_day_and_all_on_the_day_before() -> None:
    asked = {number: [names(limits(), book, CALL, number) for book in (valued(), expiring())] for number in (5, 6)}

    assert asked == {5: [[], []], 6: [[], ["position"]]}


def test_the_refusal_says_why_and_another_index_is_none_of_it() -> None:
    book = expiring()
    (found,) = desk_verdict(limits(), order(book, LATER, 6), book).refusals

    assert (found.allowed, found.asked) == ("5 lots", "6 lots")
    assert found.why.startswith("NIFTY has an expiry today, when 50% is allowed: ")
    assert names(limits(position__max_lots=24), book, BANK, 6) == []  # 13 lots of its own


@pytest.mark.parametrize(
    ("setting", "value"),
    [("exposure__max_paise", 10_000_000), ("stress__max_loss_paise", 10_000_000), ("delta__max_rupees", 50_000.0),
     ("gamma__max_rupees", 50_000.0)],
)  # fmt: skip
def test_each_of_them_is_halved(setting: str, value: float) -> None:
    book, name = expiring(), setting.partition("__")[0]
    config = limits(**{setting: value, "position__max_lots": 10_000, "order_size__max_lots": 10_000})
    all_of_it = config.model_copy(update={"expiry_day": config.expiry_day.model_copy(update={"share": 1.0})})
    first = next(n for n in range(1, 3_000) if name in names(config, book, PUT, n))
    last = next(n for n in range(1, 3_000) if name in names(all_of_it, book, PUT, n))

    assert abs(2 * first - last) <= 2


def test_only_what_is_held_of_that_index_counts_and_an_exit_passes() -> None:
    book = expiring({BANK: 1, CALL: 5})
    config = limits(position__max_lots=10)

    assert names(config, book, CALL, 1) == ["position"]
    assert names(config, book, CALL, -5, purpose="exit") == []
    assert {use.limit: (use.used, use.allowed) for use in uses(config, book)}["position of NIFTY, expiry day"] == (5, 5)


def test_its_use_is_shown_on_that_day_alone_and_where_something_is_held() -> None:
    shown = [
        [use.limit for use in uses(limits(), book) if "expiry day" in use.limit]
        for book in (expiring(), expiring({CALL: 1}), holding({CALL: 1}))
    ]

    assert shown[0] == shown[2] == []
    assert shown[1] == [f"{name} of NIFTY, expiry day" for name in ("position", "exposure", "delta", "gamma", "stress")]


@pytest.mark.parametrize("share", [0, 1.01, -1])
def test_a_share_is_above_nothing_and_at_most_all(share: float) -> None:
    with pytest.raises(ValidationError):
        LimitsConfig.model_validate({"expiry_day": {"share": share}})


def test_it_is_changed_like_a_limit() -> None:
    assert changed(LimitsConfig(), {"expiry_day.share": 1.0}).expiry_day.share == 1.0
