"""Times that were written down without a zone, as a phone shows them."""

from datetime import datetime

ZONE_GUESSED = "zone-guessed"
"""The flag of a message whose export names no time zone: this computer's own is taken."""


def wall_clock(shown: datetime) -> datetime:
    """A naive time as it was in this computer's time zone; raises OverflowError or ValueError beyond it."""
    return shown.astimezone()
