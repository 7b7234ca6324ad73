"""What the kill switch's file says, who shares the switch, and what one that was replaced may still do."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from actors.oms.config import KillConfig
from core.errors import LedgerFenced
from core.risk.kill_words import read, written
from tests.fakes_orders import intent
from tests.unit.test_oms_kill import Killable, MemoryFile, busy


@pytest.mark.parametrize("setting", [True, False])
@pytest.mark.parametrize("wish", [True, False])
def test_the_file_of_a_pull_carries_the_wish_and_the_settings_do_not_overrule_it(wish: bool, setting: bool) -> None:  # noqa: FBT001
    first = Killable()
    first.oms.kill("out", "asha", wish)
    assert first.file.said == written("out", "asha", square_off=wish)
    world = Killable(kill=KillConfig(square_off=setting))
    world.long()
    world.file.said = first.file.said
    world.later(1)
    killed = world.oms.killed()
    assert killed is not None
    assert (killed.who, killed.why, killed.square_off) == ("asha", "out", wish)


@pytest.mark.parametrize("setting", [True, False])
def test_a_file_without_a_wish_goes_by_the_settings(setting: bool) -> None:  # noqa: FBT001
    world = Killable(kill=KillConfig(square_off=setting))
    world.file.said = "fat finger (asha)"
    world.later(1)
    killed = world.oms.killed()
    assert killed is not None
    assert (killed.who, killed.why, killed.square_off) == ("asha", "fat finger", setting)


def test_a_file_may_add_the_square_off_while_it_is_pulled() -> None:
    world = busy()
    world.oms.kill("one", "asha")
    world.later(1)
    world.file.said = written("two", "ravi", square_off=True)
    world.later(1)
    killed = world.oms.killed()
    assert killed is not None
    assert (killed.why, killed.square_off) == ("two", True)


@given(
    st.text(max_size=80).filter(lambda why: why.strip()),
    st.from_regex(r"[a-z][a-z0-9. ]{0,10}[a-z]", fullmatch=True),
    st.booleans(),
)
@example("0", "a  a", False)
def test_what_was_written_is_read(why: str, who: str, square_off: bool) -> None:  # noqa: FBT001
    assert read(written(why, who, square_off=square_off)) == (" ".join(why.split()), " ".join(who.split()), square_off)


@given(st.text())
def test_whatever_a_person_wrote_says_why(text: str) -> None:
    said = read(text)
    assert said.why.strip()
    assert said.who.strip()


class Two:
    """Two desks of one account: one ledger, each with a broker and a file of its own."""

    def __init__(self) -> None:
        self.one, self.other = Killable(), Killable()
        self.one.ledger = self.other.ledger
        self.one.restart()
        self.other.ledger.check_epoch = lambda epoch: None  # type: ignore[method-assign]
        self.other.ledger._write = lambda name, epoch, commit: commit()  # type: ignore[method-assign]

    def later(self) -> None:
        for _ in range(4):
            self.one.later(1)
            self.other.later(1)


def test_a_pull_on_one_desk_of_an_account_holds_the_other_and_a_release_ends_both() -> None:
    two = Two()
    two.other.oms.submit(intent("E", limit_paise=100))
    two.one.oms.kill("drill", "asha")
    two.later()
    killed = two.other.oms.killed()
    assert killed is not None
    assert (killed.who, killed.why) == ("asha", "drill")
    assert two.other.broker.orders["E"].state == "CANCELLED"
    assert two.other.oms.submit(intent("LATE")).state == "REFUSED"
    two.one.oms.release("seen", "ravi")
    two.later()
    assert (two.other.oms.killed(), two.other.oms.state()) == (None, "HALTED")
    assert any("released by ravi for the whole account" in words for words in two.other.ledger.alerts())


def test_after_a_release_elsewhere_a_desk_with_a_file_of_its_own_holds_on_and_says_so_once() -> None:
    two = Two()
    two.other.file.said = "smoke (ravi)"
    two.later()
    assert two.one.oms.killed() is not None
    two.one.oms.release("seen", "asha")
    two.later()
    two.later()
    assert two.other.oms.killed() is not None
    assert two.one.oms.killed() is None
    assert sum("this desk's own kill file still holds it" in words for words in two.other.ledger.alerts()) == 1
    two.other.oms.release("seen too", "asha")
    two.later()
    assert (two.other.file.said, two.other.oms.killed(), two.one.oms.killed()) == ("", None, None)


@pytest.mark.parametrize("seconds", [5, 0])
def test_one_that_was_replaced_cancels_nothing_and_lets_nobody_go_but_its_word_reaches_the_new_one(
    seconds: int,
) -> None:
    """Also within the moment in which it takes the ledger's last word on that for good."""
    world = Killable()
    world.oms.submit(intent("E", limit_paise=100))
    old = world.oms
    world.clock.sleep(seconds)
    new = world.restart()
    kill = old.kill("from the old page", "asha")
    assert world.broker.orders["E"].state == "OPEN", "the new one's to cancel"
    assert world.ledger.kill == kill
    with pytest.raises(LedgerFenced):
        old.release("all is well", "asha")
    world.file.said = ""
    world.later(1)
    world.later(2)
    assert new.killed() == kill
    assert world.broker.orders["E"].state == "CANCELLED"


def test_a_file_beside_one_that_was_replaced_reaches_the_new_one() -> None:
    first = Killable()
    old, file = first.oms, first.file
    first.file = MemoryFile()
    new = first.restart()
    old.on_timer()
    file.said = "smoke (ravi)"
    old.on_timer()
    first.later(3)
    killed = new.killed()
    assert killed is not None
    assert killed.why == "smoke"


def test_a_ledger_that_is_away_stops_no_cancel() -> None:
    world = Killable()
    world.oms.submit(intent("E", limit_paise=100))
    world.clock.sleep(5)
    world.ledger.down = lambda name: True
    world.oms.kill("drill", "asha")
    assert world.broker.orders["E"].state == "CANCELLED"
