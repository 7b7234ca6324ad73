"""The vols that NSE publishes, reproduced under NSE's own convention from its own file."""

import datetime as dt
import json
from pathlib import Path

import numpy as np
import pytest

from core.pricing import Reason, nse_implied_vol

FILE = Path(__file__).parents[3] / "shared/data/market/option_chain/raw/nse_banknifty_2023-05-03.json"
IST = dt.timezone(dt.timedelta(hours=5, minutes=30))


@pytest.mark.skipif(not FILE.exists(), reason=f"{FILE} is not on this machine")
def test_banknifty_of_3_may_2023_comes_out_within_a_tenth_of_a_vol_point() -> None:
    records = json.loads(FILE.read_text())["records"]
    now = dt.datetime.strptime(records["timestamp"], "%d-%b-%Y %H:%M:%S").replace(tzinfo=IST)
    rows = []
    for entry in records["data"]:
        expiry = dt.datetime.strptime(entry["expiryDate"] + " 15:30", "%d-%b-%Y %H:%M").replace(tzinfo=IST)
        years = (expiry - now).total_seconds() / (365 * 86_400)
        for kind, leg in ((1, entry.get("CE")), (-1, entry.get("PE"))):
            if leg and leg["impliedVolatility"] > 0 and leg["totalTradedVolume"] > 0 and years <= 30 / 365:
                spot, strike = leg["underlyingValue"], leg["strikePrice"]
                if abs(strike / spot - 1) <= 0.04:
                    rows.append((kind, leg["lastPrice"], spot, strike, years, leg["impliedVolatility"]))
    kind, last, spot, strike, years, published = np.array(rows).T
    found = nse_implied_vol(kind, last, spot, strike, years)
    miss = np.abs(found.vol * 100 - published)[found.reason == Reason.OK]

    print(f"n {miss.size} of {len(rows)}, median {np.median(miss):.4f}, p95 {np.quantile(miss, 0.95):.3f}")
    assert miss.size > 100
    assert np.median(miss) <= 0.1
