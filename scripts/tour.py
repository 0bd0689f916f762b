"""The tour of the README: one SVG that plays by itself, made of frames of the real app.

    python scripts/tour.py [--model NAME_OR_PATH] [--home DIR] [--out docs/tour.svg]

The sample twin, a real model, no terminal. Each frame is an SVG that Textual exports; they are stacked in one
file, whose style sheet shows one after the other, so that it plays wherever an SVG image is shown, with no
script. Takes a minute or two.
"""

import argparse
import asyncio
import os
import re
import tempfile
from pathlib import Path

from screenshots import ask, make_app, wait_until
from textual.pilot import Pilot

from persona import config
from persona.demo import DEMO_QUESTIONS, enter, prepare
from persona.logs import start as start_logging
from persona.offline import stay_on_this_machine
from persona.tui.widgets.glass import Remembered
from persona.tui.widgets.prompt import Prompt

SIZE = (92, 27)
SECONDS = 3.5
"""How long a frame is shown."""


async def frames(pilot: Pilot[None]) -> list[str]:
    """The tour, in SVGs: pick a question, read, look inside, find it again, another look."""
    taken: list[str] = []

    def take() -> None:
        taken.append(pilot.app.export_screenshot(title="persona", simplify=True))

    app = pilot.app
    await wait_until(pilot, lambda: app.room.engine)  # type: ignore[attr-defined]
    await pilot.press("up")
    await pilot.pause(0.3)
    take()
    await pilot.press("escape")
    await ask(pilot, DEMO_QUESTIONS[0])
    await pilot.press("ctrl+f")
    await pilot.pause(0.5)
    take()
    await pilot.press("f2")
    await wait_until(pilot, lambda: app.screen.query(Remembered))
    await pilot.pause(0.3)
    take()
    await pilot.press("escape")
    app.screen.query_one(Prompt).replace_with("/")
    await pilot.pause(0.3)
    take()
    await pilot.press("escape", "ctrl+u", "ctrl+s", *"dog")
    await pilot.pause(0.5)
    take()
    await pilot.press("escape")
    before, app.theme = app.theme, "persona-light"
    await pilot.pause(0.3)
    take()
    app.theme = before  # what is picked is kept, also in a home that was given
    return taken


def film(pictures: list[str]) -> str:
    """One SVG that shows `pictures` one after the other, for ever."""
    sizes = [re.search(r'viewBox="([^"]+)"', picture) for picture in pictures]
    box = sizes[0].group(1) if sizes[0] else "0 0 1000 700"
    whole, share = SECONDS * len(pictures), 100 / len(pictures)
    style = [
        f".f{{opacity:0;animation:show {whole:g}s infinite steps(1)}}",
        f"@keyframes show{{0%{{opacity:1}}{share:.3f}%{{opacity:0}}100%{{opacity:0}}}}",
        *(f"#f{n}{{animation-delay:{n * SECONDS:g}s}}" for n in range(len(pictures))),
    ]
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{box}">',
        f"<style>{''.join(style)}</style>",
        *(f'<g class="f" id="f{n}">{lean(picture)}</g>' for n, picture in enumerate(pictures)),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def lean(picture: str) -> str:
    """A frame without what only a page of its own needs: comments, web fonts, needless digits."""
    picture = re.sub(r"<!--.*?-->", "", picture, flags=re.DOTALL)
    picture = re.sub(r"@font-face\s*\{.*?\}", "", picture, flags=re.DOTALL)
    picture = re.sub(r'="(\d+\.\d)\d+"', r'="\1"', picture)
    return re.sub(r">\s+<", "><", picture).strip()


def main() -> None:
    """Prepare the sample twin in a temporary home, and make the film."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--model", help="a catalogue name or a GGUF file (default: the starter model)")
    options.add_argument("--out", type=Path, default=Path("docs/tour.svg"))
    options.add_argument("--home", type=Path, help="one that `persona demo --home DIR` prepared")
    chosen = options.parse_args()
    stay_on_this_machine()
    start_logging()
    with tempfile.TemporaryDirectory(prefix="persona-tour-", ignore_cleanup_errors=True) as home:
        if chosen.model:
            os.environ["PERSONA_MODEL__NAME"] = chosen.model
        enter(chosen.home or Path(home))
        if chosen.home is None:
            prepare(Path(home))
        app = make_app(config.load())
        taken = asyncio.run(_run(app))
        app.room.close()
    chosen.out.write_text(film(taken), encoding="utf-8")
    print(f"{chosen.out}: {len(taken)} frames, {chosen.out.stat().st_size:,} bytes")


async def _run(app: object) -> list[str]:
    async with app.run_test(size=SIZE) as pilot:  # type: ignore[attr-defined]
        return await frames(pilot)


if __name__ == "__main__":
    main()
