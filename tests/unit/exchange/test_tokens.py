"""A token names one contract for as long as the contract and an exchange live."""

import datetime as dt

from core.schemas import Kind
from exchange.listing import Instrument
from exchange.simulated_day import SimulatedDay

DAYS = [dt.date(2026, 11, 19), dt.date(2026, 11, 20), dt.date(2026, 11, 23), dt.date(2026, 11, 25)]


def test_over_the_nights_a_contract_keeps_its_token_and_no_other_gets_it() -> None:
    day = SimulatedDay(DAYS[0], seed=7, strikes_each_side=60)
    had: dict[int, Instrument] = {}
    tokens: dict[tuple[str, str], int] = {}
    for date in DAYS[:3]:
        day = day if date == day.date else day.following(date, ())
        for one in day.listing.instruments:
            other = had.get(one.token, one)
            assert other.symbol == one.symbol or other.expiry_date < date
            assert tokens.setdefault((one.exchange, one.symbol), one.token) == one.token
            had[one.token] = one
    assert len(had) > len(day.listing)


def test_a_token_is_free_again_once_its_contract_has_expired() -> None:
    day = SimulatedDay(DAYS[2], seed=7, indices=("NIFTY",), strikes_each_side=5)
    listed = {one for one in day.listing.instruments if one.kind != Kind.INDEX}
    gone = {one for one in listed if one.expiry_date < DAYS[3]}
    kept = {one.symbol for one in day.following(DAYS[3], ()).listing.known}
    assert gone
    assert not kept & {one.symbol for one in gone}
    assert kept >= {one.symbol for one in listed - gone}
