"""Counts made with tiktoken are llama.cpp's own."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import gguf
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from llama_cpp import _internals
from llama_cpp import llama_cpp as lib
from tiny_model import byte_alphabet, write_tiny_qwen3

from persona.backends.gguf_header import read_header
from persona.backends.tokens import Vocabulary, build_vocabulary, byte_of_character, shared_prefix

ROOT = Path(__file__).resolve().parent.parent.parent
Tokenize = Callable[[str, bool], list[int]]

TRICKY = [
    "I've  moved\r\n\n to São Paulo in 2024, it's GREAT, IT'S, 'ſo",
    "  leading, trailing  \n\n\n\t\ttabs   \u00a0nbsp\u3000wide\u2028line",
    "東京タワー 한국어 नमस्ते ภาษาไทย Ελλάδα العربية",
    "👩‍👩‍👧‍👦 e\u0301 ǅ Ⅷ ½ ① ٣ \u200b\ufeff",
    "x" * 700 + " " * 300 + "!" * 200 + "\n" * 100,
    "<think>hm</think> <|im_start|>user <|im_end|> <|not_one|> <tool_call>",
    'ends, </s> and <end_of_turn>: ("<|eot_id|>", "</s>")',
    "\x00\x01 \x7f",
]


def engine_tokenizer(path: Path) -> Tokenize:
    """llama.cpp's tokenizer over the vocabulary of `path`, without its weights."""
    params = lib.llama_model_default_params()
    params.vocab_only = True
    model = _internals.LlamaModel(path_model=str(path), params=params, verbose=False)

    def tokenize(text: str, template: bool) -> list[int]:
        data = text.encode("utf-8", errors="replace")
        ids = (lib.llama_token * (len(data) + 8))()
        n = lib.llama_tokenize(model.vocab, data, len(data), ids, len(ids), False, template)
        assert n >= 0
        return list(ids[:n])

    return tokenize


def write_vocabulary(path: Path, tokenizer: Path) -> Path:
    """A GGUF with the vocabulary of a Hugging Face `tokenizer.json.gz` and no tensors."""
    spec = json.loads(gzip.decompress(tokenizer.read_bytes()))
    texts = dict(spec["model"]["vocab"]) | {token["content"]: token["id"] for token in spec["added_tokens"]}
    tokens = [f"[PAD{n}]" for n in range(max(texts.values()) + 1)]
    kinds = [gguf.TokenType.UNUSED] * len(tokens)
    for text, n in texts.items():
        tokens[n], kinds[n] = text, gguf.TokenType.NORMAL
    for token in spec["added_tokens"]:
        kinds[token["id"]] = gguf.TokenType.CONTROL if token["special"] else gguf.TokenType.USER_DEFINED
    w = gguf.GGUFWriter(str(path), "qwen3")
    w.add_tokenizer_model("gpt2")
    w.add_tokenizer_pre("qwen2")
    w.add_token_list(tokens)
    w.add_token_types(kinds)
    w.add_token_merges([m if isinstance(m, str) else " ".join(m) for m in spec["model"]["merges"]])
    w.add_eos_token_id(texts["<|im_end|>"])
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.close()
    return path


def vocabulary_of(path: Path) -> Vocabulary:
    built = build_vocabulary(read_header(path))
    assert built is not None
    return built


@pytest.fixture(scope="module")
def tiny(tiny_model_path: Path) -> tuple[Vocabulary, Tokenize]:
    return vocabulary_of(tiny_model_path), engine_tokenizer(tiny_model_path)


@pytest.fixture(scope="module")
def qwen3(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Vocabulary, Tokenize]:
    source = shared_data / "qwen3-tokenizer" / "tokenizer.json.gz"
    path = write_vocabulary(tmp_path_factory.mktemp("vocabulary") / "qwen3.gguf", source)
    return vocabulary_of(path), engine_tokenizer(path)


@pytest.fixture(params=["tiny", "qwen3"])
def tokenizers(request: pytest.FixtureRequest) -> tuple[Vocabulary, Tokenize]:
    pair: tuple[Vocabulary, Tokenize] = request.getfixturevalue(request.param)
    return pair


def agree(tokenizers: tuple[Vocabulary, Tokenize], text: str) -> None:
    vocabulary, engine = tokenizers
    for template in (False, True):
        assert vocabulary.encode(text, template=template) == engine(text, template)


@pytest.mark.parametrize("text", TRICKY)
def test_tricky_text(tokenizers: tuple[Vocabulary, Tokenize], text: str) -> None:
    agree(tokenizers, text)


def test_real_files(tokenizers: tuple[Vocabulary, Tokenize]) -> None:
    files = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("persona/**/*.py")]
    files += ROOT.glob("data/sample/**/*.md")
    assert len(files) > 10
    for file in files:
        agree(tokenizers, file.read_text(encoding="utf-8"))


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(text=st.text(max_size=80))
def test_any_text(tokenizers: tuple[Vocabulary, Tokenize], text: str) -> None:
    agree(tokenizers, text)


def test_every_letter_of_the_basic_plane(tokenizers: tuple[Vocabulary, Tokenize]) -> None:
    """One text for each block of 256 characters, each character before and after a letter and a blank."""
    for start in range(0, 0x10000, 256):
        letters = [chr(c) for c in range(max(1, start), start + 256) if not 0xD800 <= c < 0xE000]
        agree(tokenizers, "".join(f"a{c} {c}{c}b 1{c}\n{c}" for c in letters))


def test_template_tokens_count_as_one_only_where_the_template_wrote_them(tiny_model_path: Path) -> None:
    vocabulary = vocabulary_of(tiny_model_path)
    assert len(vocabulary.encode("<|im_end|>", template=True)) == 1
    assert len(vocabulary.encode("<|im_end|>", template=False)) > 1
    assert len(vocabulary.encode("<think>", template=False)) == 1


def test_a_vocabulary_out_of_merge_order_is_left_to_the_engine(tmp_path: Path) -> None:
    header = read_header(write_tiny_qwen3(tmp_path / "tiny.gguf"))
    merges = header.values["tokenizer.ggml.merges"]
    merges[10], merges[40] = merges[40], merges[10]
    assert build_vocabulary(header) is None


@pytest.mark.parametrize(("key", "value"), [("model", "llama"), ("pre", "llama-bpe")])
def test_another_kind_of_vocabulary_is_left_to_the_engine(tmp_path: Path, key: str, value: str) -> None:
    header = read_header(write_tiny_qwen3(tmp_path / "tiny.gguf"))
    header.values[f"tokenizer.ggml.{key}"] = value
    assert build_vocabulary(header) is None


def test_the_byte_alphabet_covers_every_byte_once() -> None:
    assert {c: b for b, c in enumerate(byte_alphabet())} == byte_of_character()


def test_shared_prefix() -> None:
    assert shared_prefix([1, 2, 3], [1, 2, 4, 5]) == 2
    assert shared_prefix([1, 2], [1, 2, 3]) == 2
    assert shared_prefix([], [1]) == 0
