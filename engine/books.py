"""Where a keeper writes: the store, or memory and the spool while that is out of reach (RULES G5).

Invariants: the store is tried once a tick at most until it fails, and not at all before the
tick's requests have left once it has failed; nothing that can open or uncover is sent unrecorded;
what happened meanwhile comes into the store once, in order, and a gap is recorded when it can be.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from engine.domain.action import CancelOrder, Outcome, PlaceOrder, Plan
from engine.domain.drift import Drift
from engine.domain.errors import LeaseLost, StoreUnavailable
from engine.domain.identity import ClientOrderId, OrderRole
from engine.domain.ledger import Ledger
from engine.domain.situation import Situation
from engine.domain.terms import Rights
from engine.leasehold import Tenure
from engine.store.merging import merge_ledger, merge_spool, spool_changes
from engine.store.spool import Spool
from engine.store.store import Store

RETRY_MS = 1_000
RETRY_MAX_MS = 10_000
"""How long after a failed try the store is tried again: twice as long each time, up to this."""

FINISHED_MAX = 20
"""So many lives that ended while the store was away are kept in memory, the last ones."""


class Books:
    """The store, or the last ledger in memory while it is out of reach.

    A ledger that came from the store and was carried on in memory is written back as one
    difference. One that was never there, because the process began without its store, is what the
    exchange alone could tell: of that only our own orders and levels are added to what the store
    remembers.
    """

    def __init__(
        self, store: Store, note: Callable[[str], None], spool: Spool | None = None
    ) -> None:
        """Keep in ``store``; ``note`` is told once when it fails and when it is back."""
        self._store = store
        self._spool = spool
        self._note = note
        self._last = Ledger()
        self._is_from_store = False
        self._is_away = store.trouble is not None
        self._away_ms: int | None = None
        self._now_ms = 0
        self._untold = 0
        self._finished: tuple[Ledger, ...] = ()
        self._is_ours = True
        self._tries = 0
        self._next_try_ms = 0
        self.reasons: tuple[str, ...] = ()

    @property
    def is_writable(self) -> bool:
        """Return whether what is to be sent can be written down first."""
        return not self._is_away

    @property
    def was_ever_open(self) -> bool:
        """Return whether this process has read its ledger from the store."""
        return self._is_from_store

    def recall(self) -> Ledger:
        """Return the ledger: the store's, or the one in memory while the store is gone."""
        if self._is_away:
            return self._last
        try:
            if self._has_spooled():
                self._merge()
            stored = self._store.recall()
        except LeaseLost:
            return self._last  # the lease's renewal, next in this tick, says the same
        except StoreUnavailable as error:
            self.lose(error)
            return self._last
        self._last, self._is_from_store = stored, True
        return stored

    def record_intent(
        self,
        now_ms: int,
        recalled: Ledger,
        situation: Situation,
        drifts: Sequence[Drift],
        plan: Plan,
    ) -> frozenset[ClientOrderId]:
        """Write the plan down; return what must not be sent."""
        self._now_ms, self._last = now_ms, plan.ledger
        self._is_ours = situation.condition.rights is not Rights.NONE
        if not self._is_ours:
            return frozenset(_ids(plan))  # another keeper's books: not ours to write
        if not self._is_away:
            try:
                return self._store.record_intent(
                    now_ms, recalled, situation, drifts, plan, reasons=self.reasons
                )
            except LeaseLost as lost:
                self._note(str(lost))
                self._is_ours = False
                return frozenset(_ids(plan))
            except StoreUnavailable as error:
                self.lose(error)
        self._spill(recalled, plan.ledger)
        return frozenset(_needs_a_record(plan))

    def record_outcomes(
        self, now_ms: int, before: Ledger, after: Ledger, outcomes: Sequence[Outcome]
    ) -> None:
        """Write down what became of the plan."""
        self._last = after
        if not self._is_ours:
            return
        if not self._is_away:
            try:
                self._store.record_outcomes(now_ms, before, after, outcomes)
            except LeaseLost:
                return
            except StoreUnavailable as error:
                self.lose(error)
            else:
                return
        self._spill(before, after)

    def lose(self, error: StoreUnavailable, *, is_told: bool = False) -> None:
        """Do without the store from now on, until ``try_to_return`` brings it back."""
        if not self._is_away:
            if not is_told:
                self._note(str(error))
            self._is_away, self._tries = True, 0
            self._next_try_ms = self._now_ms + RETRY_MS
        self._store.shut(error)

    def forget(self) -> None:
        """Begin anew, like a new process: somebody else has kept the books meanwhile."""
        self._last, self._is_from_store, self._finished = Ledger(), False, ()
        self._is_away, self._away_ms = self._store.trouble is not None, None

    def try_to_return(self, now_ms: int, tenure: Callable[[int], Tenure]) -> bool:
        """Try whether the store is back, after the tick's requests have left; paced.

        The schema is brought up first, a migration included; then the lease must be ours. Returns
        whether it was tried.
        """
        if self._away_ms is None:
            self._away_ms = now_ms
        if now_ms < self._next_try_ms:
            return False
        try:
            self._store.reopen()
            held = tenure(now_ms)
            if held.trouble is not None:
                raise held.trouble
            if held.rights is Rights.LEASED:
                self._bring_back(now_ms)
        except LeaseLost as lost:
            self._store.shut(StoreUnavailable(str(lost)))
        except StoreUnavailable as error:
            self._store.shut(error)
            self._next_try_ms = now_ms + min(RETRY_MS << self._tries, RETRY_MAX_MS)
            self._tries = min(self._tries + 1, RETRY_MAX_MS // RETRY_MS)
        return True

    def _bring_back(self, now_ms: int) -> None:
        """Write what happened meanwhile into the store, and that there was a gap."""
        self._now_ms = now_ms
        self._merge()
        if self._is_from_store:
            stored = self._store.recall()
            # A life that ended meanwhile is in the last ledger no more: its own last word is told.
            for ledger in (*self._finished, self._last):
                self._store.record_outcomes(now_ms, stored, ledger, ())
                stored = ledger
        else:
            merge_ledger(self._store, self._last, now_ms)
        if self._away_ms is not None:
            text = f"the store was out of reach for {(now_ms - self._away_ms) / 1000:.1f} s"
            if self._untold:
                text += f"; {self._untold} changes were in memory only"
            data = {"since_ms": self._away_ms, "until_ms": now_ms, "untold": self._untold}
            self._store.note(now_ms, "seen", "store_gap", text, data=data)
        self._last, self._is_from_store = self._store.recall(), True
        self._is_away, self._away_ms, self._untold, self._finished = False, None, 0, ()
        self._note("the store is back")

    def _merge(self) -> None:
        if self._spool is not None:
            merge_spool(self._store, self._spool, self._now_ms)

    def _has_spooled(self) -> bool:
        return self._spool is not None and not self._spool.is_empty

    def _spill(self, before: Ledger, after: Ledger) -> None:
        """Write what changed into the spool: best effort, protection does not wait for it (G5)."""
        was, life = before.life, after.life
        if was is not None and (life is None or life.generation != was.generation):
            self._finished = (*self._finished, before)[-FINISHED_MAX:]
        if self._spool is None:
            self._untold += before != after
            return
        try:
            spool_changes(self._spool, self._now_ms, before, after, "store unavailable")
        except StoreUnavailable as error:
            if not self._untold:
                self._note(f"neither store nor spool is writable: {error}")
            self._untold += 1


_FREELY_CANCELLED = (OrderRole.ENTRY, OrderRole.EMERGENCY)
"""Their cancels take no cover away: entries are withdrawn, the ladder re-priced, unrecorded."""


def _needs_a_record(plan: Plan) -> list[ClientOrderId]:
    """Return what is never sent unrecorded: what can open, and cancels of cover (RULES G5)."""
    ids: list[ClientOrderId] = []
    for action in plan.actions:
        match action:
            case PlaceOrder() if action.terms.can_open:
                ids.append(action.terms.client_id)
            case CancelOrder() if action.client_id.role not in _FREELY_CANCELLED:
                ids.append(action.client_id)
            case _:
                pass
    return ids


def _ids(plan: Plan) -> list[ClientOrderId]:
    """Return the ids of every order the plan would place or cancel."""
    return [
        action.terms.client_id if isinstance(action, PlaceOrder) else action.client_id
        for action in plan.actions
        if isinstance(action, PlaceOrder | CancelOrder)
    ]
