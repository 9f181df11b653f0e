"""A recorded tick, read back: what replay, status and charts make of a row of ``ticks``.

Its parts are decoded only when they are asked for: another version may have recorded parts that
this one does not know.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from engine import __version__
from engine.domain import canonical
from engine.domain.action import Outcome
from engine.domain.condition import Condition
from engine.domain.decision import Inbox
from engine.domain.drift import Drift
from engine.domain.ledger import Ledger
from engine.domain.limits import Limits
from engine.domain.observation import Observation


@dataclass(frozen=True)
class TickRecord:
    """One recorded tick, read back; its parts are decoded when they are asked for.

    Another version may have recorded parts this one does not know: ``is_of_this_version`` says
    whether they can be asked for. ``body`` is the canonical text that ``digest`` seals;
    ``outcomes_digest`` was written for the outcomes, ``outcomes_sealed`` is theirs as they stand.
    """

    id: int
    tick: int
    now_ms: int
    engine_version: str
    reasons: tuple[str, ...]
    previous_digest: str
    digest: str
    body: str
    outcomes_text: str | None
    outcomes_digest: str | None
    texts: Mapping[str, str]

    @property
    def is_of_this_version(self) -> bool:
        """Return whether this version recorded it, so that it can be decoded."""
        return self.engine_version == __version__

    @cached_property
    def data(self) -> dict[str, Any]:
        """Return the whole row as plain data."""
        data: dict[str, Any] = json.loads(self.body)
        return data

    @cached_property
    def ledger(self) -> Ledger:
        """Return the ledger as recalled, before reconciliation."""
        return canonical.from_plain(Ledger, self.data["ledger"])

    @cached_property
    def observation(self) -> Observation:
        """Return what was seen."""
        return canonical.from_plain(Observation, self.data["observation"])

    @cached_property
    def inbox(self) -> Inbox:
        """Return what decisions said, the decision's own text put in place of its digest."""
        named = self.data["inbox"]["decision"]
        decision = None if named is None else json.loads(self.texts[named])
        return canonical.from_plain(Inbox, self.data["inbox"] | {"decision": decision})

    @cached_property
    def condition(self) -> Condition:
        """Return the engine's own state."""
        return canonical.from_plain(Condition, self.data["condition"])

    @cached_property
    def limits(self) -> Limits:
        """Return the settings the rules went by."""
        return canonical.from_plain(Limits, json.loads(self.texts[self.data["settings"]]))

    @cached_property
    def drifts(self) -> tuple[Drift, ...]:
        """Return what differed from the ledger."""
        return canonical.from_plain(tuple[Drift, ...], self.data["drifts"])

    @property
    def plan(self) -> dict[str, Any]:
        """Return the plan as ``plan_document`` spelled it."""
        plan: dict[str, Any] = self.data["plan"]
        return plan

    @cached_property
    def outcomes(self) -> tuple[Outcome, ...]:
        """Return what became of the requests."""
        return canonical.from_plain(tuple[Outcome, ...], json.loads(self.outcomes_text or "[]"))

    @property
    def outcomes_sealed(self) -> str | None:
        """Return the digest of the outcomes as they stand, None when there are none."""
        return None if self.outcomes_text is None else canonical.digest_of_text(self.outcomes_text)


def unpack(body: bytes) -> str:
    """Return the canonical text in a compressed body."""
    return zlib.decompress(body).decode()


def chained(previous: str, outcomes_digest: str | None, text: str) -> str:
    """Return the digest of a row that follows ``previous`` and its outcomes."""
    return canonical.digest_of_text(f"{previous}|{outcomes_digest or ''}|{text}")


def read_tick(row: Any, texts: Mapping[str, str]) -> TickRecord:
    """Return a recorded tick from its row and the texts it names."""
    return TickRecord(
        id=row.id,
        tick=row.tick,
        now_ms=row.now_ms,
        engine_version=row.engine_version,
        reasons=tuple(row.reasons.split()),
        previous_digest=row.previous_digest,
        digest=row.digest,
        body=unpack(row.body),
        outcomes_text=None if row.outcomes is None else unpack(row.outcomes),
        outcomes_digest=row.outcomes_digest,
        texts=texts,
    )
