"""What the page says of the exchange's day: session, next expiries with lots, and tables that end soon."""

from core.market import exchange_of, from_ns
from core.market.facts import today
from gateway.context import Context
from gateway.view import Shown


def say(context: Context, shown: Shown) -> None:
    """The three lines of the status panel, for the day the market's clock shows: in a replay the replayed one."""
    indices = context.store.indices
    now = today(exchange_of(indices[0]), from_ns(context.clock.now_ns()).date(), indices)
    shown.texts |= {
        "calendar-session": now.session_says,
        "calendar-expiries": now.expiries_say,
        "calendar-warnings": " · ".join(now.warnings),
    }


def panel() -> str:
    """The panel's HTML; `say` fills it."""
    return """
<section class="panel" id="panel-calendar"><h2>Market day</h2>
<div style="padding: 2px 8px 6px; overflow-wrap: anywhere"><b id="calendar-session">–</b><br>
<span class="dim">Next expiries: <span id="calendar-expiries">–</span></span>
<div id="calendar-warnings" role="status" style="color: var(--slow)"></div></div></section>
"""
