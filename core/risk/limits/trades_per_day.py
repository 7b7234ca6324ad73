"""So many entries a day and strategy: over-trading is how a small edge is paid away."""

from pydantic import BaseModel, Field

from core.records import Intent, LimitUse, Refusal
from core.risk.book import RiskBook, trades


class TradesPerDay(BaseModel, frozen=True, extra="forbid"):
    """Entries that filled or may still fill, counted per strategy and day; one that died unfilled is given back."""

    max_trades: int = Field(default=3, gt=0, description="entries a day of one strategy")
    max_manual: int = Field(default=100, gt=0, description="entries a day that a person sends (strategy manual)")

    @property
    def name(self) -> str:
        return "trades_per_day"

    def allowed(self, strategy: str) -> int:
        return self.max_manual if strategy == "manual" else self.max_trades

    def check(self, intent: Intent, book: RiskBook) -> Refusal | None:
        if intent.purpose != "entry":
            return None
        done, allowed = trades(book, intent.strategy), self.allowed(intent.strategy)
        if done < allowed:
            return None
        return Refusal(
            limit=self.name,
            allowed=f"{allowed} trades",
            asked=f"{done + 1} trades",
            why=f"{intent.strategy} has had its {allowed} trades of the day",
        )

    def use(self, book: RiskBook) -> LimitUse:
        """Of the strategy nearest to its own limit."""
        names = {order.intent.strategy for order in book.placed.values()}
        rows = [(trades(book, name), self.allowed(name)) for name in sorted(names)]
        used, allowed = max(rows, key=lambda row: row[0] / row[1], default=(0, self.max_trades))
        return LimitUse(limit=self.name, used=used, allowed=allowed, unit="trades")
