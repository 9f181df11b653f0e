"""One measured figure: its samples, its goal, and whether it was met."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Row = dict[str, object]


@dataclass(frozen=True, slots=True)
class Goal:
    """A bound on the median, unless judged by another; ``at_most`` false means at least."""

    bound: float
    at_most: bool = True

    def __str__(self) -> str:
        """Return the goal as contracts.md spells it."""
        return f"{'<=' if self.at_most else '>='} {self.bound:g}"

    def is_met(self, value: float) -> bool:
        """Return whether ``value`` keeps the bound."""
        return value <= self.bound if self.at_most else value >= self.bound


def figure(
    name: str,
    unit: str,
    samples: Sequence[float],
    goal: Goal | None = None,
    *,
    judged: Literal["median", "p95"] = "median",
) -> Row:
    """Return one row of ``keeper/bench/1``; the goal is held against the ``judged`` value."""
    ordered = sorted(samples)
    median, p95 = statistics.median(ordered), _quantile(ordered, 0.95)
    return {
        "name": name,
        "unit": unit,
        "n": len(ordered),
        "median": round(median, 4),
        "p95": round(p95, 4),
        "p99": round(_quantile(ordered, 0.99), 4),
        "goal": None if goal is None else str(goal),
        "met": None if goal is None else goal.is_met(p95 if judged == "p95" else median),
    }


def _quantile(ordered: Sequence[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
