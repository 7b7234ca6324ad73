"""The page, the API and the metrics on 127.0.0.1.

in       marks
out      nothing on the bus; awaited calls to the desk: orders, cancels, margins
state    the last chains per index, the desk's last answers (soft)
restart  empty until the next chain, or with the tape's last chains, shown as cached; open pages reload by themselves
"""

from typing import TYPE_CHECKING, Any

import structlog
from pydantic import BaseModel, Field

from core.errors import VikalpError
from core.ports import Bus, Clock, DeskClient, LastChains
from core.records import Chain
from gateway.context import Context
from gateway.poll import DeskPoll
from gateway.store import ChainStore

if TYPE_CHECKING:
    from gateway.server import WebServer


log = structlog.get_logger()


class GatewayConfig(BaseModel, frozen=True, extra="forbid"):
    """Where the page is served and how often it moves."""

    port: int = Field(default=8000, ge=1, le=65535, description="TCP port of the page and the API, loopback only")
    indices: tuple[str, ...] = Field(
        default=("NIFTY", "BANKNIFTY", "FINNIFTY", "MIDCPNIFTY", "SENSEX"), description="indices of the page, in order"
    )
    token_path: str = Field(default="", description="file with the desk's token, asked for by orders over the API")
    poll_s: float = Field(default=1.0, gt=0, description="seconds between questions to supervisor, oms and risk")
    push_s: float = Field(default=0.35, gt=0, description="seconds between two updates of an open page")
    stale_s: float = Field(default=5.0, gt=0, description="a chain older than this, market open, is unhealthy")
    keep_chains: int = Field(default=40, gt=0, description="newest chains kept per index, for the API's sequence=")
    exit_cross: float = Field(default=0.05, ge=0, lt=1, description="oms.exit_cross, which the page tells before exits")
    timer_ms: int = Field(default=1000, ge=0, description="how often the actor checks its own threads, ms")


class GatewayActor:
    """Serves whoever sits at this machine. An open page never delays a message: chains are swapped, not locked.

    `last` is for a desk on the live market, which has no chain before somebody has logged in: what it finds is shown as
    cached and goes nowhere else. A simulated desk has none: another session's prices are another market's.
    """

    def __init__(
        self, config: GatewayConfig, *, bus: Bus, clock: Clock, desk: DeskClient, last: LastChains | None = None
    ) -> None:
        self._config, self._bus, self._clock, self._desk, self._last = config, bus, clock, desk, last
        self._store = ChainStore(config.indices, config.keep_chains)
        self._poll: DeskPoll | None = None
        self._server: WebServer | None = None
        self._app: Any = None  # made once: NiceGUI is one per process, and open() may be tried again
        self._progress_ns = 0

    def open(self) -> None:
        """Serve; returns when the page answers. Raises ConfigError for a port in use."""
        # FastAPI and NiceGUI cost a second and 80 MB: only the process that serves the page imports them.
        from gateway.page import add_page  # noqa: PLC0415
        from gateway.server import WebServer, make_api  # noqa: PLC0415

        self.load_last()
        if self._poll is None:
            self._poll = DeskPoll(self._desk, self._clock, self._config.poll_s)
            self._poll.start()
        config = self._config
        context = Context(
            store=self._store,
            poll=self._poll,
            desk=self._desk,
            clock=self._clock,
            token_path=config.token_path,
            push_s=config.push_s,
            stale_s=config.stale_s,
            exit_cross=config.exit_cross,
        )
        if self._app is None:
            self._app = add_page(make_api(context), context)
        server = WebServer(self._app, config.port)
        server.start()
        self._server = server

    def load_last(self) -> None:
        """The last chains of the tape, shown as cached until the first of the market; part of open().

        What cannot be read is not shown, and said: a page without yesterday's chain is better than no page.
        """
        if self._last is None:
            return
        for index in self._config.indices:
            try:
                chain = self._last.last(index)
                if chain is not None:
                    self._store.load(chain)
            except (VikalpError, OSError) as error:
                log.warning("the last chain of the tape is not shown", index=index, why=str(error))

    def on_marks(self, chain: Chain) -> None:
        """Raises SchemaError for a chain of the wrong schema or of an index that is not served."""
        wall_ns = self._clock.wall_ns()
        kept = self._store.put(chain, wall_ns)
        self._clock.advance(kept.as_of_ns)
        self._progress_ns = wall_ns

    def on_timer(self) -> None:
        """A thread that has died is a bug: raise it, so that the process ends and comes back clean."""
        if self._poll is not None and self._poll.failure is not None:
            raise RuntimeError("the thread that asks the desk has died") from self._poll.failure
        if self._server is not None and not self._server.alive():
            raise RuntimeError("the web server's thread has died") from self._server.failure

    def check_health(self) -> int:
        asked = self._poll.view.asked_wall_ns if self._poll is not None else 0
        return max(self._progress_ns, asked)

    def close(self) -> None:
        if self._poll is not None:
            self._poll.stop()
        if self._server is not None:
            self._server.stop()
