"""When what was refused may be asked for again: at once at first, then ever more rarely.

A new attempt takes the next revision, of which there are many but not endlessly many, and an
exchange that refuses for hours must not be asked four times a second (DESIGN section 7, lessons
10, 38, 47). Protection is given many quick attempts before it is paced.
"""

from __future__ import annotations

from collections.abc import Sequence

from engine.domain.order import Order, OrderStatus
from engine.domain.situation import Situation

WOULD_TRIGGER = -2021
"""The trigger's condition holds already: what it means depends on the purpose (RULES F4)."""

PROTECT_ATTEMPTS = 40
"""Ten seconds of attempts every 250 ms (RULES F11)."""

MANAGE_ATTEMPTS = 4
PAUSE_MIN_MS = 1_000
PAUSE_MAX_MS = 30_000
REACHED_MS = 2_000
"""For how long the exchange's word that a target would trigger stands for price."""


def must_wait(situation: Situation, orders: Sequence[Order], at_once: int) -> bool:
    """Return whether the newest of ``orders``, of one purpose, were all refused, too many of them.

    After ``at_once`` refusals in a row the pause doubles from one second to thirty.
    """
    failed = 0
    newest_first = sorted(orders, key=lambda o: o.id.revision, reverse=True)
    for order in newest_first:
        if order.status is not OrderStatus.REJECTED:
            break
        failed += 1
    if failed <= at_once:
        return False
    last = newest_first[0]
    pause_ms = min(PAUSE_MIN_MS << min(failed - at_once - 1, 10), PAUSE_MAX_MS)
    return situation.now_ms - (last.finished_ms or last.intended_ms) < pause_ms


def would_trigger(orders: Sequence[Order]) -> bool:
    """Return whether the newest of ``orders`` was refused because it would trigger (RULES F4)."""
    if not orders:
        return False
    last = max(orders, key=lambda o: o.id.revision)
    return last.status is OrderStatus.REJECTED and last.code == WOULD_TRIGGER


def was_reached(situation: Situation, orders: Sequence[Order]) -> bool:
    """Return whether the exchange said just now that the newest of these targets would trigger.

    A moment later price tells it better.
    """
    if not would_trigger(orders):
        return False
    last = max(orders, key=lambda o: o.id.revision)
    return situation.now_ms - (last.finished_ms or last.intended_ms) <= REACHED_MS
