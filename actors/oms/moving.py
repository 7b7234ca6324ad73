"""Positions that move without a trade: from product to product at the broker, and from outside into a strategy's book.

A conversion is asked for in the ledger first, then of the broker, once. Its outcome is a second fact. After an answer
that never came, or a death between the two, the positions tell: what the broker holds beyond this desk has changed by
those units in both products, or in neither. Nothing of the contract is converted or taken over meanwhile.
"""

from collections.abc import Collection, Mapping
from typing import Literal

import msgspec

from actors.oms.broker_link import BrokerLink
from actors.oms.gate import leaving
from actors.oms.journal import Journal
from actors.oms.risk_link import RiskLink
from actors.oms.standing import Standing
from actors.oms.waited import Waited
from core.errors import DeskError, InputError, LedgerDown, LedgerFenced, NotLoggedIn, VikalpError
from core.market import parse_symbol
from core.orders.answer import printable
from core.orders.books import Book, cost_of, external, on_day
from core.orders.positions import Holding, market_date
from core.orders.tag import check_tag
from core.ports import Clock
from core.records import Alert, Move, Product

LOOK_NS = 10_000_000_000  # wall; between two looks at what became of a conversion
SETTLED_NS = 10_000_000_000  # market time after a trade, in which a broker's positions may not show it
Key = tuple[str, str]


class Mover:
    """A call raises InputError, or DeskError where it may be asked again; LedgerDown only before anything was done."""

    def __init__(
        self, journal: Journal, standing: Standing, *, broker: BrokerLink, risk: RiskLink, clock: Clock
    ) -> None:
        self._journal, self._standing, self._broker, self._risk, self._clock = journal, standing, broker, risk, clock
        self._looked_ns = 0  # wall
        self._unchanged = Waited(clock)  # by move id: every look found nothing moved
        self._warned: set[str] = set()

    def convert(
        self, symbol: str, product_from: Product, product_to: Product, quantity: int, *, strategy: str, who: str,
        move_id: str,
    ) -> Move:  # fmt: skip
        """Ask for `quantity` units, without a sign, of a strategy's position to be of the other product.

        The move as it stands: done, refused with the broker's words, or asked: then the positions will tell.
        """
        known = self._known(move_id, ("convert", symbol, strategy, product_to))
        if known is not None:
            return known
        self._ready(symbol)
        book = self._whole(strategy, symbol, product_from, quantity)
        signed = quantity if book.quantity > 0 else -quantity
        cost_of(self._journal.books, strategy, symbol, signed, old=product_from, new=product_to)
        theirs = self._broker.positions()
        held = theirs.get((symbol, product_from), 0)
        if held * signed < 0 or abs(held) < quantity:
            raise InputError(f"the account holds {held:+d} {symbol} {product_from}: {signed:+d} cannot be converted")
        beyond = external(self._journal.books, theirs)
        asked = Move(
            move_id=move_id, kind="convert", phase="asked", strategy=strategy, symbol=symbol, index=book.holding.index,
            quantity=signed, product_from=product_from, product=product_to, who=who, at_ns=self._now(),
            beyond_from=beyond.get((symbol, product_from), 0), beyond_to=beyond.get((symbol, product_to), 0),
        )  # fmt: skip
        overnight = _carried(book, quantity)
        if not self._standing.attempt(lambda: _ignore(self._journal.move(asked))):
            raise LedgerDown(f"nothing was converted: {self._standing.stop}")
        answer = self._broker.convert(symbol, product_from, product_to, signed, overnight=overnight)
        if answer.kind == "UNKNOWN":
            words = f"the conversion of {signed:+d} {symbol} has no answer: {printable(answer.message)}; positions tell"
            self._say("warning", asked, words)
        else:
            self._ended(asked, done=answer.kind == "ACK", message=printable(answer.message))
        return self._stands(move_id) or asked

    def adopt(
        self, symbol: str, product: Product, *, strategy: str, who: str, move_id: str, price_paise: int = 0
    ) -> Move:
        """What the account holds of a contract and product beyond this desk is the strategy's from now on.

        At `price_paise` a unit; 0: at the broker's average of it.
        """
        known = self._known(move_id, ("adopt", symbol, strategy, product))
        if known is not None:
            return known
        self._ready(symbol, beside=self._warned)
        contract = parse_symbol(symbol, market_date(self._clock.now_ns()))
        if contract.expiry is None or not strategy:
            raise InputError(f"expected a strategy and an option, was {strategy!r} and {symbol}")
        self._still(symbol, product)
        theirs = self._broker.positions()
        units = external(self._journal.books, theirs).get((symbol, product), 0)
        if not units:
            ours = self._journal.books.nets.get((symbol, product))
            raise InputError(
                f"nothing of {symbol} {product} is external: the account holds {theirs.get((symbol, product), 0):+d}, "
                f"this desk {ours.quantity if ours else 0:+d}"
            )
        value = abs(units) * price_paise or self._value((symbol, product), theirs, units)
        if not value:
            raise InputError(f"what {units:+d} {symbol} {product} have cost is not known: say a price")
        move = Move(
            move_id=move_id, kind="adopt", phase="done", strategy=strategy, symbol=symbol, index=contract.index,
            quantity=units, product_from="", product=product, who=who, at_ns=self._now(), value_paise=value,
        )  # fmt: skip
        if not self._standing.attempt(lambda: _ignore(self._journal.move(move))):
            raise LedgerDown(f"nothing was taken over: {self._standing.stop}")
        self._risk.doubt()  # it reads the ledger
        self._say("info", move, f"{units:+d} {symbol} {product} is {strategy}'s now, at {value / abs(units) / 100:.2f}")
        return self._journal.moves[move_id, "done"]

    def moves(self) -> list[Move]:
        """Every move of the session as it stands, oldest first."""
        latest = {move.move_id: move for move in self._journal.moves.values()}
        return list(latest.values())

    def go_on(self) -> None:
        """What became of conversions without an answer; raises LedgerDown, LedgerFenced and NotLoggedIn."""
        open_ = self._open()
        at_ns = self._clock.wall_ns()
        if not open_ or self._broker.over or 0 <= at_ns - self._looked_ns < LOOK_NS:
            return
        self._looked_ns = at_ns
        try:
            theirs = self._broker.positions()
        except (LedgerDown, LedgerFenced, NotLoggedIn):
            raise
        except VikalpError:
            self._unchanged.clear()
            return  # told where positions are compared
        beyond = external(self._journal.books, theirs)
        for move in open_:
            self._judge(move, beyond)

    def _judge(self, move: Move, beyond: Mapping[Key, int]) -> None:
        moving = any(one.intent.symbol == move.symbol for one in self._journal.live())
        now = beyond.get((move.symbol, move.product_from), 0), beyond.get((move.symbol, move.product), 0)
        if now == (move.beyond_from - move.quantity, move.beyond_to + move.quantity):
            self._ended(move, done=True, message="the positions say so")
            return
        if now != (move.beyond_from, move.beyond_to):
            self._unchanged.forget(move.move_id)
            if not moving:
                words = "neither done nor undone by the account's positions; compare them by hand, then vikalp adopt"
                self._warn(move, words)
            return
        if self._unchanged.more(move.move_id) >= max(LOOK_NS, self._broker.unlisted_ms * 1_000_000):
            self._ended(move, done=False, message="the positions have not changed")

    def _ended(self, asked: Move, *, done: bool, message: str) -> None:
        """Commit what became of it; while the ledger is away it stays asked, and the positions tell later."""
        value = 0
        if done:
            held = self._journal.book(asked.strategy, asked.symbol, _product(asked.product_from))
            average = abs(held.holding.average_paise) if held else 0.0
            try:
                value = cost_of(
                    self._journal.books, asked.strategy, asked.symbol, asked.quantity,
                    old=_product(asked.product_from), new=asked.product,
                )  # fmt: skip
            except InputError:  # traded since then
                value = round(average * abs(asked.quantity))
        after = msgspec.structs.replace(
            asked, phase="done" if done else "refused", at_ns=self._now(), value_paise=value, message=message
        )
        if self._standing.attempt(lambda: _ignore(self._journal.move(after))):
            what = f"{asked.quantity:+d} {asked.symbol} of {asked.strategy}"
            words = f"{what} is {asked.product} now" if done else f"{what} stays {asked.product_from}: {message}"
            self._say("info" if done else "warning", after, words)

    def _ready(self, symbol: str, *, beside: Collection[str] = ()) -> None:
        """DeskError while a conversion of the contract has no answer; those `beside` are a person's by now."""
        self._standing.check()
        if self._standing.stop:
            raise DeskError(f"nothing was moved: {self._standing.stop}")
        waits = next((one for one in self._open() if one.symbol == symbol and one.move_id not in beside), None)
        if waits is not None:
            raise DeskError(f"conversion {waits.move_id} of {symbol} has no answer yet, the positions will tell: wait")

    def _still(self, symbol: str, product: Product) -> None:
        """DeskError while an order may trade, or one has just: the broker's positions may lag behind its trades."""
        if any((one.intent.symbol, one.intent.product) == (symbol, product) for one in self._journal.live()):
            raise DeskError(f"orders of {symbol} {product} live, so what is beyond them is not known: ask again later")
        since_ns = self._clock.now_ns() - SETTLED_NS
        today = self._journal.trades_of(market_date(self._clock.now_ns()))
        if any(fill.symbol == symbol and fill.at_ns > since_ns for fill in today):
            raise DeskError(
                f"{symbol} has traded a moment ago, the account's positions may not show it: ask again later"
            )

    def _whole(self, strategy: str, symbol: str, product: str, quantity: int) -> Book:
        """The strategy's book, if so much of it is not leaving already."""
        book = self._journal.book(strategy, symbol, _product(product))
        held = abs(book.quantity) if book else 0
        going = leaving(self._journal.live(), (strategy, symbol, _product(product)))
        if book is None or not 0 < quantity <= held - going:
            raise InputError(
                f"{strategy} holds {book.quantity if book else 0:+d} {symbol} {product} and {going} are leaving: "
                f"{quantity} units cannot be converted; cancel the exits first"
            )
        return msgspec.structs.replace(book, opening=self._opening(book))

    def _opening(self, book: Book) -> Holding:
        today = on_day(self._journal.books, market_date(self._clock.now_ns()))
        return today.books[book.strategy, book.symbol, book.product].opening

    def _open(self) -> list[Move]:
        moves = self._journal.moves
        asked = [move for (_, phase), move in moves.items() if phase == "asked"]
        return [move for move in asked if not {(move.move_id, "done"), (move.move_id, "refused")} & moves.keys()]

    def _known(self, move_id: str, what: tuple[str, str, str, str]) -> Move | None:
        check_tag(move_id)
        known = self._stands(move_id)
        if known is not None and (known.kind, known.symbol, known.strategy, known.product) != what:
            raise InputError(f"move {move_id} is another one already ({known.kind} of {known.symbol}): give a new id")
        return known

    def _stands(self, move_id: str) -> Move | None:
        found = (self._journal.moves.get((move_id, phase)) for phase in ("done", "refused", "asked"))
        return next((move for move in found if move is not None), None)

    def _value(self, key: Key, theirs: Mapping[Key, int], units: int) -> int:
        """What the external units have cost, by the broker's average of all of them less what ours have."""
        average = self._broker.averages().get(key, 0.0)
        ours = self._journal.books.nets.get((key[0], _product(key[1])))
        rest = average * theirs.get(key, 0) - (ours.holding.open_cost_paise if ours else 0)
        value = round(rest) * (1 if units > 0 else -1)
        return value if value > 0 else round(average * abs(units))

    def _now(self) -> int:
        """Market time, not before the last trade: an exchange's clock may be ahead of the newest quote."""
        today = self._journal.trades_of(market_date(self._clock.now_ns()))
        return max([self._clock.now_ns(), *(fill.at_ns for fill in today)])

    def _warn(self, move: Move, words: str) -> None:
        if move.move_id not in self._warned:
            self._warned.add(move.move_id)
            self._say("alarm", move, f"conversion {move.move_id} of {move.quantity:+d} {move.symbol}: {words}")

    def _say(self, severity: Literal["info", "warning", "alarm"], move: Move, words: str) -> None:
        subject, at_ns = f"positions {move.symbol}", self._clock.wall_ns()
        self._journal.alert(Alert(at_wall_ns=at_ns, severity=severity, subject=subject, message=words))


def _carried(book: Book, quantity: int) -> bool:
    """Whether they are of what was carried in; InputError for some of both, which a broker converts apart."""
    held, sign = abs(book.quantity), 1 if book.quantity > 0 else -1
    carried = min(held, max(0, sign * book.opening.quantity))
    if quantity <= held - carried:
        return False
    if quantity <= carried:
        return True
    raise InputError(
        f"of {book.quantity:+d} {book.symbol} {carried} were carried in and {held - carried} traded today: a broker "
        "converts them apart, ask for one and then for the other"
    )


def _product(name: str) -> Product:
    return "MIS" if name == "MIS" else "NRML"


def _ignore(_: object) -> None:
    """For what returns something that is of no use here."""
