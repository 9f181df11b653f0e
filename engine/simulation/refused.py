"""What the exchange refused, where it changes what a keeper may do: stops, and stops while flat.

An account that refuses a stop while flat is entered without one (RULES E9), until it takes one; a
floor that was refused does not rest. Both are read from the venue's log.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence

from engine.domain.identity import FOREIGN_HASH, OrderRole
from engine.simulation.checkers import STOPS, History
from engine.simulation.requests import Request

WHILE_FLAT = frozenset({-4509, -2022, -4118})
"""Refusals that say: no position, no such stop."""

UNSEEN_MS = 3_000
"""How long reads of a position may lag (RULES C2)."""


class Refusals:
    """Refused stops of ours over time."""

    def __init__(
        self, history: History, requests: Sequence[Request], *, takes_none: bool = False
    ) -> None:
        """Read every stop sent; ``history`` tells whether the account was flat then.

        ``takes_none``: before the first one the account is known to take no stop while flat.
        """
        pictures = history.pictures()
        starts = [picture.at_ms for picture in pictures]
        self._at: list[int] = [0]
        self._refuses: list[bool] = [takes_none]
        self._floors: list[tuple[int, int]] = []
        self._failed: list[int] = []
        self._are_ours: list[bool] = []
        for request in requests:
            own = request.own_id
            if request.verb != "POST" or own is None:
                continue
            if own.role in STOPS and not request.is_answered:
                self._failed.append(request.at_ms)
                self._are_ours.append(own.decision_hash != FOREIGN_HASH)
            if own.role is OrderRole.STOP_FLOOR and not request.is_answered:
                self._floors.append((request.at_ms, own.generation))
            if own.role is not OrderRole.STOP_PRIMARY:
                continue
            first = max(bisect_right(starts, request.at_ms - UNSEEN_MS) - 1, 0)
            recent = pictures[first : bisect_right(starts, request.at_ms)]
            if any(picture.position != 0 for picture in recent):
                continue  # the keeper need not have known that the account was flat
            if request.code in WHILE_FLAT or request.status == 200:
                self._at.append(request.at_ms)
                self._refuses.append(request.status != 200)

    def while_flat(self, at_ms: int) -> bool:
        """Return whether the account was last heard to take no stop while flat."""
        return self._refuses[bisect_right(self._at, at_ms) - 1]

    def of_floor(self, generation: int, until_ms: int) -> bool:
        """Return whether a floor of this life was refused, or its fate unknown, by then."""
        return any(at_ms <= until_ms and g == generation for at_ms, g in self._floors)

    def within(self, from_ms: int, until_ms: int) -> Sequence[int]:
        """Return when stops of ours failed in that stretch of time."""
        return self._failed[self._stretch(from_ms, until_ms)]

    def are_for_somebody(self, from_ms: int, until_ms: int) -> bool:
        """Return whether every stop that failed in that stretch was for a position not ours."""
        return not any(self._are_ours[self._stretch(from_ms, until_ms)])

    def _stretch(self, from_ms: int, until_ms: int) -> slice:
        return slice(bisect_left(self._failed, from_ms), bisect_right(self._failed, until_ms))
