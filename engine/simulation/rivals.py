"""Two keepers of one position in one virtual world: one lease, one store, a real standby.

Each is a process of its own: its memory, its connection to the store, its idea of the time, its
lock on its host. At every moment one of them is the present one, whose code runs; what the world
does it does to that one. Who stands still in the middle of a call lies beneath, and the world is
played on above it until it wakes. A waiting keeper asks for the lease as ``keeper run --standby``
does; as long as another one ticks it would read what it knows, and is not played.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryDirectory

from engine.domain.errors import KeeperError
from engine.domain.limits import Limits
from engine.leasehold import CLOCK_ERROR_MS, WAIT_S, Leasehold, Tenure
from engine.simulation.mortality import Killed
from engine.simulation.reach import Reach
from engine.simulation.requests import Span
from engine.simulation.world import ACCOUNT, Process, World
from engine.store.lease import GRACE_MS, TTL_MS
from engine.store.spool import Spool
from engine.store.store import Store
from engine.tick import TickReport
from engine.venue.api import Venue
from engine.venue.values import Push

SPOOL_BYTES = 1 << 20
WAIT_MS = int(WAIT_S * 1000)
RESTART_MS = 2_000
"""How soon a process that ended by itself is started again (``RestartSec`` of the service)."""

MEASURED_MS = 60_000
"""How old a standby's measurement of the clock may be (``ANCHORED_MAX_MS`` of the program)."""

TAKEOVER_MS = TTL_MS + GRACE_MS + CLOCK_ERROR_MS + 2 * WAIT_MS
"""How long a position may be without a keeper while another one stands by (RULES G4).

From the last renewal to expiry, the longest recvWindow, the clock error, and one question in vain.
"""


class Standby(StrEnum):
    """Where a second keeper waits for the lease, if there is one."""

    NOWHERE = "nowhere"
    SAME_HOST = "same_host"
    OTHER_HOST = "other_host"


@dataclass(slots=True, eq=False)
class Tenant(Process):
    """The process of one of the two; ``number`` names its spool.

    ``is_inside``: in the middle of a tick; ``is_frozen``: stopped there. ``is_killed`` until
    somebody starts it again; one that left by itself rises at ``rises_ms``.
    """

    number: int = 1
    lease: Leasehold | None = None
    is_inside: bool = False
    is_frozen: bool = False
    is_killed: bool = False
    rises_ms: int | None = None
    measured_ms: int | None = None

    @property
    def is_waiting(self) -> bool:
        """Return whether it stands by for the lease."""
        return self.keeper is None and not self.is_killed and self.rises_ms is None

    @property
    def can_tick(self) -> bool:
        """Return whether it may begin a tick."""
        return self.keeper is not None and not self.is_inside


def quick_place() -> Path | None:
    """Return where files cost no disk, None where there is no such place."""
    place = Path("/dev/shm")  # noqa: S108 - a folder of our own in it
    return place if os.access(place, os.W_OK) else None


class Rivals(World):
    """A world with a keeper and its standby, on one host or on two.

    ``takeovers`` is when one took the lease over from the other; ``untold`` when somebody who stood
    by asked for the time, or one of the two was gone: what the exchange told one of them the other
    one does not know.
    """

    def __init__(
        self,
        venue: Venue | Reach,
        inbox: Path,
        limits: Limits,
        *,
        start_ms: int,
        interval_ms: int,
        latency_ms: int,
        streams: bool,
        standby: Standby,
    ) -> None:
        """Put two keepers beside ``venue``, with a store and locks in a folder of their own."""
        self.takeovers: list[int] = []
        self.untold: list[int] = []
        self._standby = standby
        self._unkept: list[Span] = []
        self._unkept_ms: int | None = None
        self._had_standby = False
        self._holder: Tenant | None = None
        self._folder = TemporaryDirectory(prefix="keeper-rivals-", dir=quick_place())
        super().__init__(
            venue,
            inbox,
            limits,
            start_ms=start_ms,
            interval_ms=interval_ms,
            latency_ms=latency_ms,
            streams=streams,
            shelf=Path(self._folder.name),
        )

    def _new_process(self) -> Process:
        self._record = self._new_store()
        self._tenants = tuple(Tenant(self._own_store(), number=n) for n in (1, 2))
        self._present = self._tenants[0]
        return self._present

    def _own_store(self) -> Store:
        """Return a connection of a process's own to the store both share."""
        place = f"sqlite:///{self._shelf}/keeper-{self._stores}.db"
        return Store.at(place, account=ACCOUNT, symbol=self.limits.symbol)

    def _begin(self) -> None:
        for tenant in self._tenants:
            self._enter(tenant)
        self._run(self._tenants[0], self.clock.now_ms + 1)
        self._turn_to(self._foremost())

    @property
    def record(self) -> Store:
        """Return the store as somebody beside both keepers uses it."""
        return self._record

    @property
    def _spool(self) -> Spool | None:
        return Spool(self._inbox / f".spool-{self._present.number}", size=SPOOL_BYTES)

    @property
    def is_bereaved(self) -> bool:
        """Return whether one of them died that has not risen again."""
        return any(tenant.is_killed for tenant in self._tenants)

    @property
    def requests_made(self) -> int:
        """Return how many requests left so far, the dead keepers' included."""
        living = [t.exchange.usage().requests for t in self._tenants if t.exchange is not None]
        return self._spent + sum(living)

    def unkept(self) -> list[Span]:
        """Return when nobody who was awake had the lease (RULES G4).

        At most as long as a takeover may take, where somebody stood by all the time.
        """
        return [*self._unkept, *self._still_unkept()]

    def step(self, until_ms: int) -> TickReport | None:
        """Run what comes next of both: a tick, a question for the lease, a process's return."""
        now_ms = self.clock.now_ms
        for tenant in self._tenants:
            if tenant.rises_ms is not None and now_ms >= tenant.rises_ms:
                self._enter(tenant)
        able = self._able()
        moments = [t.rises_ms for t in self._tenants if t.rises_ms is not None]
        report = None
        if able:
            tenant = min(able, key=lambda one: one.due_ms)
            first_ms = max(tenant.due_ms, now_ms)
            moments += [t.due_ms for t in able if t is not tenant]
            report = self._run(tenant, min([until_ms, *(max(m, first_ms + 1) for m in moments)]))
        else:
            self._pass_to(min([until_ms, *(max(m, now_ms + 1) for m in moments)]))
        self._turn_to(self._foremost())
        return report

    def _able(self) -> list[Tenant]:
        """Return who may do something next, each at its own moment."""
        awake = [t for t in self._tenants if not (t.is_frozen or t.is_inside)]
        ticking = [t for t in awake if t.keeper is not None]
        now_ms = self.clock.now_ms
        ends = [t.lease.until_ms for t in ticking if t.lease is not None]
        if any(end_ms is not None and end_ms > now_ms for end_ms in ends):
            return ticking
        return [*ticking, *(t for t in awake if t.is_waiting)]

    def _foremost(self) -> Tenant:
        """Return to whom the world does what it does next: who keeps, else who is there at all."""
        awake = [t for t in self._tenants if not t.is_frozen]
        return max(awake, key=lambda t: (t.keeper is not None, t is self._holder, t.is_waiting))

    def _turn_to(self, tenant: Tenant) -> None:
        self.process = self._present = tenant

    def _run(self, tenant: Tenant, until_ms: int) -> TickReport | None:
        """Let one of them tick or ask when it is due, and come back to who was present."""
        before = self._present
        self._turn_to(tenant)
        tenant.is_inside = True
        report = None
        try:
            if tenant.keeper is not None:
                report = super().step(until_ms)
                if tenant.lease is not None and tenant.lease.lost is not None:
                    self._leave(tenant)
            else:
                self._pass_to(min(tenant.due_ms, until_ms))
                if tenant.due_ms < until_ms:
                    self._ask(tenant)
        except Killed:
            self.die()
        finally:
            tenant.is_inside = False
            self._turn_to(before)
        return report

    def _pause(self, pause_ms: int) -> None:
        """Let the present one wait for an answer while another one ticks."""
        me, until_ms = self._present, self.clock.now_ms + pause_ms
        others = [t for t in self._tenants if t is not me]
        while tick := [t for t in others if t.can_tick and t.due_ms < until_ms]:
            self._run(tick[0], until_ms)
        self.clock.now_ms = max(self.clock.now_ms, until_ms)

    def stand_still(self, frozen_ms: int, play_on: Callable[[int], object]) -> None:
        """Stop the present process in the middle of a call, and play the world on without it.

        Nothing comes of it while the other one lies beneath: it could not go on meanwhile.
        """
        me, until_ms = self._present, self.clock.now_ms + frozen_ms
        if any(t.is_inside for t in self._tenants if t is not me):
            return
        me.is_frozen = True
        self._reckon()
        self._turn_to(self._foremost())
        try:
            play_on(until_ms)
        finally:
            me.is_frozen = False
            self._turn_to(me)
            self._reckon()

    def die(self) -> None:
        """Abandon the present process; the kernel lets go of its lock."""
        me = self._present
        if me.is_killed or me.rises_ms is not None:
            return
        self.kills += me.keeper is None
        super().die()
        me.is_killed = True
        self._end(me)

    def rise(self, *, lose_store: bool = False) -> None:
        """Start again who died; they stand by. A store is lost by both, who then both begin anew.

        Not while one of them stands still: it would wake on a store that is no more.
        """
        if lose_store and not any(tenant.is_inside for tenant in self._tenants):
            for tenant in self._tenants:
                self._turn_to(tenant)
                self.die()
                tenant.is_killed, tenant.rises_ms = True, None
            self._record.close()
            self._record, self._holder = self._new_store(), None
        for tenant in self._tenants:
            if tenant.is_killed:
                self._enter(tenant)
        self._turn_to(self._foremost())

    def close(self) -> None:
        """End the world."""
        for tenant in self._tenants:
            self._turn_to(tenant)
            super().close()
            self._end(tenant)
        self._record.close()
        self._folder.cleanup()

    def _enter(self, tenant: Tenant) -> None:
        """Let a new process begin to stand by."""
        before = self._present
        self._turn_to(tenant)
        tenant.store, tenant.due_ms = self._own_store(), self.clock.now_ms
        tenant.is_killed, tenant.rises_ms, tenant.measured_ms = False, None, None
        assert self._shelf is not None  # noqa: S101 - narrows the type: given at the beginning
        host = self._shelf / f"host-{1 if self._standby is Standby.SAME_HOST else tenant.number}"
        host.mkdir(exist_ok=True)
        tenant.lease = Leasehold(tenant.store, self.notes.append, lock_folder=host)
        self._connected()
        self._turn_to(before)

    def _leave(self, tenant: Tenant) -> None:
        """Let a process end that is no longer permitted anything, to be started again."""
        self._end_stream()
        tenant.keeper, tenant.in_a_row = None, 0
        tenant.rises_ms = self.clock.now_ms + RESTART_MS
        self._end(tenant)

    def _end(self, tenant: Tenant) -> None:
        """Let go of what a process held of the world."""
        self.untold.append(self.clock.now_ms)
        self._count_requests()
        if tenant.lease is not None:
            tenant.lease.let_go()
        tenant.lease = None
        tenant.store.close()
        self._had_standby = False
        self._reckon()

    def _ask(self, tenant: Tenant) -> None:
        """Ask for the lease; whoever gets it keeps the position from now on."""
        lease = tenant.lease
        assert lease is not None  # noqa: S101 - narrows the type: it stands by
        is_over = lease.attempt(self._measured_ms(tenant), waits=True)
        tenant.due_ms = self.clock.now_ms + WAIT_MS
        if not is_over:
            return
        if self._holder not in (None, tenant):
            self.takeovers.append(self.clock.now_ms)
        self._holder, tenant.due_ms = tenant, self.clock.now_ms
        tenant.keeper = self._born()
        self._reckon()

    def _measured_ms(self, tenant: Tenant) -> int | None:
        """Return exchange time, measured within the last minute; None when it cannot be."""
        exchange = tenant.exchange
        assert exchange is not None  # noqa: S101 - narrows the type: it stands by
        if tenant.measured_ms is None or self.clock.now_ms - tenant.measured_ms > MEASURED_MS:
            asked_ms, asked = self.clock.now_ms, exchange.usage().requests
            try:
                exchange.anchor_clock()
            except KeeperError:
                return None
            finally:
                self.untold += [asked_ms] * (exchange.usage().requests > asked)
            tenant.measured_ms = self.clock.now_ms
        return exchange.now_ms()

    def _renewed(self, now_ms: int) -> Tenure:
        lease = self._present.lease
        assert lease is not None  # noqa: S101 - narrows the type: it keeps
        self.mortality.begin("lease", "renew")
        tenure = lease.renew(now_ms)
        self.mortality.end()
        return tenure

    def _watch(self, now_ms: int) -> None:
        lease = self._present.lease
        assert lease is not None  # noqa: S101 - narrows the type: it keeps
        lease.watch(now_ms)

    def _hand_on(self, pushes: list[Push]) -> None:
        """Give every stream what the venue sent: one who stands still reads it later."""
        for tenant in self._tenants:
            if tenant.stream is not None:
                tenant.stream.take(pushes)

    def _reckon(self) -> None:
        """Note when nobody keeps the position any more, and when somebody does again."""
        is_kept = any(t.keeper is not None and not t.is_frozen for t in self._tenants)
        if is_kept:
            self._unkept += self._still_unkept()
            self._unkept_ms = None
        elif self._unkept_ms is None:
            self._unkept_ms = self.clock.now_ms
            self._had_standby = any(t.is_waiting and not t.is_frozen for t in self._tenants)

    def _still_unkept(self) -> list[Span]:
        from_ms, now_ms = self._unkept_ms, self.clock.now_ms
        if from_ms is None:
            return []
        return [Span(from_ms, min(now_ms, from_ms + TAKEOVER_MS) if self._had_standby else now_ms)]
