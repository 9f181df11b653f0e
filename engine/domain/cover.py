"""How much of a position its stops reach, and at which level (RULES A1 to A3).

Knows no ledger: ``keeper verify``, the planner and the reconciliation judge by the same few lines.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from functools import cmp_to_key

from engine.domain.numbers import ZERO
from engine.domain.order import Order, OrderReport, OrderStatus
from engine.domain.terms import OrderSide, OrderType, Side


@dataclass(frozen=True, slots=True)
class CoverStop:
    """One covering stop: its trigger and how much it closes (None: everything)."""

    trigger_price: Decimal
    quantity: Decimal | None


@dataclass(frozen=True, slots=True)
class Cover:
    """What the stops reach: the covered quantity and the worst trigger needed for it."""

    quantity: Decimal
    level: Decimal | None


def cover_of(side: Side, quantity: Decimal, stops: Iterable[CoverStop]) -> Cover:
    """Return the cover of a position of ``quantity``, tightest stops taken first (RULES A3)."""

    def order(a: CoverStop, b: CoverStop) -> int:
        gain = side.gain(b.trigger_price, a.trigger_price)
        return -1 if gain > 0 else int(gain < 0)

    covered, level = ZERO, None
    for stop in sorted(stops, key=cmp_to_key(order)):
        if covered >= quantity:
            break
        reach = quantity if stop.quantity is None else stop.quantity
        covered = min(quantity, covered + reach)
        level = stop.trigger_price
    return Cover(covered, level)


def is_covering(
    report: OrderReport, closing_side: OrderSide, now_ms: int, trigger_grace_ms: int
) -> bool:
    """Return whether a reported order is a covering order of RULES A1.

    An exit-side STOP_MARKET, reduce-only or closePosition, resting, or triggering for less than
    the grace. Plain stops, stop-limits, trailing and target orders never count.
    """
    if report.side is not closing_side or report.type is not OrderType.STOP_MARKET:
        return False
    if not (report.reduce_only or report.close_position) or report.trigger_price is None:
        return False
    if report.status is OrderStatus.WORKING:
        return True
    firing = report.status in (OrderStatus.TRIGGERING, OrderStatus.TRIGGERED)
    return firing and now_ms - report.updated_ms < trigger_grace_ms


def closes_side(report: OrderReport, side: Side) -> bool:
    """Return whether a reported stop closes the whole ``side`` of a hedge-mode account (H3).

    The exchange takes one of them a direction, whoever owns it.
    """
    return (
        report.close_position
        and report.type is OrderType.STOP_MARKET
        and report.side is side.closing
        and report.position_side in (None, side)
        and report.status is OrderStatus.WORKING
    )


def covers_now(order: Order, now_ms: int, trigger_grace_ms: int) -> bool:
    """Return whether an own stop rests by evidence, or fired a moment ago (RULES A1, C1)."""
    if not order.is_confirmed_resting:
        return False
    if order.status is OrderStatus.WORKING:
        return True
    return now_ms - (order.triggered_ms or now_ms) < trigger_grace_ms


def is_behind(side: Side, level: Decimal, price: Decimal) -> bool:
    """Return whether ``price`` has reached or passed a stop ``level`` of a ``side`` position."""
    return side.gain(level, price) <= 0
