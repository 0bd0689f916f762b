"""The llama.cpp engine: GGUF models on CPU or GPU, in this process.

`Llama.generate` keeps the longest common prefix with the last prompt.
"""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from persona.backends import fit
from persona.backends.cores import physical_cores
from persona.backends.describe import asked_sampling, describe
from persona.backends.gguf_header import GgufHeader, read_header
from persona.backends.local import LocalBackend
from persona.backends.template import ChatTemplate
from persona.backends.thinking import CLOSE, OPEN
from persona.backends.tokens import Vocabulary, build_vocabulary, control_tokens, token_text
from persona.config import ModelSettings
from persona.errors import ModelError

if TYPE_CHECKING:
    from persona.backends.llama_engine import LlamaEngine

PACKED = {"f16": None, "q8_0": 8, "q4_0": 2}
"""`GGML_TYPE_Q8_0` and `GGML_TYPE_Q4_0`; None is the engine's own f16."""

# Short, but with a word, digits, marks, blanks and scripts that pre-tokenizers treat differently.
_PROBE = "I've  moved\r\n\n to São Paulo in 2024 — 東京, Ελλάδα, नमस्ते 👩‍👩‍👧 'Twas\t<x> ok?!  "


class LlamaCppBackend(LocalBackend):
    """A GGUF model under llama.cpp; keeps the `Backend` contract.

    Raises ModelError when the file is missing, unreadable, has no chat template, or does not fit.
    """

    def __init__(self, path: Path, settings: ModelSettings) -> None:
        header = read_header(path)
        source = header.text("tokenizer.chat_template")
        if not source:
            raise ModelError(f"{path.name} has no chat template", "choose a chat model (an Instruct GGUF)")
        template = ChatTemplate(
            source,
            bos=token_text(header, "tokenizer.ggml.bos_token_id"),
            eos=token_text(header, "tokenizer.ggml.eos_token_id"),
        )
        how = options(header, settings)
        engine = _load(path, settings, how)
        vocabulary = _agreeing(build_vocabulary(header), engine)
        controls = control_tokens(header)

        def encode(text: str, template: bool) -> list[int]:
            return (vocabulary or engine).encode(text, template=template)

        pieces = {}
        for tag in (OPEN, CLOSE):
            # As a control token a think tag has no text of its own, and the splitter needs to see it.
            if len(ids := engine.encode(tag, template=True)) == 1:
                pieces[ids[0]] = tag.encode()
        info = describe(header, path, how["n_ctx"])
        if adapter := adapter_file(settings):
            info = replace(info, sampling={**info.sampling, **asked_sampling(read_header(adapter))})
        super().__init__(
            engine,
            info,
            template,
            encode,
            ends=engine.ends(controls.values()),
            tags=tuple(text for text in controls if text.startswith("<|")),
            pieces=pieces,
        )


def _agreeing(vocabulary: Vocabulary | None, engine: "LlamaEngine") -> Vocabulary | None:
    """The fast tokenizer, where it agrees with the engine's."""
    if vocabulary is None:
        return None
    same = vocabulary.encode(_PROBE, template=False) == engine.encode(_PROBE, template=False)
    return vocabulary if same else None


def options(header: GgufHeader, settings: ModelSettings) -> dict[str, Any]:
    """What llama.cpp is opened with for these settings; what they leave open is what fits this machine."""
    from persona.backends.llama_engine import has_gpu

    threads = settings.threads or physical_cores()
    need, chosen = fit.opening(header, settings, fit.here(offloads=has_gpu()))
    packed = PACKED[chosen.kv_cache]
    return {
        "n_ctx": need.context,
        "n_batch": fit.BATCH,
        "n_threads": threads,
        "n_threads_batch": threads,
        "n_gpu_layers": chosen.layers,
        "type_k": packed,
        "type_v": packed,
        # On a CPU it is slower: by a quarter of a token's time at 1,000 tokens of context (Qwen3 shape).
        # Packed values cannot be read without it.
        "flash_attn": need.flash or packed is not None,
        "verbose": False,
    }


def _load(path: Path, settings: ModelSettings, how: dict[str, Any]) -> "LlamaEngine":
    from persona.backends import llama_engine

    adapter = adapter_file(settings)
    try:
        engine = llama_engine.LlamaEngine(str(path), **how)
    except (ValueError, RuntimeError) as error:
        said = llama_engine.last_errors() or str(error)
        raise ModelError(
            f"llama.cpp cannot open {path.name}: {said}",
            "the file may be damaged, too new for the engine, or too large for memory: "
            "try a smaller model or a smaller `model.context`",
        ) from error
    if settings.speculative == "prompt_lookup":
        engine.look_up()
    if adapter:
        try:
            engine.adapt(adapter)
        except ValueError as error:
            engine.close()
            raise ModelError(
                f"llama.cpp cannot lay the adapter {adapter.name} over {path.name}: "
                f"{llama_engine.last_errors() or error}",
                "an adapter fits only the model it was trained on; an empty `model.adapter` leaves it off",
            ) from error
    return engine


def adapter_file(settings: ModelSettings) -> Path | None:
    """The adapter's file, None for no adapter. Raises ModelError when it is not there."""
    if not settings.adapter:
        return None
    path = Path(settings.adapter).expanduser().absolute()
    if not path.is_file():
        raise ModelError(
            f"there is no adapter at {path}",
            "`persona train export --lora` writes one; else clear `model.adapter`",
        )
    return path
