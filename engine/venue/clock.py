"""Time as the venue sees it: what it was told, what it shows, and what is due later.

Invariants: time never runs backwards; due entries come out in order of their time and then of their
making, so that one seed gives one history. `now` is the time the venue was told, `exchange` the
time it shows on the wire (now + skew).
"""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

FAR = 1 << 62


class Clock:
    """A clock that stands still until told, with a heap of things to do later."""

    __slots__ = ("_due", "_made", "exchange", "now", "skew_ms")

    def __init__(self, now_ms: int) -> None:
        """Start at `now_ms` without skew."""
        self.now = now_ms
        self.skew_ms = 0
        self.exchange = now_ms
        self._due: list[tuple[int, int, str, tuple[object, ...]]] = []
        self._made = 0

    def move_to(self, now_ms: int) -> None:
        """Advance to `now_ms`; an earlier time is ignored."""
        if now_ms > self.now:
            self.now = now_ms
            self.exchange = now_ms + self.skew_ms

    def skew(self, skew_ms: int) -> None:
        """Set what the wire shows apart from what the venue was told."""
        self.skew_ms = skew_ms
        self.exchange = self.now + skew_ms

    def later(self, delay_ms: int, what: str, *arguments: object) -> None:
        """Note that `what` is due in `delay_ms`; the arguments are JSON-able."""
        self._made += 1
        heapq.heappush(self._due, (self.now + delay_ms, self._made, what, arguments))

    def next_due(self) -> int:
        """Return when the next entry is due (`FAR` if none)."""
        return self._due[0][0] if self._due else FAR

    def take(self) -> tuple[str, tuple[object, ...]]:
        """Remove and return the next entry."""
        _, _, what, arguments = heapq.heappop(self._due)
        return what, arguments

    def dump(self) -> dict[str, object]:
        """Return the clock as plain data."""
        due = [[at, made, what, list(arguments)] for at, made, what, arguments in self._due]
        return {"now": self.now, "skew_ms": self.skew_ms, "made": self._made, "due": due}

    def restore(self, other: Clock) -> None:
        """Take over another clock's time and what is due on it."""
        self.now, self.skew_ms, self.exchange = other.now, other.skew_ms, other.exchange
        self._due, self._made = other._due, other._made

    @classmethod
    def load(cls, plain: Mapping[str, object]) -> Clock:
        """Restore what `dump` returned."""
        clock = cls(int(str(plain["now"])))
        clock.skew(int(str(plain["skew_ms"])))
        clock._made = int(str(plain["made"]))  # this class's own
        due = plain["due"]
        if isinstance(due, list):
            clock._due = [_entry(row) for row in due]
            heapq.heapify(clock._due)
        return clock


def _entry(row: Sequence[object]) -> tuple[int, int, str, tuple[object, ...]]:
    at, made, what, arguments = row
    rest = tuple(arguments) if isinstance(arguments, list) else ()
    return int(str(at)), int(str(made)), str(what), rest
