import re

import pytest

from cluster import warm


def test_warm_says_in_one_line_that_the_kernels_are_ready(capsys: pytest.CaptureFixture[str]) -> None:
    warm.main()

    assert re.fullmatch(r"13 kernels ready in \d+\.\d\d s\n", capsys.readouterr().out)
