"""What a tick did, as lines for people and as status documents for scripts."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace

from engine import __version__
from engine.cli.common import this_host
from engine.cli.logs import Line
from engine.cli.render import status_line
from engine.config import Settings
from engine.domain.action import Action, CancelOrder, Configure, Halt, Outcome, PlaceOrder
from engine.domain.identity import ClientOrderId
from engine.domain.numbers import plain
from engine.domain.order import Fill, OrderTerms
from engine.domain.terms import Fate
from engine.read.documents import Document
from engine.read.status import Facts, Host, status_document
from engine.store.connect import Place
from engine.store.lease import LeaseRow
from engine.tick import TickReport
from engine.vitals import Process, troubles, vitals

ROUTINE = frozenset({"min_interval", "min_step"})
"""Holds that come and go with every step of a trailing stop."""


class TickDocuments:
    """Makes a ``keeper/status/1`` document of each tick this process ran."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        place = Place(settings.store.url)
        self._store = "sqlite" if place.is_sqlite else "postgresql"
        self._process = Process(
            version=__version__,
            mode=settings.mode.value,
            symbol=settings.symbol,
            pid=os.getpid(),
            started_ms=0,
            interval_ms=settings.loop.interval_ms,
        )

    def status(self, report: TickReport) -> Document:
        """Return the status after this tick, straight from it."""
        observation = report.situation.observation
        host = this_host()
        now = Host(host.name, report.now_ms, lambda _: True)
        reports = observation.open_reports or ()
        beat = vitals(report, self._process, 0)
        beat["mark_price"] = observation.mark_price
        beat["next"] = [
            {"reason": n.reason, "when": n.when, "then": n.then} for n in report.plan.nexts
        ]
        facts = Facts(
            mode=self._settings.mode.value,
            symbol=self._settings.symbol,
            store=self._store,
            interval_s=float(self._settings.loop.interval_s),
            ledger=report.ledger,
            beat=beat,
            lease=self._lease(report, host.name),
            halts=report.situation.condition.halts,
            foreign=tuple(r for r in reports if r.own_id is None),
        )
        return status_document(facts, now)

    def _lease(self, report: TickReport, host: str) -> LeaseRow:
        condition = report.situation.condition
        until_ms = condition.lease_until_ms or report.now_ms
        pid, now_ms = os.getpid(), report.now_ms
        return LeaseRow(condition.epoch, pid, host, "", now_ms, now_ms, until_ms, None)


class Teller:
    """Tells what happened, one line per change; a tick that changed nothing says nothing."""

    def __init__(self, say: Callable[[Line], None], documents: TickDocuments) -> None:
        self._say = say
        self._documents = documents
        self._holds: frozenset[tuple[str, str]] = frozenset()
        self._refusals: frozenset[str] = frozenset()
        self._fills: frozenset[str] | None = None
        self._troubles: frozenset[str] = frozenset()
        self._status = ""

    def tell(self, report: TickReport) -> None:
        """Say what this tick saw for the first time, and what it did."""
        lines = [
            *self._fills_of(report),
            *self._refused(report),
            *self._wrong(report),
            *self._held_back(report),
            *(_outcome(outcome) for outcome in report.outcomes),
        ]
        status = status_line(self._documents.status(report))
        if status != self._status:
            self._status = status
            lines.append(Line("status", status))
        tick, decision = report.situation.condition.tick, _decision_of(report)
        for line in lines:
            known = line.decision or decision
            self._say(replace(line, at_ms=report.now_ms, tick=tick, decision=known))

    def _fills_of(self, report: TickReport) -> list[Line]:
        """Return executions nobody was told of; those a process finds at its start are old."""
        before, fills = self._fills, report.ledger.fills
        self._fills = frozenset(fill.fill_id for fill in fills)
        if before is None:
            return []
        return [
            Line("fill", fill_line(fill), order=fill.client_id or None)
            for fill in fills
            if fill.fill_id not in before
        ]

    def _refused(self, report: TickReport) -> list[Line]:
        found = [r for r in report.situation.inbox.refusals if r.digest not in self._refusals]
        self._refusals |= {refusal.digest for refusal in found}
        return [
            Line(
                "document_refused",
                f"refused {r.file_name}: {r.message}" + (f"; {r.remedy}" if r.remedy else ""),
                level="warning",
            )
            for r in found
        ]

    def _wrong(self, report: TickReport) -> list[Line]:
        found = dict(troubles(report.situation))
        new, over = found.keys() - self._troubles, self._troubles - found.keys()
        self._troubles = frozenset(found)
        return [
            *(Line(c, f"{c}: {found[c]}", level="error") for c in found if c in new),
            *(Line(code, f"{code}: over") for code in sorted(over)),
        ]

    def _held_back(self, report: TickReport) -> list[Line]:
        holds = {(hold.rule, hold.reason): hold.detail for hold in report.plan.holds}
        new = [key for key in sorted(holds) if key not in self._holds and key[1] not in ROUTINE]
        self._holds = frozenset(holds)
        return [
            Line("hold", f"holding: {reason}" + (f" ({detail})" if detail else ""))
            for rule, reason in new
            for detail in (holds[rule, reason],)
        ]


def _decision_of(report: TickReport) -> str | None:
    """Return the decision a tick is about: that of the life, else the newest one."""
    if report.ledger.life is not None:
        return report.ledger.life.decision_id
    decision = report.situation.inbox.decision
    return None if decision is None else decision.id


def _outcome(outcome: Outcome) -> Line:
    order = _order_of(outcome.action)
    return Line(
        "outcome",
        outcome_line(outcome),
        order=None if order is None else str(order),
        decision=None if order is None else order.decision_hash,
        level="info" if outcome.fate is Fate.ACCEPTED else "warning",
    )


def _order_of(action: Action) -> ClientOrderId | None:
    match action:
        case PlaceOrder(terms=terms):
            return terms.client_id
        case CancelOrder(client_id=client_id):
            return client_id
        case Configure() | Halt():
            return None


def fill_line(fill: Fill) -> str:
    """Return an execution as a line."""
    own = fill.own_id
    role = "somebody else" if own is None else own.role.value
    return f"filled {role}: {fill.side} {plain(fill.quantity)} at {plain(fill.price)}"


def outcome_line(outcome: Outcome) -> str:
    """Return what was done and what became of it."""
    action = outcome.action
    reason = action.code if isinstance(action, Halt) else action.reason
    word = "done" if outcome.fate is Fate.ACCEPTED else outcome.fate.value.replace("_", " ")
    why = f": {outcome.code} {outcome.text}".rstrip() if outcome.fate is not Fate.ACCEPTED else ""
    return f"{_what(action)} [{reason}] {word}{why}"


def _what(action: Action) -> str:
    match action:
        case PlaceOrder():
            return f"place {_terms(action.terms)}"
        case CancelOrder():
            return f"cancel {action.client_id.role.value} {action.client_id}"
        case Configure():
            wanted = []
            if action.leverage is not None:
                wanted.append(f"leverage {action.leverage}")
            if action.isolated is not None:
                wanted.append("isolated margin" if action.isolated else "cross margin")
            return f"set {', '.join(wanted)}"
        case Halt():
            return f"halt: {action.detail}"


def _terms(terms: OrderTerms) -> str:
    size = "all" if terms.quantity is None else plain(terms.quantity)
    price = terms.trigger_price or terms.price
    at = "at market" if price is None else f"at {plain(price)}"
    return f"{terms.role.value} {terms.side.value} {size} {at} {terms.client_id}"
