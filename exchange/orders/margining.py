"""What positions and orders block together: SPAN and exposure by core.risk, in the exchange's own market.

The market is a chain made by core.chain from the published quotes, now. MIS is margined as NRML: no broker gives
leverage on short options. An estimate, as every figure of core.risk's own arrays.
"""

import datetime as dt
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from itertools import islice

import msgspec
import numpy as np

from core.chain.analyse import analyse
from core.chain.book import FIELDS, NEVER, SCALARS, TOPS, Book
from core.chain.universe import Contract as Column
from core.chain.universe import Universe
from core.errors import VikalpError
from core.market import Contract
from core.pricing import price, variance_years
from core.pricing.chain_rules import ABSENT
from core.records import Chain
from core.risk.margin import carry_of, chain_market
from core.risk.margin_portfolio import MarginSheet
from core.risk.margin_terms import MarginTerms
from core.risk.span import Carry, SpanModel
from core.risk.span_legs import Expiry, Leg, Market, Quote, Underlying, expiry_of, is_option, sign_of
from core.schemas import Kind
from exchange.day import Day
from exchange.levels import RATE
from exchange.listing import Instrument

Book_ = Mapping[Instrument, int]  # signed units
FALLBACK_VOL = 0.15  # of an option whose expiry implies none: an estimate, met once an expiry is settled
EPOCH = dt.date(1970, 1, 1)


class Margining:
    """Margins of the day that `day` gives, at the moment that `now` gives."""

    def __init__(self, day: Callable[[], Day], now: Callable[[], int]) -> None:
        self._day, self._now = day, now
        self._universes: dict[tuple[dt.date, str], Universe] = {}

    def terms(self, books: Sequence[Book_]) -> list[MarginTerms]:
        """What each of `books` blocks, valued in one market. Raises StaleDataError and UnknownDate as core.risk does.

        Books of long options alone block nothing: a long never loses more than it is worth.
        """
        ones = list(dict.fromkeys(one for book in books for one, units in book.items() if units))
        if all(one.kind != Kind.FUTURE and book.get(one, 0) >= 0 for book in books for one in ones):
            return [MarginTerms() for _ in books]
        sheet = MarginSheet([_leg(one) for one in ones], self._source(ones))
        return [sheet.margin([book.get(one, 0) for one in ones]).terms for book in books]

    def warm(self) -> None:
        """Compile what a first sale would wait for; needs quotes. On a day without margin tables there is none."""
        calls = (one for one in self._day().listing.instruments if one.kind == Kind.CALL)
        with suppress(VikalpError):
            self.terms([{one: -one.lot} for one in islice(calls, 1)])

    def chain(self, index: str) -> Chain:
        """The chain of `index` by the quotes as they stand."""
        day = self._day()
        book = Book(self._universe(day, index), self._values(day, index))
        return analyse(book, as_of_ns=max(day.open_ns, self._now()), sequence=1, rate=RATE, max_age_ns=day.max_age_ns)

    def _universe(self, day: Day, index: str) -> Universe:
        key = day.date, index
        if key not in self._universes:
            self._universes = {had: one for had, one in self._universes.items() if had[0] == day.date}
            columns = [Column(_name(one), one.kind, _days(one), one.strike_paise) for one in _listed(day, index)]
            self._universes[key] = Universe(index).extended(columns)
        return self._universes[key]

    def _values(self, day: Day, index: str) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
        quotes, at = day.quotes, np.array([one.place for one in _listed(day, index)], np.int64)
        values = np.zeros((len(FIELDS), at.size), np.int64)
        scalars = (quotes.at_ns, quotes.last, quotes.close, quotes.volume, quotes.oi)  # the open interest before: none
        for name, column in zip(SCALARS, scalars, strict=False):
            values[FIELDS[name]] = column[at]
        for name in TOPS:
            values[FIELDS[name]] = quotes.book[name][at, 0]
        values[FIELDS["exchange_ns"], quotes.at_ns[at] == 0] = NEVER
        return values

    def _source(self, ones: Sequence[Instrument]) -> SpanModel:
        quotes: dict[str, Quote] = {}
        underlyings: dict[str, Underlying] = {}
        carry: Carry = "spot"
        for index in dict.fromkeys(one.index for one in ones):
            own, chain = [one for one in ones if one.index == index], self.chain(index)
            rows = {row["symbol"]: row for row in chain.contracts.to_pylist()}
            legs, now = [_leg(one) for one in own], self._now()
            found, of_legs = chain_market(legs, chain, rows, now_ns=now, stand_in={})
            underlyings[index] = self._completed(found, of_legs, own, chain)
            quotes |= of_legs
            carry = carry_of(chain, now)
        return SpanModel(market=Market(on=self._day().date, underlyings=underlyings, quotes=quotes), carry=carry)

    def _completed(
        self, found: Underlying, quotes: dict[str, Quote], ones: Iterable[Instrument], chain: Chain
    ) -> Underlying:
        """What a chain of options lacks: futures, contracts no longer listed, vols where nothing implies one."""
        expiries, last = dict(found.expiries), self._day().quotes.last
        days = {row["expiry"]: row for row in chain.expiries.to_pylist()}
        for one in ones:
            leg = _leg(one)
            expiry = expiry_of(leg)
            if expiry not in expiries:
                row = days.get(expiry)
                years = row["years"] if row else variance_years(one.index, expiry, self._now())
                level = last[one.place] / 100 if one.kind == Kind.FUTURE and one.place >= 0 else found.spot
                level = row["forward"] if row and row["forward"] > 0 else level
                expiries[expiry] = Expiry(float(level), years, math.exp(-RATE * years))
            had, on = quotes.get(one.symbol, Quote(math.nan)), expiries[expiry]
            if not is_option(leg):
                quotes[one.symbol] = Quote(float(last[one.place] / 100) if one.place >= 0 else on.forward)
                continue
            vol = had.vol if had.vol > 0 else days.get(expiry, {}).get("atm_iv", math.nan)
            vol = vol if vol > 0 else FALLBACK_VOL
            model = float(price(sign_of(leg), on.forward, one.strike_paise / 100, on.years, vol, on.discount))
            quotes[one.symbol] = Quote(had.price if had.price >= 0 else model, vol)
        return msgspec.structs.replace(found, expiries=expiries)


def _leg(one: Instrument) -> Leg:
    """As a contract of core.risk; its premium is the account's affair, not the margin's."""
    contract = Contract(one.index, one.kind, one.expiry_date, one.strike_paise, one.symbol)
    return Leg(contract=contract, quantity=0, paid=True)


def _listed(day: Day, index: str) -> list[Instrument]:
    return [one for one in day.listing.instruments if one.index == index]


def _name(one: Instrument) -> str:
    """The desk's name of it: an index is its own."""
    return one.index if one.kind == Kind.INDEX and one.strike_paise == 0 and one.symbol != "INDIA VIX" else one.symbol


def _days(one: Instrument) -> int:
    return ABSENT if one.kind == Kind.INDEX else (one.expiry_date - EPOCH).days
