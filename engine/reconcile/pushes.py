"""Believing the user stream in the one direction it may be believed: more of a position to cover.

An entry's execution that was pushed counts as position until an answer says as much, at most for
the ten seconds within which an accepted execution must be visible (RULES B3 b). An answer that
still says otherwise then is a drift, and wins. To shrink, cancel, enter or call anything gone,
pushes count for nothing (DESIGN section 2).
"""

from __future__ import annotations

from engine.domain.drift import Drift, DriftKind
from engine.domain.identity import OrderRole
from engine.domain.ledger import Ledger
from engine.domain.numbers import ZERO, plain
from engine.domain.observation import Fact, Observation
from engine.domain.order import Order, OrderReport, signed
from engine.domain.position import Life, Origin
from engine.domain.values import replace
from engine.reconcile.orders import VISIBLE_WITHIN_MS
from engine.reconcile.position import executed_of

TOLD_SLACK_MS = 1_000
"""How far apart an order event and the trade it tells of may be stamped."""


def needs_a_stop(ledger: Ledger, pushed: tuple[Fact[OrderReport], ...]) -> bool:
    """Return whether something pushed executed that no stop of ours can be resting for."""
    life = ledger.life
    if life is None or life.closed_ms is not None or life.closing is not None:
        return False
    entries = ledger.of_life(OrderRole.ENTRY)
    if not any(_news(order, fact.value) for fact in pushed for order in entries):
        return False
    stops = [o for o in ledger.of_life() if o.role.is_stop and o.is_confirmed_resting]
    if any(o.terms.close_position for o in stops):
        return False
    covered = sum((o.terms.quantity or ZERO for o in stops), ZERO)
    return covered < life.quantity + sum((o.quantity_remaining for o in entries), ZERO)


def fold_pushes(ledger: Ledger, observation: Observation) -> tuple[Ledger, list[Drift]]:
    """Return the ledger with pushed executions noted, confirmed or given up, after the answers."""
    for fact in observation.pushed:
        for order in ledger.of_life(OrderRole.ENTRY):
            if _news(order, fact.value):
                executed = min(fact.value.quantity_filled, order.terms.quantity or ZERO)
                ledger = ledger.with_order(
                    replace(order, quantity_pushed=executed, pushed_ms=fact.value.updated_ms)
                )
    drifts = _silence(ledger, observation)
    has_answers = observation.position is not None and observation.orders is not None
    for order in ledger.of_life(OrderRole.ENTRY):
        if order.pushed_ms is None:
            continue
        is_told = order.quantity_untold == 0
        is_due = has_answers and observation.now_ms - order.pushed_ms > VISIBLE_WITHIN_MS
        if is_due and not is_told:
            drifts.append(
                Drift(
                    DriftKind.STREAM_DIFFERS,
                    f"pushed {plain(order.quantity_pushed)} executed,"
                    f" answers say {plain(order.quantity_filled)}",
                    str(order.id),
                )
            )
        if is_due or is_told:
            ledger = ledger.with_order(replace(order, quantity_pushed=ZERO, pushed_ms=None))
    return _without_a_trace(ledger, observation, drifts), drifts


def believe(ledger: Ledger) -> Ledger:
    """Return the ledger whose position is at least what was pushed."""
    life = ledger.life
    if life is None or life.closed_ms is not None or life.origin is not Origin.DECISION:
        return ledger
    untold = [o for o in ledger.of_life(OrderRole.ENTRY) if o.quantity_untold > 0]
    if not untold:
        return ledger
    executed = executed_of(ledger, life)
    if executed <= life.quantity:
        return ledger
    since_ms = min(o.pushed_ms for o in untold if o.pushed_ms is not None)
    opened_ms = since_ms if life.opened_ms is None else life.opened_ms
    return _with(ledger, replace(life, quantity=executed, opened_ms=opened_ms))


def _news(order: Order, report: OrderReport) -> bool:
    """Return whether a push says more has executed of an entry than anybody said before."""
    known = max(order.quantity_filled, order.quantity_pushed)
    is_it = report.client_id == str(order.id) and report.book is order.terms.book
    return is_it and report.quantity_filled > known and report.side is order.terms.side


def _without_a_trace(ledger: Ledger, observation: Observation, drifts: list[Drift]) -> Ledger:
    """Return the ledger without a position that was given up and that nothing else ever showed."""
    life, position = ledger.life, observation.position
    if life is None or not any(d.kind is DriftKind.STREAM_DIFFERS for d in drifts):
        return ledger
    if position is None or not position.value.is_flat:
        return ledger
    was_seen = ledger.fills or any(o.quantity_filled > 0 for o in ledger.of_life(OrderRole.ENTRY))
    if was_seen or life.closed_ms is not None or executed_of(ledger, life) > 0:
        return ledger
    return _with(
        ledger, replace(life, quantity=ZERO, opened_ms=None, flat_seen_ms=None, flat_reads=0)
    )


def _silence(ledger: Ledger, observation: Observation) -> list[Drift]:
    """Return the drift of a stream that stands and does not tell what answers tell (lesson 32)."""
    word, traded_ms = observation.stream, ledger.last_fill_ms
    if word is None or traded_ms <= word.up_since_ms + TOLD_SLACK_MS:
        return []
    if observation.now_ms - traded_ms <= VISIBLE_WITHIN_MS:
        return []
    if word.told_ms is not None and word.told_ms >= traded_ms - TOLD_SLACK_MS:
        return []
    return [Drift(DriftKind.STREAM_SILENT, f"a trade at {traded_ms} was never pushed")]


def _with(ledger: Ledger, life: Life) -> Ledger:
    return replace(ledger, life=life, position_quantity=signed(life.side, life.quantity))
