"""The one door out judges every request once more, from what was known before the plan.

Whatever the planner asks, nothing wide, naked, doubled, unwritten or unfenced leaves (RULES B, E1,
F2, F3, G4, G5). The exchange behind the door records what reached it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

import pytest

from engine.act import act
from engine.domain.action import (
    CancelOrder,
    Configure,
    Outcome,
    PlaceOrder,
    Plan,
    Proof,
    Request,
)
from engine.domain.condition import Condition, HaltReason
from engine.domain.decision import Inbox
from engine.domain.identity import ClientOrderId, OrderRole
from engine.domain.ledger import Ledger, PastLife
from engine.domain.limits import Limits
from engine.domain.numbers import ZERO
from engine.domain.observation import Fact, Failure, Observation, Question, Topic
from engine.domain.order import Order, OrderReport, OrderStatus, OrderTerms
from engine.domain.position import ExitReason, LevelState, Life, Origin, PositionReport, StopLevel
from engine.domain.situation import Situation
from engine.domain.terms import (
    ActionClass,
    Book,
    Fate,
    OrderType,
    Rights,
    Side,
    WorkingPrice,
)
from engine.exchange.breaker import FAILURES_MAX
from engine.exchange.churn import CAPS
from engine.exchange.gateway import REFUSED, Gateway
from engine.exchange.port import Answer, KeyRights, Permit, Usage

NOW = 1_795_000_000_000
D = Decimal
LONG, SHORT = Side.LONG, Side.SHORT
CENTRE = D(90743)


@dataclass
class Exchange:
    """Accepts everything unless told otherwise, and remembers what reached it."""

    fate: Fate = Fate.ACCEPTED
    used: Usage = field(default_factory=Usage)
    failing: bool = False
    sent: list[Permit] = field(default_factory=list)
    asked: list[Topic] = field(default_factory=list)
    at_ms: int = NOW

    def now_ms(self) -> int:
        return self.at_ms

    def clock_error_ms(self) -> int | None:
        return 3

    def anchor_clock(self) -> None:
        """Nothing to measure."""

    def ask(self, questions: Sequence[Question], patience_ms: int) -> tuple[Answer, ...]:
        del patience_ms
        self.asked += [q.topic for q in questions]
        failure = Failure(Topic.POSITION, "indeterminate", 0, "?") if self.failing else None
        return tuple(Answer(q, self.at_ms, failure=failure) for q in questions)

    def send(self, permits: Sequence[Permit], patience_ms: int) -> tuple[Outcome, ...]:
        del patience_ms
        self.sent += permits
        return tuple(Outcome(p.request, self.fate, self.at_ms) for p in permits)

    def usage(self) -> Usage:
        return self.used

    @property
    def is_stuck(self) -> bool:
        return False

    def key_rights(self, patience_ms: int) -> KeyRights:
        del patience_ms
        return KeyRights(can_trade=True, can_withdraw=None, is_ip_restricted=None)

    def close(self) -> None:
        """Nothing to close."""


def price(side: Side, distance: str | int) -> Decimal:
    """Return the price that lies ``distance`` on the profitable side of the centre."""
    return CENTRE + side.sign * D(distance)


def an_id(role: OrderRole, revision: int = 1, generation: int = 1) -> ClientOrderId:
    return ClientOrderId("7f3aq2", generation, role, revision)


def a_life(side: Side = LONG, **changes: Any) -> Life:
    life = Life(
        generation=1,
        decision_id="7f3aq2",
        decision_made_ms=NOW - 60_000,
        origin=Origin.DECISION,
        side=side,
        armed_ms=NOW - 5_000,
        planned_quantity=D("0.013"),
        limit_price=price(side, 0),
        initial_stop=price(side, -363),
        basis_price=price(side, 857),
    )
    return replace(life, **changes)


def a_stop(
    side: Side = LONG,
    distance: str | int = -363,
    quantity: str | None = "0.013",
    revision: int = 1,
    role: OrderRole = OrderRole.STOP_PRIMARY,
    generation: int = 1,
) -> OrderTerms:
    return OrderTerms(
        client_id=an_id(role, revision, generation),
        side=side.closing,
        type=OrderType.STOP_MARKET,
        quantity=None if quantity is None else D(quantity),
        trigger_price=price(side, distance),
        working_price=WorkingPrice.LAST,
        reduce_only=quantity is not None,
        close_position=quantity is None,
    )


def an_entry(
    side: Side = LONG, distance: str | int = 0, quantity: str = "0.013", revision: int = 1
) -> OrderTerms:
    return OrderTerms(
        an_id(OrderRole.ENTRY, revision),
        side.opening,
        OrderType.LIMIT,
        D(quantity),
        price(side, distance),
    )


def an_order(terms: OrderTerms, status: OrderStatus = OrderStatus.WORKING, **changes: Any) -> Order:
    order = Order(
        terms=terms,
        status=status,
        reason="test",
        action_class=ActionClass.PROTECT,
        intended_ms=NOW - 2_000,
        dead_after_ms=NOW,
        rested_ms=NOW - 1_500 if status.is_resting else None,
    )
    return replace(order, **changes)


def report_of(order: Order) -> OrderReport:
    terms = order.terms
    return OrderReport(
        client_id=str(order.id),
        exchange_id="1",
        book=terms.book,
        side=terms.side,
        type=terms.type,
        status=order.status,
        quantity=terms.quantity,
        price=terms.price,
        trigger_price=terms.trigger_price,
        working_price=terms.working_price,
        reduce_only=terms.reduce_only,
        close_position=terms.close_position,
        quantity_filled=ZERO,
        created_ms=NOW - 1_500,
        updated_ms=NOW - 1_500,
    )


def a_position(side: Side | None, quantity: str) -> Fact[PositionReport]:
    held = None if D(quantity) == 0 else side
    report = PositionReport(held, D(quantity), CENTRE, CENTRE, ZERO, None, NOW)
    return Fact(report, NOW)


def a_situation(
    *orders: Order,
    life: Life | None = None,
    held: str = "0",
    listed: Sequence[Order] | None = None,
    condition: Condition | None = None,
    observation: dict[str, Any] | None = None,
    **ledger: Any,
) -> Situation:
    """Return a settled picture in which every given algo order is listed as the ledger has it."""
    side = LONG if life is None else life.side
    shown = [o for o in orders if o.may_rest] if listed is None else listed
    algo = tuple(report_of(o) for o in shown if o.terms.book is Book.ALGO)
    seen = Observation(
        now_ms=NOW,
        position=a_position(side, held),
        orders=Fact((), NOW),
        algo_orders=Fact(algo, NOW),
    )
    known = Ledger(
        generation=1,
        life=life,
        orders=orders,
        position_quantity=side.sign * D(held),
        settled_streak=2,
    )
    return Situation(
        Inbox(),
        replace(known, **ledger),
        replace(seen, **(observation or {})),
        condition or Condition(),
        Limits(),
    )


def place(terms: OrderTerms, action_class: ActionClass | None = None) -> PlaceOrder:
    by_role = ActionClass.ENTER if terms.can_open else ActionClass.PROTECT
    return PlaceOrder(terms, action_class or by_role, "rule", "reason")


def cancel(
    client_id: ClientOrderId,
    proof: Proof = Proof.NOT_A_STOP,
    proven_by: ClientOrderId | None = None,
) -> CancelOrder:
    book = Book.REGULAR if client_id.role is OrderRole.ENTRY else Book.ALGO
    return CancelOrder(client_id, book, ActionClass.RECONCILE, "rule", "reason", proof, proven_by)


def intended(situation: Situation, *requests: Request, **life: Any) -> Ledger:
    """Return the plan's ledger: the situation's, with the requests' intents written into it."""
    ledger = situation.ledger
    for request in requests:
        if isinstance(request, PlaceOrder):
            ledger = ledger.with_order(an_order(request.terms, OrderStatus.INTENDED))
    return ledger if ledger.life is None else ledger.with_life(replace(ledger.life, **life))


def judged(
    situation: Situation,
    *requests: Request,
    exchange: Exchange | None = None,
    ledger: Ledger | None = None,
) -> list[str]:
    """Return what became of each request: "sent", or the word the refusal begins with."""
    exchange = exchange or Exchange()
    plan = intended(situation, *requests) if ledger is None else ledger
    outcomes = Gateway(exchange).perform(requests, situation, plan)
    assert [o.action for o in outcomes] == list(requests)
    words = []
    for outcome in outcomes:
        if outcome.fate is Fate.NOT_SENT:
            assert outcome.text.startswith(REFUSED)
            words.append(outcome.text.removeprefix(REFUSED).partition(":")[0])
        else:
            words.append("sent")
    assert len(exchange.sent) == words.count("sent")
    return words


both_sides = pytest.mark.parametrize("side", [LONG, SHORT])


# --- never widen


@both_sides
@pytest.mark.parametrize(
    ("confirmed", "proposed", "distance", "expected"),
    [
        pytest.param(None, None, -363, "sent", id="the first stop at the initial level"),
        pytest.param(None, None, -362, "sent", id="tighter than the initial level"),
        pytest.param(None, None, -364, "never_widen", id="wider than the initial level"),
        pytest.param(-100, None, -100, "sent", id="restored at the level in force"),
        pytest.param(-100, None, -99, "sent", id="tightened"),
        pytest.param(-100, None, "-100.1", "never_widen", id="a tick wider"),
        pytest.param(-100, None, -363, "never_widen", id="back to the initial level"),
        pytest.param(-100, 50, -100, "sent", id="restored although a tighter one may rest"),
        pytest.param(-100, 50, 0, "never_widen", id="between the confirmed and the proposed"),
        pytest.param(-100, 50, 50, "sent", id="at the level that may rest"),
    ],
)
def test_a_stop_is_never_sent_wider_than_the_level_in_force(
    side: Side,
    confirmed: int | None,
    proposed: int | None,
    distance: str | int,
    expected: str,
) -> None:
    levels = []
    if confirmed is not None:
        levels.append(a_level(side, confirmed, LevelState.CONFIRMED))
    if proposed is not None:
        levels.append(a_level(side, proposed, LevelState.PROPOSED))
    level = None if confirmed is None else price(side, confirmed)
    situation = a_situation(
        life=a_life(side, stop_level=level, opened_ms=NOW), held="0.013", levels=tuple(levels)
    )

    assert judged(situation, place(a_stop(side, distance))) == [expected]


def a_level(side: Side, distance: int, state: LevelState) -> StopLevel:
    return StopLevel(1, 1, side, price(side, distance), "test", state, NOW)


@both_sides
def test_a_refused_level_binds_nobody(side: Side) -> None:
    """RULES F3: else one refused tightening would block every restoration."""
    levels = (a_level(side, -100, LevelState.CONFIRMED), a_level(side, 50, LevelState.REFUSED))
    life = a_life(side, stop_level=price(side, -100), opened_ms=NOW)
    situation = a_situation(life=life, held="0.013", levels=levels)

    assert judged(situation, place(a_stop(side, -90))) == ["sent"]


@both_sides
def test_a_plan_cannot_widen_the_level_it_is_judged_by(side: Side) -> None:
    life = a_life(side, stop_level=price(side, -100), opened_ms=NOW)
    situation = a_situation(life=life, held="0.013")
    request = place(a_stop(side, -363))
    lying = intended(situation, request, stop_level=None)

    assert judged(situation, request, ledger=lying) == ["never_widen"]


@both_sides
def test_the_floor_is_held_to_the_initial_level_only(side: Side) -> None:
    life = a_life(side, stop_level=price(side, 300), opened_ms=NOW)
    situation = a_situation(life=life, held="0.013")

    for distance, expected in ((-363, "sent"), (-364, "never_widen")):
        floor = a_stop(side, distance, None, role=OrderRole.STOP_FLOOR)
        assert judged(situation, place(floor)) == [expected]


def test_a_stop_for_somebody_elses_position_follows_the_mark_until_one_rests() -> None:
    known = a_life(origin=Origin.ORPHAN, opened_ms=NOW)
    situation = a_situation(life=known, held="0.5")
    request = place(a_stop(LONG, -2_722, None, role=OrderRole.STOP_FLOOR))

    planned = intended(situation, request, initial_stop=price(LONG, -2_722))

    assert judged(situation, request, ledger=planned) == ["sent"]


# --- the pair of entry and armed stop


@both_sides
def test_an_entry_leaves_when_its_stop_rests(side: Side) -> None:
    situation = a_situation(an_order(a_stop(side)), life=a_life(side))

    assert judged(situation, place(an_entry(side))) == ["sent"]


@both_sides
@pytest.mark.parametrize(
    "orders",
    [
        pytest.param(lambda side: [], id="no stop"),
        pytest.param(
            lambda side: [an_order(a_stop(side), OrderStatus.UNKNOWN)], id="of unknown fate"
        ),
        pytest.param(
            lambda side: [an_order(a_stop(side), OrderStatus.INTENDED)], id="only intended"
        ),
        pytest.param(
            lambda side: [an_order(a_stop(side), OrderStatus.TRIGGERING)], id="already firing"
        ),
        pytest.param(
            lambda side: [an_order(a_stop(side), doubtful_since_ms=NOW - 1)], id="doubtful"
        ),
        pytest.param(lambda side: [an_order(a_stop(side, quantity="0.012"))], id="too small"),
        pytest.param(
            lambda side: [an_order(a_stop(side, quantity=None, role=OrderRole.STOP_FLOOR))],
            id="a floor alone: it needs a position to rest",
        ),
        pytest.param(lambda side: [an_order(a_stop(side.opposite, 363))], id="on the wrong side"),
        pytest.param(lambda side: [an_order(a_stop(side, generation=0))], id="another life's stop"),
        pytest.param(
            lambda side: [
                an_order(a_stop(side)),
                an_order(an_entry(side, quantity="0.001", revision=9), OrderStatus.UNKNOWN),
            ],
            id="an entry of unknown fate uses part of it",
        ),
    ],
)
def test_an_entry_without_an_armed_stop_of_full_size_never_leaves(
    side: Side, orders: Callable[[Side], list[Order]]
) -> None:
    """RULES E4: the stop is armed before the entry, for everything that could fill."""
    situation = a_situation(*orders(side), life=a_life(side))

    assert judged(situation, place(an_entry(side))) == ["pair"]


def test_a_stop_that_this_ticks_list_does_not_show_arms_nothing() -> None:
    stop = an_order(a_stop())

    assert judged(a_situation(stop, life=a_life(), listed=[]), place(an_entry())) == ["pair"]
    old = {"algo_orders": Fact((report_of(stop),), NOW - 1_001)}
    stale = a_situation(stop, life=a_life(), observation=old)
    assert judged(stale, place(an_entry())) == ["pair"]
    unread = a_situation(stop, life=a_life(), observation={"position": None})
    assert judged(unread, place(an_entry())) == ["pair"]


@both_sides
@pytest.mark.parametrize(
    ("entry", "stop", "basis", "expected"),
    [
        pytest.param(0, -363, 857, "sent", id="2.36 to one at 0.40 %"),
        pytest.param(0, "-317.7", 857, "sent", id="0.3501 %"),
        pytest.param(0, "-317.5", 857, "pair", id="nearer than 0.35 %"),
        pytest.param(0, -363, 726, "sent", id="two to one exactly"),
        pytest.param(0, -363, 725, "pair", id="a shade less than two to one"),
        pytest.param(44, -363, 857, "pair", id="a chased price that spoils the reward"),
        pytest.param(0, 363, 857, "pair", id="the stop on the wrong side"),
        pytest.param(0, -363, -857, "pair", id="the target on the wrong side"),
    ],
)
def test_price_and_armed_trigger_are_checked_as_a_pair(
    side: Side, entry: int, stop: str | int, basis: int, expected: str
) -> None:
    """RULES E1, whatever zone and gates have said before."""
    life = a_life(side, basis_price=price(side, basis))
    situation = a_situation(an_order(a_stop(side, stop)), life=life)

    assert judged(situation, place(an_entry(side, entry))) == [expected]


def test_the_worst_stop_needed_for_the_quantity_is_the_one_that_counts() -> None:
    """Two half stops: the loss is measured to the farther of them (RULES A3)."""
    near, far = a_stop(quantity="0.007"), a_stop(LONG, -450, "0.006", revision=2)
    situation = a_situation(an_order(near), an_order(far), life=a_life())

    assert judged(situation, place(an_entry())) == ["pair"]  # 857 / 450 < 2


@pytest.mark.parametrize(
    ("life", "known"),
    [
        pytest.param({"basis_price": None}, {}, id="nothing to measure the reward to"),
        pytest.param({"withdrawing": "decision_stale"}, {}, id="being withdrawn"),
        pytest.param({"closing": ExitReason.EMERGENCY}, {}, id="being closed"),
        pytest.param({"planned_quantity": D("0.012")}, {}, id="more than the decision's quantity"),
    ],
)
def test_a_life_that_must_not_grow_gets_no_entry(
    life: dict[str, Any], known: dict[str, Any]
) -> None:
    situation = a_situation(an_order(a_stop()), life=a_life(**life), **known)

    assert judged(situation, place(an_entry())) == ["pair"]


def test_executed_working_and_unknown_entries_count_against_the_decisions_quantity() -> None:
    """RULES D1: a chase carries only what its predecessor left."""
    done = an_order(an_entry(quantity="0.010"), OrderStatus.CANCELLED, quantity_filled=D("0.004"))
    stop = an_order(a_stop(quantity="0.020"))
    situation = a_situation(stop, done, life=a_life(opened_ms=NOW), held="0.004")

    for quantity, expected in (("0.009", "sent"), ("0.010", "pair")):
        request = place(an_entry(quantity=quantity, revision=2))
        assert judged(situation, request) == [expected]


def test_two_entries_of_one_plan_cannot_share_one_stop() -> None:
    half = D("0.007")
    stop = an_order(a_stop(quantity="0.030"))
    situation = a_situation(stop, life=a_life())
    first, second = (place(an_entry(quantity=str(half), revision=n)) for n in (1, 2))

    assert judged(situation, first, second) == ["pair", "pair"]  # 0.014 of 0.013
    assert judged(situation, first) == ["sent"]


def test_an_entry_is_a_limit_order() -> None:
    market = replace(an_entry(), type=OrderType.MARKET, price=None)
    situation = a_situation(an_order(a_stop()), life=a_life())

    assert judged(situation, place(market)) == ["pair"]


def test_a_life_this_plan_has_only_begun_cannot_have_an_armed_stop() -> None:
    situation = a_situation(an_order(a_stop()))
    request = place(an_entry())
    planned = intended(situation, request).with_life(a_life())

    assert judged(situation, request, ledger=planned) == ["pair"]


def test_where_the_account_takes_no_stop_while_flat_the_pair_is_still_checked() -> None:
    """Fallback mode (RULES E9): the stop follows the first fill, price and level stay a pair."""
    situation = a_situation(life=a_life(), stop_while_flat=False)

    assert judged(situation, place(an_entry())) == ["sent"]
    assert judged(situation, place(an_entry(LONG, 44))) == ["pair"]


# --- cancelling a stop needs its proof


OLD = a_stop(LONG, -363, revision=1)
NEW = a_stop(LONG, -100, revision=2)
OPEN_LIFE = a_life(stop_level=price(LONG, -100), opened_ms=NOW - 1)
RETIRE = cancel(OLD.client_id, Proof.TIGHTER_RESTS, NEW.client_id)


def test_a_stop_may_go_when_a_tighter_one_rests_for_everything() -> None:
    situation = a_situation(an_order(OLD), an_order(NEW), life=OPEN_LIFE, held="0.013")

    assert judged(situation, RETIRE) == ["sent"]


@pytest.mark.parametrize(
    ("orders", "more"),
    [
        pytest.param([an_order(OLD)], {}, id="the other is not there"),
        pytest.param(
            [an_order(OLD), an_order(NEW, OrderStatus.UNKNOWN)], {}, id="the other is unknown"
        ),
        pytest.param(
            [an_order(OLD), an_order(NEW, doubtful_since_ms=NOW)], {}, id="the other is doubtful"
        ),
        pytest.param(
            [an_order(OLD), an_order(NEW)],
            {"listed": [an_order(OLD)]},
            id="the list of this tick does not show it",
        ),
        pytest.param(
            [an_order(OLD), an_order(NEW)],
            {"observation": {"algo_orders": None}},
            id="the list was not read",
        ),
        pytest.param(
            [an_order(OLD), an_order(NEW)],
            {"observation": {"position": None}},
            id="the position was not read",
        ),
        pytest.param(
            [an_order(OLD), an_order(NEW)], {"held": "0.014"}, id="somebody added to the position"
        ),
        pytest.param(
            [
                an_order(OLD),
                an_order(NEW),
                an_order(an_entry(quantity="0.001"), OrderStatus.UNKNOWN),
            ],
            {},
            id="an entry may still add",
        ),
        pytest.param(
            [
                an_order(OLD),
                an_order(replace(NEW, quantity=D("0.016"))),
                an_order(
                    an_entry(quantity="0.004"), OrderStatus.UNKNOWN, quantity_filled=D("0.002")
                ),
            ],
            {},
            id="an entry of unknown fate counts whole",
        ),
        pytest.param(
            [an_order(OLD), an_order(a_stop(LONG, -364, revision=2))], {}, id="the other is wider"
        ),
        pytest.param(
            [an_order(OLD), an_order(a_stop(SHORT, -100, revision=2))],
            {},
            id="the other is on the wrong side",
        ),
    ],
)
def test_a_stop_stays_while_its_replacement_is_not_certain(
    orders: list[Order], more: dict[str, Any]
) -> None:
    """RULES F2; field lessons 9 and 36: a replacement that was only believed in left nothing."""
    situation = a_situation(*orders, life=OPEN_LIFE, **{"held": "0.013", **more})

    assert judged(situation, RETIRE) == ["proof"]


def test_two_stops_cannot_vouch_for_each_other_in_one_plan() -> None:
    same = a_stop(LONG, -363, revision=2)
    situation = a_situation(an_order(OLD), an_order(same), life=OPEN_LIFE, held="0.013")
    first = cancel(OLD.client_id, Proof.TIGHTER_RESTS, same.client_id)
    second = cancel(same.client_id, Proof.TIGHTER_RESTS, OLD.client_id)

    assert judged(situation, first, second) == ["proof", "proof"]


def test_several_stops_together_may_replace_one() -> None:
    """A position above the market maximum has more than one primary (RULES F1)."""
    halves = [an_order(a_stop(LONG, -100, "0.007", revision=n)) for n in (2, 3)]
    situation = a_situation(an_order(OLD), *halves, life=OPEN_LIFE, held="0.013")

    assert judged(situation, RETIRE) == ["sent"]


def test_a_stop_without_proof_never_goes() -> None:
    situation = a_situation(an_order(OLD), an_order(NEW), life=OPEN_LIFE, held="0.013")

    assert judged(situation, cancel(OLD.client_id)) == ["proof"]
    assert judged(situation, cancel(an_id(OrderRole.TP1))) == ["sent"]


def test_cover_stays_while_nothing_can_be_written_down() -> None:
    """RULES G5: cancelling cover is written ahead, always."""
    condition = Condition(is_store_writable=False)
    orders = (an_order(OLD), an_order(NEW))
    situation = a_situation(*orders, life=OPEN_LIFE, held="0.013", condition=condition)

    assert judged(situation, RETIRE) == ["proof"]


SWEEP = cancel(OLD.client_id, Proof.FLAT_PROVEN)
PAST = PastLife(1, "7f3aq2", "", NOW - 9, NOW - 1, ExitReason.STOP, None)


@pytest.mark.parametrize(
    ("known", "held", "expected"),
    [
        pytest.param({"life": a_life(closed_ms=NOW - 1)}, "0", "sent", id="the life is closed"),
        pytest.param({"life": a_life(opened_ms=NOW - 1)}, "0", "proof", id="one read says 0"),
        pytest.param({"past": (PAST,)}, "0", "sent", id="the life is past"),
        pytest.param({}, "0", "sent", id="no life, flat in two settled pictures"),
        pytest.param({"settled_streak": 1}, "0", "proof", id="no life, flat only once"),
        pytest.param({"past": (PAST,)}, "0.013", "proof", id="it covers a position of today"),
    ],
)
def test_a_sweep_needs_flat_proven(known: dict[str, Any], held: str, expected: str) -> None:
    """RULES C2; field lesson 45: one zero right after a fill is no proof."""
    situation = a_situation(an_order(OLD), held=held, **known)

    assert judged(situation, SWEEP) == [expected]


def test_an_older_lifes_stop_goes_once_the_present_cover_stands() -> None:
    zombie = a_stop(LONG, -50, generation=0)
    situation = a_situation(an_order(zombie), an_order(NEW), life=OPEN_LIFE, held="0.013")

    request = cancel(zombie.client_id, Proof.TIGHTER_RESTS, NEW.client_id)

    assert judged(situation, request) == ["sent"]
    alone = a_situation(an_order(zombie), life=OPEN_LIFE, held="0.013")
    assert judged(alone, request) == ["proof"]
    assert judged(alone, cancel(zombie.client_id, Proof.FLAT_PROVEN)) == ["proof"]


DISARM = cancel(OLD.client_id, Proof.ENTRY_NEVER_FILLED)


@pytest.mark.parametrize(
    ("entry", "more", "expected"),
    [
        pytest.param({"status": OrderStatus.CANCELLED}, {}, "sent", id="cancelled and empty"),
        pytest.param({"status": OrderStatus.WORKING}, {}, "proof", id="still working"),
        pytest.param({"status": OrderStatus.UNKNOWN}, {}, "proof", id="of unknown fate"),
        pytest.param(
            {"status": OrderStatus.CANCELLED, "quantity_filled": D("0.001")},
            {},
            "proof",
            id="something executed",
        ),
        pytest.param(
            {"status": OrderStatus.CANCELLED, "finished_ms": NOW + 1},
            {},
            "proof",
            id="the position was read before the entry ended",
        ),
        pytest.param(
            {"status": OrderStatus.CANCELLED}, {"held": "0.001"}, "proof", id="a position is seen"
        ),
        pytest.param(
            {"status": OrderStatus.CANCELLED},
            {"observation": {"position": None}},
            "proof",
            id="the position was not read",
        ),
        pytest.param(
            {"status": OrderStatus.CANCELLED},
            {"position_quantity": D("0.001")},
            "proof",
            id="the ledger believes in a position",
        ),
    ],
)
def test_an_armed_stop_goes_only_when_the_entry_provably_never_filled(
    entry: dict[str, Any], more: dict[str, Any], expected: str
) -> None:
    """RULES E5: a fill between the last look and the cancel must still find its stop."""
    gone = an_order(an_entry(), **{"finished_ms": NOW - 1, **entry})
    life = a_life(withdrawing="decision_stale")
    situation = a_situation(an_order(OLD), gone, life=life, **more)

    assert judged(situation, DISARM) == [expected]


def test_a_plan_that_enters_again_cannot_disarm() -> None:
    gone = an_order(an_entry(), OrderStatus.CANCELLED, finished_ms=NOW - 1)
    situation = a_situation(an_order(OLD), gone, life=a_life())
    again = place(an_entry(revision=2))

    assert judged(situation, DISARM, again)[0] == "proof"


# --- who may send what, and when


STOP = place(a_stop(LONG, -100))
CLOSE = place(
    OrderTerms(
        an_id(OrderRole.EMERGENCY), LONG.closing, OrderType.MARKET, D("0.013"), reduce_only=True
    )
)
TARGET = place(
    OrderTerms(
        an_id(OrderRole.TP1),
        LONG.closing,
        OrderType.TAKE_PROFIT_MARKET,
        D("0.006"),
        trigger_price=price(LONG, 857),
        reduce_only=True,
    ),
    ActionClass.MANAGE,
)
SETUP = Configure(3, True, ActionClass.ENTER, "rule", "reason")
ALL: dict[str, Request] = {
    "stop": STOP,
    "close": CLOSE,
    "target": TARGET,
    "entry": place(an_entry(revision=2)),
    "cancel entry": cancel(an_id(OrderRole.ENTRY)),
    "cancel target": cancel(an_id(OrderRole.TP1)),
    "cancel stop": RETIRE,
}


def everything(condition: Condition) -> dict[str, str]:
    """Return what becomes of each kind of request while a position stands."""
    life = replace(OPEN_LIFE, planned_quantity=D("0.030"))
    orders = (an_order(OLD), an_order(replace(NEW, quantity=D("0.040"))))
    situation = a_situation(*orders, life=life, held="0.013", condition=condition)
    return {name: judged(situation, request)[0] for name, request in ALL.items()}


def test_the_holder_of_the_lease_may_do_everything() -> None:
    assert set(everything(Condition()).values()) == {"sent"} | {"pair"}
    assert everything(Condition())["entry"] == "pair"  # the level in force is too near for it


def test_without_the_lease_store_only_more_protection_leaves() -> None:
    """RULES G4, add-only: never cancel a stop, never enter, never touch targets."""
    told = everything(Condition(rights=Rights.ADD_ONLY))

    assert {name for name, word in told.items() if word == "sent"} == {
        "stop",
        "close",
        "cancel entry",
    }


def test_while_another_keeper_holds_the_lease_nothing_leaves() -> None:
    told = everything(Condition(rights=Rights.NONE))

    assert set(told.values()) == {"lease"}


@pytest.mark.parametrize(
    ("condition", "word"),
    [
        (Condition(halts=(HaltReason("naked", "", NOW),)), "halted"),
        (Condition(is_store_writable=False), "store"),
    ],
)
def test_a_halt_or_a_silent_store_stops_entries_and_nothing_that_protects(
    condition: Condition, word: str
) -> None:
    armed = a_situation(an_order(a_stop()), life=a_life(), condition=condition)
    held = a_situation(an_order(OLD), life=OPEN_LIFE, held="0.013", condition=condition)

    assert judged(armed, place(an_entry())) == [word]
    assert judged(held, STOP, CLOSE, TARGET) == ["sent", "sent", "sent"]


@pytest.mark.parametrize("terms", [STOP.terms, CLOSE.terms, TARGET.terms])
def test_only_an_entry_may_be_able_to_open(terms: OrderTerms) -> None:
    """Field lesson 28: the flag is never dropped, whatever was refused with it."""
    situation = a_situation(an_order(OLD), life=OPEN_LIFE, held="0.013")

    assert judged(situation, place(replace(terms, reduce_only=False))) == ["reduce_only"]


def test_an_order_of_another_life_or_the_wrong_side_is_refused() -> None:
    situation = a_situation(an_order(OLD), life=OPEN_LIFE, held="0.013")

    assert judged(situation, place(a_stop(LONG, -100, generation=2))) == ["generation"]
    assert judged(situation, place(a_stop(SHORT, -100, revision=5))) == ["side"]
    assert judged(a_situation(), STOP) == ["generation"]


def test_a_probe_needs_no_life() -> None:
    probe = replace(a_stop(LONG, -2_722, "0.001"), client_id=an_id(OrderRole.PROBE))

    assert judged(a_situation(), place(probe)) == ["sent"]


@pytest.mark.parametrize(
    ("situation", "expected"),
    [
        pytest.param(a_situation(), "sent", id="flat and clean"),
        pytest.param(
            a_situation(life=a_life(opened_ms=NOW), held="0.013"), "configure", id="a position"
        ),
        pytest.param(
            a_situation(an_order(a_stop()), life=a_life()), "configure", id="an armed stop"
        ),
        pytest.param(
            a_situation(observation={"position": None}), "configure", id="position not read"
        ),
    ],
)
def test_leverage_and_margin_type_are_touched_only_while_flat_and_clean(
    situation: Situation, expected: str
) -> None:
    assert judged(situation, SETUP) == [expected]


# --- the fence


@pytest.mark.parametrize(
    ("request_", "lease_left_ms", "window_ms"),
    [
        pytest.param(place(an_entry()), None, 2_000, id="what can open"),
        pytest.param(place(a_stop()), None, 5_000, id="what cannot"),
        pytest.param(place(an_entry()), 60_000, 2_000, id="a long lease changes nothing"),
        pytest.param(place(an_entry()), 2_500, 1_500, id="a short one shortens"),
        pytest.param(place(a_stop()), 4_000, 3_000, id="protection too"),
        pytest.param(place(a_stop()), 1_250, 250, id="to the last quarter second"),
        pytest.param(place(a_stop()), 1_249, None, id="then nothing leaves"),
        pytest.param(place(a_stop()), -5_000, None, id="nor after the end"),
    ],
)
def test_no_request_outlives_the_lease(
    request_: PlaceOrder, lease_left_ms: int | None, window_ms: int | None
) -> None:
    """RULES G4: what a frozen writer sends after waking is refused by the exchange itself."""
    until = None if lease_left_ms is None else NOW + lease_left_ms
    situation = a_situation(
        an_order(a_stop(revision=9)), life=a_life(), condition=Condition(lease_until_ms=until)
    )
    exchange = Exchange()

    judged(situation, request_, exchange=exchange)

    sent = [(p.stamp_ms, p.recv_window_ms) for p in exchange.sent]
    assert sent == ([] if window_ms is None else [(NOW, window_ms)])


def test_everything_leaves_in_one_burst_with_protection_first() -> None:
    situation = a_situation(an_order(OLD), life=OPEN_LIFE, held="0.013")
    exchange = Exchange()
    tidy = cancel(an_id(OrderRole.ENTRY))

    judged(situation, TARGET, tidy, STOP, exchange=exchange)

    assert [p.request for p in exchange.sent] == [STOP, tidy, TARGET]


def test_a_plan_leaves_as_single_requests_with_the_stop_before_what_needs_it() -> None:
    """RULES F1, G5, lesson 50: no batch exists for conditional orders, and none is needed.

    Whatever the order a plan was written in: each request has its own permit and its own outcome,
    and the outcomes come back in the plan's order.
    """
    situation = a_situation(an_order(OLD), life=OPEN_LIFE, held="0.013")
    exchange = Exchange()
    plan = Plan(intended(situation, TARGET, STOP, CLOSE), (TARGET, STOP, CLOSE))

    outcomes = act(Gateway(exchange), situation, plan, frozenset())

    assert [p.request for p in exchange.sent] == [STOP, CLOSE, TARGET]
    assert [o.action for o in outcomes] == [TARGET, STOP, CLOSE]
    assert {o.fate for o in outcomes} == {Fate.ACCEPTED}


def test_one_refusal_holds_back_nothing_else() -> None:
    situation = a_situation(an_order(OLD), life=OPEN_LIFE, held="0.013")

    assert judged(situation, place(a_stop(LONG, -364, revision=7)), STOP) == [
        "never_widen",
        "sent",
    ]


# --- an id means one thing, once


def test_an_id_is_never_sent_with_other_terms() -> None:
    situation = a_situation(an_order(OLD), life=OPEN_LIFE, held="0.013")
    gateway = Gateway(Exchange())
    other = place(replace(STOP.terms, quantity=D("0.020")))
    gateway.perform([STOP], situation, intended(situation, STOP))

    (outcome,) = gateway.perform([other], situation, intended(situation, other))

    assert outcome.fate is Fate.NOT_SENT
    assert outcome.text.startswith(f"{REFUSED}terms")


def test_an_order_leaves_only_as_it_was_written_down() -> None:
    """RULES G5: for what can open, the intent comes first; protection does not wait for it."""
    situation = a_situation(an_order(a_stop()), life=a_life())
    entry, other = place(an_entry()), place(an_entry(quantity="0.012"))

    assert judged(situation, entry, ledger=situation.ledger) == ["intent"]
    assert judged(situation, entry, ledger=intended(situation, other)) == ["terms"]
    stop = place(a_stop(revision=2))
    assert judged(situation, stop, ledger=situation.ledger) == ["sent"]


@pytest.mark.parametrize(
    ("fate", "expected"),
    [
        (Fate.ACCEPTED, "once"),
        (Fate.UNKNOWN, "once"),
        (Fate.REJECTED, "sent"),
        (Fate.NOT_SENT, "backoff"),
    ],
)
def test_an_entry_that_may_have_executed_is_never_sent_again(fate: Fate, expected: str) -> None:
    """Field lesson 27: the exchange executes a repeated id again once the first is done."""
    situation = a_situation(an_order(a_stop()), life=a_life())
    exchange = Exchange(fate)
    gateway, entry = Gateway(exchange), place(an_entry())
    ledger = intended(situation, entry)
    gateway.perform([entry], situation, ledger)

    exchange.fate = Fate.ACCEPTED
    (outcome,) = gateway.perform([entry], situation, ledger)

    told = outcome.text.removeprefix(REFUSED).partition(":")[0] or "sent"
    assert told == expected


def test_an_id_leaves_once_per_plan() -> None:
    situation = a_situation(an_order(OLD), life=OPEN_LIFE, held="0.013")

    assert judged(situation, STOP, STOP) == ["sent", "once"]


# --- pacing


def test_what_did_not_leave_waits_but_protection_never_does() -> None:
    situation = a_situation(an_order(OLD), life=OPEN_LIFE, held="0.013")
    exchange = Exchange(Fate.NOT_SENT)
    gateway = Gateway(exchange)
    ledger = intended(situation, STOP, TARGET)

    for _ in range(3):
        gateway.perform([STOP, TARGET], situation, ledger)

    assert [p.request for p in exchange.sent] == [STOP, TARGET, STOP, STOP]
    exchange.at_ms += 1_250
    gateway.perform([TARGET], situation, ledger)
    assert exchange.sent[-1].request is TARGET


def test_a_withdrawal_never_waits() -> None:
    """An entry that should go may fill while its cancel waits."""
    situation = a_situation(an_order(a_stop()), life=a_life(withdrawing="decision_stale"))
    exchange = Exchange(Fate.NOT_SENT)
    gateway, withdrawal = Gateway(exchange), cancel(an_id(OrderRole.ENTRY))

    for _ in range(3):
        gateway.perform([withdrawal], situation, situation.ledger)

    assert [p.request for p in exchange.sent] == [withdrawal] * 3


def test_an_exchange_that_keeps_failing_gets_no_entries() -> None:
    situation = a_situation(an_order(a_stop()), life=a_life())
    exchange = Exchange(failing=True)
    gateway, entry, stop = Gateway(exchange), place(an_entry()), place(a_stop(revision=2))
    gateway.ask([Question(Topic.POSITION)] * FAILURES_MAX, 1_000)

    outcomes = gateway.perform([entry, stop], situation, intended(situation, entry, stop))

    assert gateway.is_breaker_open
    assert [o.fate for o in outcomes] == [Fate.NOT_SENT, Fate.ACCEPTED]
    assert outcomes[0].text.startswith(f"{REFUSED}breaker")


def test_a_spent_budget_stops_entries_first_and_still_reads_what_cover_hangs_on() -> None:
    situation = a_situation(an_order(a_stop()), life=a_life())
    exchange = Exchange(used=Usage(weight_used=1_950, weight_limit=2_400))

    assert judged(situation, place(an_entry()), exchange=exchange) == ["budget"]
    gateway = Gateway(exchange)
    answers = gateway.ask(
        [Question(Topic.ACCOUNT), Question(Topic.POSITION), Question(Topic.COMMISSION)], 1_000
    )

    assert exchange.asked == [Topic.POSITION]
    assert [a.question.topic for a in answers] == [
        Topic.ACCOUNT,
        Topic.POSITION,
        Topic.COMMISSION,
    ]
    assert [a.failure is None for a in answers] == [False, True, False]


def test_inside_a_ban_nothing_is_asked_and_nothing_sent() -> None:
    situation = a_situation(an_order(OLD), life=OPEN_LIFE, held="0.013")
    exchange = Exchange(used=Usage(blocked_until_ms=NOW + 1))

    assert judged(situation, STOP, exchange=exchange) == ["blocked"]
    (answer,) = Gateway(exchange).ask([Question(Topic.POSITION)], 1_000)

    assert answer.failure is not None
    assert exchange.asked == []


def test_a_withdrawal_waits_for_no_share_of_the_weight() -> None:
    """RULES H4, E5: what could still open must not wait for its withdrawal."""
    exchange = Exchange(used=Usage(weight_used=2_399))
    situation = a_situation(an_order(a_stop()), life=a_life(withdrawing="decision_stale"))

    assert judged(situation, cancel(an_id(OrderRole.ENTRY)), exchange=exchange) == ["sent"]


def test_entries_that_go_round_in_circles_are_stopped() -> None:
    """Lessons 10, 47: capped at the one door, whatever the planner believes."""
    exchange = Exchange(fate=Fate.REJECTED)
    gateway = Gateway(exchange)
    texts = []
    for revision in range(1, 30):
        request = place(an_entry(revision=revision))
        situation = a_situation(an_order(a_stop()), life=a_life())
        (outcome,) = gateway.perform([request], situation, intended(situation, request))
        texts.append(outcome.text)

    most, _ = CAPS[ActionClass.ENTER]
    assert len(exchange.sent) == most
    assert gateway.churned == (ActionClass.ENTER,)
    assert all(text.startswith(f"{REFUSED}churn") for text in texts[most:])
