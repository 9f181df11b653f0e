"""Keep entries away from an exchange that keeps failing; protection is never held back.

Closed until ``failures_max`` requests in a row got no usable answer, then open for a pause; after
the pause it is half open, and the next answer decides. The reads of every tick are the probe.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

FAILURES_MAX = 5
PAUSE_MS = 10_000


class BreakerPhase(StrEnum):
    """What the breaker lets through."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Reply(StrEnum):
    """What a request came to: any answer at all, or none that tells something."""

    ANSWERED = "answered"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Breaker:
    """Failures in a row, and since when the breaker is open (exchange time, None: closed)."""

    failures: int = 0
    opened_ms: int | None = None

    def phase(self, now_ms: int) -> BreakerPhase:
        """Return what the breaker lets through now."""
        if self.opened_ms is None:
            return BreakerPhase.CLOSED
        is_over = not self.opened_ms <= now_ms < self.opened_ms + PAUSE_MS  # or it was set back
        return BreakerPhase.HALF_OPEN if is_over else BreakerPhase.OPEN

    def blocks_entries(self, now_ms: int) -> bool:
        """Return whether nothing that can open may be sent; half open still blocks."""
        return self.phase(now_ms) is not BreakerPhase.CLOSED


_AT_REST = Breaker()


def step(state: Breaker, reply: Reply, now_ms: int) -> Breaker:
    """Return the state after one reply."""
    phase = state.phase(now_ms)
    if phase is BreakerPhase.OPEN:
        return state
    if reply is Reply.ANSWERED:
        return _AT_REST
    failures = state.failures + 1
    trips = phase is BreakerPhase.HALF_OPEN or failures >= FAILURES_MAX
    return Breaker(failures, now_ms if trips else None)
