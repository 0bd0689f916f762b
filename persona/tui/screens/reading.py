"""What a reader of a chat can do: scroll, open and close details, copy."""

from textual.screen import Screen

from persona.tui.widgets.conversation import Conversation
from persona.tui.widgets.fold import Fold
from persona.tui.widgets.messages import TwinMessage
from persona.tui.widgets.settled import PageCompositor


class ReadingScreen(Screen[None]):
    """A screen with one conversation on it."""

    def __init__(self) -> None:
        super().__init__()
        self._compositor = PageCompositor()

    @property
    def _page(self) -> Conversation:
        return self.query_one(Conversation)

    def action_toggle_folds(self) -> None:
        """Open everything under the last reply, or close it."""
        replies = self.query(TwinMessage)
        folds = list(replies.last().query(Fold)) if replies else []
        opened = not any(fold.opened for fold in folds)
        for fold in folds:
            if fold.opened != opened:
                fold.toggle_by_reader()

    def action_chat_page(self, direction: int) -> None:
        """Scroll a page up (-1) or down (1)."""
        if direction < 0:
            self._page.scroll_page_up(animate=False)
        else:
            self._page.scroll_page_down(animate=False)

    async def action_chat_top(self) -> None:
        """Go to the first turn of the chat."""
        await self._page.to_oldest()

    async def action_chat_bottom(self) -> None:
        """Scroll to the newest line and follow it."""
        await self._page.to_newest()
