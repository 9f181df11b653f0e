"""What a newer refused document does to entries, and what lifts it (RULES D4)."""

from __future__ import annotations

from dataclasses import dataclass

from engine.intake.document import Document


@dataclass(frozen=True, slots=True)
class Candidate:
    """A document with the file it stands in."""

    document: Document
    modified_ns: int

    @property
    def order(self) -> tuple[int, str]:
        """Return what the newest has most of: its timestamp, then its file name (RULES D5)."""
        return self.document.made_ms or 0, self.document.name


@dataclass(frozen=True, slots=True)
class Suspension:
    """A newer refused document, from its first sight on; ``made_ms`` None: not to be relied on."""

    name: str
    made_ms: int | None
    modified_ns: int
    since_ms: int
    reads_flat: bool

    def is_lifted_by(self, winner: Candidate | None) -> bool:
        """Return whether a valid decision is newer, or took this document's place."""
        if winner is None:
            return False
        is_same_file = winner.document.name == self.name
        if self.made_ms is None:
            return is_same_file or winner.modified_ns > self.modified_ns
        made_ms = winner.document.made_ms or 0
        return made_ms > self.made_ms or (is_same_file and made_ms == self.made_ms)
