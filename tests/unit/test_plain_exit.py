"""What passes as an exit when nothing can be valued: shorts bought back, longs that cover none."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.market import parse_symbol
from core.records import Intent
from core.risk.plain_exit import plain_exit

LOT = 65
CALL, WING, FAR_WING, LATER, EARLIER, PUT, OTHER = (
    "NIFTY26DEC26000CE", "NIFTY26DEC26500CE", "NIFTY26DEC27000CE", "NIFTY27JAN26200CE", "NIFTY26NOV26200CE",
    "NIFTY26DEC25000PE", "BANKNIFTY26DEC58000CE",
)  # fmt: skip


def leave(symbol: str, side: str, lots: int = 1, **changes: object) -> Intent:
    index = parse_symbol(symbol).index
    made = Intent(tag="X", strategy="s", index=index, symbol=symbol, side=side, quantity=lots * LOT,
                  order_type="MARKET", purpose="exit")  # fmt: skip
    return msgspec.structs.replace(made, **changes)


def held(**lots: int) -> dict[str, int]:
    names = {
        "call": CALL,
        "wing": WING,
        "far": FAR_WING,
        "later": LATER,
        "earlier": EARLIER,
        "put": PUT,
        "other": OTHER,
    }
    return {names[name]: number * LOT for name, number in lots.items()}


@pytest.mark.parametrize(
    ("book", "order", "is_one"),
    [
        (held(call=-2), leave(CALL, "BUY", 2), True),
        (held(), leave(CALL, "BUY"), True),  # another strategy is long as much
        (held(call=-2), leave(CALL, "BUY", purpose="entry"), False),
        (held(call=-2), leave(CALL, "BUY", quantity=0), False),
        (held(call=2), leave(CALL, "SELL", 2), True),
        (held(call=2), leave(CALL, "SELL", 3), False),
        (held(call=-1), leave(CALL, "SELL"), False),
        (held(call=-1, wing=1), leave(WING, "SELL"), False),  # the wing of a spread
        (held(call=-1, wing=2), leave(WING, "SELL"), True),
        (held(call=-1, wing=2), leave(WING, "SELL", 2), False),
        (held(call=-1, wing=1, far=1), leave(FAR_WING, "SELL"), True),
        (held(call=-1, wing=1, far=1), leave(WING, "SELL"), False),  # what is left protects less
        (held(call=-1, wing=1, earlier=1), leave(WING, "SELL"), False),  # what is left ends before the short
        (held(call=-1, earlier=1), leave(EARLIER, "SELL"), False),  # until it ends it covers
        (held(call=-1, later=1, wing=1), leave(WING, "SELL"), True),
        (held(call=-1, put=1), leave(PUT, "SELL"), True),  # a put covers no call
        (held(call=-1, other=1), leave(OTHER, "SELL"), True),  # nor does another index
        (held(call=1), leave(CALL, "SELL", purpose="entry"), False),
        (held(call=1), leave(CALL, "SELL", quantity=0), False),
    ],
)
def test_a_buy_closes_a_short_and_a_sale_leaves_every_short_as_covered(
    book: dict[str, int],
    order: Intent,
    is_one: bool,  # noqa: FBT001
) -> None:
    assert plain_exit(book, order) is is_one


def test_puts_are_protected_by_the_higher_strike() -> None:
    short, near, far = "NIFTY26DEC25000PE", "NIFTY26DEC24500PE", "NIFTY26DEC24000PE"
    book = {short: -LOT, near: LOT, far: LOT}

    assert plain_exit(book, leave(far, "SELL"))
    assert not plain_exit(book, leave(near, "SELL"))


def test_what_is_working_counts_at_its_worst() -> None:
    assert plain_exit(held(call=-1), leave(CALL, "BUY"), [(CALL, LOT)])  # another strategy's entry
    assert not plain_exit(held(call=1), leave(CALL, "SELL"), [(CALL, -LOT)])
    assert not plain_exit(held(call=-1, wing=1), leave(WING, "SELL"), [(CALL, LOT)])  # the purchase may not fill
    assert not plain_exit(held(wing=2), leave(WING, "SELL", 2), [(CALL, -LOT)])  # the sale may
    assert plain_exit(held(wing=2), leave(WING, "SELL"), [(CALL, -LOT)])


NAMES = ("call", "wing", "far", "later", "earlier", "put", "other")
BOOKS = st.fixed_dictionaries(dict.fromkeys(NAMES, st.integers(-3, 3)))


def _uncovered(book: dict[str, int], index: str, kind: int) -> int:
    """Short units of an index and right that no long that lives as long covers."""
    legs = [(parse_symbol(symbol), units) for symbol, units in book.items() if units]
    legs = [(one, units) for one, units in legs if (one.index, int(one.kind)) == (index, kind)]
    shorts = sorted(((one.expiry, -units) for one, units in legs if units < 0), reverse=True)
    longs = sorted(((one.expiry, units) for one, units in legs if units > 0), reverse=True)
    bare, spare = 0, 0
    for day, units in shorts:
        while longs and longs[0][0] >= day:
            spare += longs.pop(0)[1]
        bare, spare = bare + max(0, units - spare), max(0, spare - units)
    return bare


@given(BOOKS, st.sampled_from(NAMES), st.sampled_from(("BUY", "SELL")), st.integers(1, 4))
def test_no_plain_sale_turns_the_position_and_no_plain_exit_leaves_a_short_less_covered(
    lots: dict[str, int], name: str, side: str, number: int
) -> None:
    book, symbol = held(**lots), next(iter(held(**{name: 1})))
    if not plain_exit(book, leave(symbol, side, number)):
        return
    after = {**book, symbol: book[symbol] + (number if side == "BUY" else -number) * LOT}
    one = parse_symbol(symbol)

    assert side == "BUY" or book[symbol] > after[symbol] >= 0
    assert _uncovered(after, one.index, int(one.kind)) <= _uncovered(book, one.index, int(one.kind))


@given(BOOKS)
def test_a_book_gets_flat_by_plain_exits_shorts_first(lots: dict[str, int]) -> None:
    book = held(**lots)
    for symbol in sorted((symbol for symbol, units in book.items() if units), key=lambda symbol: book[symbol] > 0):
        units = book[symbol]
        assert plain_exit(book, leave(symbol, "SELL" if units > 0 else "BUY", quantity=abs(units)))
        book[symbol] = 0

    assert not any(book.values())
