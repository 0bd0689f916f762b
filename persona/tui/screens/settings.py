"""Every setting with its meaning. The form is made from the schema, so it is never behind it."""

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widget import Widget
from textual.widgets import Footer, Input, Label, Select, Static, Switch

from knowledge.text import printable
from persona import config
from persona.errors import PersonaError
from persona.tui import keys
from persona.tui.fields import Field, fields, written


class SettingRow(Vertical):
    """One setting: its name, a control, its meaning, and what is wrong with what was entered."""

    DEFAULT_CSS = """
    SettingRow { height: auto; margin: 0 0 1 0; }
    SettingRow Horizontal { height: 1; }
    SettingRow Label { width: 24; }
    SettingRow Input, SettingRow Input:focus, SettingRow Switch, SettingRow Switch:focus {
        border: none; height: 1; padding: 0; width: 1fr;
    }
    SettingRow Switch { width: auto; }
    SettingRow Select { width: 1fr; height: 1; }
    SettingRow Static { color: $foreground 60%; height: auto; padding: 0 0 0 2; }
    SettingRow .trouble { color: $error; display: none; }
    """

    def __init__(self, field: Field) -> None:
        super().__init__()
        self._field = field
        self._stored = field.value

    def compose(self) -> ComposeResult:
        with Horizontal():
            yield Label(self._field.key.partition(".")[2].replace("_", " "))
            yield self._control()
        note = f" ({self._field.note})" if self._field.note else ""
        yield Static(self._field.help + note, markup=False)
        yield Static(classes="trouble", markup=False)

    def _control(self) -> Widget:
        field = self._field
        if field.kind == "switch":
            return Switch(field.value == "true", animate=False)
        if field.kind == "choice":
            return Select([(c, c) for c in field.choices], value=field.value, allow_blank=False, compact=True)
        return Input(field.value)

    def on_switch_changed(self, event: Switch.Changed) -> None:
        self._store("true" if event.value else "false")

    def on_select_changed(self, event: Select.Changed) -> None:
        self._store(str(event.value))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        self._store(event.value)

    def on_input_blurred(self, event: Input.Blurred) -> None:
        self._store(event.value)

    def _store(self, value: str) -> None:
        """Into the file at once; what it does not allow is said, and nothing is changed."""
        if value == self._stored:
            return
        trouble = self.query_one(".trouble", Static)
        try:
            self._stored = written(config.set_value(self._field.key, value))
        except PersonaError as error:
            trouble.update(printable(error.message))
            trouble.display = True
            return
        trouble.display = False
        self.screen.notify(f"{self._field.key} = {self._stored}", markup=False, timeout=2)


class SettingsScreen(ModalScreen[bool]):
    """Dismissed with whether anything was changed. before: the settings as they are in force."""

    ACTIONS = keys.SETTINGS_ACTIONS
    BINDINGS = keys.bindings(keys.SETTINGS_ACTIONS)
    DEFAULT_CSS = """
    SettingsScreen { background: $background; }
    SettingsScreen > VerticalScroll {
        height: 1fr; padding: 0 1; border: round $primary; border-title-color: $primary;
        border-subtitle-color: $foreground 60%;
    }
    SettingsScreen .heading { color: $secondary; text-style: bold; margin: 1 0; }
    SettingsScreen Footer { background: $surface; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._before = _values(fields())

    def compose(self) -> ComposeResult:
        with VerticalScroll(can_focus=False) as page:
            page.border_title = "settings"
            page.border_subtitle = "kept in config.toml as soon as they are entered"
            section = ""
            for field in fields():
                if (name := field.key.partition(".")[0]) != section:
                    section = name
                    yield Static(section, classes="heading", markup=False)
                yield SettingRow(field)
        yield Footer(compact=True)

    def action_close(self) -> None:
        """Back to the chat, which goes on with what was set."""
        self.set_focus(None)  # a field that is left stores what is in it
        self.call_after_refresh(self._dismiss)

    def _dismiss(self) -> None:
        self.dismiss(_values(fields()) != self._before)


def _values(known: Sequence[Field]) -> dict[str, str]:
    return {field.key: field.value for field in known}
