"""The venue's log: everything that happened, in order, for checkers and outside readers.

Invariants: append only; sequence numbers start at 1 and have no holes; an entry never changes once
written. With a limit the oldest entries go, their numbers never come back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.venue.clock import Clock


class Journal:
    """A list of JSON-able entries: n, at_ms (the venue's own time), kind, and the kind's facts."""

    __slots__ = ("_clock", "_dropped", "_entries", "_limit")

    def __init__(self, clock: Clock, limit: int | None) -> None:
        """Start empty; `limit` bounds how many entries stay."""
        self._clock = clock
        self._limit = limit
        self._entries: list[dict[str, object]] = []
        self._dropped = 0

    def note(self, kind: str, **facts: object) -> None:
        """Append one entry."""
        entry: dict[str, object] = {
            "n": self._dropped + len(self._entries) + 1,
            "at_ms": self._clock.now,
            "kind": kind,
            **facts,
        }
        self._entries.append(entry)
        if self._limit is not None and len(self._entries) > 2 * self._limit:
            gone = len(self._entries) - self._limit
            del self._entries[:gone]
            self._dropped += gone

    def after(self, sequence: int) -> list[dict[str, object]]:
        """Return the entries whose number is above `sequence`."""
        return self._entries[max(0, sequence - self._dropped) :]

    @property
    def length(self) -> int:
        """Return the number of the last entry."""
        return self._dropped + len(self._entries)

    def dump(self, *, with_entries: bool) -> dict[str, object]:
        """Return the entries and how many went before them."""
        if with_entries:
            return {"dropped": self._dropped, "entries": self._entries}
        return {"dropped": self.length, "entries": []}

    def load(self, plain: Mapping[str, object]) -> None:
        """Restore what `dump` returned."""
        self._dropped = int(str(plain["dropped"]))
        entries = plain["entries"]
        if isinstance(entries, list):
            self._entries = list(entries)
