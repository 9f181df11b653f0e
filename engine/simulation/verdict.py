"""What is said of one small world: every breach by its checker, the states, the cells, the digest.

Judged from the venue's log; only ``trade_record`` holds the store's trades against that log.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from engine.domain.identity import ClientOrderId, OrderRole
from engine.domain.limits import Limits
from engine.domain.numbers import ZERO, plain
from engine.read.documents import Document
from engine.simulation.account import Account
from engine.simulation.causes import Naked, Pace, extended, naked_with_causes
from engine.simulation.check_budget import budget
from engine.simulation.check_closings import closings
from engine.simulation.check_exposure import exposure
from engine.simulation.check_gates import gates
from engine.simulation.check_order import LATE_MS, protection_first
from engine.simulation.checkers import Finding, History, executed_once, never_widened
from engine.simulation.gate_case import Scene
from engine.simulation.given import Inbox
from engine.simulation.log import Changed, Event, Filled, Placed
from engine.simulation.looks import Looks
from engine.simulation.prices import Prices
from engine.simulation.refused import Refusals
from engine.simulation.requests import Request, Span
from engine.simulation.whereabouts import States
from engine.venue.settings import BTCUSDT_BRACKETS, Bracket

Entry = Mapping[str, object]
CHECKERS = (
    "covered",
    "never_widened",
    "executed_once",
    "exposure",
    "never_flipped",
    "gates",
    "foreign_untouched",
    "no_leftovers",
    "budget",
    "protection_first",
    "converged",
    "trade_record",
)
"""Every checker that judges a small world."""


@dataclass(frozen=True, slots=True)
class Violation:
    """One breach in one world."""

    checker: str
    at_ms: int
    life: int
    state: str
    detail: str


@dataclass(frozen=True)
class Evidence:
    """The venue's log of one world, and what stands beside it."""

    entries: Sequence[Entry]
    events: Sequence[Event]
    history: History
    pace: Pace
    imposed: Sequence[Span]
    trades: Sequence[Document]
    is_store_whole: bool
    requests: Sequence[Request] = ()
    asked: Asked | None = None
    births: Sequence[int] = ()
    needs_armed: bool = True

    @cached_property
    def refusals(self) -> Refusals:
        """Return which stops the exchange did not take."""
        return Refusals(self.history, self.requests, takes_none=not self.needs_armed)


@dataclass(frozen=True, slots=True)
class Asked:
    """What the keeper was asked for: documents and settings; the account and its brackets."""

    inbox: Inbox
    limits: Limits
    account: Account = field(default_factory=lambda: Account(()))
    flatten_ms: int | None = None
    brackets: Sequence[Bracket] = BTCUSDT_BRACKETS
    flattened: Sequence[int] = ()


def judge(evidence: Evidence) -> tuple[tuple[Violation, ...], tuple[Naked, ...]]:
    """Return every breach, oldest first, and every uncovered stretch."""
    history, pace = evidence.history, evidence.pace
    naked = naked_with_causes(history, pace, evidence.imposed, evidence.refusals)
    findings = [("covered", f) for n in naked if (f := n.finding) is not None]
    findings += [("never_widened", f) for f in _widened(history, pace)]
    findings += [("executed_once", f) for f in executed_once(history).findings]
    findings += [("never_flipped", f) for f in _flips(evidence)]
    findings += [("foreign_untouched", f) for f in _touched(evidence.events)]
    findings += _of_acts(evidence)
    if evidence.is_store_whole:
        findings += [("trade_record", f) for f in _records(evidence)]
    states = States(evidence.entries)
    violations = (
        Violation(checker, f.at_ms, states.life_at(f.at_ms), states.at(f.at_ms), f.detail)
        for checker, f in findings
    )
    return tuple(sorted(violations, key=lambda v: (v.at_ms, v.checker, v.detail))), naked


def _widened(history: History, pace: Pace) -> Sequence[Finding]:
    return never_widened(history, unseen_ms=pace.next_look_ms).findings


def _of_acts(evidence: Evidence) -> list[tuple[str, Finding]]:
    """Return what is found in what was asked for and what was sent."""
    history, requests, pace = evidence.history, evidence.requests, evidence.pace
    asked = evidence.asked
    spent = budget(requests, round_trip_ms=pace.round_trip_ms, births=evidence.births)
    larger = exposure(history, None if asked is None else asked.inbox)
    found = [("budget", f) for f in spent.findings]
    found += [("exposure", f) for f in larger.findings]
    if requests:
        look_ms = 3 * pace.next_look_ms
        first = protection_first(
            history, requests, look_ms=look_ms, takes_none=evidence.refusals.while_flat
        )
        found += [("protection_first", f) for f in first.findings]
    if asked is not None:
        scene = Scene(
            Prices(evidence.entries),
            Looks(requests),
            asked.brackets,
            births=evidence.births,
            is_store_whole=evidence.is_store_whole,
            flattened=asked.flattened,
        )
        given = gates(
            history,
            asked.account,
            asked.inbox,
            asked.limits,
            slack_ms=LATE_MS + pace.next_look_ms,
            scene=scene,
        )
        found += [("gates", f) for f in given.findings]
        causeless = closings(
            history,
            evidence.entries,
            asked.inbox,
            asked.limits,
            prices=scene.prices,
            flatten_ms=asked.flatten_ms,
            flattened=asked.flattened,
            imposed=evidence.imposed,
        )
        found += [("gates", f) for f in causeless]
    return found


def digest_of(parts: Mapping[str, object]) -> str:
    """Return the digest of one world's outcome: orders, fills, levels, events."""
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def _flips(evidence: Evidence) -> Iterable[Finding]:
    """Name own orders that turned the position around, and exits that could have (F10, B3).

    An entry that rested before somebody opened the other side may still fill until the next look.
    """
    held, theirs_ms = ZERO, None
    for event in evidence.events:
        if isinstance(event, Placed) and (own := event.own_id) is not None:
            can_open = not (event.reduce_only or event.close_position)
            if can_open and own.role is not OrderRole.ENTRY and event.position_side == "BOTH":
                text = f"{event.client_id} ({own.role.value}) could open the other side"
                yield Finding(event.at_ms, text)
        if isinstance(event, Filled):
            own = event.own_id
            if own is None and held * event.position <= 0:
                theirs_ms = event.at_ms
            if own is not None and held * event.position < 0:
                is_entry = own.role is OrderRole.ENTRY
                if not (is_entry and _is_unseen(evidence, theirs_ms, event.at_ms)):
                    text = f"{event.client_id} took {plain(held)} to {plain(event.position)}"
                    yield Finding(event.at_ms, text)
            held = event.position


def _is_unseen(evidence: Evidence, since_ms: int | None, at_ms: int) -> bool:
    """Return whether what happened at ``since_ms`` could not be seen and answered by ``at_ms``."""
    if since_ms is None:
        return False
    look_ms = evidence.pace.of("look", since_ms)
    return at_ms - since_ms <= extended(since_ms, look_ms, evidence.imposed, evidence.pace)


def _touched(events: Sequence[Event]) -> Iterable[Finding]:
    names = {e.exchange_id: e.client_id for e in events if isinstance(e, Placed)}
    for event in events:
        if isinstance(event, Changed) and event.by == "api" and event.status == "CANCELED":
            name = names.get(event.exchange_id, event.client_id)
            if ClientOrderId.parse(name) is None:
                yield Finding(event.at_ms, f"{name} is not ours and was cancelled")


def _records(evidence: Evidence) -> Iterable[Finding]:
    """Hold the fills of the store's trades against the venue's, one by one."""
    theirs = {
        str(e["trade_id"]): (str(e["price"]), str(e["quantity"]), _int(e["at_ms"]))
        for e in evidence.entries
        if e["kind"] == "fill"
    }
    ours: set[str] = set()
    for trade in evidence.trades:
        fills = trade["fills"]
        for fill in fills if isinstance(fills, list) else []:
            number = str(fill["fill_id"])
            if number in ours:
                yield Finding(0, f"fill {number} stands in two trades")
            ours.add(number)
            if number not in theirs or theirs[number][:2] != (fill["price"], fill["quantity"]):
                yield Finding(0, f"fill {number} of the store is not the venue's")
    own = {
        str(e["trade_id"])
        for e in evidence.entries
        if e["kind"] == "fill" and ClientOrderId.parse(str(e["client_id"])) is not None
    }
    for number in sorted(own - ours):
        yield Finding(theirs[number][2], f"fill {number} stands in no trade of the store")


def _int(value: object) -> int:
    return int(str(value))
