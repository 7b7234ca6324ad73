"""What an account may be asked for beside orders: conversions of positions, and triggers that wait at the broker."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from core.ports.trading import Broker, BrokerAnswer
from core.records import Product

if TYPE_CHECKING:
    from core.orders.gtt import Trigger
    from core.orders.plans.plan import PlaceGtt  # its package loads the exchanges' tables


class AccountBroker(Broker, Protocol):
    """A broker with all of it; a request it does not offer is REFUSED, in words."""

    @property
    def keeps_triggers(self) -> bool:
        """Whether triggers wait there over night."""

    def convert(
        self, symbol: str, product_from: Product, product_to: Product, quantity: int, *, overnight: bool = False
    ) -> BrokerAnswer:
        """Ask for signed units of a position to be of the other product; after UNKNOWN `positions` tells.

        `overnight`: of what was carried, not of what was traded today. InputError for no units.
        """

    def averages(self) -> Mapping[tuple[str, str], float]:
        """Average price in paise of what the account holds, by contract and product. Raises as `book`."""

    def place_gtt(self, asked: "PlaceGtt") -> BrokerAnswer:
        """Ask once for a trigger; ACK has its id. It carries no tag: after UNKNOWN it is looked for in `gtts`."""

    def cancel_gtt(self, trigger_id: str) -> BrokerAnswer: ...
    def gtts(self) -> Sequence["Trigger"]:
        """The account's triggers of our contracts, some that are over among them. Raises as `book`."""

    def adopt(self, broker_id: str, tag: str) -> None:
        """An order that a trigger of ours has sent is the order with that tag from now on, and so are its trades."""
