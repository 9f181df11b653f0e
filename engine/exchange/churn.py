"""How often orders may be placed: a keeper that goes round in circles is stopped by counting.

Only what enters or manages is counted and capped; protection never is (RULES H4; lessons 10, 47).
No rule of the keeper comes near these numbers; reaching one means that something does not converge,
so it is an alarm as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from engine.domain.terms import ActionClass

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
CAPS: Mapping[ActionClass, tuple[int, int]] = {
    ActionClass.ENTER: (20, 200),
    ActionClass.MANAGE: (40, 400),
}
"""Orders placed within a minute and within an hour, by class."""


@dataclass(frozen=True, slots=True)
class Churn:
    """When orders of the capped classes were placed, within the last hour (exchange time)."""

    placed: tuple[tuple[ActionClass, int], ...] = ()

    def is_over(self, action_class: ActionClass, now_ms: int) -> bool:
        """Return whether the class has placed as many orders as it may for now."""
        cap = CAPS.get(action_class)
        if cap is None or not self.placed:
            return False
        mine = [at_ms for kind, at_ms in self.recent(now_ms) if kind is action_class]
        last_minute = sum(now_ms - at_ms < MINUTE_MS for at_ms in mine)
        return last_minute >= cap[0] or len(mine) >= cap[1]

    def recent(self, now_ms: int) -> list[tuple[ActionClass, int]]:
        """Return what is no older than an hour, and does not lie ahead of a clock set back."""
        return [one for one in self.placed if 0 <= now_ms - one[1] < HOUR_MS]

    def over(self, now_ms: int) -> tuple[ActionClass, ...]:
        """Return the classes that may place nothing for now."""
        return tuple(kind for kind in CAPS if self.is_over(kind, now_ms))


def after_placing(state: Churn, action_class: ActionClass, now_ms: int) -> Churn:
    """Return the state after one more order of this class left."""
    if action_class not in CAPS:
        return state
    return Churn((*state.recent(now_ms), (action_class, now_ms)))
