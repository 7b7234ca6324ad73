"""KiteTicker in a process of its own, since its reactor starts once in a life: prints what it hears as JSON lines.

python -m tests.unit.exchange.ticker ROOT KEY TOKEN MODE SECONDS INSTRUMENT…
"""

import json
import logging
import sys
import threading
from typing import Any

from kiteconnect import KiteTicker


def main(root: str, api_key: str, access_token: str, mode: str, seconds: str, *instruments: str) -> None:
    """Subscribe in one mode and print every call of the client's, until each instrument has come in it.

    So many seconds at most.
    """
    ticker = KiteTicker(api_key, access_token, root=root)
    tokens = [int(token) for token in instruments]
    missing, heard = set(tokens), threading.Event()

    def say(kind: str, data: Any) -> None:
        print(json.dumps([kind, data], default=str), flush=True)

    def opened(socket: Any, _: Any) -> None:
        socket.subscribe(tokens)
        socket.set_mode(mode, tokens)

    def got(_: Any, ticks: list[dict[str, Any]]) -> None:
        say("ticks", ticks)
        missing.difference_update(tick["instrument_token"] for tick in ticks if tick["mode"] == mode)
        if not missing:
            heard.set()

    ticker.on_connect = opened
    ticker.on_ticks = got
    ticker.on_order_update = lambda _, order: say("order", order)
    ticker.on_error = lambda _, code, reason: say("error", [code, reason])
    ticker.on_close = lambda _, code, reason: say("close", [code, reason])
    ticker.connect(threaded=True)
    heard.wait(float(seconds))


if __name__ == "__main__":
    logging.disable()
    main(*sys.argv[1:])
