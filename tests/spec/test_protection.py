"""A position is always covered, in two layers, and protection never waits (RULES A4, F1, E8)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.domain.action import CancelOrder, PlaceOrder, Proof
from engine.domain.condition import Condition
from engine.domain.limits import Limits, OrphanPolicy
from engine.domain.observation import Fact
from engine.domain.order import Order, OrderStatus
from engine.domain.position import ExitReason, Origin
from engine.domain.terms import ActionClass, OrderType, Side, TimeInForce, WorkingPrice
from engine.exchange.cover import Grounds
from engine.exchange.proofs import refuse_cancel
from engine.plan.attempts import PROTECT_ATTEMPTS
from engine.plan.planner import make_plan
from tests.builders import (
    CANCELLED,
    EMERGENCY,
    ENTRY,
    EXPIRED,
    FLOOR,
    INTENDED,
    LONG,
    NOW,
    PRIMARY,
    REJECTED,
    SHORT,
    TP1,
    TRIGGERING,
    UNKNOWN,
    a_decision,
    a_filled_entry,
    a_floor,
    a_foreign_stop,
    a_life,
    a_situation,
    a_stop,
    a_tp1,
    an_entry,
    an_id,
    an_instrument,
    an_open_situation,
    an_order,
    cancelled,
    d,
    held,
    ids,
    on,
    placed,
    report_of,
    table,
    the_usual_orders,
)


def without_primary(*more: Order, side: Side = LONG) -> tuple[Order, ...]:
    """Return the usual orders of a position whose primary is gone, and ``more``."""
    rest = [o for o in the_usual_orders(side) if o.role is not PRIMARY]
    return (*rest, a_stop(on(side, 90_380), side=side, status=CANCELLED), *more)


@pytest.mark.parametrize("side", [LONG, SHORT])
def test_a_settled_position_needs_nothing(side: Side) -> None:
    """DESIGN: the plan is empty because nothing is missing."""
    plan = make_plan(an_open_situation(side=side))

    assert plan.actions == ()


@pytest.mark.parametrize("side", [LONG, SHORT])
def test_a_missing_primary_is_restored_at_the_level_in_force(side: Side) -> None:
    """RULES F1, A3, lessons 13, 37: own, exit side, reduce-only, whole position, good till done."""
    level = on(side, 90_500)
    life = a_life(side=side, stop_level=level, stop_reason="trail")

    plan = make_plan(a_situation(life, without_primary(side=side)))

    assert plan.actions == (
        PlaceOrder(
            a_stop(level, side=side, revision=2, working=WorkingPrice.MARK).terms,
            ActionClass.PROTECT,
            "protect_position",
            "cover_missing",
        ),
    )
    assert plan.ledger.levels[-1].level == level
    assert plan.ledger.levels[-1].reason == "trail"
    assert placed(plan)[0].time_in_force is TimeInForce.GTC
    assert placed(plan)[0].type is OrderType.STOP_MARKET


NEEDS = table("""
entry    position  stops         place   why
filled   0.013     0.013         -       the whole position is reached
filled   0.013     0.004         0.013   a stop that is too small
filled   0.007     0.013         -       a stop larger than the position is no drift
part     0.004     0.013         -       the remainder of the working entry counts
part     0.004     0.004         0.013   re-sized to the filled part, the next fill were naked
unknown  0         0.004         0.013   an entry of unknown fate counts whole
unknown  0         0.013         -       and is reached
filled   0.023     0.013         0.023   somebody added by hand
filled   0.013     0.006+0.007   -       two that reach it together
""")


@pytest.mark.parametrize("side", [LONG, SHORT])
@pytest.mark.parametrize("row", NEEDS, ids=ids(NEEDS))
def test_the_quantity_to_cover(row: list[str], side: Side) -> None:
    """RULES A4, lessons 12, 16, 19: what is, and what entries may still make of it."""
    entry_is, position, stops, place, _ = row
    price = on(side, "90743.3")
    entries = {
        "filled": a_filled_entry(side=side, price=price),
        "part": an_entry(filled="0.004", side=side, price=price),
        "unknown": an_entry(status=UNKNOWN, side=side, price=price),
    }
    resting = [
        a_stop(on(side, 90_380), part, revision=number, side=side)
        for number, part in enumerate(stops.split("+"), start=1)
    ]
    floors = [a_floor(on(side, 90_380), side=side)] if position != "0" else []
    life = a_life(position, side=side, base_quantity=None)
    decision = a_decision(side)

    plan = make_plan(a_situation(life, (entries[entry_is], *resting, *floors), decision=decision))

    found = [t.quantity for t in placed(plan, PRIMARY)]
    assert found == ([] if place == "-" else [d(place)])


def test_somebody_elses_stop_is_not_relied_on() -> None:
    """RULES F1: the primary is always own, whoever else has stops there."""
    life = a_life()
    orders = without_primary()
    reports = [report_of(o) for o in orders if o.status.is_resting]
    situation = a_situation(life, orders, reports=[*reports, a_foreign_stop()])

    plan = make_plan(situation)

    assert [t.quantity for t in placed(plan, PRIMARY)] == [d("0.013")]


def test_a_wider_stop_is_not_cover_at_the_level_in_force() -> None:
    """RULES B2: what rests wider than the level in force does not count."""
    life = a_life(stop_level=d(90_500))

    plan = make_plan(a_situation(life, the_usual_orders()))

    assert [t.trigger_price for t in placed(plan, PRIMARY)] == [d(90_500)]


def test_a_stop_of_unknown_fate_is_followed_at_once_under_the_next_revision() -> None:
    """RULES C4: for protection nothing waits."""
    orders = without_primary(a_stop(status=UNKNOWN, revision=2))

    plan = make_plan(a_situation(a_life(), orders))

    assert [t.client_id.revision for t in placed(plan, PRIMARY)] == [3]


def test_at_most_three_stops_are_possibly_resting() -> None:
    """RULES C4, lesson 9: at the cap look, place no more."""
    unknown = [a_stop(status=UNKNOWN, revision=n) for n in (2, 3, 4)]

    plan = make_plan(a_situation(a_life(), without_primary(*unknown)))

    assert placed(plan, PRIMARY) == []
    assert held(plan) == ["possibly_resting_max"]


def test_a_stop_that_fires_is_cover_for_its_grace() -> None:
    """RULES A1: TRIGGERING counts for two seconds, then it counts no more."""
    firing = a_stop(status=TRIGGERING, revision=2, triggered_ms=NOW - 1_999)
    stuck = replace(firing, triggered_ms=NOW - 2_000)

    plans = [make_plan(a_situation(a_life(), without_primary(o))) for o in (firing, stuck)]

    assert [len(placed(plan, PRIMARY)) for plan in plans] == [0, 1]


def test_a_level_that_price_has_passed_is_not_placed() -> None:
    """RULES F4: such a stop would be refused; closing is the other rule's business."""
    situation = a_situation(a_life(), without_primary(), price=90_300, mark=90_380)

    plan = make_plan(situation)

    assert placed(plan, PRIMARY) == []
    assert held(plan) == ["level_crossed"]


def test_an_unknown_price_does_not_hold_protection_back() -> None:
    """RULES B6: the exchange itself refuses a stop that would trigger."""
    situation = a_situation(a_life(), without_primary())
    blind = replace(situation, observation=replace(situation.observation, mark=None))

    assert len(placed(make_plan(blind), PRIMARY)) == 1


def test_protection_needs_no_whole_picture() -> None:
    """Lessons 21, 31: fail-closed means no entries, never no protection."""
    situation = a_situation(
        a_life(),
        without_primary(),
        condition=Condition(is_store_writable=False, is_breaker_open=True),
    )
    blind = replace(
        situation, observation=replace(situation.observation, position=None, orders=None)
    )

    assert len(placed(make_plan(blind), PRIMARY)) == 1


def test_a_position_above_the_market_maximum_gets_several_primaries() -> None:
    """RULES F1: one market child must be able to close what its stop covers."""
    instrument = an_instrument(market_quantity_max=d("0.005"))
    situation = a_situation(a_life(), without_primary())
    small = replace(
        situation, observation=replace(situation.observation, instrument=Fact(instrument, NOW))
    )

    plan = make_plan(small)

    assert [(t.client_id.revision, t.quantity) for t in placed(plan, PRIMARY)] == [
        (2, d("0.005")),
        (3, d("0.005")),
        (4, d("0.003")),
    ]


def test_without_filters_one_primary_is_better_than_none() -> None:
    """Lesson 31: filters not read yet do not leave the position naked."""
    situation = a_situation(a_life(), without_primary())
    blind = replace(situation, observation=replace(situation.observation, instrument=None))

    assert [t.quantity for t in placed(make_plan(blind), PRIMARY)] == [d("0.013")]


def test_primaries_work_on_last_until_the_entry_is_final() -> None:
    """RULES E4: a mark spike may spend the armed stop while the entry rests."""
    life = a_life("0.004", base_quantity=None)
    entering = a_situation(life, (an_entry(filled="0.004"), a_floor()), decision=a_decision())
    final = a_situation(a_life(), without_primary())

    prices = [placed(make_plan(s), PRIMARY)[0].working_price for s in (entering, final)]

    assert prices == [WorkingPrice.LAST, WorkingPrice.MARK]


@pytest.mark.parametrize("side", [LONG, SHORT])
def test_a_spent_stop_is_followed_by_the_next_in_the_burst_that_cancels_the_entry(
    side: Side,
) -> None:
    """RULES E8: the armed stop fired against nothing, the entry still rests.

    Waiting for the cancel's answer before placing the next stop leaves a fill naked.
    """
    entry = an_entry(side=side, price=on(side, "90743.3"))
    spent = a_stop(on(side, 90_380), side=side, status=EXPIRED)

    plan = make_plan(a_situation(a_life("0", side=side), (entry, spent), decision=a_decision(side)))

    assert [(t.client_id.revision, t.quantity, t.trigger_price) for t in placed(plan)] == [
        (2, d("0.013"), on(side, 90_380))
    ]
    assert cancelled(plan) == [entry.id]


def test_nothing_is_placed_for_what_is_not_at_stake() -> None:
    """Lesson 8: no position and no entry need no stop."""
    armed = a_life("0")

    for life in (None, armed, a_life("0", opened_ms=NOW - 9_000, closed_ms=NOW - 100)):
        assert placed(make_plan(a_situation(life, ()))) == []


@pytest.mark.parametrize("side", [LONG, SHORT])
def test_the_floor_follows_the_first_fill(side: Side) -> None:
    """RULES F1: closePosition at the initial level, in the tick of the first fill."""
    life = a_life("0.004", side=side, base_quantity=None, stop_level=on(side, 90_500))
    orders = (
        an_entry(filled="0.004", side=side, price=on(side, "90743.3")),
        a_stop(on(side, 90_500), side=side),
    )

    plan = make_plan(a_situation(life, orders, decision=a_decision(side)))

    assert placed(plan) == [a_floor(on(side, 90_380), side=side).terms]


FLOORS = table("""
code   age    price  place  why
-4509  250    90760  yes    the Algo service does not see the position yet
0      250    90760  yes    it never left
-2021  59999  90760  no     refused for good: wait
-2021  60000  90760  yes    and try again
-4509  250    90380  no     price stands at the level
""")


@pytest.mark.parametrize("row", FLOORS, ids=ids(FLOORS))
def test_a_refused_floor_is_tried_again_by_what_the_refusal_says(row: list[str]) -> None:
    """RULES F1: -4509 every 250 ms, anything else seldom."""
    code, age, price, place, _ = row
    refused = a_floor(status=REJECTED, code=int(code), finished_ms=NOW - int(age))
    orders = (a_filled_entry(), a_stop(90_000), refused)

    plan = make_plan(a_situation(a_life(stop_level=d(90_000)), orders, price=price, mark=90_760))

    assert (len(placed(plan, FLOOR)) == 1) is (place == "yes")


def test_one_close_position_stop_a_direction_whoever_owns_it() -> None:
    """-4130: a second one is refused, so beside a foreign one there is nothing to try."""
    orders = (a_filled_entry(), a_stop())
    foreign = a_foreign_stop(close_position=True, quantity=None)
    situation = a_situation(a_life(), orders, reports=[report_of(orders[1]), foreign])

    plan = make_plan(situation)

    assert placed(plan, FLOOR) == []
    assert "foreign_close_position" in held(plan)


def test_a_refused_protection_is_paced_only_after_many_attempts() -> None:
    """Lessons 10, 38, 47: an exchange that refuses for hours must not eat up the revisions."""

    def refused(count: int) -> list[Order]:
        return [
            a_stop(status=REJECTED, code=-4140, revision=n, finished_ms=NOW - 250)
            for n in range(2, 2 + count)
        ]

    at_once = make_plan(a_situation(a_life(), without_primary(*refused(PROTECT_ATTEMPTS))))
    paced = make_plan(a_situation(a_life(), without_primary(*refused(PROTECT_ATTEMPTS + 1))))

    assert len(placed(at_once, PRIMARY)) == 1
    assert placed(paced, PRIMARY) == []
    assert held(paced) == ["backoff"]


def test_the_pause_after_many_refusals_ends() -> None:
    """DESIGN section 7: 1, 2, 4 … at most 30 s, and for ever again."""
    many = [
        a_stop(status=REJECTED, code=-4140, revision=n, finished_ms=NOW - 30_000)
        for n in range(2, 600)
    ]

    plan = make_plan(a_situation(a_life(), without_primary(*many)))

    assert [t.client_id.revision for t in placed(plan, PRIMARY)] == [600]


def test_a_refused_floor_is_paced_too() -> None:
    """Lesson 10: -4509 for ever is not asked for ever four times a second."""
    refused = [
        a_floor(status=REJECTED, code=-4509, revision=n, finished_ms=NOW - 250)
        for n in range(1, PROTECT_ATTEMPTS + 2)
    ]

    plan = make_plan(a_situation(a_life(), (a_filled_entry(), a_stop(), *refused)))

    assert (placed(plan, FLOOR), held(plan)) == ([], ["backoff"])


ALONE = table("""
primaries        floors           next  why
unknown unknown  unknown          yes   nothing is seen: the next floor goes out at once
unknown working  unknown          no    beside a primary that is seen it waits for its fate
unknown unknown  working          no    it rests
none             unknown          yes   the exchange took no primary
unknown unknown  unknown unknown  yes   the third
unknown          3 unknown        no    three may rest
""")


@pytest.mark.parametrize("row", ALONE, ids=ids(ALONE))
def test_a_floor_of_unknown_fate_is_followed_by_another_where_nothing_is_seen(
    row: list[str],
) -> None:
    """RULES C4, F1: the exchange takes one closePosition stop a direction, however many come."""
    states = {"unknown": OrderStatus.UNKNOWN, "working": OrderStatus.WORKING}
    primaries = [
        a_stop(status=states[word], revision=n, rested_ms=None if word == "unknown" else NOW - 500)
        for n, word in enumerate(row[0].split(), start=1)
        if word in states
    ]
    words = ["unknown"] * 3 if row[1].startswith("3") else row[1].split()
    floors = [a_floor(status=states[word], revision=n) for n, word in enumerate(words, start=1)]
    life = a_life(uncovered_quantity=d("0.013"))

    plan = make_plan(a_situation(life, (a_filled_entry(), *primaries, *floors)))

    assert ([t.role for t in placed(plan, FLOOR)] == [FLOOR]) is (row[2] == "yes")


def test_cover_is_restored_while_the_position_is_being_closed() -> None:
    """RULES B1: the ladder may take minutes; a stop somebody removes meanwhile is replaced."""
    life = a_life(closing=ExitReason.OPPOSITE_DECISION, closing_ms=NOW - 60_000)

    plan = make_plan(a_situation(life, without_primary()))

    assert [t.role for t in placed(plan)] == [PRIMARY, EMERGENCY]


@pytest.mark.parametrize("side", [LONG, SHORT])
@pytest.mark.parametrize("became", [REJECTED, UNKNOWN, EXPIRED])
def test_somebodys_position_gets_its_stop_when_its_close_did_not_end_it(
    became: OrderStatus, side: Side
) -> None:
    """RULES B1, G1: told to flatten as it is found, it is closed first; that may not succeed."""
    life = a_life(
        side=side,
        origin=Origin.ORPHAN,
        initial_stop=on(side, 88_037),
        stop_level=None,
        closing=ExitReason.FLATTEN,
        closing_ms=NOW - 250,
    )
    tried = an_order(EMERGENCY, side=side, quantity="0.013", status=became, code=-2010)
    situations = [a_situation(life, orders, price=on(side, 90_760)) for orders in ((), (tried,))]

    first, then = [[t.role for t in placed(make_plan(situation))] for situation in situations]

    assert (first, then[:1]) == ([EMERGENCY], [FLOOR])


@pytest.mark.parametrize("side", [LONG, SHORT])
def test_the_old_stop_goes_once_the_new_one_is_seen_resting(side: Side) -> None:
    """RULES F2: the proof is an own stop at least as tight for the full quantity."""
    old, new = on(side, 90_380), on(side, 90_500)
    orders = (*the_usual_orders(side), a_stop(new, side=side, revision=2))

    plan = make_plan(a_situation(a_life(side=side, stop_level=new), orders))

    assert plan.actions == (
        CancelOrder(
            client_id=an_id(PRIMARY),
            book=a_stop().terms.book,
            action_class=ActionClass.RECONCILE,
            rule="retire_spare_stops",
            reason="tighter_rests",
            proof=Proof.TIGHTER_RESTS,
            proven_by=an_id(PRIMARY, 2),
        ),
    )
    assert old != new


KEPT = table("""
new                         why
status=unknown              of unknown fate: neither cover nor absent
doubtful                    doubtful: not seen now
quantity=0.006              too small
status=triggering           it fires
""")


@pytest.mark.parametrize("row", KEPT, ids=ids(KEPT))
def test_the_old_stop_stays_while_the_new_one_is_not_proof(row: list[str]) -> None:
    """RULES F2, B6: no cancel of a covering stop without its proof."""
    new = {
        "status=unknown": a_stop(90_500, revision=2, status=UNKNOWN),
        "doubtful": a_stop(90_500, revision=2, doubtful_since_ms=NOW),
        "quantity=0.006": a_stop(90_500, "0.006", revision=2),
        "status=triggering": a_stop(90_500, revision=2, status=TRIGGERING),
    }[row[0]]

    plan = make_plan(a_situation(a_life(), (*the_usual_orders(), new)))

    assert cancelled(plan) == []


@pytest.mark.parametrize("side", [LONG, SHORT])
def test_extras_are_retired_widest_first(side: Side) -> None:
    """RULES C4: what protects least leaves first, should the burst be cut short."""
    levels = (90_420, 90_380, 90_400)
    stops = [a_stop(on(side, x), side=side, revision=n) for n, x in enumerate(levels, start=1)]
    life = a_life(side=side, stop_level=on(side, 90_420))

    plan = make_plan(a_situation(life, (a_filled_entry(side=side), *stops)))

    assert [i.revision for i in cancelled(plan, PRIMARY)] == [2, 3]


def test_a_cancel_is_repeated_only_after_a_second() -> None:
    """Lesson 10: a cancel on its way is not sent again every tick."""
    fresh = a_stop(cancel_sent_ms=NOW - 1_000)
    old = a_stop(cancel_sent_ms=NOW - 1_001)
    new = a_stop(90_500, revision=2)

    plans = [
        make_plan(a_situation(a_life(stop_level=d(90_500)), (a_filled_entry(), o, new, a_floor())))
        for o in (fresh, old)
    ]

    assert [len(cancelled(plan)) for plan in plans] == [0, 1]


def test_without_a_picture_nothing_is_retired() -> None:
    """RULES B6: no proof without a look."""
    new = a_stop(90_500, revision=2)
    situation = a_situation(a_life(stop_level=d(90_500)), (*the_usual_orders(), new))
    blind = replace(situation, observation=replace(situation.observation, position=None))

    assert cancelled(make_plan(blind)) == []


def test_of_two_equal_stops_the_later_one_stays() -> None:
    """RULES C4: extras are retired after one at the wanted level is confirmed."""
    orders = (*the_usual_orders(), a_stop(revision=2))

    plan = make_plan(a_situation(a_life(), orders))

    assert cancelled(plan) == [an_id(PRIMARY, 1)]


def test_an_earlier_lifes_orders_beside_this_one_are_cancelled() -> None:
    """RULES G6, lesson 5: a zombie stop is cancelled by id after own cover is confirmed."""
    life = a_life(generation=2)
    mine = tuple(
        replace(o, terms=replace(o.terms, client_id=o.id._replace(generation=2)))
        for o in the_usual_orders()
    )
    zombie, target = a_stop(91_000), a_tp1(91_700)

    plan = make_plan(a_situation(life, (*mine, zombie, target)))

    proofs = [(a.client_id, a.proof) for a in plan.actions if isinstance(a, CancelOrder)]
    assert proofs == [
        (target.id, Proof.NOT_A_STOP),
        (zombie.id, Proof.TIGHTER_RESTS),
    ]


def test_a_zombie_stop_stays_until_own_cover_is_confirmed() -> None:
    """RULES G6, B1: it covers something, and nothing else does."""
    life = a_life(generation=2)
    zombie, target = a_stop(90_400), a_tp1(91_700)

    plan = make_plan(a_situation(life, (zombie, target)))

    assert cancelled(plan) == [target.id]


THEIRS = table("""
order            mine   leaves  why
stop 90380       90380  yes     ours is as tight, and carries everything
stop 90300       90380  yes     ours is tighter
stop 90400       90380  no      his is tighter: it is no loss to anybody
stop 90380       none   no      nothing of ours covers
entry            90380  no      not known is no reason to cancel
tp1              90380  no      nor is it for a target
""")


@pytest.mark.parametrize("side", [LONG, SHORT])
@pytest.mark.parametrize("row", THEIRS, ids=ids(THEIRS))
def test_an_own_order_of_another_writer_is_never_cancelled_because_it_is_unknown(
    row: list[str], side: Side
) -> None:
    """RULES G2: only because a confirmed own stop is at least as tight; his generation is later."""
    kind, mine, leaves, _ = row
    price = on(side, "90743.3")
    theirs = {
        "entry": an_entry(side=side, price=price, generation=2),
        "tp1": a_tp1(on(side, 91_700), side=side, generation=2),
    }.get(kind)
    if theirs is None:
        theirs = a_stop(on(side, kind.split()[1]), side=side, generation=2)
    own = [o for o in the_usual_orders(side) if mine != "none" or o.role not in (PRIMARY, FLOOR)]
    situation = a_situation(a_life(side=side), (*own, theirs))

    plan = make_plan(situation)

    leaving = [a for a in plan.actions if isinstance(a, CancelOrder)]
    assert [a.client_id for a in leaving] == ([theirs.id] if leaves == "yes" else [])
    grounds = Grounds(situation, plan.ledger)
    assert [refuse_cancel(a, grounds, [theirs.id]) for a in leaving] == [None] * len(leaving)


def test_the_door_keeps_another_writers_tighter_stop() -> None:
    """RULES G2, F2: judged by its own trigger, not by the level that is in force here."""
    theirs = a_stop(90_400, generation=2)
    situation = a_situation(a_life(), (*the_usual_orders(), theirs))
    request = CancelOrder(
        theirs.id,
        theirs.terms.book,
        ActionClass.RECONCILE,
        "spec",
        "spec",
        Proof.TIGHTER_RESTS,
        a_stop().id,
    )

    refused = refuse_cancel(request, Grounds(situation, situation.ledger), [theirs.id])

    assert refused is not None
    assert "is not seen resting as tight as 90400" in refused


@pytest.mark.parametrize("side", [LONG, SHORT])
def test_once_flat_is_proven_his_stop_is_swept_like_ours(side: Side) -> None:
    """RULES G2: or flat is proven; else the life that ended would wait for it for ever."""
    theirs = a_stop(on(side, 90_400), side=side, generation=2)
    life = a_life("0", side=side, opened_ms=NOW - 50_000, closed_ms=NOW - 500)
    situation = a_situation(life, (theirs,))

    (leaving,) = [a for a in make_plan(situation).actions if isinstance(a, CancelOrder)]

    assert (leaving.client_id, leaving.proof) == (theirs.id, Proof.FLAT_PROVEN)
    grounds = Grounds(situation, situation.ledger)
    assert refuse_cancel(leaving, grounds, [theirs.id]) is None
    working = an_entry(side=side, price=on(side, "90743.3"), generation=2)
    armed = a_situation(life, (theirs, working))
    assert refuse_cancel(leaving, Grounds(armed, armed.ledger), [theirs.id]) is not None


POLICIES = table("""
policy   floor  why
protect  yes    one closePosition stop
adopt    yes    until it is adopted it is protected
ignore   no     it is none of ours
flatten  no     it is being closed
""")


@pytest.mark.parametrize("row", POLICIES, ids=ids(POLICIES))
def test_a_position_that_is_not_ours_is_treated_as_the_policy_says(row: list[str]) -> None:
    """RULES G1, lesson 17: no primary, no target, no trailing, whatever the policy."""
    policy, floor, _ = row
    life = a_life(
        origin=Origin.ORPHAN, decision_id="000000", stop_level=None, initial_stop=d(88_000)
    )
    situation = a_situation(life, (), limits=Limits(orphan=OrphanPolicy(policy)))

    plan = make_plan(situation)

    assert placed(plan, PRIMARY, TP1, ENTRY) == []
    assert (len(placed(plan, FLOOR)) == 1) is (floor == "yes")


def test_an_orphans_floor_is_tried_again_at_once() -> None:
    """RULES G1: it is all the cover there is."""
    life = a_life(origin=Origin.ORPHAN, stop_level=None, initial_stop=d(88_000))
    refused = a_floor(88_000, status=REJECTED, code=-2021, finished_ms=NOW - 250)

    assert len(placed(make_plan(a_situation(life, (refused,))), FLOOR)) == 1


def test_an_order_on_its_way_in_this_plan_is_not_asked_for_twice() -> None:
    """Lesson 10: identical intent, at most one send per tick."""
    on_its_way = a_stop(status=INTENDED, intended_ms=NOW, revision=2)

    plan = make_plan(a_situation(a_life(), without_primary(on_its_way)))

    assert placed(plan, PRIMARY) == []


def test_a_bigger_stop_rests_before_the_sum_it_covers_grows() -> None:
    """RULES A4: the primary is never shrunk while the entry works."""
    life = a_life("0.004", base_quantity=None)
    orders = (an_entry(filled="0.004"), a_stop(), a_floor())

    plan = make_plan(a_situation(life, orders, decision=a_decision()))

    assert plan.actions == ()
