"""Fixtures for every test: a temporary home, and the measuring data where it is present."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(autouse=True)
def persona_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own for every test; nothing of the developer's environment leaks in."""
    for name in list(os.environ):
        if name.startswith("PERSONA_") and name != "PERSONA_SHARED_DATA":
            monkeypatch.delenv(name)
    home = tmp_path / "home"
    monkeypatch.setenv("PERSONA_HOME", str(home))
    return home


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real exports and benchmarks that are measured against but never shipped."""
    folder = Path(os.environ.get("PERSONA_SHARED_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no measuring data at {folder} (set PERSONA_SHARED_DATA)")
    return folder
