"""How the next tokens are drawn: a sheet of the model's own values and what is asked for instead."""

from dataclasses import dataclass

from textual.app import ComposeResult
from textual.containers import Grid, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Input, Label, Static

from persona.backends.base import Sampling
from persona.chat.events import SamplingChanges
from persona.tui import keys
from persona.tui.widgets.links import links


@dataclass(frozen=True, slots=True)
class Drawn:
    """What was asked for; nothing of it is kept after this run of the program."""

    sampling: SamplingChanges
    seed: int | None


_RANGES = {
    "temperature": (0.0, 5.0),
    "top_p": (0.0, 1.0),
    "top_k": (0, 1000),
    "min_p": (0.0, 1.0),
    "presence_penalty": (-2.0, 2.0),
    "seed": (0, 2**31 - 1),
}
_WHOLE = {"top_k", "seed"}


class SamplingScreen(ModalScreen[Drawn | None]):
    """An empty field leaves the model its own way. own: that way. now: what is asked for so far."""

    ACTIONS = keys.SAMPLING_ACTIONS
    BINDINGS = keys.bindings(keys.SAMPLING_ACTIONS)
    DEFAULT_CSS = """
    SamplingScreen { align: center middle; background: $background 70%; }
    SamplingScreen > VerticalScroll {
        width: 60; max-width: 96%; height: auto; max-height: 94%; background: $surface;
        border: round $primary; border-title-color: $primary; padding: 1;
        border-subtitle-color: $foreground 60%;
    }
    SamplingScreen Grid { grid-size: 2; grid-columns: 20 1fr; grid-rows: 1; height: auto; grid-gutter: 1 0; }
    SamplingScreen Input, SamplingScreen Input:focus { border: none; height: 1; padding: 0 1; }
    SamplingScreen .trouble { color: $error; height: auto; }
    """

    def __init__(self, own: Sampling, now: Drawn) -> None:
        super().__init__()
        self._own, self._now = own, now

    def compose(self) -> ComposeResult:
        with VerticalScroll(can_focus=False) as sheet:
            sheet.border_title = "sampling"
            take, leave = (keys.hint(self.app, id) for id in ("sampling.take", "sampling.close"))
            sheet.border_subtitle = links(
                (f"take it ({take})", "screen.take"), (f"leave it ({leave})", "screen.dismiss(None)")
            )
            with Grid():
                for name in _RANGES:
                    yield Label(name.replace("_", " "))
                    yield Input(self._value(name), placeholder=self._placeholder(name), id=name)
            yield Static(classes="trouble", markup=False)

    def _value(self, name: str) -> str:
        value = self._now.seed if name == "seed" else self._now.sampling.get(name)
        return "" if value is None else f"{value:g}"

    def _placeholder(self, name: str) -> str:
        return "another each time" if name == "seed" else f"{getattr(self._own, name):g}, the model's own"

    def on_input_submitted(self) -> None:
        self.action_take()

    def action_take(self) -> None:
        """Draw that way from now on, if every field holds what is allowed."""
        try:
            values = {name: read(name, self.query_one(f"#{name}", Input).value) for name in _RANGES}
        except ValueError as error:
            self.query_one(".trouble", Static).update(str(error))
            return
        seed = values.pop("seed")
        changes: SamplingChanges = {name: v for name, v in values.items() if v is not None}  # type: ignore[assignment]
        self.dismiss(Drawn(changes, None if seed is None else int(seed)))


def read(name: str, text: str) -> float | int | None:
    """The value of a field, None for an empty one. Raises ValueError saying what is allowed."""
    if not text.strip():
        return None
    low, high = _RANGES[name]
    said = (
        f"{name.replace('_', ' ')} is a {'whole ' if name in _WHOLE else ''}number from {low:g} to {high:g}"
    )
    try:
        value = int(text) if name in _WHOLE else float(text)
    except ValueError:
        raise ValueError(said) from None
    if not low <= value <= high:
        raise ValueError(said)
    return value
