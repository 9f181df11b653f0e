"""The engine's own state that a plan may depend on: lease, store, clock, budget, halts."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from engine.domain.terms import ActionClass, Rights


class Command(StrEnum):
    """What an operator can ask for through the store."""

    HALT = "halt"
    RESUME = "resume"
    RESUME_FORCED = "resume_forced"
    FLATTEN = "flatten"
    ADOPT = "adopt"


@dataclass(frozen=True, slots=True)
class OperatorCommand:
    """One pending operator command."""

    id: int
    command: Command
    by: str
    why: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class HaltReason:
    """Why entries are stopped until an operator resumes."""

    code: str
    detail: str
    since_ms: int


@dataclass(frozen=True, slots=True)
class Condition:
    """Everything about the engine itself that guards may read.

    ``epoch``, ``lease_until_ms`` and ``lease_since_ms`` (when this process got it) belong to the
    lease (RULES G4); ``is_takeover``: its former holder may only be frozen, and wake.
    ``clock_error_ms`` is None while the clock was never anchored. ``weight_used``/``weight_limit``
    are the exchange's count of the last minute, ``order_count``/``order_limit`` likewise;
    ``blocked_until_ms`` is the end of a 429/418 period (RULES H4). ``overruled`` are the hard
    errors an operator resumed in spite of: they halt nothing until they have gone once.
    ``is_wire_stuck``: too many calls hang beyond the reach of any deadline.
    """

    tick: int = 0
    rights: Rights = Rights.LEASED
    epoch: int = 0
    lease_until_ms: int | None = None
    is_store_writable: bool = True
    clock_error_ms: int | None = 0
    is_stream_up: bool = False
    is_breaker_open: bool = False
    weight_used: int = 0
    weight_limit: int = 2400
    blocked_until_ms: int = 0
    halts: tuple[HaltReason, ...] = ()
    overruled: tuple[str, ...] = ()
    is_wire_stuck: bool = False
    churned: tuple[ActionClass, ...] = ()
    lease_since_ms: int | None = None
    is_takeover: bool = False
    commands: tuple[OperatorCommand, ...] = ()
