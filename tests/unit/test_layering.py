"""Who may import whom: read from the source, so that an import inside a function counts too."""

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HEAVY = {"torch", "chromadb", "sentence_transformers", "transformers", "llama_cpp"}


def _modules(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def _names(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
        return [node.module]
    return []


def _imports(tree: ast.AST) -> set[str]:
    """Top-level packages imported anywhere in the module."""
    return _tops(name for node in ast.walk(tree) for name in _names(node))


def _imported_at_once(tree: ast.AST) -> Iterator[str]:
    """Modules imported when the module itself is; `from a import b` names both `a` and `a.b`."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            continue
        yield from _names(node)
        if isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        yield from _imported_at_once(node)


def _tops(names: Iterable[str]) -> set[str]:
    return {name.split(".")[0] for name in names}


def _offenders(package: str, banned: set[str], *, beside: str = "-") -> dict[str, set[str]]:
    found = {}
    for file in _modules(package):
        name = str(file.relative_to(ROOT))
        if not name.startswith(beside):
            found[name] = _imports(ast.parse(file.read_text(encoding="utf-8"))) & banned
    return {name: names for name, names in found.items() if names}


@pytest.mark.parametrize(
    ("package", "banned", "beside"),
    [
        ("knowledge", {"persona", "trainer", "textual"}, "-"),
        ("persona", {"trainer"}, "-"),
        ("persona", {"textual"}, "persona/tui/"),
        ("trainer", {"textual"}, "-"),
    ],
)
def test_layers_import_only_downwards(package: str, banned: set[str], beside: str) -> None:
    assert _modules(package)
    assert _offenders(package, banned, beside=beside) == {}


def test_the_runtime_knows_nothing_of_its_instruments() -> None:
    """Only doors (command line, app) and the instruments themselves import `persona.lab`."""
    importing = {
        str(file.relative_to(ROOT))
        for file in _modules("persona")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if any(name.startswith("persona.lab") for name in _names(node))
    }
    assert importing
    doors = ("persona/cli/", "persona/tui/", "persona/lab/")
    assert {name for name in importing if not name.startswith(doors)} == set()


def test_heavy_libraries_are_imported_when_used() -> None:
    """A module may import one at once only if no module of ours imports that module at once."""
    early = {
        ".".join(file.relative_to(ROOT).with_suffix("").parts): set(
            _imported_at_once(ast.parse(file.read_text(encoding="utf-8")))
        )
        for package in ("persona", "knowledge")
        for file in _modules(package)
    }
    heavy = {name for name, imported in early.items() if _tops(imported) & HEAVY}
    assert {name: imported & heavy for name, imported in early.items() if imported & heavy} == {}
    assert len(heavy) <= 2, f"heavy libraries belong inside functions: {sorted(heavy)}"


def test_the_checks_themselves_see_imports() -> None:
    source = (
        "if x:\n import torch.nn\ntry:\n from chromadb import y\nfinally: pass\ndef f():\n import llama_cpp"
    )
    assert set(_imported_at_once(ast.parse(source))) == {"torch.nn", "chromadb", "chromadb.y"}
    assert "llama_cpp" in _imports(ast.parse(source))
