"""``keeper/status/1`` from the store alone: what is held, what protects it, what comes next.

Position and orders come from the ledger, live prices and the process's own state from its last
heartbeat. Whether the process still runs is asked of the host, because a killed one says nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from engine import __version__
from engine.domain.condition import HaltReason
from engine.domain.identity import OrderRole
from engine.domain.ledger import Ledger
from engine.domain.numbers import ZERO, plain
from engine.domain.order import Order, OrderReport
from engine.domain.position import Life
from engine.domain.terms import Phase
from engine.read.documents import Document, amount, moment, order_document, report_document
from engine.store.lease import LeaseRow
from engine.store.reading import ReadStore

LATE_TICKS, LATE_MS = 5, 5_000
GONE_MS = 30_000
TARGET_ROLES = (OrderRole.TP1, OrderRole.TP2, OrderRole.LIQUIDATION_EXIT)


@dataclass(frozen=True, slots=True)
class Host:
    """What the reader knows of the machine: its name, its time, which processes live."""

    name: str
    now_ms: int
    is_alive: Callable[[int], bool]


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything a status is made from; ``beat`` is {} before the first heartbeat."""

    mode: str
    symbol: str
    store: str
    interval_s: float
    ledger: Ledger
    beat: Mapping[str, Any]
    lease: LeaseRow | None
    halts: tuple[HaltReason, ...]
    foreign: tuple[OrderReport, ...]


def read_facts(store: ReadStore, *, mode: str, interval_s: float) -> Facts:
    """Return what the store says now."""
    return Facts(
        mode=mode,
        symbol=store.desk.symbol,
        store=store.desk.dialect,
        interval_s=interval_s,
        ledger=store.ledger(),
        beat=store.heartbeat() or {},
        lease=store.lease(),
        halts=store.halts(),
        foreign=_foreign_orders(store),
    )


def status_document(facts: Facts, host: Host) -> Document:
    """Return the status; pure."""
    ledger, beat = facts.ledger, facts.beat
    is_running = _is_running(facts.lease, host)
    phase = ledger.phase
    life = None if phase is Phase.FLAT else ledger.life
    mark = _decimal(beat.get("mark_price"))
    process = _process(facts, host, is_running=is_running)
    return {
        "schema": "keeper/status/1",
        "at": moment(host.now_ms),
        "version": str(beat.get("version", __version__)),
        "mode": str(beat.get("mode", facts.mode)),
        "symbol": facts.symbol,
        "store": facts.store,
        "process": process,
        "health": _health(facts, process, is_running=is_running),
        "decision": _decision(beat.get("decision"), host.now_ms),
        "phase": phase.value,
        "position": _position(life, beat, mark) if life is not None and life.is_open else None,
        "protection": _protection(life, ledger, mark),
        "targets": _targets(life, ledger),
        "orders": [order_document(o) for o in ledger.orders if o.may_rest],
        "foreign_orders": [report_document(report) for report in facts.foreign],
        "next": [
            {"reason": n["reason"], "when": n["when"], "then": n["then"]}
            for n in beat.get("next") or ()
        ],
    }


def _is_running(lease: LeaseRow | None, host: Host) -> bool:
    if lease is None or lease.released_ms is not None:
        return False
    if lease.host == host.name:
        return host.is_alive(lease.pid)
    return host.now_ms - lease.renewed_ms < GONE_MS


def _process(facts: Facts, host: Host, *, is_running: bool) -> Document:
    beat, lease = facts.beat, facts.lease
    last_ms = beat.get("last_tick_ms")
    interval_ms = beat.get("interval_ms")
    return {
        "running": is_running,
        "pid": lease.pid if is_running and lease is not None else None,
        "role": str(beat.get("role", "active")) if is_running else "none",
        "epoch": None if lease is None else lease.epoch,
        "tick": beat.get("tick"),
        "last_tick_at": moment(last_ms),
        "last_tick_age_s": None if last_ms is None else max(host.now_ms - last_ms, 0) / 1000,
        "interval_s": facts.interval_s if interval_ms is None else interval_ms / 1000,
        "overruns": int(beat.get("overruns", 0)),
    }


def _health(facts: Facts, process: Mapping[str, Any], *, is_running: bool) -> Document:
    beat = facts.beat
    halted = {halt.code for halt in facts.halts}
    reasons: list[Document] = [
        {"code": h.code, "since": moment(h.since_ms), "detail": h.detail} for h in facts.halts
    ]
    age_s = process["last_tick_age_s"]
    late_s = max(LATE_TICKS * process["interval_s"], LATE_MS / 1000)
    is_late = is_running and age_s is not None and age_s > late_s
    if not is_running:
        text = "stops on the exchange go on resting; start it with: keeper run"
        reasons.append({"code": "not_running", "since": process["last_tick_at"], "detail": text})
    else:
        reasons += [
            {"code": t["code"], "since": moment(t.get("since_ms")), "detail": t["detail"]}
            for t in beat.get("troubles") or ()
            if t["code"] not in halted
        ]
    if is_late:
        text = f"no tick for {age_s:.1f} s"
        reasons.append({"code": "late", "since": process["last_tick_at"], "detail": text})
    state = "degraded" if is_late or not beat else str(beat.get("health", "ok"))
    if facts.halts:
        state = "halted"
    return {
        "state": state if is_running else "stopped",
        "reasons": reasons,
        "entries_allowed": is_running and not halted and bool(beat.get("entries_allowed", False)),
        "store_ok": bool(beat.get("is_store_ok", True)),
        "stream": str(beat.get("stream", "unknown")) if is_running else "unknown",
        "clock_error_ms": beat.get("clock_error_ms"),
        "breaker": str(beat.get("breaker", "unknown")) if is_running else "unknown",
        "weight_1m": {"used": beat.get("weight_used"), "limit": beat.get("weight_limit")},
    }


def _decision(decision: Mapping[str, Any] | None, now_ms: int) -> Document | None:
    if decision is None:
        return None
    return {
        "id": decision["id"],
        "action": decision["action"],
        "timestamp": moment(decision["made_ms"]),
        "age_s": (now_ms - decision["made_ms"]) / 1000,
        "state": decision["state"],
        "refusals": list(decision["refusals"]),
    }


def _position(life: Life, beat: Mapping[str, Any], mark: Decimal | None) -> Document | None:
    if life.quantity == 0:
        return None
    entry = life.entry_price or life.limit_price
    pnl = _decimal(beat.get("unrealized_pnl"))
    if mark is not None and life.entry_price is not None:
        pnl = life.side.gain(entry, mark) * life.quantity
    return {
        "id": life.id,
        "generation": life.generation,
        "side": life.side.value,
        "quantity": plain(life.quantity),
        "entry_price": plain(entry),
        "mark_price": amount(mark),
        "unrealized_pnl": amount(pnl),
        "liquidation_price": amount(_decimal(beat.get("liquidation_price"))),
        "opened_at": moment(life.opened_ms),
        "best_price": amount(life.best_price),
        "r_multiple": amount(_r_multiple(life, entry, mark)),
    }


def _r_multiple(life: Life, entry: Decimal, mark: Decimal | None) -> Decimal | None:
    risk = life.side.gain(life.initial_stop, entry)
    if mark is None or risk <= 0:
        return None
    return (life.side.gain(entry, mark) / risk).quantize(Decimal("0.01"))


def _protection(life: Life | None, ledger: Ledger, mark: Decimal | None) -> Document:
    quantity = ZERO if life is None or not life.is_open else life.quantity
    uncovered = ZERO if life is None else min(life.uncovered_quantity, quantity)
    level = None if life is None else life.stop_level
    distance = None
    if life is not None and level is not None and mark:
        share = life.side.gain(level, mark) / mark * 100
        distance = share.quantize(Decimal("0.001"))
    stops = [o for o in ledger.orders if o.role.is_stop and o.may_rest] if life is not None else []
    return {
        "covered": uncovered == 0,
        "covered_quantity": plain(quantity - uncovered),
        "uncovered_quantity": plain(uncovered),
        "stop_level": amount(level),
        "initial_stop_level": None if life is None else plain(life.initial_stop),
        "stop_distance_pct": amount(distance),
        "naked_s": 0.0 if life is None else life.naked_ms / 1000,
        "naked_quantity_s": "0" if life is None else plain(life.naked_quantity_s),
        "loose_s": 0.0 if life is None else life.loose_ms / 1000,
        "stops": [order_document(stop) for stop in stops],
    }


def _targets(life: Life | None, ledger: Ledger) -> list[Document]:
    """Return the targets that rest, then those the life still plans."""
    if life is None:
        return []
    resting = [o for o in ledger.of_life(*TARGET_ROLES) if o.may_rest]
    targets = [_target(order) for order in resting]
    roles = {order.role for order in resting}
    if life.tp1_price is not None and life.tp1_done_ms is None and OrderRole.TP1 not in roles:
        targets.append(_planned("tp1", life.tp1_price))
    if life.tp2_price is not None and not roles & {OrderRole.TP2, OrderRole.LIQUIDATION_EXIT}:
        targets.append(_planned("tp2", life.tp2_price))
    return targets


def _target(order: Order) -> Document:
    price = order.terms.trigger_price or order.terms.price or ZERO
    return {
        "role": order.role.value,
        "price": plain(price),
        "quantity": amount(order.terms.quantity),
        "state": order.status.value,
    }


def _planned(role: str, price: Decimal) -> Document:
    return {"role": role, "price": plain(price), "quantity": None, "state": "planned"}


def _foreign_orders(store: ReadStore) -> tuple[OrderReport, ...]:
    """Return other people's orders of the last recorded look; a new one is recorded at once."""
    for row in store.tick_rows(limit=1):
        for record in store.ticks(after_id=row["id"] - 1):
            if not record.is_of_this_version:
                return ()  # the first tick of this version tells
            reports = record.observation.open_reports or ()
            return tuple(report for report in reports if report.own_id is None)
    return ()


def _decimal(value: object) -> Decimal | None:
    return None if value is None else Decimal(str(value))
