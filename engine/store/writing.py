"""Writing the differences of a ledger, committed per class, protection first (RULES G5).

A stop level the database refuses (never widen) is rolled back to its own savepoint: it refuses
that proposal and the orders that would carry it, nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any

import sqlalchemy as sa

from engine.domain.identity import ClientOrderId, OrderRole
from engine.domain.ledger import Ledger, PastLife
from engine.domain.order import Order
from engine.domain.position import Life, StopLevel
from engine.domain.terms import ActionClass
from engine.store import tables as t
from engine.store.changes import CLASSES, Changes, Entry
from engine.store.connect import Desk
from engine.store.dialects import insert_for
from engine.store.events import Events
from engine.store.mapping import (
    LEVEL,
    LIFE,
    PAST,
    fill_row,
    order_row,
    scalars_row,
)
from engine.store.trades import trade_row


@cache
def upsert(table: sa.Table, dialect: str, *, updates: bool = True) -> Any:
    """Return INSERT … ON CONFLICT on the primary key: DO UPDATE all others, or DO NOTHING."""
    statement = insert_for(dialect, table)
    keys = [column.name for column in table.primary_key]
    if not updates:
        kept = statement.on_conflict_do_nothing(index_elements=keys)
        return kept.execution_options(preserve_rowcount=True)  # 0: the row was there already
    rest = {c.name: statement.excluded[c.name] for c in table.columns if c.name not in keys}
    return statement.on_conflict_do_update(index_elements=keys, set_=rest)


def _of_owner(table: sa.Table) -> sa.ColumnElement[bool]:
    return sa.and_(
        table.c.account == sa.bindparam("owner_account"),
        table.c.symbol == sa.bindparam("owner_symbol"),
    )


_FORGET_ORDER = (
    sa.update(t.orders)
    .where(_of_owner(t.orders), t.orders.c.client_id == sa.bindparam("key"))
    .values(ledger_index=None)
)
_FORGET_FILL = (
    sa.update(t.fills)
    .where(_of_owner(t.fills), t.fills.c.fill_id == sa.bindparam("key"))
    .values(ledger_index=None)
)
_FORGET_PAST = sa.delete(t.past_lives).where(
    _of_owner(t.past_lives), t.past_lives.c.generation == sa.bindparam("key")
)
_END_LIFE = (
    sa.update(t.positions)
    .where(_of_owner(t.positions), t.positions.c.generation == sa.bindparam("key"))
    .values(
        closed_ms=sa.func.coalesce(t.positions.c.closed_ms, sa.bindparam("at_closed_ms")),
        swept_ms=sa.func.coalesce(t.positions.c.swept_ms, sa.bindparam("at_swept_ms")),
        exit_reason=sa.func.coalesce(t.positions.c.exit_reason, sa.bindparam("for_reason")),
    )
)


class Writer:
    """Writes one account's and symbol's changes."""

    def __init__(self, desk: Desk, events: Events) -> None:
        self._desk = desk
        self._events = events
        self._owner_keys = {"owner_account": desk.account, "owner_symbol": desk.symbol}
        self.epoch = 0

    def write(
        self, change: Changes, after: Ledger, *, now_ms: int, epoch: int
    ) -> frozenset[ClientOrderId]:
        """Commit every change, one transaction per class; return the ids that must not be sent.

        Raises ``StoreUnavailable``; what was committed before stays, protection first.
        """
        self.epoch = epoch
        refused: frozenset[ClientOrderId] = frozenset()
        if change.are_none:
            return refused
        protecting = change.orders.get(ActionClass.PROTECT, [])
        with self._desk.transaction("recording protection", is_urgent=True) as connection:
            self._life(connection, change, now_ms)
            refused = self._levels(connection, change.levels, after, now_ms)
            self._orders(connection, protecting, refused, epoch, now_ms)
            self._facts(connection, change, after, now_ms)
            self._trade(connection, change, after)
        for action_class in CLASSES[1:]:
            if action_class in change.orders:
                with self._desk.transaction(f"recording {action_class}") as connection:
                    entries = change.orders[action_class]
                    self._orders(connection, entries, refused, epoch, now_ms)
        return refused

    def _life(self, connection: sa.Connection, change: Changes, now_ms: int) -> None:
        if change.ended is not None:
            was, kept = change.ended
            connection.execute(_END_LIFE, self._ending(was, kept, now_ms))
        if change.life is None:
            return
        row = self._desk.owner | LIFE.row(change.life)
        try:
            with connection.begin_nested():
                connection.execute(upsert(t.positions, self._desk.dialect), row)
        except sa.exc.IntegrityError as error:
            # The level in force stays as recorded; everything else of the life is kept.
            reason = "level_refused_by_store"
            text = f"stop_level {row['stop_level']}: {refusal(error)}"
            self._events.add(connection, now_ms, "refused", reason, text)
            in_force = self._level_in_force(connection, change.life)
            connection.execute(
                upsert(t.positions, self._desk.dialect), row | {"stop_level": in_force}
            )

    def _level_in_force(self, connection: sa.Connection, life: Life) -> Any:
        p = t.positions
        return connection.execute(
            sa.select(p.c.stop_level).where(
                p.c.account == self._desk.account,
                p.c.symbol == self._desk.symbol,
                p.c.generation == life.generation,
            )
        ).scalar()

    def _ending(self, was: Life, kept: PastLife | None, now_ms: int) -> dict[str, Any]:
        reason = None if kept is None else kept.exit_reason
        return self._owner_keys | {
            "key": was.generation,
            "at_closed_ms": now_ms if kept is None else kept.closed_ms,
            "at_swept_ms": now_ms,
            "for_reason": None if reason is None else reason.value,
        }

    def _levels(
        self,
        connection: sa.Connection,
        entries: Iterable[Entry[StopLevel]],
        after: Ledger,
        now_ms: int,
    ) -> frozenset[ClientOrderId]:
        refused: set[ClientOrderId] = set()
        for entry in entries:
            level = entry.value
            row = self._desk.owner | LEVEL.row(level)
            try:
                with connection.begin_nested():
                    connection.execute(sa.insert(t.stop_levels), row)
            except sa.exc.IntegrityError as error:
                refused |= _carriers(level, after)
                text = f"stop level {row['level']} ({level.reason}): {refusal(error)}"
                self._events.add(
                    connection,
                    now_ms,
                    "refused",
                    "level_refused_by_store",
                    text,
                    generation=level.generation,
                )
            else:
                self._events.add_level(connection, now_ms, level)
        return frozenset(refused)

    def _orders(
        self,
        connection: sa.Connection,
        entries: Iterable[Entry[Order]],
        refused: frozenset[ClientOrderId],
        epoch: int,
        now_ms: int,
    ) -> None:
        rows = []
        for entry in entries:
            order = entry.value
            if order.id in refused:
                continue
            extra = {"ledger_index": entry.index, "epoch": epoch}
            rows.append(self._desk.owner | order_row(order) | extra)
            self._events.add_order(connection, now_ms, entry)
        if rows:
            connection.execute(upsert(t.orders, self._desk.dialect), rows)

    def _facts(
        self, connection: sa.Connection, change: Changes, after: Ledger, now_ms: int
    ) -> None:
        dialect = self._desk.dialect
        owner = self._desk.owner
        if change.scalars:
            connection.execute(upsert(t.ledgers, dialect), owner | scalars_row(after))
        if change.fills:
            life = after.life or change.life_was
            generation = after.generation if life is None else life.generation
            rows = [
                owner | fill_row(e.value, generation) | {"ledger_index": e.index}
                for e in change.fills
            ]
            connection.execute(upsert(t.fills, dialect), rows)
            for entry in change.fills:
                if entry.was is None:
                    self._events.add_fill(connection, now_ms, entry.value, generation)
        if change.past:
            rows = [owner | PAST.row(past) for past in change.past]
            connection.execute(upsert(t.past_lives, dialect), rows)
        gone: tuple[tuple[Any, tuple[str | int, ...]], ...] = (
            (_FORGET_ORDER, change.orders_gone),
            (_FORGET_FILL, change.fills_gone),
            (_FORGET_PAST, change.past_gone),
        )
        for statement, keys in gone:
            if keys:
                rows = [{**self._owner_keys, "key": key} for key in keys]
                connection.execute(statement, rows)

    def _trade(self, connection: sa.Connection, change: Changes, after: Ledger) -> None:
        """Keep the closed life's figures, summed exactly, for the views."""
        life = after.life
        if life is None or life.closed_ms is None or not (change.life or change.fills):
            return
        row = self._desk.owner | trade_row(life, after.fills, self._desk.symbol)
        connection.execute(upsert(t.trades, self._desk.dialect), row)


def _carriers(level: StopLevel, ledger: Ledger) -> set[ClientOrderId]:
    """Return the unsent own stops that would carry ``level``; the floor never moves, so not it."""
    return {
        order.id
        for order in ledger.orders
        if order.generation == level.generation
        and order.role in (OrderRole.STOP_PRIMARY, OrderRole.STOP_BRIDGE)
        and order.terms.trigger_price == level.level
        and order.rested_ms is None
    }


def refusal(error: sa.exc.DBAPIError) -> str:
    """Return the database's own first line on why it refused."""
    return str(error.orig).strip().partition("\n")[0]
