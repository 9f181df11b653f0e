"""The feed: one line for everything that happened, written in the transaction that it belongs to.

``events`` is the only feed for anything outside the tick; each reader keeps its own cursor.
Kinds are those of `keeper explain`: seen, drift, rule, intent, sent, answered, refused, fill,
operator.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from engine.domain import canonical
from engine.domain.action import (
    Action,
    CancelOrder,
    Configure,
    GateResult,
    Halt,
    Hold,
    Outcome,
    PlaceOrder,
    Verdict,
)
from engine.domain.drift import Drift
from engine.domain.numbers import plain
from engine.domain.order import Fill, Order, OrderStatus
from engine.domain.position import LevelState, StopLevel
from engine.domain.terms import Fate
from engine.store import tables as t
from engine.store.changes import Entry
from engine.store.connect import Desk

_INSERT = sa.insert(t.events)


class Events:
    """Adds lines to the feed of one account and symbol."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self.tick = 0

    def add(
        self,
        connection: sa.Connection,
        now_ms: int,
        kind: str,
        reason: str,
        text: str,
        *,
        order_id: str | None = None,
        generation: int | None = None,
        data: dict[str, Any] | None = None,
    ) -> None:
        """Add one line, in words that need no other table."""
        row = self._desk.owner | {
            "at_ms": now_ms,
            "tick": self.tick,
            "kind": kind,
            "reason": reason,
            "order_id": order_id,
            "generation": generation,
            "text": text,
            "data": None if data is None else canonical.json_text(data),
        }
        connection.execute(_INSERT, row)

    def add_order(self, connection: sa.Connection, now_ms: int, entry: Entry[Order]) -> None:
        """Add what became of an order: the intent, or a new status; nothing for a mere look."""
        order, was = entry.value, entry.was
        if was is None and order.status is OrderStatus.INTENDED:
            kind, text = "intent", _terms(order)
        elif was is None:
            kind, text = "seen", f"{order.status}: {_terms(order)}"
        elif (was.status, was.quantity_filled) != (order.status, order.quantity_filled):
            kind, text = "seen", f"{was.status} -> {order.status}"
            if order.quantity_filled != was.quantity_filled:
                text += f", filled {plain(order.quantity_filled)}"
            if order.note:
                text += f" ({order.note})"
        elif order.doubtful_since_ms is not None and was.doubtful_since_ms is None:
            kind, text = "seen", "missing from its list: doubtful"
        else:
            return
        self.add(
            connection,
            now_ms,
            kind,
            order.reason,
            text,
            order_id=str(order.id),
            generation=order.generation,
            data=_order_data(order, is_new=was is None),
        )

    def add_fill(self, connection: sa.Connection, now_ms: int, fill: Fill, generation: int) -> None:
        """Add an execution."""
        own = fill.own_id
        self.add(
            connection,
            now_ms,
            "fill",
            "foreign" if own is None else own.role.value,
            f"{fill.side} {plain(fill.quantity)} at {plain(fill.price)}",
            order_id=fill.client_id or None,
            generation=generation,
            data=_fill_data(fill),
        )

    def add_level(self, connection: sa.Connection, now_ms: int, level: StopLevel) -> None:
        """Add what became of a stop level."""
        kind = {
            LevelState.PROPOSED: "rule",
            LevelState.CONFIRMED: "seen",
            LevelState.REFUSED: "refused",
            LevelState.WITHDRAWN: "rule",
        }[level.state]
        text = f"stop level {plain(level.level)} {level.state}, revision {level.revision}"
        self.add(connection, now_ms, kind, level.reason, text, generation=level.generation)

    def add_drift(self, connection: sa.Connection, now_ms: int, drift: Drift) -> None:
        """Add a difference that was not there at the tick before."""
        kind = drift.kind.value
        self.add(connection, now_ms, "drift", kind, drift.detail, order_id=drift.order_id)

    def add_hold(self, connection: sa.Connection, now_ms: int, hold: Hold) -> None:
        """Add a rule that began to hold back."""
        text = f"{hold.rule} holds: {hold.detail}" if hold.detail else f"{hold.rule} holds"
        self.add(connection, now_ms, "rule", hold.reason, text)

    def add_gates(
        self, connection: sa.Connection, now_ms: int, gates: Sequence[GateResult]
    ) -> None:
        """Add which gates refuse, whenever that set changed; none means that all pass."""
        closed = [g for g in gates if g.verdict is Verdict.REFUSE]
        text = ", ".join(f"{g.code} {g.value} (limit {g.limit})" for g in closed)
        self.add(
            connection,
            now_ms,
            "rule",
            closed[0].code if closed else "gates_pass",
            f"entry refused: {text}" if closed else "every gate passes",
        )

    def add_outcome(self, connection: sa.Connection, outcome: Outcome) -> None:
        """Add what became of a request."""
        kind = {
            Fate.ACCEPTED: "answered",
            Fate.REJECTED: "refused",
            Fate.NOT_SENT: "refused",
            Fate.UNKNOWN: "sent",
        }[outcome.fate]
        what, reason, order_id = _named(outcome.action)
        text = f"{what}: {outcome.fate}"
        if outcome.code or outcome.text:
            text += f" ({outcome.code}: {outcome.text})"
        self.add(connection, outcome.at_ms, kind, reason, text, order_id=order_id)


def _named(action: Action) -> tuple[str, str, str | None]:
    """Return what an action does, why, and to which order."""
    match action:
        case PlaceOrder():
            return "place", action.reason, str(action.terms.client_id)
        case CancelOrder():
            return f"cancel ({action.proof})", action.reason, str(action.client_id)
        case Configure():
            what = f"set leverage {action.leverage}, isolated {action.isolated}"
            return what, action.reason, None
        case Halt():
            return f"halt: {action.detail}", action.code, None


def _order_data(order: Order, *, is_new: bool) -> dict[str, Any]:
    """Return an order for programs: its terms once, then what changes."""
    now = {"status": order.status.value, "filled": plain(order.quantity_filled)}
    if not is_new:
        return now
    terms = order.terms
    return now | {
        "role": order.role.value,
        "side": terms.side.value,
        "type": terms.type.value,
        "quantity": None if terms.quantity is None else plain(terms.quantity),
        "price": None if terms.price is None else plain(terms.price),
        "trigger_price": None if terms.trigger_price is None else plain(terms.trigger_price),
        "reduce_only": terms.reduce_only,
    }


def _fill_data(fill: Fill) -> dict[str, Any]:
    """Return an execution for programs, exact numbers as text."""
    return {
        "fill_id": fill.fill_id,
        "at_ms": fill.at_ms,
        "side": fill.side.value,
        "price": plain(fill.price),
        "quantity": plain(fill.quantity),
        "commission": plain(fill.commission),
        "commission_asset": fill.commission_asset,
        "realized_pnl": plain(fill.realized_pnl),
        "maker": fill.is_maker,
    }


def _terms(order: Order) -> str:
    terms = order.terms
    quantity = "the position" if terms.quantity is None else plain(terms.quantity)
    parts = [terms.side.value, quantity, terms.type.value]
    if terms.price is not None:
        parts.append(f"at {plain(terms.price)}")
    if terms.trigger_price is not None:
        parts.append(f"trigger {plain(terms.trigger_price)} {terms.working_price}")
    if terms.reduce_only:
        parts.append("reduce-only")
    return " ".join(parts)
