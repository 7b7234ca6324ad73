"""No limit price far from the market: the guard against a slipped decimal point."""

from pydantic import BaseModel, Field

from core.market import tick_paise
from core.records import Intent, LimitUse, Refusal
from core.risk.book import RiskBook
from core.risk.limits.limit import unused
from core.risk.marks import Mark
from core.rupees import rupees


class PriceDistance(BaseModel, frozen=True, extra="forbid"):
    """Distance of the limit from the last price, which counts as the nearer side of the quote where it lies outside it.

    Most contracts do not trade for a minute while their quotes move on. A stop-limit order is measured from its own
    trigger: until that is met its limit means nothing. A MARKET order has no limit, a contract without a price none to
    measure from (`stale_quote` refuses that).
    """

    max_share: float = Field(
        default=0.05, gt=0, description="share of the last price; the larger of it and ticks holds"
    )
    ticks: int = Field(default=20, ge=0, description="ticks from the last price")

    @property
    def name(self) -> str:
        return "price_distance"

    def check(self, intent: Intent, book: RiskBook) -> Refusal | None:
        mark = book.marks.get(intent.symbol)
        last = intent.trigger_paise or (_last(mark) if mark else 0)
        if not intent.limit_paise or not last:
            return None
        allowed = max(self.max_share * last, self.ticks * tick_paise(intent.index))
        away = abs(intent.limit_paise - last)
        if away <= allowed:
            return None
        what = "its trigger" if intent.trigger_paise else "the last price"
        return Refusal(
            limit=self.name,
            allowed=rupees(int(allowed)),
            asked=rupees(away),
            why=f"the limit {rupees(intent.limit_paise)} is {away / last:.1%} from {what}, {rupees(last)}",
        )

    def use(self, book: RiskBook) -> LimitUse:  # noqa: ARG002 - every limit is asked alike
        return unused(self.name, self.max_share, "of the last price")


def _last(mark: Mark) -> int:
    """The last trade, moved into the quote."""
    last = mark.last_paise or mark.mid_paise
    if mark.bid_paise:
        last = max(last, mark.bid_paise)
    return min(last, mark.ask_paise) if mark.ask_paise else last
