"""What the broker makes of Kite's positions: net units by contract and product, or no answer at all."""

from typing import Any

import pytest

from brokers.kite.broker import KiteBroker, KiteConfig
from core.errors import BrokerDown
from tests.unit.kite.fuzz_bodies import Reply, success
from tests.unit.kite.fuzz_seeds import SYMBOL
from tests.unit.kite.fuzz_server import Server

ROW: dict[str, Any] = {"tradingsymbol": SYMBOL, "exchange": "NFO", "product": "NRML", "quantity": 130}


def positions(reply: Reply) -> dict[tuple[str, str], int]:
    with Server(lambda *_: reply) as server:
        return dict(KiteBroker(KiteConfig(api_key="key", root=server.root), lambda: "T" * 32).positions())


def net(*rows: dict[str, Any]) -> Reply:
    return success({"net": list(rows), "day": [ROW | {"quantity": 1}]})


def test_net_units_are_signed_and_told_by_contract_and_product() -> None:
    found = positions(net(ROW, ROW | {"product": "MIS", "quantity": -65}))

    assert found == {(SYMBOL, "NRML"): 130, (SYMBOL, "MIS"): -65}


def test_an_account_without_positions_holds_nothing() -> None:
    assert positions(net()) == {}


@pytest.mark.parametrize(
    "other",
    [{"tradingsymbol": "INFY", "exchange": "NSE"}, {"tradingsymbol": "CRUDEOIL26NOVFUT", "exchange": "MCX"},
     {"tradingsymbol": "RELIANCE26NOV1400CE"}],
    ids=["a share", "a commodity", "an option of a share"],
)  # fmt: skip
def test_what_is_no_contract_of_our_indices_is_left_out(other: dict[str, Any]) -> None:
    assert positions(net(ROW | other, ROW)) == {(SYMBOL, "NRML"): 130}


@pytest.mark.parametrize(
    "broken",
    [{"quantity": None}, {"quantity": "65"}, {"quantity": 65.5}, {"quantity": True}, {"quantity": -1e300},
     {"product": None}, {"tradingsymbol": 7}],
    ids=str,
)  # fmt: skip
def test_a_row_that_cannot_be_read_is_no_answer(broken: dict[str, Any]) -> None:
    with pytest.raises(BrokerDown, match="row cannot be read"):
        positions(net(ROW | broken))


@pytest.mark.parametrize("said", [[], {}, {"day": []}, {"net": None}, {"net": {}}], ids=str)
def test_an_answer_without_a_list_of_net_is_no_answer(said: object) -> None:
    with pytest.raises(BrokerDown, match="positions cannot be read: they are no list"):
        positions(success(said))
