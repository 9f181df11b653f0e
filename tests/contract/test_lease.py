"""One writer: who holds the lease, when another may claim it, and what a late one finds."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from engine.domain.errors import LeaseHeld, LeaseLost
from engine.store.lease import HostLock, Lease, LeaseRow, read_lease
from tests.contract.conftest import Shelter

TTL, GRACE = 15_000, 5_500


def claim(store: object, now_ms: int, lock: HostLock | None = None) -> Lease:
    return Lease.claim(store, now_ms, lock=lock, ttl_ms=TTL, grace_ms=GRACE)  # type: ignore[arg-type]


CASES = [
    # expires, released, same lock, now, wait, id
    (10_000, None, False, 10_000 + GRACE - 1, 1, "expired, but a request may still execute"),
    (10_000, None, False, 10_000 + GRACE, 0, "expired, and its last request with it"),
    (10_000, None, False, 0, 10_000 + GRACE, "renewed just now"),
    (10_000, 500, False, 600, 0, "given up"),
    (10_000, None, True, 600, 0, "its host lock is ours: the holder is gone"),
]


@pytest.mark.parametrize(
    ("expires", "released", "same", "now", "wait"),
    [c[:5] for c in CASES],
    ids=[c[5] for c in CASES],
)
def test_a_successor_waits_until_nothing_of_the_holder_can_execute(
    expires: int, released: int | None, same: bool, now: int, wait: int
) -> None:
    """RULES G4: expiry, then the longest recvWindow, then the clock error."""
    row = LeaseRow(1, 4711, "host", "boot:1:2", 0, 0, expires, released)

    assert row.wait_ms(now, GRACE, "boot:1:2" if same else "boot:1:3") == wait


def test_a_second_writer_is_told_who_holds_the_lease(shelter: Shelter) -> None:
    store = shelter.fresh()
    claim(store, 1_000)

    with pytest.raises(LeaseHeld, match=rf"pid {os.getpid()} .*free in 20\.5 s") as held:
        claim(shelter.again(store), 1_000)

    assert held.value.exit_code == 7


def test_a_renewed_lease_outlives_its_first_expiry(shelter: Shelter) -> None:
    store = shelter.fresh()
    lease = claim(store, 1_000)

    assert lease.renew(10_000) == lease.until_ms == 10_000 + TTL

    with pytest.raises(LeaseHeld):
        claim(shelter.again(store), 1_000 + TTL + GRACE)


def test_a_frozen_writer_finds_its_lease_lost(shelter: Shelter) -> None:
    """It wakes after a takeover; what it renews or sends then must not count."""
    store = shelter.fresh()
    frozen = claim(store, 1_000)
    successor = claim(shelter.again(store), 1_000 + TTL + GRACE)
    assert successor.epoch == frozen.epoch + 1

    frozen._store = shelter.again(store)
    with pytest.raises(LeaseLost):
        frozen.renew(1_000 + TTL + GRACE + 1)

    row = read_lease(frozen._store.desk)
    assert row is not None
    assert (row.epoch, row.expires_ms) == (successor.epoch, 1_000 + 2 * TTL + GRACE)


def test_a_lease_given_up_is_free_at_once(shelter: Shelter) -> None:
    store = shelter.fresh()
    claim(store, 1_000).release(2_000)

    assert claim(shelter.again(store), 2_001).epoch == 2


def test_a_restart_on_the_same_host_need_not_wait(shelter: Shelter, tmp_path: Path) -> None:
    """Killed and restarted: the lock it took proves that the process is gone."""
    store = shelter.fresh()
    with HostLock.take("key", "BTCUSDT", tmp_path) as lock:
        claim(store, 1_000, lock)

    with HostLock.take("key", "BTCUSDT", tmp_path) as lock:
        assert claim(shelter.again(store), 1_001, lock).epoch == 2


def test_a_second_start_on_the_same_host_is_refused(tmp_path: Path) -> None:
    with (
        HostLock.take("key", "BTCUSDT", tmp_path) as lock,
        pytest.raises(LeaseHeld, match=f"pid {os.getpid()} on .* holds {lock.path}"),
    ):
        HostLock.take("key", "BTCUSDT", tmp_path)


def test_other_accounts_and_symbols_have_locks_of_their_own(tmp_path: Path) -> None:
    with (
        HostLock.take("key", "BTCUSDT", tmp_path) as one,
        HostLock.take("key", "ETHUSDT", tmp_path) as two,
        HostLock.take("other", "BTCUSDT", tmp_path) as three,
    ):
        assert len({one.path, two.path, three.path}) == 3
    assert "key" not in one.path.name


def test_the_heartbeat_rides_on_the_renewal_at_most_once_a_second(shelter: Shelter) -> None:
    store = shelter.fresh()
    lease = claim(store, 1_000)

    for step in range(11):
        lease.renew(1_000 + step * 200, {"tick": step})

    beats = store.get_state("heartbeat")
    assert beats is not None
    assert '"tick":10' in beats
    assert '"at_ms":3000' in beats
    assert store.beat(3_500, {"tick": 11}) is False
    assert store.beat(4_000, {"tick": 12}) is True
