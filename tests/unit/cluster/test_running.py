"""A desk that runs, as a process finds it that was not there when it was made."""

import os
from pathlib import Path

import pytest

from actors.strategies.strategy import StrategyConfig
from cluster.desk import tape_url
from cluster.running import job_state, keep_settings, running_desk
from cluster.settings import KiteSettings, LedgerSettings, MarketSettings, Settings
from cluster.state import DeskState, desk_dir, pid_of, write_state
from core.errors import DeskError, InputError


def state(desk: int, session_id: str) -> DeskState:
    made = DeskState(
        desk=desk, session_id=session_id, phase="READY", step="ready", mode="PAPER", host=pid_of(os.getpid()),
        data_dir=str(desk_dir(desk)), dsn="", anchor_wall_ns=7,
    )  # fmt: skip
    write_state(made)
    return made


def test_it_is_made_again_from_its_own_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIKALP_HOME", str(tmp_path))
    settings = Settings(
        indices=("SENSEX", "NIFTY"),
        market=MarketSettings(source="kite"),
        kite=KiteSettings(root="http://127.0.0.1:8100", api_key="k", links=2),
        ledger=LedgerSettings(dsn="postgresql://u:secret@host/db"),
        strategies=(StrategyConfig(name="one", index="NIFTY"),),
    )
    one = state(3, "s3")
    keep_settings(desk_dir(3), settings)
    assert (desk_dir(3) / "settings.json").stat().st_mode & 0o777 == 0o600
    desk = running_desk(one)
    assert desk.settings == settings
    assert (desk.desk, desk.session_id, desk.anchor_wall_ns) == (3, "s3", 7)
    assert tape_url(desk) == str(desk_dir(3) / "tape" / "127.0.0.1:8100")
    (desk_dir(3) / "settings.json").write_text('{"indices": []}')
    with pytest.raises(InputError, match="start it anew"):
        running_desk(one)


def test_a_job_is_of_the_desk_whose_process_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIKALP_HOME", str(tmp_path))
    monkeypatch.delenv("VIKALP_SESSION", raising=False)
    with pytest.raises(DeskError, match="no desk is running"):
        job_state(None)
    state(0, "s0")
    state(5, "s5")
    monkeypatch.setenv("VIKALP_SESSION", "s5")
    assert job_state(None).desk == 5
    assert job_state(0).desk == 0
    monkeypatch.setenv("VIKALP_SESSION", "gone")
    assert job_state(None).desk == 0
