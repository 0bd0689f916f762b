"""The other screens, as the chat opens them, and what the chat makes of what comes of them."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textual.message import Message

from knowledge.text import one_line, printable
from persona import config
from persona.config import Settings
from persona.tui import contrast
from persona.tui.calls import in_thread
from persona.tui.screens.help import HelpScreen
from persona.tui.screens.line import LineScreen
from persona.tui.screens.opening import OpeningScreen
from persona.tui.screens.pick import Pick, PickScreen

if TYPE_CHECKING:
    from persona.chat.channels import Channel
    from persona.tui.screens.sampling import Drawn

MYSELF = ""


def opened_with(settings: Settings) -> tuple[object, ...]:
    """What an engine takes from the settings when it is opened; the rest is looks, and other programs'."""
    return settings.model, settings.chat, settings.memory


class DoorsScreen(OpeningScreen):
    """Nothing here runs a turn."""

    _dropped: tuple[Path, ...] = ()
    """What waits to be offered to be read."""
    contrast: str = ""
    """What the second of two replies differs in, "" while there is one."""

    class SettingsChanged(Message):
        """The user changed settings; these are in force now."""

        def __init__(self, settings: Settings) -> None:
            super().__init__()
            self.settings = settings

    def action_help(self) -> None:
        """Show the help sheet."""
        self.app.push_screen(HelpScreen())

    # Who talks to whom

    def action_partner(self) -> None:
        """Speak as one of the owner's correspondents, or as oneself again."""
        if self._opened() is not None:
            self.app.push_screen(PickScreen("talk as", self._people), self._speak_as)

    def _people(self) -> list[Pick[str]]:
        assert self._room.engine is not None
        known = [p for p in self._room.engine.memory.people() if not p.is_self]
        myself = Pick(MYSELF, "yourself", "what you say is your own word")
        return [myself, *(Pick(p.name, p.name, f"{p.messages:,} messages") for p in known)]

    async def _speak_as(self, picked: Pick[str] | None) -> None:
        if picked is None or self._room.engine is None:
            return
        from persona.chat.channels import channels

        self.partner, self.channel = picked.value, None
        memory = self._room.engine.memory
        found = await in_thread(self, channels, memory, picked.value) if picked.value else []
        if found and len(found) > 1:
            anywhere: Pick[Channel | None] = Pick(None, "anywhere", "as everywhere")
            where: list[Pick[Channel | None]] = [Pick(c, c.name, f"{c.messages:,} messages") for c in found]
            self.app.push_screen(
                PickScreen(f"as {picked.value}, in", lambda: [anywhere, *where]), self._speak_in
            )

    def _speak_in(self, picked: "Pick[Channel | None] | None") -> None:
        if picked is not None:
            self.channel = picked.value

    async def action_draft(self) -> None:
        """Draft a reply to a message from somebody."""
        engine = self._opened()
        if engine is None or self._busy():
            return
        from persona.tui.screens.drafting import FIELDS, DraftScreen, place

        self._room.hush()
        written = await in_thread(self, lambda: {field: self._drafts.read(place(field)) for field in FIELDS})
        if written is not None:
            request = self._request(self._prompt.text)
            screen = DraftScreen(engine, request, self._drafts, written)
            self.app.push_screen(screen, self._drafted)

    def _drafted(self, session_id: str | None) -> None:
        self._idle()

    # Comparing

    def action_compare(self) -> None:
        """Have every message answered twice, or once again."""
        if self.contrast:
            self._contrast_with(Pick("", ""))
        else:
            self.app.push_screen(
                PickScreen("two replies that differ in", self._contrasts), self._contrast_with
            )

    def _contrasts(self) -> list[Pick[str]]:
        settings = [Pick(c, c) for c in contrast.contrasts(self._request(""))]
        return [*settings, *(Pick(c, c, about) for c, about in contrast.others(self._settings.model))]

    def _contrast_with(self, picked: Pick[str] | None) -> None:
        if picked is not None:
            self.contrast = self._header.contrast = picked.value
            self.run_worker(self._room.no_more_beside, thread=True, group="beside")

    async def _compare(self, text: str) -> None:
        """Answer `text` twice, blind."""
        from persona.tui.screens.compare import CompareScreen

        assert self._room.engine is not None
        self._unsent.send(text)
        self._note_draft()
        self._room.hush()
        used = self._settings
        arms = await in_thread(self, contrast.arms, self._request(text), self.contrast, used.model)
        if arms is None:
            self._compared(None)
            return
        order, sides = contrast.blind(arms)
        screen = CompareScreen(
            self._room.engine, order, sides, beside=self._room.beside, bubbles=used.tui.bubbles
        )
        self.app.push_screen(screen, self._compared)

    def _compared(self, session_id: str | None) -> None:
        if session_id is not None:
            self._unsent.sent()
            self._leave_for(session_id)
        else:
            self._give_back()

    # Model, sampling, settings

    def action_sampling(self) -> None:
        """How tokens are drawn, for this run of the program."""
        engine = self._opened()
        if engine is None:
            return
        from persona.tui.screens.sampling import Drawn, SamplingScreen

        own = engine.backend.default_sampling(self.thinking)
        self.app.push_screen(SamplingScreen(own, Drawn(self.sampling, self.seed)), self._draw)

    def _draw(self, drawn: "Drawn | None") -> None:
        if drawn is not None:
            self.sampling, self.seed = drawn.sampling, drawn.seed
            self.notify("The next reply is drawn that way.", markup=False)

    def action_model(self) -> None:
        """Choose the model that talks."""
        if self._busy():
            return
        from persona.tui.first_run import FirstRun
        from persona.tui.first_run_model import ModelStep
        from persona.tui.screens.steps import StepScreen

        self.app.push_screen(StepScreen(ModelStep(FirstRun(finished=True))), self._changed)

    async def action_adapter(self, name: str = "") -> None:
        """Lay another adapter over the model, the one of that name or path where one is given."""
        if (self._opening and self._opened() is None) or self._busy():
            return
        if name:
            await self._lay_on(Pick(name, name))
        else:
            self.app.push_screen(PickScreen("adapter", self._adapters), self._lay_on)

    def _adapters(self) -> list[Pick[str]]:
        from persona.models.adapters import NONE, adapters

        used = config.load().model
        found = [Pick(a.name, a.name, f"{a.base}  {a.path}".strip()) for a in adapters(used)]
        now = Path(used.adapter).name if used.adapter else NONE
        return [Pick(NONE, NONE, f"the model as it is; now: {now}"), *found]

    def _adapter_names(self) -> list[str]:
        return [pick.name for pick in self._adapters()]

    async def _lay_on(self, picked: Pick[str] | None) -> None:
        if picked is None:
            return
        from persona.models.adapters import lay_on

        before = config.load().model.adapter
        if await in_thread(self, lay_on, picked.value) not in (None, before):
            self._adapter_before = before
            await self._changed(True)

    def action_settings(self) -> None:
        """Every setting."""
        if self._busy():
            return
        from persona.tui.screens.settings import SettingsScreen

        self.app.push_screen(SettingsScreen(), self._set)

    async def _changed(self, changed: bool | None) -> None:
        """Go on with what was chosen: the model is opened anew."""
        if changed:
            self._take_settings(config.load())
            self.post_message(self.SettingsChanged(self._settings))
            await self._reopen()

    async def _set(self, changed: bool | None) -> None:
        """Go on with what was set; the model is opened anew only where that concerns it."""
        before, now = self._settings, config.load()
        if self._room.engine is None or opened_with(now) != opened_with(before):
            await self._changed(changed)
        elif changed:
            self._settings = now
            self.post_message(self.SettingsChanged(now))
            if now.tui.bubbles != before.tui.bubbles:
                self._leave_for(self._session_id)  # which shows it anew

    # Long jobs

    def action_import(self) -> None:
        """Read an export."""
        self._import(())

    def _import(self, dropped: tuple[Path, ...]) -> None:
        engine = self._opened()
        if engine is None or self._busy():
            return
        from persona.tui import first_run
        from persona.tui.first_run_exports import ExportsStep
        from persona.tui.importing import Importer
        from persona.tui.screens.steps import StepScreen

        self._room.hush()
        importer = Importer(engine.memory)
        step = ExportsStep(first_run.known(), importer.read, importer.settle_owner, dropped)
        self.app.push_screen(StepScreen(step), self._imported)

    def _take_dropped(self, dropped: tuple[Path, ...]) -> None:
        """Offer them to be read, now or as soon as nothing else is under way."""
        self._dropped += dropped
        if self._room.engine is not None and self._talk is None:
            self._at_rest()
            return
        names = ", ".join(one_line(printable(path.name)) for path in dropped)
        when = "the model is open" if self._room.engine is None else "the reply is there"
        self.notify(f"{names} can be read as soon as {when}.", markup=False)

    def _at_rest(self) -> None:
        dropped, self._dropped = self._dropped, ()
        if dropped:
            self._import(dropped)

    async def _imported(self, anything: bool | None) -> None:
        if anything:
            await self._reopen()
        else:
            self._idle()

    def action_training(self) -> None:
        """How the long jobs go, and what was chosen blind."""
        from persona.lab.ab import last
        from persona.tui.screens.training import TrainingScreen

        self.app.push_screen(TrainingScreen(lambda: self._room.indexing, self._tally, last.read))

    def _tally(self) -> dict[str, Any]:
        from persona.lab.ab.choices import ChoiceBook, tally

        return tally(ChoiceBook(self._sessions).all() if self._sessions is not None else [])

    # Out

    def action_export(self) -> None:
        """Write this chat into a file."""
        if self._session_id is None:
            self.notify("This chat is not begun yet.", markup=False)
            return
        name = "".join(c if c.isalnum() else "-" for c in self._chat_title).strip("-")[:40] or "chat"
        asked = LineScreen("export to (.md, .html or .json)", str(Path.home() / f"{name}.md"))
        self.app.push_screen(asked, self._export_to)

    async def _export_to(self, path: str | None) -> None:
        if path is None or self._sessions is None or self._session_id is None:
            return
        from persona.chat.exporting import export

        work = partial(export, self._sessions, self._session_id)
        written = await in_thread(self, work, Path(path).expanduser())
        if written is not None:
            self.notify(str(written), title="Written", markup=False)
