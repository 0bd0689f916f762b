"""Token budgets of one prompt, all in the active model's own tokens.

    window = prompt + reply reserve
    prompt = base (rules, card, template, time, the message) + memories + style examples + history

Knows nothing of sessions or retrieval.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from persona.backends.base import Backend, ChatMessage, ModelInfo, Prompt
from persona.chat.layout import HistoryTurn
from persona.errors import SessionError

ELLIPSIS = "…"


@dataclass(frozen=True, slots=True)
class Budget:
    """How one window is shared out. prompt: what the whole prompt may hold, template included. memory, style,
    history: what is left of it for each, after `base`. most_history: the history gets no more."""

    window: int
    reply: int
    base: int
    memory: int
    most_history: int | None = None
    style: int = 0

    @property
    def prompt(self) -> int:
        """Most tokens of the rendered prompt."""
        return self.window - self.reply

    @property
    def history(self) -> int:
        """Most tokens of summaries and earlier turns."""
        room = self.prompt - self.base - self.memory - self.style
        return room if self.most_history is None else min(room, self.most_history)


def window_of(info: ModelInfo) -> int:
    """The tokens a model can use: what the engine was opened with, never more than it was trained on."""
    return min(info.context, info.trained_context or info.context)


def readable(info: ModelInfo, tokens: int) -> int:
    """Of `tokens` of memories, as many as this model reads well."""
    return tokens if info.memory_tokens is None else min(tokens, info.memory_tokens)


def share(
    window: int, *, base: int, reply: int, memory: int, style: int = 0, read: int | None = None
) -> Budget:
    """Share out `window`. The reply gets at most a quarter, memories and examples of style together at most
    a third of what is left and `read` tokens; where that is not room for both, the examples get half at most.

    Raises SessionError when `base` alone does not fit.
    """
    reply = min(reply, window // 4)
    left = window - reply - base
    if left < 0:
        raise SessionError(
            f"the message is too long: with the persona card it takes {base:,} tokens,"
            f" and the model's window has room for {window - reply:,}",
            "send it in parts, shorten the persona card, or use a model with a longer context"
            " (`model.context` in the settings sets how much of it is used)",
        )
    room = min(left // 3, memory + style if read is None else read)
    style = min(style, max(room - memory, room // 2))
    return Budget(window, reply, base, min(memory, room - style), style=style)


class TokenCounter:
    """Counts with one backend, remembering what does not change: earlier turns and the template."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._turns: dict[str, int] = {}
        self._around: int | None = None

    def text(self, text: str) -> int:
        """Tokens of plain text."""
        return self._backend.count_tokens(text)

    def texts(self, texts: Sequence[str]) -> int:
        """Tokens of lines of text, each with its line end."""
        return sum(self.text(text + "\n") for text in texts)

    def prompt(self, prompt: Prompt) -> int:
        """Tokens of a rendered prompt."""
        return self._backend.count_prompt(prompt)

    def turn(self, turn_id: str, text: str) -> int:
        """Tokens of the text of a stored turn that will not change again."""
        count = self._turns.get(turn_id)
        if count is None:
            count = self._turns[turn_id] = self.text(text)
        return count

    def around_exchange(self) -> int:
        """Tokens that the template puts around one question and its reply."""
        if self._around is None:
            ends = (ChatMessage("system", "x"), ChatMessage("user", "x"))
            more = (*ends, ChatMessage("assistant", "x"), ChatMessage("user", "x"))
            words = 2 * self.text("x")
            self._around = self.prompt(Prompt(more)) - self.prompt(Prompt(ends)) - words
        return self._around

    def exchange(self, turn: HistoryTurn) -> int:
        """Tokens of one exchange in the prompt, template included."""
        return self.text(turn.user) + self.text(turn.reply) + self.around_exchange()

    def cut(self, text: str, tokens: int) -> str:
        """The longest beginning of `text` that fits in `tokens` with an ellipsis at its end."""
        if self.text(text) <= tokens:
            return text
        fits, too_long = 0, len(text)
        while too_long - fits > 1:
            middle = (fits + too_long) // 2
            if self.text(text[:middle] + ELLIPSIS) <= tokens:
                fits = middle
            else:
                too_long = middle
        return text[:fits].rstrip() + ELLIPSIS if fits else ""
