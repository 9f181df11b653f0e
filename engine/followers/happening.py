"""One event as others get it: ``keeper/event/1``, made from a row of ``events``.

Pure. ``alarm`` says whether something went wrong (``raised``), still is (``standing``) or is over
(``cleared``); every other event has None there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from engine.domain.identity import ClientOrderId
from engine.read.documents import Document, moment_of

ALARM = "alarm"
"""The key under an event's data that makes it an alarm, and the kind such events count as."""


class Stage(StrEnum):
    """Where an alarm stands."""

    RAISED = "raised"
    STANDING = "standing"
    CLEARED = "cleared"


@dataclass(frozen=True, slots=True)
class Happening:
    """One event; ``id`` 0: it could not be stored and comes straight from the keeper."""

    id: int
    at_ms: int
    tick: int
    kind: str
    reason: str
    text: str
    symbol: str
    account: str
    order_id: str | None = None
    generation: int | None = None
    decision_id: str | None = None
    alarm: Stage | None = None
    data: Mapping[str, Any] | None = None

    @property
    def sort(self) -> str:
        """Return what a filter of kinds compares: ``alarm``, or the event's own kind."""
        return self.kind if self.alarm is None else ALARM

    def document(self, **more: object) -> Document:
        """Return the event as one JSON document, with ``more`` keys at its end."""
        return {
            "schema": "keeper/event/1",
            "id": self.id,
            "at": moment_of(self.at_ms),
            "account": self.account,
            "symbol": self.symbol,
            "tick": self.tick,
            "kind": self.kind,
            "reason": self.reason,
            "alarm": None if self.alarm is None else self.alarm.value,
            "order": self.order_id,
            "decision": self.decision_id,
            "generation": self.generation,
            "text": self.text,
            "data": None if self.data is None else dict(self.data),
            **more,
        }

    def of_decision(self, decision_id: str | None) -> Happening:
        """Return the event with the decision behind its life."""
        return replace(self, decision_id=decision_id)


def happening_of(row: Mapping[str, Any]) -> Happening:
    """Return the event of one row of ``events``."""
    data = None if row["data"] is None else json.loads(row["data"])
    own = ClientOrderId.parse(row["order_id"] or "")  # the id names decision and life by itself
    found = data.get(ALARM) if isinstance(data, dict) else None
    return Happening(
        id=int(row["id"]),
        at_ms=int(row["at_ms"]),
        tick=int(row["tick"]),
        kind=str(row["kind"]),
        reason=str(row["reason"]),
        text=str(row["text"]),
        symbol=str(row["symbol"]),
        account=str(row["account"]),
        order_id=row["order_id"],
        generation=row["generation"] if own is None else own.generation,
        decision_id=None if own is None else own.decision_hash,
        alarm=Stage(found) if found in set(Stage) else None,
        data=data if isinstance(data, dict) else None,
    )
