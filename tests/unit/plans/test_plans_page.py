"""docs/plans.md has a row for every kind; its examples are test_docs.py's."""

from pathlib import Path
from typing import get_args

import pytest

from core.orders.plans import Plan

PAGE = (Path(__file__).parents[3] / "docs" / "plans.md").read_text()


@pytest.mark.parametrize("kind", [one.__struct_config__.tag for one in get_args(Plan)])
def test_every_kind_has_its_row(kind: str) -> None:
    assert f"\n| `{kind}` |" in PAGE
