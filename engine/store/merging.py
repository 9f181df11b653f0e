"""What goes into the spool while the store is down, and how it comes back into the store.

A record holds the orders and stop levels one tick changed. Merging adds what the store does not
know and leaves alone what it knows: the exchange and the ledger in memory are newer witnesses.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from engine.domain import canonical
from engine.domain.ledger import Ledger
from engine.domain.order import Order
from engine.domain.position import StopLevel
from engine.store import tables as t
from engine.store.changes import changes
from engine.store.mapping import LEVEL, order_row
from engine.store.spool import Spool, SpoolRecord
from engine.store.store import Store
from engine.store.writing import upsert


def spool_changes(spool: Spool, now_ms: int, before: Ledger, after: Ledger, why: str) -> bool:
    """Append what one tick changed of orders and levels; return whether there was anything."""
    change = changes(before, after)
    orders = tuple(entry.value for entries in change.orders.values() for entry in entries)
    levels = tuple(entry.value for entry in change.levels)
    if not orders and not levels:
        return False
    data = {
        "at_ms": now_ms,
        "why": why,
        "orders": canonical.to_plain(orders, tuple[Order, ...]),
        "levels": canonical.to_plain(levels, tuple[StopLevel, ...]),
    }
    spool.append("ledger", data)
    return True


def merge_spool(store: Store, spool: Spool, now_ms: int) -> int:
    """Bring every spooled record into the store, once and in order; return how many there were."""
    return spool.merge(lambda record: _take(store, record, now_ms))


def _take(store: Store, record: SpoolRecord, now_ms: int) -> None:
    desk = store.desk
    with desk.transaction("merging the spool") as connection:
        mark = {"digest": record.digest, "merged_ms": now_ms}
        insert = upsert(t.spooled, desk.dialect, updates=False)
        if connection.execute(insert, desk.owner | mark).rowcount == 0:
            return
        orders = canonical.from_plain(tuple[Order, ...], record.data.get("orders", []))
        for order in orders:
            row = desk.owner | order_row(order) | {"epoch": 0, "ledger_index": None}
            if not order.status.is_final:
                row["ledger_index"] = _next_index(connection, desk.owner)
            connection.execute(upsert(t.orders, desk.dialect, updates=False), row)
        levels = canonical.from_plain(tuple[StopLevel, ...], record.data.get("levels", []))
        for level in levels:
            try:
                with connection.begin_nested():
                    connection.execute(sa.insert(t.stop_levels), desk.owner | LEVEL.row(level))
            except sa.exc.IntegrityError:
                continue  # its life is not known here, or a tighter level already is
        ids = ", ".join(str(order.id) for order in orders)
        text = f"recorded in the spool while the store was down: {ids}"
        row = {"at_ms": record.data["at_ms"], "tick": 0, "kind": "intent", "reason": "spooled"}
        row |= {"order_id": None, "generation": None, "text": text}
        row["data"] = canonical.json_text(record.data)
        connection.execute(sa.insert(t.events), desk.owner | row)


def _next_index(connection: sa.Connection, owner: dict[str, Any]) -> int:
    o = t.orders
    found = connection.execute(
        sa.select(sa.func.max(o.c.ledger_index)).where(
            o.c.account == owner["account"], o.c.symbol == owner["symbol"]
        )
    ).scalar()
    return 0 if found is None else int(found) + 1
