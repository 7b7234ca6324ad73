"""The layering rule, as a test: who may import whom, and who may import Ray."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MAY_IMPORT = {
    "core": set(),
    "storage": {"core"},
    "brokers": {"core"},
    "exchange": {"core"},
    "actors": {"core"},
    "gateway": {"core", "storage"},
    "cluster": {"core", "storage", "brokers", "exchange", "actors", "gateway"},
    "jobs": {"core", "storage", "brokers", "exchange", "actors", "gateway", "cluster"},
}
CORE_NEVER = {"ray", "httpx", "fastapi", "asyncpg", "nicegui", "requests", "socket", "urllib", "subprocess"}
NEVER = {layer: {"ray"} for layer in MAY_IMPORT if layer not in {"cluster", "jobs"}}
NEVER["core"] = CORE_NEVER
# core may not read a clock, a file or the environment: these calls are how it would.
CLOCKS_AND_FILES = {"time_ns", "monotonic", "perf_counter", "utcnow", "today", "getenv", "environ"}


def imported(tree: ast.AST) -> set[str]:
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names.add(node.module.split(".")[0])
    return names


def sources(layer: str) -> list[Path]:
    return sorted((ROOT / layer).rglob("*.py"))


@pytest.mark.parametrize("layer", MAY_IMPORT)
def test_layer_imports_only_what_it_may(layer: str) -> None:
    forbidden = (MAY_IMPORT.keys() - MAY_IMPORT[layer] - {layer}) | NEVER.get(layer, set())
    paths = sources(layer)

    assert paths, f"{layer}/ holds no Python: mend MAY_IMPORT or the tree"
    for path in paths:
        found = imported(ast.parse(path.read_text())) & forbidden
        assert not found, f"{path.relative_to(ROOT)} imports {sorted(found)}"


def test_core_reads_no_clock_no_file_and_no_environment() -> None:
    for path in sources("core"):
        for node in ast.walk(ast.parse(path.read_text())):
            where = f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}"
            if isinstance(node, ast.Attribute):
                assert node.attr not in CLOCKS_AND_FILES, f"{where} uses {node.attr}"
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id != "open", f"{where} opens a file"


def test_core_imports_no_scipy_at_module_level() -> None:
    for path in sources("core"):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.Import | ast.ImportFrom):
                assert "scipy" not in imported(node), f"{path.relative_to(ROOT)}: scipy costs every actor 24 MB"


def test_a_forbidden_import_is_seen() -> None:
    """The checker itself can fail."""
    assert imported(ast.parse("def f():\n    import ray.util\n    from storage.tape import x")) == {"ray", "storage"}
