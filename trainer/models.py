"""Base models: a GGUF this program knows, or a folder in Hugging Face form."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from filelock import FileLock

from persona import models
from persona.backends.template import ChatTemplate
from persona.errors import ModelError
from trainer.architectures import FOLDERS, architecture

_TEXT_OF_GEMMA = {r"^language_model\.model": "model"}


def resolve(name_or_path: str) -> Path:
    """The GGUF file or the folder of a model. Raises ModelError for none, or one that cannot be trained."""
    path = Path(name_or_path).expanduser()
    if path.is_dir():
        architecture(path)
        return path.resolve()
    if repo := FOLDERS.get(name_or_path.lower()):
        raise ModelError(
            f"{name_or_path} is trained from its folder, not from a GGUF",
            f"`hf download {repo} --local-dir {name_or_path}` fetches it; then `--model ./{name_or_path}`",
        )
    return models.resolve(name_or_path)


def folder_template(folder: Path) -> str:
    """The chat template of a model in Hugging Face form. Raises ModelError when it has none."""
    file = folder / "chat_template.jinja"
    if file.is_file():
        return file.read_text(encoding="utf-8")
    source = _tokenizer_settings(folder).get("chat_template")
    if isinstance(source, str):
        return source
    raise ModelError(
        f"{folder} has no chat template",
        "choose a chat model (an Instruct one), or write one into the folder as chat_template.jinja",
    )


def folder_chat(folder: Path) -> ChatTemplate:
    """The template of a model in Hugging Face form, ready to render. Raises ModelError when it has none."""
    settings = _tokenizer_settings(folder)
    return ChatTemplate(
        folder_template(folder), bos=_token(settings, "bos_token"), eos=_token(settings, "eos_token")
    )


def load(folder: Path, **options: Any) -> Any:
    """The text model in `folder` under transformers. options: of `from_pretrained`."""
    from transformers import AutoModelForCausalLM, Gemma3ForCausalLM

    if architecture(folder).kind == "gemma3":
        # It comes with an eye that talk has no use for, and whose projections have the text model's names.
        return Gemma3ForCausalLM.from_pretrained(folder, key_mapping=_TEXT_OF_GEMMA, **options)
    return AutoModelForCausalLM.from_pretrained(folder, **options)


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


def _tokenizer_settings(folder: Path) -> dict[str, Any]:
    file = folder / "tokenizer_config.json"
    settings: dict[str, Any] = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    return settings


def _token(settings: Mapping[str, Any], name: str) -> str:
    """A special token's text; "" where the tokenizer has none."""
    token = settings.get(name) or ""
    return token if isinstance(token, str) else str(token["content"])
