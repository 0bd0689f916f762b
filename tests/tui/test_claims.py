"""What is promised of the app has its test: each row of the feature table, each screen at two sizes."""

import importlib
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from textual.screen import Screen

from persona.tui import screens
from persona.tui.first_run_screen import FirstRunScreen
from persona.tui.screens.chat import ChatScreen
from persona.tui.screens.compare import CompareScreen
from persona.tui.screens.confirm import ConfirmScreen
from persona.tui.screens.drafting import DraftScreen
from persona.tui.screens.glass import GlassScreen
from persona.tui.screens.help import HelpScreen
from persona.tui.screens.line import LineScreen
from persona.tui.screens.pick import PickScreen
from persona.tui.screens.sampling import SamplingScreen
from persona.tui.screens.sessions import SessionsScreen
from persona.tui.screens.settings import SettingsScreen
from persona.tui.screens.steps import StepScreen
from persona.tui.screens.training import TrainingScreen

TESTS = Path(__file__).parents[1]
DOCS = TESTS.parent / "docs" / "app.md"

SNAPSHOTS = {
    ChatScreen: "conversation[{}]",
    CompareScreen: "two_replies[{}]",
    ConfirmScreen: "confirm[{}]",
    DraftScreen: "screen[draft-{}]",
    FirstRunScreen: "first_run[who-{}]",
    GlassScreen: "glass_box[{}]",
    HelpScreen: "help[{}]",
    LineScreen: "screen_over_a_chat[line-{}]",
    PickScreen: "screen[partner-{}]",
    SamplingScreen: "screen[sampling-{}]",
    SessionsScreen: "sessions[all-{}]",
    SettingsScreen: "screen[settings-{}]",
    StepScreen: "screen_over_a_chat[import-{}]",
    TrainingScreen: "screen[training-{}]",
}


def features() -> Iterator[tuple[str, str, str]]:
    """Of each row of the table: the feature, whether we have it, and the tests that are named."""
    for line in DOCS.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("|") and len(cells) == 7 and cells[0] and not cells[0].startswith("-"):
            yield cells[0], cells[1], cells[-1]


def named(cell: str) -> Iterator[tuple[Path, str]]:
    """The file and the pattern of each test in `cell`; where no file is named, the one before is meant."""
    file = TESTS
    for name in re.findall(r"`([^`]+)`", cell):
        place, _, test = name.rpartition("::") if "::" in name or "…" in name else (name, "", "")
        if place:
            file = TESTS.parent / place if "/" in place else TESTS / "tui" / f"{place}.py"
        yield file, ".*".join(map(re.escape, test.split("…")))


@pytest.mark.parametrize(("feature", "here", "tests"), features(), ids=[row[0] for row in features()])
def test_every_feature_we_claim_names_tests_that_are_there(feature: str, here: str, tests: str) -> None:
    found = list(named(tests))
    assert bool(found) == (here != "–")
    for file, pattern in found:
        assert pattern, f"{file.name} alone is no test"
        assert re.search(rf"def test_\w*{pattern}", file.read_text(encoding="utf-8")), (file.name, pattern)


def test_every_screen_has_its_picture_at_two_sizes() -> None:
    modules = [
        importlib.import_module(f"{screens.__name__}.{m.name}")
        for m in pkgutil.iter_modules(screens.__path__)
    ]
    kinds = {
        k
        for module in modules
        for k in vars(module).values()
        if isinstance(k, type) and issubclass(k, Screen)
    }
    ours = {kind for kind in kinds if kind.__module__.startswith(screens.__name__)}
    shown = {
        kind for kind in ours if not any(issubclass(other, kind) and other is not kind for other in ours)
    }
    assert shown | {FirstRunScreen} == SNAPSHOTS.keys()
    pictures = Path(__file__).parent / "__snapshots__" / "test_snapshots"
    for name in SNAPSHOTS.values():
        for size in ("wide", "narrow"):
            assert (pictures / f"test_{name.format(size)}.svg").exists()
