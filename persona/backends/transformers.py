"""The transformers engine: a model's folder in Hugging Face form, with a PEFT adapter and in 4 bits if asked.

For what has no GGUF: a training's checkpoint, or a model whose architecture llama.cpp does not know. A GGUF
is quicker on a CPU. Nothing is downloaded, and no code that lies in the folder is run.
"""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from persona.backends.base import ModelInfo
from persona.backends.describe import DEFAULT_CONTEXT
from persona.backends.local import LocalBackend
from persona.backends.template import ChatTemplate
from persona.backends.tokens import TURN_ENDS
from persona.config import ModelSettings
from persona.errors import ModelError

_CONFIG, _ADAPTER = "config.json", "adapter_config.json"


def adapter_folder(settings: ModelSettings) -> Path | None:
    """The PEFT adapter's folder, None for no adapter. Raises ModelError when it is not there."""
    if not settings.adapter:
        return None
    path = Path(settings.adapter).expanduser().absolute()
    if not (path / _ADAPTER).is_file():
        raise ModelError(
            f"there is no PEFT adapter at {path}",
            "over a model's folder goes an adapter's folder, as `persona train run` leaves one; a GGUF goes"
            " over a GGUF; else clear `model.adapter`",
        )
    return path


def is_folder(path: Path) -> bool:
    """Whether `path` is a model's folder."""
    return (path / _CONFIG).is_file()


def describe_folder(folder: Path, asked_context: int = 0) -> ModelInfo:
    """What the folder says of its model, without loading it. Raises ModelError when it cannot be read."""
    try:
        config = json.loads((folder / _CONFIG).read_text(encoding="utf-8"))
        own = int(config.get("max_position_embeddings") or DEFAULT_CONTEXT)
        architecture = str(config.get("model_type", ""))
    except (OSError, ValueError, AttributeError) as error:
        raise ModelError(
            f"{folder / _CONFIG} cannot be read: {type(error).__name__}", "save the model again"
        ) from None
    size = sum(file.stat().st_size for file in folder.glob("*.safetensors"))
    return ModelInfo(
        name=folder.name,
        architecture=architecture,
        parameters=0,
        context=min(asked_context, own) if asked_context else min(own, DEFAULT_CONTEXT),
        path=str(folder),
        details={
            "quantisation": str(config.get("dtype") or config.get("torch_dtype") or "unknown"),
            "context_length": str(own),
            "chat_template": "yes",
            "size_bytes": str(size),
        },
    )


class TransformersBackend(LocalBackend):
    """A model's folder under transformers; keeps the `Backend` contract, but for JSON schemas.

    Raises ModelError when it cannot be read, has no chat template, or does not fit.
    """

    def __init__(self, folder: Path, settings: ModelSettings) -> None:
        from persona.backends import torch_engine

        info = describe_folder(folder, settings.context)
        adapter = adapter_folder(settings)
        try:
            tokenizer = _tokenizer(folder)
            model = torch_engine.load(
                folder, adapter=adapter, four_bit=settings.four_bit, gpu=settings.gpu_layers != 0
            )
        except (OSError, ValueError, RuntimeError, ImportError, KeyError) as error:
            raise ModelError(
                f"transformers cannot open {folder.name}: {error}",
                "the folder may be incomplete, or too large for memory; an adapter fits only its own model",
            ) from error
        source = tokenizer.chat_template
        if not isinstance(source, str):
            raise ModelError(f"{folder.name} has no chat template", "choose a chat model")
        engine = torch_engine.TorchEngine(model, tokenizer)
        special = {str(token): id for id, token in tokenizer.added_tokens_decoder.items()}

        def encode(text: str, template: bool) -> list[int]:
            ids: list[int] = tokenizer(text, add_special_tokens=False, split_special_tokens=not template)[
                "input_ids"
            ]
            return ids

        told = model.generation_config.eos_token_id
        ends = {told} if isinstance(told, int) else set(told or ())
        ends |= {special[text] for text in TURN_ENDS if text in special} | {tokenizer.eos_token_id}
        super().__init__(
            engine,
            replace(info, parameters=engine.parameters),
            ChatTemplate(source, bos=tokenizer.bos_token or "", eos=tokenizer.eos_token or ""),
            encode,
            ends=frozenset(ends - {None}),
            tags=tuple(text for text in special if text.startswith("<|")),
            pieces={special[tag]: tag.encode() for tag in ("<think>", "</think>") if tag in special},
        )


def _tokenizer(folder: Path) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
