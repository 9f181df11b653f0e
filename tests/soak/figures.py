"""What a long run measured, and whether it stayed flat.

Pure. A process's memory, threads and open files must not grow with time; what it writes into logs
must be bounded by what happened, and nearly nothing while nothing happens.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

WARM_SHARE = 0.25
"""The first part of a run is left out: caches fill, the first lives are the first of their kind."""

RSS_GROWTH_MAX_MB = 4.0
RSS_SLOPE_MAX_MB_PER_H = 12.0
THREADS_GROWTH_MAX = 1
HANDLES_GROWTH_MAX = 3
LINES_PER_EVENT_MAX = 4.0
QUIET_LINES_PER_MIN_MAX = 6.0
SLOPE_NEEDS_S = 900.0
"""A slope per hour means little after a few minutes: shorter runs are judged by growth alone."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One look at the keeper's process; ``at_s`` since its first tick."""

    at_s: float
    rss_mb: float
    threads: int
    handles: int
    log_lines: int
    log_bytes: int
    daily_bytes: int
    store_bytes: int
    events: int
    ticks: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """One judgement: what was measured, what it may be at most, and whether it is."""

    name: str
    value: float
    bound: float

    @property
    def ok(self) -> bool:
        """Return whether the bound holds."""
        return self.value <= self.bound

    def document(self) -> dict[str, object]:
        """Return it as JSON."""
        return {
            "name": self.name,
            "value": round(self.value, 3),
            "bound": self.bound,
            "ok": self.ok,
        }


def judge(samples: Sequence[Sample], quiet: Sequence[Sample]) -> tuple[Verdict, ...]:
    """Return what came out; ``quiet`` are samples while nothing was asked of the keeper."""
    warm = list(samples[int(len(samples) * WARM_SHARE) :])
    third = max(len(warm) // 3, 1)
    early, late = warm[:third], warm[-third:]
    first, last = samples[0], samples[-1]
    events = max(last.events - first.events, 1)
    quiet_min = max(quiet[-1].at_s - quiet[0].at_s, 1.0) / 60
    verdicts = [
        Verdict(f"{name}_growth", _grown(name, early, late), bound)
        for name, bound in (
            ("rss_mb", RSS_GROWTH_MAX_MB),
            ("threads", THREADS_GROWTH_MAX),
            ("handles", HANDLES_GROWTH_MAX),
        )
    ]
    lines, quiet_lines = (
        b.log_lines - a.log_lines for a, b in ((first, last), (quiet[0], quiet[-1]))
    )
    verdicts += [
        Verdict("log_lines_per_event", lines / events, LINES_PER_EVENT_MAX),
        Verdict("quiet_log_lines_per_min", quiet_lines / quiet_min, QUIET_LINES_PER_MIN_MAX),
    ]
    if warm[-1].at_s - warm[0].at_s >= SLOPE_NEEDS_S:
        slope = slope_per_s([s.at_s for s in warm], [s.rss_mb for s in warm]) * 3600
        verdicts.append(Verdict("rss_slope_mb_per_h", slope, RSS_SLOPE_MAX_MB_PER_H))
    return tuple(verdicts)


def _grown(name: str, early: Sequence[Sample], late: Sequence[Sample]) -> float:
    def middle(samples: Sequence[Sample]) -> float:
        return float(median(getattr(sample, name) for sample in samples))

    return middle(late) - middle(early)


def slope_per_s(at_s: Sequence[float], values: Sequence[float]) -> float:
    """Return the slope of the line of least squares."""
    count = len(at_s)
    mean_t, mean_v = sum(at_s) / count, sum(values) / count
    spread = sum((t - mean_t) ** 2 for t in at_s)
    if spread == 0:
        return 0.0
    return sum((t - mean_t) * (v - mean_v) for t, v in zip(at_s, values, strict=True)) / spread
