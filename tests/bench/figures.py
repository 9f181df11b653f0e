"""One measured figure: its samples, its goal, and whether it was met."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

Row = dict[str, object]


@dataclass(frozen=True, slots=True)
class Goal:
    """A bound on the median; ``at_most`` false means at least."""

    bound: float
    at_most: bool = True

    def __str__(self) -> str:
        """Return the goal as contracts.md spells it."""
        return f"{'<=' if self.at_most else '>='} {self.bound:g}"

    def is_met(self, value: float) -> bool:
        """Return whether ``value`` keeps the bound."""
        return value <= self.bound if self.at_most else value >= self.bound


def figure(name: str, unit: str, samples: Sequence[float], goal: Goal | None = None) -> Row:
    """Return one row of ``keeper/bench/1``; the goal is judged by the median."""
    ordered = sorted(samples)
    median = statistics.median(ordered)
    return {
        "name": name,
        "unit": unit,
        "n": len(ordered),
        "median": round(median, 4),
        "p95": round(_quantile(ordered, 0.95), 4),
        "p99": round(_quantile(ordered, 0.99), 4),
        "goal": None if goal is None else str(goal),
        "met": None if goal is None else goal.is_met(median),
    }


def _quantile(ordered: Sequence[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
