"""Settings: a TOML file, `PERSONA_SECTION__KEY` in the environment over it, defaults under both.

Every value knows where it came from, so that an error can name the file or the variable to mend.
"""

import ast
import inspect
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from persona import paths, whole_file
from persona.errors import SettingsError

Compression = Literal["off", "extractive", "abstractive"]

_PREFIX = "PERSONA_"


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ModelSettings(_Section):
    """Which model talks, and how the engine opens it."""

    name: str = Field(default="starter", min_length=1)
    """A catalogue name, a path to a GGUF file or to a model's folder (Hugging Face form), or an
    OpenAI-compatible server on this machine with the model's name: `http://127.0.0.1:8000/v1#NAME`."""

    context: int = Field(default=0, ge=0)
    """Context window in tokens; 0 takes the model's own, at most 8192."""

    threads: int = Field(default=0, ge=0)
    """CPU threads; 0 takes one for each physical core."""

    adapter: str = ""
    """A LoRA adapter as a GGUF file (`persona train export --lora`), laid over the model it was trained on;
    empty for none."""

    gpu_layers: int = Field(default=-1, ge=-1)
    """Layers on the GPU, where the engine was built for one; -1 takes as many as fit there."""

    kv_cache: Literal["auto", "f16", "q8_0", "q4_0"] = "auto"
    """How llama.cpp keeps what it has read: `q8_0` takes half of the memory of `f16`, and more time on a CPU;
    `q4_0` a quarter, and is less exact; `auto` takes `f16` where the model then fits into half of the memory
    (or onto the card), else `q8_0`."""

    speculative: Literal["off", "prompt_lookup"] = "off"
    """`prompt_lookup` lets llama.cpp guess words that stood before, as in quotes from memories, and judge
    several at once: the same replies, quicker where they quote, slower where guesses are wrong."""

    four_bit: bool = False
    """Load a model's folder (Hugging Face form) in 4 bits; needs a CUDA card and bitsandbytes."""


class ChatSettings(_Section):
    """How a conversation is run."""

    thinking: bool = False
    """Let the model think before it answers."""

    compression: Compression = "extractive"
    """How turns above the high mark are folded: `off` drops the oldest from the prompt, `extractive`
    quotes their telling sentences, `abstractive` lets the model summarise them."""

    history_tokens: int = Field(default=1400, ge=128)
    """Most tokens of summaries and turns that a prompt shows while compression is on; the rest is found again
    when it is asked for. Every token read makes the first word of a reply come later."""

    high_mark: float = Field(default=0.75, gt=0, le=1)
    """Share of the history budget above which the oldest turns are folded."""

    low_mark: float = Field(default=0.4, gt=0, le=1)
    """Share of the history budget down to which they are folded; below `high_mark`."""

    reply_tokens: int = Field(default=512, ge=16)
    """Longest reply, thinking included, in tokens."""

    @model_validator(mode="after")
    def _marks_in_order(self) -> "ChatSettings":
        if self.low_mark >= self.high_mark:
            raise ValueError("low_mark must be below high_mark")
        return self


class MemorySettings(_Section):
    """What the twin is shown of its archive."""

    enabled: bool = True
    """Retrieve memories for every turn."""

    budget_tokens: int = Field(default=600, ge=0, le=3000)
    """Most tokens of memories in one prompt."""

    patience_seconds: float = Field(default=4, ge=0, le=600)
    """Longest time that reading memories may take, by the speed of the turns before: a slow machine is shown
    fewer of them; 0 shows as many everywhere, and so does a turn with a seed."""

    model_facts: bool = False
    """Let the model, too, look for facts in turns that were folded, at idle time; what its turn does not hold
    is dropped. Facts that rules find are kept in any case."""

    style_tokens: int = Field(default=0, ge=0, le=1000)
    """Most tokens of your own replies to similar messages, shown as examples of how you write; 0 for none."""

    embedding_model: str = ""
    """A sentence-transformers model name or folder; empty takes the bundled all-MiniLM-L6-v2."""

    reranker: str = ""
    """A sentence-transformers cross-encoder by name or folder, which reads the thirty best matches beside the
    question and orders them anew, at a cost to every search; empty for none. None comes with the program and
    none was measured with it: `persona eval locomo FILE` takes figures of yours."""

    chroma_server: str = ""
    """A Chroma server on this machine that holds the vectors, `http://127.0.0.1:8000`; empty keeps them in
    files."""


class TuiSettings(_Section):
    """The look of the app."""

    theme: str = "persona-dark"
    """`persona-dark`, `persona-light`, `persona-contrast`, any theme of Textual, or one of yours: a file
    `themes/NAME.toml` beside this one, with the colours of a Textual theme."""

    plain: bool = False
    """No frames, bars or movement, and words in place of signs: for screen readers and slow terminals."""

    bubbles: bool = True
    """A reply of several plain lines is shown as several messages in a row, as a twin writes that learned
    from such messages; off shows one message."""

    keys: dict[str, str] = {}
    """Other keys for actions, by their ids: `keys = {"chat.new" = "ctrl+b"}`, or in one
    line `chat.new=ctrl+b, chat.glass=f6`."""

    @field_validator("keys", mode="before")
    @classmethod
    def _from_one_line(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        parts = [part.partition("=") for part in value.split(",") if part.strip()]
        if any(not sign for _, sign, _ in parts):
            raise ValueError("write it as id=key, id=key")
        return {id.strip(): key.strip() for id, _, key in parts}


class ServerSettings(_Section):
    """How `persona serve` listens, and what it bears. Its token is no setting: see `.env.example`."""

    host: str = Field(default="127.0.0.1", min_length=1)
    """Address to listen on; any but this machine's own needs PERSONA_SERVE_TOKEN."""

    port: int = Field(default=8008, ge=0, le=65535)
    """Port to listen on; 0 takes a free one."""

    body_kb: int = Field(default=1024, ge=1, le=65536)
    """Largest request body, in units of 1,024 bytes."""

    queue: int = Field(default=64, ge=0, le=4096)
    """Most requests that wait for the model while it answers another; more are refused with 429."""

    wait_seconds: float = Field(default=60, gt=0)
    """Longest wait for the model's attention, then 503."""

    reply_seconds: float = Field(default=600, gt=0)
    """Longest time one reply may take; it is cut off there."""


class TrainSettings(_Section):
    """What training and its export use."""

    force_cpu: bool = False
    """Leave the GPU alone."""

    max_vram_gb: float = Field(default=0, ge=0)
    """Take no more GPU memory than this; 0 takes what there is."""

    converter: str = ""
    """Path of llama.cpp's `convert_hf_to_gguf.py`, for models other than Qwen3; empty looks on PATH."""


class Settings(_Section):
    """All settings, one section each."""

    model: ModelSettings = ModelSettings()
    chat: ChatSettings = ChatSettings()
    memory: MemorySettings = MemorySettings()
    tui: TuiSettings = TuiSettings()
    server: ServerSettings = ServerSettings()
    train: TrainSettings = TrainSettings()


Source = Literal["default", "file", "environment"]


@dataclass(frozen=True, slots=True)
class Shown:
    """One setting in force. key: `section.name`. where: the file or the variable, "" for a default."""

    key: str
    value: Any
    source: Source
    where: str
    help: str


def load(file: Path | None = None) -> Settings:
    """The settings in force.

    Raises SettingsError naming the key, the file or variable, and what is allowed.
    """
    settings, _ = _load(file or paths.config_file())
    return settings


def show(file: Path | None = None) -> list[Shown]:
    """Every setting in force and where it came from; raises SettingsError as `load` does."""
    file = file or paths.config_file()
    settings, origin = _load(file)
    rows = []
    for section_name, section in settings:
        told = meanings(type(section))
        for name in type(section).model_fields:
            key = f"{section_name}.{name}"
            where = origin.get(key, "")
            source: Source = "default" if not where else "file" if where == str(file) else "environment"
            rows.append(Shown(key, getattr(section, name), source, where, told[name]))
    return rows


def set_value(key: str, value: str, file: Path | None = None) -> Any:
    """Write one setting (`section.name`) into the file, keeping its comments; the value as stored.

    The file is replaced in one step, and only when the settings in it are valid afterwards.
    Raises SettingsError naming the key, the file and what is allowed.
    """
    import tomlkit

    file = file or paths.config_file()
    section, _, name = key.partition(".")
    layer = _read(file)
    layer[section] = {**_table(layer, section, str(file)), name: value}
    stored = getattr(getattr(_validate(layer, {}, file), section), name)

    document = tomlkit.parse(file.read_text(encoding="utf-8") if file.exists() else "")
    if section not in document:
        document[section] = tomlkit.table()
    document[section][name] = stored
    _replace(file, tomlkit.dumps(document).rstrip("\n") + "\n")
    return stored


def over(settings: Settings, changes: Mapping[str, Mapping[str, Any]], file: Path) -> Settings:
    """`settings` with `changes`, by section, laid over them. file: where they came from, for errors.

    Raises SettingsError as `load` does.
    """
    layer: dict[str, Any] = settings.model_dump()
    for section, values in changes.items():
        layer[section] = {**layer.get(section, {}), **values}
    return _validate(layer, {}, file)


def _load(file: Path) -> tuple[Settings, dict[str, str]]:
    layer = _read(file)
    origin = {
        f"{section}.{name}": str(file)
        for section, table in layer.items()
        if isinstance(table, Mapping)
        for name in table
    }
    for variable in sorted(os.environ):
        if variable.startswith(_PREFIX) and "__" in variable:
            section, _, name = variable.removeprefix(_PREFIX).lower().partition("__")
            origin[f"{section}.{name}"] = variable
            layer[section] = {**_table(layer, section, str(file)), name: os.environ[variable]}
    return _validate(layer, origin, file), origin


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise SettingsError(f"{file} cannot be read: {error.strerror}", "make it a readable file") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file} is not valid TOML: {error}", "mend the line it names") from None


def _table(layer: Mapping[str, Any], section: str, where: str) -> Mapping[str, Any]:
    table = layer.get(section, {})
    if not isinstance(table, Mapping):
        raise SettingsError(f"`{section}` in {where} must be a section", f"write it as [{section}]")
    return table


def _validate(layer: Mapping[str, Any], origin: Mapping[str, str], file: Path) -> Settings:
    try:
        return Settings.model_validate(layer)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        where = origin.get(key) or next((w for k, w in origin.items() if k.startswith(f"{key}.")), str(file))
        unknown = first["type"] == "extra_forbidden"
        problem = "unknown setting" if unknown else first["msg"].removeprefix("Value error, ")
        raise SettingsError(f"setting `{key}` in {where}: {problem}", _hint(first["loc"])) from None


def _hint(loc: tuple[int | str, ...]) -> str:
    """What may stand at `loc`: the sections, the names in one, or the meaning of one setting."""
    section = Settings.model_fields.get(str(loc[0]))
    if section is None:
        return "sections are: " + ", ".join(Settings.model_fields)
    fields = type(section.default).model_fields
    if len(loc) > 1 and loc[1] in fields:
        return f"its meaning: {meanings(type(section.default))[str(loc[1])]}"
    return f"keys of [{loc[0]}] are: " + ", ".join(fields)


def meanings(section: type[BaseModel]) -> dict[str, str]:
    """What the source says under each setting.

    pydantic would read it for every section when the program starts (`use_attribute_docstrings`).
    """
    (body,) = ast.parse(inspect.getsource(section)).body
    assert isinstance(body, ast.ClassDef)
    return {
        setting.target.id: " ".join(text.split())
        for setting, under in pairwise(body.body)
        if isinstance(setting, ast.AnnAssign) and isinstance(setting.target, ast.Name)
        if isinstance(under, ast.Expr) and isinstance(under.value, ast.Constant)
        if isinstance(text := under.value.value, str)
    }


def _replace(file: Path, text: str) -> None:
    try:
        whole_file.replace(file, text)
    except OSError as error:
        raise SettingsError(
            f"{file} cannot be written: {error.strerror}", "check the folder's rights"
        ) from None
