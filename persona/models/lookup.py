"""Models by name or path: finding the file, what it says of itself, choosing, opening, removing."""

import os
from pathlib import Path

from persona import config
from persona.backends.base import Backend, ModelInfo
from persona.backends.describe import describe, opened_context
from persona.backends.gguf_header import read_header
from persona.backends.transformers import adapter_folder, describe_folder, is_folder
from persona.config import ModelSettings
from persona.errors import ModelError
from persona.models.catalogue import STARTER, CatalogueEntry, catalogue, found


def is_server(name: str) -> bool:
    """Whether a model's name is the address of a server, `http://127.0.0.1:8000/v1#NAME`."""
    return name.startswith(("http://", "https://"))


def resolve(name_or_path: str) -> Path:
    """The GGUF file of a catalogue name, of a path, or of another program's name for it; a model's folder.

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
        f"`persona models pull {entry.name}` downloads it ({entry.size_gb:g} GB); without a network, bring "
        f"{entry.file} from huggingface.co/{entry.repo} into {entry.own_path.parent}",
    )


def known(name: str) -> CatalogueEntry:
    """A catalogue entry; raises ModelError when the name is unknown."""
    entry = catalogue().get(name.lower())
    if entry is None:
        raise ModelError(f"no model is called {name!r}", f"known names: {', '.join(catalogue())}")
    return entry


def info(path: Path) -> ModelInfo:
    """What the file says of itself, without loading its weights; `context` is what it would be opened
    with by default. Raises ModelError when it is no readable GGUF."""
    if is_folder(path):
        return describe_folder(path)
    header = read_header(path)
    return describe(header, path, opened_context(header, asked=0))


def use(name_or_path: str) -> Path:
    """Make a model the one that talks, from now on; its file. Raises ModelError as `resolve` and `info`."""
    path = resolve(name_or_path)
    info(path)
    named = name_or_path.lower() in catalogue()
    config.set_value("model.name", name_or_path.lower() if named else str(path))
    return path


def remove(name: str) -> list[Path]:
    """Delete a download and what is there of an unfinished one; the files deleted.

    Only our own copy: other programs' files stay. Raises ModelError when the name is unknown, the model
    is the starter or the one that talks, or there is nothing of it.
    """
    entry = known(name)
    if entry.name == STARTER:
        raise ModelError("the starter is part of the program", "it takes a few MB and is always there")
    if config.load().model.name == entry.name:
        raise ModelError(f"{entry.name} is the model that talks", "`persona models use starter` first")
    folder = entry.own_path.parent
    files = [path for path in (entry.own_path, *folder.glob(f"{entry.file}.*")) if path.is_file()]
    if not files:
        where = f"; its file is another program's: {entry.path}" if entry.available else ""
        raise ModelError(f"there is no download of {entry.name} to remove{where}", "`persona models list`")
    for file in files:
        file.unlink()
    return files


def open_backend(settings: ModelSettings) -> Backend:
    """The model the settings name, loaded: seconds for a large one. Raises ModelError."""
    if is_server(settings.name):
        from persona.backends.openai_compat import OpenAICompatBackend

        adapter(settings)
        return OpenAICompatBackend(settings.name)
    path = resolve(settings.name)
    if is_folder(path):
        from persona.backends.transformers import TransformersBackend

        return TransformersBackend(path, settings)
    from persona.backends.llama_cpp import LlamaCppBackend

    return LlamaCppBackend(path, settings)


def adapter(settings: ModelSettings) -> Path | None:
    """What the settings lay over their model: a GGUF over a GGUF, a PEFT folder over a folder; None for
    nothing. Raises ModelError when it is not there, or the model is a server's."""
    if is_server(settings.name):
        if settings.adapter:
            raise ModelError(
                "`model.adapter` is laid over a file, not over a server's model",
                "clear it, and have the server lay on the adapter under a name of its own",
            )
        return None
    if is_folder(resolve(settings.name)):
        return adapter_folder(settings)
    from persona.backends.llama_cpp import adapter_file

    return adapter_file(settings)


def _existing(text: str) -> Path:
    path = Path(text).expanduser()
    if path.is_file() or is_folder(path):
        return Path(os.path.abspath(path))
    elsewhere = next((model.path for model in found() if model.name == text), None)
    if elsewhere is not None:
        return elsewhere
    looks_like_path = path.suffix.lower() == ".gguf" or path.name != text
    what = f"there is no model file at {path}" if looks_like_path else f"no model is called {text!r}"
    raise ModelError(what, f"known names: {', '.join(catalogue())}; or give the path of a GGUF file")
