"""The lease as a running keeper holds it: taken once, renewed every tick, given back (RULES G4).

Lost to another epoch, the process may do nothing; with the database out of reach it may only add
protection, and the lease it last saw still bounds every recvWindow.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from threading import Event
from typing import Any

from engine.domain.errors import LeaseHeld, LeaseLost, StoreUnavailable
from engine.domain.terms import Rights
from engine.store.lease import GRACE_MS, HostLock, Lease
from engine.store.store import Store

CLOCK_ERROR_MS = 500
"""How far two keepers' ideas of exchange time may lie apart (``clock.error_max_s``)."""

WAIT_S = 0.5
"""How often a standby asks for the lease."""


@dataclass(frozen=True, slots=True)
class Tenure:
    """What the lease says now: rights, epoch, and until when."""

    rights: Rights = Rights.LEASED
    epoch: int = 0
    until_ms: int | None = None


class Leasehold:
    """Our tenure of one account and symbol; carries the heartbeat on its renewals."""

    def __init__(
        self, store: Store, note: Callable[[str], None], *, clock_error_ms: int = CLOCK_ERROR_MS
    ) -> None:
        """Hold nothing yet; ``note`` is told of waiting, loss and trouble.

        A takeover waits for expiry, the longest recvWindow and ``clock_error_ms``.
        """
        self._store = store
        self._clock_error_ms = clock_error_ms
        self._note = note
        self._lock: HostLock | None = None
        self._lease: Lease | None = None
        self._said: str | None = None
        self.fields: dict[str, Any] | None = None

    def take(self, now_ms: Callable[[], int], *, waits: bool) -> None:
        """Take the lease; a standby waits for it, anybody else is refused with ``LeaseHeld``."""
        pause = Event()
        while True:
            try:
                if self._lock is None:
                    self._lock = self._host_lock(waits=waits)
                self._lease = Lease.claim(
                    self._store, now_ms(), lock=self._lock, grace_ms=GRACE_MS + self._clock_error_ms
                )
            except LeaseHeld as held:
                if not waits:
                    raise
                self._say(f"standing by: {held}")
                pause.wait(WAIT_S)
            else:
                return

    def _host_lock(self, *, waits: bool) -> HostLock | None:
        """Return the host's lock; a standby goes without while another process keeps it.

        The lock only guards against a second start: a stopped process keeps it for ever, and the
        row's expiry is what a takeover waits for.
        """
        desk = self._store.desk
        try:
            return HostLock.take(desk.account, desk.symbol)
        except LeaseHeld:
            if not waits:
                raise
            return None

    def renew(self, now_ms: int) -> Tenure:
        """Prolong the lease and write the heartbeat; return what it permits now."""
        lease = self._lease
        if lease is None:
            return Tenure(Rights.NONE)
        try:
            lease.renew(now_ms, self.fields)
        except LeaseLost as lost:
            self._say(str(lost))
            return Tenure(Rights.NONE, lease.epoch, lease.until_ms)
        except StoreUnavailable as error:
            self._say(f"lease not renewed: {error}")
            return Tenure(Rights.ADD_ONLY, lease.epoch, lease.until_ms)
        self._said = None
        return Tenure(Rights.LEASED, lease.epoch, lease.until_ms)

    def release(self, now_ms: int) -> None:
        """Give the lease back, so that the next start need not wait."""
        try:
            if self._lease is not None:
                self._lease.renew(now_ms, self.fields)
                self._lease.release(now_ms)
        except (LeaseLost, StoreUnavailable) as error:
            self._note(f"lease not released: {error}")
        finally:
            if self._lock is not None:
                self._lock.close()

    def _say(self, text: str) -> None:
        """Tell once what stays true from tick to tick."""
        if self._said != text:
            self._said = text
            self._note(text)
