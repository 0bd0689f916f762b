"""Base models: a GGUF this program knows, or a folder in Hugging Face form."""

import hashlib
import json
from pathlib import Path

from filelock import FileLock

from persona import models
from persona.errors import ModelError


def resolve(name_or_path: str) -> Path:
    """The GGUF file or the folder of a model. Raises ModelError when there is none, or it is no Qwen3."""
    path = Path(name_or_path).expanduser()
    if path.is_dir():
        if not (path / "config.json").is_file():
            raise ModelError(f"{path} holds no config.json", "give the folder of a model, or a GGUF file")
        kind = json.loads((path / "config.json").read_text(encoding="utf-8")).get("model_type")
        if kind != "qwen3":
            raise ModelError(
                f"{path.name} is a {kind} model: only Qwen3 can be trained so far", "take a Qwen3"
            )
        return path.resolve()
    return models.resolve(name_or_path)


def folder_template(folder: Path) -> str:
    """The chat template of a model in Hugging Face form. Raises ModelError when it has none."""
    file = folder / "chat_template.jinja"
    if file.is_file():
        return file.read_text(encoding="utf-8")
    settings = folder / "tokenizer_config.json"
    if settings.is_file():
        source = json.loads(settings.read_text(encoding="utf-8")).get("chat_template")
        if isinstance(source, str):
            return source
    raise ModelError(f"{folder} has no chat template", "choose a chat model (an Instruct one)")


def as_folder(model: Path) -> Path:
    """`model` in Hugging Face form: itself where it is a folder, else made from the GGUF once and kept."""
    if model.is_dir():
        return model
    from trainer.export.from_gguf import write_folder
    from trainer.folders import bases_dir

    stat = model.stat()
    mark = hashlib.sha256(f"{model.resolve()} {stat.st_size} {stat.st_mtime_ns}".encode()).hexdigest()[:12]
    folder = bases_dir() / f"{model.stem}-{mark}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    # processes that train together all come here first
    with FileLock(folder.with_suffix(".lock")):
        return folder if folder.is_dir() else write_folder(model, folder)
