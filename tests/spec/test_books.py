"""The keeper's books while the store is out of reach, and when it is back (RULES G5, lesson 21).

Nothing that can open or uncover leaves unrecorded; protection never waits for a disk. What happened
meanwhile is in memory and in the spool, and comes into the store once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine.books import RETRY_MAX_MS, Books
from engine.domain.action import Action, CancelOrder, Outcome, PlaceOrder, Plan, Proof
from engine.domain.drift import Drift
from engine.domain.errors import StoreUnavailable
from engine.domain.identity import ClientOrderId, OrderRole
from engine.domain.ledger import Ledger
from engine.domain.order import Order, OrderStatus
from engine.domain.position import LevelState
from engine.domain.situation import Situation
from engine.domain.terms import ActionClass, Rights
from engine.leasehold import Tenure
from engine.store.connect import Desk as StoreDesk
from engine.store.lease import Lease
from engine.store.reading import ReadStore
from engine.store.spool import Spool
from engine.store.store import Store
from tests.builders import (
    EMERGENCY,
    ENTRY,
    FLOOR,
    PRIMARY,
    TP1,
    a_floor,
    a_level,
    a_stop,
    a_tp1,
    an_entry,
    an_order,
    d,
)
from tests.contract.ledgers import a_situation, an_open_ledger

LEVEL = "90500"


class FailingStore(Store):
    """A store whose disk can go away and come back."""

    is_gone = False

    def __init__(self, desk: StoreDesk) -> None:
        super().__init__(desk)
        self.tries: list[bool] = []

    def reopen(self, **how: Any) -> None:
        self.tries.append(self.is_gone)
        try:
            self._reach()
        except StoreUnavailable as error:
            self.shut(error)
            raise
        super().reopen(**how)

    def recall(self) -> Ledger:
        self._reach()
        return super().recall()

    def record_intent(
        self,
        now_ms: int,
        recalled: Ledger,
        situation: Situation,
        drifts: Sequence[Drift],
        plan: Plan,
        *,
        reasons: Sequence[str] = (),
    ) -> frozenset[ClientOrderId]:
        self._reach()
        return super().record_intent(now_ms, recalled, situation, drifts, plan, reasons=reasons)

    def record_outcomes(
        self, now_ms: int, before: Ledger, after: Ledger, outcomes: Sequence[Outcome]
    ) -> None:
        self._reach()
        super().record_outcomes(now_ms, before, after, outcomes)

    def _reach(self) -> None:
        if self.is_gone:
            raise StoreUnavailable("disk gone", place="here", remedy="bring it back")


class Desk:
    """Books over a store that can fail, with a spool beside it."""

    def __init__(self, folder: Path, *, has_spool: bool = True) -> None:
        self.folder = folder
        made = Store.open(f"sqlite:///{folder}/keeper.db", account="spec", symbol="BTCUSDT")
        self.store = FailingStore(made.desk)
        self.spool = Spool(folder / "spool", size=1 << 16) if has_spool else None
        self.notes: list[str] = []
        self.books = Books(self.store, self.notes.append, self.spool)
        self.now_ms = 2_000

    def write(self, ledger: Ledger, *actions: Action) -> frozenset[ClientOrderId]:
        """Write a plan down as a tick would; return what must not be sent."""
        self.now_ms += 1_000
        recalled = self.books.recall()
        situation = a_situation(ledger, self.now_ms, tick=self.now_ms // 1_000)
        return self.books.record_intent(
            self.now_ms, recalled, situation, (), Plan(ledger, actions=actions)
        )

    def end_tick(self, *, rights: Rights = Rights.LEASED) -> None:
        """Let the books try whether the store is back, as at the end of a tick."""
        self.now_ms += RETRY_MAX_MS
        self.books.try_to_return(self.now_ms, lambda _: Tenure(rights, 1))

    def reborn(self) -> Books:
        """Return the books of a new process over what the old one left."""
        return Books(self.store, self.notes.append, Spool(self.folder / "spool", size=1 << 16))

    @property
    def spooled(self) -> int:
        return 0 if self.spool is None else len(list(self.spool.records()))


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path)
    made.write(an_open_ledger())
    yield made
    made.store.close()


def with_stop(ledger: Ledger, status: OrderStatus = OrderStatus.INTENDED) -> Ledger:
    """Return the ledger with one more, tighter stop."""
    stop = a_stop(LEVEL, revision=2, status=status)
    order = replace(stop, intended_ms=3_000, dead_after_ms=8_000)
    levels = (*ledger.levels, a_level(LEVEL, 2, LevelState.PROPOSED, settled_ms=None))
    known = tuple(o for o in ledger.orders if o.id != order.id)
    return replace(ledger, orders=(*known, order), levels=levels)


def a_place(order: Order) -> PlaceOrder:
    return PlaceOrder(order.terms, ActionClass.PROTECT, "test", "test")


def a_cancel(order: Order) -> CancelOrder:
    return CancelOrder(
        order.id, order.terms.book, ActionClass.RECONCILE, "test", "test", Proof.NOT_A_STOP
    )


def test_while_the_store_works_everything_is_written_and_sent(desk: Desk) -> None:
    """RULES G5: the ordinary tick; the spool stays empty."""
    ledger = with_stop(an_open_ledger())

    refused = desk.write(ledger, a_place(ledger.orders[-1]), a_place(an_entry()))

    assert refused == frozenset()
    assert (desk.books.recall(), desk.store.recall()) == (ledger, ledger)
    assert (desk.spooled, desk.notes, desk.books.is_writable) == (0, [], True)


SENT: list[tuple[str, Callable[[], Action], bool]] = [
    ("a stop", lambda: a_place(a_stop(LEVEL, revision=2)), True),
    ("the floor", lambda: a_place(a_floor()), True),
    ("a reduce-only target", lambda: a_place(a_tp1()), True),
    ("an emergency close", lambda: a_place(an_order(EMERGENCY)), True),
    ("an entry", lambda: a_place(an_entry()), False),
    ("the cancel of an entry", lambda: a_cancel(an_entry()), True),
    ("the cancel of an attempt to close", lambda: a_cancel(an_order(EMERGENCY)), True),
    ("the cancel of a stop", lambda: a_cancel(a_stop()), False),
    ("the cancel of the floor", lambda: a_cancel(a_floor()), False),
]


@pytest.mark.parametrize(("make", "is_sent"), [c[1:] for c in SENT], ids=[c[0] for c in SENT])
@pytest.mark.parametrize("moment", ["before", "during"])
def test_unrecorded_only_what_protects_leaves(
    desk: Desk, make: Callable[[], Action], is_sent: bool, moment: str
) -> None:
    """RULES G5, G4: mandatory for what can open and for cancelling cover, best effort else.

    The ladder's own attempts are re-priced with the store down as well (F11).
    """
    recalled = desk.books.recall()
    desk.store.is_gone = True
    if moment == "before":
        desk.books.recall()
    action = make()
    plan = Plan(recalled, actions=(action,))
    situation = a_situation(recalled, 5_000)

    refused = desk.books.record_intent(5_000, recalled, situation, (), plan)

    assert isinstance(action, PlaceOrder | CancelOrder)
    name = action.terms.client_id if isinstance(action, PlaceOrder) else action.client_id
    assert (name not in refused) is is_sent
    assert not desk.books.is_writable


def test_while_the_store_is_gone_memory_serves(desk: Desk) -> None:
    """Lesson 21: the next tick goes on from what the last one knew, not from nothing."""
    desk.store.is_gone = True
    ledger = with_stop(desk.books.recall())
    desk.write(ledger)
    placed = with_stop(an_open_ledger(), OrderStatus.WORKING)

    desk.books.record_outcomes(4_000, ledger, placed, ())

    assert desk.books.recall() == placed


def test_the_failure_and_the_return_are_told_once_each(desk: Desk) -> None:
    """Explained: not once a tick."""
    desk.store.is_gone = True
    for _ in range(3):
        desk.write(desk.books.recall())
        desk.end_tick()
    desk.store.is_gone = False
    desk.end_tick()
    for _ in range(2):
        desk.write(desk.books.recall())

    assert [n for n in desk.notes if "disk gone" in n] == desk.notes[:1]
    assert desk.notes[1:] == ["the store is back"]
    assert desk.books.is_writable


def test_what_happened_meanwhile_comes_into_the_store_once(desk: Desk) -> None:
    """RULES G5, B5: orders, levels and outcomes; explained by one event a record."""
    desk.store.is_gone = True
    ledger = with_stop(desk.books.recall())
    desk.write(ledger)
    placed = with_stop(an_open_ledger(), OrderStatus.WORKING)
    desk.books.record_outcomes(4_000, ledger, placed, ())
    assert desk.spooled == 2
    desk.store.is_gone = False
    desk.end_tick()

    recalled = [desk.books.recall(), desk.books.recall(), desk.reborn().recall()]

    assert recalled == [placed] * 3
    assert desk.spooled == 0
    events = ReadStore.beside(desk.store.desk).events(kinds=("intent",))
    assert [e["reason"] for e in events].count("spooled") == 2


def test_a_process_that_died_meanwhile_leaves_its_spool(desk: Desk) -> None:
    """RULES G5, B4: what was sent unrecorded is known to the successor."""
    desk.store.is_gone = True
    ledger = with_stop(desk.books.recall())
    desk.write(ledger)
    desk.store.is_gone = False
    desk.store.reopen()

    recalled = desk.reborn().recall()

    assert [o.id for o in recalled.orders] == [o.id for o in ledger.orders]
    assert recalled.levels[-1].level == d(LEVEL)
    assert recalled.life == an_open_ledger().life


def test_a_store_that_failed_while_merging_is_merged_again(desk: Desk) -> None:
    """RULES G5: once, in order, whatever interrupts it."""
    desk.store.is_gone = True
    ledger = with_stop(desk.books.recall())
    desk.write(ledger)

    desk.end_tick()
    still = desk.books.recall()
    desk.store.is_gone = False
    desk.end_tick()

    assert still == ledger
    assert desk.books.recall() == ledger
    assert len([o for o in desk.store.recall().orders if o.id == ledger.orders[-1].id]) == 1


def test_with_neither_store_nor_spool_protection_still_leaves(tmp_path: Path) -> None:
    """RULES G5: memory and a note; a full disk must not uncover a position."""
    desk = Desk(tmp_path)
    desk.write(an_open_ledger())
    assert desk.spool is not None
    desk.spool._size = 8
    desk.store.is_gone = True
    ledger = with_stop(desk.books.recall())

    refused = desk.write(ledger, a_place(ledger.orders[-1]), a_place(an_entry()))

    assert {own.role for own in refused} == {ENTRY}
    assert any("neither store nor spool" in n for n in desk.notes)
    assert desk.books.recall() == ledger
    desk.store.close()


def test_without_a_spool_memory_alone_brings_everything_back(tmp_path: Path) -> None:
    """RULES G5: the spool is for a process that dies; one that lives remembers."""
    desk = Desk(tmp_path, has_spool=False)
    desk.write(an_open_ledger())
    desk.store.is_gone = True
    ledger = with_stop(desk.books.recall(), OrderStatus.WORKING)
    desk.write(ledger)
    desk.store.is_gone = False
    desk.end_tick()

    assert (desk.books.recall(), desk.store.recall()) == (ledger, ledger)
    desk.store.close()


@pytest.mark.parametrize("has_spool", [True, False], ids=["spooled", "in memory only"])
def test_a_gap_is_recorded_when_it_can_be(tmp_path: Path, has_spool: bool) -> None:
    """RULES B5: how long nothing could be written, and how much of it no spool has either."""
    desk = Desk(tmp_path, has_spool=has_spool)
    desk.write(an_open_ledger())
    desk.store.is_gone = True
    desk.write(with_stop(desk.books.recall()))
    desk.end_tick()
    desk.store.is_gone = False
    desk.end_tick()

    (gap,) = (
        e
        for e in ReadStore.beside(desk.store.desk).events(kinds=("seen",))
        if e["reason"] == "store_gap"
    )

    assert f"out of reach for {RETRY_MAX_MS / 1000:.1f} s" in str(gap["text"])
    assert ("in memory only" in str(gap["text"])) is not has_spool
    desk.store.close()


def test_a_failed_store_is_tried_again_at_growing_distances(desk: Desk) -> None:
    """RULES G5: each try may cost its wait; it comes after the requests, and not in every tick."""
    desk.store.is_gone = True
    desk.write(desk.books.recall())
    tried: list[int] = []
    began_ms = desk.now_ms

    for now_ms in range(began_ms, began_ms + 40_000, 250):
        before = len(desk.store.tries)
        desk.books.try_to_return(now_ms, lambda _: Tenure(Rights.LEASED, 1))
        tried += [now_ms - began_ms] * (len(desk.store.tries) - before)

    assert tried == [0, 1_000, 3_000, 7_000, 15_000, 25_000, 35_000]


def test_a_keeper_that_began_without_its_store_adds_to_it_and_replaces_nothing(desk: Desk) -> None:
    """RULES G5, B4: what the exchange alone could tell is less than what the old rows say."""
    known = desk.store.recall()
    desk.store.shut(StoreUnavailable("not opened yet"))
    fresh = Books(desk.store, desk.notes.append, desk.spool)
    sent = replace(a_stop(LEVEL, revision=2, status=OrderStatus.WORKING), intended_ms=3_000)
    found = replace(a_floor(), is_adopted=True)
    level = a_level(LEVEL, 2, LevelState.PROPOSED, settled_ms=None)
    imported = replace(known, life=None, orders=(sent, found), levels=(level,), past=())
    assert fresh.recall() == Ledger()
    fresh.record_intent(4_000, Ledger(), a_situation(imported, 4_000), (), Plan(imported))

    fresh.try_to_return(5_000, lambda _: Tenure(Rights.LEASED, 2))
    after = fresh.recall()

    assert after.life == known.life
    assert after.past == known.past
    assert {o.id for o in after.orders} == {o.id for o in known.orders} | {sent.id}
    assert after.levels[-1].level == d(LEVEL)


@pytest.mark.parametrize("how", ["no rights", "lease lost"])
def test_another_keepers_books_are_not_written(desk: Desk, how: str) -> None:
    """RULES G4: nothing is sent, nothing is written, and nothing goes into the spool."""
    known = desk.store.recall()
    ledger = with_stop(known)
    rights = Rights.NONE if how == "no rights" else Rights.LEASED
    if how == "lease lost":
        Lease.claim(desk.store, 1_000, ttl_ms=1_000, grace_ms=0)
        other = Store.open(f"sqlite:///{desk.folder}/keeper.db", account="spec", symbol="BTCUSDT")
        Lease.claim(other, 2_000, ttl_ms=1_000, grace_ms=0)
        other.close()
    plan = Plan(ledger, actions=(a_place(ledger.orders[-1]), a_cancel(an_entry())))

    refused = desk.books.record_intent(
        5_000, known, a_situation(ledger, 5_000, rights=rights), (), plan
    )
    desk.books.record_outcomes(5_100, ledger, replace(ledger, orders=()), ())

    assert refused == {ledger.orders[-1].id, an_entry().id}
    assert desk.store.recall() == known
    assert (desk.spooled, desk.books.is_writable) == (0, True)


def test_books_somebody_else_kept_meanwhile_are_read_anew(desk: Desk) -> None:
    """RULES G4: a lease that is taken again begins like a new process."""
    desk.store.is_gone = True
    desk.write(with_stop(desk.books.recall()))
    desk.store.is_gone = False
    desk.store.reopen()

    desk.books.forget()

    assert desk.books.is_writable
    assert [o.id for o in desk.books.recall().orders][:1] == [an_open_ledger().orders[0].id]


def test_without_the_lease_the_store_stays_away(desk: Desk) -> None:
    """RULES G4: it can be written again, but not by us."""
    desk.store.is_gone = True
    desk.write(desk.books.recall())
    desk.store.is_gone = False

    desk.end_tick(rights=Rights.NONE)

    assert not desk.books.is_writable


def test_the_roles_spoken_of_are_all_there_are() -> None:
    """A new role must be given its place in the table above."""
    spoken: set[Any] = {PRIMARY, FLOOR, TP1, EMERGENCY, ENTRY}

    assert set(OrderRole) - spoken == {
        OrderRole.STOP_BRIDGE,
        OrderRole.TP2,
        OrderRole.LIQUIDATION_EXIT,
        OrderRole.PROBE,
    }
