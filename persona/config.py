"""Settings: a TOML file, `PERSONA_SECTION__KEY` in the environment over it, defaults under both."""

import os
import tomllib
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from persona import paths
from persona.errors import SettingsError

Compression = Literal["off", "extractive"]

_PREFIX = "PERSONA_"


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class ModelSettings(_Section):
    """Which model talks, and how the engine opens it."""

    name: str = "starter"
    """A catalogue name, or a path to a GGUF file."""

    context: int = Field(default=0, ge=0)
    """Context window in tokens; 0 takes the model's own, at most 8192."""

    threads: int = Field(default=0, ge=0)
    """CPU threads; 0 takes one for each physical core."""

    gpu_layers: int = Field(default=-1, ge=-1)
    """Layers on the GPU, where the engine was built for one; -1 takes all."""


class ChatSettings(_Section):
    """How a conversation is run."""

    thinking: bool = False
    """Let the model think before it answers."""

    compression: Compression = "extractive"
    """How turns above the high mark are folded: `off` drops the oldest from the prompt, `extractive`
    quotes their telling sentences."""

    high_mark: float = Field(default=0.75, gt=0, le=1)
    """Share of the history budget above which the oldest turns are folded."""

    low_mark: float = Field(default=0.4, gt=0, le=1)
    """Share of the history budget down to which they are folded."""

    reply_tokens: int = Field(default=512, ge=16)
    """Longest reply, thinking included, in tokens."""


class MemorySettings(_Section):
    """What the twin is shown of its archive."""

    enabled: bool = True
    """Retrieve memories for every turn."""

    budget_tokens: int = Field(default=600, ge=0, le=3000)
    """Most tokens of memories in one prompt."""

    embedding_model: str = ""
    """A sentence-transformers model name or folder; empty takes the bundled all-MiniLM-L6-v2."""


class TuiSettings(_Section):
    """The look of the app."""

    theme: str = "textual-dark"
    """A Textual theme name."""


class Settings(_Section):
    """All settings, one section each."""

    model: ModelSettings = ModelSettings()
    chat: ChatSettings = ChatSettings()
    memory: MemorySettings = MemorySettings()
    tui: TuiSettings = TuiSettings()


def load(file: Path | None = None) -> Settings:
    """The settings in force.

    Raises SettingsError naming the key, the file or variable, and what is allowed.
    """
    file = file or paths.config_file()
    layers = _read(file)
    for name, value in os.environ.items():
        if name.startswith(_PREFIX) and "__" in name:
            section, _, key = name.removeprefix(_PREFIX).lower().partition("__")
            layers.setdefault(section, {})[key] = value
    try:
        return Settings.model_validate(layers)
    except ValidationError as error:
        raise _explain(error, file) from None


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file} is not valid TOML: {error}", "mend the line it names") from None


def _explain(error: ValidationError, file: Path) -> SettingsError:
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        return SettingsError(f"unknown setting `{key}` in {file} or the environment", _allowed(first["loc"]))
    return SettingsError(
        f"setting `{key}` in {file} or the environment: {first['msg']}", _allowed(first["loc"])
    )


def _allowed(loc: tuple[int | str, ...]) -> str:
    """The names allowed beside `loc`."""
    section = Settings.model_fields.get(str(loc[0]))
    if section is None or len(loc) < 2:
        return "sections are: " + ", ".join(Settings.model_fields)
    fields = type(section.default).model_fields
    return f"keys of [{loc[0]}] are: " + ", ".join(fields)
