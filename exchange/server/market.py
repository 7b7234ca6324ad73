"""Instruments, quotes and candles (kite.md §6)."""

import asyncio
import datetime as dt

from starlette.requests import Request
from starlette.responses import Response

from core.market import IST, from_ns
from core.orders.price_guard import band_about
from exchange.accounts import Session
from exchange.candles import Candle, candles
from exchange.listing import Instrument
from exchange.refusal import bad_input
from exchange.server.call import call, text, world_of
from exchange.world import World

MOST = {"full": 500, "ohlc": 1000, "ltp": 1000}  # instruments a call
LONGEST_TOKEN = 10  # digits: a token has 32 bits


@call("other")
async def instruments(request: Request, _: Session) -> Response:
    """GET /instruments[/{exchange}]: the day's dump as CSV, gzipped."""
    world, exchange = world_of(request), request.path_params.get("exchange")
    if exchange is not None and exchange not in {one.exchange for one in world.day.listing.instruments}:
        raise bad_input(f"Invalid exchange: {exchange}")
    return text(request, world.day.listing.dump(exchange, world.day.quotes.last), "text/csv")


@call("quote")
async def quote(request: Request, _: Session) -> dict[str, object]:
    """GET /quote: keys nobody lists, or that have no data yet, are left out."""
    world = world_of(request)
    return {key: full(world, one) for key, one in _asked(request, "full")}


@call("quote")
async def ohlc(request: Request, _: Session) -> dict[str, object]:
    world = world_of(request)
    return {key: _last(world, one) | {"ohlc": _ohlc(world, one)} for key, one in _asked(request, "ohlc")}


@call("quote")
async def ltp(request: Request, _: Session) -> dict[str, object]:
    world = world_of(request)
    return {key: _last(world, one) for key, one in _asked(request, "ltp")}


@call("historical")
async def historical(request: Request, _: Session) -> dict[str, list[Candle]]:
    """GET /instruments/historical/{token}/{interval}. Drawing days takes a while, so it happens beside the stream."""
    world, asked = world_of(request), request.query_params
    token = request.path_params["token"]
    one = _by_token(world, token)
    if one is None:
        raise bad_input("invalid token")
    first, last = _moment(asked.get("from", ""), "from"), _moment(asked.get("to", ""), "to")
    interval, oi, now = request.path_params["interval"], asked.get("oi") == "1", world.clock.now_ns()
    minutes = world.day.minutes(one, now)  # here, where nothing moves
    found = await asyncio.to_thread(
        candles, world.day, one, interval, first, last, minutes=minutes, now_ns=now, oi=oi
    )  # fmt: skip
    return {"candles": found}


def _asked(request: Request, what: str) -> list[tuple[str, Instrument]]:
    world, keys = world_of(request), request.query_params.getlist("i")
    if not keys:
        raise bad_input("Missing or empty field `i`")
    if len(keys) > MOST[what]:
        raise bad_input(f"Too many tokens requested. Max permitted is {MOST[what]}.")
    found = ((key, _named(world, key)) for key in keys)
    return [(key, one) for key, one in found if one is not None and world.day.quotes.at_ns[one.place]]


def _named(world: World, key: str) -> Instrument | None:
    """EXCHANGE:SYMBOL, or a token as older programs write it."""
    if key.isdecimal():
        return _by_token(world, key)
    exchange, _, symbol = key.partition(":")
    return world.day.listing.by_name.get((exchange, symbol))


def _by_token(world: World, text: str) -> Instrument | None:
    short = text.isascii() and text.isdecimal() and len(text) <= LONGEST_TOKEN
    return world.day.listing.by_token.get(int(text)) if short else None


def _last(world: World, one: Instrument) -> dict[str, object]:
    return {"instrument_token": one.token, "last_price": _rupees(world.day.quotes.last[one.place])}


def _ohlc(world: World, one: Instrument) -> dict[str, float]:
    q = world.day.quotes
    return {name: _rupees(getattr(q, name)[one.place]) for name in ("open", "high", "low", "close")}


def full(world: World, one: Instrument) -> dict[str, object]:
    """A row of /quote."""
    q, at = world.day.quotes, one.place
    band = band_about(int(q.last[at]), one.tick_paise)
    low, high = (band.low_paise, band.high_paise) if band is not None else (0, 0)
    return _last(world, one) | {
        "timestamp": _stamp(int(q.at_ns[at])),
        "last_trade_time": _stamp(int(q.traded_ns[at])) if q.traded_ns[at] else None,
        "last_quantity": int(q.last_quantity[at]),
        "buy_quantity": int(q.book["bid_qty"][at].sum()),
        "sell_quantity": int(q.book["ask_qty"][at].sum()),
        "volume": int(q.volume[at]),
        "average_price": _rupees(q.average(q.last[[at]] * 0 + at)[0]),
        "oi": int(q.oi[at]),
        "oi_day_high": int(q.oi_high[at]),
        "oi_day_low": int(q.oi_low[at]),
        "net_change": _rupees(q.last[at] - q.close[at]) if q.close[at] else 0,
        "lower_circuit_limit": _rupees(low),
        "upper_circuit_limit": _rupees(high),
        "ohlc": _ohlc(world, one),
        "depth": {"buy": _levels(world, one, "bid"), "sell": _levels(world, one, "ask")},
    }


def _levels(world: World, one: Instrument, side: str) -> list[dict[str, float]]:
    columns = (world.day.quotes.book[f"{side}_{name}"][one.place].tolist() for name in ("paise", "qty", "orders"))
    return [
        {"price": _rupees(paise), "quantity": quantity, "orders": orders}
        for paise, quantity, orders in zip(*columns, strict=True)
    ]


def _moment(said: str, name: str) -> dt.datetime:
    for form in ("%Y-%m-%d %H:%M:%S", "%Y-%m-%d"):
        try:
            return dt.datetime.strptime(said, form).replace(tzinfo=IST)
        except ValueError:
            continue
    raise bad_input(f"invalid {name} date, expected yyyy-mm-dd hh:mm:ss")


def _stamp(ns: int) -> str:
    return from_ns(ns).strftime("%Y-%m-%d %H:%M:%S")


def _rupees(paise: int) -> float:
    return int(paise) / 100
