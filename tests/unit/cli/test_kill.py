"""The kill switch by hand: it acts whether the desk answers or not, and only a person ends it."""

import getpass
import json
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from cluster.cli.screen import killed_line, lines, look
from cluster.state import DeskState
from core.errors import DeskError, LedgerDown
from core.records import Kill, Order, OrderState
from tests.unit.cli.fake_world import NOW, STATUS, FakeDesk, Place
from tests.unit.cli.test_commands import CALL, vikalp


class Killing(FakeDesk):
    """Its orders end in these states once it is killed; `file` was there when it was asked."""

    def __init__(self, *ends: OrderState, folder: Path | None = None) -> None:
        super().__init__()
        self.ends, self.folder, self.file = ends, folder, ""

    def kill(self, why: str, who: str, square_off: bool) -> Kill:  # noqa: FBT001
        if self.folder is not None:
            self.file = (self.folder / "desk-0" / "KILL").read_text()
        return super().kill(why, who, square_off)

    def orders(self) -> Sequence[Order]:
        if not self.sent:
            return []
        made = [msgspec.structs.replace(self.sent[0], tag=f"T{n}") for n in range(len(self.ends) + 1)]
        old = Order(intent=made[-1], state="COMPLETE", updated_ns=NOW - 1_000_000_000)
        over = [Order(intent=each, state=state, updated_ns=NOW) for each, state in zip(made, self.ends, strict=False)]
        return [*over, old]


def killing(folder: Path, *ends: OrderState) -> Place:
    place = Place(Killing(*ends, folder=folder), folder=folder)
    vikalp(place, "order", CALL, "buy", "--yes")
    return place


def test_kill_asks_nothing_and_says_what_became_of_every_order(tmp_path: Path) -> None:
    place = killing(tmp_path, "CANCELLED", "COMPLETE", "CANCELLED", "REFUSED")

    done = vikalp(place, "kill", "a wrong  price")

    assert done.exit_code == 0, done.output
    assert place.client.switch == Kill(pulled=True, who=getpass.getuser(), why="a wrong price", at_ns=NOW)
    assert f"KILLED by {getpass.getuser()}: a wrong price; orders over: 2 CANCELLED, 1 COMPLETE" in done.stderr
    assert [tag in done.stdout for tag in ("T0", "T1", "T2", "T3", "T4")] == [True, True, True, False, False]


class Pulled(Killing):
    """By the file, within a second in which the broker's book, which tells whole ones, has the orders over."""

    def killed(self) -> Kill:
        return Kill(pulled=True, who="root", why="enough", at_ns=NOW - NOW % 1_000_000_000 + 999_000_000)

    def orders(self) -> Sequence[Order]:
        whole_ns = NOW - NOW % 1_000_000_000
        return [msgspec.structs.replace(one, updated_ns=whole_ns) for one in super().orders()[:-1]]


def test_what_the_file_has_cancelled_before_the_order_manager_was_asked_is_told(tmp_path: Path) -> None:
    place = Place(Pulled("CANCELLED", folder=tmp_path), folder=tmp_path)
    vikalp(place, "order", CALL, "buy", "--yes")

    done = vikalp(place, "kill", "enough")

    assert done.exit_code == 0, done.output
    assert "orders over: 1 CANCELLED" in done.stderr


def test_the_file_is_there_before_anybody_is_asked_and_stays_until_the_release(tmp_path: Path) -> None:
    place = killing(tmp_path, "CANCELLED")
    vikalp(place, "kill", "why not", "--who", "asha")

    assert isinstance(place.client, Killing)
    assert place.client.file == "why not (asha)\nsquare_off: no\n"
    assert place.kill_file(0).exists()
    assert vikalp(place, "release", "over", "--yes").exit_code == 0
    assert not place.kill_file(0).exists()


@pytest.mark.parametrize("state", ["OPEN", "UNKNOWN", "JOURNALLED"])
def test_what_still_lives_is_said_and_exits_1(tmp_path: Path, state: OrderState) -> None:
    done = vikalp(killing(tmp_path, "CANCELLED", state), "kill", "stop", "--wait", "0")

    assert done.exit_code == 1
    assert "after 0 s still working: 1, positions open: 0" in done.stderr


def test_a_position_to_be_closed_that_is_still_open_is_said_and_shown(tmp_path: Path) -> None:
    done = vikalp(killing(tmp_path), "kill", "stop", "--square-off", "--wait", "0", "--json")

    assert done.exit_code == 1
    answer = json.loads(done.stdout)
    assert (answer["kill"]["square_off"], [held["quantity"] for held in answer["held"]]) == (True, [65])


class Unreachable(Place):
    def state(self, desk: int | None) -> DeskState:
        if desk is not None:
            raise DeskError("the desk's Ray did not let us in")
        return super().state(desk)


def test_without_ray_the_file_stays_and_says_why(tmp_path: Path) -> None:
    place = Unreachable(folder=tmp_path)
    done = vikalp(place, "kill", "all is red", "--who", "asha", "--square-off")

    assert done.exit_code == 1
    assert place.kill_file(0).read_text() == "all is red (asha)\nsquare_off: yes\n"
    assert "did not let us in" in done.stderr
    assert f"the kill file is {place.kill_file(0)}" in done.stderr
    assert "it asks for every position to be closed too" in done.stderr


def test_without_ray_that_is_said_as_json_too(tmp_path: Path) -> None:
    place = Unreachable(folder=tmp_path)
    done = vikalp(place, "kill", "all is red", "--who", "asha", "--json")

    assert (done.exit_code, done.stdout) == (1, "")
    step, told = done.stderr.splitlines()
    assert step.startswith("the kill file is written")
    told = json.loads(told)
    assert told["kind"] == "DeskError"
    for words in ("did not let us in", f"the kill file is {place.kill_file(0)}", "to be left as it is"):
        assert words in told["error"]


def test_a_second_word_does_not_take_the_square_off_back(tmp_path: Path) -> None:
    place = Unreachable(folder=tmp_path)
    vikalp(place, "kill", "all is red", "--who", "asha", "--square-off")
    again = vikalp(place, "kill", "still red", "--who", "ravi")

    assert "it asks for every position to be closed too" in again.stderr
    assert place.kill_file(0).read_text() == "still red (ravi)\nsquare_off: yes\n"


def test_a_desk_that_does_not_run_can_be_killed_by_its_number_alone(tmp_path: Path) -> None:
    named, any_ = Place(runs=False, folder=tmp_path), Place(runs=False, folder=tmp_path)

    assert vikalp(any_, "kill", "stop").stderr == "error: no desk is running; start one: vikalp up\n"
    assert not list(tmp_path.iterdir())
    vikalp(named, "kill", "stop", "--desk", "3")
    assert named.kill_file(3).exists()


def test_without_a_reason_nothing_is_killed_or_released(tmp_path: Path) -> None:
    place = Place(folder=tmp_path)
    for words in (("kill", " "), ("release", "", "--yes")):
        done = vikalp(place, *words)
        assert done.exit_code == 2
        assert "a reason is needed" in done.stderr
    assert (place.client.switch, list(tmp_path.iterdir())) == (None, [])


def pulled(folder: Path, client: FakeDesk | None = None) -> Place:
    place = Place(client, folder=folder)
    place.client.switch = Kill(pulled=True, who="asha", why="x")
    place.kill_file(0).parent.mkdir()
    place.kill_file(0).write_text("x (asha)\n")
    return place


def test_release_removes_the_file_first_and_says_that_the_desk_is_halted(tmp_path: Path) -> None:
    class Looking(FakeDesk):
        def release(self, why: str, who: str) -> str:
            assert not (tmp_path / "desk-0" / "KILL").exists()
            return super().release(why, who)

    place = pulled(tmp_path, Looking())
    done = vikalp(place, "release", "it was a test", typed="release\n")

    assert done.exit_code == 0, done.output
    assert "released; oms HALTED" in done.stdout
    assert place.client.switch is None


@pytest.mark.parametrize("typed", ["y\n", "\n", "releas\n", ""])
def test_release_wants_the_word(tmp_path: Path, typed: str) -> None:
    place = pulled(tmp_path)
    done = vikalp(place, "release", "it was a test", typed=typed)

    assert done.exit_code in {1, 2}
    assert place.client.switch is not None
    assert place.kill_file(0).exists()


def test_a_release_that_failed_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    class Down(FakeDesk):
        def release(self, why: str, who: str) -> str:
            raise LedgerDown("the ledger is away; not released")

    place = pulled(tmp_path, Down())
    done = vikalp(place, "release", "it was a test", "--yes")

    assert done.exit_code == 1
    assert place.kill_file(0).read_text() == "x (asha)\n"
    assert "the ledger is away" in done.stderr


@pytest.mark.parametrize("down", [False, True])
def test_a_file_that_somebody_wrote_in_another_encoding_is_released_and_put_back_as_any(
    tmp_path: Path, *, down: bool
) -> None:
    class Down(FakeDesk):
        def release(self, why: str, who: str) -> str:
            if down:
                raise LedgerDown("the ledger is away; not released")
            return super().release(why, who)

    place, said = pulled(tmp_path, Down()), "genug für heute\nsquare_off: yes\n".encode("latin-1")
    place.kill_file(0).write_bytes(said)
    done = vikalp(place, "release", "it was a test", "--yes")

    assert (done.exit_code, list(place.kill_file(0).parent.iterdir())) == (down, [place.kill_file(0)] * down), (
        done.output
    )
    if down:
        assert place.kill_file(0).read_bytes() == said
        assert "the ledger is away" in done.stderr


def test_status_says_that_the_kill_switch_is_pulled_and_how_it_ends(tmp_path: Path) -> None:
    place = pulled(tmp_path)
    shown = " ".join(vikalp(place, "status").stdout.split())

    assert 'KILL SWITCH pulled by asha: x; end it: vikalp release "WHY"' in shown
    assert json.loads(vikalp(place, "status", "--json").stdout)["killed"]["why"] == "x"
    assert killed_line(Kill(pulled=True, who="asha", why="x", at_ns=NOW)) in lines(look(at(place, NOW)))[1]
    place.client.switch = None
    assert "KILL" not in vikalp(place, "status").stdout


def at(place: Place, ns: int) -> FakeDesk:
    place.client.switch = Kill(pulled=True, who="asha", why="x", at_ns=ns)
    return place.client


@pytest.mark.parametrize("word", ["resume", "reduce"])
def test_what_trades_again_says_that_the_kill_switch_stands_against_it_and_exits_1(tmp_path: Path, word: str) -> None:
    place = pulled(tmp_path)
    done, as_json = vikalp(place, word), vikalp(place, word, "--json")

    assert (done.exit_code, as_json.exit_code) == (1, 1)
    assert (done.stdout, json.loads(as_json.stdout)) == ("oms HALTED\n", {"oms_state": "HALTED"})
    assert done.stderr == 'error: KILL SWITCH pulled by asha: x; end it: vikalp release "WHY"\n'
    assert json.loads(as_json.stderr)["kind"] == "Killed"
    assert vikalp(place, "halt").exit_code == 0
    place.client.switch = None
    assert vikalp(place, word).exit_code == 0


@pytest.mark.parametrize(
    ("word", "asked", "state"),
    [("resume", "ACTIVE", "HALTED"), ("resume", "ACTIVE", "REDUCING"), ("reduce", "REDUCING", "HALTED")],
)
def test_what_trades_again_exits_1_where_something_else_stands_against_it(word: str, asked: str, state: str) -> None:
    """Nobody is logged in, the ledger is gone, the broker's book cannot be read."""

    class Held(FakeDesk):
        def resume(self) -> str:
            return state

        def reduce(self, why: str) -> str:
            return state

    done, as_json = vikalp(Place(Held()), word), vikalp(Place(Held()), word, "--json")

    assert (done.exit_code, done.stdout) == (1, f"oms {state}\n")
    assert f"it is {state}, not {asked}: something else stands against that; vikalp status shows what" in done.stderr
    unkept = "if that is the ledger and the order manager restarts before, say it again"
    assert (unkept in done.stderr) == (asked == "ACTIVE"), "a reduce that is not kept is an error of its own"
    assert (as_json.exit_code, json.loads(as_json.stdout)) == (1, {"oms_state": state})
    assert json.loads(as_json.stderr)["kind"] == "Stricter"


@pytest.mark.parametrize(("state", "code"), [("ACTIVE", 0), ("HALTED", 1)])
def test_a_resume_that_was_done_is_told_though_nobody_can_say_more(state: str, code: int) -> None:
    class Gone(FakeDesk):
        def resume(self) -> str:
            return state

        def killed(self) -> Kill | None:
            raise DeskError("the order manager does not answer")

    done = vikalp(Place(Gone()), "resume")

    assert (done.exit_code, done.stdout) == (code, f"oms {state}\n")
    assert "does not answer" not in done.stderr


def test_a_rehearsal_is_not_called_live_alone(tmp_path: Path) -> None:
    place = Place(folder=tmp_path)
    status = msgspec.structs.replace(STATUS, mode="LIVE", rehearsal=True)
    place.client.status = lambda: status  # type: ignore[method-assign]

    assert " LIVE REHEARSAL " in vikalp(place, "status").stdout
    assert lines(look(place.client))[0].startswith("LIVE REHEARSAL ")
    simulated = msgspec.structs.replace(STATUS, rehearsal=True)  # a simulated desk's exchange is a local one too
    place.client.status = lambda: simulated  # type: ignore[method-assign]
    assert "REHEARSAL" not in vikalp(place, "status").stdout
