"""Whether an answer has the keys and types of Kite's own sample, all the way down."""

import json
from pathlib import Path
from typing import Any

import pytest
import requests
from kiteconnect import KiteConnect

MOCKS = Path(__file__).parents[4] / "shared/data/kite-mocks"


def mock(name: str) -> Any:
    """`data` of a sample answer, or a skip that names it."""
    path = MOCKS / f"{name}.json"
    if not path.exists():
        pytest.skip(f"{path} is not here")
    answer = json.loads(path.read_text())
    return answer.get("data", answer)  # a postback has no envelope


def raw(kite: KiteConnect, path: str, **params: object) -> Any:
    """`data` as it is on the wire, before the client converts it."""
    headers = {"Authorization": f"token vikalp:{kite.access_token}"}
    answer = requests.get(kite.root + path, params=params, headers=headers, timeout=30)
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


def differences(ours: Any, sample: Any, where: str = "data") -> list[str]:
    """Where `ours` lacks a key of the sample or has another type; a null on either side says nothing of the type."""
    if sample is None or ours is None:
        return []
    if isinstance(sample, dict):
        if not isinstance(ours, dict):
            return [f"{where}: {type(ours).__name__}, expected an object"]
        missing = [f"{where}.{key}: is missing" for key in sample if key not in ours]
        return missing + [
            found for key in sample if key in ours for found in differences(ours[key], sample[key], f"{where}.{key}")
        ]
    if isinstance(sample, list):
        if not isinstance(ours, list):
            return [f"{where}: {type(ours).__name__}, expected a list"]
        row = bool(sample) and not isinstance(sample[0], dict | list)  # a candle: each place has its own type
        pairs = zip(ours, sample, strict=False) if row else ((one, sample[0]) for one in ours if sample)
        return [found for i, (one, its) in enumerate(pairs) for found in differences(one, its, f"{where}[{i}]")]
    kinds = [bool] if isinstance(sample, bool) else [int, float] if isinstance(sample, int | float) else [type(sample)]
    right = type(ours) in kinds
    return [] if right else [f"{where}: {type(ours).__name__}, expected {kinds[-1].__name__}"]
