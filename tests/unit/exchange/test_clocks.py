"""Which clock counts: the market's for its day and its tokens, the wall's for people and for faults; and the limits."""

import datetime as dt
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokers.kite.login import expiry_ns
from core.market import IST, to_ns
from exchange.accounts import REQUEST_TOKEN_S, Accounts, next_death_ns
from exchange.limits import Limits, Rates
from exchange.orders.request import parse
from exchange.refusal import KiteError
from exchange.world import DEFAULT_USER, World, WorldConfig
from tests.unit.exchange.test_days import FRIDAY, SECOND


class Hours:
    """A wall that the test moves."""

    def __init__(self) -> None:
        self.ns = to_ns(dt.datetime(2026, 11, 20, 9, 15, tzinfo=IST))

    def __call__(self) -> int:
        return self.ns


@pytest.mark.parametrize("speed", [1.0, 600.0])
def test_an_order_shown_late_is_late_by_the_wall(speed: float) -> None:
    wall = Hours()
    world = World(WorldConfig(date=FRIDAY, indices=("NIFTY",), speed=speed), wall=wall)
    world.step()
    one = next(one for one in world.day.listing.instruments if one.type == "CE")
    form = {
        "exchange": one.exchange, "tradingsymbol": one.symbol, "transaction_type": "BUY", "quantity": str(one.lot),
        "product": "NRML", "order_type": "LIMIT", "price": "1.00",
    }  # fmt: skip
    order = world.engine.place(DEFAULT_USER, parse("regular", form, world.day.listing), hidden_s=90)
    wall.ns += 89 * SECOND
    world.engine.advance()
    assert world.engine.of(DEFAULT_USER) == []
    with pytest.raises(KiteError, match="find"):
        world.engine.find(DEFAULT_USER, order.order_id)
    wall.ns += SECOND
    assert world.engine.of(DEFAULT_USER) == [order]
    assert world.engine.find(DEFAULT_USER, order.order_id) is order


def test_a_request_token_lives_five_minutes_of_the_wall_and_is_then_forgotten() -> None:
    accounts, key = Accounts((DEFAULT_USER,), 7), DEFAULT_USER.api_key
    market = to_ns(dt.datetime(2026, 11, 20, 10, 0, tzinfo=IST))
    for age_s, lives in ((REQUEST_TOKEN_S - 1, True), (REQUEST_TOKEN_S, False)):
        token = accounts.request_token(key, 0)
        checksum = hashlib.sha256((key + token + DEFAULT_USER.api_secret).encode()).hexdigest()
        later = market + age_s * 600 * SECOND  # the market is faster
        if lives:
            assert accounts.exchange_token(key, token, checksum, later, wall_ns=age_s * SECOND).user == DEFAULT_USER
        else:
            with pytest.raises(KiteError, match="expired"):
                accounts.exchange_token(key, token, checksum, later, wall_ns=age_s * SECOND)
    for minute in range(100):
        accounts.request_token(key, minute * 60 * SECOND)
    assert len(accounts._requests) == REQUEST_TOKEN_S // 60


def test_past_the_calendar_the_market_stands_still() -> None:
    wall = Hours()
    world = World(WorldConfig(date=FRIDAY, indices=("NIFTY",)), wall=wall)
    world.step()
    wall.ns += 6 * 366 * 86_400 * SECOND
    assert world.clock.now_ns() > to_ns(dt.datetime(2032, 6, 1, tzinfo=IST))
    world.step()
    world.step()
    assert world.day.date == FRIDAY


def test_a_session_lives_until_six_of_the_market_or_until_it_is_ended() -> None:
    accounts, evening = Accounts((DEFAULT_USER,), 7), to_ns(dt.datetime(2026, 11, 20, 22, 0, tzinfo=IST))
    session = accounts.open(DEFAULT_USER, evening)
    for hours, lives in ((0, True), (7, True), (8, False)):
        assert accounts.lives(session, evening + hours * 3600 * SECOND) == lives
    accounts.open(DEFAULT_USER, evening)
    assert not accounts.lives(session, evening)


def test_orders_of_a_minute_are_counted_whatever_becomes_of_them() -> None:
    limits = Limits(Rates(orders_a_minute=2))
    for _ in range(2):
        limits.count_order(0)
    with pytest.raises(KiteError, match="Maximum allowed order requests"):
        limits.count_order(59 * SECOND)
    limits.count_order(60 * SECOND)
    assert limits.orders_today == 3


NOW = 1_795_000_000_000_000_000


@given(st.integers(NOW - 10**17, NOW + 10**17))
def test_the_exchange_ends_a_session_when_we_say(login_ns: int) -> None:
    assert expiry_ns(login_ns) == next_death_ns(login_ns)
