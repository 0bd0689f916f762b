"""The wheel: what is in it, and that it runs without the checkout."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from persona import paths

ROOT = Path(__file__).resolve().parents[2]
BUNDLED = "persona/_bundled"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    builders = pytest.importorskip("hatchling.builders.wheel", reason="hatchling comes with the dev extra")
    folder = tmp_path_factory.mktemp("dist")
    [built] = builders.WheelBuilder(str(ROOT)).build(directory=str(folder), versions=["standard"])
    return zipfile.ZipFile(built)


def test_the_sample_twin_and_the_models_travel_inside(wheel: zipfile.ZipFile) -> None:
    names = set(wheel.namelist())
    assert f"{BUNDLED}/data/sample/slack_export.zip" in names
    assert f"{BUNDLED}/data/sample/mail.mbox" in names
    assert any(name.startswith(f"{BUNDLED}/data/sample/notes/") for name in names)
    assert f"{BUNDLED}/models/catalogue.toml" in names
    if not paths.starter_model().is_file():
        pytest.skip("no starter model in this checkout (make starter)")
    assert wheel.getinfo(f"{BUNDLED}/models/starter.gguf").file_size <= 12 * 2**20


def test_all_three_packages_and_their_data_are_inside_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    names = wheel.namelist()
    tracked = subprocess.run(
        ["git", "ls-files", "persona", "knowledge", "trainer"], cwd=ROOT, capture_output=True, text=True
    )
    if tracked.returncode:
        pytest.skip("not a git checkout")
    assert [file for file in tracked.stdout.split() if file not in names] == []
    assert {name.split("/")[0].split("-")[0] for name in names} == {
        "persona",
        "knowledge",
        "trainer",
        "persona_twin",
    }
    assert [name for name in names if "/sample/make" in name or name.endswith((".pyc", ".keep"))] == []


def test_it_runs_from_the_wheel_alone(wheel: zipfile.ZipFile, tmp_path: Path) -> None:
    site = tmp_path / "site"
    wheel.extractall(site)
    done = subprocess.run(
        [sys.executable, "-m", "persona", "locate", "--json"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(site)},
    )
    assert done.returncode == 0, done.stderr
    places = json.loads(done.stdout)
    assert places["bundled"] == str(site / BUNDLED)
    assert (Path(places["sample"]) / "slack_export.zip").is_file()
