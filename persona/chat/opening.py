"""The only place where the parts of an engine are put together, from `persona.paths` and the settings.

Cheap: nothing here loads a model, so that a door can paint, or store a message, first.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from persona import paths
from persona.backends.base import Backend, Event, ModelInfo, Prompt, Sampling
from persona.chat.card import PersonaCard, current, load_or_make
from persona.chat.engine import Engine
from persona.chat.pace import Speeds
from persona.chat.store import SessionStore
from persona.config import ModelSettings, Settings
from persona.errors import ModelError

if TYPE_CHECKING:
    from knowledge.memory import MemoryStore
    from knowledge.progress import Progress

_log = logging.getLogger(__name__)

ProgressFn = Callable[["Progress"], object]


def open_memory(settings: Settings) -> "MemoryStore":
    """What the twin knows, for doors that need no model."""
    from knowledge.memory import MemoryStore

    return MemoryStore(
        paths.knowledge_dir(),
        embedding_model=settings.memory.embedding_model,
        reranker=settings.memory.reranker,
        chroma_server=settings.memory.chroma_server,
    )


def open_sessions() -> SessionStore:
    """The chats, for doors that need no model."""
    return SessionStore(paths.sessions_file())


def open_engine(
    settings: Settings, *, model: str | None = None, progress: ProgressFn | None = None
) -> Engine:
    """An engine whose model is loaded when it is first needed, or by `engine.load()`.

    model: a catalogue name or path in place of the settings' own. progress hears of the loading.
    Raises ModelError at once when there is no such model, SessionError when the chats cannot be
    opened; a model that cannot be loaded raises where it is first needed.
    """
    from persona.models import is_server, open_backend, resolve

    if model is not None:
        settings = settings.model_copy(update={"model": settings.model.model_copy(update={"name": model})})
    if not is_server(settings.model.name):
        resolve(settings.model.name)
    memory = open_memory(settings)
    sessions = open_sessions()
    backend = LazyBackend(lambda: open_backend(settings.model), progress)
    return Engine(
        memory=memory,
        sessions=sessions,
        backend=backend,
        settings=settings,
        card=current(paths.card_file(), memory, sessions),
        speeds=Speeds(paths.speeds_file(), lambda: backend.info.name),
    )


def put_together(
    settings: Settings,
    *,
    memory: "MemoryStore",
    sessions: SessionStore,
    backend: Backend,
    card: PersonaCard | None = None,
) -> Engine:
    """An engine of parts that are open already, for measuring; whoever opened them closes them.

    card: in place of the owner's.
    """
    card = card or load_or_make(paths.card_file(), memory)
    return Engine(memory=memory, sessions=sessions, backend=backend, settings=settings, card=card)


def beside(engine: Engine, model: ModelSettings) -> Engine:
    """An engine of another model over the same chats, archive and card; free its backend, and no more."""
    from persona.models import open_backend

    backend = LazyBackend(lambda: open_backend(model))
    return Engine(
        memory=engine.memory,
        sessions=engine.sessions,
        backend=backend,
        settings=engine.settings.model_copy(update={"model": model}),
        card=engine.card,
        speeds=Speeds(paths.speeds_file(), lambda: backend.info.name),
    )


class LazyBackend:
    """A backend that is opened by the first call that needs it, once, from whatever thread."""

    def __init__(self, opener: Callable[[], Backend], progress: ProgressFn | None = None) -> None:
        self._opener = opener
        self._progress = progress
        self._lock = threading.Lock()
        self._backend: Backend | None = None
        self._info: ModelInfo | None = None
        self._closed = False

    @property
    def info(self) -> ModelInfo:
        """The model held, told after `close`, too: a turn that it stops still asks whose turn it was."""
        return self._info or self._opened().info

    def stream(self, prompt: Prompt, sampling: Sampling, cancel: threading.Event) -> Iterator[Event]:
        """As the contract says."""
        return self._opened().stream(prompt, sampling, cancel)

    def prefill(self, prompt: Prompt, cancel: threading.Event) -> int:
        """As the contract says."""
        return self._opened().prefill(prompt, cancel)

    def count_tokens(self, text: str) -> int:
        """As the contract says."""
        return self._opened().count_tokens(text)

    def count_prompt(self, prompt: Prompt) -> int:
        """As the contract says."""
        return self._opened().count_prompt(prompt)

    def default_sampling(self, thinking: bool) -> Sampling:
        """As the contract says."""
        return self._opened().default_sampling(thinking)

    def close(self) -> None:
        """Free the model when one was opened; none is opened afterwards."""
        with self._lock:
            self._closed = True
            backend, self._backend = self._backend, None
        if backend is not None:
            backend.close()

    def _opened(self) -> Backend:
        with self._lock:
            if self._closed:
                raise ModelError("the model was closed", "open it again")
            if self._backend is None:
                self._report(0)
                started = time.perf_counter()
                self._backend = self._opener()
                self._info = self._backend.info
                _log.info("model loaded in %.2f s", time.perf_counter() - started)
                self._report(1)
            return self._backend

    def _report(self, done: int) -> None:
        if self._progress is not None:
            from knowledge.progress import Progress

            self._progress(Progress("loading the model", done, 1))
