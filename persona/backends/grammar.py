"""A JSON schema as a llama.cpp grammar, which holds a reply to it token by token.

Schemas come over the network: what would take the converter or the engine too long is refused first.
"""

import json
import re
from typing import TYPE_CHECKING, Any

from persona.errors import ModelError

if TYPE_CHECKING:
    from llama_cpp.llama_grammar import LlamaGrammar

_MOST_REPEATS = 1000
_MOST_CHARACTERS = 200_000
_COUNTS = ("minItems", "maxItems", "minLength", "maxLength")
_CHARACTER, _NO_CONTROL = r'char ::= [^"\\] |', r'char ::= [^"\\\x7F\x00-\x1F] |'
"""What the converter lets into a text, and what JSON does: no line end as it is."""
_QUOTE = re.compile(rb'(?<!\\)(?:\\\\)*"')
_REPEAT = re.compile(r"\{\s*\d*\s*,?\s*(\d+)")


def grammar(schema: str, vocabulary: object) -> "LlamaGrammar":
    """The grammar of a JSON schema. vocabulary: llama.cpp's, to try it on.

    Raises ModelError for a schema that is no JSON object, asks for too much, or cannot be converted.
    """
    from llama_cpp import llama_cpp as lib
    from llama_cpp.llama_grammar import LlamaGrammar

    try:
        read = json.loads(schema)
        if not isinstance(read, dict):
            raise ValueError("it must be a JSON object")
        _bounded(read)
        told = LlamaGrammar.from_json_schema(schema)._grammar
        made = LlamaGrammar.from_string(told.replace(_CHARACTER, _NO_CONTROL))
        if len(made._grammar) > _MOST_CHARACTERS:
            raise ValueError("it is too large")
    except (Exception, RecursionError) as error:
        raise _refused(str(error) or type(error).__name__) from None
    # chained unseen, a grammar the engine cannot read takes the process down
    sampler = lib.llama_sampler_init_grammar(vocabulary, made._grammar.encode(), b"root")
    if not sampler:
        raise _refused("the engine cannot read its grammar")
    lib.llama_sampler_free(sampler)
    return made


def closers(said: bytes) -> tuple[str, ...]:
    """What brings JSON to its end soonest after `said`, best first, where its grammar lets it."""
    inside_text = len(_QUOTE.findall(said)) % 2
    return ('"',) if inside_text else ("]", "}", '"')


def _bounded(node: Any) -> None:
    """Raise ValueError where `node` asks for very many repetitions."""
    if isinstance(node, list):
        for part in node:
            _bounded(part)
    if not isinstance(node, dict):
        return
    for key, value in node.items():
        counted = isinstance(value, int | float) and key in _COUNTS
        repeats = (
            [int(n) for n in _REPEAT.findall(value)] if key == "pattern" and isinstance(value, str) else []
        )
        if (counted and value > _MOST_REPEATS) or max(repeats, default=0) > _MOST_REPEATS:
            raise ValueError(f"`{key}` asks for more than {_MOST_REPEATS}")
        _bounded(value)


def _refused(why: str) -> ModelError:
    return ModelError(
        f"the JSON schema cannot be used: {why}",
        "use objects, arrays, strings, numbers, enums and local $refs",
    )
