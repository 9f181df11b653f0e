"""One tick, read this first: recall, observe, reconcile, plan, record, act, record.

Only a stop that a pushed fill cannot wait for is sent first and recorded then.

Each tick begins like a restart: everything it knows comes from the store and the exchange. Time is
read once and passed down. What may change a plan is in the Situation and nowhere else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from engine.act import act
from engine.domain.action import Configure, Outcome, Plan
from engine.domain.condition import Condition
from engine.domain.decision import Inbox
from engine.domain.drift import Drift
from engine.domain.identity import ClientOrderId
from engine.domain.ledger import Ledger
from engine.domain.limits import Limits
from engine.domain.observation import Topic
from engine.domain.situation import Situation
from engine.exchange.gateway import Gateway
from engine.observe import Attention, Observer, is_at_stake
from engine.plan.planner import make_plan
from engine.reconcile.outcomes import fold_outcomes
from engine.reconcile.settle import adopt, reconcile

STREAM = "stream:"
"""How reasons of the user stream begin: something happened to the account (``UserStream``)."""

WRONG_MODE = frozenset({-4061, -1106})
"""Position side or reduceOnly do not fit the account's position mode (lesson 26)."""

WRONG_FILTERS = frozenset(
    {-1013, -1111, -4001, -4002, -4003, -4004, -4005, -4013, -4014, -4023, -4164}
)
"""Price, quantity or notional do not fit the symbol's filters (binance-usdm.md section 6.3)."""


class Books(Protocol):
    """Where the ledger is kept (``engine.store``)."""

    def recall(self) -> Ledger:
        """Return what was written down."""

    def record_intent(
        self,
        now_ms: int,
        recalled: Ledger,
        situation: Situation,
        drifts: Sequence[Drift],
        plan: Plan,
    ) -> frozenset[ClientOrderId]:
        """Write the plan down before it is acted on; return the intents that were refused."""

    def record_outcomes(
        self, now_ms: int, before: Ledger, after: Ledger, outcomes: Sequence[Outcome]
    ) -> None:
        """Write down what became of the plan."""


class Reads(Protocol):
    """Where decisions come from (``engine.intake``)."""

    def look(self, now_ms: int, adopted_ms: int) -> Inbox:
        """Return what the inbox says now."""


class Self(Protocol):
    """The engine's own state (``engine.app``)."""

    def condition(self, now_ms: int) -> Condition:
        """Return everything about the engine a plan may depend on."""


@dataclass(frozen=True, slots=True)
class Engine:
    """The parts a tick uses."""

    books: Books
    intake: Reads
    observer: Observer
    gateway: Gateway
    itself: Self
    limits: Limits


@dataclass(frozen=True, slots=True)
class TickReport:
    """What one tick saw, decided and did."""

    now_ms: int
    reasons: tuple[str, ...]
    situation: Situation
    drifts: tuple[Drift, ...]
    plan: Plan
    outcomes: tuple[Outcome, ...]
    ledger: Ledger

    @property
    def is_nothing_at_stake(self) -> bool:
        """Return whether a look at position and both books found nothing held nor resting."""
        observation = self.situation.observation
        held = observation.position is None or not observation.position.value.is_flat
        hedged = observation.hedged is not None and bool(observation.hedged.value)
        own = [r for r in observation.open_reports or () if r.own_id is not None]
        return self.situation.has_picture and not (held or hedged or own)


def tick(engine: Engine, now_ms: int, reasons: tuple[str, ...] = ()) -> TickReport:
    """Look at the whole state once, and close part of the gap."""
    recalled = engine.books.recall()
    situation, drifts = look(engine, recalled, now_ms, reasons)
    plan = make_plan(situation)
    if situation.observation.is_unasked:
        # A stop for a fill that nothing covers: it is not kept waiting for a disk (RULES G5). Lost
        # between the two, it is found resting and adopted; its id would be the same again.
        outcomes = act(engine.gateway, situation, plan, frozenset())
        engine.books.record_intent(now_ms, recalled, situation, drifts, plan)
    else:
        refused = engine.books.record_intent(now_ms, recalled, situation, drifts, plan)
        outcomes = act(engine.gateway, situation, plan, refused)
    ledger = fold_outcomes(plan.ledger, outcomes)
    engine.books.record_outcomes(now_ms, plan.ledger, ledger, outcomes)
    if any(isinstance(o.action, Configure) for o in outcomes):
        engine.observer.forget(Topic.SYMBOL_CONFIG)  # read back what we just set (RULES E4)
    if any(o.code in WRONG_MODE for o in outcomes):
        engine.observer.forget(Topic.ACCOUNT_MODE)  # another hand changed it (RULES H3)
    if any(o.code in WRONG_FILTERS for o in outcomes):
        engine.observer.forget(Topic.INSTRUMENT)  # the exchange lists it otherwise now
    return TickReport(now_ms, reasons, situation, drifts, plan, outcomes, ledger)


def look(
    engine: Engine, recalled: Ledger, now_ms: int, reasons: Sequence[str] = ()
) -> tuple[Situation, tuple[Drift, ...]]:
    """Return the situation as it stands, and what differed from the ledger.

    ``reasons`` may make the look a closer one; they say nothing about what is there.
    """
    inbox = engine.intake.look(now_ms, recalled.adopted_decision_ms)
    condition = engine.itself.condition(now_ms)
    closely = attention(recalled, inbox, condition, engine.limits, now_ms, reasons)
    observation = engine.observer.observe(recalled, now_ms, closely)
    ledger, drifts = reconcile(recalled, observation, engine.limits)
    ledger = adopt(ledger, inbox)
    return Situation(inbox, ledger, observation, condition, engine.limits), drifts


def attention(
    ledger: Ledger,
    inbox: Inbox,
    condition: Condition,
    limits: Limits,
    now_ms: int,
    reasons: Sequence[str] = (),
) -> Attention:
    """Return how closely to look: closely when something is at stake or may be entered.

    And when the account moved by somebody else's hand, which the user stream tells at once.
    """
    if is_at_stake(ledger) or condition.commands:
        return Attention.WATCHFUL
    if any(reason.startswith(STREAM) for reason in reasons):
        return Attention.WATCHFUL
    decision = inbox.decision
    if decision is None or decision.side is None:
        return Attention.IDLE
    is_fresh = now_ms - decision.made_ms <= limits.decision_stale_ms
    is_used = ledger.has_used(decision.id)
    return Attention.WATCHFUL if is_fresh and not is_used else Attention.IDLE
