"""The app itself: themes, the one screen, the palette. What it does is in the modules beside it."""

from collections.abc import Iterable, Sequence
from typing import Any

from textual.app import App, SystemCommand
from textual.screen import Screen

from persona.config import Settings
from persona.tui import commands, themes
from persona.tui.clocks import Clocks
from persona.tui.door import Opener
from persona.tui.first_run import FirstRun
from persona.tui.room import EngineRoom
from persona.tui.screens.chat import ChatScreen


class PersonaApp(App[None]):
    """A chat with a twin.

    opener: opens the engine, in a worker thread and only after the first paint.
    questions: offered in an empty chat. session_id: the chat to resume, or LATEST. clocks: for tests.
    first_run: leads to the chat first.
    """

    TITLE = "Persona"

    def __init__(
        self,
        opener: Opener,
        *,
        settings: Settings,
        questions: Sequence[str] = (),
        session_id: str | None = None,
        clocks: Clocks | None = None,
        first_run: FirstRun | None = None,
    ) -> None:
        super().__init__()
        self.room = EngineRoom(opener)
        self._first_run = first_run
        self._settings = settings
        self._chat = ChatScreen(self.room, settings, questions, session_id, clocks)
        for theme in themes.THEMES:
            self.register_theme(theme)

    def get_default_screen(self) -> Screen[Any]:
        """The chat; nothing yet where a first run leads to it."""
        return self._chat if self._first_run is None else Screen()

    def on_first_run_screen_finished(self) -> None:
        self.switch_screen(self._chat)

    def on_mount(self) -> None:
        if self._first_run is not None:
            from persona.tui.first_run_screen import FirstRunScreen

            self.push_screen(FirstRunScreen(self._first_run))
        wanted = self._settings.tui.theme
        if wanted in self.available_themes:
            self.theme = wanted
        else:
            self.theme = themes.DEFAULT
            self.notify(f"There is no theme “{wanted}”.", severity="warning", markup=False)

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """Every action of the screen, then what Textual has to offer."""
        ours = list(commands.palette(screen))
        yield from ours
        taken = {command.title for command in ours}
        for command in super().get_system_commands(screen):
            if command.title not in taken:
                yield command
