"""What was recorded is recalled, exactly, by a process that remembers nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from engine.domain.errors import StoreUnavailable
from engine.domain.ledger import Ledger, PastLife
from engine.domain.order import OrderStatus
from engine.domain.position import ExitReason
from engine.store import tables as t
from engine.store.store import Store
from tests.contract.conftest import Shelter
from tests.contract.ledgers import (
    a_fill,
    a_situation,
    a_stop,
    an_entry,
    an_open_ledger,
    d,
    ledgers,
    plan_for,
)


def record(store: Store, ledger: Ledger, now_ms: int = 2_000) -> frozenset[object]:
    """Record ``ledger`` as what the next tick must recall."""
    situation = a_situation(ledger, now_ms, tick=1)
    return frozenset(store.record_intent(now_ms, store.recall(), situation, (), plan_for(ledger)))


def test_a_new_store_recalls_an_empty_ledger(shelter: Shelter) -> None:
    assert shelter.fresh().recall() == Ledger()


@settings(
    phases=(Phase.explicit, Phase.generate),  # whole ledgers take minutes to shrink
    max_examples=25,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.lists(ledgers(), min_size=1, max_size=3))
def test_any_ledgers_come_back_exactly(shelter: Shelter, wanted: list[Ledger]) -> None:
    """A tick plans from what is recalled: one digit or one flag lost is another plan.

    Levels and lives are never removed, so each ledger of a series has generations of its own.
    """
    store = shelter.fresh()
    for step, drawn in enumerate(wanted):
        ledger = _in_generation_of_its_own(drawn, step)

        record(store, ledger)

        assert store.recall() == ledger
        assert shelter.again(store).recall() == ledger
    shelter.close()


def _in_generation_of_its_own(ledger: Ledger, step: int) -> Ledger:
    if ledger.life is None:
        return ledger
    number = ledger.life.generation * 10 + step
    levels = tuple(replace(level, generation=number) for level in ledger.levels)
    return replace(ledger, life=replace(ledger.life, generation=number), levels=levels)


def test_lives_with_a_position_are_recalled_behind_any_number_without(shelter: Shelter) -> None:
    """RULES H2: a day of withdrawn entries must not hide the day's trades from their limit."""
    store = shelter.fresh()
    opened = PastLife(1, "7f3aq2", "", 1_100, 5_000, ExitReason.STOP, None)
    withdrawn = [PastLife(n, "8f3aq2", "", None, 6_000 + n, None, "stale") for n in range(2, 300)]
    record(store, Ledger(generation=299, past=(opened, *withdrawn)))

    past = shelter.again(store).recall().past

    assert past[0] == opened
    assert [p.generation for p in past[1:]] == list(range(270, 300))


def test_what_another_connection_wrote_is_recalled_at_once(shelter: Shelter) -> None:
    """Not reading what did not change must never mean not seeing what did."""
    if shelter.kind == "memory":
        return  # has no second connection
    store = shelter.fresh()
    record(store, an_open_ledger())
    first = store.recall()
    assert store.recall() is first

    other = shelter.again(store)
    changed = replace(first, last_fill_ms=first.last_fill_ms + 1)
    record(other, changed)

    assert store.recall() == changed


def test_a_tick_in_which_nothing_changed_writes_nothing(shelter: Shelter) -> None:
    """A write is a sync of the disk; once a second for months is not for nothing."""
    store = shelter.fresh()
    record(store, an_open_ledger())
    rows = _rows(store)
    recalled = store.recall()
    is_sqlite = shelter.kind != "postgres"
    before = store.desk.raw.total_changes if is_sqlite else None

    for second in range(1, 50):
        now_ms = 2_000 + second * 1_000
        situation = a_situation(recalled, now_ms, tick=1 + second)
        store.record_intent(now_ms, store.recall(), situation, (), plan_for(recalled))
        store.record_outcomes(now_ms, recalled, recalled, ())

    assert _rows(store) == rows
    assert (store.desk.raw.total_changes if is_sqlite else None) == before


def _rows(store: Store) -> dict[str, int]:
    with store.desk.transaction("counting") as connection:
        return {
            table.name: connection.execute(
                sa.select(sa.func.count())
                .select_from(table)
                .where(table.c.account == store.desk.account)
            ).scalar_one()
            for table in t.metadata.sorted_tables
        }


def test_outcomes_are_recorded_beside_the_intent(shelter: Shelter) -> None:
    store = shelter.fresh()
    before = replace(an_open_ledger(), orders=(an_entry(),))
    record(store, before)
    sent = replace(an_entry(), status=OrderStatus.WORKING, exchange_id="4001", rested_ms=2_010)
    after = replace(before, orders=(sent,))

    store.record_outcomes(2_020, before, after, ())

    assert shelter.again(store).recall() == after


def test_an_order_the_ledger_lets_go_of_stays_in_the_table(shelter: Shelter) -> None:
    """History is for those who ask afterwards; the ledger holds only what a plan needs."""
    store = shelter.fresh()
    record(store, replace(an_open_ledger(), orders=(a_stop("90380"), an_entry())))

    record(store, replace(an_open_ledger(), orders=(a_stop("90380"),)))

    assert store.recall().orders == (a_stop("90380"),)
    assert _rows(store)["orders"] == 2


def test_entries_come_back_in_the_ledgers_own_order(shelter: Shelter) -> None:
    """A fill that was learned late belongs before the others; a plan may depend on the order."""
    store = shelter.fresh()
    first, late, last = a_fill(1), a_fill(2), a_fill(3)
    stop, floor, entry = a_stop("90380"), a_stop("90380", 2), an_entry()
    record(store, replace(an_open_ledger(), fills=(first, last), orders=(entry, stop, floor)))

    wanted = replace(an_open_ledger(), fills=(first, late, last), orders=(floor, stop))
    record(store, wanted)

    assert shelter.again(store).recall() == wanted


def test_a_life_the_ledger_lets_go_of_is_closed_and_swept(shelter: Shelter) -> None:
    store = shelter.fresh()
    record(store, an_open_ledger())
    past = PastLife(1, "7f3aq2", "", 1_100, 5_000, ExitReason.STOP, None)

    record(store, Ledger(generation=1, past=(past,)), now_ms=6_000)

    with store.desk.transaction("looking") as connection:
        p = t.positions
        row = connection.execute(
            sa.select(p.c.closed_ms, p.c.swept_ms, p.c.exit_reason).where(
                p.c.account == store.desk.account
            )
        ).one()
    assert tuple(row) == (5_000, 6_000, "stop")


def test_keepers_in_one_database_do_not_see_each_other(shelter: Shelter) -> None:
    first = shelter.fresh()
    record(first, an_open_ledger())

    other_account = shelter.beside(first, "somebody else", "BTCUSDT")
    other_symbol = shelter.beside(first, first.desk.account, "ETHUSDT")

    assert (other_account.recall(), other_symbol.recall()) == (Ledger(), Ledger())
    record(other_symbol, replace(an_open_ledger(), generation=7))
    assert shelter.again(first).recall() == an_open_ledger()


def test_a_fill_seen_twice_is_one_row(shelter: Shelter) -> None:
    store = shelter.fresh()
    record(store, an_open_ledger())
    named = replace(a_fill(), commission=d("0.24"))

    record(store, replace(an_open_ledger(), fills=(named,)))

    assert store.recall().fills == (named,)
    assert _rows(store)["fills"] == 1


def test_recall_looks_at_no_history(shelter: Shelter) -> None:
    """After years of fills a tick must cost what it cost on the first day."""
    if shelter.kind == "postgres":
        return  # its planner decides by size; the indexes are the same
    store = shelter.fresh()
    record(store, an_open_ledger())
    prepared = store._recall._prepared

    for name, statement in prepared.items():
        bounds = {"generation": 1, "since_generation": 0, "since_unopened": 0}
        values = store.desk.owner | bounds
        plan = store.desk.raw.execute(
            f"EXPLAIN QUERY PLAN {statement.sql}", statement.parameters(values)
        ).fetchall()

        assert all("SEARCH" in row[3] and "INDEX" in row[3] for row in plan), (name, plan)


def test_rows_that_spell_no_ledger_are_a_store_that_cannot_be_read(shelter: Shelter) -> None:
    """RULES G5: like a broken file; the keeper goes on from the exchange and says so."""
    store = shelter.fresh()
    record(store, an_open_ledger())
    orders = t.orders
    ours = orders.c.account == store.desk.account
    with store.desk.transaction("breaking a row") as connection:
        connection.execute(sa.update(orders).where(ours).values(status="nonsense"))

    with pytest.raises(StoreUnavailable, match="cannot be understood"):
        shelter.again(store).recall()
