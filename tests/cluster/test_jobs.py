"""The backtest job on a small private Ray: one worker and two give the same bytes."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import ray

from jobs.backtest import main

DATA = (Path(__file__).parents[2] / "../shared/data/market").resolve()
ARGS = ["--strategy", "ema_channel", "--index", "SENSEX", "--data", str(DATA)]
pytestmark = [pytest.mark.cluster, pytest.mark.beside]


@pytest.fixture(scope="module")
def private_ray(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    if not DATA.exists():
        pytest.skip(f"{DATA} is not here")
    temp = tmp_path_factory.mktemp("r")
    ray.init(num_cpus=2, include_dashboard=False, _temp_dir=str(temp), logging_level="WARNING", address="local")
    yield
    ray.shutdown()


@pytest.mark.usefixtures("private_ray")
def test_one_worker_and_two_give_the_same_hash_and_the_golden_day(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    facts = []
    for workers in ("1", "2"):
        out = tmp_path / workers
        assert main([*ARGS, "--workers", workers, "--out", str(out)]) == 0
        facts.append(json.loads((out / "summary.json").read_text(encoding="utf-8")))
        assert (out / "equity.png").read_bytes().startswith(b"\x89PNG")
    assert facts[0] == facts[1]
    assert facts[0]["days"][-1]["net_rounded"] == "-4404.23"
    assert (tmp_path / "1" / "trades.csv").read_bytes() == (tmp_path / "2" / "trades.csv").read_bytes()
    assert "day 4 of 4: " in capsys.readouterr().out


def test_bad_arguments_say_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*ARGS[:2], "--index", "NIFTEE", "--data", str(DATA)]) == 2
    assert "known are NIFTY" in capsys.readouterr().err
    assert main(["--strategy", "martingale", *ARGS[2:]]) == 2
    assert "known are ema_channel" in capsys.readouterr().err
    assert main([*ARGS[:4], "--data", str(tmp_path)]) == 2
    assert "no folder" in capsys.readouterr().err
