"""The lease as a running keeper holds it: taken once, renewed every tick, given back (RULES G4).

Invariants: lost to another epoch, the process may do nothing; with the database out of reach it may
only add protection, and never on a plan older than ``ADD_ONLY_MS``, so that a frozen process finds
what it was about to send refused when it wakes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any

from engine.domain.errors import LeaseHeld, LeaseLost, StoreUnavailable
from engine.domain.terms import Rights
from engine.store.lease import GRACE_MS, TTL_MS, HostLock, Lease, read_lease
from engine.store.schema import SchemaBehind
from engine.store.store import Store

CLOCK_ERROR_MS = 500
"""How far two keepers' ideas of exchange time may lie apart (``clock.error_max_s``)."""

WAIT_S = 0.5
"""How often a standby asks for the lease."""

ADD_ONLY_MS = 10_000
"""How long the right to add protection without a lease lasts: two looks and a recvWindow."""


@dataclass(frozen=True, slots=True)
class Tenure:
    """What the lease says now: rights, epoch, and until when.

    ``since_ms`` is when this process got it; ``is_takeover``: from a holder that may still wake.
    ``trouble`` is why the lease could not be renewed.
    """

    rights: Rights = Rights.LEASED
    epoch: int = 0
    until_ms: int | None = None
    since_ms: int | None = None
    is_takeover: bool = False
    trouble: StoreUnavailable | None = None


class Leasehold:
    """Our tenure of one account and symbol; carries the heartbeat on its renewals.

    ``lost`` is why the lease is somebody else's now: from then on nothing is permitted until it
    is taken again.
    """

    def __init__(
        self,
        store: Store,
        note: Callable[[str], None],
        *,
        ttl_ms: int = TTL_MS,
        window_ms: int = GRACE_MS,
        clock_error_ms: int = CLOCK_ERROR_MS,
        lock_folder: Path | None = None,
    ) -> None:
        """Hold nothing yet; ``note`` is told of waiting, loss and trouble.

        A lease lasts ``ttl_ms`` without renewal. A takeover waits for expiry, the longest
        recvWindow ``window_ms`` and ``clock_error_ms``. ``lock_folder`` is where the host's lock
        lies, None for the usual place.
        """
        self._store = store
        self._ttl_ms = ttl_ms
        self._grace_ms = window_ms + clock_error_ms
        self._note = note
        self._lock_folder = lock_folder
        self._lock: HostLock | None = None
        self._lease: Lease | None = None
        self._is_claiming = False
        self._said: str | None = None
        self.lost: LeaseHeld | LeaseLost | None = None
        self.fields: dict[str, Any] | None = None

    def take(
        self,
        now_ms: Callable[[], int | None],
        *,
        waits: bool,
        is_over: Callable[[], bool] = lambda: False,
    ) -> None:
        """Take the lease; a standby waits for it, anybody else is refused with ``LeaseHeld``.

        With the store out of reach the keeper goes on without one: it may only add protection,
        and claims the lease as soon as the store is back. A standby does so only where it can
        still read that nobody else may act. ``now_ms`` gives None while the time is not known.
        """
        pause = Event()
        self._lease, self.lost, self._is_claiming = None, None, False
        while not is_over() and not self.attempt(now_ms(), waits=waits):
            pause.wait(WAIT_S)

    def attempt(self, now_ms: int | None, *, waits: bool) -> bool:
        """Try once to take the lease; return whether the waiting is over.

        Raises ``LeaseHeld`` unless it ``waits``; see ``take``.
        """
        try:
            if self._lock is None:
                self._lock = self._host_lock(waits=waits)
            if now_ms is not None:
                self._open_and_claim(now_ms, waits=waits)
                return True
        except LeaseHeld as held:
            if not waits:
                raise
            self._say(f"standing by: {held}", once_for="held")
        except StoreUnavailable as error:
            holder = self._reading(now_ms)
            self._store.shut(error)
            if isinstance(holder, LeaseHeld) and not waits:
                raise holder from error
            if holder is None or not waits:
                self._say(f"without the lease, only protection is added: {error}")
                self._is_claiming = True
                return True
            self._say(f"standing by: {error}")
        return False

    @property
    def until_ms(self) -> int | None:
        """Return until when the lease was last seen to bind, None when it was never ours."""
        return None if self._lease is None else self._lease.until_ms

    @property
    def is_takeover(self) -> bool:
        """Return whether the lease came from a holder that may still wake."""
        return self._lease is not None and self._lease.is_takeover

    def let_go(self) -> None:
        """Give up the host's lock, as the end of the process does; the row stays as it is."""
        if self._lock is not None:
            self._lock.close()

    def _open_and_claim(self, now_ms: int, *, waits: bool) -> None:
        """Open the store if it is not, and claim; a migration waits until all is covered (G5).

        Who waits only reads until the lease is free: a standby that is stopped in the middle of a
        transaction would take the store from the keeper it stands by for.
        """
        if waits and self._store.trouble is None:
            holder = self._reading(now_ms)
            if isinstance(holder, LeaseHeld):
                raise holder
        behind: SchemaBehind | None = None
        if self._store.trouble is not None:
            try:
                self._store.reopen(migrate=False)
            except SchemaBehind as error:
                behind = error
                self._store.desk.unshut()  # the lease's table is the same in every revision
        self._claim(now_ms)
        if behind is not None:
            self._store.shut(behind)

    def _claim(self, now_ms: int) -> None:
        lock, store = self._lock, self._store
        self._lease = Lease.claim(
            store, now_ms, lock=lock, ttl_ms=self._ttl_ms, grace_ms=self._grace_ms
        )
        self._is_claiming = False
        self._said = None

    def watch(self, now_ms: int) -> None:
        """Look whether somebody else has the lease by now, while the store takes nothing from us.

        A newer version that migrated it, a process stopped in a transaction: the row can be read.
        Of a server that is gone nothing is asked a second time.
        """
        trouble = self._store.trouble
        is_server_gone = trouble is not None and trouble.__cause__ is not None
        if trouble is None or (is_server_gone and not self._store.desk.place.is_sqlite):
            return
        holder = self._reading(now_ms)
        self._store.shut(trouble)
        if isinstance(holder, LeaseHeld):
            self._say(str(holder))
            self.lost, self._is_claiming = holder, False

    def _reading(self, now_ms: int | None) -> LeaseHeld | StoreUnavailable | None:
        """Return who else holds the lease by its row, None when nobody does, or why not to tell."""
        lock_id = "" if self._lock is None else self._lock.lock_id
        ours = None if self._lease is None else self._lease.epoch
        self._store.desk.unshut()
        try:
            row = read_lease(self._store.desk)
        except StoreUnavailable as error:
            return error
        if row is None or row.epoch == ours or now_ms is None:
            return None
        if row.wait_ms(now_ms, self._grace_ms, lock_id) == 0:
            return None
        return LeaseHeld(
            f"{self._store.desk.symbol}: pid {row.pid} on {row.host} holds the lease"
            f" (epoch {row.epoch})"
        )

    def _host_lock(self, *, waits: bool) -> HostLock | None:
        """Return the host's lock; a standby goes without while another process keeps it.

        The lock only guards against a second start: a stopped process keeps it for ever, and the
        row's expiry is what a takeover waits for. Where no file can be locked the row must do.
        """
        desk = self._store.desk
        try:
            return HostLock.take(desk.account, desk.symbol, self._lock_folder)
        except StoreUnavailable as error:
            self._say(f"no lock on this host: {error}")
            return None
        except LeaseHeld:
            if not waits:
                raise
            return None

    def renew(self, now_ms: int) -> Tenure:
        """Prolong the lease and write the heartbeat; return what it permits now."""
        if self.lost is not None or (self._lease is None and not self._is_claiming):
            return self._tenure(Rights.NONE, now_ms)
        try:
            if self._lease is None:
                self._claim(now_ms)
            lease = self._lease
            assert lease is not None  # noqa: S101 - narrows the type: claimed just now
            lease.renew(now_ms, self.fields)
        except (LeaseLost, LeaseHeld) as lost:
            self._say(str(lost))
            self.lost, self._is_claiming = lost, False
            return self._tenure(Rights.NONE, now_ms)
        except StoreUnavailable as error:
            if error is not self._store.trouble:
                self._say(f"lease not renewed: {error}")
            return self._tenure(Rights.ADD_ONLY, now_ms, error)
        self._said = None
        return self._tenure(Rights.LEASED, now_ms)

    def _tenure(
        self, rights: Rights, now_ms: int, trouble: StoreUnavailable | None = None
    ) -> Tenure:
        """Return what is permitted; what was last seen of the lease bounds every recvWindow.

        A lease that ran out while nobody could renew it leaves the right to add, from this moment
        on and for a short time: somebody else may have the lease by now, and a plan that waited
        any longer must not be carried out.
        """
        lease = self._lease
        until_ms = None if lease is None else lease.until_ms
        if rights is Rights.ADD_ONLY:
            until_ms = max(until_ms or 0, now_ms + ADD_ONLY_MS)
        if lease is None:
            return Tenure(rights, until_ms=until_ms, trouble=trouble)
        return Tenure(rights, lease.epoch, until_ms, lease.since_ms, lease.is_takeover, trouble)

    def release(self, now_ms: int) -> None:
        """Give the lease back, so that the next start need not wait."""
        try:
            if self._lease is not None and self.lost is None:
                self._lease.renew(now_ms, self.fields)
                self._lease.release(now_ms)
        except (LeaseLost, StoreUnavailable) as error:
            self._note(f"lease not released: {error}")
        finally:
            self.let_go()

    def _say(self, text: str, *, once_for: str = "") -> None:
        """Tell once what stays true from tick to tick, also where its words tell the time."""
        subject = once_for or text
        if self._said != subject:
            self._said = subject
            self._note(text)
