"""What the engine may do, and what became of it: values, never calls."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from engine.domain.identity import ClientOrderId
from engine.domain.ledger import Ledger
from engine.domain.order import OrderReport, OrderTerms
from engine.domain.terms import ActionClass, Book, Fate


class Proof(StrEnum):
    """Why a cancel is permitted (RULES F2); the gateway checks the proof again."""

    NOT_A_STOP = "not_a_stop"
    TIGHTER_RESTS = "tighter_rests"
    FLAT_PROVEN = "flat_proven"
    ENTRY_NEVER_FILLED = "entry_never_filled"


@dataclass(frozen=True, slots=True)
class PlaceOrder:
    """Place one order. ``rule`` is the planner rule that asked, ``reason`` its stable code."""

    terms: OrderTerms
    action_class: ActionClass
    rule: str
    reason: str


@dataclass(frozen=True, slots=True)
class CancelOrder:
    """Cancel one own order by its id; a covering stop only with its ``proof``.

    ``proven_by`` is the stop that rests instead, for ``TIGHTER_RESTS``.
    """

    client_id: ClientOrderId
    book: Book
    action_class: ActionClass
    rule: str
    reason: str
    proof: Proof = Proof.NOT_A_STOP
    proven_by: ClientOrderId | None = None


@dataclass(frozen=True, slots=True)
class Configure:
    """Set leverage or margin type of the symbol; only while flat and unarmed (RULES E4)."""

    leverage: int | None
    isolated: bool | None
    action_class: ActionClass
    rule: str
    reason: str


@dataclass(frozen=True, slots=True)
class Halt:
    """Stop entries until an operator resumes; persisted."""

    code: str
    detail: str
    rule: str


Request = PlaceOrder | CancelOrder | Configure
Action = PlaceOrder | CancelOrder | Configure | Halt


@dataclass(frozen=True, slots=True)
class Outcome:
    """One action and what became of it.

    ``at_ms`` is exchange time when the answer came; ``dead_after_ms`` is the last moment at which
    a request of unknown fate could still execute. ``report`` is the exchange's word if it gave one.
    """

    action: Action
    fate: Fate
    at_ms: int
    dead_after_ms: int = 0
    code: int = 0
    text: str = ""
    report: OrderReport | None = None


class Verdict(StrEnum):
    """What a gate says."""

    PASS = "pass"  # noqa: S105 - a verdict
    REFUSE = "refuse"
    SHRINK = "shrink"
    NOT_CHECKED = "not_checked"


@dataclass(frozen=True, slots=True)
class GateResult:
    """One entry gate with the value it saw and the limit it holds it to."""

    code: str
    verdict: Verdict
    value: str | None = None
    limit: str | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Hold:
    """A rule that held back this tick, with its reason code."""

    rule: str
    reason: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Next:
    """What will happen next, for people: a reason code, the condition, the consequence."""

    reason: str
    when: str
    then: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What one tick decided. ``ledger`` is the ledger with the plan's intents written into it."""

    ledger: Ledger
    actions: tuple[Action, ...] = ()
    holds: tuple[Hold, ...] = ()
    gates: tuple[GateResult, ...] = ()
    effective_zone: tuple[Decimal, Decimal] | None = None
    nexts: tuple[Next, ...] = field(default=())

    @property
    def is_empty(self) -> bool:
        """Return whether nothing is to be done: the engine has converged."""
        return not self.actions
