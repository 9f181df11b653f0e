"""A push is believed in one direction: towards more protection (DESIGN section 2).

It may bring a stop before anything was asked. To shrink, cancel, enter or call anything gone it
counts for nothing, and an answer that still contradicts it after ten seconds wins.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from engine.domain import canonical
from engine.domain.action import CancelOrder, Outcome, PlaceOrder, Request
from engine.domain.condition import Condition
from engine.domain.decision import Inbox
from engine.domain.drift import DriftKind
from engine.domain.identity import ClientOrderId
from engine.domain.ledger import Ledger
from engine.domain.limits import Limits
from engine.domain.observation import Fact, Observation, Question, Source, StreamWord, Topic
from engine.domain.order import Fill, Order, OrderReport
from engine.domain.position import Origin
from engine.domain.terms import ActionClass, Book, Fate, Side
from engine.exchange.clearance import rests_on_answers
from engine.exchange.cover import Grounds
from engine.exchange.gateway import Gateway
from engine.exchange.port import Answer, Heard, Permit, Usage
from engine.observe import Attention, Observer
from engine.plan.planner import make_plan
from engine.reconcile.pushes import believe, fold_pushes, needs_a_stop
from engine.reconcile.settle import reconcile
from engine.tick import Engine, tick
from tests.builders import (
    CANCELLED,
    ENTRY,
    FLOOR,
    LONG,
    NOW,
    PRIMARY,
    SHORT,
    UNKNOWN,
    a_decision,
    a_fill,
    a_filled_entry,
    a_floor,
    a_ledger,
    a_life,
    a_position,
    a_situation,
    a_stop,
    a_tp1,
    an_entry,
    an_observation,
    d,
    ids,
    on,
    placed,
    report_of,
    seen,
    table,
)

LIMITS = Limits()


def pushed(order: Order, executed: str, ago_ms: int = 5, **changes: Any) -> Fact[OrderReport]:
    """Return what the stream says of an order a moment after it executed."""
    report = report_of(order, quantity_filled=d(executed), updated_ms=NOW - ago_ms, **changes)
    return Fact(report, NOW - ago_ms + 2, Source.STREAM)


def entering(*orders: Order, side: Side = LONG, **life: Any) -> Ledger:
    """Return the ledger of an account that takes no stop while flat, its entry resting."""
    begun = a_life("0", side=side, stop_level=None, **life)
    entry = an_entry(side=side, price=on(side, "90743.3"))
    return replace(a_ledger(begun, (entry, *orders)), stop_while_flat=False)


def unasked(*facts: Fact[OrderReport], **changes: Any) -> Observation:
    """Return a look at nothing but what was pushed, with the prices of the look before."""
    known = an_observation()
    return Observation(
        NOW,
        pushed=facts,
        is_unasked=True,
        mark=known.mark,
        candles=known.candles,
        instrument=known.instrument,
        **changes,
    )


NEEDS = table("""
stop        pushed  needs  why
none        0.004   yes    nothing rests
none        0       no     the entry only rests: no news
resting     0.004   no     armed before the entry
floor       0.004   no     it closes everything
small       0.004   yes    it does not reach what may fill
doubtful    0.004   yes    it may be gone
unknown     0.004   yes    its fate is open
""")


@pytest.mark.parametrize("row", NEEDS, ids=[f"{r[0]}-{r[1]}" for r in NEEDS])
def test_only_a_fill_that_no_stop_rests_for_comes_before_the_questions(row: list[str]) -> None:
    """RULES E9: where the stop is armed first, the look is as quick as anything."""
    stops = {
        "none": (),
        "resting": (a_stop(),),
        "floor": (a_floor(),),
        "small": (a_stop(quantity="0.012"),),
        "doubtful": (a_stop(doubtful_since_ms=NOW - 1),),
        "unknown": (a_stop(status=UNKNOWN),),
    }
    ledger = entering(*stops[row[0]])

    assert needs_a_stop(ledger, (pushed(an_entry(), row[1]),)) is (row[2] == "yes")


@pytest.mark.parametrize(
    "life", [None, {"closed_ms": NOW}, {"closing": "emergency"}], ids=["none", "over", "closing"]
)
def test_without_a_life_to_keep_nothing_is_urgent(life: dict[str, Any] | None) -> None:
    ledger = a_ledger() if life is None else entering(**life)

    assert not needs_a_stop(ledger, (pushed(an_entry(), "0.004"),))


@pytest.mark.parametrize("side", [LONG, SHORT])
@pytest.mark.parametrize("executed", ["0.004", "0.013"])
def test_stop_and_floor_leave_on_the_push_alone(side: Side, executed: str) -> None:
    """RULES E9, A4, B1: for what filled and what still may, at the life's own level."""
    ledger = entering(side=side)
    entry = an_entry(side=side, price=on(side, "90743.3"))
    look = replace(
        unasked(pushed(entry, executed)), candles=an_observation(price=on(side, 90_740)).candles
    )

    known, drifts = reconcile(ledger, look, LIMITS)
    plan = make_plan(replace(a_situation(ledger=known), observation=look))

    assert drifts == () or {x.kind for x in drifts} == {DriftKind.COVER_TOO_SMALL}
    assert known.life is not None
    assert (known.life.quantity, known.life.opened_ms) == (d(executed), NOW - 5)
    assert [(t.role, t.quantity, t.trigger_price) for t in placed(plan)] == [
        (PRIMARY, d("0.013"), on(side, 90_380)),
        (FLOOR, None, on(side, 90_380)),
    ]
    assert len(plan.actions) == 2


def test_on_a_push_alone_nothing_but_stops_is_planned() -> None:
    """To cancel, to enter, to close or to set anything, the exchange is asked first."""
    stale = a_decision(made_ms=NOW - 3_600_000)
    ledger = entering(a_tp1())
    look = unasked(pushed(an_entry(), "0.004"))
    known, _ = reconcile(ledger, look, LIMITS)

    plan = make_plan(replace(a_situation(ledger=known, decision=stale), observation=look))

    assert {t.role for t in placed(plan)} == {PRIMARY, FLOOR}
    assert len(plan.actions) == 2


REQUESTS: dict[str, Request] = {
    "stop": PlaceOrder(a_stop().terms, ActionClass.PROTECT, "rule", "reason"),
    "floor": PlaceOrder(a_floor().terms, ActionClass.PROTECT, "rule", "reason"),
    "entry": PlaceOrder(an_entry().terms, ActionClass.ENTER, "rule", "reason"),
    "target": PlaceOrder(a_tp1().terms, ActionClass.MANAGE, "rule", "reason"),
    "cancel": CancelOrder(an_entry().id, Book.REGULAR, ActionClass.MANAGE, "rule", "reason"),
}


@pytest.mark.parametrize("name", REQUESTS)
def test_the_gateway_lets_nothing_but_stops_leave_on_a_push_alone(name: str) -> None:
    """The one door asks again what the planner has asked."""
    for is_unasked in (False, True):
        situation = a_situation(ledger=entering())
        situation = replace(
            situation, observation=replace(situation.observation, is_unasked=is_unasked)
        )
        grounds = Grounds(situation, situation.ledger)

        refused = rests_on_answers(REQUESTS[name], grounds)

        assert (refused is None) is (not is_unasked or name in ("stop", "floor"))


def folded(ledger: Ledger, *facts: Fact[OrderReport], **look: Any) -> Ledger:
    observation = replace(seen(ledger, **look), pushed=facts)
    return reconcile(ledger, observation, LIMITS)[0]


def entry_of(ledger: Ledger) -> Order:
    (entry,) = ledger.of_life(ENTRY)
    return entry


def test_a_push_beside_answers_that_lag_counts_as_position() -> None:
    """RULES C2: position reads lag fills by seconds; what was pushed is covered meanwhile."""
    ledger = folded(entering(), pushed(an_entry(), "0.004"))

    assert ledger.life is not None
    assert ledger.life.quantity == ledger.position_quantity == d("0.004")
    assert entry_of(ledger).quantity_filled == 0
    assert a_situation(ledger=ledger).quantity_to_cover == d("0.013")


def test_the_answer_that_says_as_much_takes_the_pushs_place() -> None:
    """Nothing rests on a push for longer than it must."""
    ledger = folded(entering(), pushed(an_entry(), "0.004"))
    filled = an_entry(filled="0.004")

    told = reconcile(
        ledger,
        replace(seen(a_ledger(ledger.life, (filled,))), position=Fact(a_position("0.004"), NOW)),
        LIMITS,
    )[0]

    assert told.life is not None
    assert told.life.quantity == d("0.004")
    assert entry_of(told).quantity_filled == d("0.004")
    assert (entry_of(told).quantity_pushed, entry_of(told).pushed_ms) == (d(0), None)


@pytest.mark.parametrize(("ago_ms", "believed"), [(10_000, True), (10_001, False)])
def test_what_no_answer_confirms_within_ten_seconds_is_a_drift_and_forgotten(
    ago_ms: int, believed: bool
) -> None:
    """RULES B3 b: by then an accepted execution is visible; divergence is reported."""
    entry = replace(an_entry(), quantity_pushed=d("0.004"), pushed_ms=NOW - ago_ms)
    life = a_life("0.004", stop_level=None, opened_ms=NOW - ago_ms)
    ledger = replace(a_ledger(life, (entry,), fills=()), stop_while_flat=False)

    after, drifts = reconcile(ledger, seen(ledger, position=a_position("0")), LIMITS)

    assert after.life is not None
    assert (after.life.quantity > 0) is believed
    assert (after.life.opened_ms is not None) is believed
    told = [x for x in drifts if x.kind is DriftKind.STREAM_DIFFERS]
    assert [x.order_id for x in told] == ([] if believed else [str(entry.id)])
    assert entry_of(after).quantity_pushed == (d("0.004") if believed else 0)


def test_a_look_that_could_not_be_made_contradicts_nothing() -> None:
    """Absence is not evidence (RULES C1)."""
    entry = replace(an_entry(), quantity_pushed=d("0.004"), pushed_ms=NOW - 60_000)
    ledger = a_ledger(a_life("0.004", stop_level=None), (entry,))

    after, drifts = reconcile(ledger, Observation(NOW), LIMITS)

    assert entry_of(after).quantity_pushed == d("0.004")
    assert not [x for x in drifts if x.kind is DriftKind.STREAM_DIFFERS]


@pytest.mark.parametrize(
    ("fills", "executed", "position"),
    [
        pytest.param((), "0", "0.004", id="the position stands"),
        pytest.param((a_fill(quantity="0.002"),), "0", "0", id="a fill was told"),
        pytest.param((), "0.001", "0", id="the order says less, but something"),
    ],
)
def test_a_forgotten_push_takes_no_position_away_that_anything_else_shows(
    fills: tuple[Fill, ...], executed: str, position: str
) -> None:
    """What is gone is said by answers alone."""
    entry = an_entry(filled=executed)
    entry = replace(entry, quantity_pushed=d("0.004"), pushed_ms=NOW - 11_000)
    life = a_life("0.004", stop_level=None, opened_ms=NOW - 11_000)
    known = a_ledger(life, (entry,), fills=fills)

    after, drifts = reconcile(known, seen(known, position=a_position(position)), LIMITS)

    assert [x.kind for x in drifts if x.kind is DriftKind.STREAM_DIFFERS]
    assert after.life is not None
    assert after.life.opened_ms is not None


UNBELIEVED = table("""
what       why
exit       an exit that executed makes the position smaller
stranger   somebody else's order
side       it would be on the other side
less       an older event than what is known
book       a conditional order's child carries the same id
""")


@pytest.mark.parametrize("row", UNBELIEVED, ids=ids(UNBELIEVED))
def test_nothing_else_that_was_pushed_changes_the_ledger(row: list[str]) -> None:
    entry, target = an_entry(filled="0.004"), a_tp1()
    facts = {
        "exit": pushed(target, "0.006"),
        "stranger": pushed(entry, "0.013", client_id="web_1"),
        "side": pushed(entry, "0.013", side=LONG.closing),
        "less": pushed(entry, "0.004"),
        "book": pushed(entry, "0.013", book=Book.ALGO),
    }
    ledger = a_ledger(a_life("0.004"), (entry, target, a_stop()), fills=(a_fill(quantity="0.004"),))

    after, drifts = fold_pushes(ledger, replace(seen(ledger), pushed=(facts[row[0]],)))

    assert (believe(after), drifts) == (ledger, [])


def test_no_more_is_believed_than_the_order_asked_for() -> None:
    ledger, _ = fold_pushes(entering(), unasked(pushed(an_entry(), "5")))

    assert entry_of(ledger).quantity_pushed == d("0.013")


def test_a_cancelled_entry_that_was_pushed_to_have_filled_stays_covered() -> None:
    """RULES E5: the position read may be older than the fill."""
    entry = an_entry(status=CANCELLED)
    ledger = replace(a_ledger(a_life("0", stop_level=None), (entry,)), stop_while_flat=False)

    after = believe(fold_pushes(ledger, unasked(pushed(an_entry(), "0.004")))[0])

    assert after.life is not None
    assert after.life.quantity == d("0.004")
    assert a_situation(ledger=after).quantity_to_cover == d("0.004")


@pytest.mark.parametrize(
    "life",
    [a_life("0", closed_ms=NOW), a_life("0", origin=Origin.ORPHAN), None],
    ids=["over", "somebody's", "none"],
)
def test_a_life_that_is_over_or_not_ours_believes_no_push(life: Any) -> None:
    entry = replace(an_entry(), quantity_pushed=Decimal("0.004"), pushed_ms=NOW)
    ledger = a_ledger(life, (entry,))

    assert believe(ledger) == ledger


def test_a_further_push_enlarges_a_position_that_is_open_already() -> None:
    """Each partial fill is one; the life keeps the moment it began."""
    entry = an_entry(filled="0.004")
    life = a_life("0.004", stop_level=None, opened_ms=NOW - 9_000)
    ledger = a_ledger(life, (entry,), fills=(a_fill(quantity="0.004"),))

    after = believe(fold_pushes(ledger, unasked(pushed(entry, "0.009")))[0])

    assert after.life is not None
    assert (after.life.quantity, after.life.opened_ms) == (d("0.009"), NOW - 9_000)


SILENCE = table("""
up_since  told    traded  silent  why
-60000    none    -20000  yes     it stood for long and told nothing
-60000    -50000  -20000  yes     the last it told is older than the trade
-60000    -20000  -20000  no      it told
-60000    -20900  -20000  no      stamped a little apart
-60000    none    -9000   no      it may still come
-20000    none    -20000  no      it came up only then
-10000    none    -20000  no      it came up afterwards
down      none    -20000  no      it is down, and known to be
""")


@pytest.mark.parametrize("row", SILENCE, ids=[r[4] for r in SILENCE])
def test_a_stream_that_stands_and_does_not_tell_of_a_trade_is_a_drift(row: list[str]) -> None:
    """Lesson 32: a dead key connects and stays silent; only answers can tell."""
    up, told, traded = row[0], row[1], int(row[2])
    told_ms = None if told == "none" else NOW + int(told)
    word = None if up == "down" else StreamWord(NOW + int(up), told_ms)
    ledger = replace(a_ledger(a_life(), (a_filled_entry(), a_stop())), last_fill_ms=NOW + traded)

    _, drifts = reconcile(ledger, replace(seen(ledger), stream=word), LIMITS)

    is_silent = any(x.kind is DriftKind.STREAM_SILENT for x in drifts)
    assert is_silent is (row[3] == "yes")


class Nobody:
    """Answers nothing, and counts the questions."""

    def __init__(self) -> None:
        self.asked: list[Question] = []

    def ask(self, questions: Any, patience_ms: int) -> tuple[Answer, ...]:
        del patience_ms
        self.asked += questions
        return tuple(
            Answer(q, NOW - 1_000, a_position("0")) if q.topic is Topic.POSITION else _no(q)
            for q in questions
        )


def _no(question: Question) -> Answer:
    return Answer(question, NOW - 1_000)


def test_an_urgent_push_is_looked_at_without_asking_and_without_the_last_picture() -> None:
    """An older position or list would contradict it; prices and filters of a look ago will do."""
    nobody = Nobody()
    heard = [Heard(), Heard((pushed(an_entry(), "0.004"),), StreamWord(NOW - 9, NOW - 5))]
    observer = Observer(nobody, patience_ms=100, hear=lambda: heard.pop(0))
    before = observer.observe(entering(), NOW - 1_000, Attention.WATCHFUL)
    asked = len(nobody.asked)

    look = observer.observe(entering(), NOW, Attention.WATCHFUL)

    assert before.position is not None
    assert len(nobody.asked) == asked
    assert look.is_unasked
    assert (look.position, look.orders, look.algo_orders) == (None, None, None)
    assert [(f.source, f.at_ms) for f in look.pushed] == [(Source.STREAM, NOW - 3)]
    assert look.stream == StreamWord(NOW - 9, NOW - 5)


class Moved(Nobody):
    """Answers a picture in which something happened, so that it would be asked again."""

    def ask(self, questions: Any, patience_ms: int) -> tuple[Answer, ...]:
        super().ask(questions, patience_ms)
        lists = (Topic.OPEN_ORDERS, Topic.OPEN_ALGO_ORDERS)
        return tuple(
            Answer(q, NOW, a_position("0.004"))
            if q.topic is Topic.POSITION
            else Answer(q, NOW, () if q.topic in lists else None)
            for q in questions
        )


@pytest.mark.parametrize("is_covered", [False, True])
def test_a_fill_pushed_during_the_first_look_does_not_wait_for_the_second(
    is_covered: bool,
) -> None:
    """RULES E9, B1: a round trip less without cover; where a stop rests the picture comes first."""
    moved = Moved()
    ledger = entering(*((a_stop(),) if is_covered else ()))
    push = pushed(an_entry(), "0.004")
    heard = [Heard((), StreamWord(NOW - 9, None)), Heard((push,), StreamWord(NOW - 9, NOW - 5))]
    observer = Observer(moved, patience_ms=100, hear=lambda: heard.pop(0))

    look = observer.observe(ledger, NOW, Attention.WATCHFUL)

    asked = [q.topic for q in moved.asked]
    assert asked.count(Topic.POSITION) == (2 if is_covered else 1)
    assert (look.is_unasked, look.is_second) == (not is_covered, is_covered)
    assert look.pushed == (push,)
    assert look.stream == StreamWord(NOW - 9, NOW - 5)
    assert (look.position is None) is not is_covered


def test_what_was_pushed_is_recorded_with_its_source_and_age() -> None:
    """RULES B5: a replayed tick sees the same push."""
    look = unasked(pushed(an_entry(), "0.004"), stream=StreamWord(NOW - 9, None))

    assert canonical.from_plain(Observation, canonical.to_plain(look)) == look


class Told:
    """Books, an inbox, an exchange and an engine's own state in one: they say what was called."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.calls: list[str] = []

    def recall(self) -> Ledger:
        return self.ledger

    def record_intent(self, *_: object) -> frozenset[ClientOrderId]:
        self.calls.append("intent")
        return frozenset()

    def record_outcomes(self, *_: object) -> None:
        self.calls.append("outcomes")

    def look(self, now_ms: int, adopted_ms: int) -> Inbox:
        del now_ms, adopted_ms
        return a_situation(decision=a_decision()).inbox

    def condition(self, now_ms: int) -> Condition:
        del now_ms
        return Condition(is_stream_up=True)

    def send(self, permits: Sequence[Permit], patience_ms: int) -> tuple[Outcome, ...]:
        del patience_ms
        self.calls += [f"sent {len(permits)}"]
        return tuple(Outcome(p.request, Fate.ACCEPTED, NOW) for p in permits)

    def ask(self, questions: Sequence[Question], patience_ms: int) -> tuple[Answer, ...]:
        del patience_ms
        self.calls.append("asked")
        return tuple(Answer(q, NOW) for q in questions)

    def now_ms(self) -> int:
        return NOW

    def clock_error_ms(self) -> int | None:
        return 3

    def usage(self) -> Usage:
        return Usage()


@pytest.mark.parametrize(
    ("stops", "calls"),
    [
        pytest.param((), ["sent 1", "intent", "outcomes"], id="nothing covers the fill"),
        pytest.param((a_stop(),), ["asked", "intent", "outcomes"], id="the stop rests already"),
    ],
)
def test_a_stop_for_an_uncovered_fill_is_kept_waiting_by_no_question_and_no_disk(
    stops: tuple[Order, ...], calls: list[str]
) -> None:
    """RULES B1, G5: recording protection is best effort; a fill stands naked meanwhile."""
    told = Told(entering(*stops))
    heard = Heard((pushed(an_entry(), "0.004"),))
    engine = Engine(
        books=told,
        intake=told,
        observer=Observer(told, patience_ms=100, hear=lambda: heard),
        gateway=Gateway(told),  # type: ignore[arg-type]  # as much of an exchange as is called
        itself=told,
        limits=LIMITS,
    )

    report = tick(engine, NOW)

    assert told.calls == calls
    assert report.situation.observation.is_unasked is (stops == ())
