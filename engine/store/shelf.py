"""What stands beside the ledger: halts, operator commands, engine state, equity, settings."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import Any

import sqlalchemy as sa

from engine import __version__
from engine.domain import canonical
from engine.domain.action import Next
from engine.domain.condition import Command, HaltReason, OperatorCommand
from engine.domain.numbers import plain
from engine.store import tables as t
from engine.store.connect import Desk
from engine.store.events import Events
from engine.store.exact import to_decimal
from engine.store.recall import Prepared, owned, prepare
from engine.store.writing import upsert

BEAT_MS = 1_000
"""The heartbeat is written at most once a second."""


@dataclass(frozen=True, slots=True)
class EquitySample:
    """Wallet and unrealised result at one instant; ``kind``: sample, day_open or week_open."""

    kind: str
    at_ms: int
    wallet: Decimal
    unrealized_pnl: Decimal
    equity: Decimal


@cache
def _statements(dialect: str) -> dict[str, Prepared]:
    c, h, s = t.operator_commands, t.halts, t.engine_state
    selects: dict[str, sa.Select[Any]] = {
        "commands": sa.select(c.c.id, c.c.command, c.c.asked_by, c.c.why, c.c.at_ms)
        .where(owned(c), c.c.finished_ms.is_(None))
        .order_by(c.c.id),
        "halts": sa.select(h.c.code, h.c.detail, h.c.since_ms)
        .where(owned(h), h.c.cleared_ms.is_(None))
        .order_by(h.c.code),
        "state": sa.select(s.c.value).where(owned(s), s.c.key == sa.bindparam("key")),
    }
    return {name: prepare(statement, dialect) for name, statement in selects.items()}


class Shelf:
    """Reads and writes these for one account and symbol."""

    def __init__(self, desk: Desk, events: Events) -> None:
        self._desk = desk
        self._events = events
        self._prepared = _statements(desk.dialect)
        self.beaten_ms: int | None = None
        self._known: dict[tuple[str, ...], tuple[tuple[object, ...], list[Any]]] = {}

    def _rows(self, name: str, **values: Any) -> list[Any]:
        """Return the rows of one query, those already known where nobody can have written since."""
        key = (name, *values.values())
        stamp = self._desk.stamp()
        known = self._known.get(key)
        if known is not None and known[0] == stamp:
            return known[1]
        prepared = self._prepared[name]
        rows = self._desk.rows(prepared.sql, prepared.parameters(self._desk.owner | values))
        self._desk.end_read()
        if stamp is not None:
            self._known[key] = (stamp, rows)
        return rows

    def halts(self) -> tuple[HaltReason, ...]:
        """Return the standing reasons why entries are stopped."""
        return tuple(HaltReason(*row) for row in self._rows("halts"))

    def add_halt(self, halt: HaltReason) -> None:
        """Add a halt unless one of its code stands."""
        if any(standing.code == halt.code for standing in self.halts()):
            return
        row = {"code": halt.code, "detail": halt.detail, "since_ms": halt.since_ms}
        with self._desk.transaction("recording a halt") as connection:
            connection.execute(sa.insert(t.halts), self._desk.owner | row)
            text, data = f"halt: {halt.detail}", {"alarm": "raised"}
            self._events.add(connection, halt.since_ms, "rule", halt.code, text, data=data)

    def clear_halts(self, now_ms: int, by: str) -> int:
        """Lift every halt; return how many stood."""
        h = t.halts
        standing = sa.and_(
            h.c.account == self._desk.account,
            h.c.symbol == self._desk.symbol,
            h.c.cleared_ms.is_(None),
        )
        with self._desk.transaction("lifting halts") as connection:
            found = connection.execute(
                sa.update(h).where(standing).values(cleared_ms=now_ms, cleared_by=by)
            ).rowcount
            if found:
                self._events.add(connection, now_ms, "operator", "resume", f"resumed by {by}")
        return found

    def pending_commands(self) -> tuple[OperatorCommand, ...]:
        """Return operator commands not yet finished, oldest first."""
        return tuple(
            OperatorCommand(int(row[0]), Command(row[1]), row[2], row[3], int(row[4]))
            for row in self._rows("commands")
        )

    def add_command(self, command: Command, *, by: str, why: str, at_ms: int) -> int:
        """Add a command; return its id."""
        row = {"command": command.value, "asked_by": by, "why": why, "at_ms": at_ms}
        with self._desk.transaction("adding a command") as connection:
            made = connection.execute(sa.insert(t.operator_commands), self._desk.owner | row)
            self._events.add(
                connection, at_ms, "operator", command.value, f"{command} by {by}: {why}"
            )
            key = made.inserted_primary_key
        return 0 if key is None else int(key[0])

    def finish_command(self, command_id: int, result: str, now_ms: int) -> None:
        """Say what became of a command; a second word on it changes nothing."""
        c = t.operator_commands
        with self._desk.transaction("finishing a command") as connection:
            connection.execute(
                sa.update(c)
                .where(c.c.id == command_id, c.c.finished_ms.is_(None))
                .values(finished_ms=now_ms, result=result)
            )
            text = f"command {command_id}: {result}"
            self._events.add(connection, now_ms, "operator", "finished", text)

    def get_state(self, key: str) -> str | None:
        """Return the text kept under ``key``."""
        rows = self._rows("state", key=key)
        return rows[0][0] if rows else None

    def set_state(self, key: str, value: str, now_ms: int) -> None:
        """Keep text under ``key`` unless it stands there already."""
        if self.get_state(key) != value:
            self._put_state(key, value, now_ms)

    def _put_state(self, key: str, value: str, now_ms: int) -> None:
        row = {"key": key, "value": value, "at_ms": now_ms}
        with self._desk.transaction(f"keeping {key}") as connection:
            connection.execute(upsert(t.engine_state, self._desk.dialect), self._desk.owner | row)

    def beat(self, now_ms: int, fields: dict[str, Any]) -> bool:
        """Write the heartbeat unless one was written within the last second."""
        if not self.is_beat_due(now_ms):
            return False
        self._put_state("heartbeat", beat_text(now_ms, fields), now_ms)
        self.beaten_ms = now_ms
        return True

    def is_beat_due(self, now_ms: int) -> bool:
        """Return whether a second passed since the last heartbeat."""
        return self.beaten_ms is None or not 0 <= now_ms - self.beaten_ms < BEAT_MS

    def add_equity(self, sample: EquitySample) -> None:
        """Add an equity sample."""
        row = {
            "kind": sample.kind,
            "at_ms": sample.at_ms,
            "wallet": sample.wallet,
            "unrealized_pnl": sample.unrealized_pnl,
            "equity": sample.equity,
        }
        with self._desk.transaction("adding an equity sample") as connection:
            connection.execute(sa.insert(t.equity), self._desk.owner | row)

    def equity_since(self, since_ms: int, kind: str | None) -> tuple[EquitySample, ...]:
        """Return samples from ``since_ms`` on, oldest first."""
        e = t.equity
        statement = (
            sa.select(e.c.kind, e.c.at_ms, e.c.wallet, e.c.unrealized_pnl, e.c.equity)
            .where(
                e.c.account == self._desk.account,
                e.c.symbol == self._desk.symbol,
                e.c.at_ms >= since_ms,
            )
            .order_by(e.c.at_ms, e.c.id)
        )
        if kind is not None:
            statement = statement.where(e.c.kind == kind)
        with self._desk.transaction("reading equity") as connection:
            rows = connection.execute(statement).all()
        return tuple(EquitySample(r[0], r[1], *(to_decimal(n) for n in r[2:])) for r in rows)

    def record_settings(self, text: str, mode: str, now_ms: int) -> str:
        """Record the settings once per change; return their digest."""
        digest = canonical.digest_of_text(text)
        s = t.settings
        with self._desk.transaction("recording settings") as connection:
            last = connection.execute(
                sa.select(s.c.digest, s.c.engine_version)
                .where(s.c.account == self._desk.account, s.c.symbol == self._desk.symbol)
                .order_by(s.c.id.desc())
                .limit(1)
            ).first()
            if last is None or tuple(last) != (digest, __version__):
                row = {"digest": digest, "engine_version": __version__, "mode": mode}
                connection.execute(sa.insert(s), self._desk.owner | row | {"at_ms": now_ms})
                body = {"digest": digest, "kind": "settings", "body": text, "at_ms": now_ms}
                connection.execute(
                    upsert(t.texts, self._desk.dialect, updates=False), self._desk.owner | body
                )
        return digest


@cache
def beat_statement(dialect: str) -> Prepared:
    """Return the upsert of one engine_state row, for the driver's own cursor."""
    return prepare(upsert(t.engine_state, dialect), dialect)


def beat_text(now_ms: int, fields: dict[str, Any]) -> str:
    """Return the heartbeat document: plain JSON, numbers of money as strings."""
    return canonical.json_text({"at_ms": now_ms} | {k: _plain(v) for k, v in fields.items()})


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return plain(value)
    if isinstance(value, tuple) and all(isinstance(part, Next) for part in value):
        return [canonical.to_plain(part) for part in value]
    return canonical.to_plain(value) if not isinstance(value, float) else value
