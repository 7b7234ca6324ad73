"""How the two charts look; their data comes with the push. ECharts options, drawn by the copy NiceGUI bundles."""

from typing import Any

CALL, PUT, ACCENT, FAINT, TEXT = "#5b9cf5", "#d9a441", "#f5c542", "#1f2937", "#8b98a9"


def _axis(**more: Any) -> dict[str, Any]:
    return {
        "axisLabel": {"color": TEXT, "fontSize": 10},
        "axisLine": {"lineStyle": {"color": "#334155"}},
        "splitLine": {"lineStyle": {"color": FAINT}},
        "axisTick": {"show": False},
        **more,
    }


def _chart(title: str, x: dict[str, Any], y: dict[str, Any], series: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "animation": False,
        "title": {"text": title, "left": 8, "top": 4, "textStyle": {"color": "#cbd5e1", "fontSize": 11}},
        "legend": {
            "right": 8,
            "top": 2,
            "itemWidth": 10,
            "itemHeight": 6,
            "textStyle": {"color": TEXT, "fontSize": 10},
        },
        "grid": {"left": 38, "right": 12, "top": 28, "bottom": 20},
        "tooltip": {"trigger": "axis", "backgroundColor": "#111827", "textStyle": {"color": "#e5e7eb", "fontSize": 11}},
        "xAxis": x,
        "yAxis": y,
        "series": series,
    }


def _vols(name: str, colour: str, *, mark: bool) -> dict[str, Any]:
    line = {"symbol": "none", "label": {"show": False}, "lineStyle": {"color": ACCENT, "type": "dashed"}, "data": []}
    return {
        "name": name,
        "type": "line",
        "data": [],
        "symbolSize": 3,
        "lineStyle": {"width": 1.2},
        "itemStyle": {"color": colour},
        **({"markLine": line | {"silent": True}} if mark else {}),
    }


def _bars(name: str, colour: str) -> dict[str, Any]:
    return {"name": name, "type": "bar", "data": [], "itemStyle": {"color": colour}, "barGap": "0%"}


SMILE_TITLE = "Implied vol by strike, %"
SMILE = _chart(
    SMILE_TITLE,
    _axis(type="value", scale=True),
    _axis(type="value", scale=True),
    [_vols("Calls", CALL, mark=True), _vols("Puts", PUT, mark=False)],
)
OPEN_INTEREST = _chart(
    "Open interest by strike, lakh",
    _axis(type="category", data=[]),
    _axis(type="value"),
    [_bars("Calls", CALL), _bars("Puts", PUT)],
)
