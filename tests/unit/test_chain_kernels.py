"""The compiled pass over a chain gives the figures that the readable form gives."""

import datetime as dt
import math

import numpy as np
import pytest

from core.chain import Book, analyse, forwards, quotes
from core.chain.book import FIELDS
from core.chain.expiry import Expiry, Market, figures
from core.pricing import greeks, kernels_chain, parity_forward, price
from core.pricing.chain_rules import ABSENT
from core.records import Chain
from core.schemas import Kind
from tests.fakes_numbers import EXPIRY, NOW_NS, option, row, ticks

WEEK = dt.date(2026, 11, 30)
MAX_AGE_NS = 3 * 10**9
FIGURES = (
    "atm_spot_paise", "atm_forward_paise", "atm_iv", "atm_straddle", "expected_move", "avg_iv", "max_pain_paise",
    "pcr_volume", "pcr_oi", "pcr_premium", "call_oi", "put_oi", "call_volume", "put_volume", "contracts", "quoted",
    "iv_count", "sentiment", "sentiment_pcr", "sentiment_oi_change", "sentiment_skew", "sentiment_max_pain",
    "quality", "quality_fresh", "quality_two_sided", "quality_spread", "quality_iv",
)  # fmt: skip


def messy(seed: int) -> list[dict[str, object]]:
    """Two expiries; strikes with one side only, no quotes, crossed ones, trades alone, old ones, no history."""
    rng = np.random.default_rng(seed)
    rows = [row("NIFTY", last_paise=25_013_00, prev_close_paise=24_900_00)]
    for expiry, forward in ((WEEK, 25_020.0), (EXPIRY, 25_100.0)):
        years = (expiry - dt.date(2026, 11, 20)).days / 365
        for strike in np.unique(50 * rng.integers(480, 522, 40)):
            for kind, sign in ((Kind.CALL, 1), (Kind.PUT, -1)):
                if rng.random() < 0.1:
                    continue
                mid = float(price(sign, forward, strike, years, 0.11 + 0.1 * rng.random(), 1.0))
                half = rng.choice([0.05, 0.1, 0.5, 5.0]) * rng.choice([1, 1, 1, -1])
                two = rng.random() < 0.8
                rows.append(
                    option(
                        kind, float(strike), expiry=expiry, bid=max(mid - half, 0) * two, ask=(mid + half) * two,
                        last=mid * (rng.random() < 0.7), volume=int(rng.integers(0, 3) * rng.integers(0, 10**6)),
                        oi=int(rng.integers(0, 10**7)), prev_oi=int(rng.choice([-1, rng.integers(0, 10**7)])),
                        exchange_ns=NOW_NS - int(rng.choice([0, 5 * 10**9])),
                    )
                )  # fmt: skip
    return rows


def believed(values: np.ndarray, strikes: np.ndarray) -> tuple[np.ndarray, ...]:
    """Bid, ask, last price where it is believed, and whether the quote is."""
    bid, ask, last = (values[FIELDS[name]] / 100 for name in ("bid_paise", "ask_paise", "last_paise"))
    return bid, ask, quotes.traded(bid, ask, last, values[FIELDS["volume"]]), quotes.sane(bid, ask, strikes)


def readable(book: Book, chain: Chain, found: dict[str, object]) -> dict[str, object]:
    grid = next(g for g in book.universe.grids if dt.date(1970, 1, 1) + dt.timedelta(g.expiry_days) == found["expiry"])
    part = slice(grid.start, grid.stop)
    values = book.values[:, book.universe.options[part]]
    bid, ask, traded, two_sided = believed(values, book.universe.strikes[part])
    vol = chain.contracts.column("iv").to_numpy()[part]
    columns = greeks(
        book.universe.signs[part], found["forward"], book.universe.strikes[part], found["years"], vol, found["discount"]
    )
    expiry = Expiry(
        strikes_paise=grid.strikes_paise,
        calls=np.where(grid.calls == ABSENT, ABSENT, grid.calls - grid.start),
        puts=np.where(grid.puts == ABSENT, ABSENT, grid.puts - grid.start),
        values=values, bid=bid, ask=ask, last=traded, two_sided=two_sided,
        price=quotes.believed(bid, ask, traded, two_sided), vol=vol, delta=columns.delta, vega=columns.vega,
        years=float(str(found["years"])), discount=float(str(found["discount"])),
        forward=float(str(found["forward"])), parity_error=math.nan,
    )  # fmt: skip
    market = Market("NIFTY", NOW_NS, 1, MAX_AGE_NS, 25_013_00, 24_900_00, math.nan)
    return figures(expiry, market)


@pytest.mark.parametrize("seed", range(12))
def test_the_compiled_figures_are_the_readable_ones(seed: int) -> None:
    book = Book.empty("NIFTY").updated(ticks(*messy(seed)))
    chain = analyse(book, as_of_ns=NOW_NS, sequence=1, rate=0.055, max_age_ns=MAX_AGE_NS)
    for found in chain.expiries.to_pylist():
        plain = readable(book, chain, found)
        plain["quality"] = float(str(plain["quality"])) + 0.10 * (found["quality_forward"] - plain["quality_forward"])
        for name in FIGURES:
            assert found[name] == pytest.approx(plain[name], rel=1e-12, abs=1e-12, nan_ok=True), name


@pytest.mark.parametrize("old", [False, True])  # half of the legs are five seconds old, or all but two pairs
@pytest.mark.parametrize("quoted", [True, False])
@pytest.mark.parametrize("seed", range(6))
def test_the_compiled_parity_of_an_expiry_is_the_readable_one(seed: int, quoted: object, old: object) -> None:
    rows = [dict(r, **({} if quoted else {n: [0] * 5 for n in ("bid_paise", "ask_paise")})) for r in messy(seed)]
    if old:
        rows[1:] = [dict(r, exchange_ns=NOW_NS - i % 200 * 10**9) for i, r in enumerate(rows[1:])]
    book = Book.empty("NIFTY").updated(ticks(*rows))
    chain = analyse(book, as_of_ns=NOW_NS, sequence=1, rate=0.055, max_age_ns=MAX_AGE_NS)
    values = book.values[:, book.universe.options]
    bid, ask, traded, two_sided = believed(values, book.universe.strikes)
    age = NOW_NS - values[FIELDS["exchange_ns"]]
    for grid, found in zip(book.universe.grids, chain.expiries.to_pylist(), strict=True):
        sides = [
            forwards.Legs(
                bid[at],
                ask[at],
                np.where(at == ABSENT, np.nan, traded[at]),
                two_sided[at] & (at != ABSENT),
                age[at],
            )
            for at in (grid.calls, grid.puts)
        ]
        plain = forwards.parity(grid.strikes, *sides, found["discount"], max_age_ns=MAX_AGE_NS)

        assert found["forward_source"] == "parity"
        assert found["forward"] == pytest.approx(plain.forward, rel=1e-14)
        assert found["forward_error"] == pytest.approx(plain.error, rel=1e-12)


def test_the_compiled_quotes_are_the_readable_ones() -> None:
    book = Book.empty("NIFTY").updated(ticks(*messy(99)))
    chain = analyse(book, as_of_ns=NOW_NS, sequence=1, rate=0.055, max_age_ns=MAX_AGE_NS)
    bid, ask, traded, two_sided = believed(book.values[:, book.universe.options], book.universe.strikes)
    plain = quotes.believed(bid, ask, traded, two_sided)

    assert np.array_equal(chain.contracts.column("price").to_numpy(), plain, equal_nan=True)
    assert 0 < np.isnan(plain).sum() < plain.size


def test_the_rows_that_the_kernel_reads_are_those_of_the_book() -> None:
    names = ("exchange_ns", "last_paise", "volume", "oi", "prev_oi")
    rows = (kernels_chain.TIME, kernels_chain.LAST_PAISE, kernels_chain.VOLUME, kernels_chain.OI, kernels_chain.PREV_OI)

    assert tuple(FIELDS[name] for name in names) == rows


def test_the_compiled_parity_forward_is_the_formula_of_its_docstring() -> None:
    rng = np.random.default_rng(5)
    strikes = np.arange(24_800.0, 25_300, 50)
    put = rng.uniform(50, 400, strikes.size)
    call = put + 0.99 * (25_040 - strikes) + rng.normal(0, 0.3, strikes.size)
    call[3] += 40  # stale
    spreads = rng.uniform(0.1, 2, (2, strikes.size))
    found = parity_forward(strikes, call, put, *spreads, 0.99)

    implied, doubt = strikes + (call - put) / 0.99, np.maximum(np.hypot(*spreads) / (2 * 0.99), 0.025)
    order = np.argsort(implied)
    centre = implied[order][np.searchsorted(np.cumsum(1 / doubt[order]), 0.5 * (1 / doubt).sum())]
    away = np.abs(implied - centre)
    order = np.argsort(away)
    scatter = 1.4826 * away[order][np.searchsorted(np.cumsum(1 / doubt[order]), 0.5 * (1 / doubt).sum())]
    weight = (away <= 3 * np.maximum(scatter, doubt)) / (doubt**2 + scatter**2)
    mean = (weight * implied).sum() / weight.sum()
    spread = (weight * (implied - mean) ** 2).sum() / ((weight > 0).sum() - 1)
    assert found.forward == pytest.approx(mean, rel=1e-14)
    assert found.error == pytest.approx(math.sqrt(max(1, spread) / weight.sum()), rel=1e-12)
    assert found.used == (weight > 0).sum() < strikes.size
