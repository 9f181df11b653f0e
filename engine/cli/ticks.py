"""What a tick did, as lines for people and as status documents for scripts."""

from __future__ import annotations

import os
from collections.abc import Callable

from engine import __version__
from engine.cli.common import this_host
from engine.cli.render import status_line
from engine.config import Settings
from engine.domain.action import Action, CancelOrder, Configure, Halt, Outcome, PlaceOrder
from engine.domain.numbers import plain
from engine.domain.order import Fill, OrderTerms
from engine.domain.terms import Fate
from engine.read.documents import Document, moment_of
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

    def __init__(self, say: Callable[[str], None], documents: TickDocuments) -> None:
        self._say = say
        self._documents = documents
        self._holds: frozenset[tuple[str, str]] = frozenset()
        self._refusals: frozenset[str] = frozenset()
        self._fills: frozenset[str] | None = None
        self._troubles: frozenset[str] = frozenset()
        self._status = ""

    def tell(self, report: TickReport) -> None:
        """Say what this tick saw for the first time, and what it did."""
        lines = [*self._seen(report), *(outcome_line(o) for o in report.outcomes)]
        status = status_line(self._documents.status(report))
        if status != self._status:
            self._status = status
            lines.append(status)
        at = moment_of(report.now_ms)[11:19]
        for line in lines:
            self._say(f"{at} {line}")

    def _seen(self, report: TickReport) -> list[str]:
        lines = []
        ledger, inbox = report.ledger, report.situation.inbox
        fills = frozenset(fill.fill_id for fill in ledger.fills)
        if self._fills is not None:
            lines += [fill_line(f) for f in ledger.fills if f.fill_id not in self._fills]
        self._fills = fills
        refusals = frozenset(refusal.digest for refusal in inbox.refusals)
        lines += [
            f"refused {r.file_name}: {r.message}" + (f"; {r.remedy}" if r.remedy else "")
            for r in inbox.refusals
            if r.digest not in self._refusals
        ]
        self._refusals |= refusals
        found = troubles(report.situation)
        lines += [f"{code}: {detail}" for code, detail in found if code not in self._troubles]
        self._troubles = frozenset(code for code, _ in found)
        holds = frozenset((hold.rule, hold.reason) for hold in report.plan.holds)
        for rule, reason in sorted(holds - self._holds):
            if reason in ROUTINE:
                continue
            detail = next(
                h.detail for h in report.plan.holds if (h.rule, h.reason) == (rule, reason)
            )
            lines.append(f"holding: {reason}" + (f" ({detail})" if detail else ""))
        self._holds = holds
        return lines


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
