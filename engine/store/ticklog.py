"""The record of ticks for replay, and what changed since the tick before (DESIGN section 8).

A row holds everything its plan came from, as compressed canonical JSON, and a digest chained to
the row before: ``digest = sha256(previous digest + previous outcomes' digest + body)``. Texts that
many rows share (settings, decisions) are stored once and named by their digest.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import sqlalchemy as sa

from engine import __version__
from engine.domain import canonical
from engine.domain.action import Outcome, Plan, Verdict
from engine.domain.condition import Condition
from engine.domain.decision import Inbox
from engine.domain.drift import Drift
from engine.domain.errors import StoreUnavailable
from engine.domain.ledger import Ledger
from engine.domain.limits import Limits
from engine.domain.situation import Situation
from engine.store import tables as t
from engine.store.connect import Desk
from engine.store.events import Events
from engine.store.tick_record import chained
from engine.store.writing import upsert

Recording = Literal["changes", "all", "none"]

QUIET_MS = 60_000
"""A tick that changed nothing is recorded once a minute."""

_COMPRESSION = 1  # a fifth of the text already; more costs time in the tick
_INSERT = sa.insert(t.ticks)
_OUTCOMES = (
    sa.update(t.ticks)
    .where(t.ticks.c.id == sa.bindparam("row_id"))
    .values(outcomes=sa.bindparam("packed"), outcomes_digest=sa.bindparam("packed_digest"))
)


def plan_document(plan: Plan) -> dict[str, Any]:
    """Return a plan as plain data; the ledger with its intents stands in by its digest."""
    document: dict[str, Any] = canonical.to_plain(plan)
    return document | {"ledger": canonical.digest_of_text(canonical.json_text(document["ledger"]))}


def pack(text: str) -> bytes:
    """Return canonical text compressed."""
    return zlib.compress(text.encode(), _COMPRESSION)


@dataclass(frozen=True, slots=True)
class _Quiet:
    """What two ticks must share for the later one to count as unchanged."""

    drifts: frozenset[tuple[str, str | None]]
    holds: frozenset[tuple[str, str]]
    gates: frozenset[str]
    condition: tuple[object, ...]
    decision: str | None
    refusals: tuple[str, ...]
    nexts: tuple[str, ...]


_NOTHING = _Quiet(frozenset(), frozenset(), frozenset(), (), None, (), ())


def _quiet(situation: Situation, drifts: Sequence[Drift], plan: Plan) -> _Quiet:
    inbox = situation.inbox
    return _Quiet(
        drifts=frozenset((d.kind.value, d.order_id) for d in drifts),
        holds=frozenset((h.rule, h.reason) for h in plan.holds),
        gates=frozenset(g.code for g in plan.gates if g.verdict is Verdict.REFUSE),
        condition=_standing(situation.condition),
        decision=None if inbox.decision is None else inbox.decision.digest,
        refusals=tuple(r.digest for r in inbox.refusals),
        nexts=tuple(n.reason for n in plan.nexts),
    )


def _standing(condition: Condition) -> tuple[object, ...]:
    """Return what of the condition may stand for long; counters and clocks move every tick."""
    return (
        condition.rights,
        condition.epoch,
        condition.is_store_writable,
        condition.clock_error_ms is None,
        condition.is_stream_up,
        condition.is_breaker_open,
        condition.blocked_until_ms,
        condition.halts,
        condition.overruled,
        condition.is_wire_stuck,
        condition.churned,
        tuple(c.id for c in condition.commands),
    )


class TickLog:
    """Records ticks and the changes between them for one account and symbol."""

    def __init__(self, desk: Desk, events: Events, recording: Recording) -> None:
        self._desk = desk
        self._events = events
        self._recording = recording
        self._before = _NOTHING
        self._recorded_ms: int | None = None
        self._chain: tuple[str, str | None] | None = None
        self._row_id: int | None = None
        self._texts: set[str] = set()
        self._limits: tuple[Limits, str] | None = None
        self.original: Callable[[str], str | None] | None = None

    def record(
        self,
        now_ms: int,
        recalled: Ledger,
        situation: Situation,
        drifts: Sequence[Drift],
        plan: Plan,
        *,
        reasons: Sequence[str],
        ledger_changed: bool,
    ) -> None:
        """Write what changed since the tick before, and the tick's own row when it is due."""
        now = _quiet(situation, drifts, plan)
        changed = ledger_changed or bool(plan.actions) or now != self._before
        due = self._recorded_ms is None or now_ms - self._recorded_ms >= QUIET_MS
        row_wanted = self._recording == "all" or (self._recording == "changes" and (changed or due))
        self._row_id = None
        if not row_wanted and now == self._before:
            return
        try:
            with self._desk.transaction("recording the tick") as connection:
                self._differences(connection, now_ms, now, situation, drifts, plan)
                if row_wanted:
                    self._row(connection, now_ms, recalled, situation, drifts, plan, reasons)
        except StoreUnavailable:
            self.forget()
            raise
        self._before = now
        self._recorded_ms = now_ms

    def forget(self) -> None:
        """Believe nothing of what a transaction that was rolled back had written."""
        self._chain = self._row_id = self._limits = None
        self._texts.clear()

    def record_outcomes(self, connection: sa.Connection, outcomes: Sequence[Outcome]) -> None:
        """Put the outcomes beside the row of the tick they belong to."""
        if self._row_id is None or self._chain is None:
            return
        text = canonical.json_text(canonical.to_plain(tuple(outcomes), tuple[Outcome, ...]))
        digest = canonical.digest_of_text(text)
        values = {"row_id": self._row_id, "packed": pack(text), "packed_digest": digest}
        connection.execute(_OUTCOMES, values)
        self._chain = (self._chain[0], digest)

    def _differences(
        self,
        connection: sa.Connection,
        now_ms: int,
        now: _Quiet,
        situation: Situation,
        drifts: Sequence[Drift],
        plan: Plan,
    ) -> None:
        before, events = self._before, self._events
        for drift in drifts:
            if (drift.kind.value, drift.order_id) not in before.drifts:
                events.add_drift(connection, now_ms, drift)
        for hold in plan.holds:
            if (hold.rule, hold.reason) not in before.holds:
                events.add_hold(connection, now_ms, hold)
        if now.gates != before.gates:
            events.add_gates(connection, now_ms, plan.gates)
        if now.decision != before.decision or now.refusals != before.refusals:
            self._decisions(connection, now_ms, situation.inbox)

    def _decisions(self, connection: sa.Connection, now_ms: int, inbox: Inbox) -> None:
        insert = upsert(t.decisions, self._desk.dialect, updates=False)
        blank = {"message": None, "field": None, "value": None, "remedy": None}
        decision = inbox.decision
        if decision is not None:
            row = blank | {
                "digest": decision.digest,
                "verdict": "valid",
                "decision_id": decision.id,
                "action": decision.action.value,
                "reason": decision.reason,
                "file_name": decision.file_name,
                "made_ms": decision.made_ms,
                "seen_ms": now_ms,
            }
            if connection.execute(insert, self._desk.owner | row).rowcount > 0:
                text = f"decision {decision.id}: {decision.action} ({decision.reason})"
                self._events.add(connection, now_ms, "seen", "decision", text)
                self._keep_original(connection, decision.digest, now_ms)
        for refusal in inbox.refusals:
            row = {
                "digest": refusal.digest,
                "verdict": refusal.code,
                "decision_id": None,
                "action": None,
                "reason": None,
                "file_name": refusal.file_name,
                "made_ms": refusal.made_ms,
                "seen_ms": refusal.seen_ms,
                "message": refusal.message,
                "field": refusal.field,
                "value": refusal.value,
                "remedy": refusal.remedy,
            }
            if connection.execute(insert, self._desk.owner | row).rowcount > 0:
                text = f"{refusal.file_name}: {refusal.message}"
                self._events.add(connection, now_ms, "refused", refusal.code, text)
                self._keep_original(connection, refusal.digest, now_ms)

    def _keep_original(self, connection: sa.Connection, digest: str, now_ms: int) -> None:
        """Store the document as it came, fields we ignore included (DESIGN section 3)."""
        body = None if self.original is None else self.original(digest)
        if body is not None:
            self.keep_text(connection, f"original:{digest}", "original", body, now_ms)

    def keep_text(
        self, connection: sa.Connection, digest: str, kind: str, body: str, now_ms: int
    ) -> None:
        """Store a text once."""
        if digest in self._texts:
            return
        row = {"digest": digest, "kind": kind, "body": body, "at_ms": now_ms}
        connection.execute(
            upsert(t.texts, self._desk.dialect, updates=False), self._desk.owner | row
        )
        self._texts.add(digest)

    def _row(
        self,
        connection: sa.Connection,
        now_ms: int,
        recalled: Ledger,
        situation: Situation,
        drifts: Sequence[Drift],
        plan: Plan,
        reasons: Sequence[str],
    ) -> None:
        limits_digest = self._limits_digest(connection, situation.limits, now_ms)
        decision = situation.inbox.decision
        decision_digest = None if decision is None else decision.digest
        if decision is not None and decision.digest not in self._texts:
            body = canonical.dumps(decision)
            self.keep_text(connection, decision.digest, "decision", body, now_ms)
        text = canonical.json_text(
            {
                "tick": situation.condition.tick,
                "now_ms": now_ms,
                "reasons": list(reasons),
                "engine_version": __version__,
                "settings": limits_digest,
                "inbox": canonical.to_plain(situation.inbox) | {"decision": decision_digest},
                "ledger": canonical.to_plain(recalled),
                "observation": canonical.to_plain(situation.observation),
                "condition": canonical.to_plain(situation.condition),
                "drifts": canonical.to_plain(tuple(drifts), tuple[Drift, ...]),
                "plan": plan_document(plan),
            }
        )
        previous, outcomes_digest = self._last(connection)
        digest = chained(previous, outcomes_digest, text)
        row = self._desk.owner | {
            "tick": situation.condition.tick,
            "now_ms": now_ms,
            "engine_version": __version__,
            "reasons": " ".join(reasons),
            "settings_digest": limits_digest,
            "decision_digest": decision_digest,
            "actions": len(plan.actions),
            "drifts": len(drifts),
            "body": pack(text),
            "previous_digest": previous,
            "digest": digest,
        }
        key = connection.execute(_INSERT, row).inserted_primary_key
        self._row_id = None if key is None else int(key[0])
        self._chain = (digest, None)

    def _limits_digest(self, connection: sa.Connection, limits: Limits, now_ms: int) -> str:
        if self._limits is None or self._limits[0] != limits:
            text = canonical.dumps(limits)
            digest = canonical.digest_of_text(text)
            self.keep_text(connection, digest, "limits", text, now_ms)
            self._limits = (limits, digest)
        return self._limits[1]

    def _last(self, connection: sa.Connection) -> tuple[str, str | None]:
        """Return the digests the next row is chained to."""
        if self._chain is None:
            found = connection.execute(
                sa.select(t.ticks.c.digest, t.ticks.c.outcomes_digest)
                .where(
                    t.ticks.c.account == self._desk.account, t.ticks.c.symbol == self._desk.symbol
                )
                .order_by(t.ticks.c.id.desc())
                .limit(1)
            ).first()
            self._chain = ("", None) if found is None else (found[0], found[1])
        return self._chain
