"""Settings that stop the start when they are wrong, ports that never meet, and Ray's own word on ray_config.yaml."""

import socket
import threading
from dataclasses import asdict
from itertools import combinations
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pydantic import BaseModel
from ray.autoscaler._private.util import prepare_config, validate_config

from cluster.desk import check
from cluster.fair import FairLock
from cluster.ports import DESKS, ports, require_free
from cluster.settings import Settings, load
from cluster.state import ROOT
from core.errors import ConfigError, VikalpError

LINES = (ROOT / "vikalp.yaml").read_text().splitlines()


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    return path


def test_the_file_holds_every_setting_with_its_default_and_a_comment() -> None:
    def keys(values: dict, prefix: str = "") -> set[str]:
        own = {f"{prefix}{key}" for key in values}
        return own.union(*(keys(v, f"{prefix}{k}.") for k, v in values.items() if isinstance(v, dict)), set())

    def fields(model: type[BaseModel], prefix: str = "") -> set[str]:
        found = set()
        for name, info in model.model_fields.items():
            found.add(f"{prefix}{name}")
            default = info.get_default(call_default_factory=True)
            if isinstance(default, BaseModel):
                found |= fields(type(default), f"{prefix}{name}.")
        return found

    assert keys(yaml.safe_load("\n".join(LINES))) == fields(Settings)
    assert load() == Settings()
    bare = [line for line in LINES if line.strip() and not line.strip().startswith("#") and "#" not in line]
    assert bare == ["strategies: []"], "its comment is the lines above it"


def test_a_misspelt_key_is_refused_with_the_key_it_was_meant_to_be(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"market\.sede is not a setting; did you mean market\.seed"):
        load(written(tmp_path, "market: {sede: 3}"))
    with pytest.raises(ConfigError, match="did you mean ledger"):
        load(written(tmp_path, "leger: {}"))
    with pytest.raises(ConfigError, match=r"risk\.limits\.daily_loss\.max_los"):
        load(written(tmp_path, "risk: {limits: {daily_loss: {max_los: 3}}}"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("market: {seed: -1}", r"market\.seed: .*-1"),
        ("indices: [NIFTI]", "NIFTI is not an index; known: NIFTY"),
        ("indices: [NIFTY, NIFTY]", "named twice"),
        ("market: [", "is not YAML"),
        ("- a", "expected sections"),
    ],
)
def test_a_wrong_value_is_refused_in_words(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        load(written(tmp_path, text))


def test_a_missing_file_and_an_unknown_variable_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match=r"nothing\.yaml cannot be read"):
        load(tmp_path / "nothing.yaml")
    monkeypatch.setenv("VIKALP_MARKT__SEED", "3")
    with pytest.raises(ConfigError, match="VIKALP_MARKT__SEED, which is no setting"):
        load()


def test_the_environment_goes_over_the_file_and_the_command_line_over_both(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = written(tmp_path, "market: {seed: 1, speed: 2}\nindices: [NIFTY]")
    monkeypatch.setenv("VIKALP_MARKET__SEED", "5")
    monkeypatch.setenv("VIKALP_INDICES", "[SENSEX]")

    assert load(file).market.seed == 5
    assert load(file, {"market.seed": 9}).market.seed == 9
    assert load(file).market.speed == 2
    assert load(file).indices == ("SENSEX",)


def test_a_variable_that_is_wrong_is_named_and_not_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = written(tmp_path, "market: {seed: 1}")
    monkeypatch.setenv("VIKALP_MARKET__SEEED", "5")
    with pytest.raises(ConfigError, match=r"^VIKALP_MARKET__SEEED in the environment: market\.seeed is not a setting"):
        load(file)
    monkeypatch.delenv("VIKALP_MARKET__SEEED")
    monkeypatch.setenv("VIKALP_MARKET__SEED", "abc")
    with pytest.raises(ConfigError, match=r"^VIKALP_MARKET__SEED in the environment: market\.seed: "):
        load(file)
    with pytest.raises(ConfigError, match=r"mine\.yaml: market\.speed: "):
        load(file, {"market.speed": -1, "market.seed": 1})


@hypothesis_settings(deadline=None)  # a busy machine is no failure
@given(st.sampled_from(list(combinations(range(DESKS), 2))))
def test_two_desks_never_meet(pair: tuple[int, int]) -> None:
    def all_of(desk: int) -> set[int]:
        p = ports(desk)
        return set(asdict(p).values()) | set(range(p.worker_min, p.worker_max + 1))

    one, other = (all_of(desk) for desk in pair)
    assert not one & other
    assert max(one | other) < 32_768, "below the ephemeral ports"
    assert len(set(asdict(ports(pair[0])).values())) == len(asdict(ports(pair[0])))


def test_desk_0_has_the_known_ports_and_there_are_no_others() -> None:
    p = ports(0)
    assert (p.page, p.dashboard, p.client) == (8000, 8265, 10001)
    with pytest.raises(ConfigError, match="expected 0 … 39, was 40"):
        ports(40)


def test_a_port_in_use_is_named_with_who_has_it() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", ports(38).dashboard))
        other.listen()
        with pytest.raises(ConfigError, match=r"\(dashboard\) is in use by pid \d+ .*--desk"):
            require_free(38)


def test_ray_accepts_the_cluster_launcher_file() -> None:
    config = yaml.safe_load((ROOT / "ray_config.yaml").read_text())
    validate_config(prepare_config(config))
    kinds = config["available_node_types"]

    assert config["head_node_type"] in kinds
    assert [name for name, kind in kinds.items() if "egress" in kind["resources"]] == ["egress"]
    assert kinds["egress"]["max_workers"] == 1
    assert kinds["batch"]["min_workers"] == 0
    with pytest.raises(Exception, match="max_worker"):
        validate_config(config | {"max_worker": 3})


def test_the_lock_is_handed_over_in_the_order_it_was_asked_for() -> None:
    lock, order, asked = FairLock(), [], []

    def take(name: int) -> None:
        with lock:
            order.append(name)

    with lock:
        threads = [threading.Thread(target=take, args=(n,)) for n in range(5)]
        for count, thread in enumerate(threads, start=1):
            thread.start()
            while len(lock._waiting) < count:
                asked.append(count)
    for thread in threads:
        thread.join(5)
    assert order == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("market", "match"),
    [
        ({"source": "tape", "path": "/no/such/tape", "session_date": "2025-08-29"}, "market.path: no tape"),
        ({"source": "file", "path": __file__, "session_date": "2025-08-27"}, "2025-08-27 has no session"),
        ({"source": "simulated", "session_date": "2025-08-27"}, "2025-08-27 has no session"),
        ({"source": "simulated", "speed": 0}, "market.speed: 0 is for a replay"),
        ({"source": "file", "path": __file__, "session_date": "2025-08-29"}, "no Parquet file"),
    ],
)
def test_a_market_that_cannot_be_is_refused_before_anything_starts(market: dict[str, str], match: str) -> None:
    with pytest.raises(VikalpError, match=match):
        check(Settings.model_validate({"market": market}))
