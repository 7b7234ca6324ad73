"""SPAN files read and margined. No real file is at hand: these are small ones of the documented structure."""

import zipfile
from pathlib import Path

import numpy as np
import pytest

from core.errors import InputError
from core.risk.margin_portfolio import portfolio_margin
from core.risk.span import SpanModel
from core.risk.span_legs import Leg, expiry_of, sign_of
from storage.readers.spn import read_spn
from tests.fakes_risk import DAY, SPOT, leg, market

SYMBOLS = ("NIFTY26JUL24400CE", "NIFTY26JUL24000PE", "NIFTY26AUG24400CE", "NIFTY26JULFUT", "NIFTY26AUGFUT")
LEGS = [leg(symbol, 1) for symbol in SYMBOLS]
BOOK = [leg(symbol, lots) for symbol, lots in zip(SYMBOLS, (-2, -1, 2, -1, 1), strict=True)]
MODEL = SpanModel(market=market(*SYMBOLS))


def contract(one: Leg, losses: np.ndarray, delta: float, price: float) -> str:
    array = "".join(f"<a>{value!r}</a>" for value in losses.tolist())
    right = {1: "<o>C</o>", -1: "<o>P</o>"}.get(sign_of(one), f"<pe>{expiry_of(one):%Y%m%d}</pe>")
    tag = "opt" if sign_of(one) else "fut"
    strike = f"<k>{one.contract.strike_paise / 100:.2f}</k>" if sign_of(one) else ""
    return (
        f"<{tag}><cId>1</cId>{right}{strike}<p>{price!r}</p><d>0.5</d><ra><r>1</r>{array}<d>{delta!r}</d></ra></{tag}>"
    )


def spn(*, code: str = "NIFTY", method: str = "F", version: str = "4.00", cut: int = 16, minimum: float = 0) -> str:
    """The file of `MODEL`, with an index beside it that nobody asked for."""
    found = MODEL.arrays(LEGS)
    spread = found.spreads["NIFTY"][0]
    rows = [
        contract(one, found.losses[i, :cut], float(found.deltas[i]), float(found.prices[i]))
        for i, one in enumerate(LEGS)
    ]
    series = "".join(
        f"<series><pe>{day:%Y%m%d}</pe><t>0.07</t><v>0.13</v><intrRate><val>0.07</val></intrRate>"
        + "".join(row for row, one in zip(rows, LEGS, strict=True) if sign_of(one) and expiry_of(one) == day)
        + "</series>"
        for day in sorted({expiry_of(one) for one in LEGS})
    )
    futures = "".join(row for row, one in zip(rows, LEGS, strict=True) if not sign_of(one))
    scan = "<scanRate><r>1</r><priceScan>2269.20</priceScan><volScan>0.04</volScan></scanRate>"
    legs = "".join(
        f"<pLeg><cc>{code}</cc><pe>{day:%Y%m%d}</pe><rs>{side}</rs><i>1.000000</i></pLeg>"
        for day, side in ((spread.near, "A"), (spread.far, "B"))
    )
    return f"""<?xml version="1.0" encoding="ISO-8859-1"?>
<spanFile><fileFormat>{version}</fileFormat><created>202606302149</created>
<definitions><currencyDef><currency>INR</currency></currencyDef></definitions>
<pointInTime><date>{DAY:%Y%m%d}</date><isSetl>0</isSetl><clearingOrg><ec>NSCCL</ec>
<ccDef><cc>{code}</cc><somTiers><tier><tn>0</tn><rate><r>1</r><val>{minimum}</val></rate></tier></somTiers>
<dSpread><spread>1</spread><chargeMeth>{method}</chargeMeth><rate><r>1</r><val>{spread.charge!r}</val></rate>{legs}</dSpread>
</ccDef>
<ccDef><cc>RELIANCE</cc><dSpread><chargeMeth>P</chargeMeth></dSpread></ccDef>
<exchange><exch>NSE</exch>
<phyPf><pfId>490</pfId><pfCode>{code}</pfCode><phy><cId>1</cId><pe>00000000</pe><p>{SPOT}</p>{scan}</phy></phyPf>
<phyPf><pfCode>RELIANCE</pfCode><phy><p>n/a</p></phy></phyPf>
<futPf><pfCode>{code}</pfCode>{futures}</futPf>
<oopPf><pfCode>{code}</pfCode><priceModel>BS</priceModel>{series}</oopPf>
<oopPf><pfCode>RELIANCE</pfCode><series><pe>20260730</pe><opt><o>C</o></opt></series></oopPf>
</exchange></clearingOrg></pointInTime></spanFile>""".replace("\n", "\r\n")


def written(folder: Path, text: str, name: str = "nsccl.20260701.i01.spn") -> Path:
    path = folder / name
    path.write_bytes(text.encode("latin-1"))
    return path


def test_a_file_and_the_model_it_was_written_from_give_the_same_margin(tmp_path: Path) -> None:
    file = read_spn(written(tmp_path, spn()), ["NIFTY"])
    ours, theirs = portfolio_margin(BOOK, MODEL), portfolio_margin(BOOK, file)

    assert theirs.terms == ours.terms
    assert ours.terms.calendar_paise > 0
    assert (ours.estimate, theirs.estimate) == (True, False)
    assert (file.on, file.created) == (DAY, "202606302149")


def test_the_arrays_are_taken_as_they_are(tmp_path: Path) -> None:
    file = read_spn(written(tmp_path, spn()), ["NIFTY"])

    assert np.array_equal(file.arrays(LEGS).losses, MODEL.arrays(LEGS).losses)
    assert set(file.indices) == {"NIFTY"}


def test_the_short_option_minimum_of_a_file_counts(tmp_path: Path) -> None:
    far = [leg("NIFTY26JUL24400CE", -1), leg("NIFTY26JULFUT", 1)]
    without = portfolio_margin(far, read_spn(written(tmp_path, spn()), ["NIFTY"])).terms
    with_minimum = portfolio_margin(far, read_spn(written(tmp_path, spn(minimum=9_000)), ["NIFTY"])).terms

    assert with_minimum.span_paise == 9_000 * 65 * 100 - without.nov_paise > without.span_paise


def test_a_zipped_file_and_bses_code_are_read(tmp_path: Path) -> None:
    inner = written(tmp_path, spn(code="BSX"))
    packed = tmp_path / "BSERISK20260701-00.ZIP"
    with zipfile.ZipFile(packed, "w") as archive:
        archive.write(inner, "BSERISK.XML")

    assert set(read_spn(packed, ["SENSEX"]).indices) == {"SENSEX"}


def test_scan_ranges_that_nobody_reads_may_be_missing(tmp_path: Path) -> None:
    """A public parser of NSE's files of 2015 takes scanRate under phy as optional."""
    begin, end = (spn().index(tag) for tag in ("<scanRate>", "</scanRate>"))
    text = spn()[:begin] + spn()[end + len("</scanRate>") :]

    assert (
        portfolio_margin(BOOK, read_spn(written(tmp_path, text), ["NIFTY"])).terms
        == portfolio_margin(BOOK, MODEL).terms
    )


def test_a_contract_the_file_does_not_have_is_refused_by_name(tmp_path: Path) -> None:
    file = read_spn(written(tmp_path, spn()), ["NIFTY"])

    with pytest.raises(InputError, match="NIFTY26JUL20000PE"):
        portfolio_margin([leg("NIFTY26JUL20000PE", -1)], file)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (spn(version="3.00"), "format '3.00'"),
        (spn(method="P"), "method 'P'"),
        (spn(cut=15), "15 scenarios, expected 16"),
        (spn(code="BANKNIFTY"), "no contracts of NIFTY"),
        (spn()[:-40], "no whole XML"),
        (spn().replace(f"<p>{SPOT}</p>", "<p>nan</p>"), "expected a number"),
        (spn().replace("<o>P</o>", "<o>X</o>"), "neither C nor P"),
        (spn().replace(f"<p>{SPOT}</p>", ""), "NIFTY p is not there, expected a number"),
        (spn().replace("</phy>", "</phy><phy><p>1.0</p></phy>", 1), "NIFTY is priced twice"),
        (
            spn().replace("<k>24400.00</k><p>", "<k>24400.00</k><p>-"),
            "2026-07-28 C24400.0 p is '-.*', expected 0 or more",
        ),
        (spn().replace("ISO-8859-1", "foo"), r"is no whole XML file: unknown encoding: foo; fetch"),
        (spn().replace("ISO-8859-1", "gbk"), "no whole XML file: multi-byte encodings"),
        (spn().replace("<pe>20260728</pe>", "<pe>28-JUL</pe>"), "expected YYYYMMDD"),
        ("<html></html>", "expected <spanFile>"),
    ],
)
def test_what_is_no_span_file_is_refused_with_the_place(tmp_path: Path, text: str, words: str) -> None:
    path = written(tmp_path, text)

    with pytest.raises(InputError, match=words) as caught:
        read_spn(path, ["NIFTY"])
    assert path.name in str(caught.value)
    assert "; " in str(caught.value)  # what to do


def test_a_missing_file_and_a_zip_of_two_are_refused(tmp_path: Path) -> None:
    two = tmp_path / "two.zip"
    with zipfile.ZipFile(two, "w") as archive:
        archive.writestr("a.spn", "")
        archive.writestr("b.spn", "")

    broken = tmp_path / "broken.zip"
    whole = two.read_bytes()
    broken.write_bytes(whole[:20] + b"\xff" * 30 + whole[50:])

    with pytest.raises(InputError, match=r"broken\.zip"):
        read_spn(broken, ["NIFTY"])
    with pytest.raises(InputError, match=r"2 \.spn or"):
        read_spn(two, ["NIFTY"])
    with pytest.raises(InputError, match=r"none\.spn"):
        read_spn(tmp_path / "none.spn", ["NIFTY"])
