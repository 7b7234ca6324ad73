"""A form of an order into numbers, refused in Kite's words before it becomes an order (kite.md §5.1–5.3)."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from core.records import Side
from core.schemas import Kind
from exchange.listing import Instrument, Listing
from exchange.refusal import bad_input

VARIETIES = ("regular", "amo", "iceberg", "co", "auction")
OFFERED = ("regular", "amo", "iceberg")
PRODUCTS = ("NRML", "MIS")
ORDER_TYPES = ("MARKET", "LIMIT", "SL", "SL-M")
VALIDITIES = ("DAY", "IOC", "TTL")
LONGEST_TAG = 20
MOST_QUANTITY = 10_000_000


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What a client asks for; prices in paise, 0 where it gave none; `protection` in per cent, −1 automatic."""

    one: Instrument
    variety: str
    side: Side
    product: str
    order_type: str
    quantity: int
    price_paise: int
    trigger_paise: int
    validity: str
    ttl_minutes: int
    protection: float
    disclosed: int
    legs: int  # of an iceberg
    leg_quantity: int  # units of each, but for a smaller last one
    tag: str | None
    autoslice: bool


def parse(variety: str, form: Mapping[str, str], listing: Listing) -> Asked:
    """Raises KiteError 400 InputException, naming the field."""
    if variety not in VARIETIES:
        raise bad_input(f"Invalid `variety`: {variety}. Bracket orders are discontinued." if variety == "bo"
                        else f"Invalid `variety`: {variety}")  # fmt: skip
    if variety not in OFFERED:
        raise bad_input(f"`{variety}` orders are not available for index options")
    order_type, validity = one_of(form, "order_type", ORDER_TYPES), one_of(form, "validity", VALIDITIES, "DAY")
    side: Side = "BUY" if one_of(form, "transaction_type", ("BUY", "SELL")) == "BUY" else "SELL"
    asked = Asked(
        one=instrument(form, listing), variety=variety, side=side, product=one_of(form, "product", PRODUCTS),
        order_type=order_type, validity=validity, quantity=whole(form, "quantity"), price_paise=paise(form, "price"),
        trigger_paise=paise(form, "trigger_price"), ttl_minutes=whole(form, "validity_ttl", 0),
        protection=protection(form), disclosed=whole(form, "disclosed_quantity", 0),
        legs=whole(form, "iceberg_legs", 0), leg_quantity=whole(form, "iceberg_quantity", 0), tag=tag(form),
        autoslice=form.get("autoslice", "").lower() == "true",
    )  # fmt: skip
    check(asked)
    return asked


def check(asked: Asked) -> None:
    """Rules that need nothing but the order and its contract."""
    one = asked.one
    if one.kind == Kind.INDEX:
        raise bad_input("Trading in indices is not allowed.")
    if asked.order_type == "SL-M" and (one.exchange == "BFO" or one.kind in {Kind.CALL, Kind.PUT}):
        raise bad_input("SL-M orders are blocked for options (16052). Use an SL order with a limit price.")
    if asked.order_type in {"MARKET", "SL-M"} and asked.protection == 0:
        raise bad_input(
            "Market orders without market protection are not allowed via API. "
            "Please set market protection or use a Limit order."
        )
    needs = {"LIMIT": ("price",), "SL": ("price", "trigger_price"), "SL-M": ("trigger_price",), "MARKET": ()}
    given = {"price": asked.price_paise, "trigger_price": asked.trigger_paise}
    for name in needs[asked.order_type]:
        if given[name] <= 0:
            raise bad_input(f"Missing or invalid `{name}` for a {asked.order_type} order.")
    if asked.order_type == "SL":
        buys, beyond = asked.side == "BUY", asked.price_paise - asked.trigger_paise
        if beyond < 0 if buys else beyond > 0:
            raise bad_input(f"Trigger price can't be {'higher' if buys else 'lesser'} than price.")
    _check_size(asked)


def _check_size(asked: Asked) -> None:
    one = asked.one
    if asked.quantity <= 0 or asked.quantity > MOST_QUANTITY:
        raise bad_input(f"Invalid `quantity`: {asked.quantity}")
    if asked.quantity % one.lot:
        raise bad_input(f"Quantity should be in multiples of the lot size: {one.lot}")
    for given in (asked.price_paise, asked.trigger_paise):
        if given % one.tick_paise:
            raise bad_input(
                f"Tick size for this script is {one.tick_paise / 100:.2f}. "
                "Kindly enter price in the multiple of tick size for this script"
            )
    if asked.variety == "iceberg":
        _check_legs(asked)
    if asked.validity == "TTL" and asked.ttl_minutes <= 0:
        raise bad_input("Missing or invalid `validity_ttl`")


def _check_legs(asked: Asked) -> None:
    if not 2 <= asked.legs <= 50:
        raise bad_input("Invalid `iceberg_legs`, expected 2 to 50")
    size = asked.leg_quantity
    if size <= 0 or size % asked.one.lot or not (asked.legs - 1) * size < asked.quantity <= asked.legs * size:
        raise bad_input(f"Invalid `iceberg_quantity`: {size}, expected whole lots that make {asked.legs} legs")


def instrument(form: Mapping[str, str], listing: Listing) -> Instrument:
    one = listing.by_name.get((form.get("exchange", ""), form.get("tradingsymbol", "")))
    if one is None:
        raise bad_input("The instrument you are placing an order for has either expired or does not exist.")
    return one


def one_of(form: Mapping[str, str], name: str, allowed: tuple[str, ...], otherwise: str = "") -> str:
    value = form.get(name, otherwise)
    if value not in allowed:
        raise bad_input(f"Invalid `{name}`: {value!r}, expected one of {', '.join(allowed)}")
    return value


def whole(form: Mapping[str, str], name: str, otherwise: int | None = None) -> int:
    text = form.get(name, "")
    if not text and otherwise is not None:
        return otherwise
    if not (text.isascii() and text.isdecimal() and len(text) <= 12):
        raise bad_input(f"Invalid `{name}`: {text!r}, expected a whole number")
    return int(text)


def paise(form: Mapping[str, str], name: str) -> int:
    """A price in rupees, at most two decimals."""
    value = number(form, name) * 100
    if value != value.to_integral_value() or value < 0:
        raise bad_input(f"Invalid `{name}`: {form[name]!r}, expected rupees and paise")
    return int(value)


def protection(form: Mapping[str, str]) -> float:
    text = form.get("market_protection", "")
    try:
        value = float(Decimal(text)) if text else 0.0
    except (InvalidOperation, ValueError):  # ValueError: a signalling NaN
        raise bad_input(
            f"Invalid request (failed to decode market_protection, got: {text} (expected decimal))"
        ) from None
    if not (value == -1 or 0 <= value <= 100):
        raise bad_input(f"Invalid `market_protection`: {text}, expected -1 or 0 to 100")
    return value


def number(form: Mapping[str, str], name: str) -> Decimal:
    text = form.get(name, "") or "0"
    try:
        value = Decimal(text)
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite() or not -(10**9) <= value <= 10**9:
        raise bad_input(f"Invalid `{name}`: {text!r}, expected a number")
    return value


def tag(form: Mapping[str, str]) -> str | None:
    text = form.get("tag") or None
    if text is not None and len(text) > LONGEST_TAG:
        raise bad_input(f"Invalid `tag`: at most {LONGEST_TAG} characters")
    return text
