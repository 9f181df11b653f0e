"""Old tick rows go in portions; everything people read, and the chain of what is left, stays."""

from __future__ import annotations

from dataclasses import replace

import pytest
import sqlalchemy as sa

from engine.domain.action import Halt, Outcome
from engine.domain.terms import Fate
from engine.read.replay import replay, seal_difference
from engine.store import retention
from engine.store import tables as t
from engine.store.reading import ReadStore
from engine.store.retention import retire_ticks
from engine.store.store import Store
from engine.store.tick_record import TickRecord
from engine.store.ticklog import pack
from tests.contract.conftest import Shelter
from tests.contract.ledgers import a_situation, an_open_ledger, plan_for
from tests.contract.test_recall_and_record import record

DONE = Outcome(Halt("c", "d", "r"), Fate.ACCEPTED, 2_000)


def ticked(store: Store, count: int) -> None:
    """Record ``count`` ticks, a second apart, each with an outcome."""
    for step in range(count):
        ledger = replace(an_open_ledger(), last_fill_ms=step)
        now_ms = 2_000 + 1_000 * step
        situation = a_situation(ledger, now_ms, tick=step)
        store.record_intent(now_ms, store.recall(), situation, (), plan_for(ledger))
        store.record_outcomes(now_ms, ledger, ledger, (DONE,))


def rows_of(store: Store) -> list[TickRecord]:
    """Return every recorded tick."""
    return list(ReadStore.beside(store.desk).ticks())


def broken_seals(store: Store) -> list[str]:
    """Return where rows do not fit their own seal or the row before them."""
    rows = rows_of(store)
    pairs = zip([None, *rows[:-1]], rows, strict=True)
    return [found[0] for pair in pairs if (found := seal_difference(*pair)) is not None]


def test_only_ticks_from_before_the_bound_are_removed(shelter: Shelter) -> None:
    store = shelter.fresh()
    ticked(store, 5)

    assert retire_ticks(store.desk, 4_000) == 2

    assert [row.now_ms for row in rows_of(store)] == [4_000, 5_000, 6_000]
    assert retire_ticks(store.desk, 4_000) == 0


def test_the_newest_row_stays_and_the_next_one_follows_it(shelter: Shelter) -> None:
    """A keeper that slept for months goes on with the chain it had."""
    store = shelter.fresh()
    ticked(store, 3)

    retire_ticks(store.desk, 1 << 50)
    ticked(shelter.again(store), 1)

    kept = rows_of(store)
    assert [row.now_ms for row in kept] == [4_000, 2_000]
    assert seal_difference(kept[0], kept[1]) is None


def test_a_call_removes_a_portion_the_oldest_first(
    shelter: Shelter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A tick must not wait for a year of rows."""
    monkeypatch.setattr(retention, "PORTION", 2)
    store = shelter.fresh()
    ticked(store, 6)

    assert [retire_ticks(store.desk, 1 << 50) for _ in range(4)] == [2, 2, 1, 0]
    assert [row.now_ms for row in rows_of(store)] == [7_000]


def test_history_and_other_keepers_rows_stay(shelter: Shelter) -> None:
    store = shelter.fresh()
    record(store, an_open_ledger())
    reader = ReadStore.beside(store.desk)
    before = (reader.orders(), reader.fills(), len(reader.events()), reader.ledger())
    with store.desk.transaction("another keeper's rows") as connection:
        mine = {"account": store.desk.account, "symbol": store.desk.symbol}
        row = connection.execute(sa.select(t.ticks).filter_by(**mine)).mappings().first()
        assert row is not None
        other = dict(row) | {"symbol": "OTHER", "now_ms": 1}
        connection.execute(sa.insert(t.ticks), {k: v for k, v in other.items() if k != "id"})

    retire_ticks(store.desk, 1 << 50)

    with store.desk.transaction("counting") as connection:
        statement = sa.select(sa.func.count()).select_from(t.ticks).where(t.ticks.c.now_ms == 1)
        assert connection.execute(statement).scalar() == 1
        connection.execute(sa.delete(t.ticks).where(t.ticks.c.now_ms == 1))
    assert (reader.orders(), reader.fills(), len(reader.events()), reader.ledger()) == before


@pytest.mark.parametrize(
    ("column", "value", "at"),
    [
        ("previous_digest", "0" * 64, "/previous_digest"),
        ("outcomes_digest", "0" * 64, "/outcomes_digest"),
        ("digest", "0" * 64, "/digest"),
    ],
)
def test_a_row_changed_afterwards_is_a_difference(
    shelter: Shelter, column: str, value: str, at: str
) -> None:
    """The record explains what was done only if nobody can have rewritten it unseen."""
    store = shelter.fresh()
    ticked(store, 3)
    assert broken_seals(store) == []
    with store.desk.transaction("forging") as connection:
        k = t.ticks
        middle = sa.and_(k.c.account == store.desk.account, k.c.now_ms == 3_000)
        connection.execute(sa.update(k).where(middle).values(**{column: value}))

    assert broken_seals(store)[0] == at
    assert at in [d.at for d in replay(rows_of(store)).different]


def test_a_row_taken_out_is_a_difference(shelter: Shelter) -> None:
    store = shelter.fresh()
    ticked(store, 3)
    with store.desk.transaction("taking one out") as connection:
        k = t.ticks
        middle = sa.and_(k.c.account == store.desk.account, k.c.now_ms == 3_000)
        connection.execute(sa.delete(k).where(middle))

    assert broken_seals(store) == ["/previous_digest"]


def test_a_row_of_another_version_is_skipped_and_never_decoded(shelter: Shelter) -> None:
    """An older version may have recorded parts that this one does not know."""
    store = shelter.fresh()
    ticked(store, 2)
    k = t.ticks
    text = '{"ledger":{"a_part_long_gone":1},"now_ms":2000,"reasons":[],"tick":0}'
    values = {"engine_version": "0.0.1", "body": pack(text), "previous_digest": "", "digest": "x"}
    with store.desk.transaction("forging") as connection:
        first = sa.and_(k.c.account == store.desk.account, k.c.now_ms == 2_000)
        connection.execute(sa.update(k).where(first).values(**values))

    rows = rows_of(store)

    assert [row.is_of_this_version for row in rows] == [False, True]
    assert replay(rows[:1]).skipped == ((0, "engine_version"),)
