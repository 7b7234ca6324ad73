"""Session and market data through the unmodified client, beside Kite's own samples."""

import datetime as dt

import pytest
import requests
from kiteconnect.exceptions import InputException, PermissionException, TokenException

from exchange.server.call import MOST_BYTES
from tests.unit.exchange.conftest import Served
from tests.unit.exchange.shapes import differences, mock, raw

FIRST = "NSE:NIFTY 50"


def test_a_session_has_what_kites_has(served: Served) -> None:
    kite = served.client()
    assert not differences(kite.profile(), mock("profile"))
    kite.invalidate_access_token()
    with pytest.raises(TokenException, match="access_token") as refused:
        kite.profile()
    assert refused.value.code == 403


def test_a_request_token_is_good_once_and_a_checksum_must_be_right(served: Served) -> None:
    kite = served.client()
    with pytest.raises(TokenException):
        kite.generate_session("nonsense", api_secret="vikalp")


def test_a_session_is_not_renewed_and_lives_on(served: Served) -> None:
    """Kite does that for approved platforms alone, and gives an app no refresh token to ask it with."""
    kite, expired = served.client(), list[str]()
    token = kite.access_token
    kite.set_session_expiry_hook(lambda: expired.append("expired"))
    for refresh_token in ("", "R" * 32):
        with pytest.raises(PermissionException, match="not available to this app") as refused:
            kite.renew_access_token(refresh_token, api_secret="vikalp")
        assert refused.value.code == 403
    assert (kite.access_token, expired) == (token, []), "a 403 that is no end of the session"
    assert kite.profile()["user_id"] == "VK0001"


def test_a_token_dies_at_six(served: Served) -> None:
    kite = served.client()
    served.do(lambda: served.world.clock.jump(21 * 3600 * 1_000_000_000))
    try:
        with pytest.raises(TokenException):
            kite.profile()
    finally:
        served.do(lambda: served.world.clock.jump(-21 * 3600 * 1_000_000_000))


def test_the_dump_is_kites(served: Served) -> None:
    rows = served.client().instruments()
    assert len(rows) == len(served.world.day.listing)
    options = [row for row in rows if row["segment"] == "NFO-OPT"]
    assert options[0]["expiry"] == dt.date(2026, 11, 23)
    assert options[0]["lot_size"] == 65
    assert all(row["instrument_token"] & 0xFF == {"NFO": 2, "BFO": 5}.get(row["exchange"], 9) for row in rows)
    assert len({row["instrument_token"] for row in rows}) == len(rows)
    assert {row["exchange"] for row in served.client().instruments("BFO")} == {"BFO"}


def test_quotes_have_what_kites_have(served: Served) -> None:
    symbol = next(one.symbol for one in served.world.day.listing.instruments if one.type == "CE")
    kite = served.client()
    asked = [FIRST, f"NFO:{symbol}", "NFO:NOSUCHTHING", "256265"]
    for path, name in (("/quote", "quote"), ("/quote/ohlc", "ohlc"), ("/quote/ltp", "ltp")):
        found = raw(kite, path, i=asked)
        sample = next(iter(mock(name).values()))
        assert set(found) == {FIRST, f"NFO:{symbol}", "256265"}
        assert [one for row in found.values() for one in differences(row, sample)] == []
    assert kite.quote(asked)[FIRST]["last_price"] > 10_000


def test_more_instruments_than_a_call_may_ask_for_are_refused(served: Served) -> None:
    with pytest.raises(InputException, match="Max permitted is 500"):
        served.client().quote([f"NFO:X{i}" for i in range(501)])


def test_candles_have_what_kites_have_and_none_is_of_the_future(served: Served) -> None:
    kite = served.client()
    found = raw(kite, "/instruments/historical/256265/minute", **{"from": "2026-11-20", "to": "2026-11-20 15:30:00"})
    assert not differences(found, mock("historical_minute"))
    rows = kite.historical_data(256265, "2026-11-19 09:15:00", "2026-11-20 15:30:00", "5minute", oi=True)
    assert [row["date"].time() for row in rows[:2]] == [dt.time(9, 15), dt.time(9, 20)]
    assert rows[-1]["date"] <= dt.datetime.fromtimestamp(served.world.clock.now_ns() / 1e9, dt.UTC)
    assert all(
        row["low"] <= min(row["open"], row["close"]) <= max(row["open"], row["close"]) <= row["high"] for row in rows
    )
    with pytest.raises(InputException, match="60 days"):
        kite.historical_data(256265, "2026-01-01", "2026-11-20", "minute")
    with pytest.raises(InputException, match="invalid token"):
        kite.historical_data(1, "2026-11-20", "2026-11-20", "minute")


def test_a_path_that_is_not_there_is_refused_in_the_envelope(served: Served) -> None:
    answer = requests.get(f"{served.root}/no/such/path", timeout=30)
    assert (answer.status_code, answer.json()["error_type"]) == (404, "GeneralException")


@pytest.mark.parametrize(
    ("first", "last"),
    [
        ("1990-01-01", "1990-02-01"), ("0001-01-01", "0001-01-02"), ("9999-12-30", "9999-12-31"),
        ("2015-01-01", "2015-02-01"), ("2018-12-01", "2018-12-31"),
    ],
)  # fmt: skip
def test_of_a_date_that_nobody_knows_there_are_no_candles(served: Served, first: str, last: str) -> None:
    found = raw(served.client(), "/instruments/historical/256265/day", **{"from": first, "to": last})
    assert found == {"candles": []}


def test_candles_begin_where_the_dates_begin_to_be_known(served: Served) -> None:
    found = raw(served.client(), "/instruments/historical/256265/day", **{"from": "2018-12-27", "to": "2019-01-03"})
    assert [row[0][:10] for row in found["candles"]] == ["2019-01-01", "2019-01-02", "2019-01-03"]


@pytest.mark.parametrize("token", ["9" * 5000, "٢٥٦٢٦٥"])
def test_what_is_no_token_is_no_instrument(served: Served, token: str) -> None:
    kite = served.client()
    with pytest.raises(InputException, match="invalid token"):
        kite.historical_data(token, "2026-11-20", "2026-11-20", "minute")
    assert raw(kite, "/quote/ltp", i=[token]) == {}


@pytest.mark.parametrize("number", ["inf", "nan", "1e400", "word"])
def test_a_switch_takes_numbers_alone(served: Served, number: str) -> None:
    for name in ("uses", "seconds"):
        answer = requests.post(f"{served.root}/admin/faults/drop", data={name: number}, timeout=30)
        assert (answer.status_code, answer.json()["error_type"]) == (400, "InputException")


def test_a_fault_of_ours_stays_in_the_envelope(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    kite = served.client()
    monkeypatch.delattr(served.world.accounts, "users")
    answer = requests.get(f"{served.root}/connect/login?api_key=vikalp", allow_redirects=False, timeout=30)
    assert (answer.status_code, answer.json()["error_type"]) == (500, "GeneralException")
    assert kite.profile()["user_id"] == "VK0001"


@pytest.mark.parametrize("path", ["/orders/regular", "/margins/orders"])
def test_a_body_that_is_too_long_is_refused_before_it_is_read(served: Served, path: str) -> None:
    headers = {"Authorization": f"token vikalp:{served.client().access_token}"}
    body = b"a=" + b"x" * MOST_BYTES
    for data in (body, iter([body])):  # with its length told, and in chunks
        answer = requests.post(served.root + path, data=data, headers=headers, timeout=30)
        assert (answer.status_code, answer.json()["error_type"]) == (413, "InputException")
