from cluster.alerts import REPEAT_NS, AlertDesk


class Watch:
    def __init__(self) -> None:
        self.now_ns = 1_000 * REPEAT_NS

    def __call__(self) -> int:
        return self.now_ns


def test_the_same_alert_is_held_back_for_a_while_and_then_said_again() -> None:
    watch = Watch()
    alerts = AlertDesk(None, wall_ns=watch)

    for _ in range(3):
        alerts.raise_("warning", "feed.NIFTY", "SILENT: no tick")
        watch.now_ns += REPEAT_NS // 2

    assert [alert.at_wall_ns / REPEAT_NS for alert in alerts.latest()] == [1_000, 1_001]


def test_what_was_said_long_ago_is_forgotten() -> None:
    watch = Watch()
    alerts = AlertDesk(None, wall_ns=watch)

    for pid in range(100):
        alerts.raise_("warning", "oms", f"started again, pid {pid}")
        watch.now_ns += REPEAT_NS

    assert len(alerts._said) == 1
