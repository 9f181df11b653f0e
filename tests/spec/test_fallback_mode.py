"""An account that takes no stop while flat: the stop follows the first fill (RULES E9, B1).

Everywhere else the stop rests before the entry; here the first fill is uncovered for as long as the
push, one look and one request take. It is entered only with the user stream up, and said aloud.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from engine.domain.action import Outcome, PlaceOrder
from engine.domain.condition import Condition
from engine.domain.identity import OrderRole
from engine.domain.ledger import Ledger
from engine.domain.limits import Limits
from engine.domain.order import Order, OrderStatus
from engine.domain.situation import Situation
from engine.domain.terms import ActionClass, Fate, Phase, Side
from engine.plan.gates import judge
from engine.plan.gates.entry import planned_entry
from engine.plan.planner import make_plan
from engine.read.documents import moment_of
from engine.reconcile.outcomes import fold_outcomes, learned_while_flat
from engine.simulation.checkers import History, executed_once, naked_windows, never_widened
from engine.simulation.draw import START_MS
from engine.simulation.log import read_log
from engine.simulation.world import World
from engine.tick import TickReport
from engine.venue.api import Venue
from engine.venue.settings import VenueSettings
from engine.venue.switches import Switches
from engine.vitals import troubles
from tests.builders import (
    DAY_MS,
    DOCUMENT,
    ENTRY,
    FLOOR,
    LONG,
    NOW,
    PRIMARY,
    REJECTED,
    SHORT,
    a_decision,
    a_fill,
    a_filled_entry,
    a_floor,
    a_ledger,
    a_life,
    a_position,
    a_situation,
    a_stop,
    an_entry,
    an_id,
    an_inbox,
    cancelled,
    d,
    held,
    ids,
    on,
    placed,
    table,
)

STREAMING = Condition(is_stream_up=True)
REFUSED = -2022


def fallback(ledger: Ledger, condition: Condition = STREAMING, side: Side = LONG) -> Situation:
    """Return a situation of an account that is known to take no stop while flat."""
    return a_situation(
        ledger=replace(ledger, stop_while_flat=False),
        condition=condition,
        decision=a_decision(side),
        price=on(side, 90_760),
    )


def an_entering_ledger(side: Side = LONG, *more: Order) -> Ledger:
    life = a_life("0", side=side, stop_level=None)
    return a_ledger(life, (an_entry(side=side, price=on(side, "90743.3")), *more))


@pytest.mark.parametrize("side", [LONG, SHORT])
def test_the_life_begins_without_a_stop_and_the_entry_follows(side: Side) -> None:
    """RULES E9: no stop is sent that would only be refused."""
    begun = make_plan(fallback(a_ledger(), side=side))
    entering = make_plan(fallback(begun.ledger, side=side))

    assert begun.actions == ()
    assert begun.ledger.life is not None
    assert begun.ledger.life.initial_stop == on(side, 90_380)
    assert [(t.role, t.price) for t in placed(entering)] == [(ENTRY, on(side, "90743.3"))]


def test_without_the_user_stream_nothing_enters() -> None:
    """RULES E9, E3: the push is what keeps the uncovered moment short."""
    situation = fallback(a_ledger(), Condition(is_stream_up=False))
    entry = planned_entry(situation)
    assert entry is not None

    refusals = [g.code for g in judge(situation, entry) if g.verdict == "refuse"]
    waiting = make_plan(
        fallback(a_ledger(a_life("0", stop_level=None)), Condition(is_stream_up=False))
    )

    assert refusals == ["stop_while_flat"]
    assert (placed(waiting), held(waiting)) == ([], ["stream_down"])


@pytest.mark.parametrize("side", [LONG, SHORT])
def test_while_the_entry_works_unfilled_no_stop_is_asked_for(side: Side) -> None:
    """RULES E9, lesson 2: a refusal known to be permanent is not asked for again each look."""
    plan = make_plan(fallback(an_entering_ledger(side), side=side))

    assert plan.actions == ()
    assert plan.ledger.life is not None
    assert plan.ledger.life.withdrawing is None


@pytest.mark.parametrize("side", [LONG, SHORT])
def test_the_first_fill_brings_stop_and_floor_in_one_plan(side: Side) -> None:
    """RULES E9, A4: for what filled and for what still may, at the life's own level."""
    life = a_life("0.004", side=side, stop_level=None, base_quantity=None, entry_final_ms=None)
    entry = an_entry(side=side, price=on(side, "90743.3"), filled="0.004")
    ledger = a_ledger(life, (entry,), fills=(a_fill(quantity="0.004", side=side),))
    situation = a_situation(
        ledger=replace(ledger, stop_while_flat=False),
        condition=STREAMING,
        decision=a_decision(side),
        position=a_position("0.004", side),
    )

    plan = make_plan(situation)

    assert [(t.role, t.quantity, t.trigger_price) for t in placed(plan)] == [
        (PRIMARY, d("0.013"), on(side, 90_380)),
        (FLOOR, None, on(side, 90_380)),
    ]
    assert cancelled(plan) == []


@pytest.mark.parametrize("side", [LONG, SHORT])
def test_a_newer_decisions_tighter_stop_waits_for_the_first_fill(side: Side) -> None:
    """RULES E9, D3, F3: refused while flat it would count as refused for ever."""
    refused = a_stop(on(side, 90_380), side=side, status=REJECTED, code=REFUSED, rested_ms=None)
    newer = a_decision(side, made_ms=NOW - 1_000, stop_loss=on(side, 90_420))
    waiting = replace(
        fallback(an_entering_ledger(side, refused), side=side),
        inbox=an_inbox(newer),
    )
    life = a_life(side=side)
    rests = a_stop(on(side, 90_380), side=side, revision=2)
    ledger = a_ledger(
        life, (a_filled_entry(side=side), refused, rests, a_floor(on(side, 90_380), side=side))
    )
    filled = a_situation(
        ledger=replace(ledger, stop_while_flat=False),
        condition=STREAMING,
        decision=newer,
        price=on(side, 90_760),
    )

    assert placed(make_plan(waiting), PRIMARY) == []
    assert [t.trigger_price for t in placed(make_plan(filled), PRIMARY)] == [on(side, 90_420)]


def test_where_stops_are_taken_the_unfilled_entry_keeps_its_cover() -> None:
    """RULES E8: the exception is for known fallback accounts alone."""
    gone = a_stop(status=REJECTED, code=REFUSED)
    ledger = a_ledger(a_life("0"), (an_entry(), gone))

    plan = make_plan(a_situation(ledger=ledger, decision=a_decision()))

    assert [t.role for t in placed(plan)] == [PRIMARY]
    assert cancelled(plan) == [an_id(ENTRY)]


REFUSALS = table("""
code   rested  filled  withdrawn    why
-2022  no      no      -            how the mode was found out: the entry goes without
-4509  no      no      -            the other word for it
-2022  yes     no      -            an armed stop that rests beside it
-2022  no      yes     stop_spent   of a fill it is a refusal like any: the entry's rest goes (E8)
-2022  no      since   -            a restart finds the fill before its stop: the stop follows (B4)
""")


@pytest.mark.parametrize("side", [LONG, SHORT])
@pytest.mark.parametrize("row", REFUSALS, ids=ids(REFUSALS))
def test_the_refusal_that_finds_the_mode_does_not_use_the_decision_up(
    row: list[str], side: Side
) -> None:
    """RULES E9, E8: a decision is not spent by learning what the account takes."""
    code, rested, filled, withdrawn, _ = row
    opened_ms = NOW - 50_000
    sent_ms = opened_ms + 100 if filled == "yes" else opened_ms - 100
    refused = a_stop(
        on(side, 90_380), side=side, status=REJECTED, code=int(code), intended_ms=sent_ms
    )
    stops = (refused, a_stop(on(side, 90_380), side=side, revision=2))
    part = "0" if filled == "no" else "0.004"
    entry = an_entry(side=side, price=on(side, "90743.3"), filled=part)
    life = a_life(part, side=side, stop_level=None, base_quantity=None, entry_final_ms=None)
    orders = (stops if rested == "yes" else stops[:1]) + (() if filled == "no" else (entry,))

    plan = make_plan(fallback(a_ledger(life, orders), side=side))

    assert plan.ledger.life is not None
    assert plan.ledger.life.withdrawing == (None if withdrawn == "-" else withdrawn)
    assert (ENTRY in [t.role for t in placed(plan)]) is (filled == "no")


@pytest.mark.parametrize(
    ("known", "fate", "code", "learned"),
    [
        (None, Fate.ACCEPTED, 0, (True, NOW)),
        (None, Fate.REJECTED, -2022, (False, NOW)),
        (None, Fate.REJECTED, -2019, (None, None)),
        (None, Fate.UNKNOWN, 0, (None, None)),
        (True, Fate.REJECTED, -2022, (None, NOW)),
        (False, Fate.REJECTED, -4509, (False, NOW - DAY_MS)),
        (False, Fate.ACCEPTED, 0, (True, NOW)),
    ],
)
def test_what_a_stop_while_flat_says_is_kept_with_its_date(
    known: bool | None, fate: Fate, code: int, learned: tuple[bool | None, int | None]
) -> None:
    """RULES E9: stored per account and symbol; the date is when it was found, not seen again.

    An account that took one before is asked once more: a refusal may have another reason.
    """
    action = PlaceOrder(a_stop().terms, ActionClass.ENTER, "arm", "arm_stop")
    ledger = replace(
        a_ledger(),
        stop_while_flat=known,
        stop_while_flat_ms=None if known is None else NOW - DAY_MS,
    )

    after = learned_while_flat(ledger, Outcome(action, fate, NOW, code=code))

    assert (after.stop_while_flat, after.stop_while_flat_ms) == learned


REPEATED = table("""
known    answers               learned  why
taken    refused refused       doubt    a missing stop is asked for again within a moment
taken    refused accepted      taken    and may be taken then
unknown  refused refused       refused  nothing ever spoke for it
taken    other refused         doubt    what was refused for another reason says nothing
""")


@pytest.mark.parametrize("row", REPEATED, ids=ids(REPEATED))
def test_of_one_lifes_refusals_only_the_first_counts(row: list[str]) -> None:
    """RULES E9, E8: the armed stop was taken away while the entry's cancel is on its way."""
    said = {None: "doubt", True: "taken", False: "refused"}
    known = True if row[0] == "taken" else None
    ledger = replace(an_entering_ledger(), stop_while_flat=known)
    for revision, answer in enumerate(row[1].split(), start=2):
        sent = a_stop(status=OrderStatus.INTENDED, rested_ms=None, revision=revision)
        action = PlaceOrder(sent.terms, ActionClass.PROTECT, "protect_position", "cover_missing")
        fate = Fate.ACCEPTED if answer == "accepted" else Fate.REJECTED
        code = {"accepted": 0, "refused": REFUSED, "other": -2019}[answer]
        ledger = fold_outcomes(
            ledger.with_order(sent), (Outcome(action, fate, NOW + revision, code=code),)
        )

    assert said[ledger.stop_while_flat] == row[2]


def test_every_status_line_says_so() -> None:
    """RULES E9: an operator must not believe in a stop that precedes the fill."""
    told = dict(troubles(fallback(a_ledger())))
    usual = dict(troubles(replace(fallback(a_ledger()), ledger=a_ledger())))

    assert "fallback_mode" in told
    assert "fallback_mode" not in usual


# -- the whole keeper on an account that refuses ---------------------------------------------------


class Account:
    """A keeper beside a venue whose account takes no stop while flat."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.reports: list[TickReport] = []
        settings = VenueSettings(
            switches=Switches(stop_while_flat="refused"), market_streams=(), log_reads=False
        )
        self.venue = Venue(settings, now_ms=START_MS)
        self.world = World(
            self.venue,
            folder,
            Limits(),
            start_ms=START_MS,
            listener=self.reports.append,
            streams=True,
        )

    def decide(self) -> None:
        made = {**DOCUMENT, "timestamp_iso": moment_of(self.world.clock.now_ms)}
        (self.folder / "decision.json").write_text(json.dumps(made))

    def phase(self) -> Phase:
        return self.reports[-1].ledger.phase

    def run(self, seconds: int) -> None:
        self.world.run_until(self.world.clock.now_ms + 1_000 * seconds)


def test_the_account_that_refuses_is_found_out_and_then_traded(tmp_path: Path) -> None:
    """RULES E9, B: the refusal names the mode; the same decision enters, covered in one look."""
    account = Account(tmp_path)
    try:
        account.decide()
        account.run(10)
        found = account.world.store.recall()
        assert (found.stop_while_flat, found.generation) == (False, 1)
        assert found.stop_while_flat_ms is not None
        assert START_MS <= found.stop_while_flat_ms <= START_MS + 10_000
        assert account.phase() is Phase.ENTERING
        account.venue.set_price(d(90_740), account.world.clock.now_ms)
        account.run(5)

        history = History(read_log(account.venue.log_after(0)), end_ms=account.world.clock.now_ms)
        windows = naked_windows(history)
        assert account.phase() is Phase.OPEN
        assert len(windows) == 1
        assert windows[0].duration_ms <= 1.3 * account.world.latency_ms
        assert never_widened(history).findings == executed_once(history).findings == ()
        refused = [
            o.code
            for r in account.reports
            for o in r.outcomes
            if o.code and isinstance(o.action, PlaceOrder)
        ]
        assert refused == [REFUSED]
        roles = {o.role for o in account.reports[-1].ledger.orders if o.status.is_resting}
        assert roles == {PRIMARY, FLOOR, OrderRole.TP1, OrderRole.TP2}
    finally:
        account.world.close()


def test_the_entry_waits_as_long_as_it_takes(tmp_path: Path) -> None:
    """RULES E9: no fill, no stop, no refusal; the entry is not withdrawn for it."""
    account = Account(tmp_path)
    try:
        account.decide()
        account.run(40)

        sent = [
            a.terms.role
            for r in account.reports
            for a in r.plan.actions
            if isinstance(a, PlaceOrder)
        ]
        assert (sent, account.phase()) == ([PRIMARY, ENTRY], Phase.ENTERING)
    finally:
        account.world.close()
