"""How what is watched lies on the links: each contract on one, and where it is it stays."""

from collections.abc import Mapping, Sequence

from core.errors import InputError
from core.market.symbols import Contract
from core.schemas import Kind

LINKS, MOST = 3, 3_000  # sockets of one API key, instruments of one socket: Kite Connect's documentation


def spread(
    contracts: Sequence[Contract], before: Mapping[str, int], *, links: int = LINKS, most: int = MOST
) -> dict[str, int]:
    """The link, 0 … links − 1, of each contract's symbol; `before` is what this gave last, empty at the start.

    Only what is new, or was on a link that is no more, is laid: indices where the fewest are, as a link that carries
    none cannot tell a market that stands still from one that sends no ticks; the rest where there is the most room.
    InputError for more contracts than the links carry.
    """
    symbols = {one.symbol: one.kind == Kind.INDEX for one in contracts}
    if len(symbols) > links * most:
        raise InputError(f"{links} links carry {links * most} instruments, was {len(symbols)}")
    load, indices, placed = [0] * links, [0] * links, dict.fromkeys(symbols, -1)

    def put(symbol: str, link: int) -> None:
        placed[symbol] = link
        load[link] += 1
        indices[link] += symbols[symbol]

    for symbol in symbols:
        link = before.get(symbol, -1)
        if 0 <= link < links and load[link] < most:
            put(symbol, link)
    for symbol in sorted((symbol for symbol, link in placed.items() if link < 0), key=lambda one: not symbols[one]):
        room = [link for link in range(links) if load[link] < most]
        put(symbol, min(room, key=lambda link: (symbols[symbol] * indices[link], load[link], link)))
    return placed
