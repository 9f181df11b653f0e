"""Everything the planner may look at; nothing outside it may influence a plan (DESIGN section 2)."""

from __future__ import annotations

from dataclasses import dataclass

from engine.domain.condition import Condition
from engine.domain.decision import Inbox
from engine.domain.ledger import Ledger
from engine.domain.limits import Limits
from engine.domain.observation import Observation


@dataclass(frozen=True, slots=True)
class Situation:
    """One instant: the inbox, the reconciled ledger, what was seen, the engine, the limits."""

    inbox: Inbox
    ledger: Ledger
    observation: Observation
    condition: Condition
    limits: Limits

    @property
    def now_ms(self) -> int:
        """Return exchange time of this tick."""
        return self.observation.now_ms
