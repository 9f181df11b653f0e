"""The database refuses a wider stop by itself, on both sides and in both databases."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa

from engine.domain.identity import ClientOrderId, OrderRole
from engine.domain.position import LevelState
from engine.domain.terms import Side
from engine.store import tables as t
from engine.store.mapping import LEVEL
from engine.store.store import Store
from tests.contract.conftest import Shelter
from tests.contract.ledgers import (
    HASH,
    a_level,
    a_situation,
    a_stop,
    an_entry,
    an_open_ledger,
    d,
    plan_for,
)
from tests.contract.test_recall_and_record import record

CASES = [
    # side, in force, new, refused, id
    (Side.LONG, "90380", "90379.9", True, "long, one tick wider"),
    (Side.LONG, "90380", "90380", False, "long, the same"),
    (Side.LONG, "90380", "90380.1", False, "long, tighter"),
    (Side.LONG, "99999", "100000", False, "long, tighter, though not as text"),
    (Side.LONG, "100000", "99999", True, "long, wider, though not as text"),
    (Side.SHORT, "91220", "91220.1", True, "short, one tick wider"),
    (Side.SHORT, "91220", "91220", False, "short, the same"),
    (Side.SHORT, "91220", "91219.9", False, "short, tighter"),
    (Side.SHORT, "99999", "100000", True, "short, wider, though not as text"),
    (Side.SHORT, "100000", "99999", False, "short, tighter, though not as text"),
]


def _refused(store: Store, statement: sa.Executable, values: Any = None) -> bool:
    """Return whether the database refused the statement."""
    try:
        with store.desk.connection.begin():
            store.desk.connection.execute(statement, values)
    except sa.exc.IntegrityError:
        return True
    return False


def _ours(store: Store, table: sa.Table) -> sa.ColumnElement[bool]:
    return table.c.account == store.desk.account


@pytest.mark.parametrize(
    ("side", "in_force", "new", "refused"), [c[:4] for c in CASES], ids=[c[4] for c in CASES]
)
def test_the_level_of_a_position_never_widens(
    shelter: Shelter, side: Side, in_force: str, new: str, refused: bool
) -> None:
    store = shelter.fresh()
    record(store, an_open_ledger(side, in_force))
    move = sa.update(t.positions).where(_ours(store, t.positions)).values(stop_level=d(new))

    assert _refused(store, move) is refused


@pytest.mark.parametrize(
    ("side", "in_force", "new", "refused"), [c[:4] for c in CASES], ids=[c[4] for c in CASES]
)
def test_no_level_wider_than_a_confirmed_one_is_proposed(
    shelter: Shelter, side: Side, in_force: str, new: str, refused: bool
) -> None:
    store = shelter.fresh()
    record(store, an_open_ledger(side, in_force))
    row = store.desk.owner | LEVEL.row(a_level(new, 2, side=side))

    assert _refused(store, sa.insert(t.stop_levels), row) is refused


def test_a_proposal_that_was_refused_binds_nobody(shelter: Shelter) -> None:
    """RULES F3: only what rests, or may rest, holds the level."""
    store = shelter.fresh()
    record(store, an_open_ledger())
    refused = store.desk.owner | LEVEL.row(a_level("90500", 2, LevelState.REFUSED))
    wider = store.desk.owner | LEVEL.row(a_level("90400", 3))

    assert _refused(store, sa.insert(t.stop_levels), refused) is False
    assert _refused(store, sa.insert(t.stop_levels), wider) is False


def test_late_word_of_an_older_level_is_no_widening(shelter: Shelter) -> None:
    """Two proposals cross: the tighter is confirmed first, the other's confirmation is a fact."""
    store = shelter.fresh()
    ledger = an_open_ledger()
    record(store, ledger)
    proposed = (*ledger.levels, a_level("90400", 2), a_level("90500", 3))
    record(store, replace(ledger, levels=proposed))
    confirmed = (*proposed[:2], a_level("90500", 3, LevelState.CONFIRMED))
    record(store, replace(ledger, levels=confirmed))

    late = (ledger.levels[0], a_level("90400", 2, LevelState.CONFIRMED), confirmed[2])
    record(store, replace(ledger, levels=late))

    assert store.recall().levels == late


FORBIDDEN = [
    (sa.update(t.stop_levels).values(level=d("90000")), "a level is changed"),
    (sa.update(t.stop_levels).values(state="withdrawn"), "a level's state is overwritten"),
    (sa.delete(t.stop_levels), "levels are deleted"),
    (sa.delete(t.positions), "a position is deleted"),
    (sa.update(t.positions).values(stop_level=None), "the level is forgotten"),
    (sa.update(t.positions).values(side="short"), "the side is turned"),
    (sa.update(t.positions).values(generation=99), "the life is renamed"),
]


@pytest.mark.parametrize("statement", [f[0] for f in FORBIDDEN], ids=[f[1] for f in FORBIDDEN])
def test_no_statement_takes_the_ratchet_apart(
    shelter: Shelter, statement: sa.Update | sa.Delete
) -> None:
    store = shelter.fresh()
    record(store, an_open_ledger())
    table = statement.table
    assert isinstance(table, sa.Table)

    assert _refused(store, statement.where(_ours(store, table)))


def test_truncation_and_replacement_are_refused(shelter: Shelter) -> None:
    """The ways around row triggers: TRUNCATE on Postgres, INSERT OR REPLACE on SQLite."""
    store = shelter.fresh()
    record(store, an_open_ledger())
    if shelter.kind == "postgres":
        statements = ["TRUNCATE stop_levels", "TRUNCATE positions CASCADE"]
    else:
        statements = [
            "INSERT OR REPLACE INTO stop_levels SELECT * FROM stop_levels",
            "INSERT OR REPLACE INTO positions SELECT * FROM positions",
        ]

    for text in statements:
        assert _refused(store, sa.text(text)), text


BAD_ROWS = [
    ({"level": None}, "no level"),
    ({"side": None}, "no side"),
    ({"side": "short"}, "not the side of its position"),
    ({"generation": 9}, "a life that is not there"),
]


@pytest.mark.parametrize("change", [b[0] for b in BAD_ROWS], ids=[b[1] for b in BAD_ROWS])
def test_a_level_belongs_to_a_position_of_its_side(
    shelter: Shelter, change: dict[str, Any]
) -> None:
    store = shelter.fresh()
    record(store, an_open_ledger())
    row = store.desk.owner | LEVEL.row(a_level("90400", 2)) | change

    assert _refused(store, sa.insert(t.stop_levels), row)


def test_a_refused_proposal_stops_its_own_order_and_nothing_else(shelter: Shelter) -> None:
    """A refusal blocks that request, never the restoration at the level in force (RULES B2)."""
    store = shelter.fresh()
    ledger = an_open_ledger(level="90400")
    record(store, ledger)
    wide, restored, floor = (
        a_stop("90000", 2),
        a_stop("90400", 3),
        a_stop("90000", 1, role=OrderRole.STOP_FLOOR),
    )
    wanted = replace(
        ledger,
        orders=(*ledger.orders, wide, restored, floor, an_entry()),
        levels=(*ledger.levels, a_level("90000", 2), a_level("90400", 3)),
    )

    refused = record(store, wanted)

    assert refused == {ClientOrderId(HASH, 1, OrderRole.STOP_PRIMARY, 2)}
    found = shelter.again(store).recall()
    assert found.orders == (*ledger.orders, restored, floor, an_entry())
    assert found.levels == (*ledger.levels, a_level("90400", 3))


def test_a_widened_life_keeps_its_level_and_everything_else_new(shelter: Shelter) -> None:
    store = shelter.fresh()
    ledger = an_open_ledger(level="90400")
    record(store, ledger)
    assert ledger.life is not None
    wider = replace(ledger.life, stop_level=d("90000"), best_price=d("92000"))

    record(store, replace(ledger, life=wider))

    found = store.recall().life
    assert found == replace(wider, stop_level=d("90400"))


def test_what_may_open_is_committed_after_protection(shelter: Shelter) -> None:
    """A store that dies between the two has the stop on record, not the entry alone."""
    store = shelter.fresh()
    ledger = replace(an_open_ledger(), orders=(an_entry(), a_stop("90380")))
    written: list[str] = []

    @sa.event.listens_for(store.desk.database, "before_cursor_execute")
    def _seen(_c: Any, _cursor: Any, sql: str, values: Any, *_rest: Any) -> None:
        if sql.startswith("INSERT INTO orders"):
            written.extend(str(o.id) for o in ledger.orders if str(o.id) in str(values))

    commits: list[tuple[str, ...]] = []

    @sa.event.listens_for(store.desk.database, "commit")
    def _committed(_c: Any) -> None:
        commits.append(tuple(written))

    store.record_intent(2_000, store.recall(), a_situation(ledger), (), plan_for(ledger))

    stop, entry = str(a_stop("90380").id), str(an_entry().id)
    assert commits[:2] == [(stop,), (stop, entry)]
