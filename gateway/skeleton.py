# ruff: noqa: E501  a tag broken over lines gains white space on screen
"""The page's HTML, made once per page load and never again: afterwards only texts, classes and table rows change."""

from collections.abc import Mapping, Sequence
from html import escape

from gateway.dialogs import kill_switch, killed_bar
from gateway.format import COLUMNS, FIGURES
from gateway.panels import TABLES

# From the strike outwards; the calls are the mirror image.
ORDER = ("bid", "ask", "ltp", "change", "iv", "delta", "theta", "gamma", "vega", "rho", "volume", "oi", "oi_change")
AT_FIRST_OFF = frozenset({"gamma", "vega", "rho"})  # until a person ticks them
# Which go first where the window has no room for all that are ticked; bid, ask and ltp never go.
FIRST_TO_GO = ("oi_change", "change", "volume", "theta", "rho", "vega", "gamma", "oi", "delta", "iv")


def top(indices: Sequence[str]) -> str:
    """The kill switch's bar, banner, index strip, figures and expiry tabs."""
    tabs = "".join(
        f'<button class="index-tab" id="index-tab-{name}" data-index="{name}"><b>{name}</b>'
        f'<span class="spot" id="strip-{name}-spot">–</span><span id="strip-{name}-change" class="chg"></span>'
        f'<span id="strip-{name}-age" class="age"></span></button>'
        for name in map(escape, indices)
    )
    figures = "".join(
        f'<div class="figure"><label>{label}</label><span id="figure-{name}">–</span></div>'
        for name, (label, _) in FIGURES.items()
    )
    return f"""{killed_bar()}
<header id="banner">
  <strong>VIKALP</strong><span id="mode" class="mode">–</span><span id="market-says"></span>
  <span id="phase" class="badge">–</span><span class="clock"><label>market</label> <span id="market-clock">–</span> IST</span>
  <output id="connection" role="alert"></output><span id="trouble" data-title=""></span>
  <div class="sums"><span class="pair"><label>orders</label><span id="oms-state" class="badge">–</span></span>
  <span class="pair"><label>ledger</label><span id="ledger-state" class="badge">–</span></span>
  <span class="pair"><label>P&amp;L gross</label><span id="pnl-gross" class="fig">–</span></span>
  <span class="pair"><label>charges</label><span id="pnl-charges" class="fig">–</span></span>
  <span class="pair"><label>net</label><span id="pnl-net" class="fig">–</span></span>
  <button id="exit-all" class="danger" title="cancels every working order and closes every position; asks first">Cancel &amp; exit all</button>{kill_switch()}</div>
</header>
<nav id="strip">{tabs}</nav>
<section id="figures">{figures}</section>
<nav id="tabs"><span id="expiries"></span><output id="provenance"></output><span id="what-passes" hidden></span>
  <span class="dim">chain <span id="chain-index">–</span> <span id="chain-expiry">–</span> № <span id="chain-sequence">–</span></span>
  <details id="columns"><summary>Columns</summary><div>{_choices(COLUMNS)}</div></details></nav>
"""


def _choices(columns: Mapping[str, tuple[str, object]]) -> str:
    return "".join(
        f'<label><input type="checkbox" {"" if name in AT_FIRST_OFF else "checked "}data-column="{name}" '
        f'id="column-{name}">{label}</label>'
        for name, (label, _) in columns.items()
    )


def left() -> str:
    """The chain, and under it orders and positions."""
    heads = [f'<th class="c-{name}">{COLUMNS[name][0]}</th>' for name in ORDER]
    calls, puts = "".join(reversed(heads)), "".join(heads)
    widths = [f'<col class="c-{name}">' for name in ORDER]
    return f"""
<div id="chain-box"><table id="chain" data-columns="{" ".join(ORDER)}" data-first-to-go="{" ".join(FIRST_TO_GO)}">
<colgroup>{"".join(reversed(widths))}<col class="strike">{"".join(widths)}</colgroup><thead>
<tr class="sides"><th colspan="{len(ORDER)}">Calls</th><th class="strike"></th><th colspan="{len(ORDER)}">Puts</th></tr>
<tr>{calls}<th class="strike">Strike</th>{puts}</tr></thead>
<tbody id="chain-body"></tbody></table>
<p id="chain-empty">No chain yet: waiting for the first one of this index.</p></div>
<div id="below">{_panel("orders", "Orders", "No orders.")}{
        _panel("positions", "Positions", "No positions in this session.")
    }</div>
"""


def _panel(name: str, title: str, empty: str = "") -> str:
    heads = "".join(f'<th class="k-{key}">{label}</th>' for key, label in TABLES[name].items())
    return (
        f'<section class="panel" id="panel-{name}"><h2>{title}</h2><div class="scroll"><table id="{name}" '
        f'data-columns="{" ".join(TABLES[name])}"><thead><tr>{heads}</tr></thead><tbody></tbody></table>'
        f'<p class="empty">{empty}</p></div></section>'
    )


def ticket() -> str:
    """The order ticket: a form that the keyboard can fill."""
    return """
<form id="ticket" class="panel" autocomplete="off" novalidate><h2>Order ticket <kbd>B</kbd> <kbd>S</kbd> <kbd>Enter</kbd> <kbd>Esc</kbd></h2>
<div class="line"><output id="ticket-symbol" class="symbol">click a price in the chain</output><output id="ticket-of" class="slow"></output>
<select id="ticket-product" aria-label="product"><option>NRML</option><option>MIS</option></select>
<span class="toggle"><button type="button" id="ticket-buy">BUY</button><button type="button" id="ticket-sell">SELL</button></span></div>
<div class="line"><label>Lots <input id="ticket-lots" type="number" min="1" step="1" value="1"></label>
<label>Type <select id="ticket-type"><option>LIMIT</option><option>MARKET</option><option value="SL">STOP</option></select></label>
<label id="ticket-trigger-box" hidden>Trigger ₹ <input id="ticket-trigger" inputmode="decimal" value=""></label>
<label>Limit ₹ <input id="ticket-limit" inputmode="decimal" value=""></label>
<label>For <select id="ticket-purpose"><option>entry</option><option>hedge</option><option>exit</option></select></label></div>
<div class="line costs"><span>Qty <b id="ticket-quantity">–</b></span><span>Premium <b id="ticket-premium">–</b></span>
<span>SPAN <b id="ticket-span">–</b></span><span>Exposure <b id="ticket-exposure">–</b></span>
<span>Margin <b id="ticket-margin">–</b></span><span>Charges <b id="ticket-charges">–</b></span><em id="ticket-estimate"></em></div>
<div class="line"><button id="ticket-send" type="submit" disabled>Review order</button>
<output id="ticket-message" role="status" data-title=""></output></div></form>
"""


def side() -> str:
    """Plans, limits and actors."""
    limits = 'Limits today <output id="limits-warned" class="slow"></output>'
    return _panel("plans", "Plans", "No plans.") + _panel("limits", limits) + _panel("actors", "Actors")
