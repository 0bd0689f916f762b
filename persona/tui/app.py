"""The app itself: themes, keys, the one screen, the palette. What it does is in the modules beside it."""

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from textual.app import App, SystemCommand
from textual.filter import LineFilter
from textual.screen import Screen

from persona import config, paths
from persona.config import Settings
from persona.errors import PersonaError
from persona.tui import commands, keys, themes
from persona.tui.clocks import Clocks
from persona.tui.door import Opener
from persona.tui.first_run import FirstRun
from persona.tui.plain import Plain
from persona.tui.room import EngineRoom
from persona.tui.screens.chat import ChatScreen
from persona.tui.widgets.header import NARROW

if TYPE_CHECKING:
    from persona.chat.store import SessionStore


class PersonaApp(App[None], inherit_bindings=False):
    """A chat with a twin.

    opener: opens the engine, in a worker thread and only after the first paint.
    questions: offered in an empty chat. session_id: the chat to resume, or LATEST. clocks: for tests.
    first_run: leads to the chat first. sessions: opens the chats for what is written, those of this home.
    """

    TITLE = "Persona"
    ACTIONS = keys.APP_ACTIONS
    BINDINGS = keys.bindings(keys.APP_ACTIONS)
    HORIZONTAL_BREAKPOINTS = [  # noqa: RUF012 (Textual has no ClassVar here)
        (0, "-narrow"),
        (NARROW, "-wide"),
    ]
    """Classes of every screen, by its width in cells."""

    def __init__(
        self,
        opener: Opener,
        *,
        settings: Settings,
        questions: Sequence[str] = (),
        session_id: str | None = None,
        clocks: Clocks | None = None,
        first_run: FirstRun | None = None,
        sessions: "Callable[[], SessionStore] | None" = None,
    ) -> None:
        super().__init__()
        self.room = EngineRoom(opener, sessions)
        self.remapped: dict[str, str] = {}
        self._given_theme = ""
        self._plain = Plain(enabled=False)
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
        self._look_as(self._settings)

    def on_doors_screen_settings_changed(self, event: ChatScreen.SettingsChanged) -> None:
        self._look_as(event.settings)

    def get_line_filters(self) -> Sequence[LineFilter]:
        """What is done to every line before it is shown."""
        return [*super().get_line_filters(), *([self._plain] if self._plain.enabled else [])]

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """Every action of the screen, then what Textual has to offer."""
        ours = list(commands.palette(screen))
        yield from ours
        taken = {command.title for command in ours}
        for command in super().get_system_commands(screen):
            if command.title not in taken:
                yield command

    def _look_as(self, settings: Settings) -> None:
        """Take theme, keys and the plain look from the settings; what is wrong in them is said."""
        look = settings.tui
        own, broken = themes.read(paths.config_file().parent / "themes")
        for theme in own:
            self.register_theme(theme)
        for error in broken:
            self._warn(error.message, error.hint)
        found = look.theme in self.available_themes
        if not found:
            self._warn(f"There is no theme “{look.theme}”.")
        self._given_theme = look.theme if found else themes.DEFAULT
        self.theme = self._given_theme
        self.remapped = {id: key for id, key in look.keys.items() if id in keys.BY_ID}
        for id in look.keys.keys() - self.remapped.keys():
            sheet = keys.hint(self, "chat.help").capitalize()
            self._warn(f"There is no action “{id}” to give a key to.", f"{sheet} names the keys")
        self.set_keymap(self.remapped)
        self._plain.enabled = look.plain
        self.animation_level = "none" if look.plain else "full"
        self.refresh(layout=True)

    def watch_theme(self, name: str) -> None:
        """A theme that was picked, rather than read from the settings, is kept in them."""
        if self._given_theme not in ("", name):
            self._given_theme = name
            try:
                config.set_value("tui.theme", name)
            except PersonaError as error:
                self._warn(error.message, error.hint)

    def _warn(self, title: str, hint: str = "") -> None:
        self.notify(hint or title, title=title if hint else "", severity="warning", markup=False)
