"""The inbox as the planner sees it: the newest valid decision, what was refused, what suspends.

Invariants: `Intake.look` never raises for anything a file or folder can do; a refusal is reported
once; entries are suspended from the first sight of a newer refused document until a valid newer
one is there, even if the refused one disappears (RULES D4).

A refused document whose timestamp cannot be read, or lies in the future, is taken for newer when
its file was written no earlier than the winner's: both by the file system's clock, so that neither
ours nor the writer's matters. That errs towards suspending.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace
from pathlib import Path

from engine.domain.decision import Decided, Decision, Inbox, Refusal
from engine.domain.limits import Limits
from engine.intake.document import Document
from engine.intake.folder import Folder
from engine.intake.liquidation_map import LiquidationMap
from engine.intake.refusals import Code, Fault
from engine.intake.reports import fault_of_order, map_refusal, moment_of, refusal
from engine.intake.suspension import Candidate, Suspension

_REFUSALS_PER_LOOK = 50
_SHOWN_MAX = 8_192
_TEXT_BYTES_MAX = 16 << 20


class Intake:
    """Reads decisions for one symbol from one file or folder."""

    def __init__(self, path: Path, symbol: str, limits: Limits) -> None:
        """Read from ``path``; ``limits`` says how far ahead a timestamp may be."""
        self._folder = Folder(path, symbol)
        self._future_ms = limits.decision_future_ms
        self._valid: tuple[Candidate, ...] = ()
        self._faulty: tuple[Candidate, ...] = ()
        self._suspensions: dict[str, Suspension] = {}
        self._shown: OrderedDict[tuple[str, Code], None] = OrderedDict()
        self._texts: OrderedDict[str, str] = OrderedDict()
        self._text_bytes = 0
        self._has_looked = False
        self._trouble_since_ms: int | None = None
        self._decision: Decision | None = None
        self._looks = 0

    def look(self, now_ms: int, adopted_ms: int) -> Inbox:
        """Return what the inbox says at ``now_ms`` (exchange time).

        ``adopted_ms`` is the timestamp of the decision adopted last, 0 for none. Files come and
        go as they please; what goes wrong is in ``Inbox.problem``.
        """
        try:
            new, is_changed = self._folder.refresh()
        except OSError as error:
            return self._troubled(error, now_ms)
        self._trouble_since_ms = None
        if is_changed or not self._has_looked:
            self._sort(new)
        late = self._overtaken(new, adopted_ms) if self._has_looked else []
        self._has_looked = True

        ahead, winner, losers = self._pick(now_ms)
        if winner is not None and (winner.document.made_ms or 0) < adopted_ms:
            late = [winner, *(c for c in late if c is not winner)]
            winner = None
        self._suspend(now_ms, adopted_ms, ahead, winner)

        refused = [(c, c.document.fault) for c in self._faulty]
        refused += [(c, self._future_fault(c, now_ms)) for c in ahead]
        refused += [(c, fault_of_order(Code.OLDER_THAN_ADOPTED, c)) for c in late]
        refused += [(c, fault_of_order(Code.SAME_TIMESTAMP, c)) for c in losers]
        decision = self._decided(winner)
        return Inbox(
            decision=decision,
            refusals=self._unshown(refused, now_ms),
            suspended_since_ms=min((s.since_ms for s in self._suspensions.values()), default=None),
            reads_flat=(decision is not None and decision.action is Decided.FLAT)
            or any(s.reads_flat for s in self._suspensions.values()),
            consecutive_looks=self._looks,
            problem=self._file_problem(),
        )

    def original(self, digest: str) -> str | None:
        """Return the text of a document seen lately, for the store; None when it is forgotten."""
        return self._texts.get(digest)

    def _sort(self, new: set[str]) -> None:
        """Put what the files say in order, newest first, and keep the new texts."""
        valid: list[Candidate] = []
        faulty: list[Candidate] = []
        for held in self._folder.files.values():
            if isinstance(held.document, Document):
                candidate = Candidate(held.document, held.modified_ns)
                (faulty if candidate.document.decision is None else valid).append(candidate)
        self._valid = tuple(sorted(valid, key=lambda c: c.order, reverse=True))
        self._faulty = tuple(sorted(faulty, key=lambda c: c.modified_ns, reverse=True))
        for candidate in reversed((*self._valid, *self._faulty)):
            if candidate.document.name in new:
                self._keep(candidate.document.digest, candidate.document.text)
        if self._folder.chart is not None:
            self._keep(self._folder.chart.document.digest, self._folder.chart.document.text)

    def _keep(self, digest: str, text: str) -> None:
        """Keep a text, within a budget; the oldest leave first."""
        if digest in self._texts:
            self._texts.move_to_end(digest)
            return
        self._texts[digest] = text
        self._text_bytes += len(text)
        while self._text_bytes > _TEXT_BYTES_MAX and len(self._texts) > 1:
            _, oldest = self._texts.popitem(last=False)
            self._text_bytes -= len(oldest)

    def _overtaken(self, new: set[str], adopted_ms: int) -> list[Candidate]:
        """Return valid documents that arrived now and are older than what was adopted.

        At the first look older documents are history, not arrivals.
        """
        if not new:
            return []
        return [
            c
            for c in self._valid
            if c.document.name in new and (c.document.made_ms or 0) < adopted_ms
        ]

    def _pick(self, now_ms: int) -> tuple[list[Candidate], Candidate | None, list[Candidate]]:
        """Return what is from the future, the newest of the rest, and what shares its moment."""
        ahead: list[Candidate] = []
        winner: Candidate | None = None
        losers: list[Candidate] = []
        for candidate in self._valid:
            if (candidate.document.made_ms or 0) > now_ms + self._future_ms:
                ahead.append(candidate)
            elif winner is None:
                winner = candidate
            elif candidate.document.made_ms != winner.document.made_ms:
                break
            elif candidate.document.digest != winner.document.digest:
                losers.append(candidate)
        return ahead, winner, losers

    def _suspend(
        self,
        now_ms: int,
        adopted_ms: int,
        ahead: list[Candidate],
        winner: Candidate | None,
    ) -> None:
        """Begin and lift suspensions (RULES D4)."""
        self._suspensions = {
            digest: suspension
            for digest, suspension in self._suspensions.items()
            if not suspension.is_lifted_by(winner)
        }
        for candidate in (*self._faulty, *ahead):
            document = candidate.document
            if document.is_ours is False or document.digest in self._suspensions:
                continue
            made_ms = document.made_ms
            if made_ms is not None and made_ms > now_ms + self._future_ms:
                made_ms = None
            suspension = Suspension(
                document.name, made_ms, candidate.modified_ns, now_ms, document.reads_flat
            )
            is_old = made_ms is not None and made_ms < adopted_ms
            if not is_old and not suspension.is_lifted_by(winner):
                self._suspensions[document.digest] = suspension

    def _decided(self, winner: Candidate | None) -> Decision | None:
        """Return the winner's decision with its zones, and count the looks that gave it."""
        decision = None if winner is None else winner.document.decision
        before = self._decision
        if winner is not None and decision is not None and not winner.document.has_zones:
            decision = self._with_map(decision, before)
        is_same = decision is not None and before is not None and decision.digest == before.digest
        self._looks = 0 if decision is None else self._looks + 1 if is_same else 1
        self._decision = decision
        return decision

    def _with_map(self, decision: Decision, before: Decision | None) -> Decision:
        chart = self._folder.chart
        zones = (
            chart.document.zones
            if chart is not None and isinstance(chart.document, LiquidationMap)
            else ()
        )
        if not zones or decision.action is Decided.FLAT:
            return decision
        if before is not None and before.digest == decision.digest and before.zones is zones:
            return before
        return replace(decision, zones=zones)

    def _unshown(
        self, refused: list[tuple[Candidate, Fault | None]], now_ms: int
    ) -> tuple[Refusal, ...]:
        """Return the refusals nobody has seen yet; what exceeds a look's share comes next time."""
        refusals: list[Refusal] = []
        for candidate, fault in refused:
            document = candidate.document
            if fault is not None and self._is_new(document.digest, fault.code, len(refusals)):
                suspends = document.digest in self._suspensions
                refusals.append(refusal(document, fault, now_ms=now_ms, suspends=suspends))
        chart = self._folder.chart
        if chart is not None and isinstance(chart.document, LiquidationMap):
            fault = chart.document.fault
            if fault is not None and self._is_new(chart.document.digest, fault.code, 0):
                refusals.append(map_refusal(chart.document, fault, now_ms))
        return tuple(refusals)

    def _is_new(self, digest: str, code: Code, reported: int) -> bool:
        if (digest, code) in self._shown or reported >= _REFUSALS_PER_LOOK:
            return False
        self._shown[digest, code] = None
        while len(self._shown) > max(_SHOWN_MAX, 2 * len(self._folder.files)):
            self._shown.popitem(last=False)
        return True

    def _future_fault(self, candidate: Candidate, now_ms: int) -> Fault:
        ahead_s = ((candidate.document.made_ms or 0) - now_ms) / 1000
        text = f"{ahead_s:.1f} s ahead of exchange time, {self._future_ms / 1000:g} s are allowed"
        return Fault(Code.FROM_FUTURE, text, "timestamp_iso", moment_of(candidate.document))

    def _troubled(self, error: OSError, now_ms: int) -> Inbox:
        """Answer for an unreadable folder: what was decided stays, entries are suspended."""
        if self._trouble_since_ms is None:
            self._trouble_since_ms = now_ms
        self._looks = 0
        path = self._folder.path
        reason = error.strerror or type(error).__name__
        return Inbox(
            decision=self._decision,
            suspended_since_ms=min(
                self._trouble_since_ms, *(s.since_ms for s in self._suspensions.values())
            )
            if self._suspensions
            else self._trouble_since_ms,
            reads_flat=any(s.reads_flat for s in self._suspensions.values()),
            problem=f"{path} cannot be read: {reason}; create it, let this user read it, "
            "or set `decisions` to another file or folder",
        )

    def _file_problem(self) -> str | None:
        """Return a sentence about a file that is there and cannot be opened."""
        for candidate in self._faulty:
            fault = candidate.document.fault
            if fault is not None and fault.code is Code.UNREADABLE_FILE:
                return f"{self._folder.path}: {fault.message}; {fault.remedy}"
        return None
