"""Opening the engine, away from the app's own thread. Knows nothing of Textual."""

from collections.abc import Callable

from persona.config import Settings
from persona.tui.door import ChatEngine, ProgressFn

OWN_QUESTIONS = (
    "Where do I live now?",
    "What did I decide last, and why?",
    "What was I up to a year ago?",
)


def sample_questions(demo: bool) -> tuple[str, ...]:
    """Three questions to start with: the sample twin's own, or ones that fit anybody."""
    if not demo:
        return OWN_QUESTIONS
    from persona.demo import DEMO_QUESTIONS

    return DEMO_QUESTIONS[:3]


class Opening:
    """The slow part of the start: `prepare` once, then the engine.

    `open` may be called again after an error; what was prepared is not prepared twice. The settings are
    read then, because a first run changes them.
    """

    def __init__(
        self, settings: Callable[[], Settings], prepare: Callable[[ProgressFn], object] | None = None
    ) -> None:
        self._settings = settings
        self._prepare = prepare

    def open(self, progress: ProgressFn) -> ChatEngine:
        """Raises PersonaError with what to do when data or model cannot be opened."""
        if self._prepare is not None:
            self._prepare(progress)
            self._prepare = None
        from persona.chat.opening import open_engine

        return open_engine(self._settings(), progress=progress)
