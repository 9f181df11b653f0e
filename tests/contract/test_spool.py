"""What was written down while the store was away comes back once, whole records only."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from engine.domain.errors import StoreUnavailable
from engine.store.merging import merge_spool, spool_changes
from engine.store.reading import ReadStore
from engine.store.spool import Spool
from tests.contract.conftest import Shelter
from tests.contract.ledgers import a_stop, an_open_ledger
from tests.contract.test_recall_and_record import record


def test_records_survive_in_order(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "deep" / "spool", size=4096)
    for number in range(3):
        spool.append("event", {"n": number})
    spool.close()

    again = Spool(tmp_path / "deep" / "spool", size=4096)

    assert [(r.number, r.kind, r.data["n"]) for r in again.records()] == [
        (1, "event", 0),
        (2, "event", 1),
        (3, "event", 2),
    ]
    assert (tmp_path / "deep" / "spool").stat().st_size == 4096


def test_a_torn_record_is_left_out_and_written_over(tmp_path: Path) -> None:
    path = tmp_path / "spool"
    spool = Spool(path, size=4096)
    spool.append("event", {"n": 0})
    end = spool._end
    spool.append("event", {"n": 1})
    spool.close()
    content = bytearray(path.read_bytes())
    content[end + 12] ^= 0xFF
    path.write_bytes(content)

    again = Spool(path, size=4096)
    again.append("event", {"n": 2})

    assert [r.data["n"] for r in again.records()] == [0, 2]


def test_a_full_spool_says_so(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool", size=256)

    with pytest.raises(StoreUnavailable, match="full"):
        spool.append("event", {"text": "x" * 300})

    assert spool.is_empty


def test_an_emptied_spool_gives_nothing_old_again(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool", size=4096)
    for number in range(3):
        spool.append("event", {"n": number})
    taken: list[int] = []

    count = spool.merge(lambda record: taken.append(record.data["n"]))
    spool.append("event", {"n": 9})

    assert (count, taken) == (3, [0, 1, 2])
    assert [r.data["n"] for r in Spool(tmp_path / "spool", size=4096).records()] == [9]


def test_what_was_spooled_is_in_the_store_once(shelter: Shelter, tmp_path: Path) -> None:
    """A kill between taking and emptying gives every record twice."""
    store = shelter.fresh()
    ledger = an_open_ledger()
    record(store, ledger)
    spool = Spool(tmp_path / "spool", size=1 << 16)
    stop = a_stop("90400", 2)
    assert spool_changes(spool, 3_000, ledger, replace(ledger, orders=(*ledger.orders, stop)), "x")
    assert not spool_changes(spool, 3_001, ledger, ledger, "nothing")

    merged = [merge_spool(store, Spool(spool.path, size=1 << 16), 4_000)]
    again = Spool(tmp_path / "copy", size=1 << 16)
    spool_changes(again, 3_000, ledger, replace(ledger, orders=(*ledger.orders, stop)), "x")
    merged.append(merge_spool(store, again, 5_000))

    assert merged == [1, 1]
    assert store.recall().orders == (*ledger.orders, stop)
    events = ReadStore.beside(store.desk).events(kinds=("intent",))
    assert [e["reason"] for e in events].count("spooled") == 1


def test_two_processes_may_have_the_same_file_open(tmp_path: Path) -> None:
    """A keeper that was stopped, and its successor on the same host: nothing is overwritten."""
    path = tmp_path / "spool"
    frozen, successor = Spool(path, size=4096), Spool(path, size=4096)
    frozen.append("event", {"n": 1})
    successor.append("event", {"n": 2})
    frozen.append("event", {"n": 3})
    taken: list[int] = []

    assert not successor.is_empty
    assert successor.merge(lambda record: taken.append(record.data["n"])) == 3
    assert frozen.is_empty
    frozen.append("event", {"n": 4})
    successor.merge(lambda record: taken.append(record.data["n"]))

    assert taken == [1, 2, 3, 4]


def test_a_process_stopped_in_the_middle_of_writing_is_not_waited_for(tmp_path: Path) -> None:
    """RULES G5: protection does not wait; then memory has to do."""
    path = tmp_path / "spool"
    stopped, successor = Spool(path, size=4096), Spool(path, size=4096)

    with stopped._alone(), pytest.raises(StoreUnavailable, match="another process is writing"):
        successor.append("event", {"n": 1})

    successor.append("event", {"n": 2})
    assert [r.data["n"] for r in stopped.records()] == [2]
