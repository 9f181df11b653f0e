"""What stood when: cuts from something that holds from one entry of the log to the next.

Each item holds until the next one: a stretch begins with the one that stood when it began.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import Protocol, TypeVar


class Dated(Protocol):
    """Something with its place in the log."""

    @property
    def n(self) -> int:
        """Return the number of its entry."""

    @property
    def at_ms(self) -> int:
        """Return its moment."""


Item = TypeVar("Item", bound=Dated)


def during(items: Sequence[Item], from_n: int, until_n: int) -> Sequence[Item]:
    """Return what stood between two entries of the log, oldest first."""
    first = max(bisect_left(items, from_n, key=_number) - 1, 0)
    return items[first : bisect_left(items, until_n, key=_number)]


def between(items: Sequence[Item], from_ms: int, until_ms: int) -> Sequence[Item]:
    """Return what stood at some moment of that stretch of time, oldest first."""
    first = max(bisect_right(items, from_ms, key=_moment) - 1, 0)
    return items[first : bisect_right(items, until_ms, key=_moment)]


def _number(item: Dated) -> int:
    return item.n


def _moment(item: Dated) -> int:
    return item.at_ms
