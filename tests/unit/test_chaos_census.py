"""The machine gives the number of a process again: a run of a thousand kills meets that."""

import threading
from types import SimpleNamespace
from typing import Any

from tests.chaos.census import Census

STATE: Any = SimpleNamespace(session_id="of no process", desk=0)


def census(began: dict[int, float]) -> Census:
    return Census(STATE, None, ["recorder"], threading.Event(), born=lambda pid: began.get(pid, 0.0))


def test_an_answer_from_before_its_end_brings_nobody_back() -> None:
    began = {7: 1.0}
    looked = census(began)
    looked.seen("recorder", 7)
    looked.kill("recorder")

    looked.seen("recorder", 7)
    assert "recorder" in looked.down()
    began.clear()
    looked.seen("recorder", 7)
    assert "recorder" in looked.down()


def test_another_process_of_the_same_number_is_up() -> None:
    began = {7: 1.0}
    looked = census(began)
    looked.seen("recorder", 7)
    looked.kill("recorder")

    began[7] = 2.0
    looked.seen("recorder", 7)
    assert looked.up() == {"recorder": 7}
    assert looked.restarts["recorder"] == 1
