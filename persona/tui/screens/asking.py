"""What the next message is asked with: the switches, who the user speaks as, the sampling."""

from typing import TYPE_CHECKING, get_args

from textual.reactive import reactive

from persona.chat.events import SamplingChanges, TurnRequest
from persona.config import Compression, Settings
from persona.tui.room import EngineRoom
from persona.tui.screens.keeping import KeepingScreen
from persona.tui.widgets.header import TwinHeader

if TYPE_CHECKING:
    from persona.chat.channels import Channel


class AskingScreen(KeepingScreen):
    """The options of a chat, and the requests they make. sampling, seed: for this run of the program only."""

    thinking = reactive(False)
    memory = reactive(True)
    compression: reactive[Compression] = reactive[Compression]("off")
    partner = reactive("")
    """Which of the owner's correspondents the user speaks as, "" for the owner."""
    channel: "reactive[Channel | None]" = reactive(None)
    """Where that correspondent writes, None where it is left open."""

    def __init__(self, room: EngineRoom, settings: Settings) -> None:
        super().__init__(room)
        self._settings = settings
        self.sampling: SamplingChanges = {}
        self.seed: int | None = None

    def _take_settings(self, settings: Settings) -> None:
        """Start from what the settings say."""
        self._settings = settings
        self.thinking, self.compression = settings.chat.thinking, settings.chat.compression
        self.memory = settings.memory.enabled

    @property
    def _header(self) -> TwinHeader:
        return self.query_one(TwinHeader)

    def _request(self, text: str) -> TurnRequest:
        return TurnRequest(
            text,
            session_id=self._session_id,
            thinking=self.thinking,
            compression=self.compression,
            memory=self.memory,
            correspondent=self.partner or None,
            channel=self.channel.id if self.partner and self.channel else None,
            sampling=self.sampling,
            seed=self.seed,
        )

    def action_toggle_thinking(self) -> None:
        """Let the model think before it answers, or not."""
        self.thinking = not self.thinking

    def action_toggle_memory(self) -> None:
        """Look things up in the archive, or not."""
        self.memory = not self.memory

    def action_cycle_compression(self) -> None:
        """The next way of folding old turns."""
        modes: tuple[Compression, ...] = get_args(Compression)
        self.compression = modes[(modes.index(self.compression) + 1) % len(modes)]

    def watch_thinking(self, on: bool) -> None:
        self._header.thinking = on

    def watch_memory(self, on: bool) -> None:
        self._header.memory = on

    def watch_compression(self, mode: Compression) -> None:
        self._header.compression = mode

    def watch_partner(self) -> None:
        where = f" in {self.channel.name}" if self.partner and self.channel else ""
        self._header.partner = self.partner + where

    def watch_channel(self) -> None:
        self.watch_partner()
