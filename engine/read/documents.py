"""How values are spelt in documents: moments, amounts, orders, fills, plans (contracts.md).

Pure. Decimals become plain text, moments RFC 3339 UTC with milliseconds, unknown becomes None and
never 0.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from engine.domain.action import (
    Action,
    CancelOrder,
    Configure,
    GateResult,
    Halt,
    PlaceOrder,
    Plan,
    Verdict,
)
from engine.domain.drift import Drift
from engine.domain.ledger import Ledger
from engine.domain.numbers import plain
from engine.domain.order import Fill, Order, OrderReport, OrderTerms
from engine.domain.position import StopLevel
from engine.domain.reasons import GATES
from engine.domain.terms import Book, OrderType, WorkingPrice

Document = dict[str, object]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def moment(at_ms: int | None) -> str | None:
    """Return exchange time as RFC 3339 text, None for an unknown moment."""
    return None if at_ms is None else moment_of(at_ms)


def moment_of(at_ms: int) -> str:
    """Return exchange time in milliseconds as RFC 3339 UTC text."""
    when = _EPOCH + timedelta(milliseconds=at_ms)
    return f"{when:%Y-%m-%dT%H:%M:%S}.{at_ms % 1000:03d}Z"


def amount(value: Decimal | None) -> str | None:
    """Return a decimal in plain notation, None for an unknown one."""
    return None if value is None else plain(value)


def seconds(duration_ms: int | None) -> float | None:
    """Return a duration as a JSON number of seconds."""
    return None if duration_ms is None else duration_ms / 1000


def order_document(order: Order) -> Document:
    """Return an own order as the ledger knows it."""
    return {
        **_terms(order.terms),
        "exchange_id": order.exchange_id,
        "status": order.status.value,
        "filled": plain(order.quantity_filled),
        "created_at": moment_of(order.intended_ms),
    }


def intended_document(terms: OrderTerms) -> Document:
    """Return an order a plan wants to place; nobody has seen it yet."""
    return {
        **_terms(terms),
        "exchange_id": None,
        "status": "intended",
        "filled": "0",
        "created_at": None,
    }


def report_document(report: OrderReport) -> Document:
    """Return an order as the exchange reports it, own or foreign."""
    own = report.own_id
    return {
        "client_id": report.client_id,
        "exchange_id": report.exchange_id,
        "book": report.book.value,
        "role": "foreign" if own is None else own.role.value,
        "revision": None if own is None else own.revision,
        "own": own is not None,
        "type": report.type.value,
        "side": report.side.value,
        "status": report.status.value,
        "price": amount(report.price),
        "trigger_price": amount(report.trigger_price),
        "working_price": _working(report.book, report.working_price),
        "quantity": "0" if report.quantity is None else plain(report.quantity),
        "filled": plain(report.quantity_filled),
        "reduce_only": report.reduce_only,
        "close_position": report.close_position,
        "created_at": moment_of(report.created_ms),
    }


def fill_document(fill: Fill) -> Document:
    """Return one execution; commission is negative where it cost something."""
    own = fill.own_id
    return {
        "fill_id": fill.fill_id,
        "client_id": fill.client_id or None,
        "role": "foreign" if own is None else own.role.value,
        "side": fill.side.value,
        "price": plain(fill.price),
        "quantity": plain(fill.quantity),
        "commission": plain(-fill.commission),
        "maker": fill.is_maker,
        "at": moment_of(fill.at_ms),
    }


def level_document(level: StopLevel) -> Document:
    """Return one stop level from the moment it was confirmed, or proposed while it is not."""
    at_ms = level.proposed_ms if level.settled_ms is None else level.settled_ms
    return {
        "at": moment_of(at_ms),
        "level": plain(level.level),
        "reason": level.reason,
        "revision": level.revision,
    }


def plan_document(
    plan: Plan,
    *,
    now_ms: int,
    tick: int | None,
    decision_id: str | None,
    drifts: Iterable[Drift],
    ledger: Ledger,
) -> Document:
    """Return the ``keeper/plan/1`` document; ``ledger`` is what the plan was made from."""
    return {
        "schema": "keeper/plan/1",
        "at": moment_of(now_ms),
        "tick": tick,
        "decision_id": decision_id,
        "effective_zone": None
        if plan.effective_zone is None
        else [plain(end) for end in plan.effective_zone],
        "entry_allowed": bool(plan.gates)
        and all(g.verdict in (Verdict.PASS, Verdict.SHRINK) for g in plan.gates),
        "gates": [gate_document(gate) for gate in plan.gates or _unchecked(ledger)],
        "drifts": [{"kind": d.kind.value, "detail": d.detail} for d in drifts],
        "actions": [action_document(action, ledger) for action in plan.actions],
        "holds": [
            {"rule": hold.rule, "reason": hold.reason, "detail": hold.detail} for hold in plan.holds
        ],
        "next": [{"reason": n.reason, "when": n.when, "then": n.then} for n in plan.nexts],
    }


def _unchecked(ledger: Ledger) -> list[GateResult]:
    """Return every gate as not checked, with why nobody asked for an entry (RULES E3)."""
    why = "no decision asks for an entry"
    if ledger.life is not None:
        why = f"{ledger.phase}: a life is under way"
    return [GateResult(code, Verdict.NOT_CHECKED, detail=why) for code in GATES]


def gate_document(gate: GateResult) -> Document:
    """Return one gate with the numbers it compared."""
    return {
        "code": gate.code,
        "value": gate.value,
        "limit": gate.limit,
        "verdict": gate.verdict.value,
        "detail": gate.detail,
    }


def action_document(action: Action, ledger: Ledger) -> Document:
    """Return one planned action."""
    match action:
        case PlaceOrder():
            order: Document | None = intended_document(action.terms)
            return _action("place", action.rule, action.reason, action.action_class, order)
        case CancelOrder():
            known = ledger.order(action.client_id)
            order = None if known is None else order_document(known)
            order = order or {"client_id": str(action.client_id)}
            return _action("cancel", action.rule, action.reason, action.action_class, order)
        case Configure():
            document = _action("configure", action.rule, action.reason, action.action_class, None)
            return {**document, "leverage": action.leverage, "isolated": action.isolated}
        case Halt():
            document = _action("halt", action.rule, action.code, "manage", None)
            return {**document, "detail": action.detail}


def _action(do: str, rule: str, reason: str, action_class: str, order: Document | None) -> Document:
    return {"do": do, "order": order, "rule": rule, "reason": reason, "class": str(action_class)}


def _terms(terms: OrderTerms) -> Document:
    return {
        "client_id": str(terms.client_id),
        "book": terms.book.value,
        "role": terms.role.value,
        "revision": terms.client_id.revision,
        "own": True,
        "type": terms.type.value,
        "side": terms.side.value,
        "price": amount(terms.price),
        "trigger_price": amount(terms.trigger_price),
        "working_price": _working(terms.book, terms.working_price),
        "quantity": "0" if terms.quantity is None else plain(terms.quantity),
        "reduce_only": terms.reduce_only,
        "close_position": terms.close_position,
    }


def _working(book: Book, working_price: WorkingPrice) -> str | None:
    return working_price.value if book is Book.ALGO else None


def short_order(document: Document) -> str:
    """Return an order as one line for people."""
    size = "all" if document["close_position"] else document["quantity"]
    price = document["trigger_price"] or document["price"] or "market"
    kind = str(document["type"]).removesuffix("_market")
    verb = f"{document['side']} {size}"
    at = f"{kind} at {price}" if kind != OrderType.MARKET else "at market"
    return f"{document['role']:<16} {verb} {at} ({document['status']}) {document['client_id']}"
