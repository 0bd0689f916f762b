"""One call of the model, aside from any chat: what it says to a prompt, whole or not at all."""

import threading

from persona.backends.base import Backend, Done, Prompt, Sampling, TextDelta


def said(backend: Backend, prompt: Prompt, sampling: Sampling, cancel: threading.Event) -> str | None:
    """What the model says; None when `cancel` ended it. Raises ModelError as the backend does."""
    words, reason = [], "cancelled"
    for event in backend.stream(prompt, sampling, cancel):
        if isinstance(event, TextDelta):
            words.append(event.text)
        elif isinstance(event, Done):
            reason = event.reason
    return None if reason == "cancelled" else "".join(words)
