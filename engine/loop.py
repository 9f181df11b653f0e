"""When to tick: one queue of reasons, the monotonic clock, signals.

The main thread waits on the queue for at most what is left of the interval, drains it, and ticks
once. Everything else (stream, decision watcher, signals, operator commands, scheduled jobs) only
puts a reason; none touches state, none can make a tick not happen (DESIGN section 2).
"""

from __future__ import annotations

import queue
import signal
import time
from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING

from engine.domain.order import OrderStatus
from engine.domain.terms import Fate
from engine.exchange.budget import interval_factor, share_percent, spread_ms

if TYPE_CHECKING:
    from engine.tick import TickReport

RELOAD = "reload"
"""The reason SIGHUP puts: the configuration is to be read again."""

SOON_MS = 250
IN_A_ROW_MAX = 10
SPARING_PERCENT = 40
"""From this share of the minute's weight on, looks are spread over what is left of the minute."""
SCARCE_PERCENT = 80
"""From here on even those that restore cover are: what is left belongs to them alone."""


def monotonic_ms() -> int:
    """Return the monotonic clock in milliseconds: the only local clock that paces anything."""
    return time.monotonic_ns() // 1_000_000


def wall_guess_ms() -> int:
    """Return the wall clock, only as a first guess of exchange time before it was measured."""
    return time.time_ns() // 1_000_000


class Reasons:
    """The one queue of reasons; safe from threads and from signal handlers."""

    def __init__(self) -> None:
        """Begin empty."""
        self._queue: queue.SimpleQueue[str] = queue.SimpleQueue()

    def put(self, reason: str) -> None:
        """Wake the loop with a reason code."""
        self._queue.put(reason)

    def wait(self, timeout_ms: int) -> tuple[str, ...]:
        """Return every reason there is, waiting at most ``timeout_ms`` for the first."""
        reasons: list[str] = []
        try:
            reasons.append(self._queue.get(timeout=max(timeout_ms, 0) / 1000))
            while True:
                reasons.append(self._queue.get_nowait())
        except queue.Empty:
            return tuple(dict.fromkeys(reasons))


def pace_ms(report: TickReport | None, interval_ms: int, in_a_row: int) -> int:
    """Return how long to wait from the start of this tick to the start of the next.

    At once after a tick that changed something (at most ten in a row), every 250 ms while cover is
    missing, a stop is firing or what was asked for was refused, else the interval (DESIGN section
    2, RULES F11).
    As request weight runs short looks lie further apart, so that it lasts the minute: a keeper
    that may ask nothing more is blind (RULES H4).
    """
    if report is None:
        return interval_ms
    if report.situation.observation.is_unasked:
        return 0  # a stop left on a push alone: the look that asks follows at once
    life = report.ledger.life
    is_missing = (
        life is not None
        and life.is_open
        and (life.uncovered_quantity > 0 or life.crossed_since_ms is not None)
    )
    is_missing = is_missing or any(
        one.gone_ms is None and not one.is_covered for one in report.ledger.aside
    )
    is_missing = is_missing or _is_firing(report)
    condition = report.situation.condition
    used, limit = condition.weight_used, condition.weight_limit
    share, factor = share_percent(used, limit), interval_factor(used, limit)
    now_ms = report.situation.now_ms
    changed = any(o.fate in (Fate.ACCEPTED, Fate.UNKNOWN) for o in report.outcomes)
    if changed and in_a_row < IN_A_ROW_MAX and share < SPARING_PERCENT:
        return 0
    if is_missing or report.outcomes:
        soon_ms = min(SOON_MS, interval_ms)
        if share < SCARCE_PERCENT:
            return soon_ms
        return max(soon_ms, spread_ms(used, limit, now_ms, is_urgent=True))
    paced_ms = interval_ms * factor
    return paced_ms if share < SPARING_PERCENT else max(paced_ms, spread_ms(used, limit, now_ms))


def _is_firing(report: TickReport) -> bool:
    """Return whether a stop hangs in its trigger: cover for a grace only, and no longer (A1)."""
    life, situation = report.ledger.life, report.situation
    if life is None or not life.is_open or life.quantity == 0:
        return False
    return any(
        o.status is OrderStatus.TRIGGERING
        and o.role.is_stop
        and situation.now_ms - (o.triggered_ms or situation.now_ms)
        < situation.limits.trigger_grace_ms
        for o in report.ledger.of_life()
    )


def floor_ms(report: TickReport | None) -> int:
    """Return how long after the start of this tick no reason may start the next.

    None of the reasons is lost meanwhile. A flood of pushes would else spend the minute's weight
    in seconds, and leave a keeper that may ask nothing (RULES H4).
    """
    if report is None:
        return SOON_MS
    condition = report.situation.condition
    share = share_percent(condition.weight_used, condition.weight_limit)
    if share < SPARING_PERCENT:
        return 0
    if share < SCARCE_PERCENT:
        return SOON_MS
    used, limit = condition.weight_used, condition.weight_limit
    return max(SOON_MS, spread_ms(used, limit, report.situation.now_ms, is_urgent=True))


class Loop:
    """Ticks at its own pace until it is told to stop."""

    def __init__(
        self,
        tick: Callable[[tuple[str, ...]], TickReport | None],
        reasons: Reasons,
        *,
        interval_ms: int,
    ) -> None:
        """Call ``tick`` with the reasons of each pass; ``None`` from it means it could not run."""
        self._tick = tick
        self._reasons = reasons
        self._interval_ms = interval_ms
        self._is_stopping = False
        self.overruns = 0

    @property
    def is_stopping(self) -> bool:
        """Return whether it was told to stop."""
        return self._is_stopping

    def stop(self) -> None:
        """End after the tick under way; the stops on the exchange stay."""
        self._is_stopping = True
        self._reasons.put("stop")

    def run(self, ticks: int | None = None) -> int:
        """Tick until stopped, or ``ticks`` times; return how many ticks ran."""
        ran, in_a_row, wait_ms = 0, 0, 0
        reasons: tuple[str, ...] = ("start",)
        while not self._is_stopping and (ticks is None or ran < ticks):
            started_ms = monotonic_ms()
            report = self._tick(reasons)
            ran += 1
            pace = pace_ms(report, self._interval_ms, in_a_row)
            in_a_row = in_a_row + 1 if pace == 0 else 0
            took_ms = monotonic_ms() - started_ms
            self.overruns += took_ms > self._interval_ms
            wait_ms = max(pace - took_ms, 0)
            if ticks is None or ran < ticks:
                reasons = self._reasons.wait(wait_ms) or ("interval" if pace else "changed",)
                reasons = self._held_until(started_ms + floor_ms(report), reasons)
        return ran

    def _held_until(self, until_ms: int, reasons: tuple[str, ...]) -> tuple[str, ...]:
        """Wait for that moment of the monotonic clock, or the end, gathering what comes."""
        while not self._is_stopping and (left_ms := until_ms - monotonic_ms()) > 0:
            reasons = tuple(dict.fromkeys((*reasons, *self._reasons.wait(left_ms))))
        return reasons

    def keep_pace(self, interval_ms: int) -> None:
        """Take another interval from the next wait on."""
        self._interval_ms = interval_ms

    def listen_to_signals(self, hurry: Callable[[], None] | None = None) -> None:
        """Let SIGTERM and SIGINT end the loop after the tick under way, SIGHUP ask for a reload.

        The second of them calls ``hurry``: the tick waits for no answer any more, records what is
        known, and the loop ends (DESIGN section 2).
        """

        def leave(_number: int, _frame: FrameType | None) -> None:
            if self._is_stopping and hurry is not None:
                hurry()
            self.stop()

        signal.signal(signal.SIGTERM, leave)
        signal.signal(signal.SIGINT, leave)

        def read_again(_number: int, _frame: FrameType | None) -> None:
            self._reasons.put(RELOAD)

        signal.signal(signal.SIGHUP, read_again)
