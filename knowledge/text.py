"""Cleaning of imported and generated text, before a terminal or a model sees it.

Imported text is data. In a terminal an escape sequence must be shown, never obeyed; in a prompt a
chat-template token must be words, never structure.
"""

import re

_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_TEMPLATE_TOKEN = re.compile(
    r"<(\|[^<>|\n]{1,40}\||/?(?:think|tool_call|tool_response|memories|messages|turns)\s*)>", re.IGNORECASE
)


def printable(text: str) -> str:
    """`text` without C0 (but newline and tab), C1, bidi overrides and lone surrogates."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return whole(_CONTROL.sub("", text))


def whole(text: str) -> str:
    """`text` with lone surrogates replaced: they are half a character, and no file can hold them."""
    return _SURROGATE.sub("�", text)


def prompt_safe(text: str) -> str:
    """`printable` text in which chat-template and fence tokens are spelled with look-alike brackets.

    `<|im_end|>` becomes `‹|im_end|›`: readable, and no tokenizer's special token.
    """
    previous = None
    text = printable(text)
    while text != previous:
        previous, text = text, _TEMPLATE_TOKEN.sub(r"‹\1›", text)
    return text


def one_line(text: str) -> str:
    """`text` with every run of white space folded to one blank."""
    return " ".join(text.split())
