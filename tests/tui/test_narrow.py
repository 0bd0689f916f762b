"""Wide and narrow terminals, and those that change while a screen is open."""

from persona.tui.screens.compare import CompareScreen
from persona.tui.screens.drafting import DraftScreen
from persona.tui.widgets.status import StatusBar
from tui.conftest import make_app, opened, text_of, wait_until, write
from tui.scripted import ScriptedEngine

WIDE = (110, 36)


async def test_screens_follow_the_width_while_they_are_open(engine: ScriptedEngine) -> None:
    async with make_app(engine).run_test(size=WIDE) as pilot:
        screen = await opened(pilot)

        def beside(selector: str) -> bool:
            first, second = list(pilot.app.screen.query(selector))[:2]
            return first.region.y == second.region.y

        async def follows(selector: str) -> None:
            """Beside each other while it is wide, one above the other while it is narrow, and back."""
            for size, wide in ((WIDE, True), ((60, 30), False), (WIDE, True)):
                await pilot.resize_terminal(*size)
                await wait_until(pilot, lambda wide=wide: beside(selector) == wide)

        await follows("#twin, #switches")
        await pilot.press("f4")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, DraftScreen))
        await follows("DraftBox")
        await pilot.press("escape")
        await wait_until(pilot, lambda: pilot.app.screen is screen)
        screen.contrast = "memory"
        await write(pilot, "where?")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, CompareScreen))
        await follows("#left, #right")
        await pilot.press("escape")
        await wait_until(pilot, lambda: pilot.app.screen is screen)
        await wait_until(pilot, lambda: "context" in text_of(screen.query_one(StatusBar)))
        await pilot.resize_terminal(60, 30)
        await wait_until(pilot, lambda: "context" not in text_of(screen.query_one(StatusBar)))
