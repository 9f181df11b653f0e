"""The same observations give the same plans: recorded ticks, planned again and compared.

Pure apart from the records it is given. A tick of another engine version is skipped, because its
rules were others; everything else must come out byte for byte. Each row is sealed with the row
before it: one that was changed, taken out or put in afterwards is a difference, too. The oldest
row may follow rows that retention has removed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from engine.domain import canonical
from engine.domain.drift import Drift
from engine.domain.situation import Situation
from engine.plan.planner import make_plan
from engine.read.documents import Document
from engine.reconcile.settle import adopt, reconcile
from engine.store.tick_record import TickRecord, chained
from engine.store.ticklog import plan_document

_Found = tuple[str, object, object]
"""A JSON pointer, what was recorded there and what belongs there."""


@dataclass(frozen=True, slots=True)
class Difference:
    """Where a recomputed tick differs: a JSON pointer and both values."""

    tick: int
    at: str
    recorded: object
    recomputed: object


@dataclass(frozen=True, slots=True)
class Replayed:
    """What became of all ticks; ``digest`` is over every recomputed plan, in order."""

    ticks: int
    identical: int
    different: tuple[Difference, ...]
    skipped: tuple[tuple[int, str], ...]
    digest: str

    @property
    def ok(self) -> bool:
        """Return whether no tick came out differently."""
        return not self.different

    def document(self) -> Document:
        """Return the ``keeper/replay/1`` document."""
        return {
            "schema": "keeper/replay/1",
            "ticks": self.ticks,
            "identical": self.identical,
            "different": [
                {
                    "tick": d.tick,
                    "at": d.at,
                    "recorded": d.recorded,
                    "recomputed": d.recomputed,
                }
                for d in self.different
            ],
            "skipped": [{"tick": tick, "why": why} for tick, why in self.skipped],
            "digest": f"sha256:{self.digest}",
        }


def replay(records: Iterable[TickRecord]) -> Replayed:
    """Plan every recorded tick again and compare plan and drifts with what was written down."""
    ticks = identical = 0
    different: list[Difference] = []
    skipped: list[tuple[int, str]] = []
    seen = hashlib.sha256()
    before: TickRecord | None = None
    for record in records:
        ticks += 1
        broken = seal_difference(before, record)
        before = record
        if broken is not None:
            different.append(Difference(record.tick, *broken))
            continue
        if not record.is_of_this_version:
            skipped.append((record.tick, "engine_version"))
            continue
        recomputed = recompute(record)
        seen.update(canonical.json_text(recomputed).encode())
        first = next(differences(_recorded(record), recomputed), None)
        if first is None:
            identical += 1
        else:
            different.append(Difference(record.tick, *first))
    return Replayed(ticks, identical, tuple(different), tuple(skipped), seen.hexdigest())


def seal_difference(before: TickRecord | None, record: TickRecord) -> _Found | None:
    """Return where a row does not fit its own seal or the row before it (DESIGN section 8)."""
    if record.outcomes_digest != record.outcomes_sealed:
        return "/outcomes_digest", record.outcomes_digest, record.outcomes_sealed
    if before is None:
        return None
    if record.previous_digest != before.digest:
        return "/previous_digest", record.previous_digest, before.digest
    digest = chained(before.digest, before.outcomes_digest, record.body)
    return None if digest == record.digest else ("/digest", record.digest, digest)


def recompute(record: TickRecord) -> dict[str, Any]:
    """Return what the rules of this version make of the recorded observation."""
    ledger, drifts = reconcile(record.ledger, record.observation, record.limits)
    ledger = adopt(ledger, record.inbox)
    situation = Situation(record.inbox, ledger, record.observation, record.condition, record.limits)
    return {**plan_document(make_plan(situation)), "drifts": _drifts(drifts)}


def _recorded(record: TickRecord) -> dict[str, Any]:
    return {**record.plan, "drifts": _drifts(record.drifts)}


def _drifts(drifts: tuple[Drift, ...]) -> Any:
    return canonical.to_plain(drifts, tuple[Drift, ...])


def differences(a: object, b: object, at: str = "") -> Iterator[_Found]:
    """Yield where two plain documents differ, as JSON pointers."""
    if isinstance(a, dict) and isinstance(b, dict):
        for key in sorted({*a, *b}):
            yield from differences(a.get(key), b.get(key), f"{at}/{key}")
    elif isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
        for index, (left, right) in enumerate(zip(a, b, strict=True)):
            yield from differences(left, right, f"{at}/{index}")
    elif a != b:
        yield at, a, b
