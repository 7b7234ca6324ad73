"""numba's cache sees a change of the file a kernel is in, and not of those it takes functions and numbers from.

So each file of kernels names the digest of those others: when one of them changes, it changes too.
"""

import ast
import hashlib
import re
from pathlib import Path

import pytest

CORE = Path(__file__).parents[2] / "core"
BUILT_FROM = re.compile(r'^BUILT_FROM = "(\w*)".*\n', re.MULTILINE)


def imported(text: str) -> set[str]:
    """Names of the modules that a file imports, of both forms of `from package import name`."""
    found = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def sources(file: Path, core: Path) -> set[Path]:
    """The other files of `core` that one takes something from, directly or through another."""
    found, ahead = set(), [file]
    while ahead:
        for name in imported(ahead.pop().read_text()):
            path = core.parent / (name.replace(".", "/") + ".py")
            if name.startswith("core.") and path.exists() and path not in {*found, file}:
                found.add(path)
                ahead.append(path)
    return found


def digest(file: Path, core: Path = CORE) -> str:
    """Of the sources by name, without what they say themselves of theirs: so the order of writing does not matter."""
    whole = hashlib.sha256()
    for path in sorted(sources(file, core)):
        whole.update(f"{path.relative_to(core)}\n{BUILT_FROM.sub('', path.read_text())}".encode())
    return whole.hexdigest()[:16]


def kernel_files() -> list[Path]:
    """Every file of core that compiles, and from more than itself."""
    makers = {"numba", "core.pricing.lanes"}
    return [file for file in sorted(CORE.rglob("*.py")) if makers & imported(file.read_text()) and sources(file, CORE)]


def test_what_compiles_from_other_files_is_found() -> None:
    names = ["kernels", "kernels_chain", "kernels_implied", "kernels_parity", "svi_kernels"]

    assert {f"core/pricing/{name}.py" for name in names} <= {str(f.relative_to(CORE.parent)) for f in kernel_files()}
    assert {path.stem for path in sources(CORE / "pricing/kernels_parity.py", CORE)} == {
        "kernels_chain", "chain_rules", "lanes",
    }  # fmt: skip
    assert {path.stem for path in sources(CORE / "pricing/kernels_implied.py", CORE)} == {"kernels", "lanes", "reason"}


@pytest.mark.parametrize("file", kernel_files(), ids=lambda file: str(file.relative_to(CORE)))
def test_a_change_of_any_source_makes_the_kernels_new(file: Path) -> None:
    said = BUILT_FROM.search(file.read_text())
    wanted = digest(file)

    assert said is not None, f'write BUILT_FROM = "{wanted}" into {file}'
    assert said[1] == wanted, f'a source of its kernels changed: write BUILT_FROM = "{wanted}" into {file}'


def test_the_digest_moves_with_a_source_of_a_source_and_not_with_what_that_says_of_its_own(tmp_path: Path) -> None:
    core = tmp_path / "core"
    core.mkdir()
    (core / "kernels.py").write_text("from core.middle import row\n")
    (core / "middle.py").write_text('from core import deep\nBUILT_FROM = "1"  # of deep\nROW = deep.ROW\n')
    (core / "deep.py").write_text("ROW = 1\n")
    before = digest(core / "kernels.py", core)

    (core / "middle.py").write_text('from core import deep\nBUILT_FROM = "2"  # of deep\nROW = deep.ROW\n')
    assert digest(core / "kernels.py", core) == before
    (core / "deep.py").write_text("ROW = 2\n")
    assert digest(core / "kernels.py", core) != before
