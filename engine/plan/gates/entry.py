"""What a gate is asked about, an entry that would be, and how it answers (RULES E3)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from engine.domain.action import GateResult, Verdict
from engine.domain.decision import Decision
from engine.domain.identity import FOREIGN_HASH
from engine.domain.ledger import PastLife
from engine.domain.numbers import plain
from engine.domain.situation import Situation
from engine.plan.entry_zone import EffectiveZone, effective_zone, entry_terms


@dataclass(frozen=True, slots=True)
class Entry:
    """What an entry would be: its prices and quantity, as far as they can be computed."""

    decision: Decision
    zone: EffectiveZone | None
    quantity: Decimal | None


Gate = Callable[[Situation, Entry], GateResult]


def planned_entry(situation: Situation) -> Entry | None:
    """Return the entry the newest decision asks for, None when it asks for none."""
    decision, instrument = situation.inbox.decision, situation.instrument
    if decision is None or decision.side is None:
        return None
    if instrument is None:
        return Entry(decision, None, None)
    rates = situation.observation.rates
    terms = entry_terms(
        decision, situation.limits, None if rates is None else rates.value, instrument
    )
    zone = None if terms is None else effective_zone(terms, instrument)
    quantity = None
    if zone is not None and decision.size_usdt is not None:
        quantity = instrument.floor_quantity(decision.size_usdt / zone.first_price)
    return Entry(decision, zone, quantity)


def own_lives(situation: Situation) -> list[PastLife]:
    """Return the past lives that an entry of ours began: what was only protected was no trade."""
    return [p for p in situation.ledger.past if p.decision_id != FOREIGN_HASH]


def gate(
    code: str, passes: object, value: object = None, limit: object = None, detail: str = ""
) -> GateResult:
    """Return a gate's answer: the value, the limit it is held against, and the verdict."""
    verdict = Verdict.PASS if passes else Verdict.REFUSE
    return GateResult(code, verdict, _text(value), _text(limit), detail)


def unknown(code: str, detail: str) -> GateResult:
    """Return a refusal for want of the value: what is not known is not zero."""
    return GateResult(code, Verdict.REFUSE, None, None, detail)


def _text(value: object) -> str | None:
    if value is None:
        return None
    return plain(value) if isinstance(value, Decimal) else str(value)
