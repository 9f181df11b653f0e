"""Cover judged from two reads of the exchange: what counts, what does not, and what is unknown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

import pytest

from engine.domain.errors import Rejected
from engine.domain.observation import Failure, MarkQuote, Question, Topic
from engine.domain.order import OrderReport, OrderStatus
from engine.domain.position import HedgedPositions, PositionReport
from engine.domain.terms import Book, OrderSide, OrderType, Side, WorkingPrice
from engine.exchange.port import Answer, Exchange, Value
from engine.verify import CoverVerdict, Picture, judge, verify

D = Decimal
NOW_MS = 1_795_150_000_000


def position(quantity: str = "0.013", side: Side = Side.LONG) -> PositionReport:
    return PositionReport(
        side if D(quantity) else None, D(quantity), D(90750), D(91000), D(0), D(61000), NOW_MS
    )


STOP = OrderReport(
    client_id="kp7f3aq2001s001",
    exchange_id="1",
    book=Book.ALGO,
    side=OrderSide.SELL,
    type=OrderType.STOP_MARKET,
    status=OrderStatus.WORKING,
    quantity=D("0.013"),
    price=None,
    trigger_price=D(90380),
    working_price=WorkingPrice.MARK,
    reduce_only=True,
    close_position=False,
    quantity_filled=D(0),
    created_ms=NOW_MS,
    updated_ms=NOW_MS,
)
FLOOR = replace(STOP, exchange_id="2", quantity=None, trigger_price=D(90000), close_position=True)


def picture(*orders: OrderReport, held: PositionReport | None = None) -> Picture:
    return Picture(NOW_MS, position() if held is None else held, D(91000), orders)


def test_a_flat_account_needs_no_cover() -> None:
    assert judge(picture(STOP, held=position("0"))).verdict is CoverVerdict.FLAT


@pytest.mark.parametrize(
    ("orders", "verdict", "covered", "worst"),
    [
        ((STOP,), "covered", "0.013", "90380"),
        ((FLOOR,), "covered", "0.013", "90000"),
        ((STOP, FLOOR), "covered", "0.013", "90380"),
        ((replace(STOP, quantity=D("0.005")), FLOOR), "covered", "0.013", "90000"),
        ((replace(STOP, quantity=D("0.005")),), "partly_covered", "0.005", "90380"),
        ((replace(STOP, quantity_filled=D("0.010")),), "partly_covered", "0.003", "90380"),
        ((replace(STOP, client_id="web_1"),), "covered", "0.013", "90380"),
        ((), "uncovered", "0", None),
    ],
    ids=[
        "a quantity stop",
        "a closePosition stop",
        "the tightest is enough",
        "the wider one is needed too",
        "a stop for less",
        "a stop that partly executed",
        "somebody else's stop",
        "nothing",
    ],
)
def test_cover_is_what_stops_reach_tightest_first(
    orders: tuple[OrderReport, ...], verdict: str, covered: str, worst: str | None
) -> None:
    """RULES A2, A3."""
    verified = judge(picture(*orders))

    assert (verified.verdict, verified.covered_quantity, verified.worst_stop) == (
        verdict, D(covered), None if worst is None else D(worst),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("order", "why"),
    [
        (replace(STOP, side=OrderSide.BUY), "entry side"),
        (replace(STOP, type=OrderType.TAKE_PROFIT_MARKET), "not a stop market order"),
        (replace(STOP, type=OrderType.STOP), "not a stop market order"),
        (replace(STOP, type=OrderType.TRAILING_STOP_MARKET), "not a stop market order"),
        (replace(STOP, reduce_only=False), "neither reduce-only"),
        (replace(STOP, trigger_price=D(60999)), "beyond the liquidation price"),
        (replace(STOP, trigger_price=D(91000)), "behind the mark price"),
        (replace(STOP, status=OrderStatus.REJECTED), "status rejected"),
        (
            replace(STOP, status=OrderStatus.TRIGGERING, updated_ms=NOW_MS - 2_000),
            "triggered 2 s ago",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_only_looks_like_a_stop_does_not_count(order: OrderReport, why: str) -> None:
    """RULES A1: each of these left a position open somewhere."""
    verified = judge(picture(order))

    assert verified.verdict is CoverVerdict.UNCOVERED
    assert why in verified.not_counted[0].why


def test_a_stop_that_triggered_a_moment_ago_still_counts() -> None:
    order = replace(STOP, status=OrderStatus.TRIGGERING, updated_ms=NOW_MS - 1_999)

    assert judge(picture(order)).verdict is CoverVerdict.COVERED


def test_a_short_is_the_mirror_image() -> None:
    """Write the rule once, for both sides."""
    held = replace(position(side=Side.SHORT), liquidation_price=D(120000))
    stop = replace(STOP, side=OrderSide.BUY, trigger_price=D(91500))

    assert judge(picture(stop, held=held)).verdict is CoverVerdict.COVERED
    behind = replace(stop, trigger_price=D(90500))
    assert judge(picture(behind, held=held)).verdict is CoverVerdict.UNCOVERED


LONG, SHORT = Side.LONG, Side.SHORT
OF_LONG = replace(FLOOR, position_side=LONG)
OF_SHORT = replace(
    FLOOR, exchange_id="3", side=OrderSide.BUY, trigger_price=D(93000), position_side=SHORT
)
SIZED = replace(STOP, reduce_only=False, position_side=LONG)


def hedged(*orders: OrderReport, sides: tuple[Side, ...] = (LONG, SHORT)) -> Picture:
    held = tuple(replace(position(side=side), liquidation_price=None) for side in sides)
    return replace(picture(*orders, held=position("0")), hedged=held)


@pytest.mark.parametrize(
    ("orders", "sides", "verdict", "each"),
    [
        ((OF_LONG, OF_SHORT), (LONG, SHORT), "covered", ["covered", "covered"]),
        ((OF_LONG,), (LONG, SHORT), "partly_covered", ["covered", "uncovered"]),
        ((), (LONG, SHORT), "uncovered", ["uncovered", "uncovered"]),
        ((OF_SHORT,), (SHORT,), "covered", ["covered"]),
        ((OF_SHORT,), (LONG,), "uncovered", ["uncovered"]),
        ((SIZED,), (LONG,), "covered", ["covered"]),
        ((replace(SIZED, quantity=D("0.005")),), (LONG,), "partly_covered", ["partly_covered"]),
        ((OF_LONG,), (), "flat", []),
    ],
    ids=[
        "each its own stop",
        "one side without",
        "nothing",
        "one side held",
        "the other side's stop",
        "a quantity stop needs no reduceOnly there",
        "a stop for less",
        "neither held",
    ],
)
def test_in_hedge_mode_each_held_side_is_judged_by_its_own_orders(
    orders: tuple[OrderReport, ...], sides: tuple[Side, ...], verdict: str, each: list[str]
) -> None:
    """RULES H3: a stop of one side is nothing to the other."""
    judged = judge(hedged(*orders, sides=sides))

    assert judged.verdict == verdict
    assert [one.verdict for one in judged.sides] == each
    assert len(judged.counted) + len(judged.not_counted) == len(orders)


def test_an_order_that_covers_no_side_is_listed_once_with_its_own_side_s_reason() -> None:
    entry = replace(OF_SHORT, side=OrderSide.SELL)

    judged = judge(hedged(entry, OF_LONG))

    assert [(n.order, n.why) for n in judged.not_counted] == [(entry, "entry side")]


def test_two_reads_of_other_sides_do_not_agree() -> None:
    assert not hedged(sides=(LONG,)).agrees_with(hedged(sides=(SHORT,)))
    assert not hedged(sides=()).agrees_with(hedged(sides=(SHORT,)))
    assert hedged().agrees_with(hedged())


def test_hedged_positions_are_read_like_any_other() -> None:
    assert verified(Asked([hedged(OF_LONG, OF_SHORT)])) is CoverVerdict.COVERED


@dataclass
class Asked:
    """Answers each round of questions with the next of its pictures; None is no answer."""

    rounds: list[Picture | Failure]
    asked: int = 0
    log: list[str] = field(default_factory=list)

    def now_ms(self) -> int:
        return NOW_MS

    def ask(self, questions: Sequence[Question], patience_ms: int) -> tuple[Answer, ...]:
        told = self.rounds[min(self.asked, len(self.rounds) - 1)]
        self.asked += 1
        if isinstance(told, Failure):
            return tuple(Answer(q, NOW_MS, None, told) for q in questions)
        quote = MarkQuote(told.mark_price, told.mark_price, D(0), 0)
        values: dict[Topic, Value] = {
            Topic.POSITION: told.position if told.hedged is None else HedgedPositions(told.hedged),
            Topic.OPEN_ORDERS: (),
            Topic.OPEN_ALGO_ORDERS: told.orders,
            Topic.MARK_PRICE: quote,
        }
        return tuple(Answer(q, NOW_MS, values[q.topic]) for q in questions)


def verified(exchange: Asked) -> CoverVerdict:
    judged: Exchange = exchange  # type: ignore[assignment]  # verify asks and reads the clock only
    return verify(judged, pause=lambda _: None).verdict


def test_two_reads_that_agree_are_enough() -> None:
    exchange = Asked([picture(STOP)])

    assert (verified(exchange), exchange.asked) == (CoverVerdict.COVERED, 2)


def test_one_read_is_never_believed_alone() -> None:
    """A list that forgot a stop for a moment must not raise an alarm, nor hide one."""
    exchange = Asked([picture(), picture(STOP), picture(STOP)])

    assert (verified(exchange), exchange.asked) == (CoverVerdict.COVERED, 3)


def test_reads_that_never_agree_leave_it_unknown() -> None:
    flickering = [picture(STOP), picture()] * 3

    assert verified(Asked([*flickering])) is CoverVerdict.UNKNOWN


def test_an_exchange_that_does_not_answer_leaves_it_unknown() -> None:
    silent = Failure(Topic.POSITION, "unavailable", 0, "timed out")

    assert verified(Asked([silent])) is CoverVerdict.UNKNOWN


def test_a_refused_key_is_told_from_silence() -> None:
    refused = Failure(Topic.POSITION, "rejected", -2015, "Invalid API-key")

    with pytest.raises(Rejected):
        verified(Asked([refused]))
