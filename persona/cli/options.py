"""Option types that more than one command takes."""

from datetime import datetime
from typing import Any

import click


class Instant(click.ParamType[datetime]):
    """An ISO 8601 time, aware: it keeps its own offset, else takes this machine's."""

    name = "ISO"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """The time; wrong usage for anything else."""
        try:
            moment = datetime.fromisoformat(value)
            return moment if moment.tzinfo else moment.astimezone()
        except (ValueError, OverflowError, OSError):
            self.fail(f"{value!r} is not an ISO 8601 time such as 2026-11-21T14:03+01:00", param, ctx)
