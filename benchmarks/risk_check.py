"""One order held against every limit of the desk, on a book of 50 legs: margin, stress, VaR, Greeks and all the others.

Orders come in contracts that are held and in others, in turn; after every tenth a new chain arrives, which drops every
figure that was kept. What is held is then valued anew before an order can ask, as the risk actor does when it takes the
chain, and so outside of the measured time, which is shown beside it; a contract that is not held is valued within it.

Peer, in the same run: the same worst loss, VaR and scan risk after the order by full revaluation of all 51 legs in
plain numpy (core.pricing.reference), all legs and cells at once, nothing kept. Both must agree, or nothing is reported.
"""

import datetime as dt
import math
import sys
import time
from statistics import NormalDist

import msgspec
import numpy as np

from benchmarks.table import Row, write
from core.market import IST, parse_symbol, to_ns
from core.market.margins import SCENARIOS, price_scan
from core.pricing import price, reference, warm
from core.records import Fill, Intent
from core.risk.book import RiskBook, at, with_fill, with_marks, with_values
from core.risk.case import Memory, case_of, prime
from core.risk.desk_verdict import desk_verdict
from core.risk.limits.limits import LimitsConfig
from core.risk.marks import Mark
from core.risk.span import LOOK_AHEAD_YEARS, SPAN_RATE
from core.risk.span_legs import Expiry
from core.risk.units import DAYS_A_YEAR, ELAPSED_DAYS, GAPS, STATES, VOL_SHOCKS
from core.risk.values import Values
from core.risk.var import tail

CHECKS, EVERY, ASKED_MS = 2_000, 10, 2.0
DAY, NEAR, FAR = dt.date(2026, 7, 1), dt.date(2026, 7, 28), dt.date(2026, 8, 25)
NOON = to_ns(dt.datetime.combine(DAY, dt.time(12), IST))
SPOT, VOL, LOT = 24_400.0, 0.13, 65
NORMAL = np.array([NormalDist().inv_cdf((rank + 0.5) / STATES) for rank in range(STATES)])[None, :]
LIMITS = LimitsConfig.model_validate({"trades_per_day": {"max_trades": 10**6}})


def symbols() -> list[str]:
    """A hundred contracts, 25 strikes, calls and puts of two months; every other one is held."""
    strikes = range(23_200, 25_700, 100)
    return [f"NIFTY26{month}{k}{right}" for month in ("JUL", "AUG") for k in strikes for right in ("CE", "PE")]


def values(names: list[str], spot: float) -> Values:
    expiries = {}
    for day in (NEAR, FAR):
        years = (day - DAY).days / 365
        expiries[day] = Expiry(spot * math.exp(SPAN_RATE * years), years, math.exp(-SPAN_RATE * years))
    worth = []
    for name in names:
        one = parse_symbol(name, DAY)
        assert one.expiry is not None, "an option has an expiry"
        forward, years, discount = expiries[one.expiry]
        kind = 1 if name.endswith("CE") else -1
        worth.append(float(price(kind, forward, one.strike_paise / 100, years, VOL, discount)))
    slots = {name: place for place, name in enumerate(names)}
    return Values(index="NIFTY", as_of_ns=NOON, level=spot, close=SPOT, carry="spot", expiries=expiries,
                  atm=dict.fromkeys(expiries, VOL), slots=slots, price=np.array(worth),
                  vol=np.full(len(names), VOL))  # fmt: skip


def quoted(book: RiskBook, known: Values) -> RiskBook:
    """The book as the risk actor leaves it after a chain."""
    marks = {
        name: Mark(bid_paise=round(p * 100) - 5, ask_paise=round(p * 100) + 5, last_paise=round(p * 100), at_ns=NOON)
        for name, p in zip(known.slots, known.price.tolist(), strict=True)
    }
    return with_values(with_marks(book, marks), known)


def holding(book: RiskBook, names: list[str]) -> RiskBook:
    """Fifty legs: the near month sold, the far one bought, one to three lots."""
    for place, name in enumerate(names[::2]):
        side = "SELL" if "JUL" in name else "BUY"
        paise = book.marks[name].mid_paise
        fill = Fill(trade_id=f"T{place}", tag=f"T{place}", strategy="s", index="NIFTY", symbol=name, side=side,
                    quantity=LOT * (1 + place % 3), price_paise=paise, at_ns=NOON)  # fmt: skip
        book = with_fill(book, fill)
    return book


def order(book: RiskBook, name: str, place: int) -> Intent:
    return Intent(tag=f"O{place}", strategy="s", index="NIFTY", symbol=name, side="BUY" if place % 2 else "SELL",
                  quantity=LOT, order_type="LIMIT", limit_paise=book.marks[name].mid_paise // 5 * 5,
                  created_ns=NOON)  # fmt: skip


def plain(book: RiskBook, intent: Intent, known: Values) -> tuple[float, float, float]:
    """Worst loss, VaR and scan risk after the order in rupees, every leg revalued."""
    quantity = {name: float(one.quantity) for name, one in book.holdings.items()}
    quantity[intent.symbol] = quantity.get(intent.symbol, 0.0) + (LOT if intent.side == "BUY" else -LOT)
    legs = [parse_symbol(name, DAY) for name in quantity]
    q = np.array(list(quantity.values()))
    kind = np.array([1.0 if name.endswith("CE") else -1.0 for name in quantity])[:, None]
    strike = np.array([one.strike_paise / 100 for one in legs])[:, None]
    forward, years, discount = (
        np.array([known.expiries[one.expiry][i] for one in legs if one.expiry])[:, None] for i in range(3)
    )
    now = reference.price(kind, forward, strike, years, np.full_like(years, VOL), discount)
    gaps = np.repeat(GAPS, len(VOL_SHOCKS))[None, :]
    shocks = np.tile(VOL_SHOCKS, len(GAPS))[None, :]
    worst = math.inf
    for days in ELAPSED_DAYS:
        left = years - days / 365
        then = reference.price(kind, forward * (1 + gaps), strike, left, VOL + shocks, discount ** (left / years))
        worst = min(worst, float((q @ (then - now)).min()))
    moved = forward * np.exp(NORMAL * VOL / math.sqrt(DAYS_A_YEAR))
    states = q @ (reference.price(kind, moved, strike, years, np.full_like(moved, VOL), discount) - now)
    scan = price_scan("NIFTY", DAY, close=SPOT)
    moves, vols, shares = (np.array(column)[None, :] for column in zip(*SCENARIOS, strict=True))
    left = years - LOOK_AHEAD_YEARS
    grown = np.exp(SPAN_RATE * left)
    shocked = reference.price(kind, (known.level + scan * moves) * grown, strike, left, VOL + 0.04 * vols, 1 / grown)
    today = reference.price(kind, known.level * np.exp(SPAN_RATE * years), strike, years, np.full_like(years, VOL),
                            np.exp(-SPAN_RATE * years))  # fmt: skip
    losses = np.minimum(shares * (today - shocked), now)
    return -worst, tail(states, 0.99)[0], float((q @ losses).max())


def agree(book: RiskBook, intent: Intent, known: Values) -> bool:
    case = case_of(intent, book)
    ours = (case.stress_after.loss, case.var_after, case.margin_after.scan_paise / 100)
    return bool(np.allclose(ours, plain(book, intent, known), rtol=1e-6, atol=0.02))


def main() -> int:
    warm()
    names = symbols()
    book = holding(quoted(at(RiskBook(memory=Memory()), NOON), values(names, SPOT)), names)
    if len(book.holdings) != 50 or not agree(book, order(book, names[1], 1), book.values["NIFTY"]):
        print("the peer computes other figures: nothing is reported", file=sys.stderr)
        return 1
    checks, cores, primes, peers = [], [], [], []
    for place in range(CHECKS):
        if place % EVERY == 0:
            known = values(names, SPOT + place % 7)
            fresh = quoted(book, known)
            began = time.perf_counter_ns()
            prime(fresh, "NIFTY")
            primes.append((time.perf_counter_ns() - began) / 1e6)
            book = fresh
        asked = order(book, names[place * 7 % len(names)], place)
        book = msgspec.structs.replace(book, now_ns=book.now_ns + 1_000_000)
        began, core = time.perf_counter_ns(), time.thread_time_ns()
        desk_verdict(LIMITS, asked, book)
        cores.append((time.thread_time_ns() - core) / 1e6)
        checks.append((time.perf_counter_ns() - began) / 1e6)
        if place % (EVERY * 4) == 0:
            began = time.perf_counter_ns()
            plain(book, asked, book.values["NIFTY"])
            peers.append((time.perf_counter_ns() - began) / 1e6)
    p50, p99 = (float(np.percentile(checks, q)) for q in (50, 99))
    peer = float(np.percentile(peers, 50))
    write(Row(question="risk check of an order, 50 legs held",
              ours=f"p50 {p50:.2f} ms, p99 {p99:.2f} ms, of the processor {np.percentile(cores, 50):.2f} and "
              f"{np.percentile(cores, 99):.2f} ms (all 28 limits; {np.median(primes):.1f} ms a chain beside it)",
              peer=f"p50 {peer:.2f} ms: stress, VaR and scan alone, all legs revalued in plain numpy", ratio=peer / p50,
              asked="p99 ≤ 2 ms", reached=p99 <= ASKED_MS))  # fmt: skip
    return 0 if p99 <= ASKED_MS else 1


if __name__ == "__main__":
    sys.exit(main())
