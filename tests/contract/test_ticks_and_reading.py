# ruff: noqa: S608 - the SQL is made of names of our own
"""Recorded ticks can be read back whole, chained to each other; and people can read the views."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

import pytest
import sqlalchemy as sa

from engine.domain.action import GateResult, Halt, Hold, Outcome, PlaceOrder, Plan, Verdict
from engine.domain.condition import Command, HaltReason
from engine.domain.decision import Decided, Decision, Inbox, Refusal
from engine.domain.drift import Drift, DriftKind
from engine.domain.errors import StoreUnavailable
from engine.domain.ledger import Ledger
from engine.domain.order import OrderStatus
from engine.domain.position import ExitReason, LevelState
from engine.domain.terms import ActionClass, Fate, OrderSide, Side
from engine.store import tables as t
from engine.store import views
from engine.store.reading import ReadStore
from engine.store.shelf import EquitySample
from engine.store.tick_record import unpack
from engine.store.ticklog import plan_document
from tests.contract.conftest import Shelter
from tests.contract.ledgers import (
    HASH,
    a_fill,
    a_level,
    a_situation,
    a_stop,
    an_open_ledger,
    d,
    plan_for,
)
from tests.contract.test_recall_and_record import record

DECISION = Decision(HASH, "f" * 64, "t", "BTCUSDT", 900, Decided.LONG, "trend_up", d("90700"))


def _with_decision(ledger: Ledger, now_ms: int, **condition: object) -> object:
    return replace(a_situation(ledger, now_ms, **condition), inbox=Inbox(DECISION))


def test_a_recorded_tick_is_read_back_whole(shelter: Shelter) -> None:
    """Replay has nothing else: whatever may change a plan must be in the row."""
    store = shelter.fresh()
    recalled, ledger = store.recall(), an_open_ledger()
    situation = _with_decision(ledger, 2_000, tick=7, epoch=3)
    stop = a_stop("90400", 2)
    plan = Plan(ledger, (PlaceOrder(stop.terms, ActionClass.PROTECT, "trail", "trail"),))
    drift = Drift(DriftKind.DOUBTFUL_ORDER, "not listed", str(stop.id))
    outcome = Outcome(plan.actions[0], Fate.UNKNOWN, 2_030, dead_after_ms=7_000, text="timeout")

    store.record_intent(2_000, recalled, situation, (drift,), plan, reasons=("interval",))  # type: ignore[arg-type]
    store.record_outcomes(2_040, ledger, ledger, (outcome,))

    (found,) = ReadStore.beside(store.desk).ticks()
    assert (found.ledger, found.observation) == (recalled, situation.observation)  # type: ignore[attr-defined]
    assert (found.inbox, found.condition) == (situation.inbox, situation.condition)  # type: ignore[attr-defined]
    assert found.limits == situation.limits  # type: ignore[attr-defined]
    assert (found.tick, found.now_ms, found.reasons) == (7, 2_000, ("interval",))
    assert (found.drifts, found.outcomes) == ((drift,), (outcome,))
    assert found.plan == json.loads(json.dumps(plan_document(plan)))


def test_tick_rows_are_chained_and_share_their_texts(shelter: Shelter) -> None:
    """A row changed afterwards breaks the chain of every later one."""
    store = shelter.fresh()
    for step in range(3):
        ledger = replace(an_open_ledger(), last_fill_ms=step)
        situation = _with_decision(ledger, 2_000 + step, tick=step)
        store.record_intent(2_000 + step, store.recall(), situation, (), plan_for(ledger))  # type: ignore[arg-type]
        halt = Outcome(Halt("c", "d", "r"), Fate.ACCEPTED, 2_000)
        store.record_outcomes(2_000 + step, ledger, ledger, (halt,))
        store = shelter.again(store)

    with store.desk.transaction("looking") as connection:
        mine = t.ticks.c.account == store.desk.account
        rows = connection.execute(sa.select(t.ticks).where(mine).order_by(t.ticks.c.id)).all()
        kinds = connection.execute(
            sa.select(t.texts.c.kind).where(t.texts.c.account == store.desk.account)
        ).scalars()
        assert sorted(kinds) == ["decision", "limits"]
    before, outcomes = "", None
    for row in rows:
        text = unpack(row.body)
        chain = f"{before}|{outcomes or ''}|{text}"
        assert row.digest == hashlib.sha256(chain.encode()).hexdigest()
        assert row.previous_digest == before
        before, outcomes = row.digest, row.outcomes_digest
    assert len(rows) == 3


def test_a_quiet_tick_is_recorded_once_a_minute(shelter: Shelter) -> None:
    store = shelter.fresh()
    record(store, an_open_ledger())
    ledger = store.recall()

    for second in range(1, 181):
        situation = a_situation(ledger, 2_000 + second * 1_000, tick=1 + second)
        store.record_intent(situation.now_ms, ledger, situation, (), plan_for(ledger))

    rows = ReadStore.beside(store.desk).tick_rows(limit=100)
    assert [row["now_ms"] for row in rows] == [182_000, 122_000, 62_000, 2_000]


def test_what_changed_between_ticks_is_told_once(shelter: Shelter) -> None:
    store = shelter.fresh()
    ledger = an_open_ledger()
    record(store, ledger)
    drift = Drift(DriftKind.FOREIGN_ORDER, "sell 1", "web_1")
    refusal = Refusal("e" * 64, "stop_inside_zone", "sl 90800 in zone", "d.json", 2_000)
    gate = GateResult("rr_minimum", Verdict.REFUSE, "1.9", "2.0")
    plan = Plan(ledger, holds=(Hold("hold_when_stale", "decision_stale"),), gates=(gate,))
    for step in range(3):
        situation = replace(a_situation(ledger, 3_000 + step), inbox=Inbox(DECISION, (refusal,)))
        if step == 2:
            plan = replace(plan, holds=(*plan.holds, Hold("hold_when_halted", "halted")))
        store.record_intent(3_000 + step, ledger, situation, (drift,), plan)

    told = [(e["kind"], e["reason"]) for e in ReadStore.beside(store.desk).events(from_ms=3_000)]
    assert sorted(told) == [
        ("drift", "foreign_order"),
        ("refused", "stop_inside_zone"),
        ("rule", "decision_stale"),
        ("rule", "halted"),
        ("rule", "rr_minimum"),
        ("seen", "decision"),
    ]


def test_a_halt_stands_until_it_is_lifted(shelter: Shelter) -> None:
    """Safe mode survives a restart: only a human ends it."""
    store = shelter.fresh()
    ledger = store.recall()
    plan = Plan(ledger, (Halt("phantom", "no fills explain it", "halt_on_limits"),))
    for now_ms in (2_000, 3_000):
        store.record_intent(now_ms, ledger, a_situation(ledger, now_ms), (), plan)

    store = shelter.again(store)

    assert store.halts() == (HaltReason("phantom", "no fills explain it", 2_000),)
    assert (store.clear_halts(4_000, "operator"), store.halts()) == (1, ())


def test_a_command_is_pending_until_it_is_finished(shelter: Shelter) -> None:
    store = shelter.fresh()
    number = store.add_command(Command.FLATTEN, by="root", why="holiday", at_ms=1_000)

    (pending,) = shelter.again(store).pending_commands()
    assert (pending.id, pending.command, pending.by) == (number, Command.FLATTEN, "root")

    store = shelter.again(store)
    store.finish_command(number, "done", 2_000)
    assert store.pending_commands() == ()


def test_equity_and_settings_and_state_come_back(shelter: Shelter) -> None:
    store = shelter.fresh()
    sample = EquitySample("day_open", 1_000, d("1000.00000001"), d("-0.5"), d("999.50000001"))
    store.add_equity(sample)
    digest = store.record_settings("mode: paper\n", "paper", 1_000)
    assert store.record_settings("mode: paper\n", "paper", 2_000) == digest
    store.set_state("probe", '{"ok":true}', 1_000)

    store = shelter.again(store)
    reader = ReadStore.beside(store.desk)

    assert reader.equity_since(0, "day_open") == (sample,)
    settings = reader.settings()
    assert settings is not None
    assert (settings["text"], settings["at_ms"]) == ("mode: paper\n", 1_000)
    assert reader.state("probe") == {"ok": True}


def test_position_state_answers_in_one_row(shelter: Shelter) -> None:
    """What do I hold, what protects it, how far is the stop: plain SQL, numbers that compare."""
    store = shelter.fresh()
    record(store, an_open_ledger())
    store.beat(3_000, {"tick": 2})

    with store.desk.transaction("looking") as connection:
        row = connection.exec_driver_sql(
            "SELECT * FROM position_state WHERE stop_level > 90000 AND stop_level < 100000"
            f" AND account = '{store.desk.account}'"
        ).one()

    found = {k: v for k, v in row._mapping.items() if v is not None}
    assert (found["phase"], found["side"], found["decision_id"]) == ("open", "long", HASH)
    assert float(found["quantity"]) == float(found["covered_quantity"]) == 0.013
    assert (float(found["mark_price"]), float(found["stop_level"])) == (91120.4, 90380)
    assert float(found["stop_distance"]) == pytest.approx(740.4)
    assert float(found["stop_distance_pct"]) == pytest.approx(0.8125, abs=1e-4)
    assert found["primary_stop"] == str(a_stop("90380").id)
    assert (found["opened_at"], found["seen_at"]) == (
        "1970-01-01T00:00:01.100Z",
        "1970-01-01T00:00:03.000Z",
    )


def test_a_closed_trade_is_in_its_view_to_the_last_digit(shelter: Shelter) -> None:
    store = shelter.fresh()
    ledger = an_open_ledger()
    record(store, ledger)
    out = a_fill(
        2, side=OrderSide.SELL, price=d("92310.5"), commission=d("0.6"), realized_pnl=d("20.3736")
    )
    assert ledger.life is not None
    life = replace(ledger.life, closed_ms=9_000, exit_reason=ExitReason.STOP, funding=d("-0.0123"))
    record(store, replace(ledger, life=life, fills=(*ledger.fills, out)))

    ((kept, figures),) = ReadStore.beside(store.desk).trades()

    assert kept == life
    assert figures["net_pnl"] == d("20.3736") - d("0.2359") - d("0.6") - d("0.0123")
    assert (figures["entry_price"], figures["exit_price"]) == (d("90743.3"), d("92310.5"))
    assert figures["initial_risk"] == d("0.013") * (d("90743.3") - d("90380"))
    with store.desk.transaction("looking") as connection:
        (net,) = connection.exec_driver_sql(
            f"SELECT net_pnl FROM v_trades WHERE account = '{store.desk.account}'"
        ).one()
    assert float(net) == pytest.approx(float(figures["net_pnl"]))


def test_every_view_answers_on_both_databases(shelter: Shelter) -> None:
    store = shelter.fresh()
    ledger = an_open_ledger(Side.SHORT, "91220")
    record(store, ledger)
    columns = {}

    with store.desk.transaction("looking") as connection:
        for name in views.NAMES:
            found = connection.exec_driver_sql(
                f"SELECT * FROM {name} WHERE account = '{store.desk.account}'"
            )
            columns[name] = tuple(found.keys())
            assert name == "v_trades" or found.all(), name

    assert {"account", "symbol"} <= set.intersection(*(set(c) for c in columns.values()))


def test_a_reader_finds_lives_orders_fills_and_levels(shelter: Shelter) -> None:
    if shelter.kind == "memory":
        return  # nobody else reads a database in memory
    store = shelter.fresh()
    ledger = an_open_ledger()
    raised = replace(ledger, levels=(*ledger.levels, a_level("90400", 2)))
    record(store, raised)
    confirmed = a_level("90400", 2, LevelState.CONFIRMED)
    record(store, replace(ledger, levels=(*ledger.levels, confirmed)))

    reader = ReadStore.open(shelter.url, account=store.desk.account, symbol="BTCUSDT")

    assert reader.lives() == (ledger.life,)
    assert reader.orders(generation=1) == ledger.orders
    assert reader.orders(client_id=str(ledger.orders[0].id))[0].status is OrderStatus.WORKING
    assert reader.fills(generation=1) == ledger.fills
    assert reader.stop_levels(1) == (*ledger.levels, confirmed)
    assert reader.ledger() == store.recall()
    assert reader.heartbeat() is None
    if shelter.kind == "file":  # on Postgres a reader is given a role that only reads
        with pytest.raises(StoreUnavailable, match="readonly"):
            reader._shelf.set_state("k", "1", 1)
    reader.close()
