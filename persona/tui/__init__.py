"""The Textual app. Only this package imports Textual, and nothing here imports an engine."""

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from knowledge.progress import Progress

__all__ = ["run"]


def run(
    home_is_demo: bool = False,
    session_id: str | None = None,
    prepare: "Callable[[Callable[[Progress], None]], object] | None" = None,
    set_up: bool = False,
) -> int:
    """Open the chat and stay until the user leaves; the exit code.

    home_is_demo: greet with the sample twin's questions. session_id: resume that chat, or with LATEST
    the one used last.
    prepare: slow work to do once the first paint is there, such as importing the sample; it is handed
    a progress callback. set_up: lead through the first run again. Raises SettingsError before anything
    is drawn; every later error is shown in the app.
    """
    from persona import config
    from persona.tui import first_run, hangup
    from persona.tui.app import PersonaApp
    from persona.tui.opening import Opening, sample_questions
    from persona.tui.room import LATEST

    settings = config.load()
    own_home = not home_is_demo and session_id in (None, LATEST)
    app = PersonaApp(
        Opening(config.load, prepare).open,
        settings=settings,
        questions=sample_questions(home_is_demo),
        session_id=session_id,
        first_run=first_run.pending(settings, again=set_up) if own_home else None,
    )
    hangup.watch()
    try:
        app.run()
    finally:
        app.room.close()
    return app.return_code or 0
