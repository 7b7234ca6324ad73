"""The kinds of difference between a desk and its broker, what to do about each, and how figures are told."""

from collections.abc import Mapping
from typing import Literal

from core.records import Terms
from core.rupees import rupees

Kind = Literal[
    "order missing here",
    "order missing at the broker",
    "order doubled",
    "order identity",
    "state",
    "filled quantity",
    "average price",
    "terms",
    "trade missing here",
    "trade missing at the broker",
    "trade identity",
    "trade quantity",
    "trade price",
    "position",
    "margin",
    "funds",
    "charges",
    "cash",
]

TODO: Mapping[Kind, str] = {
    "order missing here": "this desk did not journal it: see who else uses tags like ours, cancel it at the broker",
    "order missing at the broker": "ask the broker by the order's id; its position is what the account's positions say",
    "order doubled": "one tag was accepted twice: halt the desk, cancel what rests of the second, exit what it filled",
    "order identity": "another order bears its tag: halt the desk and compare the two at the broker",
    "state": "look at the order's history at the broker; a restart of the order manager reads its book anew",
    "filled quantity": "compare the order's trades below; a restart of the order manager reads them anew",
    "average price": "compare the order's trades below with the contract note",
    "terms": "a modification was lost or came late: modify the order again or cancel it",
    "trade missing here": "a restart of the order manager reads the trades anew; if it stays, its order is not ours",
    "trade missing at the broker": "ask the broker by the trade's id: what it annulled is to be settled with it",
    "trade identity": "the same trade id is told of another order: ask the broker",
    "trade quantity": "compare with the contract note and ask the broker",
    "trade price": "compare with the contract note and ask the broker",
    "position": "look for trades by hand, the broker's square-off, an earlier day; exit_all exits what the account has",
    "margin": "the desk's figure is an estimate: take the broker's, and raise the buffer if it is often too low",
    "funds": "look for transfers, other programs' positions and blocked premium; the broker's figure is what counts",
    "charges": "compare line by line with the day's contract note; a new rate needs a dated row",
    "cash": "compare the trades above: their quantities and prices make the cash",
}


def term_words(now: Terms) -> str:
    """What rests, in words."""
    if now.order_type == "MARKET":
        return "MARKET"
    trigger = f", trigger {rupees(now.trigger_paise)}" if now.order_type == "SL" else ""
    return f"{now.order_type} {rupees(now.limit_paise)}{trigger}"
