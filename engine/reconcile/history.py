"""What the exchange's own history tells a ledger that is empty or behind (RULES D2, G3).

Ids carry generation and decision hash, so used decisions, closed lives and the next free
generation come back without a store.
"""

from __future__ import annotations

from collections import defaultdict

from engine.domain.again import last_answer
from engine.domain.identity import ClientOrderId, OrderRole
from engine.domain.ledger import Ledger, PastLife
from engine.domain.observation import Observation
from engine.domain.order import OrderReport
from engine.domain.terms import OrderSide, Side
from engine.domain.values import replace

HISTORY_MS = 7 * 86_400_000
"""How far back history is read (RULES G3)."""


def fold_history(ledger: Ledger, observation: Observation) -> Ledger:
    """Return the ledger with generation and past lives at least as new as the exchange's."""
    history = () if observation.history is None else observation.history.value
    if observation.orders is None or observation.algo_orders is None:
        return _with_lives(ledger, (), (), history)
    return _with_lives(ledger, observation.orders.value, observation.algo_orders.value, history)


@last_answer
def _with_lives(
    ledger: Ledger,
    regular: tuple[OrderReport, ...],
    conditional: tuple[OrderReport, ...],
    history: tuple[OrderReport, ...],
) -> Ledger:
    """Return the ledger with every life that these own orders tell of."""
    lives: dict[int, list[tuple[ClientOrderId, OrderReport]]] = defaultdict(list)
    for report in (*regular, *conditional, *history):
        if (own_id := report.own_id) is not None and own_id.role is not OrderRole.PROBE:
            lives[own_id.generation].append((own_id, report))
    if not lives:
        return ledger
    generation = max(ledger.generation, *lives)
    known = {past.generation for past in ledger.past}
    if ledger.life is not None:
        known.add(ledger.life.generation)
    recovered = tuple(
        past
        for number, orders in sorted(lives.items())
        if number not in known and (past := _past_life(number, orders)) is not None
    )
    return replace(ledger, generation=generation, past=(*ledger.past, *recovered))


def _past_life(generation: int, orders: list[tuple[ClientOrderId, OrderReport]]) -> PastLife | None:
    """Return a life read from its orders, None unless an entry of it was ever sent."""
    entries = [(own, r) for own, r in orders if own.role is OrderRole.ENTRY]
    if not entries:
        return None
    filled = [r for _, r in entries if r.quantity_filled > 0]
    return PastLife(
        generation=generation,
        decision_id=entries[0][0].decision_hash,
        terms="",
        opened_ms=min((r.updated_ms for r in filled), default=None),
        closed_ms=max(r.updated_ms for _, r in orders),
        exit_reason=None,
        withdrawn=None if filled else "recovered",
        side=Side.LONG if entries[0][1].side is OrderSide.BUY else Side.SHORT,
    )
