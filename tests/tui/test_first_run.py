"""The first run over the real parts: real imports, the real starter, and no way that ends nowhere."""

import json
import os
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from export_samples import slack_files, slack_record, write_folder
from local_hub import Hub, running_hub
from textual import events
from textual.pilot import Pilot
from textual.widgets import Input, OptionList

from persona import config, models, paths
from persona.chat.opening import open_memory
from persona.tui import first_run
from persona.tui.app import PersonaApp
from persona.tui.first_run import Export, FirstRun
from persona.tui.opening import Opening
from tui.conftest import screen_text, wait_until

SIZE = (100, 30)


@pytest.fixture(autouse=True)
def nobody_at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A computer that knows nobody's name."""
    monkeypatch.setenv("HOME", str(tmp_path / "nobody"))


@pytest.fixture
def app() -> Iterator[PersonaApp]:
    app = start()
    yield app
    app.room.close()


@pytest.fixture
def export(tmp_path: Path) -> Path:
    """Five messages of Mira and Jonas, a bot, and a record that is none."""
    records: list[object] = [
        slack_record("I moved to Porto last week", "1710240000.000100"),
        slack_record("the light in the flat is good", "1710240100.000100"),
        slack_record("I never drink coffee after noon", "1710240200.000100"),
        slack_record("congrats!", "1710240300.000100", user="U2"),
        slack_record("build is green", "1710240400.000100", user="U3", subtype="bot_message"),
        {"type": "message", "user": "U1", "text": "no time"},
    ]
    return write_folder(tmp_path / "my export", slack_files(*records))


def start(*, again: bool = False) -> PersonaApp:
    settings = config.load()
    return PersonaApp(
        Opening(config.load).open, settings=settings, first_run=first_run.pending(settings, again=again)
    )


async def shows(pilot: Pilot[Any], *texts: str) -> None:
    await wait_until(pilot, lambda: all(text in screen_text(pilot) for text in texts))


async def enter(pilot: Pilot[Any], id: str, text: str) -> None:
    pilot.app.screen.query_one(f"#{id}", Input).value = text
    await pilot.press("enter")


def known() -> tuple[int, str | None]:
    """Messages in the archive, and whose they are."""
    with closing(open_memory(config.load())) as memory:
        owner = memory.owner()
        return len(memory.messages(limit=None)), owner.name if owner else None


def written() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((paths.data_dir() / "first_run.json").read_text(encoding="utf-8"))
    return found


async def test_skipping_everything_ends_in_a_chat_that_says_it_knows_nothing(app: PersonaApp) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await shows(pilot, "Who are you?")
        await pilot.press("ctrl+s")
        await shows(pilot, "Where are your exports?")
        await pilot.press("ctrl+s")
        await shows(pilot, "Which model fits")
        await pilot.press("ctrl+s")
        await shows(pilot, "it knows nothing of you yet", "persona chat --set-up", "starter model")
    assert first_run.pending(config.load()) is None
    assert first_run.pending(config.load(), again=True) == FirstRun()


async def test_a_named_owner_and_an_export_end_in_their_twin(app: PersonaApp, export: Path) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await shows(pilot, "Who are you?")
        await enter(pilot, "names", "mira@example.org, Mira Sol")
        await shows(pilot, "Where are your exports?")
        await enter(pilot, "path", f"'{export}'")
        await shows(pilot, "slack: 5 imported; 1 failed", "2024-03-12.json", "You are Mira Sol.")
        await pilot.press("ctrl+n")
        await shows(pilot, "Which model fits")
        await pilot.press("ctrl+s")
        await shows(pilot, "Mira Sol", "Write a message")
        assert "it knows nothing of you" not in screen_text(pilot)
    assert known() == (4, "Mira Sol")


async def test_who_is_not_named_is_chosen_from_those_who_write(app: PersonaApp, export: Path) -> None:
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        await shows(pilot, "Who are you?")
        await enter(pilot, "names", "Somebody Else")
        await shows(pilot, "Where are your exports?")
        await enter(pilot, "path", str(export))
        await shows(pilot, "Nobody in there is called Somebody Else", "Mira Sol: 3 messages in slack")
        await pilot.press("ctrl+n")
        await shows(pilot, "Choose who you are")
        await pilot.press("enter")
        await shows(pilot, "You are Mira Sol.")
    assert known() == (4, "Mira Sol")


async def test_what_is_dropped_is_read_and_a_wrong_path_leaves_a_way_on(
    app: PersonaApp, export: Path
) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("ctrl+s")
        await shows(pilot, "Where are your exports?")
        await enter(pilot, "path", "/no/such/place.zip")
        await shows(pilot, "place.zip  failed", "does not exist")
        field = pilot.app.screen.query_one("#path", Input)
        field.post_message(events.Paste(str(export).replace(" ", "\\ ")))
        await wait_until(pilot, lambda: field.value)
        await pilot.press("ctrl+n")
        await shows(pilot, "my export  read", "Which of these is you?")
    assert known()[0] == 4
    assert written()["exports"] == [{"path": str(export), "done": True}]


async def test_a_closed_app_goes_on_where_it_was(app: PersonaApp, export: Path) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await shows(pilot, "Who are you?")
        await enter(pilot, "names", "Mira Sol")
        await shows(pilot, "Where are your exports?")
        await enter(pilot, "path", str(export))
        await shows(pilot, "You are Mira Sol.")
    again = start()
    async with again.run_test(size=SIZE) as pilot:
        await shows(pilot, "Where are your exports?", "my export  was read before")
        await pilot.press("escape")
        await shows(pilot, "Who are you?", "● Mira Sol")
    assert known() == (4, "Mira Sol")


async def test_an_export_whose_reading_was_killed_is_read_at_the_next_start(export: Path) -> None:
    FirstRun(names=["Mira Sol"], exports=[Export(path=str(export))], step=1).save()
    async with start().run_test(size=SIZE) as pilot:
        await shows(pilot, "slack: 5 imported", "You are Mira Sol.")
    assert written()["exports"][0]["done"]


async def test_other_names_given_later_are_settled_at_once(app: PersonaApp, export: Path) -> None:
    FirstRun(names=["Mira Sol"], exports=[Export(path=str(export))], step=1).save()
    async with start().run_test(size=SIZE) as pilot:
        await shows(pilot, "You are Mira Sol.")
        await pilot.press("escape")
        await shows(pilot, "Who are you?")
        await enter(pilot, "names", "Nobody Atall")
        await shows(pilot, "nobody in the archive is called Nobody Atall")
        await enter(pilot, "names", "Jonas Berg")
        await shows(pilot, "Where are your exports?")
    assert known() == (4, "Jonas Berg")


async def test_a_first_run_asks_only_an_empty_home(export: Path) -> None:
    with closing(open_memory(config.load())) as memory:
        assert first_run.pending(config.load()) == FirstRun()
        memory.ingest([export], me=["Mira Sol"])
    assert first_run.pending(config.load()) is None
    assert written()["finished"]


async def test_a_damaged_note_of_the_way_begins_it_anew(persona_home: Path) -> None:
    FirstRun(step=2).save()
    (paths.data_dir() / "first_run.json").write_text("{", encoding="utf-8")
    assert first_run.pending(config.load()) == FirstRun()


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="rights do not bind this user")
async def test_a_home_that_cannot_be_written_is_explained(persona_home: Path) -> None:
    persona_home.mkdir()
    persona_home.chmod(0o500)
    async with start().run_test(size=SIZE) as pilot:
        await pilot.press("ctrl+s")
        await shows(pilot, "PERSONA_HOME")


# The model


async def choose(pilot: Pilot[Any], name: str) -> None:
    """Take the model of this name from the list."""
    options = pilot.app.screen.query_one("#model OptionList", OptionList)
    await wait_until(pilot, lambda: options.option_count)
    prompts = [str(options.get_option_at_index(n).prompt) for n in range(options.option_count)]
    options.highlighted = next(n for n, prompt in enumerate(prompts) if prompt.split()[1] == name)
    await pilot.press("enter")


@pytest.fixture
def hub(tiny_model_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A hub with a model that really opens."""
    for variable in ("HF_HOME", "HF_HUB_CACHE", "HF_TOKEN", "OLLAMA_MODELS", "XDG_CACHE_HOME"):
        monkeypatch.delenv(variable, raising=False)
    with running_hub() as running:
        entry = models.catalogue()["qwen3-0.6b"]
        running.files[f"{entry.repo}/{entry.file}"] = tiny_model_path.read_bytes()
        monkeypatch.setenv("HF_ENDPOINT", running.url)
        yield running


async def test_a_model_from_the_hub_talks_in_the_end(hub: Hub) -> None:
    FirstRun(step=2).save()
    app = start()
    async with app.run_test(size=SIZE) as pilot:
        await shows(pilot, "suggested: ", "starter", "downloads 0.64 GB")
        await choose(pilot, "qwen3-0.6b")
        await shows(pilot, "tiny random qwen3", "Write a message")
    app.room.close()
    assert config.load().model.name == "qwen3-0.6b"
    assert written()["finished"]


async def test_a_download_is_stopped_and_goes_on_where_it_stopped(hub: Hub) -> None:
    hub.stall_at = 200_000
    FirstRun(step=2).save()
    app = start()
    async with app.run_test(size=SIZE) as pilot:
        await choose(pilot, "qwen3-0.6b")
        await wait_until(pilot, lambda: hub.served >= 200_000)
        await shows(pilot, "Downloading", "MB. Esc stops it")
        await pilot.press("escape")
        await shows(pilot, "Stopped. What has come is kept", "Which model fits")
        hub.stall_at = None
        await choose(pilot, "qwen3-0.6b")
        await shows(pilot, "tiny random qwen3")
    app.room.close()
    assert hub.starts[0] == 0
    assert hub.starts[-1] > 0


async def test_leaving_in_the_midst_of_a_download_waited_for_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    cancels: list[threading.Event] = []

    def pull(name: str, progress: object, cancel: threading.Event) -> None:
        cancels.append(cancel)
        cancel.wait(60)

    monkeypatch.setattr("persona.models.pull", pull)
    FirstRun(step=2).save()
    async with start().run_test(size=SIZE) as pilot:
        await choose(pilot, "qwen3-0.6b")
        await wait_until(pilot, lambda: cancels)
    assert cancels[0].is_set()


async def test_without_a_network_the_starter_is_one_choice_away(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    FirstRun(step=2).save()
    app = start()
    async with app.run_test(size=SIZE) as pilot:
        await choose(pilot, "qwen3-0.6b")
        await shows(pilot, "cannot be reached", "The starter needs no download")
        await choose(pilot, "starter")
        await shows(pilot, "starter model", "Write a message")
    app.room.close()
    assert config.load().model.name == "starter"
