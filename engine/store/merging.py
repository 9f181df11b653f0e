"""What goes into the spool while the store is down, and how it comes back into the store.

A record holds the orders and stop levels one tick changed. Merging adds what the store does not
know and leaves alone what it knows: the exchange and the ledger in memory are newer witnesses.
What was merely found on the exchange is no record of ours: it will be found there again.
"""

from __future__ import annotations

from collections.abc import Iterable
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

IMPORTED = "imported"
"""The reason of a level that was read from the exchange (``reconcile.orphans``)."""


def spool_changes(spool: Spool, now_ms: int, before: Ledger, after: Ledger, why: str) -> bool:
    """Append what one tick changed of orders and levels; return whether there was anything."""
    change = changes(before, after)
    orders = _ours(entry.value for entries in change.orders.values() for entry in entries)
    levels = _proposed(entry.value for entry in change.levels)
    if not orders and not levels:
        return False
    spool.append("ledger", {"at_ms": now_ms, "why": why, **_data(orders, levels)})
    return True


def merge_spool(store: Store, spool: Spool, now_ms: int) -> int:
    """Bring every spooled record into the store, once and in order; return how many there were."""
    return spool.merge(lambda record: _take(store, record, now_ms))


def merge_ledger(store: Store, ledger: Ledger, now_ms: int) -> None:
    """Add what ``ledger`` intended and the store does not know: it began without the store."""
    orders, levels = _ours(ledger.orders), _proposed(ledger.levels)
    if orders or levels:
        with store.desk.transaction("merging what was done without the store") as connection:
            _add(store, connection, orders, levels)
            _say(store, connection, now_ms, orders, _data(orders, levels))


def _take(store: Store, record: SpoolRecord, now_ms: int) -> None:
    desk = store.desk
    with desk.transaction("merging the spool") as connection:
        mark = {"digest": record.digest, "merged_ms": now_ms}
        insert = upsert(t.spooled, desk.dialect, updates=False)
        if connection.execute(insert, desk.owner | mark).rowcount == 0:
            return
        orders = canonical.from_plain(tuple[Order, ...], record.data.get("orders", []))
        levels = canonical.from_plain(tuple[StopLevel, ...], record.data.get("levels", []))
        _add(store, connection, orders, levels)
        _say(store, connection, record.data["at_ms"], orders, record.data)


def _ours(orders: Iterable[Order]) -> tuple[Order, ...]:
    return tuple(order for order in orders if not order.is_adopted)


def _proposed(levels: Iterable[StopLevel]) -> tuple[StopLevel, ...]:
    return tuple(level for level in levels if level.reason != IMPORTED)


def _data(orders: tuple[Order, ...], levels: tuple[StopLevel, ...]) -> dict[str, Any]:
    return {
        "orders": canonical.to_plain(orders, tuple[Order, ...]),
        "levels": canonical.to_plain(levels, tuple[StopLevel, ...]),
    }


def _add(
    store: Store,
    connection: sa.Connection,
    orders: tuple[Order, ...],
    levels: tuple[StopLevel, ...],
) -> None:
    """Add the orders and levels the store does not know."""
    desk = store.desk
    for order in orders:
        row = desk.owner | order_row(order) | {"epoch": 0, "ledger_index": None}
        if not order.status.is_final:
            row["ledger_index"] = _next_index(connection, desk.owner)
        connection.execute(upsert(t.orders, desk.dialect, updates=False), row)
    for level in levels:
        try:
            with connection.begin_nested():
                connection.execute(sa.insert(t.stop_levels), desk.owner | LEVEL.row(level))
        except sa.exc.IntegrityError:
            continue  # its life is not known here, or a tighter level already is


def _say(
    store: Store,
    connection: sa.Connection,
    at_ms: int,
    orders: tuple[Order, ...],
    data: dict[str, Any],
) -> None:
    ids = ", ".join(str(order.id) for order in orders)
    text = f"recorded in the spool while the store was down: {ids}"
    row = {"at_ms": at_ms, "tick": 0, "kind": "intent", "reason": "spooled"}
    row |= {"order_id": None, "generation": None, "text": text}
    row["data"] = canonical.json_text(data)
    connection.execute(sa.insert(t.events), store.desk.owner | row)


def _next_index(connection: sa.Connection, owner: dict[str, Any]) -> int:
    o = t.orders
    found = connection.execute(
        sa.select(sa.func.max(o.c.ledger_index)).where(
            o.c.account == owner["account"], o.c.symbol == owner["symbol"]
        )
    ).scalar()
    return 0 if found is None else int(found) + 1
