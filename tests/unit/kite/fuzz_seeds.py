"""Sound answers of Kite's, by what is asked: our own, and Kite's samples where they lie beside the checkout."""

import json
import random
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from core.orders.tag import make_tag
from tests.unit.kite.fuzz_bodies import Reply, csv, failure, success

MOCKS = Path(__file__).parents[4] / "shared/data/kite-mocks"
OURS = [make_tag(f"fuzz {n}") for n in range(4)]
SYMBOL = "NIFTY26NOV26000CE"
ORDER = {
    "placed_by": "AB1234", "order_id": "1953341975595868160", "exchange_order_id": "1300000000000001",
    "parent_order_id": None, "status": "OPEN", "status_message": None, "status_message_raw": None,
    "order_timestamp": "2026-11-20 09:18:57", "exchange_update_timestamp": "2026-11-20 09:18:58",
    "exchange_timestamp": "2026-11-20 09:18:57", "variety": "regular", "modified": False, "exchange": "NFO",
    "tradingsymbol": SYMBOL, "instrument_token": 10189826, "order_type": "LIMIT", "transaction_type": "BUY",
    "validity": "DAY", "product": "NRML", "quantity": 130, "disclosed_quantity": 0, "price": 101.5, "trigger_price": 0,
    "average_price": 0, "filled_quantity": 0, "pending_quantity": 130, "cancelled_quantity": 0, "market_protection": 0,
    "meta": {}, "tag": OURS[0], "guid": "X",
}  # fmt: skip
BOOK = [
    ORDER,
    ORDER | {"order_id": "2", "status": "COMPLETE", "tag": OURS[1], "filled_quantity": 130, "average_price": 101.45},
    ORDER | {"order_id": "3", "tag": None, "tradingsymbol": "INFY", "exchange": "NSE"},
    ORDER | {"order_id": "4", "status": "REJECTED", "tag": OURS[2], "status_message": "Insufficient funds.",
             "exchange_update_timestamp": None},
    ORDER | {"order_id": "5", "status": "CANCELLED", "tag": OURS[3], "filled_quantity": 65, "average_price": 101.0},
]  # fmt: skip
TRADE = {
    "trade_id": "10000000", "order_id": "2", "exchange": "NFO", "tradingsymbol": SYMBOL, "instrument_token": 10189826,
    "product": "NRML", "average_price": 101.45, "quantity": 130, "exchange_order_id": "1300000000000001",
    "transaction_type": "BUY", "fill_timestamp": "2026-11-20 09:19:00", "order_timestamp": "09:18:57",
    "exchange_timestamp": "2026-11-20 09:19:00",
}  # fmt: skip
TRADES = [TRADE, TRADE | {"trade_id": "2", "order_id": "5", "quantity": 65}, TRADE | {"order_id": "77"}]
HEADER = ("instrument_token,exchange_token,tradingsymbol,name,last_price,expiry,strike,tick_size,lot_size,"
          "instrument_type,segment,exchange\n")  # fmt: skip
DUMP = HEADER + "".join(
    f'{token << 8 | 2},{token},NIFTY26NOV{strike}{kind},"NIFTY",0,2026-11-23,{strike},0.05,65,{kind},NFO-OPT,NFO\n'
    for token, strike, kind in ((39804, 26000, "CE"), (39805, 26000, "PE"), (39806, 26050, "CE"))
)
CANDLES = [[f"2026-11-20T09:{minute}:00+0530", 100.05, 101.0, 99.95, 100.5, 650, 1300] for minute in range(15, 20)]
PROFILE = {"user_id": "AB1234", "user_type": "individual", "email": "a@b.invalid", "user_name": "A Trader",
           "user_shortname": "A", "broker": "ZERODHA", "exchanges": ["NFO"], "products": ["NRML"],
           "order_types": ["LIMIT"], "avatar_url": None, "meta": {"demat_consent": "physical"}}  # fmt: skip
SESSION = PROFILE | {"api_key": "key", "access_token": "A" * 32, "public_token": "P" * 32, "enctoken": "",
                     "refresh_token": "", "silo": "", "login_time": "2026-11-20 08:45:00"}  # fmt: skip
FUNDS = {"enabled": True, "net": 99725.05, "available": {"cash": 245431.6, "live_balance": 99725.05},
         "utilised": {"debits": 145706.55, "span": 101989, "exposure": 38981.25}}  # fmt: skip
LEG = {"exchange": "NFO", "tradingsymbol": SYMBOL, "product": "NRML", "order_type": "LIMIT", "transaction_type": "SELL",
       "quantity": 65, "price": 90.5, "result": None}  # fmt: skip
TRIGGER = {
    "id": 112127, "user_id": "AB1234", "parent_trigger": None, "type": "two-leg", "created_at": "2026-11-19 15:30:00",
    "updated_at": "2026-11-19 15:30:00", "expires_at": "2027-11-19 15:30:00", "status": "active", "meta": {},
    "condition": {"exchange": "NFO", "tradingsymbol": SYMBOL, "last_price": 101.5, "trigger_values": [91.0, 120.0],
                  "instrument_token": 10189826},
    "orders": [LEG, LEG | {"price": 119.5}],
}  # fmt: skip
FIRED = {"account_id": "AB1234", "timestamp": "2026-11-20 09:20:00", "triggered_at": 120.0,
         "order_result": {"status": "success", "order_id": "77", "rejection_reason": ""}}  # fmt: skip
TRIGGERS = [
    TRIGGER,
    TRIGGER | {"id": 2, "status": "triggered", "orders": [LEG, LEG | {"result": FIRED}]},
    TRIGGER | {"id": 3, "status": "deleted"},
]
BY_CALL: Mapping[str, tuple[Any, tuple[str, ...]]] = {  # our own data, and Kite's samples of the same call
    "orders": (BOOK, ("orders", "order_info")),
    "trades": (TRADES, ("trades", "order_trades")),
    "history": ({"candles": CANDLES}, ("historical_minute", "historical_oi")),
    "session": (SESSION, ("generate_session",)),
    "profile": (PROFILE, ("profile",)),
    "logout": (True, ("session_logout",)),
    "margins": (FUNDS, ("margins_equity",)),
    "gtts": (TRIGGERS, ("gtt_get_orders",)),
    "trigger": ({"trigger_id": 112127}, ("gtt_place_order", "gtt_delete_order")),
    "convert": (True, ("convert_position",)),
}


def order_id(rng: random.Random) -> str:
    """Half the time the one that a cancel asks for."""
    return rng.choice((str(ORDER["order_id"]), str(rng.randrange(10**14, 10**19))))


def sound(rng: random.Random, call: str) -> Reply:
    """A sound answer to `call`: most often what was asked for, an order with an id of its own, or else a refusal."""
    if rng.random() < 0.12:
        return failure(
            *rng.choice(
                (
                    (403, "TokenException"),
                    (400, "InputException"),
                    (400, "MarginException"),
                    (429, "NetworkException"),
                    (503, "NetworkException"),
                    (500, "GeneralException"),
                )
            )
        )
    if call == "order":
        return success({"order_id": order_id(rng)})
    if call == "instruments":
        return csv(DUMP)
    own, names = BY_CALL[call]
    name = rng.choice((None, *names))
    path = MOCKS / f"{name}.json"
    if name is None or not path.exists():
        return success(own)
    return success(json.loads(path.read_text())["data"])


def samples() -> Iterator[str]:
    """Kite's samples that are used and are here."""
    yield from (name for _, names in BY_CALL.values() for name in names if (MOCKS / f"{name}.json").exists())
