"""What a user has, and what orders would block and cost (kite.md §4, §5.9)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from starlette.requests import Request

from core.errors import VikalpError
from core.market import Charges, charges_at
from core.records import Side
from core.schemas import Kind
from exchange.accounts import Session, User
from exchange.listing import Instrument
from exchange.orders.funds import Case, Held, Need, Want, segment
from exchange.orders.order import Row
from exchange.orders.request import ORDER_TYPES, PRODUCTS, VARIETIES, instrument, one_of, paise, whole
from exchange.refusal import KiteError, bad_input
from exchange.server.body import rows
from exchange.server.call import body, call, world_of
from exchange.world import World


class Asked(NamedTuple):
    """A row of a request, enough of an order to be margined and charged."""

    want: Want
    form: Mapping[str, str]


@dataclass(frozen=True)
class Cost:
    """Paise that an order adds: to what is blocked, and its premium, below 0 where it is received."""

    span_paise: int = 0
    exposure_paise: int = 0
    premium_paise: int = 0


@call("other")
async def user_margins(request: Request, session: Session) -> object:
    """GET /user/margins[/{segment}]: commodities are another account's, and empty."""
    world, named = world_of(request), request.path_params.get("segment")
    both: Row = {"equity": _balance(world, session.user), "commodity": segment()}
    if named is None:
        return both
    if named not in both:
        raise bad_input(f"Invalid segment: {named}")
    return both[named]


@call("other")
async def order_margins(request: Request, session: Session) -> list[Row]:
    """POST /margins/orders: each by itself, on top of positions and open orders."""
    world, asked = world_of(request), await _asked(request)
    ground = _ground(world, session.user, consider=True)
    costs = ground.added([one.want for one in asked])
    return [_margin(world, one, cost) for one, cost in zip(asked, costs, strict=True)]


@call("other")
async def basket_margins(request: Request, session: Session) -> Row:
    """POST /margins/basket: `initial` is the sum of the orders by themselves, `final` what all of them add together.

    In the final the premium of sales is taken off, as in Kite's sample. `consider_positions` adds positions and open
    orders to what they are margined with; mode=compact leaves the orders out.
    """
    world, asked, query = world_of(request), await _asked(request), request.query_params
    ground = _ground(world, session.user, consider=query.get("consider_positions", "false").lower() == "true")
    alone = ground.added([one.want for one in asked])
    initial = Cost(
        sum(one.span_paise for one in alone), sum(one.exposure_paise for one in alone),
        sum(one.premium_paise for one in alone),
    )  # fmt: skip
    orders = [_margin(world, *pair) for pair in zip(asked, alone, strict=True)]
    return {
        "initial": _row(initial, Charges()),
        "final": _row(ground.filled([one.want for one in asked]), Charges()),
        "orders": [] if query.get("mode") == "compact" else orders,
        "charges": charges_row(sum((_charges(world, one) for one in asked), Charges())),
    }


@call("other")
async def contract_note(request: Request, _: Session) -> list[Row]:
    """POST /charges/orders: what each would cost, executed whole."""
    world, out = world_of(request), []
    for asked in await _asked(request):
        want, form = asked
        if want.one.kind == Kind.FUTURE:
            raise bad_input(f"{want.one.symbol}: only the charges of options are known")
        out.append(
            {
                "transaction_type": want.side, "tradingsymbol": want.one.symbol, "exchange": want.one.exchange,
                "variety": form.get("variety", "regular"), "product": form["product"],
                "order_type": form["order_type"], "quantity": want.quantity, "price": want.paise / 100,
                "charges": charges_row(_charges(world, asked)),
            }
        )  # fmt: skip
    return out


async def _asked(request: Request) -> list[Asked]:
    """The rows of the body. The price of a row is its limit, its average, or what the market gives."""
    world, found = world_of(request), []
    for form in rows(await body(request), "orders"):
        one = instrument(form, world.day.listing)
        one_of(form, "variety", VARIETIES, "regular")
        one_of(form, "product", PRODUCTS)
        one_of(form, "order_type", ORDER_TYPES)
        side: Side = "BUY" if one_of(form, "transaction_type", ("BUY", "SELL")) == "BUY" else "SELL"
        quantity = whole(form, "quantity")
        if one.kind == Kind.INDEX or quantity <= 0 or quantity % one.lot:
            raise bad_input(f"Invalid `quantity` or contract: {one.symbol} in multiples of {one.lot}")
        given = paise(form, "price") or paise(form, "average_price")
        found.append(Asked(Want(one, side, quantity, given or _price(world, one, side)), form))
    return found


def _price(world: World, one: Instrument, side: Side) -> int:
    quotes = world.day.quotes
    best = int(quotes.book["ask_paise" if side == "BUY" else "bid_paise"][one.place][0])
    return best or int(quotes.last[one.place])


def _balance(world: World, user: User) -> Row:
    world.engine.advance()
    try:
        return world.funds.balance(user, world.engine.live(user))
    except VikalpError as why:
        raise _unknown(why) from why


@dataclass(frozen=True)
class Ground:
    """What orders are margined on top of."""

    world: World
    held: Held
    live: Sequence[Want]

    def added(self, wants: Sequence[Want]) -> list[Cost]:
        """What each order by itself adds while it rests."""
        cases = (Case(self.held, [*self.live, want]) for want in wants)
        before, *then = self._needs(Case(self.held, self.live), *cases)
        return [_between(before, one, one.premium_paise - before.premium_paise) for one in then]

    def filled(self, wants: Sequence[Want]) -> Cost:
        """What orders add once all have traded: purchases protect, and premium has gone both ways."""
        own, premium = dict(self.held), 0
        for one, side, quantity, paise_each in wants:
            signed = quantity if side == "BUY" else -quantity
            own[one] = own.get(one, 0) + signed
            premium += 0 if one.kind == Kind.FUTURE else signed * paise_each
        before, then = self._needs(Case(self.held, self.live), Case(own, self.live))
        return _between(before, then, premium)

    def _needs(self, *cases: Case) -> list[Need]:
        try:
            return self.world.funds.needs(cases)
        except VikalpError as why:
            raise _unknown(why) from why


def _ground(world: World, user: User, *, consider: bool) -> Ground:
    world.engine.advance()
    if not consider:
        return Ground(world, {}, [])
    return Ground(world, world.positions.units(user), world.funds.wants(user, world.engine.live(user)))


def _between(before: Need, then: Need, premium: int) -> Cost:
    span, exposure = then.span_paise - before.span_paise, then.exposure_paise - before.exposure_paise
    return Cost(max(0, span), max(0, exposure), premium)


def _margin(world: World, asked: Asked, cost: Cost) -> Row:
    one = asked.want.one
    known = _charges(world, asked)
    return _row(cost, known) | {
        "type": "equity", "tradingsymbol": one.symbol, "exchange": one.exchange, "leverage": 1,
    }  # fmt: skip


def _row(cost: Cost, charged: Charges) -> Row:
    return {
        "type": "", "tradingsymbol": "", "exchange": "", "span": cost.span_paise / 100,
        "exposure": cost.exposure_paise / 100, "option_premium": cost.premium_paise / 100, "additional": 0, "bo": 0,
        "cash": 0, "var": 0, "pnl": {"realised": 0, "unrealised": 0}, "leverage": 0, "charges": charges_row(charged),
        "total": (cost.span_paise + cost.exposure_paise + cost.premium_paise) / 100,
    }  # fmt: skip


def charges_row(charged: Charges) -> Row:
    """Kite's object; the investor protection fund's share is in the exchange's charge."""
    gst = float(charged.gst)
    return {
        "transaction_tax": float(charged.stt), "transaction_tax_type": "stt" if charged.total else "",
        "exchange_turnover_charge": float(charged.exchange + charged.ipft),
        "sebi_turnover_charge": float(charged.sebi), "brokerage": float(charged.brokerage),
        "stamp_duty": float(charged.stamp), "gst": {"igst": gst, "cgst": 0, "sgst": 0, "total": gst},
        "total": float(charged.total),
    }  # fmt: skip


def _charges(world: World, asked: Asked) -> Charges:
    """Of an option; those of a future are not known and left at 0."""
    one, side, quantity, price_paise = asked.want
    if one.kind == Kind.FUTURE:
        return Charges()
    try:
        return charges_at(one.index, side, quantity, price_paise, world.day.date)
    except VikalpError as why:
        raise _unknown(why) from why


def _unknown(why: Exception) -> KiteError:
    return KiteError(400, "GeneralException", f"Margin cannot be computed: {why}")
