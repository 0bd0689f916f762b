"""Adapters on this machine, and laying one over the model that talks."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from persona import config, paths
from persona.backends.gguf_header import read_header
from persona.backends.transformers import is_folder
from persona.config import ModelSettings
from persona.errors import ModelError, PersonaError, SettingsError
from persona.models.lookup import info, is_server, resolve

NONE = "none"
"""In place of an adapter's name: the model as it is."""

_KEY = "model.adapter"


@dataclass(frozen=True, slots=True)
class Adapter:
    """name: of the run that made it, else of its file. path: a LoRA file, or a PEFT folder. base: the
    architecture it was made for, "" where it does not say."""

    name: str
    path: Path
    base: str = ""


def adapters(model: ModelSettings) -> list[Adapter]:
    """The adapters of the form that this model takes, by name; the one in force is among them."""
    runs = paths.data_dir() / "training" / "runs"
    if _takes_folders(model):
        found = [
            Adapter(file.parent.parent.name, file.parent) for file in runs.glob("*/*/adapter_config.json")
        ]
    else:
        found = list(_files(runs))
    used = Path(model.adapter).expanduser().absolute() if model.adapter else None
    if used is not None and used not in (a.path for a in found):
        found.append(Adapter(used.stem, used))
    return sorted(found, key=lambda a: a.name)


def named(model: ModelSettings, name_or_path: str) -> str:
    """The value of `model.adapter` for an adapter's name, its path, or NONE.

    Raises ModelError when there is no such adapter, or its own header says that it fits another model.
    """
    if name_or_path == NONE:
        return ""
    known = {a.name: a.path for a in adapters(model)}
    path = known.get(name_or_path, Path(name_or_path).expanduser().absolute())
    if not path.exists():
        raise ModelError(
            f"there is no adapter `{name_or_path}`",
            f"there are: {', '.join([NONE, *known])}; or give the path of a file that `persona train export "
            "--lora` wrote",
        )
    _refuse_another_form(model, path)
    return str(path)


def lay_on(name_or_path: str) -> str:
    """Have the model talk with this adapter from now on; the value of `model.adapter`.

    Raises ModelError as `named` does, SettingsError where the environment has the last word.
    """
    shown = next(row for row in config.show() if row.key == _KEY)
    if shown.source == "environment":
        raise SettingsError(f"{shown.where} says which adapter is laid on", "unset it to choose one here")
    value = named(config.load().model, name_or_path)
    config.set_value(_KEY, value)
    return value


def _files(runs: Path) -> Iterator[Adapter]:
    """LoRA files; merged models beside them are told apart by name, for reading their headers takes long."""
    for file in runs.glob("*/*lora*.gguf"):
        try:
            header = read_header(file)
        except PersonaError:
            continue  # one that is being written
        if header.text("general.type") == "adapter":
            yield Adapter(file.stem.removesuffix("-lora"), file, header.text("general.architecture"))


def _refuse_another_form(model: ModelSettings, path: Path) -> None:
    """What can be told without loading anything. Shapes are left to the engine, which knows them."""
    if is_server(model.name):
        raise ModelError(
            "an adapter is laid over a file, not over a server's model",
            "have the server lay it on under a name of its own",
        )
    if _takes_folders(model):
        if not (path / "adapter_config.json").is_file():
            raise ModelError(f"{path.name} is no PEFT adapter", "a model's folder takes an adapter's folder")
        return
    header = read_header(path)
    base = info(resolve(model.name)).architecture
    made_for = header.text("general.architecture")
    if header.text("general.type") != "adapter":
        raise ModelError(f"{path.name} is no adapter but a model", "choose it as the model instead")
    if made_for != base:
        raise ModelError(
            f"the adapter {path.name} was made for {made_for or 'another model'}, and {model.name} is {base}",
            "an adapter fits only the model it was trained on: choose that model first",
        )


def _takes_folders(model: ModelSettings) -> bool:
    return not is_server(model.name) and is_folder(Path(model.name).expanduser())
