"""What is typed, pasted and dropped, and what this computer knows already."""

from pathlib import Path

import pytest

from persona.tui import first_run_inputs
from persona.tui.first_run_inputs import export_paths, known_names, names


def test_names_are_parted_by_commas_and_lines_and_kept_as_written() -> None:
    assert names(" Mira Sol, mira@example.org;@mira\nMira Sol, ") == ["Mira Sol", "mira@example.org", "@mira"]
    assert names("  ,") == []


@pytest.mark.parametrize(
    "dropped", ["{0}", "'{0}'", '"{0}"', "{0:backslash}", "file://{0:uri}", " {0} "], ids=str
)
def test_a_path_is_understood_however_a_terminal_writes_it(tmp_path: Path, dropped: str) -> None:
    file = tmp_path / "my export.zip"
    file.touch()
    written = {"{0:backslash}": str(file).replace(" ", "\\ "), "file://{0:uri}": file.as_uri()}
    assert export_paths(written.get(dropped, dropped.replace("{0}", str(file)))) == [file]


def test_several_at_once_and_home_and_what_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("a.zip", "b c.mbox"):
        (tmp_path / name).touch()
    assert export_paths(f"{tmp_path}/a.zip '{tmp_path}/b c.mbox'") == [
        tmp_path / "a.zip",
        tmp_path / "b c.mbox",
    ]
    assert export_paths("~/a.zip") == [tmp_path / "a.zip"]
    assert export_paths("~/not here.zip") == [tmp_path / "not here.zip"]
    assert export_paths("~/it's missing.zip") == [tmp_path / "it's missing.zip"]


def test_git_knows_a_name_and_an_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(first_run_inputs, "_account", lambda: ["Mira Sol"])
    assert known_names() == ["Mira Sol"]
    (tmp_path / ".gitconfig").write_text(
        "[core]\n\teditor = vi\n[user]\n\tname = Mira Sol\n\temail = mira@example.org\n", encoding="utf-8"
    )
    assert known_names() == ["Mira Sol", "mira@example.org"]
    (tmp_path / ".gitconfig").write_text("[user\nbroken", encoding="utf-8")
    assert known_names() == ["Mira Sol"]
