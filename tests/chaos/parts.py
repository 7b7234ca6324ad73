"""A thread of chaos whose bug ends the run, and is told."""

import threading
import traceback


class Part(threading.Thread):
    """`work()` in a thread of its own until `stop`; what it raises stops all that listen to the same event."""

    def __init__(self, name: str, stop: threading.Event) -> None:
        super().__init__(name=name, daemon=True)
        self.stopped, self.error = stop, ""

    def work(self) -> None:
        raise NotImplementedError

    def run(self) -> None:
        try:
            self.work()
        except Exception:
            self.error = f"{self.name}: {traceback.format_exc()}"
            self.stopped.set()
