"""What time it is, for the screens."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Clocks:
    """What time it is (aware or local), and seconds for measuring; tests stop both."""

    now: Callable[[], datetime] = datetime.now
    seconds: Callable[[], float] = time.monotonic
