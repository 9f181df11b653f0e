"""When the keeper looked and when it acted, from the requests in the venue's log.

A gate is judged by what the keeper could see: what stood at its last answered look of that kind,
or since. Only answers that no fault touched count as looks, so that nothing is taken for known
that may have been lost.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from engine.domain.identity import ClientOrderId, OrderRole
from engine.simulation.requests import CLOCK_REFUSED, Request

POST_ONLY_REFUSED = -5022
Life = tuple[str, int]
"""Decision and generation: with a store the count is lost of lives that nothing showed."""


class Topic(StrEnum):
    """What was looked at, by the end of the path."""

    BOOK = "/bookTicker"
    CANDLES = "/klines"
    ACCOUNT = "/account"
    INCOME = "/income"


@dataclass(frozen=True, slots=True)
class Act:
    """Something at its place in the log."""

    n: int
    at_ms: int


class Looks:
    """Every look of a kind, every first sending of an order, and when each life was armed."""

    def __init__(self, requests: Iterable[Request] = ()) -> None:
        """Take every request, oldest first."""
        self._looks: dict[Topic, list[Act]] = {topic: [] for topic in Topic}
        self._sent: dict[str, Act] = {}
        self._armed: dict[Life, Act] = {}
        self._rearmed: set[Life] = set()
        self._turned_away: dict[Life, Act] = {}
        for request in requests:
            here = Act(request.n, request.at_ms)
            if request.verb == "POST":
                self._sent.setdefault(request.client_id, here)
                own = request.own_id
                if own is not None and request.code == POST_ONLY_REFUSED:
                    self._turned_away.setdefault(life_of(own), here)
                if own is not None and own.role is OrderRole.STOP_PRIMARY:
                    is_late = own.revision > 1 or request.code == CLOCK_REFUSED
                    if life_of(own) not in self._armed and is_late:
                        self._rearmed.add(life_of(own))
                    self._armed.setdefault(life_of(own), here)
            elif request.verb == "GET" and request.status == 200 and not request.fault:
                for topic in Topic:
                    if request.path.endswith(topic):
                        self._looks[topic].append(here)

    def last(self, topic: Topic, act: Act, old_ms: int) -> Act | None:
        """Return the last look before ``act``, None when there was none so shortly before."""
        looks = self._looks[topic]
        index = bisect_left(looks, act.n, key=lambda look: look.n) - 1
        if index < 0 or looks[index].at_ms < act.at_ms - old_ms:
            return None
        return looks[index]

    def every(self, topic: Topic, from_ms: int, until_n: int) -> Sequence[Act]:
        """Return the looks since a moment, up to an entry of the log."""
        looks = self._looks[topic]
        last = bisect_left(looks, until_n, key=lambda look: look.n)
        return looks[bisect_left(looks, from_ms, key=lambda look: look.at_ms) : last]

    def sent(self, client_id: str, placed: Act) -> Act:
        """Return when an order was first sent, at the latest when it was placed."""
        sent = self._sent.get(client_id, placed)
        return sent if sent.n < placed.n else placed

    def armed(self, own: ClientOrderId, before: Act) -> Act | None:
        """Return when the stop of a life was first sent, None when that was not before."""
        armed = self._armed.get(life_of(own))
        return armed if armed is not None and armed.n < before.n else None

    def turned_away(self, own: ClientOrderId, before: Act) -> Act | None:
        """Return when a life's entry was first refused as post-only: a chase follows (E7)."""
        refused = self._turned_away.get(life_of(own))
        return refused if refused is not None and refused.n < before.n else None

    def was_armed_before(self, own: ClientOrderId) -> bool:
        """Return whether a stop was decided for this life that never left its keeper, or too late.

        Who had to die, or stood still, in the middle of the call.
        """
        return life_of(own) in self._rearmed


def life_of(own: ClientOrderId) -> Life:
    """Return which life an order of ours belongs to."""
    return own.decision_hash, own.generation
