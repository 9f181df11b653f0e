"""Everything the planner may look at; nothing else may influence a plan (DESIGN section 2)."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from engine.domain.condition import Condition
from engine.domain.decision import Inbox
from engine.domain.errors import require
from engine.domain.identity import ClientOrderId, OrderRole
from engine.domain.instrument import Instrument
from engine.domain.ledger import Ledger
from engine.domain.limits import Limits
from engine.domain.numbers import ZERO
from engine.domain.observation import Observation
from engine.domain.order import Order, OrderStatus
from engine.domain.position import Life

SECOND_WRITER = "second_writer"
"""The code of the halt under which only protection is added (RULES G4)."""

UNDER_WAY_MS = 10_000
"""How long after our lease began an order may appear that was sent before it (RULES B3 b)."""


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

    @property
    def life(self) -> Life:
        """Return the current life; only rules that checked for one may ask."""
        life = self.ledger.life
        require(life is not None, "a rule about a life ran without one")
        assert life is not None  # noqa: S101 - narrows the type, checked above
        return life

    @property
    def instrument(self) -> Instrument | None:
        """Return the symbol's filters, None until they were read."""
        fact = self.observation.instrument
        return None if fact is None else fact.value

    @property
    def has_picture(self) -> bool:
        """Return whether position and both order lists were read in this tick."""
        return self.observation.position is not None and self.observation.open_reports is not None

    @property
    def quantity_to_cover(self) -> Decimal:
        """Return RULES A4: position, working entries' remainders, entries of unknown fate whole.

        What only the user stream says has executed is position already, so it remains no more.
        """
        total = self.life.quantity
        for entry in self.ledger.of_life(OrderRole.ENTRY):
            if entry.status is OrderStatus.UNKNOWN:
                total += entry.terms.quantity or ZERO
            else:
                total += max(entry.quantity_remaining - entry.quantity_untold, ZERO)
        return total

    @property
    def second_writer(self) -> Order | None:
        """Return an own order that nobody here intended, made under our lease (RULES G4).

        What a former holder had under way when our lease began may still arrive for a while; and
        a probe is asked for by hand.
        """
        since_ms = self.condition.lease_since_ms
        if since_ms is None:
            return None
        theirs = (
            order
            for order in self.ledger.orders
            if order.is_adopted
            and order.role is not OrderRole.PROBE
            and order.intended_ms > since_ms + UNDER_WAY_MS
        )
        return next(theirs, None)

    @property
    def stands_down(self) -> bool:
        """Return whether only protection is added, because another keeper writes (RULES G4)."""
        condition = self.condition
        is_halted = any(halt.code == SECOND_WRITER for halt in condition.halts)
        is_seen = self.second_writer is not None and SECOND_WRITER not in condition.overruled
        return is_halted or is_seen

    def next_id(self, role: OrderRole) -> ClientOrderId:
        """Return the id the next order of ``role`` in this life takes (RULES G3)."""
        revision = self.ledger.next_revision(role)
        return ClientOrderId(self.life.decision_id, self.life.generation, role, revision)
