"""Models by name or path: the catalogue, what a GGUF file says of itself, and opening one."""

import tomllib
from dataclasses import dataclass
from pathlib import Path

from persona import config, paths
from persona.backends.base import Backend, ModelInfo
from persona.backends.describe import describe, opened_context
from persona.backends.gguf_header import read_header
from persona.config import ModelSettings
from persona.errors import ModelError

STARTER = "starter"


@dataclass(frozen=True, slots=True)
class CatalogueEntry:
    """A known model. sampling: its family in `persona.backends.sampling`.

    repo, file, size_gb and memory_gb (with a context of 8,192 tokens) are empty for the bundled one.
    """

    name: str
    about: str
    sampling: str
    repo: str = ""
    file: str = ""
    size_gb: float = 0.0
    memory_gb: float = 0.0

    @property
    def path(self) -> Path:
        """Where its file lies once it is there."""
        return paths.models_dir() / self.file if self.file else paths.starter_model()

    @property
    def available(self) -> bool:
        """Whether its file is there."""
        return self.path.is_file()


def catalogue() -> dict[str, CatalogueEntry]:
    """The known models by name, smallest first."""
    rows = tomllib.loads(paths.catalogue_file().read_text(encoding="utf-8"))
    return {name: CatalogueEntry(name=name, **row) for name, row in rows.items()}


def resolve(name_or_path: str) -> Path:
    """The GGUF file of a catalogue name or of a path.

    Raises ModelError when the name is unknown or its file is not there.
    """
    entry = catalogue().get(name_or_path.lower())
    if entry is None:
        return _existing(name_or_path)
    if entry.available:
        return entry.path
    if entry.name == STARTER:
        raise ModelError(
            f"the bundled starter model is missing ({entry.path})",
            "install the package again, or give the path of a GGUF file with --model",
        )
    raise ModelError(
        f"{entry.name} is not on this machine",
        f"download {entry.file} ({entry.size_gb:g} GB) from huggingface.co/{entry.repo} "
        f"into {entry.path.parent}, or give the path of a GGUF file",
    )


def info(path: Path) -> ModelInfo:
    """What the file says of itself, without loading its weights; `context` is what it would be opened
    with by default. Raises ModelError when it is no readable GGUF."""
    header = read_header(path)
    return describe(header, path, opened_context(header, asked=0))


def use(name_or_path: str) -> Path:
    """Make a model the one that talks, from now on; its file. Raises ModelError as `resolve` and `info`."""
    path = resolve(name_or_path)
    info(path)
    known = name_or_path.lower() in catalogue()
    config.set_value("model.name", name_or_path.lower() if known else str(path))
    return path


def open_backend(settings: ModelSettings) -> Backend:
    """The model the settings name, loaded: seconds for a large one. Raises ModelError."""
    from persona.backends.llama_cpp import LlamaCppBackend

    return LlamaCppBackend(resolve(settings.name), settings)


def _existing(text: str) -> Path:
    path = Path(text).expanduser()
    if path.is_file():
        return path.resolve()
    looks_like_path = path.suffix.lower() == ".gguf" or path.name != text
    what = f"there is no model file at {path}" if looks_like_path else f"no model is called {text!r}"
    raise ModelError(what, f"known names: {', '.join(catalogue())}; or give the path of a GGUF file")
