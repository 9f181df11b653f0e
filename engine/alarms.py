"""Alarms: what is wrong becomes an event when it begins, now and then while it lasts, at its end.

Invariants: one event per change, never one per tick; what flickers is one alarm; an alarm that the
store cannot take goes to whoever follows the events by another way. After the tick, never in it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from engine.domain.errors import StoreUnavailable
from engine.followers.happening import ALARM, Happening, Stage
from engine.store.store import Store
from engine.tick import TickReport
from engine.vitals import troubles

QUIET_MS = 10_000
"""An alarm is over when it was not seen for this long; until then a return is the same alarm."""

REMIND_MS = 3_600_000
"""How often an alarm that stands is said again."""

URGENT_MS = 60_000
URGENT = frozenset({"uncovered", "closing_for_long"})
"""What is said again every minute (RULES F11): money is at risk while it stands."""

GRACE_MS = {
    "exchange_unreachable": 5_000,
    "rate_limited": 5_000,
    "suspended": 5_000,
    "uncovered": 1_000,
}
"""What must last this long before it is an alarm: a single lost answer wakes nobody (lesson 43)."""

KIND = "seen"
"""The kind of these events: something the keeper saw."""


@dataclass(slots=True)
class _Trouble:
    """One thing that is wrong; ``said_ms`` None: not an alarm yet."""

    since_ms: int
    seen_ms: int
    detail: str
    said_ms: int | None = None


class Alarms:
    """Watches the troubles of one keeper from tick to tick."""

    def __init__(self, store: Store, tell: Callable[[Happening], None]) -> None:
        """Write into ``store``, or hand to ``tell`` what cannot be written."""
        self._store = store
        self._tell = tell
        self._troubles: dict[str, _Trouble] = {}

    def look(self, report: TickReport) -> None:
        """Raise, repeat and clear what this tick shows; halts speak for themselves."""
        now_ms = report.now_ms
        halted = {halt.code for halt in report.situation.condition.halts}
        present = {c: detail for c, detail in troubles(report.situation) if c not in halted}
        for code, detail in present.items():
            trouble = self._troubles.setdefault(code, _Trouble(now_ms, now_ms, detail))
            trouble.seen_ms, trouble.detail = now_ms, detail
            stage = _due(code, trouble, now_ms)
            if stage is not None:
                trouble.said_ms = now_ms
                self._say(report, code, stage, trouble)
        for code in [c for c in self._troubles if c not in present]:
            trouble = self._troubles[code]
            if trouble.said_ms is None:
                del self._troubles[code]
            elif now_ms - trouble.seen_ms >= QUIET_MS:
                del self._troubles[code]
                self._say(report, code, Stage.CLEARED, trouble)

    def since_ms(self, code: str) -> int | None:
        """Return since when something is wrong, None when it is not, or a halt says it itself."""
        trouble = self._troubles.get(code)
        return None if trouble is None else trouble.since_ms

    def _say(self, report: TickReport, code: str, stage: Stage, trouble: _Trouble) -> None:
        lasted_s = (trouble.seen_ms - trouble.since_ms) / 1000
        text = {
            Stage.RAISED: f"alarm: {code}: {trouble.detail}",
            Stage.STANDING: f"alarm stands for {lasted_s:.0f} s: {code}: {trouble.detail}",
            Stage.CLEARED: f"over after {lasted_s:.0f} s: {code}",
        }[stage]
        data = {ALARM: stage.value, "since_ms": trouble.since_ms}
        life = report.ledger.life
        condition = report.situation.condition
        if condition.is_store_writable:
            try:
                self._store.note(report.now_ms, KIND, code, text, data=data)
            except StoreUnavailable:
                pass
            else:
                return
        self._tell(
            Happening(
                id=0,
                at_ms=report.now_ms,
                tick=condition.tick,
                kind=KIND,
                reason=code,
                text=text,
                symbol=self._store.desk.symbol,
                account=self._store.desk.account,
                generation=None if life is None else life.generation,
                decision_id=None if life is None else life.decision_id,
                alarm=stage,
                data=data,
            )
        )


def _due(code: str, trouble: _Trouble, now_ms: int) -> Stage | None:
    """Return what is to be said of a trouble that is present, None for nothing."""
    if trouble.said_ms is None:
        grace_ms = GRACE_MS.get(code, 0)
        return Stage.RAISED if now_ms - trouble.since_ms >= grace_ms else None
    every_ms = URGENT_MS if code in URGENT else REMIND_MS
    return Stage.STANDING if now_ms - trouble.said_ms >= every_ms else None
