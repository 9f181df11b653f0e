"""One writer per account and symbol: a lease row with epoch and expiry, and a host-wide lock.

Invariants: the row is claimed only when nothing its former holder sent can execute any more; from
then on the database refuses whatever the former holder still writes, because each transaction of a
keeper asks first whether the epoch is still its own.

The row is the lease (RULES G4): renewed every tick, taken over only after its expiry plus the
longest recvWindow plus the clock error, so that nothing its former holder sends after waking can
execute. The file lock guards against a second start on the same host. It proves one thing more: a
process that is merely stopped keeps it, so whoever holds the very lock a lease was claimed under
knows that its holder is gone, and need not wait.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import socket
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import sqlalchemy as sa

from engine.domain.errors import LeaseHeld, LeaseLost, StoreUnavailable
from engine.store import tables as t
from engine.store.connect import Desk
from engine.store.recall import Prepared, owned, prepare
from engine.store.schema import HEAD
from engine.store.shelf import beat_statement, beat_text
from engine.store.store import Store
from engine.store.writing import upsert

TTL_MS = 15_000
"""How long a lease lasts without renewal: the longest recvWindow, its second, and some ticks."""

GRACE_MS = 5_000
"""The longest recvWindow: what a former holder signed before its expiry may execute so long."""


@dataclass(frozen=True, slots=True)
class LeaseRow:
    """The lease as the database holds it; ``lock_id`` names the host lock it was claimed under."""

    epoch: int
    pid: int
    host: str
    lock_id: str
    claimed_ms: int
    renewed_ms: int
    expires_ms: int
    released_ms: int | None

    def wait_ms(self, now_ms: int, grace_ms: int, lock_id: str) -> int:
        """Return how long a successor holding the lock ``lock_id`` must still wait."""
        return 0 if self.is_free_for(lock_id) else max(self.expires_ms + grace_ms - now_ms, 0)

    def is_free_for(self, lock_id: str) -> bool:
        """Return whether its holder gave it up, or is gone because ``lock_id`` is ours now."""
        return self.released_ms is not None or bool(lock_id and lock_id == self.lock_id)


_COLUMNS = tuple(
    t.leases.c[name]
    for name in (
        "epoch",
        "pid",
        "host",
        "lock_id",
        "claimed_ms",
        "renewed_ms",
        "expires_ms",
        "released_ms",
    )
)


@cache
def _statements(dialect: str) -> dict[str, Prepared]:
    row = t.leases
    ours = sa.and_(owned(row), row.c.epoch == sa.bindparam("ours"), row.c.released_ms.is_(None))
    return {
        "read": prepare(sa.select(*_COLUMNS).where(owned(row)), dialect),
        "renew": prepare(
            sa.update(row)
            .where(ours)
            .values(renewed_ms=sa.bindparam("now_ms"), expires_ms=sa.bindparam("until_ms")),
            dialect,
        ),
        "release": prepare(
            sa.update(row)
            .where(ours)
            .values(released_ms=sa.bindparam("now_ms"), expires_ms=sa.bindparam("until_ms")),
            dialect,
        ),
        "beat": beat_statement(dialect),
    }


@cache
def _fence_statement(dialect: str) -> Prepared:
    """Return the question every transaction begins with: whose lease, and which schema.

    On Postgres the row is locked against a claim until the transaction ends; a frozen holder's
    open transaction is ended by the server (``idle_in_transaction_session_timeout``).
    """
    row = t.leases
    schema: sa.Select[Any] = sa.select(sa.column("version_num")).select_from(
        sa.table("alembic_version")
    )
    statement = sa.select(row.c.epoch, schema.scalar_subquery()).where(owned(row))
    if dialect == "postgresql":
        statement = statement.with_for_update(read=True, of=row)
    return prepare(statement, dialect)


class HostLock:
    """A lock on a file of this host, named by account and symbol; held until closed or killed."""

    def __init__(self, descriptor: int, path: Path, lock_id: str) -> None:
        self._descriptor = descriptor
        self.path = path
        self.lock_id = lock_id

    @classmethod
    def take(cls, account: str, symbol: str, folder: Path | None = None) -> HostLock:
        """Return the lock; raises ``LeaseHeld`` naming who has it.

        ``folder`` is ``XDG_RUNTIME_DIR`` by default, else the temporary folder; raises
        ``StoreUnavailable`` when no file can be opened there.
        """
        name = hashlib.sha256(f"{account}\n{symbol}".encode()).hexdigest()[:16]
        place = folder or Path(os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir())
        path = place / f"position-keeper-{name}.lock"
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StoreUnavailable(
                f"lock {path}: {error.strerror}",
                place=str(path),
                remedy=f"make {place} writable, or remove the file if another user left it",
            ) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.pread(descriptor, 200, 0).decode(errors="replace").strip()
            os.close(descriptor)
            raise LeaseHeld(f"{symbol}: {holder or 'another process'} holds {path}") from error
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"pid {os.getpid()} on {socket.gethostname()}\n".encode(), 0)
        found = os.fstat(descriptor)
        return cls(descriptor, path, f"{_boot_id()}:{found.st_dev}:{found.st_ino}")

    def close(self) -> None:
        """Let go of the lock; the file stays, so that every process locks the same one."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _boot_id() -> str:
    path = Path("/proc/sys/kernel/random/boot_id")
    return path.read_text().strip() if path.exists() else socket.gethostname()


class Lease:
    """Our lease, while nobody else has claimed it."""

    def __init__(
        self,
        store: Store,
        epoch: int,
        until_ms: int,
        ttl_ms: int,
        *,
        since_ms: int = 0,
        is_takeover: bool = False,
    ) -> None:
        self._store = store
        self._ttl_ms = ttl_ms
        self.epoch = epoch
        self.until_ms = until_ms
        self.since_ms = since_ms
        self.is_takeover = is_takeover

    @classmethod
    def claim(
        cls,
        store: Store,
        now_ms: int,
        *,
        lock: HostLock | None = None,
        ttl_ms: int = TTL_MS,
        grace_ms: int = GRACE_MS,
        pid: int | None = None,
        host: str | None = None,
    ) -> Lease:
        """Return the lease under the next epoch; raises ``LeaseHeld`` while another's binds.

        ``grace_ms`` is the longest recvWindow plus the clock error; ``now_ms`` exchange time. It is
        a takeover when the former holder neither gave it up nor is known to be gone: it may be
        frozen, and wake. From now on what the store writes is fenced with the epoch.
        """
        desk = store.desk
        lock_id = "" if lock is None else lock.lock_id
        desk.fence = None  # an earlier lease of this process says nothing about the next
        with desk.transaction("claiming the lease") as connection:
            row = _locked_row(connection, desk)
            if row is not None:
                wait_ms = row.wait_ms(now_ms, grace_ms, lock_id)
                if wait_ms > 0:
                    raise LeaseHeld(
                        f"{desk.symbol}: pid {row.pid} on {row.host} holds the lease (epoch"
                        f" {row.epoch}), free in {wait_ms / 1000:.1f} s unless renewed"
                    )
            epoch = 1 if row is None else row.epoch + 1
            is_takeover = row is not None and not row.is_free_for(lock_id)
            until_ms = now_ms + ttl_ms
            values = {
                "epoch": epoch,
                "pid": os.getpid() if pid is None else pid,
                "host": socket.gethostname() if host is None else host,
                "lock_id": lock_id,
                "claimed_ms": now_ms,
                "renewed_ms": now_ms,
                "expires_ms": until_ms,
                "released_ms": None,
            }
            connection.execute(upsert(t.leases, desk.dialect), desk.owner | values)
        desk.fence = lambda connection: _require_epoch(connection, desk, epoch)
        return cls(store, epoch, until_ms, ttl_ms, since_ms=now_ms, is_takeover=is_takeover)

    def renew(self, now_ms: int, fields: dict[str, Any] | None = None) -> int:
        """Prolong the lease and, once a second, write the heartbeat: one transaction.

        Returns until when the lease binds. Raises ``LeaseLost`` when another epoch has it,
        ``StoreUnavailable`` when the database is out of reach; ``until_ms`` stands meanwhile.
        """
        store, desk = self._store, self._store.desk
        until_ms = now_ms + self._ttl_ms
        values = desk.owner | {"ours": self.epoch, "now_ms": now_ms, "until_ms": until_ms}
        prepared = _statements(desk.dialect)
        beats = fields is not None and store.is_beat_due(now_ms)
        with desk.quick("renewing the lease") as raw:
            renew = prepared["renew"]
            renewed = raw.execute(renew.sql, renew.parameters(values)).rowcount
            if renewed and beats and fields is not None:
                row = {"key": "heartbeat", "at_ms": now_ms}
                row["value"] = beat_text(now_ms, store.live() | fields)
                beat = prepared["beat"]
                raw.execute(beat.sql, beat.parameters(desk.owner | row))
        if not renewed:
            raise LeaseLost(f"{desk.symbol}: lease epoch {self.epoch} has passed to another")
        if beats:
            store.beaten(now_ms)
        self.until_ms = until_ms
        return until_ms

    def release(self, now_ms: int) -> None:
        """Give the lease up, so that the next start need not wait; a lost one is left alone."""
        desk = self._store.desk
        values = desk.owner | {"ours": self.epoch, "now_ms": now_ms, "until_ms": now_ms}
        release = _statements(desk.dialect)["release"]
        with desk.quick("releasing the lease") as raw:
            raw.execute(release.sql, release.parameters(values))
        self.until_ms = now_ms


def _require_epoch(connection: sa.Connection, desk: Desk, epoch: int) -> None:
    """Refuse a transaction of a keeper whose lease, or whose schema, is another's by now.

    Raises ``LeaseLost``, or ``StoreUnavailable`` when a newer version has changed the schema.
    """
    asked = _fence_statement(desk.dialect)
    raw: Any = connection.connection.driver_connection
    row = raw.execute(asked.sql, asked.parameters(desk.owner)).fetchone()
    holder, revision = row or (None, HEAD)
    if revision != HEAD:
        raise StoreUnavailable(
            f"store {desk.place.shown}: its schema has become {revision}, this version knows up to"
            f" {HEAD}",
            place=desk.place.shown,
            remedy="run the newer version",
        )
    if holder != epoch:
        raise LeaseLost(f"{desk.symbol}: lease epoch {epoch} has passed to {holder or 'nobody'}")


def read_lease(desk: Desk) -> LeaseRow | None:
    """Return the lease row, None when nobody ever held it."""
    read = _statements(desk.dialect)["read"]
    rows = desk.rows(read.sql, read.parameters(desk.owner))
    desk.end_read()
    return LeaseRow(*rows[0]) if rows else None


def _locked_row(connection: sa.Connection, desk: Desk) -> LeaseRow | None:
    """Return the row, locked until the transaction ends (SQLite's own lock holds already)."""
    statement = sa.select(*_COLUMNS).where(
        t.leases.c.account == desk.account, t.leases.c.symbol == desk.symbol
    )
    if not desk.place.is_sqlite:
        # Two first claims at once: there is no row to lock yet, so the pair's name is locked.
        name = sa.literal(f"lease:{desk.account}:{desk.symbol}")
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtext(name))))
        statement = statement.with_for_update()
    row = connection.execute(statement).first()
    return None if row is None else LeaseRow(*row)
