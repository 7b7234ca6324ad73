"""Chains of an invented market that moves: enough for the page, no claim to be a market."""

import datetime as dt
import math
from collections.abc import Mapping

import pyarrow as pa

from core.records import Chain
from core.schemas import CONTRACTS, EXPIRIES, Kind

SPOTS = {"NIFTY": 25900, "BANKNIFTY": 58800, "FINNIFTY": 27400, "MIDCPNIFTY": 13850, "SENSEX": 84600}
STEPS = {"NIFTY": 50, "BANKNIFTY": 100, "FINNIFTY": 50, "MIDCPNIFTY": 25, "SENSEX": 100}
LOTS = {"NIFTY": 75, "BANKNIFTY": 35, "FINNIFTY": 65, "MIDCPNIFTY": 140, "SENSEX": 20}
EXPIRY_DAYS = (dt.date(2026, 11, 24), dt.date(2026, 12, 1), dt.date(2026, 12, 29))
OPEN_NS = 1_795_146_300_000_000_000  # 2026-11-20 09:15 IST
WIDTH = 20
FAR = {"SENSEX": (60_000, 110_000)}  # prices of five digits before the point
LATER = {"FINNIFTY": tuple(dt.date(2027, 1, 5) + dt.timedelta(weeks=n) for n in range(15))}  # as in a long replay


def _phi(x: float) -> float:
    return 0.5 * math.erfc(-x / math.sqrt(2))


def symbol(index: str, day: dt.date, strike: int, kind: Kind) -> str:
    return f"{index}{day:%y}{day.month:X}{day:%d}{strike}{'CE' if kind == Kind.CALL else 'PE'}"


def _contract(
    index: str, day: dt.date, kind: Kind, strike: int, *, forward: float, years: float, n: int
) -> dict[str, object]:
    away = math.log(strike / forward)
    vol = 0.12 - 0.15 * away + 1.8 * away * away
    root = vol * math.sqrt(years)
    d1 = (math.log(forward / strike) + root * root / 2) / root
    sign = 1 if kind == Kind.CALL else -1
    value = sign * (forward * _phi(sign * d1) - strike * _phi(sign * (d1 - root)))
    mid = max(round(value * 20) * 5, 5)
    spread = max(5, mid // 400 * 5)
    oi = int(4_000_000 * math.exp(-((away * 30 - sign * 0.6) ** 2))) // 75 * 75 + 7_500
    quoted = mid > 10
    density = math.exp(-d1 * d1 / 2) / math.sqrt(2 * math.pi)
    return {
        "index": index,
        "symbol": symbol(index, day, strike, kind),
        "kind": int(kind),
        "expiry": day,
        "strike_paise": strike * 100,
        "exchange_ns": OPEN_NS + n * 250_000_000,
        "bid_paise": mid - spread if quoted else 0,
        "bid_qty": 300,
        "ask_paise": mid + spread,
        "ask_qty": 450,
        "last_paise": mid,
        "prev_close_paise": max(round(mid * (1.08 - 0.1 * sign) / 5) * 5, 5),
        "volume": oi * 3 + n * 75,
        "oi": oi,
        "prev_oi": oi - (n * 75 if strike % 200 else -n * 150) if strike % 350 else -1,
        "price": mid / 100,
        "iv": vol if quoted else math.nan,
        "iv_reason": 0 if quoted else 1,
        "delta": sign * _phi(sign * d1) if quoted else math.nan,
        "gamma": density / (forward * root),
        "theta": -forward * density * vol / (2 * math.sqrt(years)) / 365 if quoted else math.nan,
        "vega": forward * density * math.sqrt(years) / 100,
        "rho": -value * years / 100,
    }


def _expiry(index: str, day: dt.date, *, spot: float, forward: float, years: float, n: int) -> dict[str, object]:
    step = STEPS[index]
    atm = round(forward / step) * step * 100
    row: dict[str, object] = {field.name: 0.0 if field.type == pa.float64() else 0 for field in EXPIRIES}
    monthly = day.month == 12 and day.day > 24
    return row | {
        "index": index,
        "expiry": day,
        "as_of_ns": OPEN_NS + n * 250_000_000,
        "sequence": n,
        "lot": LOTS[index],
        "years": years,
        "discount": 1.0,
        "spot_paise": round(spot * 100),
        "spot_prev_close_paise": SPOTS[index] * 100 - 7_450,
        "future_paise": round(forward * 100) if monthly else 0,
        "vix": 13.42 if index == "NIFTY" else math.nan,
        "forward": forward,
        "forward_source": "parity",
        "atm_spot_paise": round(spot / step) * step * 100,
        "atm_forward_paise": atm,
        "atm_iv": 0.1201,
        "atm_straddle": 0.8 * forward * 0.12 * math.sqrt(years),
        "expected_move": forward * 0.12 * math.sqrt(years),
        "pcr_oi": 0.93,
        "pcr_volume": 1.04,
        "max_pain_paise": atm - step * 100,
        "sentiment": 0.18,
        "quality": 0.97,
    }


def chain(index: str, n: int) -> Chain:
    """The `n`-th chain of `index`."""
    spot = SPOTS[index] * (1 + 0.002 * math.sin(n / 40) + 0.0003 * math.sin(n / 3))
    step = STEPS[index]
    middle = round(SPOTS[index] / step) * step
    contracts, expiries = [], []
    for day in (*EXPIRY_DAYS, *LATER.get(index, ())):
        width = WIDTH if day in EXPIRY_DAYS else 1
        years = ((day - dt.date(2026, 11, 20)).days + 0.26 - n * 0.25 / 86_400) / 365
        forward = spot * (1 + 0.05 * years)
        for strike in (*range(middle - width * step, middle + width * step + 1, step), *FAR.get(index, ())):
            contracts += [
                _contract(index, day, kind, strike, forward=forward, years=years, n=n) for kind in (Kind.CALL, Kind.PUT)
            ]
        expiries.append(_expiry(index, day, spot=spot, forward=forward, years=years, n=n))
    return Chain(
        contracts=pa.RecordBatch.from_pylist(contracts, schema=CONTRACTS),
        expiries=pa.RecordBatch.from_pylist(expiries, schema=EXPIRIES),
    )


def figured(
    made: Chain,
    figures: Mapping[str, object],
    day: dt.date | None = None,
    contracts: Mapping[str, object] | None = None,
) -> Chain:
    """`made` with other figures and contracts of one expiry; of all of them where no day is named."""

    def changed(batch: pa.RecordBatch, values: Mapping[str, object]) -> pa.RecordBatch:
        rows = [row | (values if day in (None, row["expiry"]) else {}) for row in batch.to_pylist()]
        return pa.RecordBatch.from_pylist(rows, schema=batch.schema)

    return Chain(contracts=changed(made.contracts, contracts or {}), expiries=changed(made.expiries, figures))
