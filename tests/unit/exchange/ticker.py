"""KiteTicker in a process of its own, since its reactor starts once in a life: prints what it hears as JSON lines.

python -m tests.unit.exchange.ticker ROOT KEY TOKEN MODE SECONDS INSTRUMENT…
"""

import json
import logging
import sys
import time
from typing import Any

from kiteconnect import KiteTicker


def main(root: str, api_key: str, access_token: str, mode: str, seconds: str, *instruments: str) -> None:
    """Subscribe to the instruments in one mode, and print every call of the client's for so many seconds."""
    ticker = KiteTicker(api_key, access_token, root=root)
    tokens = [int(token) for token in instruments]

    def say(kind: str, data: Any) -> None:
        print(json.dumps([kind, data], default=str), flush=True)

    def opened(socket: Any, _: Any) -> None:
        socket.subscribe(tokens)
        socket.set_mode(mode, tokens)

    ticker.on_connect = opened
    ticker.on_ticks = lambda _, ticks: say("ticks", ticks)
    ticker.on_order_update = lambda _, order: say("order", order)
    ticker.on_error = lambda _, code, reason: say("error", [code, reason])
    ticker.on_close = lambda _, code, reason: say("close", [code, reason])
    ticker.connect(threaded=True)
    time.sleep(float(seconds))


if __name__ == "__main__":
    logging.disable()
    main(*sys.argv[1:])
