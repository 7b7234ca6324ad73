"""Greeks against mpmath, QuantLib, finite differences and a textbook; bad rows."""

import math

import mpmath as mp
import numpy as np
import pytest
import QuantLib as ql  # noqa: N813

from core.pricing import greeks, higher_greeks, implied_vol, price
from tests import exact

NAN, INF = math.nan, math.inf
ALL = (*greeks(1, 1, 1, 1, 1, 1)._fields, *higher_greeks(1, 1, 1, 1, 1, 1)._fields)


def ours(table: exact.Rows) -> dict[str, np.ndarray]:
    return {**greeks(*table)._asdict(), **higher_greeks(*table)._asdict()}


@pytest.mark.parametrize("make", [exact.chain, exact.near, exact.wide])
def test_every_greek_is_exact_to_rounding(make: object) -> None:
    """Error ≤ 1e-12 of the number or 1e-14 of its size at the money, all ten."""
    table: exact.Rows = make(300, seed=11)  # type: ignore[operator]
    found = ours(table)
    with mp.workdps(exact.DIGITS):
        for i, row in enumerate(zip(*table, strict=True)):
            truth, scale = exact.greeks(*row), exact.scales(row[1], *row[3:])
            for name in ALL:
                error = abs(mp.mpf(float(found[name][i])) - truth[name])
                assert error <= max(1e-12 * abs(truth[name]), 1e-14 * scale[name]), (name, row)


def test_the_exact_greeks_are_the_derivatives_of_the_exact_price() -> None:
    """The judge's closed forms, by mpmath's numerical differentiation of the price alone."""
    for kind, F, K, T, vol, D in zip(*exact.near(4, seed=1), strict=True):
        with mp.workdps(50):
            rate = -mp.log(mp.mpf(D)) / mp.mpf(T)

            def worth(f: mp.mpf, t: mp.mpf, v: mp.mpf, r: mp.mpf) -> mp.mpf:
                total = v * mp.sqrt(t)
                d1 = mp.log(f / mp.mpf(K)) / total + total / 2  # noqa: B023
                sign = int(kind)  # noqa: B023
                outcome = f * mp.ncdf(sign * d1) - mp.mpf(K) * mp.ncdf(sign * (d1 - total))  # noqa: B023
                return sign * mp.exp(-r * t) * outcome

            at = (mp.mpf(F), mp.mpf(T), mp.mpf(vol), rate)
            orders = {
                "delta": ((1, 0, 0, 0), 1), "gamma": ((2, 0, 0, 0), 1), "theta": ((0, 1, 0, 0), -1 / mp.mpf(365)),
                "vega": ((0, 0, 1, 0), mp.mpf(1) / 100), "rho": ((0, 0, 0, 1), mp.mpf(1) / 100),
                "vanna": ((1, 0, 1, 0), mp.mpf(1) / 100), "volga": ((0, 0, 2, 0), mp.mpf(1) / 10_000),
                "charm": ((1, 1, 0, 0), -1 / mp.mpf(365)), "speed": ((3, 0, 0, 0), 1),
                "zomma": ((2, 0, 1, 0), mp.mpf(1) / 100),
            }  # fmt: skip
            truth, scale = exact.greeks(kind, F, K, T, vol, D), exact.scales(F, T, vol, D)
            for name, (order, unit) in orders.items():
                assert abs(unit * mp.diff(worth, at, order) - truth[name]) <= 1e-12 * scale[name], name


def test_quantlib_says_the_same() -> None:
    """Its Black process: the dividend yield is the rate, so the spot is the forward and stays while time passes."""
    today = ql.Date(20, 11, 2026)
    ql.Settings.instance().evaluationDate = today
    days, F, rate = 100, 25_000.0, 0.06
    years = days / 365
    counter = ql.Actual365Fixed()
    curve = ql.YieldTermStructureHandle(ql.FlatForward(today, rate, counter))
    for kind, strike, vol in [(1, 24_000, 0.12), (-1, 24_000, 0.12), (1, 26_500, 0.3), (-1, 26_500, 0.07)]:
        smile = ql.BlackVolTermStructureHandle(ql.BlackConstantVol(today, ql.NullCalendar(), vol, counter))
        process = ql.BlackProcess(ql.QuoteHandle(ql.SimpleQuote(F)), curve, smile)
        payoff = ql.PlainVanillaPayoff(ql.Option.Call if kind > 0 else ql.Option.Put, strike)
        option = ql.EuropeanOption(payoff, ql.EuropeanExercise(today + days))
        option.setPricingEngine(ql.AnalyticEuropeanEngine(process))
        discount = math.exp(-rate * years)
        found = greeks(kind, F, strike, years, vol, discount)

        assert price(kind, F, strike, years, vol, discount) == pytest.approx(option.NPV(), rel=1e-11)
        assert found.delta == pytest.approx(option.delta(), rel=1e-11)
        assert found.gamma == pytest.approx(option.gamma(), rel=1e-11)
        assert found.vega == pytest.approx(option.vega() / 100, rel=1e-11)
        assert found.theta == pytest.approx(option.theta() / 365, rel=1e-10)
        calculator = ql.BlackCalculator(payoff, F, vol * math.sqrt(years), discount)
        higher = higher_greeks(kind, F, strike, years, vol, discount)
        assert higher.vanna == pytest.approx(calculator.vanna(F, years) / 100, rel=1e-10)
        per_deviation = calculator.volga(years)  # of vega, but per σ√T: QuantLib 1.44
        assert higher.volga == pytest.approx(per_deviation * math.sqrt(years) / 10_000, rel=1e-10)
        deviation = ql.blackFormulaImpliedStdDev(
            payoff.optionType(), strike, F, option.NPV(), discount, 0.0, 0.1, 1e-14
        )
        vol_found = implied_vol(kind, option.NPV(), F, strike, years, discount).vol
        assert vol_found == pytest.approx(deviation / math.sqrt(years), rel=1e-9)


def test_finite_differences_of_our_own_price_say_the_same() -> None:
    kind, F, K, T, vol, D = exact.chain(200, seed=2)
    near = np.abs(np.log(F / K)) < 2 * vol * np.sqrt(T)
    kind, F, K, T, vol, D = (column[near] for column in (kind, F, K, T, vol, D))
    first, higher = greeks(kind, F, K, T, vol, D), higher_greeks(kind, F, K, T, vol, D)
    step, bump = 1e-4 * F, 1e-5

    def of_forward(function: object) -> np.ndarray:
        return (function(F + step, vol) - function(F - step, vol)) / (2 * step)  # type: ignore[operator]

    def of_vol(function: object) -> np.ndarray:
        return (function(F, vol + bump) - function(F, vol - bump)) / (200 * bump)  # type: ignore[operator]

    def greek(name: str) -> object:
        return lambda f, v: getattr(greeks(kind, f, K, T, v, D), name)

    def worth(f: np.ndarray, v: np.ndarray) -> np.ndarray:
        return np.asarray(price(kind, f, K, T, v, D))

    for name, value, difference in [
        ("delta", first.delta, of_forward(worth)), ("gamma", first.gamma, of_forward(greek("delta"))),
        ("speed", higher.speed, of_forward(greek("gamma"))), ("vega", first.vega, of_vol(worth)),
        ("vanna", higher.vanna, of_vol(greek("delta"))), ("volga", higher.volga, of_vol(greek("vega"))),
        ("zomma", higher.zomma, of_vol(greek("gamma"))),
    ]:  # fmt: skip
        assert np.allclose(value, difference, rtol=2e-4, atol=2e-4 * np.abs(value).max()), name
    passed, rate = T * 1e-5, -np.log(D) / T
    later = greeks(kind, F, K, T - passed, vol, np.exp(-rate * (T - passed))).delta
    earlier = greeks(kind, F, K, T + passed, vol, np.exp(-rate * (T + passed))).delta
    slope = (later - earlier) / (2 * 365 * passed)
    assert np.allclose(higher.charm, slope, rtol=2e-4, atol=2e-4 * np.abs(slope).max())


def test_hull_s_delta_hedger_comes_out() -> None:
    """Hull, Options, Futures, and Other Derivatives, 9th ed., ch. 19: S = 49, K = 50, r = 5 %, σ = 20 %, 20 weeks.

    Delta 0.522, gamma 0.066, vega 12.1, theta −4.31 a year, per unit of the spot: on the forward S·e^{rT} delta is a
    factor e^{−rT} and gamma its square of those, and the spot's theta has the forward's growth besides.
    """
    years, rate = 20 / 52, 0.05
    growth = math.exp(rate * years)
    found = greeks(1, 49 * growth, 50, years, 0.2, 1 / growth)

    assert price(1, 49 * growth, 50, years, 0.2, 1 / growth) == pytest.approx(2.40, abs=0.005)
    assert found.delta * growth == pytest.approx(0.522, abs=0.0005)
    assert found.gamma * growth**2 == pytest.approx(0.066, abs=0.0005)
    assert found.vega * 100 == pytest.approx(12.1, abs=0.05)
    assert found.theta * 365 - rate * 49 * found.delta * growth == pytest.approx(-4.31, abs=0.005)


@pytest.mark.parametrize(
    "bad",
    [
        (NAN, 100, 100, 0.1, 0.2, 1), (1, NAN, 100, 0.1, 0.2, 1), (1, 100, NAN, 0.1, 0.2, 1),
        (1, 100, 100, NAN, 0.2, 1),
        (1, 100, 100, 0.1, NAN, 1), (1, 100, 100, 0.1, 0.2, NAN), (0, 100, 100, 0.1, 0.2, 1), (1, 0, 100, 0.1, 0.2, 1),
        (1, 100, 0, 0.1, 0.2, 1), (1, -1, 100, 0.1, 0.2, 1), (1, 100, 100, 0.1, -0.2, 1), (1, 100, 100, 0.1, 0.2, 0),
        (1, INF, 100, 0.1, 0.2, 1), (1, 100, INF, 0.1, 0.2, 1), (1, 100, 100, INF, 0.2, 1), (1, 100, 100, 0.1, INF, 1),
    ],
)  # fmt: skip
def test_a_bad_row_has_no_price_and_no_greeks_and_touches_no_other(bad: tuple[float, ...]) -> None:
    good = (1, 100, 95, 0.1, 0.2, 0.99)
    columns = np.array([good, bad, good], float).T
    for name, column in {"price": price(*columns), **ours(exact.Rows(*columns))}.items():
        alone = price(*good) if name == "price" else ours(exact.Rows(*np.array([good], float).T))[name][0]

        assert math.isnan(column[1]), name
        assert column[0] == column[2] == alone, name


def test_at_no_time_or_no_vol_an_option_is_its_intrinsic_value() -> None:
    table = exact.Rows(*np.array([[1, 105, 100, 0, 0.2, 1], [-1, 105, 100, 0, 0.2, 1], [1, 105, 100, 0.5, 0, 0.97]]).T)
    found = ours(table)
    rate = -math.log(0.97) / 0.5

    assert price(*table).tolist() == [5.0, 0.0, 0.97 * 5]
    assert found["delta"].tolist() == [1.0, 0.0, 0.97]
    assert found["theta"] == pytest.approx([0, 0, rate * 0.97 * 5 / 365])
    assert found["rho"] == pytest.approx([0, 0, -0.5 * 0.97 * 5 / 100])
    assert found["charm"] == pytest.approx([0, 0, rate * 0.97 / 365])
    for name in ("gamma", "vega", "vanna", "volga", "speed", "zomma"):
        assert found[name].tolist() == [0.0, 0.0, 0.0], name


def test_no_greek_of_a_put_at_the_money_without_time_is_minus_zero() -> None:
    found = greeks([1, -1], 100.0, 100.0, 0.0, 0.2, 1.0)
    assert not any(np.signbit(column).any() for column in found)
