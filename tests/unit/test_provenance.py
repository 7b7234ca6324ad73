"""What a shown number is, and that what is shown as cached by its age is what risk refuses."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import UnknownName
from core.market.provenance import MAX_AGE_NS, ORIGINS, max_age_ns, provenance
from core.records import DeskStatus, LimitUse
from core.risk.book import RiskBook, at, with_marks
from core.risk.limits.limits import LimitsConfig
from core.risk.limits.stale_quote import StaleQuote
from core.risk.marks import Mark
from core.risk.verdict import verdict
from tests.fakes_orders import NOON, SECOND, SYMBOL, intent


@pytest.mark.parametrize(
    ("mode", "kind"), [("SIMULATED", "simulated"), ("REPLAY", "replay"), ("PAPER", "live"), ("LIVE", "live")]
)
def test_a_fresh_chain_is_what_its_desks_market_is(mode: str, kind: str) -> None:
    found = provenance(mode, as_of_ns=NOON, now_ns=NOON + SECOND, silent_ns=SECOND)

    assert (found.kind, found.origin, found.cached, found.age_ns) == (kind, kind, False, SECOND)


def test_every_mode_a_desk_can_have_has_its_word() -> None:
    modes = DeskStatus.__annotations__["mode"].__args__

    assert set(modes) == ORIGINS.keys()
    with pytest.raises(UnknownName, match="expected one of SIMULATED, REPLAY, PAPER, LIVE"):
        provenance("DEMO", as_of_ns=NOON, now_ns=NOON)


@pytest.mark.parametrize(
    ("mode", "seconds", "loaded", "kind", "age_s"),
    [
        ("LIVE", (10, 0), "", "live", 10),
        ("LIVE", (11, 0), "", "cached", 11),  # logged in at night: the day's last quotes come at once
        ("LIVE", (6, 6), "", "cached", 6),
        ("LIVE", (0, 0), "loaded", "cached", 0),
        ("SIMULATED", (0, 6), "", "cached", 6),
        ("REPLAY", (60, 1), "", "replay", 1),  # another index is a minute ahead
        ("REPLAY", (60, 6), "", "cached", 6),
        ("PAPER", (-3, 0), "", "live", 0),
    ],
)
def test_what_is_old_or_silent_or_of_the_tape_is_cached(
    mode: str, seconds: tuple[int, int], loaded: str, kind: str, age_s: int
) -> None:
    old_ns, silent_ns = (each * SECOND for each in seconds)
    found = provenance(mode, as_of_ns=NOON - old_ns, now_ns=NOON, silent_ns=silent_ns, loaded=bool(loaded))

    assert (found.kind, found.origin, found.age_ns) == (kind, ORIGINS[mode], age_s * SECOND)


@given(st.integers(0, 10**12), st.integers(1, 60_000))
def test_a_chain_is_cached_by_its_age_exactly_when_risk_refuses_an_entry_on_it(age_ms: int, limit_ms: int) -> None:
    limits = LimitsConfig(stale_quote=StaleQuote(max_age_ms=limit_ms))
    as_of_ns = NOON - age_ms * 1_000_000
    mark = {SYMBOL: Mark(last_paise=35_000, at_ns=as_of_ns, prev_close_paise=34_000)}
    book = with_marks(at(RiskBook(), NOON), mark)
    told = [limits.stale_quote.use(book)]

    for purpose in ("entry", "hedge"):
        refused = verdict([limits.stale_quote], intent(purpose=purpose), book).refusals
        found = provenance("LIVE", as_of_ns=as_of_ns, now_ns=NOON, max_age_ns=max_age_ns(told))

        assert found.cached == bool(refused)


def test_the_age_is_risks_own_limit_and_without_a_word_of_it_its_default() -> None:
    assert StaleQuote().max_age_ms * 1_000_000 == MAX_AGE_NS
    assert max_age_ns([]) == MAX_AGE_NS
    assert max_age_ns([LimitUse(limit="position", used=1, allowed=2, unit="lots")]) == MAX_AGE_NS
    assert max_age_ns([LimitUse(limit="stale_quote", used=0, allowed=2_500, unit="ms")]) == 2_500_000_000
