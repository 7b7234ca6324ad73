"""The script of docs/exchange.md, as it stands there."""

import re
import subprocess
import sys
from pathlib import Path

from tests.unit.exchange.conftest import Served

PAGE = Path(__file__).parents[3] / "docs/exchange.md"


def test_the_ten_lines_of_the_docs_place_an_order(served: Served) -> None:
    (script,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert len(script.splitlines()) <= 15
    script = script.replace("http://127.0.0.1:8100", served.root)
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True).stdout
    order_id, status = said.split(maxsplit=1)
    assert order_id in served.world.engine.orders
    assert status.strip() in {"OPEN", "COMPLETE"}
