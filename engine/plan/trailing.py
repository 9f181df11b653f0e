"""Trailing candidates: structure swings and the approach to a liquidation zone (RULES F8).

Everything is computed from the ledger's best price, the decision's structure and the exchange's
candles, so a restart computes the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from engine.domain.decision import TrailMode
from engine.domain.instrument import Instrument
from engine.domain.limits import Limits
from engine.domain.numbers import ONE, ZERO
from engine.domain.observation import Candle
from engine.domain.position import Life
from engine.domain.situation import Situation
from engine.domain.terms import Side
from engine.plan.exits import runner_target


def trail_candidates(situation: Situation) -> list[Decimal]:
    """Return the levels trailing asks for, rounded toward less risk; empty before TP1 is done."""
    life, instrument = situation.ledger.life, situation.instrument
    if life is None or instrument is None or life.tp1_done_ms is None:
        return []
    if not life.is_trailing_enabled:
        return []
    candidates: list[Decimal] = []
    if life.trail_mode is not TrailMode.LIQ:
        swing = _swing(situation, life)
        candidates += [] if swing is None else [swing]
    if life.trail_mode is not TrailMode.STRUCTURE:
        approach = approach_candidate(life, situation.limits, instrument)
        candidates += [] if approach is None else [approach]
    return [instrument.price_toward_less_risk(life.side, level) for level in candidates]


def approach_candidate(life: Life, limits: Limits, instrument: Instrument) -> Decimal | None:
    """Return the level that follows price into the zone, None outside the approach.

    The distance shrinks linearly from ``trail`` at the start of the approach to ``liq_trail`` at
    the zone's edge; start is TP1, or the edge less ``approach_pct`` if that is nearer.
    """
    if life.zone is None or life.best_price is None:
        return None
    target = runner_target(life, instrument)
    edge = life.zone.near_edge(life.side)
    if target is None or life.side.gain(target[1], edge) > 0:
        return None  # the zone lies behind TP2: never reached
    side, best = life.side, life.best_price
    nearer = edge * (ONE - side.sign * limits.approach_pct / 100)
    start = nearer if life.tp1_price is None else side.tighter(life.tp1_price, nearer)
    if side.gain(start, best) < 0 or side.gain(start, edge) <= 0:
        return None
    share = side.gain(best, edge) / side.gain(start, edge)
    near, far = limits.liq_trail_pct / 100, limits.trail_pct / 100
    distance = near + (far - near) * min(max(share, ZERO), ONE)
    return best * (ONE - side.sign * distance)


def pivot(side: Side, candles: Sequence[Candle], k: int) -> Decimal | None:
    """Return the latest pivot among closed candles: beyond the k closed ones on each side."""
    closed = candles[:-1]
    for index in range(len(closed) - 1 - k, k - 1, -1):
        value = _extreme(side, closed[index])
        others = (*closed[index - k : index], *closed[index + 1 : index + 1 + k])
        if all(side.is_tighter(_extreme(side, c), value) for c in others):
            return value
    return None


def _extreme(side: Side, candle: Candle) -> Decimal:
    return candle.low if side is Side.LONG else candle.high


def _swing(situation: Situation, life: Life) -> Decimal | None:
    """Return the swing the stop may follow: the decision's while fresh, else the last pivot."""
    decision, limits = situation.inbox.decision, situation.limits
    candles, last = situation.observation.candles, situation.observation.last_price
    if candles is None or last is None or life.opened_ms is None:
        return None
    gap = last * limits.min_gap_pct / 100
    given = life.swing
    made_ms = life.swing_made_ms or 0
    if decision is not None and decision.side is life.side and decision.made_ms >= made_ms:
        given, made_ms = decision.swing(life.side), decision.made_ms
    is_fresh = situation.now_ms - made_ms <= limits.swing_fresh_ms
    if given is not None and is_fresh and life.side.gain(given, last) >= gap:
        return given
    since = [c for c in candles.value if c.open_ms >= life.opened_ms - 60_000]
    return pivot(life.side, since, limits.pivot_k)
