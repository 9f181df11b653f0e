"""An account in hedge mode: each held side gets one stop, nothing is entered (RULES H3, lesson 26).

Whose positions these are does not matter: none of ours can exist there. What closes a side already
is left alone, and a stop that was lost comes back where it was.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from engine.domain.action import (
    CancelOrder,
    Configure,
    Outcome,
    PlaceOrder,
    Plan,
    Proof,
    Request,
)
from engine.domain.drift import DriftKind
from engine.domain.identity import ClientOrderId, OrderRole
from engine.domain.ledger import Ledger
from engine.domain.limits import Limits
from engine.domain.observation import (
    AccountMode,
    Fact,
    NotFound,
    Observation,
    Question,
    Quote,
    Topic,
)
from engine.domain.order import Order, OrderReport, OrderTerms
from engine.domain.position import HedgedPositions, HedgedSide
from engine.domain.situation import Situation
from engine.domain.terms import ActionClass, Fate, OrderType, Side, WorkingPrice
from engine.exchange.gateway import REFUSED, Gateway
from engine.exchange.port import Answer, KeyRights, Permit, Usage
from engine.loop import pace_ms
from engine.observe import Attention, Observer
from engine.plan.planner import make_plan
from engine.reconcile.questions import questions
from engine.reconcile.settle import reconcile
from engine.tick import TickReport
from engine.vitals import troubles
from tests.builders import (
    CANCELLED,
    FLOOR,
    LONG,
    NOW,
    REJECTED,
    SHORT,
    TRIGGERED,
    UNKNOWN,
    Number,
    a_decision,
    a_floor,
    a_ledger,
    a_life,
    a_position,
    a_situation,
    an_entry,
    an_observation,
    cancelled,
    d,
    held,
    ids,
    placed,
    report_of,
    table,
)

MARK = 90_760
GENERATIONS = {LONG: 4, SHORT: 5}
LEVELS = {LONG: d("88037.2"), SHORT: d("93482.8")}
"""Three percent from the mark."""

both_sides = pytest.mark.parametrize("side", [LONG, SHORT])


def a_hedged_side(side: Side = LONG, **changes: Any) -> HedgedSide:
    return replace(HedgedSide(GENERATIONS[side], side), **changes)


def a_hedged_stop(
    side: Side = LONG, level: Number | None = None, *, revision: int = 1, **changes: Any
) -> Order:
    """Return the own stop of one side, resting."""
    generation = GENERATIONS[side]
    trigger = LEVELS[side] if level is None else level
    order = a_floor(trigger, side=side, revision=revision, generation=generation, **changes)
    terms = replace(
        order.terms,
        client_id=ClientOrderId("000000", generation, FLOOR, revision),
        position_side=side,
    )
    return replace(order, terms=terms)


def told(order: Order, **changes: Any) -> OrderReport:
    return report_of(order, position_side=order.terms.position_side, **changes)


def a_hedged_look(
    *sides: Side, reports: Sequence[OrderReport] = (), held: Any = None, **changes: Any
) -> Observation:
    """Return a look at an account in hedge mode that holds these sides."""
    look = an_observation(reports=reports, price=MARK)
    positions = tuple(replace(a_position("0.5", side), **(held or {})) for side in sides)
    given = {
        "hedged": Fact(positions, NOW),
        "account_mode": Fact(AccountMode(is_hedge=True, is_multi_assets=False), NOW),
    }
    return replace(look, **{**given, **changes})


def a_hedged_ledger(*orders: Order, sides: Sequence[HedgedSide] = (), **changes: Any) -> Ledger:
    return a_ledger(orders=orders, generation=5, hedged=tuple(sides), **changes)


def hedged(*orders: Order, sides: Sequence[Side] = (LONG,), **seen: Any) -> Situation:
    """Return a situation in which these sides are held, known, and covered by ``orders``."""
    reports = [told(o) for o in orders if o.status.is_resting and o.doubtful_since_ms is None]
    known = [a_hedged_side(side) for side in sides]
    return a_situation(
        ledger=a_hedged_ledger(*orders, sides=known),
        observation=a_hedged_look(*sides, **{"reports": reports, **seen}),
        decision=a_decision(),
    )


# --- the planner


@both_sides
def test_a_held_side_gets_one_stop_that_names_it(side: Side) -> None:
    plan = make_plan(hedged(sides=[side]))

    assert placed(plan) == [
        OrderTerms(
            client_id=ClientOrderId("000000", GENERATIONS[side], OrderRole.STOP_FLOOR, 1),
            side=side.closing,
            type=OrderType.STOP_MARKET,
            trigger_price=LEVELS[side],
            working_price=WorkingPrice.LAST,
            close_position=True,
            position_side=side,
        )
    ]
    assert [a.action_class for a in plan.actions if isinstance(a, PlaceOrder)] == [
        ActionClass.PROTECT
    ]


def test_both_sides_are_covered_in_one_burst_under_ids_of_their_own() -> None:
    plan = make_plan(hedged(sides=[LONG, SHORT]))

    assert [str(t.client_id) for t in placed(plan)] == ["kp000000004f001", "kp000000005f001"]


PLACES = table("""
    stop             asked  held                    id
    none             1      -                       nothing rests
    resting          0      -                       one rests
    unknown          1      -                       of unknown fate: nothing waits (C4)
    doubtful         1      -                       a list forgot it (C1)
    three unknown    0      possibly_resting_max    three may rest: look, place no more
    fired just now   0      -                       it is closing the side
    fired long ago   1      -                       its child did nothing
    cancelled        1      -                       somebody took it away
    refused          1      -                       refused once: at once again
    taken            0      backoff                 -4130: one rests unseen, no hurry
    theirs           0      foreign_close_position  somebody's closes the side
    their other      1      -                       somebody's closes the other side
    their quantity   1      -                       theirs is only a quantity: not relied on (G2)
    their target     1      -                       their target is no stop
""")


@both_sides
@pytest.mark.parametrize("row", PLACES, ids=ids(PLACES))
def test_a_side_has_one_stop_and_never_two(side: Side, row: list[str]) -> None:
    orders, reports = _world(row[0], side)
    look = [told(o) for o in orders if o.status.is_resting and o.doubtful_since_ms is None]

    plan = make_plan(hedged(*orders, sides=[side], reports=[*look, *reports]))

    asked = [t.client_id.revision for t in placed(plan)]
    assert asked == ([len(orders) + 1] if row[1] == "1" else [])
    assert [reason for reason in held(plan) if reason != "picture_missing"] == (
        [] if row[2] == "-" else [row[2]]
    )
    assert cancelled(plan) == []


def _world(word: str, side: Side) -> tuple[list[Order], list[OrderReport]]:
    level = LEVELS[side]
    own: dict[str, list[Order]] = {
        "resting": [a_hedged_stop(side)],
        "unknown": [a_hedged_stop(side, status=UNKNOWN)],
        "doubtful": [a_hedged_stop(side, doubtful_since_ms=NOW - 1)],
        "three unknown": [a_hedged_stop(side, revision=n, status=UNKNOWN) for n in (1, 2, 3)],
        "fired just now": [a_hedged_stop(side, status=TRIGGERED, triggered_ms=NOW - 1_999)],
        "fired long ago": [a_hedged_stop(side, status=TRIGGERED, triggered_ms=NOW - 2_000)],
        "cancelled": [a_hedged_stop(side, status=CANCELLED)],
        "refused": [a_hedged_stop(side, status=REJECTED, code=-4509, finished_ms=NOW)],
        "taken": [a_hedged_stop(side, status=REJECTED, code=-4130, finished_ms=NOW)],
    }
    stop = told(a_hedged_stop(side), client_id="web_1")
    other = side.opposite
    away = told(a_hedged_stop(other), client_id="web_1")
    theirs: dict[str, list[OrderReport]] = {
        "theirs": [stop],
        "their other": [away],
        "their quantity": [
            replace(stop, close_position=False, reduce_only=False, quantity=d("0.5"))
        ],
        "their target": [replace(stop, type=OrderType.TAKE_PROFIT_MARKET, trigger_price=level)],
    }
    return own.get(word, []), theirs.get(word, [])


LEVEL_CASES = table("""
    side   kept   mark   liquidation  exit   level    id
    long   -      90760  -            -      88037.2  three percent from the mark
    short  -      90760  -            -      93482.8  three percent from the mark, short
    long   -      90761  -            -      88038.2  rounded toward less risk
    short  -      90761  -            -      93483.8  rounded toward less risk, short
    long   -      90760  80000        -      88037.2  liquidation far away
    long   -      90760  88000        -      88453.8  half a percent of the mark inside liquidation
    short  -      90760  93000        -      92546.2  inside liquidation, short
    long   -      90760  90500        -      90630.0  halfway where the buffer does not fit
    short  -      90760  91000        -      90880.0  halfway, short
    long   -      90760  90759.8      -      -        no place left before liquidation
    short  -      90760  90760.2      -      -        no place left, short
    long   -      90760  -            87000  86982.6  outside the spread
    short  -      90760  -            95000  95019.0  outside the spread, short
    long   -      90760  -            0      88037.2  nobody bids: an empty book is no price
    long   89000  90760  -            -      89000.0  where the last one was
    short  92000  90760  -            -      92000.0  where the last one was, short
    long   89000  90760  88990        -      89000.0  where it was, still before liquidation
    long   89000  90760  89100        -      89553.8  liquidation came nearer: inside it
    short  92000  90760  91900        -      91446.2  liquidation came nearer, short
    long   89000  88900  -            -      86233.0  price passed it: from the mark, for cover
    short  92000  92100  -            -      94863.0  price passed it, short
""")


@pytest.mark.parametrize("row", LEVEL_CASES, ids=ids(LEVEL_CASES))
def test_where_the_stop_of_a_side_goes(row: list[str]) -> None:
    """RULES H3, G1: from the current mark, inside liquidation, outside the spread, rounded."""
    side = Side(row[0])
    kept, mark, liquidation, exit_price, level = (None if c == "-" else d(c) for c in row[1:6])
    assert mark is not None
    look = an_observation(price=mark)
    if exit_price is not None:
        look = replace(look, quote=Fact(Quote(exit_price, exit_price), NOW))
    position = replace(a_position("0.5", side), liquidation_price=liquidation)
    situation = a_situation(
        ledger=a_hedged_ledger(sides=[a_hedged_side(side, level=kept)]),
        observation=replace(look, hedged=Fact((position,), NOW)),
    )

    plan = make_plan(situation)

    assert [terms.trigger_price for terms in placed(plan)] == ([] if level is None else [level])
    assert held(plan) == (["level_crossed"] if level is None else [])
    assert judged(situation, *placing(plan)) == ["sent"] * len(plan.actions)


def test_without_a_price_no_stop_is_guessed() -> None:
    """A position's own mark may be missing, too: what would fire at once is not known."""
    situation = hedged(mark=None, candles=None, quote=None)

    assert held(make_plan(situation)) == ["level_crossed"]


def test_no_entry_is_armed_and_nothing_is_set_up() -> None:
    """RULES H3: no entries, ever. The gate says so, and so does the guard behind it."""
    flat = a_situation(ledger=a_ledger(), observation=a_hedged_look(), decision=a_decision())
    one_way = replace(flat, observation=an_observation())
    assert placed(make_plan(one_way)) != []

    plan = make_plan(flat)

    assert plan.actions == ()
    assert [g.code for g in plan.gates if g.verdict == "refuse"] == ["account_usable"]


def test_a_life_from_before_the_change_gets_no_order_of_one_way_mode() -> None:
    """Such an order would only be refused; the life ends by what the position reads."""
    life = a_life(0)
    situation = a_situation(life, observation=a_hedged_look(LONG), decision=a_decision())
    stop_gone = replace(situation, ledger=a_ledger(life, [an_entry(status=UNKNOWN)]))

    plans = [make_plan(situation), make_plan(stop_gone)]

    assert [placed(plan) for plan in plans] == [[], []]
    assert not any(isinstance(a, Configure) for plan in plans for a in plan.actions)
    assert "hedge_mode" in held(plans[1])


def test_a_position_of_one_way_mode_ends_hedge_mode_whatever_was_read_long_ago() -> None:
    """The mode is asked rarely; protection must not wait for it."""
    look = a_hedged_look(hedged=None, position=Fact(a_position(), NOW))
    assert not look.is_hedge

    plan = make_plan(a_situation(a_life(), observation=look))

    assert {t.role for t in placed(plan)} >= {OrderRole.STOP_PRIMARY, OrderRole.STOP_FLOOR}


# --- what is remembered of the sides


@both_sides
def test_a_side_is_known_from_one_look(side: Side) -> None:
    ledger, drifts = reconcile(a_ledger(generation=7), a_hedged_look(side), Limits())

    assert ledger.hedged == (HedgedSide(8, side),)
    assert (ledger.generation, ledger.life) == (8, None)
    assert {DriftKind.ORPHAN_POSITION, DriftKind.POSITION_MODE_CHANGED} <= {x.kind for x in drifts}


def test_a_side_is_let_go_after_three_looks_over_ten_seconds() -> None:
    """RULES C2: one look that forgets a side must not cost its stop."""
    ledger = a_hedged_ledger(a_hedged_stop(), sides=[a_hedged_side()])
    look = a_hedged_look(reports=[told(a_hedged_stop())])
    left = []
    for seconds in (0, 1, 9, 10):
        ledger, _ = reconcile(ledger, replace(look, now_ms=NOW + seconds * 1000), Limits())
        left.append(len(ledger.hedged))
        plan = make_plan(a_situation(ledger=ledger, observation=look))
        assert bool(cancelled(plan)) == (not ledger.hedged)

    assert left == [1, 1, 1, 0]


def test_two_looks_ten_seconds_apart_are_not_enough() -> None:
    ledger = a_hedged_ledger(sides=[a_hedged_side()])
    for seconds in (0, 10):
        look = replace(a_hedged_look(), now_ms=NOW + seconds * 1000)
        ledger, _ = reconcile(ledger, look, Limits())

    assert len(ledger.hedged) == 1


def test_the_stop_of_a_held_side_is_no_leftover_of_an_earlier_life() -> None:
    """RULES G6 sweeps those and keeps entries waiting for them; this one has a position."""
    stop = a_hedged_stop()

    assert a_hedged_ledger(stop, sides=[a_hedged_side()]).earlier_orders == ()
    assert a_hedged_ledger(stop).earlier_orders == (stop,)


def test_a_side_seen_again_was_never_gone() -> None:
    ledger = a_hedged_ledger(sides=[a_hedged_side(gone_ms=NOW - 9_000, gone_reads=2)])

    ledger, _ = reconcile(ledger, a_hedged_look(LONG), Limits())

    assert ledger.hedged == (a_hedged_side(),)


def test_a_failed_look_says_nothing_about_the_sides() -> None:
    """RULES C6: what was not read is not gone."""
    known = a_hedged_side(gone_ms=NOW - 60_000, gone_reads=3)
    look = a_hedged_look(position=None, hedged=None)

    ledger, _ = reconcile(a_hedged_ledger(sides=[known]), look, Limits())

    assert ledger.hedged == (known,)


@both_sides
def test_a_lost_store_finds_its_stops_again(side: Side) -> None:
    """RULES B4: under the generation the stop has, so that the next id is a new one."""
    own = a_hedged_stop(side, revision=3)
    look = a_hedged_look(side, reports=[told(own)], history=Fact((), NOW))

    ledger, _ = reconcile(Ledger(), look, Limits())

    assert ledger.hedged == (a_hedged_side(side, level=LEVELS[side], is_covered=True),)
    assert placed(make_plan(a_situation(ledger=ledger, observation=look))) == []


def test_nothing_of_a_side_that_is_gone_stays_in_the_ledger() -> None:
    stop = a_hedged_stop(status=CANCELLED)
    known = a_hedged_side(gone_ms=NOW - 60_000, gone_reads=2)

    ledger, _ = reconcile(a_hedged_ledger(stop, sides=[known]), a_hedged_look(), Limits())

    assert (ledger.hedged, ledger.orders) == ((), ())


def test_a_doubtful_stop_of_a_held_side_is_not_let_go() -> None:
    """RULES G6 frees what nothing depends on any more; a held side depends on it."""
    stop = a_hedged_stop(doubtful_since_ms=NOW - 120_000)
    ledger = a_hedged_ledger(stop, sides=[a_hedged_side()])
    missing = NotFound(str(stop.id))

    held_look = a_hedged_look(LONG, lookups=(Fact(missing, NOW),))
    gone_look = a_hedged_look(lookups=(Fact(missing, NOW),))

    assert reconcile(ledger, held_look, Limits())[0].orders[0].may_rest
    assert not reconcile(ledger, gone_look, Limits())[0].orders[0].may_rest


@pytest.mark.parametrize(
    ("known", "seen", "asks"),
    [
        ((LONG,), (LONG,), False),
        ((), (LONG,), True),
        ((LONG,), (), True),
        ((LONG,), (SHORT,), True),
    ],
)
def test_a_side_that_came_or_went_is_looked_at_twice(
    known: tuple[Side, ...], seen: tuple[Side, ...], *, asks: bool
) -> None:
    """RULES C3."""
    ledger = a_hedged_ledger(sides=[a_hedged_side(side) for side in known])

    assert (Question(Topic.POSITION) in questions(ledger, a_hedged_look(*seen))) is asks


def test_the_alarm_names_each_side_and_whether_it_has_a_stop() -> None:
    covered = a_hedged_side(LONG, is_covered=True)
    situation = a_situation(
        ledger=a_hedged_ledger(sides=[covered, a_hedged_side(SHORT)]),
        observation=a_hedged_look(LONG, SHORT),
    )

    words = "no entries; long has a stop, short WITHOUT A STOP"
    assert troubles(situation) == (("hedge_mode", words),)


@pytest.mark.parametrize(
    ("side", "wait_ms"),
    [
        pytest.param(a_hedged_side(), 250, id="no stop"),
        pytest.param(a_hedged_side(is_covered=True), 1_000, id="covered"),
        pytest.param(a_hedged_side(gone_ms=NOW, gone_reads=1), 1_000, id="seems gone"),
    ],
)
def test_a_side_without_a_stop_is_looked_at_soon(side: HedgedSide, wait_ms: int) -> None:
    """RULES F11: every 250 ms while cover is missing."""
    ledger = a_hedged_ledger(sides=[side])
    report = TickReport(NOW, (), a_situation(ledger=ledger), (), Plan(ledger), (), ledger)

    assert pace_ms(report, 1_000, 0) == wait_ms


# --- the questions


class Told:
    """Answers each topic by a table."""

    def __init__(self, **values: Any) -> None:
        self.values = values
        self.asked: list[Topic] = []

    def ask(self, questions: Sequence[Question], patience_ms: int) -> tuple[Answer, ...]:
        del patience_ms
        self.asked = [q.topic for q in questions]
        return tuple(Answer(q, NOW, self.values.get(q.topic.value)) for q in questions)


def test_in_hedge_mode_the_one_way_position_reads_flat_and_the_sides_beside_it() -> None:
    """It is certainly not there; what is there is never squeezed into it (lesson 26)."""
    short = a_position("0.5", SHORT)
    observer = Observer(Told(position=HedgedPositions((short,))), patience_ms=1)

    look = observer.observe(a_ledger(), NOW, Attention.WATCHFUL)

    assert look.position is not None
    assert look.position.value.is_flat
    assert (look.is_hedge, look.hedged_on(SHORT), look.hedged_on(LONG)) == (True, short, None)


def test_a_held_side_is_watched_however_idle_the_keeper_is() -> None:
    """Its stop may be taken away at any time; ten seconds are too long to notice."""
    account = Told(position=HedgedPositions((a_position("0.5"),)))
    observer = Observer(account, patience_ms=1)
    observer.observe(a_ledger(), NOW, Attention.IDLE)
    account.asked.clear()

    observer.observe(a_ledger(), NOW + 1_000, Attention.IDLE)

    assert {Topic.POSITION, Topic.OPEN_ALGO_ORDERS} <= set(account.asked)


# --- the gateway


class Door:
    """An exchange that accepts everything."""

    def __init__(self) -> None:
        self.sent: list[Permit] = []

    def now_ms(self) -> int:
        return NOW

    def clock_error_ms(self) -> int | None:
        return 3

    def anchor_clock(self) -> None:
        """Nothing to measure."""

    def ask(self, questions: Sequence[Question], patience_ms: int) -> tuple[Answer, ...]:
        del patience_ms
        return tuple(Answer(q, NOW) for q in questions)

    def send(self, permits: Sequence[Permit], patience_ms: int) -> tuple[Outcome, ...]:
        del patience_ms
        self.sent += permits
        return tuple(Outcome(p.request, Fate.ACCEPTED, NOW) for p in permits)

    def usage(self) -> Usage:
        return Usage()

    @property
    def is_stuck(self) -> bool:
        return False

    def key_rights(self, patience_ms: int) -> KeyRights:
        del patience_ms
        return KeyRights(can_trade=True, can_withdraw=None, is_ip_restricted=None)

    def close(self) -> None:
        """Nothing to close."""


def judged(situation: Situation, *requests: Request) -> list[str]:
    """Return what became of each request: "sent", or the word the refusal begins with."""
    outcomes = Gateway(Door()).perform(requests, situation, situation.ledger)
    return [
        "sent" if o.fate is Fate.ACCEPTED else o.text.removeprefix(REFUSED).partition(":")[0]
        for o in outcomes
    ]


def placing(plan: Plan) -> list[PlaceOrder]:
    return [a for a in plan.actions if isinstance(a, PlaceOrder)]


def place(terms: OrderTerms) -> PlaceOrder:
    return PlaceOrder(terms, ActionClass.PROTECT, "rule", "reason")


@both_sides
@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({}, "sent", id="the one stop"),
        pytest.param({"close_position": False}, "reduce_only", id="could open"),
        pytest.param(
            {"close_position": False, "reduce_only": True, "quantity": d(1)}, "hedge", id="sized"
        ),
        pytest.param({"reduce_only": True}, "hedge", id="reduceOnly beside closePosition"),
        pytest.param({"quantity": d(1)}, "hedge", id="a quantity beside closePosition"),
        pytest.param({"type": OrderType.TAKE_PROFIT_MARKET}, "hedge", id="a target"),
        pytest.param({"position_side": None}, "hedge", id="names no side"),
        pytest.param({"trigger_price": None}, "never_widen", id="no trigger"),
    ],
)
def test_only_the_one_stop_leaves_in_hedge_mode(
    side: Side, changes: dict[str, Any], expected: str
) -> None:
    terms = replace(a_hedged_stop(side).terms, **changes)

    assert judged(hedged(sides=[side]), place(terms)) == [expected]


@both_sides
def test_a_stop_leaves_only_for_the_side_it_closes(side: Side) -> None:
    """Its opposite would open: refused wherever it comes from."""
    stop = a_hedged_stop(side).terms
    wrong = replace(stop, side=side.opening)
    other_generation = replace(stop, client_id=stop.client_id._replace(generation=9))

    assert judged(hedged(sides=[side]), place(wrong)) == ["hedge"]
    assert judged(hedged(sides=[side.opposite]), place(stop)) == ["hedge"]
    assert judged(hedged(sides=[side]), place(other_generation)) == ["hedge"]
    assert judged(a_situation(), place(stop)) == ["hedge"]


def test_entries_and_settings_never_leave_in_hedge_mode() -> None:
    entry = place(an_entry().terms)
    setting = Configure(3, None, ActionClass.ENTER, "rule", "reason")

    assert judged(hedged(), entry, setting) == ["hedge", "hedge"]


@both_sides
@pytest.mark.parametrize(("distance", "expected"), [(0, "sent"), (-1, "never_widen"), (1, "sent")])
def test_the_next_stop_of_a_side_is_no_wider_than_the_last(
    side: Side, distance: int, expected: str
) -> None:
    """RULES B2: while a stop there would still rest."""
    kept = LEVELS[side] + side.sign * 100
    situation = hedged(sides=[side])
    known = a_hedged_side(side, level=kept)
    situation = replace(situation, ledger=a_hedged_ledger(sides=[known]))

    terms = a_hedged_stop(side, kept + side.sign * distance).terms

    assert judged(situation, place(terms)) == [expected]


@pytest.mark.parametrize(
    ("known", "seen", "expected"),
    [
        pytest.param([LONG], [LONG], "proof", id="held"),
        pytest.param([LONG], [], "proof", id="not yet proven flat"),
        pytest.param([], [LONG], "proof", id="seen held, not yet known"),
        pytest.param([], [], "sent", id="gone"),
        pytest.param([SHORT], [SHORT], "sent", id="gone, the other side held"),
    ],
)
def test_a_stop_of_a_held_side_is_never_cancelled(
    known: list[Side], seen: list[Side], expected: str
) -> None:
    """RULES F2: the one-way position reads flat all the while, and proves nothing here."""
    stop = a_hedged_stop()
    situation = a_situation(
        ledger=a_hedged_ledger(stop, sides=[a_hedged_side(side) for side in known]),
        observation=a_hedged_look(*seen, reports=[told(stop)]),
    )
    request = CancelOrder(
        stop.id, stop.terms.book, ActionClass.RECONCILE, "sweep", "flat", Proof.FLAT_PROVEN
    )

    assert judged(situation, request) == [expected]
