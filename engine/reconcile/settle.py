"""Folding one observation into the next ledger, and naming every difference on the way."""

from __future__ import annotations

from engine.domain.decision import Inbox
from engine.domain.drift import Drift, DriftKind
from engine.domain.identity import OrderRole
from engine.domain.ledger import Ledger
from engine.domain.limits import Limits
from engine.domain.numbers import ZERO, plain
from engine.domain.observation import Observation
from engine.domain.order import Order, OrderStatus
from engine.domain.position import Origin
from engine.domain.values import replace
from engine.reconcile.beside import fold_beside
from engine.reconcile.equity import fold_equity
from engine.reconcile.fills import fold_fills
from engine.reconcile.hedged import fold_hedged
from engine.reconcile.history import fold_history
from engine.reconcile.life import (
    fold_cover,
    fold_end,
    fold_entry,
    fold_funding,
    fold_levels,
    fold_prices,
)
from engine.reconcile.orders import fold_orders
from engine.reconcile.orphans import fold_orphan
from engine.reconcile.others import drifts_of_others
from engine.reconcile.position import fold_position
from engine.reconcile.pushes import believe, fold_pushes
from engine.reconcile.settings import fold_settings

SPENT_SIBLING = "spent_sibling"
"""How the note of a stop begins that ended empty because the other layer executed (RULES F7)."""


def reconcile(
    ledger: Ledger, observation: Observation, limits: Limits
) -> tuple[Ledger, tuple[Drift, ...]]:
    """Return the ledger after this look, and what differed (DESIGN section 5).

    Orders first (they name fills), then fills (they prove flat), then the position, then what
    follows from the three.
    """
    recalled = ledger
    ledger = fold_history(ledger, observation)
    ledger, drifts = fold_orders(ledger, observation, limits)
    ledger, _ = fold_fills(ledger, observation)
    ledger, of_pushes = fold_pushes(ledger, observation)
    ledger = fold_levels(ledger, observation.now_ms)
    ledger, of_position = fold_position(ledger, observation, limits)
    ledger = believe(ledger)
    ledger = fold_end(fold_funding(ledger, observation), observation)
    ledger = _with_siblings_named(ledger)
    ledger = fold_equity(ledger, observation, limits)
    ledger, of_orphan = fold_orphan(ledger, observation, limits)
    ledger, of_beside = fold_beside(ledger, observation, limits)
    ledger, of_hedged = fold_hedged(ledger, observation, limits)
    ledger = fold_prices(fold_entry(ledger, observation, limits), observation)
    ledger, of_settings = fold_settings(ledger, observation)
    ledger, of_cover = fold_cover(ledger, observation, limits)
    drifts += of_pushes + of_position + of_orphan + of_beside + of_hedged + of_settings + of_cover
    drifts += drifts_of_others(recalled, ledger)
    drifts += _excess(ledger)
    drifts += _long_doubts(ledger, observation.now_ms) + _foreign_orders(observation)
    if observation.history is not None and ledger.history_read_ms is None:
        ledger = replace(ledger, history_read_ms=observation.history.at_ms)
    return _with_picture(recalled, ledger, observation), tuple(drifts)


def adopt(ledger: Ledger, inbox: Inbox) -> Ledger:
    """Return the ledger remembering the newest decision it has seen (RULES D2, D4)."""
    if inbox.decision is None:
        return ledger
    newest_ms = max(ledger.adopted_decision_ms, inbox.decision.made_ms)
    return replace(ledger, adopted_decision_ms=newest_ms)


def _with_picture(recalled: Ledger, ledger: Ledger, observation: Observation) -> Ledger:
    """Return the ledger counting settled pictures in a row: whole, and nothing moved (RULES C3).

    A second look may show that nothing did: it was asked for a stop of unknown fate alone.
    """
    is_whole = observation.position is not None and observation.open_reports is not None
    if not is_whole or (observation.is_second and not _only_awaits_stops(recalled, ledger)):
        return ledger if ledger.settled_streak == 0 else replace(ledger, settled_streak=0)
    # Two is all a rule ever asks for; counting on would make every tick a change.
    streak = min(ledger.settled_streak + 1, 2)
    return replace(ledger, settled_streak=streak)


def _only_awaits_stops(recalled: Ledger, ledger: Ledger) -> bool:
    """Return whether the ledger stands as before, with nothing open but the fate of stops (C4).

    Whether such a stop rests beside others decides nothing an entry depends on: protection does
    not wait for its fate, and it can neither open nor enlarge.
    """
    if not any(_awaits(order) for order in ledger.orders):
        return False  # something else was asked about
    if ledger.position_quantity != recalled.position_quantity or ledger.fills != recalled.fills:
        return False
    if len(ledger.orders) != len(recalled.orders) or any(not f.client_id for f in ledger.fills):
        return False
    return all(
        (now.id, now.status, now.quantity_filled) == (was.id, was.status, was.quantity_filled)
        and (now.status.is_final or now.is_confirmed_resting or _awaits(now))
        for now, was in zip(ledger.orders, recalled.orders, strict=True)
    )


def _awaits(order: Order) -> bool:
    return order.status is OrderStatus.UNKNOWN and order.role.is_stop


def _excess(ledger: Ledger) -> list[Drift]:
    """Return what is to be said of entries that executed beyond their decision (RULES B3)."""
    life = ledger.life
    if life is None or life.origin is not Origin.DECISION:
        return []
    executed = sum((o.quantity_filled for o in ledger.of_life(OrderRole.ENTRY)), ZERO)
    if executed <= life.planned_quantity:
        return []
    text = f"entries executed {plain(executed)} of {plain(life.planned_quantity)}"
    return [Drift(DriftKind.EXCESS, text)]


def _with_siblings_named(ledger: Ledger) -> Ledger:
    """Return the ledger saying why a stop ended empty: the other layer took all (RULES F7)."""
    life = ledger.life
    if life is None or life.closed_ms is None or life.swept_ms is not None:
        return ledger
    stops = [o for o in ledger.of_life() if o.role.is_stop]
    if not any(o.quantity_filled > 0 for o in stops):
        return ledger
    for stop in stops:
        is_empty = stop.status is OrderStatus.EXPIRED and stop.quantity_filled == 0
        if is_empty and not stop.note.startswith(SPENT_SIBLING):
            ledger = ledger.with_order(replace(stop, note=f"{SPENT_SIBLING}: {stop.note}"))
    return ledger


def _long_doubts(ledger: Ledger, now_ms: int) -> list[Drift]:
    """Return what is to be said of cover that stays in doubt (RULES C1)."""
    text = "cover: not shown for 30 s, nothing ended it"
    return [
        Drift(DriftKind.COVER_IN_DOUBT, text, str(order.id))
        for order in ledger.cover_in_doubt(now_ms)
    ]


def _foreign_orders(observation: Observation) -> list[Drift]:
    return [
        Drift(DriftKind.FOREIGN_ORDER, f"{r.side} {r.type} {r.quantity}", r.client_id)
        for r in observation.open_reports or ()
        if r.own_id is None
    ]
