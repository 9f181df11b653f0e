"""The demo's verdicts: promises judged from the venue's log, the store held against it.

Pure. ``Recorded`` is what the store says; everything else comes from the venue.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from engine.cli.demo.stage import Restart, Witness
from engine.domain.identity import ClientOrderId, OrderRole
from engine.domain.numbers import plain
from engine.domain.order import Fill
from engine.domain.position import ExitReason
from engine.domain.terms import Side
from engine.read.documents import Document
from engine.read.replay import Replayed
from engine.simulation.checkers import (
    History,
    Judgement,
    covered,
    executed_once,
    naked_windows,
    never_widened,
    no_orders_left,
)
from engine.simulation.log import Filled

NEAR = Decimal("1.001")
"""How far above the entry price breakeven can lie: both fees and some funding."""

Entry = Mapping[str, object]
FillFacts = tuple[str, str, Decimal, Decimal, Decimal, Decimal]


@dataclass(frozen=True, slots=True)
class Recorded:
    """What the keeper's store says: fills, final word on each order, exits, replayed ticks."""

    fills: Sequence[Fill]
    order_status: Mapping[str, str]
    exits: Sequence[tuple[Side, str | None]]
    replayed: Replayed


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the report."""

    name: str
    ok: bool
    checked: int
    detail: str

    def document(self) -> Document:
        """Return the check as the report spells it."""
        return {"name": self.name, "ok": self.ok, "checked": self.checked, "detail": self.detail}


def judge(
    witness: Witness, restarts: Sequence[Restart], recorded: Recorded, *, end_ms: int
) -> tuple[Check, ...]:
    """Return every check of the report, in the order of contracts.md."""
    history = History(witness.events, end_ms=end_ms)
    return (
        _of("covered_throughout", covered(history)),
        _of("never_widened", never_widened(history)),
        _of("nothing_doubled", executed_once(history)),
        database_equals_exchange(witness.entries, recorded),
        recovered_after_kill(history, restarts),
        replay_identical(recorded.replayed),
        _of("no_orders_left", no_orders_left(history)),
    )


def required_events(witness: Witness, recorded: Recorded) -> tuple[Check, ...]:
    """Return whether everything happened that the demo must show."""
    events = witness.events
    fills = [e for e in events if isinstance(e, Filled)]
    levels = {
        order.trigger_price
        for order in witness.placed(OrderRole.STOP_PRIMARY, generation=1)
        if order.trigger_price is not None
    }
    entries = [f for f in fills if _role(f) is OrderRole.ENTRY and _generation(f) == 1]
    first = entries[0].price if entries else Decimal(0)
    above = sorted(level for level in levels if level > first)
    exits = [reason for _, reason in recorded.exits]
    stopped_short = (Side.SHORT, ExitReason.STOP.value) in recorded.exits
    return (
        _event("entry_in_parts", len(entries), 2, "entry fills"),
        _event("tp1", sum(1 for f in fills if _role(f) is OrderRole.TP1), 1, "TP1 fills"),
        _event(
            "breakeven", sum(1 for x in above[:1] if x <= first * NEAR), 1, "stops at breakeven"
        ),
        _event("trailing", len(above) - 1, 3, "levels after breakeven"),
        _event("liquidation_exit", exits.count("liquidation_exit"), 1, "exits at the zone"),
        _event("short_stopped", int(stopped_short), 1, "shorts ended by their stop"),
    )


def database_equals_exchange(entries: Sequence[Entry], recorded: Recorded) -> Check:
    """Hold the store's fills and orders against the venue's, one by one."""
    theirs = {_fact(entry) for entry in entries if entry["kind"] == "fill"}
    ours = {
        (f.fill_id, f.client_id, f.price, f.quantity, f.commission, f.realized_pnl)
        for f in recorded.fills
    }
    wrong = [f"fill {fact[0]} is not in the store" for fact in sorted(theirs - ours)]
    wrong += [f"fill {fact[0]} is not on the exchange" for fact in sorted(ours - theirs)]
    final = final_statuses(entries)
    for client_id, status in final.items():
        recorded_as = recorded.order_status.get(client_id)
        if recorded_as != status:
            wrong.append(f"{client_id} is {status}, the store says {recorded_as}")
    checked = len(theirs | ours) + len(final)
    detail = "; ".join(wrong[:5]) or f"{len(theirs)} fills and {len(final)} orders agree"
    return Check("database_equals_exchange", not wrong, checked, detail)


def final_statuses(entries: Sequence[Entry]) -> dict[str, str]:
    """Return the last word on each own order, in the keeper's vocabulary."""
    final: dict[str, str] = {}
    executed: set[str] = set()
    for entry in entries:
        if entry["kind"] == "fill":
            executed.add(str(entry["client_id"]))
        # A child speaks for its conditional order through its fills alone.
        is_child = entry.get("algo_id") is not None and entry.get("book") == "regular"
        if entry["kind"] != "order" or is_child:
            continue
        client_id = str(entry["client_id"])
        if ClientOrderId.parse(client_id) is not None:
            final[client_id] = str(entry["status"])
    words = {"CANCELED": "cancelled", "NEW": "working"}
    return {
        client_id: ("filled" if client_id in executed else "expired")
        if status == "FINISHED"
        else words.get(status, status.lower())
        for client_id, status in final.items()
    }


def recovered_after_kill(history: History, restarts: Sequence[Restart]) -> Check:
    """Judge every restart: cover stood all the time and the level is no wider than before."""
    wrong: list[str] = []
    windows = naked_windows(history)
    for number, restart in enumerate(restarts, start=1):
        if restart.covered_ms is None:
            wrong.append(f"restart {number} found no cover")
            continue
        span = (restart.killed_ms, restart.covered_ms)
        naked = [w for w in windows if w.from_ms < span[1] and w.until_ms > span[0]]
        if naked:
            wrong.append(f"restart {number}: uncovered for {naked[0].duration_ms} ms")
        if restart.level_before is None or restart.level_after is None:
            wrong.append(f"restart {number}: no stop level")
        elif restart.level_after < restart.level_before:
            before, after = plain(restart.level_before), plain(restart.level_after)
            wrong.append(f"restart {number}: stop went from {before} to {after}")
    if not restarts:
        wrong.append("nothing was killed")
    detail = "; ".join(wrong) or "covered while the keeper was dead, same stop after"
    return Check("recovered_after_kill", not wrong, len(restarts), detail)


def replay_identical(replayed: Replayed) -> Check:
    """Judge the recomputed plans of every recorded tick."""
    first = replayed.different[0] if replayed.different else None
    ok = first is None and replayed.ticks > 0 and not replayed.skipped
    detail = f"{replayed.identical} of {replayed.ticks} recorded plans came out the same"
    if first is not None:
        detail += f"; tick {first.tick} differs at {first.at}"
    return Check("replay_identical", ok, replayed.ticks, detail)


def _of(name: str, judgement: Judgement) -> Check:
    detail = judgement.detail
    if judgement.findings:
        detail += f"; first: {judgement.findings[0].detail}"
    ok = judgement.ok and judgement.checked > 0
    return Check(name, ok, judgement.checked, detail)


def _event(name: str, count: int, wanted: int, what: str) -> Check:
    return Check(name, count >= wanted, count, f"{count} {what}, wanted {wanted}")


def _fact(entry: Entry) -> FillFacts:
    return (
        str(entry["trade_id"]),
        str(entry["client_id"]),
        *(Decimal(str(entry[name])) for name in ("price", "quantity", "commission", "realized")),
    )  # type: ignore[return-value]  # six parts: two texts, four numbers


def _role(fill: Filled) -> OrderRole | None:
    return None if fill.own_id is None else fill.own_id.role


def _generation(fill: Filled) -> int | None:
    return None if fill.own_id is None else fill.own_id.generation
