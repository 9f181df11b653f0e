"""The held sides of an account in hedge mode: remembered for their one stop, never a life (H3).

A side is believed on one look and let go only after three over ten seconds (RULES C2), so that a
look that forgot it does not sweep its stop.
"""

from __future__ import annotations

from engine.domain.cover import closes_side, covers_now
from engine.domain.drift import Drift, DriftKind
from engine.domain.ledger import Ledger
from engine.domain.limits import Limits
from engine.domain.numbers import plain
from engine.domain.observation import Observation
from engine.domain.order import Order
from engine.domain.position import HedgedSide, PositionReport
from engine.domain.terms import Side
from engine.domain.values import replace

GONE_READS = 3
KEPT = 64
"""Refused stops a side keeps in the ledger: enough to pace the next attempt by."""


def fold_hedged(
    ledger: Ledger, observation: Observation, limits: Limits
) -> tuple[Ledger, list[Drift]]:
    """Return the ledger with the sides a hedge-mode account holds, and what is to be said of it."""
    drifts: list[Drift] = []
    if observation.is_hedge:
        text = "the account is in hedge mode: each held side gets one stop, nothing is entered"
        drifts.append(Drift(DriftKind.POSITION_MODE_CHANGED, text))
    is_known = ledger.hedged or any(o.terms.position_side is not None for o in ledger.orders)
    if observation.position is None or not (is_known or observation.hedged):
        return ledger, drifts
    kept: list[HedgedSide] = []
    for one in ledger.hedged:
        held = observation.hedged_on(one.side)
        if held is not None:
            kept.append(standing(one, ledger, observation, limits))
        elif not is_over(folded := gone(one, observation), observation, limits):
            kept.append(folded)
    known = {one.side for one in kept}
    for report in () if observation.hedged is None else observation.hedged.value:
        if report.side is None or report.side in known:
            continue
        one = _new(ledger, report.side)
        ledger = replace(ledger, generation=max(ledger.generation, one.generation))
        kept.append(standing(one, ledger, observation, limits))
        drifts.append(Drift(DriftKind.ORPHAN_POSITION, _words(report)))
    ledger = replace(ledger, hedged=tuple(kept))
    return replace(ledger, orders=_trimmed(ledger)), drifts


def _new(ledger: Ledger, side: Side) -> HedgedSide:
    """Return a side seen first: under the generation of its stop when the store was lost."""
    taken = {one.generation for one in ledger.hedged}
    own = [o.generation for o in ledger.orders if o.terms.position_side is side and o.may_rest]
    own = [generation for generation in own if generation not in taken]
    return HedgedSide(max(own) if own else ledger.generation + 1, side)


def standing(
    one: HedgedSide, ledger: Ledger, observation: Observation, limits: Limits
) -> HedgedSide:
    """Return a held side with where its newest stop rested, and whether one rests now."""
    own = [o for o in ledger.orders if o.generation == one.generation]
    rested = [o for o in own if o.rested_ms is not None and o.terms.trigger_price is not None]
    level = one.level
    if rested:
        level = max(rested, key=lambda o: o.id.revision).terms.trigger_price
    now_ms, grace_ms = observation.now_ms, limits.trigger_grace_ms
    is_covered = any(covers_now(o, now_ms, grace_ms) for o in own) or any(
        closes_side(report, one.side) for report in observation.open_reports or ()
    )
    return replace(one, level=level, is_covered=is_covered, gone_ms=None, gone_reads=0)


def gone(one: HedgedSide, observation: Observation) -> HedgedSide:
    """Return a side that this look does not show: since when, and in how many looks."""
    since_ms = observation.now_ms if one.gone_ms is None else one.gone_ms
    return replace(one, gone_ms=since_ms, gone_reads=min(one.gone_reads + 1, GONE_READS))


def is_over(one: HedgedSide, observation: Observation, limits: Limits) -> bool:
    """Return whether the side is proven gone: three looks over ten seconds (RULES C2)."""
    if one.gone_ms is None or one.gone_reads < GONE_READS:
        return False
    return observation.now_ms - one.gone_ms >= limits.flat_wait_ms


def _words(report: PositionReport) -> str:
    return f"{report.side} {plain(report.quantity)} in hedge mode is not ours; one stop, no more"


def _trimmed(ledger: Ledger) -> tuple[Order, ...]:
    """Return the orders without those whose side is gone, and without the oldest refused ones."""
    newest = {
        one.generation: max(
            (o.id.revision for o in ledger.orders if o.generation == one.generation), default=0
        )
        for one in ledger.hedged
    }
    return tuple(
        o
        for o in ledger.orders
        if o.may_rest
        or o.terms.position_side is None
        or (o.generation in newest and o.id.revision > newest[o.generation] - KEPT)
    )
