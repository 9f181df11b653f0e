"""Everything the planner may look at; nothing outside it may influence a plan (DESIGN section 2).

A rule looks at a Situation and gives a Proposal; the situation *after* a proposal has its intents
in the ledger, so every rule sees what the rules before it asked for.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from decimal import Decimal

from engine.domain.action import Action, CancelOrder, GateResult, Hold, Next, PlaceOrder
from engine.domain.condition import Condition
from engine.domain.decision import Inbox
from engine.domain.errors import require
from engine.domain.identity import ClientOrderId, OrderRole
from engine.domain.instrument import Instrument
from engine.domain.ledger import Ledger
from engine.domain.limits import Limits
from engine.domain.numbers import ZERO
from engine.domain.observation import Observation
from engine.domain.order import Order, OrderStatus, OrderTerms
from engine.domain.position import LevelState, Life, StopLevel
from engine.domain.terms import ActionClass


@dataclass(frozen=True, slots=True)
class Proposal:
    """What one rule asks for. ``life`` replaces the life; ``level_reason`` names a stop's level."""

    actions: tuple[Action, ...] = ()
    holds: tuple[Hold, ...] = ()
    life: Life | None = None
    level_reason: str | None = None
    gates: tuple[GateResult, ...] = ()
    effective_zone: tuple[Decimal, Decimal] | None = None
    nexts: tuple[Next, ...] = field(default=())


NOTHING = Proposal()


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
        """Return RULES A4: position, working entries' remainders, entries of unknown fate whole."""
        total = self.life.quantity
        for entry in self.ledger.of_life(OrderRole.ENTRY):
            if entry.status is OrderStatus.UNKNOWN:
                total += entry.terms.quantity or ZERO
            else:
                total += entry.quantity_remaining
        return total

    def next_id(self, role: OrderRole) -> ClientOrderId:
        """Return the id the next order of ``role`` in this life takes (RULES G3)."""
        revision = self.ledger.next_revision(role)
        return ClientOrderId(self.life.decision_id, self.life.generation, role, revision)

    def after(self, proposal: Proposal) -> Situation:
        """Return the situation with the proposal's intents written into the ledger."""
        ledger = self.ledger
        if proposal.life is not None:
            ledger = replace(
                ledger,
                life=proposal.life,
                generation=max(ledger.generation, proposal.life.generation),
            )
        for action in proposal.actions:
            if isinstance(action, PlaceOrder):
                ledger = ledger.with_order(self._intent(action))
                if action.terms.role is OrderRole.STOP_PRIMARY:
                    reason = proposal.level_reason or action.reason
                    ledger = _with_level(ledger, action.terms, reason, self.now_ms)
            elif isinstance(action, CancelOrder):
                order = ledger.order(action.client_id)
                if order is not None:
                    ledger = ledger.with_order(replace(order, cancel_sent_ms=self.now_ms))
        return replace(self, ledger=ledger)

    def _intent(self, action: PlaceOrder) -> Order:
        terms = action.terms
        window = self.limits.recv_window_open_ms if terms.can_open else self.limits.recv_window_ms
        error = self.condition.clock_error_ms or 0
        return Order(
            terms=terms,
            status=OrderStatus.INTENDED,
            reason=action.reason,
            action_class=action.action_class,
            intended_ms=self.now_ms,
            dead_after_ms=self.now_ms + window + error,
        )


def _with_level(ledger: Ledger, terms: OrderTerms, reason: str, now_ms: int) -> Ledger:
    life = ledger.life
    if life is None or terms.trigger_price is None:
        return ledger
    level = StopLevel(
        generation=terms.client_id.generation,
        revision=terms.client_id.revision,
        side=life.side,
        level=terms.trigger_price,
        reason=reason,
        state=LevelState.PROPOSED,
        proposed_ms=now_ms,
    )
    return replace(ledger, levels=(*ledger.levels, level))


def cancel(
    order: Order, rule: str, reason: str, action_class: ActionClass = ActionClass.MANAGE
) -> CancelOrder:
    """Return the cancel of an order that is not a stop."""
    return CancelOrder(order.id, order.terms.book, action_class, rule, reason)
