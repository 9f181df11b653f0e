"""Reading the ledger at the start of a tick: a few small indexed queries, whatever the history.

The statements are SQLAlchemy selects, compiled once per dialect and run on the driver's own
cursor. Rows equal to those of the tick before give the very same values again: only what changed is
decoded. Where the database can prove that nobody wrote since (``Desk.stamp``), nothing is read.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, Generic, TypeVar

import sqlalchemy as sa

from engine.domain.errors import require
from engine.domain.ledger import Ledger, PastLife
from engine.store import tables as t
from engine.store.connect import Desk
from engine.store.dialects import dialect_of
from engine.store.exact import refuse_ordering
from engine.store.mapping import (
    FILL,
    LEVEL,
    LIFE,
    ORDER_COLUMNS,
    PAST,
    SCALARS,
    fold_levels,
    order_of,
)

T = TypeVar("T")

OPENED_MAX = 100
"""Past lives with a position a ledger recalls: more than the day's trades a limit may allow."""

OPENED_WITHIN = 1_000
"""How many generations back they are looked for: days of a life for every decision."""

UNOPENED_WITHIN = 30
"""How many generations back a life without a position is recalled: hours of decisions.

Only the newest of them count: a decision older than ten minutes opens nothing anyway.
"""


@dataclass(frozen=True, slots=True)
class Prepared:
    """One statement as the driver takes it: its text, and its parameters' names in order."""

    sql: str
    names: tuple[str, ...]
    is_positional: bool

    def parameters(self, values: dict[str, Any]) -> Any:
        """Return ``values`` as the driver takes them."""
        return tuple(values[n] for n in self.names) if self.is_positional else values


def prepare(statement: sa.Executable, dialect: str) -> Prepared:
    """Compile a statement for a driver's own cursor; refuses to order by exact numbers.

    The caller binds what the driver takes: values go past SQLAlchemy's types.
    """
    require(isinstance(statement, sa.ClauseElement), "only SQLAlchemy's own statements")
    assert isinstance(statement, sa.ClauseElement)  # noqa: S101 - narrows the type
    refuse_ordering(statement)
    compiled = statement.compile(dialect=dialect_of(dialect))
    names = getattr(compiled, "positiontup", None)
    if names is not None:
        return Prepared(str(compiled), tuple(names), is_positional=True)
    return Prepared(str(compiled), tuple(compiled.params), is_positional=False)


def owned(table: sa.Table) -> sa.ColumnElement[bool]:
    """Return the condition that a row belongs to our account and symbol."""
    return sa.and_(
        table.c.account == sa.bindparam("account"), table.c.symbol == sa.bindparam("symbol")
    )


@cache
def _statements(dialect: str) -> dict[str, Prepared]:
    by_generation: sa.BindParameter[int] = sa.bindparam("generation")
    p = t.past_lives
    since: sa.BindParameter[int] = sa.bindparam("since_generation")
    lately: sa.BindParameter[int] = sa.bindparam("since_unopened")
    of_past = sa.select(*PAST.columns).where(owned(p)).order_by(p.c.generation.desc())
    selects = {
        "scalars": sa.select(t.ledgers.c.life_generation, *SCALARS.columns).where(owned(t.ledgers)),
        "life": sa.select(*LIFE.columns).where(
            owned(t.positions), t.positions.c.generation == by_generation
        ),
        "orders": sa.select(*ORDER_COLUMNS)
        .where(owned(t.orders), t.orders.c.ledger_index.is_not(None))
        .order_by(t.orders.c.ledger_index),
        "fills": sa.select(*FILL.columns)
        .where(owned(t.fills), t.fills.c.ledger_index.is_not(None))
        .order_by(t.fills.c.ledger_index),
        "levels": sa.select(*LEVEL.columns)
        .where(owned(t.stop_levels), t.stop_levels.c.generation == by_generation)
        .order_by(t.stop_levels.c.id),
        "opened": of_past.where(p.c.opened_ms.is_not(None), p.c.generation > since)
        .limit(sa.literal_column(str(OPENED_MAX)))
        .offset(sa.literal_column("0")),
        "unopened": of_past.where(p.c.opened_ms.is_(None), p.c.generation > lately),
    }
    found = {}
    for name, statement in selects.items():
        found[name] = prepare(statement, dialect)
    return found


class _Seen(Generic[T]):
    """What the last look at one table gave: its rows and the values made of them."""

    def __init__(self, make: Callable[[Any], T]) -> None:
        self._make = make
        self._rows: list[Any] = []
        self._made: dict[Any, T] = {}
        self.values: tuple[T, ...] = ()

    def of(self, rows: list[Any]) -> tuple[T, ...]:
        """Return the values of ``rows``, those already known unchanged."""
        if rows != self._rows:
            known = self._made
            self._made = {row: known.get(row) or self._make(row) for row in rows}
            self._rows = rows
            self.values = tuple(self._made.values())
        return self.values


class Recall:
    """Reads the ledger of one account and symbol."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._prepared = _statements(desk.dialect)
        self._life = _Seen(LIFE.value)
        self._orders = _Seen(order_of)
        self._fills = _Seen(FILL.value)
        self._levels = _Seen(LEVEL.value)
        self._opened = _Seen(PAST.value)
        self._unopened = _Seen(PAST.value)
        self._stamp: tuple[object, ...] | None = None
        self._last: tuple[Any, ...] = ()
        self._ledger = Ledger()

    def ledger(self) -> Ledger:
        """Return the ledger as recorded; empty when nothing ever was."""
        stamp = self._desk.stamp()
        if stamp is None or stamp != self._stamp:
            self._stamp = None
            self._ledger = self._read()
            self._stamp = stamp  # from before the read: what came meanwhile is read next time
        return self._ledger

    def _read(self) -> Ledger:
        owner = self._desk.owner
        found = self._rows("scalars", owner)
        if not found:
            self._desk.end_read()
            return Ledger()
        generation, *scalars = found[0]
        of_life = {**owner, "generation": generation}
        has_life = generation is not None
        life = self._life.of(self._rows("life", of_life) if has_life else [])
        orders = self._orders.of(self._rows("orders", owner))
        fills = self._fills.of(self._rows("fills", owner))
        levels = self._levels.of(self._rows("levels", of_life) if has_life else [])
        past = self._past_of(SCALARS.parts(scalars)["generation"])
        self._desk.end_read()
        last = (found[0], life, orders, fills, levels, past)
        if len(self._last) == len(last) and all(
            a is b or a == b for a, b in zip(last, self._last, strict=True)
        ):
            return self._ledger
        self._last = last
        return Ledger(
            **SCALARS.parts(scalars),
            life=life[0] if life else None,
            orders=orders,
            fills=fills,
            levels=fold_levels(levels),
            past=past,
        )

    def _past_of(self, generation: int) -> tuple[PastLife, ...]:
        """Return the past lives that may still matter before a life of that generation, in order.

        Those that held a position apart from those that did not: many decisions withdrawn in a row
        must not push the day's trades out of sight (RULES H2).
        """
        back = {
            "since_generation": generation - OPENED_WITHIN,
            "since_unopened": generation - UNOPENED_WITHIN,
        }
        values = self._desk.owner | back
        opened = self._opened.of(self._rows("opened", values))
        unopened = self._unopened.of(self._rows("unopened", values))
        return tuple(sorted((*opened, *unopened), key=lambda past: past.generation))

    def _rows(self, name: str, values: dict[str, Any]) -> list[Any]:
        prepared = self._prepared[name]
        return self._desk.rows(prepared.sql, prepared.parameters(values))
