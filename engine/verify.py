"""Cover judged from the exchange alone: by somebody who has read neither the plan nor the store.

Invariants: a verdict needs two reads that agree, the second begun after the first had ended; what
cannot be read is ``unknown``, never ``covered``; every open order is either counted or listed with
the reason why not (contracts.md, verify; RULES A1, A3). In hedge mode each held side is judged by
the orders that name it, and the verdict is about both (RULES H3).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum

from engine.domain.errors import Indeterminate, Rejected
from engine.domain.numbers import ZERO
from engine.domain.observation import MarkQuote, Question, Topic
from engine.domain.order import OrderReport, OrderStatus
from engine.domain.position import HedgedPositions, PositionReport
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
    """One read: position, mark price, every open order of both books, and when it was complete.

    ``hedged`` are the held sides of an account in hedge mode, None in one-way mode.
    """

    at_ms: int
    position: PositionReport
    mark_price: Decimal
    orders: tuple[OrderReport, ...]
    hedged: tuple[PositionReport, ...] | None = None

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
        held = None if self.hedged is None else tuple((p.side, p.quantity) for p in self.hedged)
        return (self.position.side, self.position.quantity, held, orders)


@dataclass(frozen=True, slots=True)
class NotCounted:
    """An open order that covers nothing, and why."""

    order: OrderReport
    why: str


@dataclass(frozen=True, slots=True)
class Verified:
    """The verdict with everything it rests on; ``problem`` says why it is unknown.

    ``sides`` are the verdicts on the held sides in hedge mode. With two of them there is no one
    position, quantity or worst stop to name.
    """

    at_ms: int
    verdict: CoverVerdict
    position: PositionReport | None = None
    covered_quantity: Decimal | None = None
    uncovered_quantity: Decimal | None = None
    worst_stop: Decimal | None = None
    counted: tuple[OrderReport, ...] = ()
    not_counted: tuple[NotCounted, ...] = ()
    problem: str | None = None
    sides: tuple[Verified, ...] = ()


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
        not isinstance(position.value, PositionReport | HedgedPositions)
        or not isinstance(mark.value, MarkQuote)
        or not isinstance(orders.value, tuple)
        or not isinstance(algo_orders.value, tuple)
    ):
        raise Indeterminate("an answer has an unexpected shape")
    both = (*orders.value, *algo_orders.value)
    held = position.value
    return Picture(
        max(position.at_ms, orders.at_ms, algo_orders.at_ms, mark.at_ms),
        held.one_way if isinstance(held, HedgedPositions) else held,
        mark.value.mark,
        tuple(o for o in both if isinstance(o, OrderReport)),
        held.sides if isinstance(held, HedgedPositions) else None,
    )


def judge(picture: Picture) -> Verified:
    """Return what one picture says about the cover; pure."""
    if not picture.hedged:
        return _judge_one(picture)
    sides = tuple(
        _judge_one(replace(picture, position=held, hedged=None)) for held in picture.hedged
    )
    if len(sides) == 1:
        return replace(sides[0], sides=sides)
    verdicts = {one.verdict for one in sides}
    counted = tuple(order for one in sides for order in one.counted)
    return Verified(
        picture.at_ms,
        verdicts.pop() if len(verdicts) == 1 else CoverVerdict.PARTLY_COVERED,
        counted=counted,
        not_counted=tuple(
            _of_its_side(order, sides) for order in picture.orders if order not in counted
        ),
        sides=sides,
    )


def _of_its_side(order: OrderReport, sides: tuple[Verified, ...]) -> NotCounted:
    """Return why an order covers nothing, as the side it names says it."""
    said = [(one, n) for one in sides for n in one.not_counted if n.order == order]
    named = [n for one, n in said if one.position and one.position.side is order.position_side]
    return named[0] if named else said[0][1]


def _judge_one(picture: Picture) -> Verified:
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
    if order.position_side not in (None, side):
        return f"on the {order.position_side} side"
    if order.side is not side.closing:
        return "entry side"
    if order.type is not OrderType.STOP_MARKET:
        return f"not a stop market order but {order.type.value}"
    # In hedge mode the pair of sides says what reduceOnly says in one-way mode.
    if not (order.reduce_only or order.close_position or order.position_side is side):
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
