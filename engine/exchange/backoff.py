"""When to try again what certainly did not execute: 1, 2, 4 … 30 s, spread by a hash.

Nothing is drawn: the spread follows from id and attempt, so a replayed tick waits as long as the
recorded one. Protection never waits (RULES C4); what may have executed is never repeated here.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

FIRST_MS = 1_000
MAX_MS = 30_000
SPREAD_PERCENT = 25


@dataclass(frozen=True, slots=True)
class Backoff:
    """How often one request failed in a row, and until when it waits (exchange time)."""

    attempt: int = 0
    until_ms: int = 0

    def is_waiting(self, now_ms: int) -> bool:
        """Return whether it is too early to try again; a clock that was set back ends the wait."""
        return self.until_ms - MAX_MS <= now_ms < self.until_ms


def after_failure(state: Backoff, identity: str, now_ms: int) -> Backoff:
    """Return the state after one more failure of the request called ``identity``."""
    attempt = state.attempt + 1
    return Backoff(attempt, now_ms + pause_ms(identity, attempt))


def pause_ms(identity: str, attempt: int) -> int:
    """Return how long to wait after the ``attempt``-th failure (from 1), within ±25 %."""
    base_ms = min(FIRST_MS << min(attempt - 1, 16), MAX_MS)
    digest = hashlib.sha256(f"{identity}:{attempt}".encode()).digest()
    steps = 2 * SPREAD_PERCENT + 1
    percent = 100 - SPREAD_PERCENT + int.from_bytes(digest[:4]) % steps
    return min(base_ms * percent // 100, MAX_MS)
