"""Who may still spend request weight: entries stop first, protection never (RULES H4).

Weight is counted by the exchange per address, orders per account. Inside a 429/418 period nothing
is sent by any class.
"""

from __future__ import annotations

from engine.domain.observation import Topic
from engine.domain.terms import ActionClass
from engine.exchange.port import Usage

WEIGHT_SHARE_PERCENT = {
    ActionClass.ENTER: 50,
    ActionClass.MANAGE: 65,
    ActionClass.RECONCILE: 80,
}
ORDER_SHARE_PERCENT = 80  # the rest of each order counter is protection's
COVER_TOPICS = frozenset(
    {
        Topic.POSITION,
        Topic.OPEN_ORDERS,
        Topic.OPEN_ALGO_ORDERS,
        Topic.ORDER,
        Topic.MARK_PRICE,
        Topic.CANDLES,
        Topic.FILLS,
    }
)
COVER_READ_WEIGHT = 20  # one look at all of them
LOOK_WEIGHT = 10
"""A watchful look: position 5, both lists, mark and candles 1 each, sometimes the quote."""

STRETCH_PERCENT = (30, 40)
ORDINARY_PERCENT = 95
MINUTE_MS = 60_000


def refusal(
    action_class: ActionClass, usage: Usage, now_ms: int, *, is_order: bool = False
) -> str | None:
    """Return why a request of this class may not leave now, or None when it may.

    ``is_order`` tells that the request also counts as an order.
    """
    if now_ms < usage.blocked_until_ms:
        return f"blocked: the exchange asked for silence until {usage.blocked_until_ms}"
    if action_class is ActionClass.PROTECT:
        return None
    share = WEIGHT_SHARE_PERCENT[action_class]
    if usage.weight_used * 100 >= usage.weight_limit * share:
        return f"budget: weight {usage.weight_used} of {usage.weight_limit} reached {share} %"
    if is_order and _orders_are_short(usage):
        return f"budget: orders {usage.orders_10s} in 10 s, {usage.orders_1m} in 1 min"
    return None


def refusal_to_ask(topic: Topic, usage: Usage, now_ms: int) -> str | None:
    """Return why a question may not be asked now, or None when it may.

    What cover is judged from is read as protection, until the exchange itself would refuse.
    """
    if topic not in COVER_TOPICS:
        return refusal(ActionClass.RECONCILE, usage, now_ms)
    if usage.weight_used + COVER_READ_WEIGHT > usage.weight_limit:
        return f"budget: weight {usage.weight_used} of {usage.weight_limit} is spent"
    return refusal(ActionClass.PROTECT, usage, now_ms)


def interval_factor(weight_used: int, weight_limit: int) -> int:
    """Return by how much the tick stretches (1, 2 or 3) before any class has to stop."""
    percent = share_percent(weight_used, weight_limit)
    return 1 + sum(percent >= limit for limit in STRETCH_PERCENT)


def share_percent(weight_used: int, weight_limit: int) -> int:
    """Return how much of the minute's weight is used, in percent, rounded down."""
    return weight_used * 100 // max(weight_limit, 1)


def spread_ms(weight_used: int, weight_limit: int, now_ms: int, *, is_urgent: bool = False) -> int:
    """Return how far apart looks must lie to last until the minute's end, a look kept in reserve.

    Ordinary looks leave a little to urgent ones, as long as anything else is left.
    ``now_ms`` is exchange time: the exchange counts by whole minutes of it.
    """
    left_ms = MINUTE_MS - now_ms % MINUTE_MS
    ordinary = weight_limit * ORDINARY_PERCENT // 100 - weight_used
    looks = 0 if is_urgent else max(ordinary, 0) // LOOK_WEIGHT
    looks = looks or (weight_limit - weight_used - COVER_READ_WEIGHT) // LOOK_WEIGHT
    return left_ms // looks if looks > 0 else left_ms


def _orders_are_short(usage: Usage) -> bool:
    share = ORDER_SHARE_PERCENT
    return (
        usage.orders_10s * 100 >= usage.orders_10s_limit * share
        or usage.orders_1m * 100 >= usage.orders_1m_limit * share
    )
