"""How model and stores are opened, anew when something changed, and what is said when that fails."""

from functools import partial

from persona import config
from persona.errors import PersonaError
from persona.tui.basket import Basket
from persona.tui.calls import in_thread
from persona.tui.room import Opened, OpeningFailed, Progressed
from persona.tui.screens.branching import BranchingScreen
from persona.tui.widgets.header import model_line
from persona.tui.widgets.messages import ErrorPanel, Notice
from persona.tui.widgets.welcome import OpeningProgress

NOTHING_KNOWN = PersonaError(
    "it knows nothing of you yet",
    "`persona chat --set-up` reads your exports and asks which messages are yours, and so do `persona "
    "ingest PATH` and `persona people me NAME`; `persona demo` shows a sample twin",
)


class OpeningScreen(BranchingScreen):
    """`_wanted` is the chat to open with, by its id."""

    _wanted: str | None = None
    _adapter_before: str | None = None
    """The adapter to go back to where the one just chosen does not fit."""
    _refused: PersonaError | None = None

    def _open(self) -> None:
        work = partial(self._room.open, self._wanted, self._room.quiet(), self.post_message)
        self.run_worker(work, thread=True, group="open", exclusive=True)

    @property
    def _opening(self) -> bool:
        return any(w.group == "open" and w.is_running for w in self.workers)

    async def _reopen(self) -> None:
        """Open model and stores anew, and this chat in them."""
        self._room.hush()
        self._wanted = self._session_id
        self._basket = Basket()
        self._header.model = "opening…"
        await self.query(ErrorPanel).remove()
        await self._page.add(OpeningProgress())
        hushed = self._room.quiet()

        work = partial(self._room.reopen, self._wanted, hushed, self.post_message)
        self.run_worker(work, thread=True, group="open", exclusive=True)

    def on_progressed(self, event: Progressed) -> None:
        for progress in self.query(OpeningProgress):
            progress.show(event.stage, event.done, event.total)

    async def on_opened(self, event: Opened) -> None:
        engine, self._adapter_before = event.engine, None
        self._header.twin = engine.card.name or "Persona"
        self._header.model = model_line(engine.backend.info)
        await self.query(OpeningProgress).remove()
        await self.query(Notice).remove()
        if not engine.card.text:
            await self._page.add(Notice(NOTHING_KNOWN))
        if event.past.session is not None or self._wanted is not None:
            await self._show(event.past)
        for error in (event.error, self._refused):
            if error is not None:
                await self._page.add(ErrorPanel(error))
        self._refused = None
        if self._unsent.sending:
            await self._send(self._unsent.sent())
        else:
            self._at_rest()

    async def on_opening_failed(self, event: OpeningFailed) -> None:
        await self.query(OpeningProgress).remove()
        if await self._took_back(event.error):
            return
        self._header.model = "no model is open"
        await self._page.add(ErrorPanel(event.error))
        self._give_back()

    async def action_retry_opening(self) -> None:
        """Try again after the engine could not be opened."""
        if self._room.engine is None and not self._opening:
            await self.query(ErrorPanel).remove()
            self._header.model = "opening…"
            await self._page.add(OpeningProgress())
            self._open()

    async def _took_back(self, error: PersonaError) -> bool:
        """Whether an adapter was just chosen, which does not fit: the one before is laid on again."""
        if self._adapter_before is None:
            return False
        before, self._adapter_before = self._adapter_before, None
        self._refused = error
        await in_thread(self, config.set_value, "model.adapter", before)
        await self._reopen()
        return True
