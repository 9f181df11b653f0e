"""Letting go of old tick rows, in portions small enough to fit between two ticks.

Only ``ticks`` grows without being history: a row serves replay and nothing else. Everything that
people read (events, orders, fills, levels, trades, decisions) stays. The newest row always stays,
because the next one is chained to it.
"""

from __future__ import annotations

import sqlalchemy as sa

from engine.store import tables as t
from engine.store.connect import Desk

PORTION = 2_000
"""Rows one call removes at most: some ten milliseconds, on either database."""


def retire_ticks(desk: Desk, before_ms: int) -> int:
    """Remove the oldest tick rows from before ``before_ms``; return how many, ``PORTION`` at most.

    Fewer than ``PORTION`` means that nothing more is due. Raises ``StoreUnavailable``.
    """
    k = t.ticks
    ours = sa.and_(k.c.account == desk.account, k.c.symbol == desk.symbol)
    newest = sa.select(sa.func.max(k.c.id)).where(ours).scalar_subquery()
    due = (
        sa.select(k.c.id)
        .where(ours, k.c.now_ms < before_ms, k.c.id < newest)
        .order_by(k.c.now_ms)
        .limit(PORTION)
    )
    with desk.transaction("retiring old ticks") as connection:
        numbers = list(connection.execute(due).scalars())
        if numbers:
            connection.execute(sa.delete(k).where(ours, k.c.id.in_(numbers)))
    return len(numbers)
