"""A desk's answers about positions that move without a trade, for the command line's and the API's tests."""

from functools import cached_property

from core.errors import InputError
from core.records import Move, Product


class FakeMoves:
    """Every move is done, but those of a `refused` contract; of one id the first stays."""

    refused = ""

    @cached_property
    def moved(self) -> dict[str, Move]:
        return {}

    def convert(  # noqa: PLR0917 as core.ports.Trading has it
        self, symbol: str, product_from: Product, product_to: Product, quantity: int, strategy: str, who: str,
        move_id: str,
    ) -> Move:  # fmt: skip
        if product_from == product_to:
            raise InputError(f"{symbol} is {product_from} already")
        no = symbol == self.refused
        return self.moved.setdefault(
            move_id,
            Move(
                move_id=move_id, kind="convert", phase="refused" if no else "done", strategy=strategy, symbol=symbol,
                index="NIFTY", quantity=quantity, product_from=product_from, product=product_to, who=who, at_ns=1,
                value_paise=0 if no else 100 * quantity, message="Conversion not allowed." if no else "",
            ),
        )  # fmt: skip

    def adopt(  # noqa: PLR0917 as core.ports.Trading has it
        self, symbol: str, product: Product, strategy: str, who: str, move_id: str, price_paise: int
    ) -> Move:  # fmt: skip
        return self.moved.setdefault(
            move_id,
            Move(
                move_id=move_id, kind="adopt", phase="done", strategy=strategy, symbol=symbol, index="NIFTY",
                quantity=65, product_from="", product=product, who=who, at_ns=1, value_paise=65 * (price_paise or 7),
            ),
        )  # fmt: skip

    def moves(self) -> list[Move]:
        return list(self.moved.values())
