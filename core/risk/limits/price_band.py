"""No price the exchange would refuse: outside the contract's price band of the day.

The exchange's band of an option is of that contract, from its delta, and new every day; it is in the exchange's own
contract file alone, and the broker's instrument list has no column for it. So an estimate stands in: what the contract
would be worth with its forward at the two ends of the index futures' operating range, ±10 %, under today's vol. Where
the real band is tighter the broker still refuses what passes here.
"""

import math

from pydantic import BaseModel, Field

from core.market import parse_symbol, tick_paise
from core.orders.positions import market_date
from core.pricing import price
from core.records import Intent, LimitUse, Refusal
from core.risk.book import RiskBook
from core.risk.limits.limit import unused
from core.rupees import rupees
from core.schemas import Kind


class PriceBand(BaseModel, frozen=True, extra="forbid"):
    """An estimated band; an order without a limit price, and a contract that cannot be valued, are not judged."""

    move: float = Field(default=0.10, gt=0, lt=1, description="move of the forward that gives the band's ends")

    @property
    def name(self) -> str:
        return "price_band"

    def band(self, intent: Intent, book: RiskBook) -> tuple[int, int] | None:
        """Lowest and highest price in paise, an estimate; None while the contract cannot be valued."""
        contract = parse_symbol(intent.symbol, market_date(book.now_ns))
        values = book.values.get(intent.index)
        expiry = values.expiries.get(contract.expiry) if values and contract.expiry else None
        quote = values.quote(intent.symbol) if values else None
        if expiry is None or quote is None or not quote.vol > 0 or not expiry.forward > 0:
            return None
        kind, strike = (1 if contract.kind == Kind.CALL else -1), contract.strike_paise / 100
        forwards = [expiry.forward * (1 - self.move), expiry.forward * (1 + self.move)]
        worth = price(kind, forwards, strike, expiry.years, quote.vol, expiry.discount)
        tick = tick_paise(intent.index)
        low, high = (float(one) * 100 for one in sorted(worth))
        return max(tick, math.floor(low / tick) * tick), max(tick, math.ceil(high / tick) * tick)

    def check(self, intent: Intent, book: RiskBook) -> Refusal | None:
        band = self.band(intent, book) if intent.limit_paise else None
        if band is None or band[0] <= intent.limit_paise <= band[1]:
            return None
        return Refusal(
            limit=self.name,
            allowed=f"{rupees(band[0])} to {rupees(band[1])}",
            asked=rupees(intent.limit_paise),
            why=f"the price is outside the estimated band of {intent.symbol}: its worth if the index moved "
            f"{self.move:.0%} either way",
        )

    def use(self, book: RiskBook) -> LimitUse:  # noqa: ARG002 - every limit is asked alike
        return unused(self.name, 1.0, "band")
