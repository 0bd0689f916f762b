"""Calls that may block, made from a screen without holding up the app."""

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

from textual.screen import Screen

from persona.errors import PersonaError

T = TypeVar("T")


async def in_thread(screen: Screen[Any], work: Callable[..., T], *values: object) -> T | None:
    """What `work(*values)` gives, run in a thread; None, and a word to the user, when it fails."""
    try:
        return await asyncio.to_thread(work, *values)
    except PersonaError as error:
        screen.notify(error.hint, title=error.message, severity="error", markup=False)
        return None
