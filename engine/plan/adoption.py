"""Adoption: an operator makes a position that is not ours one that is managed (RULES G1).

The life goes on under its generation. Its level is that of the stop that protects it, from which
the stop only tightens (B2). It has no targets of its own: those of a fresh decision of the same
side are taken over as any newer decision's are (F10); without one it is protected by two layers,
and nothing else, until such a decision comes.
"""

from __future__ import annotations

from dataclasses import replace

from engine.domain.condition import Command
from engine.domain.decision import Decision
from engine.domain.position import Life, Origin
from engine.domain.situation import Situation
from engine.plan.proposal import NOTHING, Proposal


def adopt_orphan(situation: Situation) -> Proposal:
    """Turn an orphan into a managed life when an operator asks for it."""
    life = situation.ledger.life
    if life is None or life.origin is not Origin.ORPHAN or not life.is_open:
        return NOTHING
    if life.quantity == 0 or life.closing is not None:
        return NOTHING
    if not any(c.command is Command.ADOPT for c in situation.condition.commands):
        return NOTHING
    return Proposal(life=_managed(situation, life))


def _managed(situation: Situation, life: Life) -> Life:
    """Return the life as one of ours.

    What was decided before it is no order to close it (F10); a decision of its own side counts as
    newer than it, so that its targets and its tighter stop are taken over in this very plan.
    """
    decision = _of_its_side(situation, life)
    life = replace(
        life,
        origin=Origin.IMPORTED,
        decision_made_ms=situation.now_ms,
        stop_reason="imported",
    )
    if decision is None:
        return life
    return replace(
        life,
        decision_made_ms=decision.made_ms - 1,
        tp1_fraction=decision.tp1_fraction,
        is_trailing_enabled=decision.is_trailing_enabled,
        trail_mode=decision.trail_mode,
    )


def _of_its_side(situation: Situation, life: Life) -> Decision | None:
    """Return the inbox's decision when it is fresh and of the position's side."""
    decision = situation.inbox.decision
    if decision is None or decision.side is not life.side:
        return None
    is_fresh = situation.now_ms - decision.made_ms <= situation.limits.decision_stale_ms
    return decision if is_fresh else None
