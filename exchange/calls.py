"""When each call about an order came, was taken and was answered, by the wall's clock: what no broker tells."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

MOST_KEPT = 50_000  # the newest


@dataclass
class OrderCall:
    """A request to place, change or cancel an order. Times are the wall's, UTC ns; 0 is never."""

    method: str
    path: str
    tag: str  # of the form; empty where it has none
    came_ns: int
    taken_ns: int = 0  # 0: refused, by a fault or by a rule
    answered_ns: int = 0  # 0: refused, or a fault kept the answer back
    order_id: str = ""

    def take(self, data: object, now_ns: int) -> None:
        """The exchange has done what was asked, and `data` is its answer."""
        self.taken_ns = now_ns
        if isinstance(data, Mapping):
            self.order_id = str(data.get("order_id", ""))


@dataclass
class OrderCalls:
    """Everybody's, oldest first."""

    kept: deque[OrderCall] = field(default_factory=lambda: deque(maxlen=MOST_KEPT))

    def note(self, method: str, path: str, tag: str, now_ns: int) -> OrderCall:
        self.kept.append(OrderCall(method, path, tag, now_ns))
        return self.kept[-1]
