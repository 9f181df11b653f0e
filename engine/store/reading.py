"""The read side's own connection: queries for status, history, explain, report and replay.

Opens what exists and writes nothing. Everything comes back as the domain's values or as plain
dictionaries with exact ``Decimal`` numbers.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa

from engine.domain import canonical
from engine.domain.condition import HaltReason, OperatorCommand
from engine.domain.decision import Decision
from engine.domain.errors import StoreUnavailable
from engine.domain.ledger import Ledger
from engine.domain.order import Fill, Order
from engine.domain.position import Life, StopLevel
from engine.store import schema
from engine.store import tables as t
from engine.store.connect import Desk, Place, make_database, naming
from engine.store.events import Events
from engine.store.lease import LeaseRow, read_lease
from engine.store.mapping import FILL, LEVEL, LIFE, ORDER_COLUMNS, fold_levels, order_of
from engine.store.recall import Recall
from engine.store.shelf import EquitySample, Shelf
from engine.store.tick_record import TickRecord, read_tick

Row = dict[str, Any]


class ReadStore:
    """Reads one account's and symbol's rows; made for a process beside the keeper."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self._shelf = Shelf(desk, Events(desk))

    @classmethod
    def open(cls, url: str, *, account: str | None = None, symbol: str | None = None) -> ReadStore:
        """Return a reader; without account or symbol the only one the database knows.

        Raises ``StoreUnavailable``: no such database, another schema, or several keepers in it.
        """
        place = Place(url)
        if place.is_memory or (place.path is not None and not place.path.exists()):
            raise StoreUnavailable(
                f"store {place.shown}: there is none",
                place=place.shown,
                remedy="start the keeper first: keeper run",
            )
        database = make_database(place, reads_only=True)
        desk = Desk(place, database, account or "", symbol or "")
        try:
            with naming(place, "opening"), database.connect() as connection:
                revision = schema.revision_of(connection)
                owners = _owners(connection) if revision in schema.REVISIONS else []
        finally:
            desk.drop()
        if revision != schema.HEAD:
            raise StoreUnavailable(
                f"store {place.shown}: its schema is {revision}, this version reads {schema.HEAD}",
                place=place.shown,
                remedy="run: keeper db upgrade",
            )
        chosen = [o for o in owners if account in (None, o[0]) and symbol in (None, o[1])]
        if account is None or symbol is None:
            if len(chosen) != 1:
                raise StoreUnavailable(
                    f"store {place.shown}: it holds {len(chosen)} keepers' records",
                    place=place.shown,
                    remedy="name account and symbol",
                )
            account, symbol = chosen[0]
        return cls(Desk(place, database, account, symbol))

    @classmethod
    def beside(cls, desk: Desk) -> ReadStore:
        """Return a reader over a store's own connection (simulation: databases in memory)."""
        return cls(desk)

    def ledger(self) -> Ledger:
        """Return the ledger as last recorded."""
        return Recall(self.desk).ledger()

    def heartbeat(self) -> Row | None:
        """Return the keeper's last heartbeat document."""
        found = self.state("heartbeat")
        return None if found is None else dict(found)

    def state(self, key: str) -> Any:
        """Return the JSON kept under ``key``, None when there is none."""
        text = self._shelf.get_state(key)
        return None if text is None else json.loads(text)

    def lease(self) -> LeaseRow | None:
        """Return the lease row."""
        return read_lease(self.desk)

    def halts(self) -> tuple[HaltReason, ...]:
        """Return the standing halts."""
        return self._shelf.halts()

    def pending_commands(self) -> tuple[OperatorCommand, ...]:
        """Return operator commands not yet finished."""
        return self._shelf.pending_commands()

    def command_result(self, command_id: int) -> str | None:
        """Return what became of an operator command, None while it is not finished."""
        c = t.operator_commands
        rows = self._all(sa.select(c.c.result).where(c.c.id == command_id), c)
        return None if not rows or rows[0][0] is None else str(rows[0][0])

    def equity_since(self, since_ms: int, kind: str | None = None) -> tuple[EquitySample, ...]:
        """Return equity samples, oldest first."""
        return self._shelf.equity_since(since_ms, kind)

    def life(self, generation: int) -> Life | None:
        """Return one life by its generation."""
        p = t.positions
        rows = self._all(sa.select(*LIFE.columns).where(p.c.generation == generation), p)
        return LIFE.value(rows[0]) if rows else None

    def lives(self, *, limit: int = 50, since_ms: int = 0) -> tuple[Life, ...]:
        """Return lives armed since ``since_ms``, newest first."""
        p = t.positions
        statement = (
            sa.select(*LIFE.columns)
            .where(p.c.armed_ms >= since_ms)
            .order_by(p.c.generation.desc())
            .limit(limit)
        )
        return tuple(LIFE.value(row) for row in self._all(statement, p))

    def trades(self, *, limit: int = 50, since_ms: int = 0) -> tuple[tuple[Life, Row], ...]:
        """Return closed lives with their exact figures (table ``trades``), newest first."""
        p, tr = t.positions, t.trades
        statement = (
            sa.select(*LIFE.columns, *tr.c)
            .join(
                tr,
                sa.and_(
                    tr.c.account == p.c.account,
                    tr.c.symbol == p.c.symbol,
                    tr.c.generation == p.c.generation,
                ),
            )
            .where(p.c.closed_ms >= since_ms)
            .order_by(p.c.closed_ms.desc())
            .limit(limit)
        )
        width = len(LIFE.columns)
        names = [column.name for column in tr.c]
        return tuple(
            (LIFE.value(row[:width]), dict(zip(names, row[width:], strict=True)))
            for row in self._all(statement, p)
        )

    def orders(
        self, *, generation: int | None = None, client_id: str | None = None
    ) -> tuple[Order, ...]:
        """Return orders of one life, or one order by its id, or all; oldest first."""
        o = t.orders
        statement = sa.select(*ORDER_COLUMNS).order_by(o.c.intended_ms, o.c.client_id)
        if generation is not None:
            statement = statement.where(o.c.generation == generation)
        if client_id is not None:
            statement = statement.where(o.c.client_id == client_id)
        return tuple(order_of(tuple(row)) for row in self._all(statement, o))

    def fills(self, *, generation: int | None = None, since_ms: int = 0) -> tuple[Fill, ...]:
        """Return fills of one life or all, oldest first."""
        f = t.fills
        statement = (
            sa.select(*FILL.columns).where(f.c.at_ms >= since_ms).order_by(f.c.at_ms, f.c.fill_id)
        )
        if generation is not None:
            statement = statement.where(f.c.generation == generation)
        return tuple(FILL.value(row) for row in self._all(statement, f))

    def stop_levels(self, generation: int) -> tuple[StopLevel, ...]:
        """Return a life's levels, each in its latest state, oldest first."""
        s = t.stop_levels
        statement = sa.select(*LEVEL.columns).where(s.c.generation == generation).order_by(s.c.id)
        return fold_levels(LEVEL.value(row) for row in self._all(statement, s))

    def events(
        self,
        *,
        after_id: int = 0,
        limit: int = 1000,
        order_id: str | None = None,
        from_ms: int | None = None,
        to_ms: int | None = None,
        kinds: tuple[str, ...] = (),
    ) -> tuple[Row, ...]:
        """Return events after a cursor, oldest first, each as a dictionary of its columns."""
        e = t.events
        statement = sa.select(*e.c).where(e.c.id > after_id).order_by(e.c.id).limit(limit)
        if order_id is not None:
            statement = statement.where(e.c.order_id == order_id)
        if from_ms is not None:
            statement = statement.where(e.c.at_ms >= from_ms)
        if to_ms is not None:
            statement = statement.where(e.c.at_ms <= to_ms)
        if kinds:
            statement = statement.where(e.c.kind.in_(kinds))
        return tuple(dict(row._mapping) for row in self._all(statement, e))  # noqa: SLF001 - SQLAlchemy's public name

    def last_event_id(self) -> int:
        """Return the number of the newest event, 0 when there is none."""
        e = t.events
        rows = self._all(sa.select(e.c.id).order_by(e.c.id.desc()).limit(1), e)
        return int(rows[0][0]) if rows else 0

    def decisions(self, *, limit: int = 50) -> tuple[Row, ...]:
        """Return decisions and refusals, newest first (``verdict``: valid, or the reason code)."""
        d = t.decisions
        statement = sa.select(*d.c).order_by(d.c.seen_ms.desc(), d.c.digest).limit(limit)
        return tuple(dict(row._mapping) for row in self._all(statement, d))  # noqa: SLF001 - SQLAlchemy's public name

    def decision(self, digest: str) -> Decision | None:
        """Return a decision by its digest."""
        body = self.text(digest)
        return None if body is None else canonical.from_plain(Decision, json.loads(body))

    def text(self, digest: str) -> str | None:
        """Return a stored text by its digest."""
        rows = self._all(sa.select(t.texts.c.body).where(t.texts.c.digest == digest), t.texts)
        return None if not rows else str(rows[0][0])

    def settings(self) -> Row | None:
        """Return the settings last run with: digest, engine version, mode, time and text."""
        s = t.settings
        rows = self._all(sa.select(*s.c).order_by(s.c.id.desc()).limit(1), s)
        if not rows:
            return None
        row = dict(rows[0]._mapping)  # noqa: SLF001 - SQLAlchemy's public name
        return row | {"text": self.text(row["digest"])}

    def tick_rows(self, *, limit: int = 1) -> tuple[Row, ...]:
        """Return the summary columns of the latest recorded ticks, newest first."""
        k = t.ticks
        names = ("id", "tick", "now_ms", "engine_version", "reasons", "actions", "drifts", "digest")
        statement = sa.select(*(k.c[n] for n in names)).order_by(k.c.id.desc()).limit(limit)
        return tuple(dict(row._mapping) for row in self._all(statement, k))  # noqa: SLF001 - SQLAlchemy's public name

    def ticks(
        self, *, after_id: int = 0, from_ms: int | None = None, to_ms: int | None = None
    ) -> Iterator[TickRecord]:
        """Return recorded ticks whole, oldest first, read in portions.

        Up to the newest one there is now: only that one's outcomes may still be to come.
        """
        k = t.ticks
        newest = self._all(sa.select(sa.func.max(k.c.id)), k)[0][0] or 0
        while True:
            statement = (
                sa.select(*k.c)
                .where(k.c.id > after_id, k.c.id <= newest)
                .order_by(k.c.id)
                .limit(200)
            )
            if from_ms is not None:
                statement = statement.where(k.c.now_ms >= from_ms)
            if to_ms is not None:
                statement = statement.where(k.c.now_ms <= to_ms)
            rows = self._all(statement, k)
            if not rows:
                return
            texts = self._texts(rows)
            for row in rows:
                yield read_tick(row, texts)
            after_id = rows[-1].id

    def close(self) -> None:
        """Let go of the database."""
        self.desk.drop()
        self.desk.database.dispose()

    def _texts(self, rows: list[Any]) -> dict[str, str]:
        named = {d for row in rows for d in (row.settings_digest, row.decision_digest) if d}
        x = t.texts
        statement = sa.select(x.c.digest, x.c.body).where(x.c.digest.in_(sorted(named)))
        return {row.digest: row.body for row in self._all(statement, x)}

    def _all(self, statement: sa.Select[Any], table: sa.Table) -> list[Any]:
        ours = sa.and_(table.c.account == self.desk.account, table.c.symbol == self.desk.symbol)
        with self.desk.transaction("reading") as connection:
            return list(connection.execute(statement.where(ours)).all())


def _owners(connection: sa.Connection) -> list[tuple[str, str]]:
    """Return whose records a database holds."""
    found = sa.union(
        sa.select(t.ledgers.c.account, t.ledgers.c.symbol),
        sa.select(t.leases.c.account, t.leases.c.symbol),
    )
    return sorted((row[0], row[1]) for row in connection.execute(found))
