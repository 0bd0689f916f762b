"""The models known by name, and where each one's file is."""

import tomllib
from dataclasses import dataclass
from pathlib import Path

from persona import paths
from persona.models import stores

STARTER = "starter"


@dataclass(frozen=True, slots=True)
class CatalogueEntry:
    """A known model. family: who made it; sampling: its family in `persona.backends.sampling`.

    bytes: the file's exact size. memory_gb: with a context of 8,192 tokens, or its own where that is
    shorter. repo, file, bytes and memory_gb are empty for the bundled one.
    """

    name: str
    about: str
    family: str
    sampling: str
    repo: str = ""
    file: str = ""
    bytes: int = 0
    memory_gb: float = 0.0

    @property
    def size_gb(self) -> float:
        """The file's size in GB (10^9 bytes), rounded."""
        return round(self.bytes / 1e9, 2)

    @property
    def own_path(self) -> Path:
        """Where a download of it goes."""
        return paths.models_dir() / self.file if self.file else paths.starter_model()

    @property
    def path(self) -> Path:
        """Where its file is: among our own, else in another program's store, else where it will be."""
        own = self.own_path
        if own.is_file() or not self.file:
            return own
        return stores.holding(self.file, self.bytes) or own

    @property
    def available(self) -> bool:
        """Whether its file is on this machine."""
        return self.path.is_file()


def catalogue() -> dict[str, CatalogueEntry]:
    """The known models by name: the starter, Qwen3 smallest first, other families smallest first."""
    rows = tomllib.loads(paths.catalogue_file().read_text(encoding="utf-8"))
    return {name: CatalogueEntry(name=name, **row) for name, row in rows.items()}


def found() -> list[stores.FoundModel]:
    """The models of other programs that can talk and that no catalogue name stands for."""
    named = {(entry.file, entry.bytes) for entry in catalogue().values()}
    return [
        model
        for model in stores.installed()
        if (model.path.name, model.size_bytes) not in named and stores.can_talk(model.path)
    ]
