"""What the page shows, as flat dictionaries of element id → text and element id → class, so that a diff is one loop.

Nothing here knows NiceGUI. All figures come from one snapshot of the store and one of the poll.
"""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from core.market import tick_paise
from core.schemas import Kind
from gateway import charts
from gateway.context import Context
from gateway.format import (
    COLUMNS,
    DASH,
    FIGURES,
    SETTLED,
    Row,
    cached,
    change_of,
    missing,
    oi_change,
    price,
    provenance,
    seconds,
    signed_price,
    strike,
    time_left,
    what_passes,
)
from gateway.store import Kept

TAKE_ATTENTION_S = 2.0  # a chain older than this is amber, a cached one red


@dataclass
class Shown:
    """Ids and what they hold."""

    texts: dict[str, str] = field(default_factory=dict)
    classes: dict[str, str] = field(default_factory=dict)


def sign(value: float | None) -> str:
    return "" if value is None or missing(value) or value == 0 else "up" if value > 0 else "down"


def strip(context: Context, shown: Shown) -> None:
    """The five indices: level, change, and the age of their data; of a cached one that word and no change in points."""
    for index in context.store.indices:
        kept = context.store.latest(index)
        name = f"strip-{index}"
        if kept is None:
            shown.texts |= {f"{name}-spot": DASH, f"{name}-change": DASH, f"{name}-age": "no data"}
            shown.classes |= {f"{name}-age": "age bad", f"{name}-change": "chg"}
            continue
        near, age, is_cached = kept.expiries[0], context.silent_ns(kept), context.cached(kept)
        change, percent = change_of(near, "spot_paise", "spot_prev_close_paise"), FIGURES["change_percent"][1](near)
        found = context.provenance(kept)
        shown.texts |= {
            f"{name}-spot": price(near["spot_paise"]),
            f"{name}-change": percent if is_cached else f"{signed_price(change)}  {percent}",
            f"{name}-age": cached(found) if is_cached and found else seconds(age),
        }
        level = "bad" if is_cached else "slow" if age > TAKE_ATTENTION_S * 1e9 else "good"
        shown.classes |= {f"{name}-age": f"age {level}", f"{name}-change": f"chg {sign(change)}"}


def banner(context: Context, kept: Kept, shown: Shown) -> None:
    """What the chain on screen is; a cached one is greyed, with what it means for an order."""
    found, is_cached = context.provenance(kept), context.cached(kept)
    status = context.poll.view.status
    means = f": {what_passes(status.oms_state if status else 'UNREACHABLE')}" if is_cached else ""
    shown.texts["provenance"] = provenance(found) + means
    shown.classes["provenance"] = f"is-{'cached' if is_cached else found.kind if found else 'unknown'}"
    shown.classes["chain-box"] = "stale" if is_cached else ""


def pairs(kept: Kept, expiry: dt.date) -> Sequence[tuple[int, Row | None, Row | None]]:
    """(strike, call, put) of an expiry, lowest strike first."""
    sides: dict[int, dict[int, Row]] = {}
    for row in kept.contracts:
        if row["expiry"] == expiry and row["kind"] in (Kind.CALL, Kind.PUT):
            sides.setdefault(row["strike_paise"], {})[row["kind"]] = row
    return [(level, side.get(Kind.CALL), side.get(Kind.PUT)) for level, side in sorted(sides.items())]


def layout(kept: Kept, expiry: dt.date) -> dict[str, Any]:
    """What of the page must be built anew when it changes: the rows of the table and the expiry tabs."""
    return {
        "index": kept.index,
        "tick": tick_paise(kept.index),
        "expiry": expiry.isoformat(),
        "expiries": [[row["expiry"].isoformat(), row["expiry"].strftime("%d %b").upper()] for row in kept.expiries],
        "rows": [
            [level, strike(level), call and call["symbol"], put and put["symbol"]]
            for level, call, put in pairs(kept, expiry)
        ],
    }


def chain(kept: Kept, expiry: dt.date) -> Shown:
    """Every cell and figure of one chain and expiry."""
    head = kept.expiry(expiry)
    shown = Shown()
    shown.texts["chain-sequence"] = str(kept.sequence)
    shown.texts["chain-index"] = kept.index
    shown.texts["chain-expiry"] = expiry.isoformat()
    for name, (_, text) in FIGURES.items():
        shown.texts[f"figure-{name}"] = text(head)
    moved = sign(change_of(head, "spot_paise", "spot_prev_close_paise"))
    shown.classes |= {"figure-change": moved, "figure-change_percent": moved}
    shown.classes["figure-sentiment"] = sign(head["sentiment"])
    for row in kept.expiries:
        day = row["expiry"].isoformat()
        shown.texts[f"expiry-{day}-left"] = f"{time_left(row['years'])} · lot {row['lot']}"
        shown.classes[f"expiry-{day}"] = "tab on" if row["expiry"] == expiry else "tab"
    for level, call, put in pairs(kept, expiry):
        _row(shown, head, level, call, put)
    return shown


def _row(shown: Shown, head: Row, level: int, call: Row | None, put: Row | None) -> None:
    spot = head["spot_paise"]
    itm = "" if not spot else "call-itm" if level < spot else "put-itm" if level > spot else ""
    atm = " atm" if level == head["atm_forward_paise"] else ""
    shown.classes[f"row-{level}"] = itm + atm
    for row in (call, put):
        if row is None:
            continue
        name = f"cell-{row['symbol']}"
        for column, (_, text) in COLUMNS.items():
            shown.texts[f"{name}-{column}"] = text(row)
        change = change_of(row, "last_paise", "prev_close_paise")
        shown.classes[f"{name}-change"] = f"c-change {sign(change)}"
        shown.classes[f"{name}-oi_change"] = f"c-oi_change {sign(oi_change(row))}"


def smile(kept: Kept, expiry: dt.date) -> dict[str, Any]:
    """ECharts series of the vols by strike, %, and the forward; only legs whose vol says something.

    In the money a vol is made of a spread of a few rupees on a price that is all intrinsic value, so each strike shows
    its side out of the money, and both sides within one strike of the money; a leg without both quotes shows none.
    Once it is settled an expiry has no vols and no forward, and the title says so.
    """
    head, rows = kept.expiry(expiry), pairs(kept, expiry)
    if head["years"] <= 0:
        title = {"text": f"{charts.SMILE_TITLE}: {SETTLED}"}
        return {"title": title, "series": [{"data": [], "markLine": {"data": []}}, {"data": []}]}
    middle = next((at for at, (level, _, _) in enumerate(rows) if level == head["atm_forward_paise"]), None)
    calls = [] if middle is None else _vols((level, call) for level, call, _ in rows[max(middle - 1, 0) :])
    puts = [] if middle is None else _vols((level, put) for level, _, put in rows[: middle + 2])
    at = [] if missing(head["forward"]) else [{"xAxis": head["forward"]}]
    title = {"text": charts.SMILE_TITLE}
    return {"title": title, "series": [{"data": calls, "markLine": {"data": at}}, {"data": puts}]}


def _vols(legs: Iterable[tuple[int, Row | None]]) -> list[list[float]]:
    return [
        [level / 100, round(row["iv"] * 100, 3)]
        for level, row in legs
        if row is not None and row["bid_paise"] > 0 and row["ask_paise"] > 0 and not missing(row["iv"])
    ]


def open_interest(kept: Kept, expiry: dt.date) -> dict[str, Any]:
    """ECharts series of open interest in lakh units by strike."""
    rows = pairs(kept, expiry)
    sides = [
        [round(row["oi"] / 1e5, 3) if row else 0 for row in side] for side in zip(*(r[1:] for r in rows), strict=True)
    ]
    labels = [strike(level).replace(",", "") for level, _, _ in rows]
    return {"xAxis": {"data": labels}, "series": [{"data": side} for side in sides]}


def changed(old: Mapping[str, str], new: Mapping[str, str]) -> dict[str, str]:
    """What of `new` is not in `old`."""
    return {key: value for key, value in new.items() if old.get(key) != value}
