"""Cover judged from the exchange alone: by somebody who has read neither the plan nor the store.

Invariants: a verdict needs two reads that agree, the second begun after the first had ended; what
cannot be read is ``unknown``, never ``covered``; every open order is either counted or listed with
the reason why not (contracts.md, verify; RULES A1, A3).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from engine.domain.errors import Indeterminate, Rejected
from engine.domain.numbers import ZERO
from engine.domain.observation import MarkQuote, Question, Topic
from engine.domain.order import OrderReport, OrderStatus
from engine.domain.position import PositionReport
from engine.domain.terms import OrderType, Side
from engine.exchange.port import Answer, Exchange

ATTEMPTS = 5
PAUSE_S = 0.2
PATIENCE_MS = 5_000
TRIGGER_GRACE_MS = 2_000
_CREDENTIAL_CODES = frozenset({-2014, -2015, -1022})
_QUESTIONS = tuple(
    Question(topic)
    for topic in (Topic.POSITION, Topic.OPEN_ORDERS, Topic.OPEN_ALGO_ORDERS, Topic.MARK_PRICE)
)


class CoverVerdict(StrEnum):
    """What two agreeing reads say."""

    FLAT = "flat"
    COVERED = "covered"
    PARTLY_COVERED = "partly_covered"
    UNCOVERED = "uncovered"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Picture:
    """One read: position, mark price, every open order of both books, and when it was complete."""

    at_ms: int
    position: PositionReport
    mark_price: Decimal
    orders: tuple[OrderReport, ...]

    def agrees_with(self, other: Picture) -> bool:
        """Return whether both reads show the same position under the same orders."""
        return self._essence() == other._essence()

    def _essence(self) -> tuple[object, ...]:
        orders = tuple(
            sorted(
                (o.book, o.exchange_id, o.status, str(o.quantity), str(o.trigger_price))
                for o in self.orders
            )
        )
        return (self.position.side, self.position.quantity, orders)


@dataclass(frozen=True, slots=True)
class NotCounted:
    """An open order that covers nothing, and why."""

    order: OrderReport
    why: str


@dataclass(frozen=True, slots=True)
class Verified:
    """The verdict with everything it rests on; ``problem`` says why it is unknown."""

    at_ms: int
    verdict: CoverVerdict
    position: PositionReport | None = None
    covered_quantity: Decimal | None = None
    uncovered_quantity: Decimal | None = None
    worst_stop: Decimal | None = None
    counted: tuple[OrderReport, ...] = ()
    not_counted: tuple[NotCounted, ...] = ()
    problem: str | None = None


def verify(
    exchange: Exchange,
    *,
    pause: Callable[[float], object],
    attempts: int = ATTEMPTS,
    patience_ms: int = PATIENCE_MS,
) -> Verified:
    """Read until two reads in a row agree, at most ``attempts`` times, and judge the second.

    Raises ``Rejected`` when the exchange refuses the key. ``pause`` waits that many seconds.
    """
    before: Picture | None = None
    problem = "the exchange gave no answer"
    for attempt in range(attempts):
        if attempt > 0:
            pause(PAUSE_S)
        try:
            picture = look(exchange, patience_ms)
        except Indeterminate as error:
            before, problem = None, str(error)
            continue
        if before is not None and picture.agrees_with(before):
            return judge(picture)
        before, problem = picture, f"no two reads agreed in {attempts} attempts"
    return Verified(exchange.now_ms(), CoverVerdict.UNKNOWN, problem=problem)


def look(exchange: Exchange, patience_ms: int) -> Picture:
    """Read once. Raises ``Indeterminate`` when a question stays open, ``Rejected`` for the key."""
    position, orders, algo_orders, mark = exchange.ask(_QUESTIONS, patience_ms)
    for answer in (position, orders, algo_orders, mark):
        _require_answer(answer)
    if (
        not isinstance(position.value, PositionReport)
        or not isinstance(mark.value, MarkQuote)
        or not isinstance(orders.value, tuple)
        or not isinstance(algo_orders.value, tuple)
    ):
        raise Indeterminate("an answer has an unexpected shape")
    both = (*orders.value, *algo_orders.value)
    return Picture(
        max(position.at_ms, orders.at_ms, algo_orders.at_ms, mark.at_ms),
        position.value,
        mark.value.mark,
        tuple(o for o in both if isinstance(o, OrderReport)),
    )


def judge(picture: Picture) -> Verified:
    """Return what one picture says about the cover; pure."""
    position = picture.position
    side = position.side
    if side is None or position.is_flat:
        return Verified(
            picture.at_ms,
            CoverVerdict.FLAT,
            position,
            ZERO,
            ZERO,
            not_counted=tuple(NotCounted(o, "flat") for o in picture.orders),
        )
    counted: list[OrderReport] = []
    not_counted: list[NotCounted] = []
    for order in picture.orders:
        why = why_not(order, side, picture)
        if why is None:
            counted.append(order)
        else:
            not_counted.append(NotCounted(order, why))
    covered, worst = _reach(counted, side, position.quantity)
    if covered >= position.quantity:
        verdict = CoverVerdict.COVERED
    else:
        verdict = CoverVerdict.PARTLY_COVERED if covered > 0 else CoverVerdict.UNCOVERED
    return Verified(
        picture.at_ms,
        verdict,
        position,
        covered,
        position.quantity - covered,
        worst,
        tuple(counted),
        tuple(not_counted),
    )


def why_not(order: OrderReport, side: Side, picture: Picture) -> str | None:
    """Return why ``order`` does not cover a position of ``side``, None when it does (RULES A1)."""
    return _why_no_stop(order, side) or _why_not_there(order, side, picture)


def _why_no_stop(order: OrderReport, side: Side) -> str | None:
    if order.side is not side.closing:
        return "entry side"
    if order.type is not OrderType.STOP_MARKET:
        return f"not a stop market order but {order.type.value}"
    if not (order.reduce_only or order.close_position):
        return "neither reduce-only nor closePosition"
    if not order.status.is_resting:
        return f"status {order.status.value}"
    return None


def _why_not_there(order: OrderReport, side: Side, picture: Picture) -> str | None:
    trigger, liquidation = order.trigger_price, picture.position.liquidation_price
    if trigger is None:
        return "no trigger price"
    if liquidation is not None and side.gain(liquidation, trigger) <= 0:
        return f"trigger beyond the liquidation price {liquidation}"
    if order.status is not OrderStatus.WORKING:
        age_ms = picture.at_ms - order.updated_ms
        return None if age_ms < TRIGGER_GRACE_MS else f"triggered {age_ms / 1000:g} s ago"
    if side.gain(trigger, picture.mark_price) <= 0:
        return f"trigger behind the mark price {picture.mark_price}"
    return None


def _reach(
    counted: list[OrderReport], side: Side, wanted: Decimal
) -> tuple[Decimal, Decimal | None]:
    """Return how much is covered, and the worst trigger needed for it, tightest taken first."""
    covered, worst = ZERO, None
    for order in sorted(counted, key=lambda o: -side.sign * (o.trigger_price or ZERO)):
        if covered >= wanted:
            break
        if order.close_position or order.quantity is None:
            covered = wanted
        else:
            covered = min(covered + order.quantity - order.quantity_filled, wanted)
        worst = order.trigger_price
    return covered, worst


def _require_answer(answer: Answer) -> None:
    failure = answer.failure
    if failure is None:
        return
    if failure.code in _CREDENTIAL_CODES:
        raise Rejected(failure.code, failure.text)
    raise Indeterminate(f"{failure.topic.value}: {failure.text}", code=failure.code)
