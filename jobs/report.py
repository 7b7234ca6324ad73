"""What a backtest writes: tables, summary.json and the equity curve. Each file is written aside, then renamed."""

import json
from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import matplotlib as mpl
import msgspec
import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq

from core.backtest.day import BacktestConfig
from core.backtest.merge import Merged
from core.backtest.records import NOTE, DayData, Equity, Missing, Refused, Trade
from core.market import from_ns
from core.rupees import number, rupees, whole_rupees
from jobs.recorded import open_equals_close

mpl.use("Agg")
from matplotlib import pyplot as plt

_TABLES = {"trades": Trade, "refused": Refused, "missing": Missing, "equity": Equity}
_FILES = {"trades": "trades", "refused": "refusals", "missing": "no_data", "equity": "equity"}


def write_report(
    out: Path, strategy: str, index: str, *, config: BacktestConfig, days: Sequence[DayData], merged: Merged
) -> None:
    """Write everything under `out`; raises OSError where it cannot be written."""
    out.mkdir(parents=True, exist_ok=True)
    for name, record in _TABLES.items():
        table = table_of(record, [row for result in merged.results for row in getattr(result, name)])
        _aside(
            out / f"{_FILES[name]}.parquet", lambda path, table=table: pq.write_table(table, path, compression="zstd")
        )
        _aside(out / f"{_FILES[name]}.csv", lambda path, table=table: pc.write_csv(table, path))
    facts = summary(strategy, index, config=config, days=days, merged=merged)
    text = json.dumps(facts, indent=2, ensure_ascii=False) + "\n"
    _aside(out / "summary.json", lambda path: path.write_text(text, encoding="utf-8"))
    _aside(out / "equity.png", lambda path: _plot(path, f"{strategy} on {index}", config, merged, str(facts["note"])))


def summary(
    strategy: str, index: str, *, config: BacktestConfig, days: Sequence[DayData], merged: Merged
) -> dict[str, object]:
    """Figures of the run and of each day; rupees as text, so that no digit is lost."""
    return {
        "strategy": strategy,
        "index": index,
        "settings": config.model_dump(mode="json"),
        "net": str(merged.net),
        "gross": str(sum((t.gross for r in merged.results for t in r.trades), Decimal(0))),
        "charges": str(sum((t.charges for r in merged.results for t in r.trades), Decimal(0))),
        "days": [
            {
                "day": str(result.day),
                "net": str(result.net),
                "net_rounded": f"{result.net:.2f}",
                "trades": len(result.trades),
                "stops": sum(trade.reason == "stop" for trade in result.trades),
                "refusals": len(result.refused),
                "signals_without_data": sum(row.signal_ns > 0 for row in result.missing),
                "no_data": next((row.why for row in result.missing if row.signal_ns == 0), ""),
            }
            for result in merged.results
        ],
        "open_equals_previous_close": round(open_equals_close(days), 6),
        "note": NOTE.format(share=open_equals_close(days)),
        "sha256": merged.sha256,
    }


def table_of(record: type[msgspec.Struct], rows: Sequence[msgspec.Struct]) -> pa.Table:
    """Rows of one record as a table; rupees keep every digit."""
    # Charges have up to eleven decimals: two of a turnover, seven of a rate, two of the GST on it.
    types = {"day": pa.date32(), **dict.fromkeys(("net", "gross", "charges"), pa.decimal128(38, 12))}
    columns = {}
    for field in msgspec.structs.fields(record):
        kind = types.get(field.name) or {int: pa.int64(), float: pa.float64(), str: pa.string()}[field.type]
        columns[field.name] = pa.array([getattr(row, field.name) for row in rows], kind)
    return pa.table(columns)


def _aside(path: Path, write: Callable[[Path], Any]) -> None:
    part = path.with_name(f".{path.name}.part")
    write(part)
    part.replace(path)


def _plot(path: Path, title: str, config: BacktestConfig, merged: Merged, note: str) -> None:
    figure, axis = plt.subplots(figsize=(10, 5.6))
    net = Decimal(0)
    points: list[float] = []
    edges: list[int] = []
    for result in merged.results:
        edges.append(len(points))
        points += [float(net + row.net) for row in result.equity]
        net += result.net
    axis.plot(points, linewidth=1.4, color="#1f5fa8")
    axis.axhline(0, color="#888888", linewidth=0.8)
    for edge in edges[1:]:
        axis.axvline(edge, color="#cccccc", linewidth=0.8)
    labels = [f"{result.day:%d %b}\n{number(result.net, least=2, most=2)}" for result in merged.results]
    axis.set_xticks([edge + 2 for edge in edges], labels, ha="left")
    axis.set_ylabel("result after charges, ₹ (open position at its close)")
    axis.set_title(heading(title, config, merged), fontsize=11)
    figure.text(0.01, 0.01, _footnote(merged, note), fontsize=8, color="#444444", va="bottom")
    figure.tight_layout(rect=(0, 0.09, 1, 1))
    figure.savefig(path, dpi=110, format="png")
    plt.close(figure)


def heading(title: str, config: BacktestConfig, merged: Merged) -> str:
    """Two lines over the curve: what came of it, and how it was traded."""
    capital = f"capital {whole_rupees(config.capital_paise / 100)} a day"
    expiry = f"on an expiry day: {config.expiry}; slippage {config.slippage_pct:g} %; {capital}"
    return f"{title}: net {rupees(merged.net * 100)} over {len(merged.results)} days\n{expiry}"


def _footnote(merged: Merged, note: str) -> str:
    missing = sum(row.signal_ns > 0 for result in merged.results for row in result.missing)
    half = note.find(" bars: ") + len(" bars: ")
    at = [f"{from_ns(r.equity[0].at_ns):%Y}" for r in merged.results if r.equity][:1]
    last = f"{missing} signals had no data and were not traded. Days of {''.join(at)}."
    return f"{note[:half].rstrip()}\n{note[half:]}\n{last}"
