"""Expiries, lots, freeze quantities, ticks and symbols against every contract in the exchange's files at hand."""

import csv
import datetime as dt
import re
from collections import Counter, defaultdict
from statistics import median

import pytest

from core.errors import UnknownName
from core.market import (
    CONTRACT_INDICES,
    expiries,
    freeze,
    future_symbol,
    future_tick_paise,
    lot,
    nse_identifier,
    option_symbol,
    parse_identifier,
    parse_symbol,
    session,
    tick_paise,
)
from core.market.lots import TABLE
from core.schemas import Kind
from tests.unit.market_data import DUMPS, data, futures, listed, rows, udiff

D = dt.date


def test_every_expiry_of_every_file_is_listed_on_its_day() -> None:
    seen: Counter[str] = Counter()
    asked = set(listed())
    for source, index, on, expiry in asked:
        assert expiry in expiries(index, on), (source, index, on, expiry)
        seen[source] += 1

    assert seen["bhavcopies"] > 23_000
    assert set(seen) == {"bhavcopies", "UDiFF", *DUMPS, "chains of 2019", "chain of 2023", "chain of 2025"}
    assert sum(seen.values()) > 25_000
    assert {index for _, index, _, _ in asked} == set(CONTRACT_INDICES)


def test_every_contract_that_expired_in_the_bhavcopies_was_the_next_to_expire_that_day() -> None:
    for future in futures():
        if future.on == future.expiry:
            assert expiries(future.index, future.on)[0] == future.expiry
            assert session("NSE", future.expiry) is not None


def test_implied_lots_agree_for_every_contract_of_2019_and_later() -> None:
    """A day's implied lot is value / contracts / close: the average price is not the close, so single days scatter."""
    implied: dict[tuple[str, D, int], list[float]] = defaultdict(list)
    scattered = []
    for future in futures():
        units = lot(future.index, future.expiry, future.on)
        assert future.stated_lot in {0, units}, future
        if future.implied_lot:
            implied[future.index, future.expiry, units].append(future.implied_lot)
            if abs(future.implied_lot / units - 1) > 0.05:
                scattered.append(future)

    assert len(implied) > 420
    for (index, expiry, units), found in implied.items():
        # One or two days of a future far from the money of trading may lie a little off; the median may not.
        assert abs(median(found) / units - 1) < (0.005 if len(found) > 5 else 0.03), (index, expiry, units, found)
    # Three days of one or two contracts, traded 5 to 10 % away from a close nobody traded at.
    assert {(f.index, str(f.on), f.contracts) for f in scattered} == {
        ("MIDCPNIFTY", "2022-05-06", 2), ("MIDCPNIFTY", "2022-07-05", 2), ("MIDCPNIFTY", "2022-07-22", 1)
    }  # fmt: skip


def test_no_other_lot_of_the_index_is_nearer_to_what_a_day_implies() -> None:
    known = {index: {row.lot for row in lots} for index, lots in TABLE.items()}
    for future in futures():
        if future.implied_lot:
            nearest = min(known[future.index], key=lambda units: abs(units - future.implied_lot))
            assert nearest == lot(future.index, future.expiry, future.on), future


@pytest.mark.parametrize("name", DUMPS)
def test_every_row_of_a_dump_goes_round_with_its_expiry_lot_and_tick(name: str) -> None:
    on, seen, refused = DUMPS[name], 0, 0
    for row in rows(f"instruments/{name}.csv.gz"):
        if row["name"] not in CONTRACT_INDICES:
            with pytest.raises(UnknownName, match="settled by delivery"):
                parse_symbol(row["tradingsymbol"], on)
            refused += 1
            continue
        contract, expiry = parse_symbol(row["tradingsymbol"], on), D.fromisoformat(row["expiry"])
        assert (contract.index, contract.expiry) == (row["name"], expiry)
        assert contract.strike_paise == round(float(row["strike"]) * 100)
        assert lot(contract.index, expiry, on) == int(row["lot_size"]), row
        tick = (future_tick_paise if contract.kind == Kind.FUTURE else tick_paise)(contract.index)
        assert tick == round(float(row["tick_size"]) * 100)
        assert written(contract.index, expiry, contract.kind, contract.strike_paise, on) == row["tradingsymbol"]
        assert parse_identifier(nse_identifier(contract), on) == contract
        seen += 1

    assert seen > 4_000
    assert refused > 300


def test_every_name_of_the_udiff_files_goes_round_with_its_expiry_and_lot() -> None:
    for row in udiff():
        on, expiry = D.fromisoformat(str(row["TradDt"])), D.fromisoformat(str(row["XpryDt"]))
        contract = parse_symbol(str(row["FinInstrmNm"]), on)
        strike = round(float(str(row["StrkPric"] or 0)) * 100)
        assert (contract.index, contract.expiry, contract.strike_paise) == (row["TckrSymb"], expiry, strike)
        assert (contract.kind == Kind.FUTURE) == (row["FinInstrmTp"] == "IDF")
        assert lot(contract.index, expiry, on) == row["NewBrdLotQty"], row
        assert written(contract.index, expiry, contract.kind, strike, on) == row["FinInstrmNm"]

    assert len(udiff()) > 105_000


def test_every_identifier_of_a_real_option_chain_goes_round() -> None:
    text = data("option_chain/raw/nse_banknifty_2023-05-03.json").read_text()
    found = set(re.findall(r'"identifier": ?"([^"]+)"', text))

    assert len(found) > 1000
    assert [name for name in found if nse_identifier(parse_identifier(name)) != name] == []


def test_freeze_quantities_are_those_of_the_exchange_s_file() -> None:
    with data("nse_raw/qtyfreeze_2025-12.csv").open() as lines:
        found = {row["SYMBOL    "].strip(): int(row["VOL_FRZ_QTY    "]) for row in csv.DictReader(lines)}

    indices = {"NIFTY", "BANKNIFTY", "FINNIFTY", "MIDCPNIFTY", "NIFTYNXT50"}
    assert {index: freeze(index, D(2025, 12, 15)) for index in indices} == {index: found[index] for index in indices}


def test_lots_are_those_of_the_exchange_s_file() -> None:
    names = {"NIFTY NEXT 50": "NIFTYNXT50"}
    with data("nse_raw/fo_mktlots_2025-10.csv").open() as lines:
        table = {names.get(row["Symbol"], row["Symbol"]): int(row["Lot Size"]) for row in csv.DictReader(lines)}
    found = {index: units for index, units in table.items() if index in CONTRACT_INDICES}

    assert len(found) == 5
    assert {index: lot(index, D(2025, 10, 28), D(2025, 10, 7)) for index in found} == found


def written(index: str, expiry: D, kind: Kind, strike_paise: int, on: D) -> str:
    if kind == Kind.FUTURE:
        return future_symbol(index, expiry, on)
    return option_symbol(index, expiry, kind, strike_paise, on)
