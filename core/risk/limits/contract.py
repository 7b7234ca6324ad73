"""Entries only in a contract that exists: one its index's chain lists today."""

from pydantic import BaseModel

from core.errors import UnknownName
from core.market import parse_symbol
from core.orders.positions import market_date
from core.records import Intent, LimitUse, Refusal
from core.risk.book import RiskBook
from core.risk.limits.limit import unused


class KnownContract(BaseModel, frozen=True, extra="forbid"):
    """Before its index's first chain a contract counts as known if it has a symbol; `stale_quote` refuses it then."""

    @property
    def name(self) -> str:
        return "contract"

    def check(self, intent: Intent, book: RiskBook) -> Refusal | None:
        try:
            contract = parse_symbol(intent.symbol, market_date(book.now_ns))
        except UnknownName as error:
            return self._refuse(str(error))
        if contract.expiry is not None and contract.expiry < market_date(book.now_ns):
            return self._refuse(f"{intent.symbol} expired on {contract.expiry}")
        values = book.values.get(intent.index)
        if values is None or values.has(intent.symbol) or intent.symbol in book.marks:
            return None
        return self._refuse(f"the chain of {intent.index} does not list {intent.symbol}")

    def _refuse(self, why: str) -> Refusal:
        return Refusal(limit=self.name, allowed="a listed contract", asked="unknown", why=why)

    def use(self, book: RiskBook) -> LimitUse:  # noqa: ARG002 - every limit is asked alike
        return unused(self.name, 1.0, "contract")
