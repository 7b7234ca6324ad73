"""Is an intent an order the exchange could take at all? Asked before any limit, of entries and exits alike.

And is a modification one of an order that stands. On which side of the last price a stop's trigger lies is the
broker's to judge, which sees that price at the moment it counts.
"""

import datetime as dt
from typing import get_args

from core.errors import InputError, UnknownName
from core.market import (
    Contract,
    check_index,
    exchange_of,
    expiries,
    expiry_moment,
    freeze,
    from_ns,
    lot,
    parse_symbol,
    phase,
    tick_paise,
    to_ns,
)
from core.orders.machine import terms as terms_of
from core.orders.stops import stop_refusal
from core.orders.tag import check_tag
from core.orders.windows import amo_arrival_ns, amo_refusal
from core.records import LIVE, Intent, Order, OrderType, Product, Purpose, Refusal, Side, Terms, Validity, Variety
from core.rupees import rupees
from core.schemas import Kind


def contract_of(intent: Intent, today: dt.date) -> Contract:
    """The option `intent` is for, its symbol as it is written on `today`.

    Raises InputError for a tag, side or kind of order nobody could send, UnknownName for an index or symbol nobody
    knows: mistakes of the caller, who gets the exception and no order.
    """
    check_tag(intent.tag)
    check_index(intent.index)
    for name, value, allowed in (
        ("side", intent.side, get_args(Side)),
        ("order_type", intent.order_type, get_args(OrderType)),
        ("purpose", intent.purpose, get_args(Purpose)),
        ("product", intent.product, get_args(Product)),
        ("validity", intent.validity, get_args(Validity)),
        ("variety", intent.variety, get_args(Variety)),
    ):
        if value not in allowed:
            raise InputError(f"order {intent.tag}: expected {name} {' or '.join(allowed)}, was {value!r}")
    contract = parse_symbol(intent.symbol, today)
    if contract.index != intent.index:
        raise UnknownName(f"{intent.symbol} is a contract of {contract.index}, the order says {intent.index}")
    return check_option(contract)


def check_option(contract: Contract) -> Contract:
    """`contract`, if it is one this desk trades; InputError, saying what it is, for a future or an index."""
    if contract.kind in (Kind.CALL, Kind.PUT):
        return contract
    what = "a future" if contract.kind == Kind.FUTURE else "an index"
    raise InputError(f"{contract.symbol} is {what}: this desk reads its price and trades options alone")


def check(intent: Intent, now_ns: int, *, allow_ioc: bool = False) -> tuple[Refusal, ...]:
    """Every rule of the exchange that `intent` breaks at market time `now_ns`; raises as `contract_of`.

    An after-market order is judged for the session that it is sent to. `allow_ioc` is a setting of the desk's.
    """
    today = from_ns(now_ns).date()
    contract = contract_of(intent, today)
    if intent.variety == "amo":
        closed = amo_refusal(intent.index, now_ns)
        if closed is not None:
            return (closed,)
    arrives_ns = amo_arrival_ns(intent.index, now_ns) if intent.variety == "amo" else now_ns
    refusal = over(contract, arrives_ns)
    if refusal is None and intent.purpose != "exit":  # what is held exists, whatever the tables say
        refusal = _unlisted(contract, today)
    if refusal is not None:
        return (refusal,)
    terms = Terms(order_type=intent.order_type, limit_paise=intent.limit_paise, trigger_paise=intent.trigger_paise)
    broken = [*_size(intent, contract, from_ns(arrives_ns).date()), *_prices(intent, terms, today)]
    broken += _kind(intent, allow_ioc=allow_ioc)
    if intent.created_ns and from_ns(intent.created_ns).date() != today:
        asked = f"{from_ns(intent.created_ns).date()}"
        broken.append(_no("day", f"{today}", asked, "the order was decided on another day"))
    return tuple(broken)


def check_terms(order: Order, terms: Terms, now_ns: int) -> tuple[Refusal, ...]:
    """Why `order` cannot be given other `terms` at market time `now_ns`; empty if it can. Raises as `contract_of`.

    How often an order may be modified is the budget's (core/orders/budget.py).
    """
    intent, today = order.intent, from_ns(now_ns).date()
    contract = contract_of(intent, today)
    if terms.order_type not in get_args(OrderType):
        raise InputError(f"order {intent.tag}: expected order_type LIMIT or MARKET or SL, was {terms.order_type!r}")
    if order.state not in LIVE:
        return (_no("state", "OPEN", order.state, f"order {intent.tag} is over"),)
    if intent.validity == "IOC":
        return (_no("validity", "DAY", "IOC", "an IOC order does not rest, so there is nothing to modify"),)
    refusal = _not_now(intent, now_ns) or over(contract, now_ns)
    if refusal is not None:
        return (refusal,)
    if terms == terms_of(order):
        return (_no("terms", "other terms", _words(terms), "the order has these already; asking costs a modification"),)
    broken = _prices(intent, terms, today)
    if terms.order_type == "MARKET" and intent.variety == "amo":
        broken += _kind(intent, allow_ioc=False, order_type=terms.order_type)
    return tuple(broken)


def _not_now(intent: Intent, now_ns: int) -> Refusal | None:
    """An order rests at the exchange in its session, an after-market one at the broker in its windows too."""
    exchange = exchange_of(intent.index)
    now = phase(exchange, now_ns)
    if now == "open" or (intent.variety == "amo" and amo_refusal(intent.index, now_ns) is None):
        return None
    return _no("market_hours", "open", now, f"{exchange} is {now}: an order is modified while its session is open")


def over(contract: Contract, now_ns: int) -> Refusal | None:
    """None while the option has not had its last trade; UnknownDate as core.market."""
    assert contract.expiry is not None, "an option has an expiry"
    now, last = from_ns(now_ns), expiry_moment(contract.index, contract.expiry)
    if contract.expiry < now.date():
        return _no("expiry", f"{now:%Y-%m-%d} or later", f"{contract.expiry}", f"{contract.symbol} has expired")
    if now_ns >= to_ns(last):
        why = f"the last trade of {contract.symbol} was at {last:%H:%M}"
        return _no("expiry", f"before {last:%Y-%m-%d %H:%M}", f"{now:%Y-%m-%d %H:%M}", why)
    return None


def _unlisted(contract: Contract, today: dt.date) -> Refusal | None:
    listed, expiry = expiries(contract.index, today), contract.expiry
    assert expiry is not None, "an option has an expiry"
    if expiry in listed:
        return None
    nearest = ", ".join(str(day) for day in sorted(sorted(listed, key=lambda day: abs(day - expiry))[:2]))
    why = f"{contract.symbol} does not exist: no contract of {contract.index} expires then"
    return _no("expiry", nearest, f"{expiry}", why)


def _size(intent: Intent, contract: Contract, on: dt.date) -> list[Refusal]:
    assert contract.expiry is not None, "an option has an expiry"
    broken, units, most = [], lot(contract.index, contract.expiry, on), freeze(contract.index, on)
    if intent.quantity <= 0 or intent.quantity % units:
        why = f"quantity of {intent.symbol} must be a multiple of its lot, {units}"
        broken.append(_no("lot", f"{units} × n", f"{intent.quantity}", why))
    if intent.quantity > most:
        broken.append(
            _no("freeze", f"{most}", f"{intent.quantity}", f"the exchange takes at most {most} units an order")
        )
    return broken


def _kind(intent: Intent, *, allow_ioc: bool, order_type: OrderType | None = None) -> list[Refusal]:
    """Combinations that a desk, its broker or the exchange does not take."""
    kind, broken = order_type or intent.order_type, []
    if intent.validity == "IOC" and not allow_ioc:
        why = "IOC orders are off: set allow_ioc of the order manager (oms.allow_ioc) to send them"
        broken.append(_no("allow_ioc", "DAY", "IOC", why))
    if intent.validity == "IOC" and kind == "SL":
        why = "a stop waits for its trigger: it is good for the day"
        broken.append(_no("validity", "DAY", "IOC", why))
    if intent.variety == "amo" and kind == "MARKET":
        why = "the broker takes no MARKET order of index options as an after-market one: give a limit"
        broken.append(_no("amo", "LIMIT or SL", kind, why))
    return broken


def _prices(intent: Intent, terms: Terms, on: dt.date) -> list[Refusal]:
    tick, kind, limit, trigger = tick_paise(intent.index), terms.order_type, terms.limit_paise, terms.trigger_paise
    broken = []
    if kind == "MARKET" and limit != 0:
        broken.append(_no("price", "0", f"{limit / 100:.2f}", "a MARKET order carries no limit price"))
    elif kind != "MARKET":
        broken += _price("limit price", kind, limit, tick)
    if kind != "SL" and trigger != 0:
        broken.append(_no("trigger", "0", f"{trigger / 100:.2f}", f"a {kind} order has no trigger: it is an SL's"))
    elif kind == "SL":
        broken += _price("trigger price", kind, trigger, tick)
        if not broken:
            far = stop_refusal(intent.side, limit, trigger, index=intent.index, on=on)
            broken += [far] if far is not None else []
    return broken


def _price(name: str, kind: str, price: int, tick: int) -> list[Refusal]:
    of = "price" if name == "limit price" else "trigger"
    if price <= 0:
        return [
            _no(of, "above 0", f"{price / 100:.2f}", f"{'an' if kind == 'SL' else 'a'} {kind} order needs a {name}")
        ]
    if price % tick:
        return [_no("tick", f"{rupees(tick)} × n", rupees(price), f"the {name} is not on a tick")]
    return []


def _words(terms: Terms) -> str:
    trigger = f", trigger {terms.trigger_paise / 100:.2f}" if terms.trigger_paise else ""
    return f"{terms.order_type} at {terms.limit_paise / 100:.2f}{trigger}"


def _no(limit: str, allowed: str, asked: str, why: str) -> Refusal:
    return Refusal(limit=limit, allowed=allowed, asked=asked, why=why)
