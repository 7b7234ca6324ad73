"""The page at /: one NiceGUI client per browser, and a timer each that pushes what has changed.

NiceGUI serves the page, its socket and the charts. The chain is plain HTML with stable ids and a small script: eight
hundred cells as elements of NiceGUI would be rebuilt by Vue at every change, and a text node is set in a microsecond.
Orders from the page come over NiceGUI's socket, from a page this gateway made, of its own origin (gateway/access.py).
"""

import datetime as dt
import json
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from nicegui import ui
from nicegui.events import GenericEventArguments
from starlette.staticfiles import StaticFiles

from gateway import calendar, charts, dialogs, panels, skeleton, view
from gateway.access import speaks_for, who_of
from gateway.actions import Actions
from gateway.context import Context
from gateway.store import Kept

STATIC = Path(__file__).parent / "static"
SCRIPTS = ("desk.js", "columns.js", "ticket.js", "steer.js")


def add_page(app: FastAPI, context: Context) -> FastAPI:
    """`app` with the page mounted at /; once in a process, since NiceGUI's pages belong to the process."""
    app.mount("/desk", StaticFiles(directory=STATIC), name="desk")
    version = int(max(path.stat().st_mtime for path in STATIC.iterdir()))

    @ui.page("/", title="Vikalp", dark=True, response_timeout=10)
    async def desk() -> None:
        ui.add_head_html(f'<link rel="stylesheet" href="/desk/desk.css?{version}">')
        for script in SCRIPTS:
            ui.add_head_html(f'<script src="/desk/{script}?{version}"></script>')
        page = Page(context)
        await ui.context.client.connected()
        ui.timer(context.push_s, page.push)

    ui.run_with(
        app,
        title="Vikalp",
        dark=True,
        on_air=None,
        tailwind=False,
        show_welcome_message=False,
        message_history_length=30,
        reconnect_timeout=5.0,
    )
    return app


class Page:
    """One browser's page: what it looks at, and what it already shows."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._client = ui.context.client
        self._index = context.store.indices[0]
        self._expiry: dt.date | None = None
        self._built: dict[str, Any] = {}
        self._texts: dict[str, str] = {}
        self._classes: dict[str, str] = {}
        self._rows: dict[str, Any] = {}
        self._charted: tuple[object, int] = (None, 0)
        asked = self._client.request
        self._who = who_of("page", asked.client, asked.headers)
        self._actions = Actions(context, self._say, f"page from {self._client.ip or 'an unknown address'}")
        with ui.element("div").props("id=desk"):
            ui.html(skeleton.top(context.store.indices), sanitize=False).props("id=top")
            ui.html(skeleton.left(), sanitize=False).props("id=left")
            with ui.element("div").props("id=right"):
                ui.html(skeleton.ticket() + dialogs.all_of_them(), sanitize=False).props("id=ticket-box")
                self._smile = ui.echart(charts.SMILE, renderer="canvas").props("id=smile")
                self._oi = ui.echart(charts.OPEN_INTEREST, renderer="canvas").props("id=open-interest")
                ui.html(calendar.panel() + skeleton.side(), sanitize=False).props("id=side")
        ui.on("desk", self._heard)

    def push(self) -> None:
        """Send what differs from what the page shows; nothing when nothing does."""
        kept = self._context.store.latest(self._index)
        shown = view.Shown()
        view.strip(self._context, shown)
        panels.banner(self._context, shown)
        calendar.say(self._context, shown)
        for index in self._context.store.indices:
            shown.classes[f"index-tab-{index}"] = "index-tab on" if index == self._index else "index-tab"
        message: dict[str, Any] = {}
        if kept is not None:
            expiry = self._expiry_of(kept)
            chain = view.chain(kept, expiry)
            shown.texts |= chain.texts
            shown.classes |= chain.classes
            view.banner(self._context, kept, shown)
            layout = view.layout(kept, expiry)
            if layout != self._built:
                message["layout"], self._built = layout, layout
                self._texts, self._classes = {}, {}
        elif self._built.get("index") not in (None, self._index):
            message["layout"], self._built = None, {}
            self._texts, self._classes = {}, {}
        rows = panels.tables(self._context)
        message["texts"] = view.changed(self._texts, shown.texts)
        message["classes"] = view.changed(self._classes, shown.classes)
        message["tables"] = {name: part for name, part in rows.items() if part != self._rows.get(name)}
        self._texts, self._classes, self._rows = shown.texts, shown.classes, rows
        self._run("apply", message)
        if kept is not None:
            self._chart(kept)

    def _expiry_of(self, kept: Kept) -> dt.date:
        days = [row["expiry"] for row in kept.expiries]
        if self._expiry not in days:
            self._expiry = days[0]
        return self._expiry

    def _chart(self, kept: Kept) -> None:
        """Charts move about once in two seconds: a smile is no ticker, and drawing is what costs the browser most."""
        expiry = self._expiry_of(kept)
        looked_at, drawn_ns = self._charted
        now = self._context.clock.wall_ns()
        if looked_at == (kept.index, expiry) and now - drawn_ns < 2_000_000_000:
            return
        self._smile.run_chart_method("setOption", view.smile(kept, expiry))
        self._oi.run_chart_method("setOption", view.open_interest(kept, expiry))
        self._charted = ((kept.index, expiry), now)

    def _run(self, function: str, argument: Any) -> None:
        self._client.run_javascript(f"desk.{function}({json.dumps(argument, ensure_ascii=False)})")

    def _say(self, about: str, **said: Any) -> None:
        self._run("say", {"about": about, **said})

    async def _heard(self, event: GenericEventArguments) -> None:
        """What the page's script emitted: a choice of what to look at, or something for the desk."""
        asked = event.args if isinstance(event.args, dict) else {}
        match asked.get("do"):
            case "index" if asked.get("index") in self._context.store.indices:
                self._index, self._expiry = asked["index"], None
                self.push()
            case "expiry":
                self._expiry = dt.date.fromisoformat(str(asked.get("expiry")))
                self.push()
            case _:
                speaks_for(self._who)
                await self._actions.take(asked)
