"""Positions of every user, MIS and NRML apart, with Kite's 29 fields (kite.md §5.8)."""

from dataclasses import dataclass, field

from exchange.accounts import User
from exchange.listing import Instrument
from exchange.orders.order import Row, Trade
from exchange.quotes import Quotes
from exchange.refusal import bad_input

Key = tuple[str, str, str, str]  # user, exchange, symbol, product: a place is another one tomorrow


@dataclass
class Position:
    """Units and paise of one contract and product: what was carried in, and what was bought and sold today."""

    one: Instrument
    product: str
    overnight: int = 0  # signed
    overnight_paise: int = 0  # Σ price·quantity of it, signed as it is
    carried_at: int = 0  # paise a unit at the last close
    bought: int = 0
    bought_paise: int = 0
    sold: int = 0
    sold_paise: int = 0

    @property
    def quantity(self) -> int:
        return self.overnight + self.bought - self.sold

    def last_paise(self, quotes: Quotes) -> int:
        """Its last price; of a contract that is listed no more the one it was carried at."""
        return int(quotes.last[self.one.place]) if self.one.place >= 0 else self.carried_at

    def m2m_paise(self, quotes: Quotes) -> int:
        """What the day has brought: trades and what was carried in, against the last price."""
        traded = self.sold_paise - self.bought_paise
        return traded - self.overnight * self.carried_at + self.quantity * self.last_paise(quotes)

    @property
    def open_paise(self) -> int:
        """Σ price·quantity of what is open, at the average it was bought or sold at; signed as it is."""
        net = self.quantity
        if net > 0:
            units, value = self.bought + max(self.overnight, 0), self.bought_paise + max(self.overnight_paise, 0)
        else:
            units, value = self.sold + max(-self.overnight, 0), self.sold_paise + max(-self.overnight_paise, 0)
        return net * value // units if units else 0

    def row(self, quotes: Quotes) -> Row:
        """`net` of the positions call; pnl = sell_value − buy_value + quantity·last, exact on Kite's samples."""
        last, close = self.last_paise(quotes), self.carried_at
        carried, value = self.overnight, self.overnight_paise
        buys = self.bought + max(carried, 0)
        sells = self.sold + max(-carried, 0)
        buy_value, sell_value = self.bought_paise + max(value, 0), self.sold_paise + max(-value, 0)
        buy_m2m = self.bought_paise + max(carried, 0) * close
        sell_m2m = self.sold_paise + max(-carried, 0) * close
        net = self.quantity
        pnl = sell_value - buy_value + net * last
        average = buy_value / buys if net > 0 else sell_value / sells if net < 0 else 0.0
        return {
            "tradingsymbol": self.one.symbol, "exchange": self.one.exchange, "instrument_token": self.one.token,
            "product": self.product, "quantity": net, "overnight_quantity": carried, "multiplier": 1,
            "average_price": rupees(average), "close_price": rupees(close if carried else 0),
            "last_price": rupees(last), "value": rupees(sell_value - buy_value), "pnl": rupees(pnl),
            "m2m": rupees(self.m2m_paise(quotes)), "unrealised": rupees(pnl), "realised": 0,
            "buy_quantity": buys, "buy_price": rupees(buy_value / buys if buys else 0), "buy_value": rupees(buy_value),
            "buy_m2m": rupees(buy_m2m), "sell_quantity": sells,
            "sell_price": rupees(sell_value / sells if sells else 0), "sell_value": rupees(sell_value),
            "sell_m2m": rupees(sell_m2m), **self._day(),
        }  # fmt: skip

    def _day(self) -> Row:
        return {
            "day_buy_quantity": self.bought,
            "day_buy_price": rupees(self.bought_paise / self.bought if self.bought else 0),
            "day_buy_value": rupees(self.bought_paise),
            "day_sell_quantity": self.sold,
            "day_sell_price": rupees(self.sold_paise / self.sold if self.sold else 0),
            "day_sell_value": rupees(self.sold_paise),
        }

    def today(self) -> "Position | None":
        """What was traded today alone; None where nothing was."""
        if not (self.bought or self.sold):
            return None
        return Position(
            self.one, self.product, bought=self.bought, bought_paise=self.bought_paise, sold=self.sold,
            sold_paise=self.sold_paise,
        )  # fmt: skip


@dataclass
class Positions:
    """Everybody's."""

    _held: dict[Key, Position] = field(default_factory=dict)

    def book(self, trade: Trade) -> None:
        order = trade.order
        held = self._at(order.user, order.one, order.product)
        if order.side == "BUY":
            held.bought, held.bought_paise = (
                held.bought + trade.quantity,
                held.bought_paise + trade.quantity * trade.paise,
            )
        else:
            held.sold, held.sold_paise = held.sold + trade.quantity, held.sold_paise + trade.quantity * trade.paise

    def of(self, user: User) -> list[Position]:
        return [position for key, position in self._held.items() if key[0] == user.user_id]

    def units(self, user: User) -> dict[Instrument, int]:
        """Signed units by contract, products together; what is flat is left out."""
        out: dict[Instrument, int] = {}
        for position in self.of(user):
            out[position.one] = out.get(position.one, 0) + position.quantity
        return {one: quantity for one, quantity in out.items() if quantity}

    def carry(self, user: User, position: Position, one: Instrument, at_paise: int) -> None:
        """Take what is open into the next day as NRML of `one`, its contract's next listing, marked at `at_paise`."""
        held = self._at(user, one, "NRML")
        held.overnight += position.quantity
        held.overnight_paise = held.overnight_paise + position.open_paise if held.overnight else 0
        held.carried_at = at_paise

    def taken(self, user: User) -> list[Position]:
        """The user's positions, which are forgotten: the day is over."""
        out = self.of(user)
        self._held = {key: position for key, position in self._held.items() if key[0] != user.user_id}
        return out

    def convert(self, user: User, one: Instrument, *, quantity: int, buy: bool, old: str, new: str) -> None:
        """Move today's lots of one product to the other, at their average; only of the side that is open."""
        held = self._held.get((user.user_id, one.exchange, one.symbol, old))
        open_side = held is not None and held.quantity != 0 and (held.quantity > 0) == buy
        there = min(held.bought if buy else held.sold, abs(held.quantity)) if held is not None and open_side else 0
        if held is None or not 0 < quantity <= there:
            raise bad_input(f"Position cannot be converted: {quantity} asked, {there} open of today's")
        if quantity % one.lot:
            raise bad_input(f"Invalid `quantity`: it should be in multiples of the lot size {one.lot}")
        other = self._at(user, one, new)
        if buy:
            paise = held.bought_paise * quantity // held.bought
            held.bought, held.bought_paise = held.bought - quantity, held.bought_paise - paise
            other.bought, other.bought_paise = other.bought + quantity, other.bought_paise + paise
        else:
            paise = held.sold_paise * quantity // held.sold
            held.sold, held.sold_paise = held.sold - quantity, held.sold_paise - paise
            other.sold, other.sold_paise = other.sold + quantity, other.sold_paise + paise

    def _at(self, user: User, one: Instrument, product: str) -> Position:
        return self._held.setdefault((user.user_id, one.exchange, one.symbol, product), Position(one, product))


def rupees(paise: float) -> float:
    """Paise to rupees, four decimals for an average."""
    return round(paise / 100, 4)
