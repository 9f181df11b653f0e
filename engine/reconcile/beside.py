"""Somebody's position beside a life of ours that is not over: it gets its one stop at once (G1).

A life that ended is not let go of before its book is clean and its record told, and one that is
being withdrawn not before its stops have left. What stands there meanwhile is not ours, and must
not wait for that: it is remembered here as a side of a hedge-mode account is, and becomes an
orphan's life, under the same generation and with the same stop, once ours is past.
"""

from __future__ import annotations

from dataclasses import replace

from engine.domain.drift import Drift, DriftKind
from engine.domain.ledger import Ledger
from engine.domain.limits import Limits
from engine.domain.numbers import plain
from engine.domain.observation import Observation
from engine.domain.position import HedgedSide, PositionReport
from engine.reconcile.hedged import gone, is_over, standing
from engine.reconcile.whose import is_somebodys


def fold_beside(
    ledger: Ledger, observation: Observation, limits: Limits
) -> tuple[Ledger, list[Drift]]:
    """Return the ledger with what stands beside the life, and the drift that says so."""
    if observation.position is None:
        return ledger, []
    held = _held_beside(ledger, observation.position.value)
    known = ledger.beside
    if held is None or held.side is None:
        return _without(ledger, observation, limits), []
    if known is not None and known.side is held.side:
        return replace(ledger, beside=standing(known, ledger, observation, limits)), []
    made = HedgedSide(ledger.generation + 1, held.side)
    text = f"{held.side} {plain(held.quantity)} beside ours is not ours; policy {limits.orphan}"
    ledger = replace(ledger, generation=made.generation)
    ledger = replace(ledger, beside=standing(made, ledger, observation, limits))
    return ledger, [Drift(DriftKind.ORPHAN_POSITION, text)]


def _held_beside(ledger: Ledger, read: PositionReport) -> PositionReport | None:
    """Return the position that stands beside the life and is not ours, None when there is none."""
    life = ledger.life
    if read.is_flat:
        return None
    if life is None:  # the look is not whole: an orphan's life begins with the next
        is_known = ledger.beside is not None and ledger.beside.side is read.side
        return read if is_known else None
    if life.closed_ms is not None:
        # A read older than the trade that closed ours shows what we had (RULES C2).
        is_old = read.side is life.side and read.updated_ms < life.closed_ms
        return None if is_old else read
    if life.opened_ms is not None:
        return None
    return read if is_somebodys(ledger, life, read) else None


def _without(ledger: Ledger, observation: Observation, limits: Limits) -> Ledger:
    """Return the ledger after a look without it: let go of only when that is proven (C2)."""
    known, life = ledger.beside, ledger.life
    if known is None:
        return ledger
    is_ours_now = life is not None and life.is_open
    folded = gone(known, observation)
    if is_ours_now or is_over(folded, observation, limits):
        return replace(ledger, beside=None)
    return replace(ledger, beside=folded)
