"""Reading exports while the chat is open, into the memory it has open. Knows nothing of Textual."""

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from knowledge.progress import Progress
from persona import paths
from persona.tui.door import Archive
from persona.tui.first_run_import import Stopped

if TYPE_CHECKING:
    from knowledge.memory import IngestResult
    from knowledge.people import Owner


class Importer:
    """As `first_run_import` reads, but into an archive that is open. Calls block."""

    def __init__(self, memory: Archive) -> None:
        self._memory = memory

    def read(
        self,
        path: Path,
        names: Sequence[str],
        progress: Callable[[Progress], object],
        stop: threading.Event,
    ) -> "IngestResult":
        """Import one path, and make the persona card anew. Raises Stopped once `stop` is set."""

        def heard(now: Progress) -> None:
            if stop.is_set():
                raise Stopped
            progress(now)

        result = self._memory.ingest([path], me=names, progress=heard)
        self._make_card()
        return result

    def settle_owner(self, names: Sequence[str]) -> "Owner":
        """Make whom `names` (or ids) mean the owner. Raises ArchiveError when that is nobody."""
        owner = self._memory.set_owner(names)
        self._make_card()
        return owner

    def _make_card(self) -> None:
        from persona.chat import card

        card.refresh(paths.card_file(), self._memory)
