"""What a keeper may do follows from its lease: everything, add only, nothing (RULES G4)."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from engine import leasehold
from engine.domain.errors import LeaseHeld, LeaseLost, StoreUnavailable
from engine.domain.terms import Rights
from engine.leasehold import ADD_ONLY_MS, CLOCK_ERROR_MS, Leasehold, Tenure
from engine.store.lease import GRACE_MS, TTL_MS, Lease, read_lease
from engine.store.reading import ReadStore
from engine.store.store import Store

START = 1_000_000


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """Give a store in a file, and a place of its own for the host's lock."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    made = open_store(tmp_path)
    yield made
    made.close()


def open_store(folder: Path) -> Store:
    return Store.open(f"sqlite:///{folder}/keeper.db", account="spec", symbol="BTCUSDT")


def taken(store: Store, notes: list[str] | None = None, at_ms: int = START) -> Leasehold:
    hold = Leasehold(store, (notes if notes is not None else []).append)
    hold.take(lambda: at_ms, waits=False)
    return hold


def elsewhere(store: Store, at_ms: int) -> Lease:
    """Return the lease as another host claims it: without our host's lock."""
    return Lease.claim(store, at_ms)


def test_a_lease_renewed_each_tick_permits_everything(store: Store) -> None:
    """RULES G4: leased; until when bounds every recvWindow."""
    hold = taken(store)

    tenures = [hold.renew(START + n * 1_000) for n in (1, 2)]
    hold.release(START + 3_000)

    assert tenures == [
        Tenure(Rights.LEASED, 1, START + 1_000 + TTL_MS, START),
        Tenure(Rights.LEASED, 1, START + 2_000 + TTL_MS, START),
    ]


def test_before_it_is_taken_nothing_is_permitted(store: Store) -> None:
    """RULES G4: no lease, no rights."""
    notes: list[str] = []

    assert Leasehold(store, notes.append).renew(START) == Tenure(Rights.NONE)


def test_a_lease_lost_to_another_permits_nothing_ever_again(store: Store, tmp_path: Path) -> None:
    """RULES G4, lesson 46: a process that froze finds its successor at work."""
    notes: list[str] = []
    hold = taken(store, notes)
    late_ms = START + TTL_MS + GRACE_MS
    successor = elsewhere(open_store(tmp_path), late_ms)

    tenures = [hold.renew(late_ms + n) for n in (1, 2, 3)]
    hold.release(late_ms + 4)

    assert [t.rights for t in tenures] == [Rights.NONE] * 3
    assert [t.until_ms for t in tenures] == [START + TTL_MS] * 3
    assert isinstance(hold.lost, LeaseLost)
    assert len([n for n in notes if "passed to another" in n]) == 1
    row = read_lease(store.desk)
    assert row is not None
    assert (row.epoch, row.released_ms) == (successor.epoch, None)


def test_an_unreachable_store_permits_adding_within_the_lease_last_seen(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RULES G4: add-only; the lease that was last seen still bounds what is sent."""
    notes: list[str] = []
    hold = taken(store, notes)
    hold.renew(START + 1_000)

    def gone(*_: Any) -> None:
        raise StoreUnavailable("gone", place="here", remedy="wait")

    with monkeypatch.context() as broken:
        broken.setattr(Lease, "renew", gone)
        down = [hold.renew(START + n * 1_000) for n in (2, 3)]
    back = hold.renew(START + 4_000)
    hold.release(START + 5_000)

    assert [t.rights for t in down] == [Rights.ADD_ONLY] * 2
    assert [t.until_ms for t in down] == [START + 1_000 + TTL_MS] * 2
    assert all(t.trouble is not None for t in down)
    assert back == Tenure(Rights.LEASED, 1, START + 4_000 + TTL_MS, START)
    assert len([n for n in notes if "not renewed" in n]) == 1


def test_trouble_that_comes_again_is_told_again(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Explained: each trouble is told once, not once a tick and not once for ever."""
    notes: list[str] = []
    hold = taken(store, notes)

    def gone(*_: Any) -> None:
        raise StoreUnavailable("gone", place="here", remedy="wait")

    for at_ms in (START + 1_000, START + 3_000):
        with monkeypatch.context() as broken:
            broken.setattr(Lease, "renew", gone)
            hold.renew(at_ms)
        hold.renew(at_ms + 1_000)
    hold.release(START + 9_000)

    assert len(notes) == 2


def test_a_second_start_on_the_host_is_refused_and_names_the_first(store: Store) -> None:
    """RULES G4, lesson 46: it exits before its first send."""
    first = taken(store)

    with pytest.raises(LeaseHeld, match="pid"):
        taken(store)

    first.release(START)


def test_a_standby_waits_until_the_lease_is_free(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RULES G4: it takes over only after expiry + recvWindow + clock error, and says it waits."""
    monkeypatch.setattr(leasehold, "WAIT_S", 0)
    elsewhere(store, START)
    free_ms = START + TTL_MS + GRACE_MS + 700
    moments = iter([START + 1, free_ms - 1, free_ms])
    notes: list[str] = []
    standby = Leasehold(open_store(tmp_path), notes.append, clock_error_ms=700)

    standby.take(lambda: next(moments), waits=True)

    assert next(moments, None) is None
    assert [n.partition(":")[0] for n in notes] == ["standing by"], "once, not twice a second"
    assert standby.renew(free_ms + 1).epoch == 2
    standby.release(free_ms + 2)


def test_who_does_not_wait_is_refused_at_once(store: Store, tmp_path: Path) -> None:
    """RULES G4: no standby was asked for."""
    elsewhere(store, START)

    with pytest.raises(LeaseHeld, match="holds the lease"):
        taken(open_store(tmp_path), at_ms=START + 1)


def test_a_released_lease_is_free_at_once(store: Store, tmp_path: Path) -> None:
    """A clean stop must not make the next start wait."""
    taken(store).release(START + 1_000)

    assert elsewhere(store, START + 1_001).epoch == 2, "another host need not wait either"
    elsewhere(store, START + 100_000).release(START + 100_001)
    again = taken(open_store(tmp_path), at_ms=START + 100_002)

    assert again.renew(START + 101_000) == Tenure(
        Rights.LEASED, 4, START + 101_000 + TTL_MS, START + 100_002
    )
    again.release(START + 102_000)


def test_releasing_twice_or_what_was_never_taken_is_harmless(store: Store) -> None:
    """SIGTERM may come before the lease did."""
    notes: list[str] = []

    Leasehold(store, notes.append).release(START)
    hold = taken(store, notes)
    hold.release(START)
    hold.release(START + 1)

    assert all("not released" in n for n in notes)


def test_the_heartbeat_goes_with_the_renewal(store: Store) -> None:
    """``keeper status`` reads what the last renewal wrote, also after the process is gone."""
    hold = taken(store)
    hold.fields = {"health": "ok"}

    hold.renew(START + 1_000)
    hold.release(START + 2_000)

    beat = ReadStore.beside(store.desk).heartbeat()
    assert beat is not None
    assert beat["health"] == "ok"


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Let somebody's transaction keep the file."""
    with closing(sqlite3.connect(folder / "keeper.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield


def in_silence(_: str) -> None:
    """Hear nothing."""


def unopened(folder: Path) -> Store:
    return Store.at(f"sqlite:///{folder}/keeper.db", account="spec", symbol="BTCUSDT")


def test_a_start_without_the_store_may_add_and_claims_when_it_is_back(
    store: Store, tmp_path: Path
) -> None:
    """RULES G4, G5: lease store unreachable: add-only, and no longer than a look and its orders."""
    notes: list[str] = []
    with locked(tmp_path):
        hold = Leasehold(unopened(tmp_path), notes.append)
        hold.take(lambda: START, waits=False)
        down = hold.renew(START + 1_000)
    hold._store.reopen()
    back = hold.renew(START + 2_000)
    hold.release(START + 3_000)

    assert (down.rights, down.epoch, down.until_ms) == (
        Rights.ADD_ONLY, 0, START + 1_000 + ADD_ONLY_MS,
    )  # fmt: skip
    assert back == Tenure(Rights.LEASED, 1, START + 2_000 + TTL_MS, START + 2_000)
    assert any("without the lease" in n for n in notes)


def test_who_began_without_the_store_finds_it_held_by_another(store: Store, tmp_path: Path) -> None:
    """RULES G4: held by somebody else: nothing."""
    with locked(tmp_path):
        hold = Leasehold(unopened(tmp_path), in_silence)
        hold.take(lambda: START, waits=False)
    elsewhere(store, START)
    hold._store.reopen()

    tenures = [hold.renew(START + n * 1_000) for n in (1, 2)]
    hold.release(START + 3_000)

    assert [t.rights for t in tenures] == [Rights.NONE, Rights.NONE]
    assert isinstance(hold.lost, LeaseHeld)


STANDING_BY = [
    # while the file is locked, the lease still binds until, what the standby does
    ("bound", START + TTL_MS, "waits"),
    ("free", START + TTL_MS + GRACE_MS + CLOCK_ERROR_MS, "adds"),
]


@pytest.mark.parametrize(
    ("at_ms", "does"), [row[1:] for row in STANDING_BY], ids=[row[0] for row in STANDING_BY]
)
def test_a_standby_that_cannot_claim_adds_only_where_nobody_else_may_act(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_ms: int, does: str
) -> None:
    """RULES G4: a process stopped in the middle of a transaction keeps the file for ever.

    That its lease has ended can still be read.
    """
    monkeypatch.setattr(leasehold, "WAIT_S", 0)
    elsewhere(store, START)
    passes = iter([False, True])
    standby = Leasehold(unopened(tmp_path), in_silence)
    with locked(tmp_path):
        standby.take(lambda: at_ms, waits=True, is_over=lambda: next(passes))
        tenure = standby.renew(at_ms)
    standby.release(at_ms)

    assert tenure.rights is (Rights.ADD_ONLY if does == "adds" else Rights.NONE)


def test_nothing_is_claimed_while_the_time_is_not_known(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RULES A6: whether a lease has ended is judged by exchange time, measured lately."""
    monkeypatch.setattr(leasehold, "WAIT_S", 0)
    moments = iter([None, None, START])
    hold = Leasehold(store, in_silence)

    hold.take(lambda: next(moments), waits=False)

    assert hold.renew(START).since_ms == START
    hold.release(START)


def test_a_takeover_is_known_as_one(store: Store, tmp_path: Path) -> None:
    """RULES G4: from a holder that may wake; not from one that gave the lease up."""
    elsewhere(store, START)
    free_ms = START + TTL_MS + GRACE_MS + CLOCK_ERROR_MS
    taken_over = taken(open_store(tmp_path), at_ms=free_ms)
    first = taken_over.renew(free_ms)
    taken_over.release(free_ms + 1)
    given = taken(open_store(tmp_path), at_ms=free_ms + 2)
    second = given.renew(free_ms + 3)
    given.release(free_ms + 4)

    assert (first.is_takeover, second.is_takeover) == (True, False)


def test_a_host_without_a_place_for_locks_has_the_row(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RULES G4: the file lock only guards against a second start; it must not prevent the first."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "nowhere"))
    notes: list[str] = []

    hold = taken(store, notes)

    assert hold.renew(START).rights is Rights.LEASED
    assert any("no lock on this host" in n for n in notes)
    with pytest.raises(LeaseHeld):
        taken(open_store(tmp_path), at_ms=START + 1)
    hold.release(START)


def migrate_to_a_newer_schema(folder: Path) -> None:
    with closing(sqlite3.connect(folder / "keeper.db")) as other, other:
        other.execute("UPDATE alembic_version SET version_num = '9999'")


def test_an_old_program_leaves_a_position_to_the_newer_one_that_has_the_lease(
    store: Store, tmp_path: Path
) -> None:
    """RULES G4, G5: it cannot write there any more, but it can still read who may."""
    elsewhere(store, START)
    migrate_to_a_newer_schema(tmp_path)
    hold = Leasehold(unopened(tmp_path), in_silence)

    with pytest.raises(LeaseHeld, match="epoch 1"):
        hold.take(lambda: START + 1_000, waits=False)

    hold.release(START + 1_000)


@pytest.mark.parametrize("is_taken", [True, False], ids=["taken over", "nobody came"])
def test_who_cannot_renew_looks_whether_somebody_else_has_come(
    store: Store, tmp_path: Path, is_taken: bool
) -> None:
    """RULES G4: a newer version migrated the store under our feet, and took over in the end."""
    hold = taken(store)
    late_ms = START + TTL_MS + GRACE_MS + CLOCK_ERROR_MS
    if is_taken:
        elsewhere(open_store(tmp_path), late_ms)
    migrate_to_a_newer_schema(tmp_path)
    trouble = StoreUnavailable("its schema has become 9999")
    store.shut(trouble)

    hold.watch(late_ms + 1_000)

    assert isinstance(hold.lost, LeaseHeld) is is_taken
    assert hold.renew(late_ms + 2_000).rights is (Rights.NONE if is_taken else Rights.ADD_ONLY)
    assert store.trouble is trouble, "reading does not make it writable"
    hold.release(late_ms + 3_000)


def test_a_standby_only_reads_until_the_lease_is_free(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RULES G4: stopped in the middle of a write it would lock out the keeper it stands by for."""
    monkeypatch.setattr(leasehold, "WAIT_S", 0)
    elsewhere(store, START)
    notes: list[str] = []
    passes = iter([False, False, True])
    beside = open_store(tmp_path)
    standby = Leasehold(beside, notes.append)

    with locked(tmp_path):
        standby.take(lambda: START + 1_000, waits=True, is_over=lambda: next(passes))

    assert beside.trouble is None, "the lock was not even noticed"
    assert [note.partition(":")[0] for note in notes] == ["standing by"]
    standby.release(START + 2_000)
