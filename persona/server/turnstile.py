"""One generation at a time, first come first served; who would wait too long is told so."""

import asyncio
import time


class Refused(Exception):
    """No turn for this request. status: 429 when the queue is full, 503 when the wait was too long or
    the program is not ready. retry_after: seconds."""

    def __init__(self, status: int, message: str, retry_after: int = 5) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.retry_after = retry_after


class Turnstile:
    """A fair lock with a bounded queue. most: requests that may wait; patience: seconds each may wait."""

    def __init__(self, most: int, patience: float) -> None:
        self._most = most
        self._patience = patience
        self._lock = asyncio.Lock()  # wakes its waiters in the order they came
        self.waiting = 0

    @property
    def busy(self) -> bool:
        """Whether somebody has the turn."""
        return self._lock.locked()

    async def enter(self) -> float:
        """Wait for one's turn; the seconds waited. Every turn ends with `leave`. Raises Refused."""
        started = time.monotonic()
        if not self.busy and not self.waiting:
            await self._lock.acquire()  # free, so taken before anybody else runs
            return 0.0
        if self.waiting >= self._most:
            raise Refused(429, f"{self.waiting} requests are waiting already; try again in a moment")
        self.waiting += 1
        try:
            await asyncio.wait_for(self._lock.acquire(), self._patience)
        except TimeoutError:
            raise Refused(503, f"no turn came within {self._patience:g} seconds", 15) from None
        finally:
            self.waiting -= 1
        return time.monotonic() - started

    def leave(self) -> None:
        """Let the next one in."""
        self._lock.release()
