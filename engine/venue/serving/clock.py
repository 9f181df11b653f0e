"""The served venue's time: the wall clock read once, then the monotonic clock; or what it is told.

Steps of the machine's wall clock therefore never reach the venue, and its time never goes back.
"""

from __future__ import annotations

import time
from collections.abc import Callable


def wall_ms() -> int:
    """Return the wall clock in epoch milliseconds.

    The one place of the venue that asks for it: a served exchange must begin at the real time, or
    every signed request of a real client would be refused as too old.
    """
    return time.time_ns() // 1_000_000


class VenueClock:
    """Exchange time in epoch milliseconds, running in step with the monotonic clock."""

    stands = False
    """Whether time stands still until somebody tells it to pass."""

    def __init__(
        self,
        start_ms: int | None = None,
        *,
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        """Begin at `start_ms`, by default at the wall clock."""
        self._monotonic_ns = monotonic_ns
        self._anchor_ns = monotonic_ns()
        self._start_ms = wall_ms() if start_ms is None else start_ms

    def now_ms(self) -> int:
        """Return exchange time."""
        return self._start_ms + (self._monotonic_ns() - self._anchor_ns) // 1_000_000

    def jump(self, milliseconds: int) -> None:
        """Move time forward at once.

        Raises:
            ValueError: the jump would go back.
        """
        if milliseconds < 0:
            raise ValueError("the venue's time cannot go back; use skew_ms to shift what it shows")
        self._start_ms += milliseconds

    def tell(self, now_ms: int) -> None:
        """Set the time.

        Raises:
            ValueError: this clock runs by itself.
        """
        raise ValueError(f"this clock runs by itself and is not {now_ms}; start with --clock")


class ToldClock(VenueClock):
    """Exchange time that stands still until it is told otherwise: whoever plays a life owns it."""

    stands = True

    def __init__(self, start_ms: int) -> None:
        """Stand at `start_ms`."""
        super().__init__(start_ms, monotonic_ns=lambda: 0)

    def tell(self, now_ms: int) -> None:
        """Set the time.

        Raises:
            ValueError: the time would go back.
        """
        self.jump(now_ms - self.now_ms())
