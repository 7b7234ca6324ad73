"""Small files in the exchanges' own layouts with made-up figures that obey the exchanges' own rules."""

import io
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from storage.readers import (
    Read,
    read_bars,
    read_bse_chain,
    read_cash_flow_days,
    read_cash_flows,
    read_index_closes,
    read_india_vix,
    read_instruments,
    read_market_activity,
    read_nse_chain,
    read_old_bhavcopy,
    read_participant_days,
    read_participants,
    read_udiff,
)
from storage.readers.bhavcopy import UDIFF

KITE = """\
instrument_token,exchange_token,tradingsymbol,name,last_price,expiry,strike,tick_size,lot_size,instrument_type,segment,exchange
9485570,37053,NIFTY25NOVFUT,"NIFTY",0.0,2025-11-25,0.0,0.1,75,FUT,NFO-FUT,NFO
13550594,52932,NIFTY25NOV26050CE,NIFTY,101.5,2025-11-25,26050.0,0.05,75,CE,NFO-OPT,NFO
13550850,52933,NIFTY25NOV26050PE,,0,2025-11-25,26050,0.05,75,PE,NFO-OPT,NFO
408065,1594,INFY,INFOSYS,0,,,0.05,1,EQ,NSE,NSE
""".replace(",INFOSYS,0,,,", ",INFOSYS,0,,0,")

_UDIFF_ROWS = """\
2025-02-27,2025-02-27,FO,NSE,IDO,55705,,NIFTY,,2025-03-27,2025-03-27,22500.00,CE,NIFTY25MAR22500CE,300.00,320.00,280.00,310.00,310.00,305.00,22545.05,310.00,7500,-150,40,68430000.00,30,F1,75,,,,,
2025-02-27,2025-02-27,FO,NSE,IDO,55706,,NIFTY,,2025-02-27,2025-02-27,22500.00,CE,NIFTY25FEB22500CE,40.00,60.00,20.00,45.05,45.05,50.00,22545.05,22545.05,7525,25,10,5636250.00,5,F1,25,,,,,
2025-02-27,2025-02-27,FO,NSE,IDF,54445,,BANKNIFTY,,2025-04-24,2025-04-24,,,BANKNIFTY25APRFUT,49349.90,49589.00,49276.20,49370.25,49300.00,49329.95,48743.80,49370.25,148080,34230,3181,4722324237.00,2253,F1,30,,,,,
2025-02-27,2025-02-27,FO,NSE,STO,83380,,ABC,,2025-03-27,2025-03-27,147.50,PE,ABC25MAR147.5PE,0.00,0.00,0.00,32.70,0.00,32.70,157.65,12.70,0,0,0,0.00,0,F1,2700,,,,,
"""
# BSE's rows have the same columns and the volume in units: 2,940 × (78,000 + about 1,700) is the turnover.
BSE_ROWS = """\
2026-04-30,2026-04-30,FO,BSE,IDO,842625,,SENSEX,,2026-06-25,2026-06-25,78000.00,CE,SENSEX26JUN78000CE,1500.00,1980.00,1500.00,1969.30,1963.40,2300.00,76913.50,1969.30,2320,1860,2940,234318000.00,143,F1,20,,,,,
2026-04-30,2026-04-30,FO,BSE,IDF,842600,,SENSEX,,2026-05-27,2026-05-27,0.00,XX,SENSEX26MAYFUT,76900.00,77000.00,76800.00,76913.50,76913.50,76900.00,76913.50,76950.00,1000,200,500,38456750.00,25,F1,20,,,,,
"""
UDIFF_CSV = ",".join(column.header for column in UDIFF) + "\n" + _UDIFF_ROWS

OLD = """\
INSTRUMENT,SYMBOL,EXPIRY_DT,STRIKE_PR,OPTION_TYP,OPEN,HIGH,LOW,CLOSE,SETTLE_PR,CONTRACTS,VAL_INLAKH,OPEN_INT,CHG_IN_OI,TIMESTAMP,
FUTIDX,BANKNIFTY,28-Mar-2019,0,XX,27900,28100,27850.5,28000.1,28000.1,100,560.5,40000,-400,01-MAR-2019,
OPTIDX,NIFTY,07-Mar-2019,10800,CE,100,120,90,110.35,110.35,200,1635.3,150000,7500,01-MAR-2019,
OPTIDX,NIFTY,01-Mar-2019,10850,PE,10,12,1,5,10863.5,20,162.9,7500,0,01-MAR-2019,
OPTSTK,INFY,28-Mar-2019,740,CE,0,0,0,20.5,20.5,0,0,0,0,01-MAR-2019,
"""

PADDED = """\
INSTRUMENT,SYMBOL    ,EXP_DATE  ,STR_PRICE  ,OPT_TYPE,OPEN_PRICE ,HI_PRICE   ,LO_PRICE   ,CLOSE_PRICE,OPEN_INT*      ,TRD_QTY          ,NO_OF_CONT       ,NO_OF_TRADE      ,NOTION_VAL        ,PR_VAL            
OPTIDX    ,NIFTY     ,25/11/2025,00025000.00,PE      ,00000010.00,00000012.00,00000008.00,00000009.00,000000000074775,              750,               10,              009,       18757500.00,           7500.00
OPTIDX    ,NIFTY     ,25/11/2025,00025000.00,CE      ,00000900.00,00000910.00,00000890.00,00000905.00,000000000000000,               75,                1,              001,        1942500.00,          67500.00
OPTSTK    ,M&M       ,25/11/2025,00003350.00,CE      ,00000040.00,00000050.00,00000030.00,00000045.00,000000000011200,              400,                2,              002,        1356000.00,          16000.00
* - OPEN_INT as available in the trading system at the end of trading hours.
"""  # noqa: W291, E501 padded as the exchange does

LONG = """\
CONTRACT_D,PREVIOUS_S,OPEN_PRICE,HIGH_PRICE,LOW_PRICE,CLOSE_PRIC,SETTLEMENT,NET_CHANGE,OI_NO_CON,TRADED_QUA,TRD_NO_CON,UNDRLNG_ST,NOTIONAL_V,PREMIUM_TR
OPTIDXNIFTY25-NOV-2025CE26000,90.0000000,95.0000000,99.0000000,80.0000000,85.00,85.00,-5.0000000,408.0000000,750.0000000,10.0000000,25959.5000000,19567500.0000000,67500.0000000
OPTSTKM&M25-NOV-2025PE3350,,0.0000000,0.0000000,0.0000000,,40.35,,12.0000000,0.0000000,0.0000000,3690.8000000,0.0000000,0.0000000
OPTSTKADANIENT25-NOV-2025CE2598.2,1.3000000,0.5000000,0.5000000,0.1000000,0.15,0.15,1.1500000,0.0000000,300.0000000,1.0000000,2399.2000000,779490.0000000,30.0000000
"""

_SIDES = (
    "Future Index Long,Future Index Short,Future Stock Long,{}Option Index Call Long,Option Index Put Long,"
    "Option Index Call Short,Option Index Put Short,Option Stock Call Long,Option Stock Put Long,"
    "Option Stock Call Short,Option Stock Put Short,"
)
PARTICIPANT_HEADER = (
    "Client Type," + _SIDES.format("Future Stock Short       ,") + "Total Long Contracts      ,Total Short Contracts\t"
)
PARTICIPANT_ROWS = (
    "Client,100,200,310,40,500,600,700,810,90,100,110,125,1700,1985",
    "DII,50,60,70,300,10,20,0,0,5,6,7,8,161,375",
    "FII,30,10,20,60,400,330,200,150,20,10,15,5,810,440",
    "Pro,120,30,100,100,190,210,200,200,45,34,28,12,699,570",
    "TOTAL,300,300,500,500,1100,1160,1100,1160,160,150,160,150,3370,3370",
)
TITLE = '""Participant wise Open Interest (no. of contracts) in Equity Derivatives as on Nov 17, 2025"",,,,,,,,,,,,,,'
PARTICIPANTS = "\n".join((TITLE, PARTICIPANT_HEADER, *PARTICIPANT_ROWS)) + "\n"
PARTICIPANT_DAYS = (
    "\n".join((
        "date,client_type," + _SIDES.format("Future Stock Short,") + "Total Long Contracts,Total Short Contracts",
        *(f"2015-10-01,{row}" for row in PARTICIPANT_ROWS),
    )) + "\n"
)  # fmt: skip

VIX = """\
Date ,Open ,High ,Low ,Close ,Prev. Close ,Change ,% Change 
02-JAN-2012,27.00,28.50,26.50,27.50,27.11,0.39,1.44
03-JAN-2012,27.50,27.60,26.00,26.20,27.50,-1.30,-4.73
12-FEB-2021,0.0,0.0,0.0,23.25,0.0,23.25,
"""  # noqa: W291 padded as the exchange does

CLOSES = """\
Index Name,Index Date,Open Index Value,High Index Value,Low Index Value,Closing Index Value,Points Change,Change(%),Volume,Turnover (Rs. Cr.),P/E,P/B,Div Yield
Nifty 50,11-11-2025,25617,25715.8,25449.25,25694.95,120.6,.47,297714069,28285.51,22.4,3.51,1.3
India VIX,11-11-2025,12.3,13.005,11.9925,12.49,0.19,-1.54,-,-,-,-,-
Nifty 1D Rate Index,11-11-2025,-,-,-,2494.23,0.36,.01,-,-,-,-,-
"""  # noqa: E501 one line a row

CASH_DAYS = """\
date,category,buy_value,sell_value,net_value
2026-05-19,DII,6951.95,3150.27,3801.68
2026-05-19,FII/FPI,7907.55,10365.04,-2457.49
"""

CASH: list[dict[str, Any]] = [
    {"category": "DII **", "date": "07-Sep-2026", "buyValue": "3154.13", "sellValue": "2587.37", "netValue": "566.76"},
    {"category": "FII/FPI *", "date": "07-Sep-2026", "buyValue": "10.10", "sellValue": "20.20", "netValue": "-10.10"},
]  # fmt: skip


def nse_leg(kind: str, strike: int, **changes: Any) -> dict[str, Any]:
    return {
        "strikePrice": strike, "expiryDate": "25-May-2023", "underlying": "BANKNIFTY",
        "identifier": f"OPTIDXBANKNIFTY25-05-2023{kind}{strike}.00", "openInterest": 1.6, "changeinOpenInterest": -0.4,
        "totalTradedVolume": 10, "impliedVolatility": 15.5, "lastPrice": 120.05, "change": -3.299999999999997,
        "bidQty": 75, "bidprice": 119.5, "askQty": 25, "askPrice": 120.5, "underlyingValue": 43312.7, **changes,
    }  # fmt: skip


def nse_chain() -> dict[str, Any]:
    both = {"strikePrice": 43000, "expiryDate": "25-May-2023"}
    one = {"strikePrice": 43100, "expiryDate": "25-May-2023"}
    data = [
        both | {"CE": nse_leg("CE", 43000), "PE": nse_leg("PE", 43000, impliedVolatility=0)},
        one | {"PE": nse_leg("PE", 43100)},
    ]
    return {"records": {"timestamp": "03-May-2023 15:30:00", "underlyingValue": 43312.7, "data": data}}


def nse_chain_v3() -> dict[str, Any]:
    """The page since 2025: one expiry, other names, a leg's expiry in digits; quantities in units, the rest in lots."""
    quotes = {"bidprice": "buyPrice1", "bidQty": "buyQuantity1", "askPrice": "sellPrice1", "askQty": "sellQuantity1"}
    chain = nse_chain()
    for entry in chain["records"]["data"]:
        entry["expiryDates"] = entry.pop("expiryDate")
        for side in {"CE", "PE"} & entry.keys():
            leg = {quotes.get(name, name): value for name, value in entry[side].items()}
            entry[side] = leg | {"expiryDate": "25-05-2023", "optionType": side}
    return chain


def bse_entry(strike: int, **changes: str) -> dict[str, str]:
    return {
        "C_Open_Interest": "4,162", "C_Absolute_Change_OI": "-3", "C_Last_Trd_Price": "1886.20", "C_NetChange": "-0.55",
        "C_Vol_Traded": "128", "C_BIdQty": "", "C_BidPrice": "", "C_OfferPrice": "", "C_OfferQty": "",
        "BIdQty": "20", "BidPrice": "66.55", "OfferPrice": "66.60", "OfferQty": "40", "Vol_Traded": "74637",
        "Last_Trd_Price": "66.60", "NetChange": "-181.75", "Absolute_Change_OI": "0", "Open_Interest": "4747",
        "End_TimeStamp": "16 Jul 2026", "comapny_name": "SENSEX              ", "UlaValue": "77569.39",
        "Strike_Price1": f"{strike}.00", "IV": "14.653177310998399818231519", "C_IV": "0.000000", **changes,
    }  # fmt: skip


def bse_chain() -> dict[str, Any]:
    quiet = dict.fromkeys(("C_Open_Interest", "C_Vol_Traded", "C_Last_Trd_Price", "C_NetChange", "C_IV"), "")
    return {
        "Table": [bse_entry(75800), bse_entry(75900, **quiet)],
        "ASON": {"DT_TM": "10 Jul 2026 | 19:15 "},
        "tot_C_Open_Interest": "4,162.00", "tot_Open_Interest": "9,494.00", "tot_C_Vol_Traded": "128.00",
        "tot_Vol_Traded": "1,49,274.00",
    }  # fmt: skip


def bars_table() -> pa.Table:
    minutes = [f"2026-03-04 09:{minute}:00" for minute in (15, 16, 17)]
    prices = {"open": [100.0, 101.0, 102.5], "high": [102.0, 103.0, 103.0], "low": [99.5, 100.0, 101.0]}
    return pa.table({"ts": minutes, **prices, "close": [101.0, 102.5, 101.0], "volume": [0, 0, 0]})


def parquet(table: pa.Table) -> bytes:
    out = io.BytesIO()
    pq.write_table(table, out)
    return out.getvalue()


SHEET: list[list[str]] = [
    ["FII DERIVATIVES STATISTICS FOR 17-Nov-2025", *[""] * 6],
    ["", "BUY", "BUY", "SELL", "SELL", "OPEN INTEREST AT THE END OF THE DAY", ""],
    ["", *["No. of contracts", "Amt in Crores"] * 3],
    ["INDEX FUTURES", "30", "6.01", "40", "8.00", "100", "20.00"],
    ["BANKNIFTY FUTURES", "10", "2.00", "15", "3.00", "40", "8.00"],
    ["NIFTY FUTURES", "20", "4.00", "25", "5.00", "60", "12.00"],
    [""] * 7,
    ["INDEX OPTIONS", "300", "60.00", "400", "80.00", "1000", "200.00"],
    ["NIFTY OPTIONS", "300", "60.00", "400", "80.00", "1000", "200.00"],
    [""] * 7,
    ["STOCK FUTURES", "1", "0.50", "2", "1.00", "3", "1.50"],
    ["STOCK OPTIONS", "1", "0.50", "2", "1.00", "3", "1.50"],
    ["Notes:", *[""] * 6],
    ["Options Value (Buy/Sell) = Strike price * Qty", *[""] * 6],
]


@dataclass(frozen=True)
class Sample:
    """A text file, its reader, where its header is, and whether a row less can be told from the whole."""

    read: Callable[..., Read]
    name: str
    text: str
    header: int = 1
    counted: bool = False
    footer: int = 0

    def write(self, folder: Path, content: bytes | str | None = None) -> Path:
        path = folder / self.name
        found = self.text if content is None else content
        path.write_bytes(found.encode() if isinstance(found, str) else found)
        return path

    def body(self) -> list[str]:
        """The lines under the header, without a closing note."""
        lines = self.text.splitlines()[self.header :]
        return lines[: len(lines) - self.footer]


CSV = {
    "instruments": Sample(read_instruments, "instruments.csv", KITE),
    "udiff": Sample(read_udiff, "BhavCopy_NSE_FO_0_0_0_20250227_F_0000.csv", UDIFF_CSV),
    "old_bhavcopy": Sample(read_old_bhavcopy, "fo01MAR2019bhav.csv", OLD),
    "market_activity": Sample(read_market_activity, "op14112025.csv", PADDED, counted=True, footer=1),
    "market_activity_long": Sample(read_market_activity, "op241125.csv", LONG),
    "participants": Sample(read_participants, "fao_participant_oi_17112025.csv", PARTICIPANTS, header=2, counted=True),
    "participant_days": Sample(partial(read_participant_days, measure="oi"), "participants.csv", PARTICIPANT_DAYS),
    "india_vix": Sample(read_india_vix, "vix.csv", VIX),
    "index_closes": Sample(read_index_closes, "ind_close_all_11112025.csv", CLOSES),
    "cash_days": Sample(read_cash_flow_days, "cash.csv", CASH_DAYS),
}
JSON: dict[str, tuple[Callable[..., Read], Callable[[], Any]]] = {
    "nse_chain": (read_nse_chain, nse_chain),
    "nse_chain_v3": (read_nse_chain, nse_chain_v3),
    "bse_chain": (read_bse_chain, bse_chain),
    "cash": (read_cash_flows, lambda: [dict(entry) for entry in CASH]),
}
BARS: Callable[..., Read] = partial(read_bars, symbol="NIFTY", seconds=60)


def some(row: dict[str, Any], **expected: Any) -> None:
    """`row` holds what is expected."""
    assert {name: row[name] for name in expected} == expected
