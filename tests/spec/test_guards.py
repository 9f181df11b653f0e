"""What the engine's own condition holds back: never protection, save by another's lease (G4)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from engine.domain.action import Action, CancelOrder, Configure, Halt, PlaceOrder, Proof
from engine.domain.condition import Condition, HaltReason
from engine.domain.observation import Fact
from engine.domain.order import Order
from engine.domain.situation import Situation
from engine.domain.terms import ActionClass, OrderType, Rights, Side
from engine.plan.guards import permitted
from engine.plan.planner import make_plan
from engine.plan.proposal import Proposal
from tests.builders import (
    EMERGENCY,
    FLOOR,
    NOW,
    PRIMARY,
    a_decision,
    a_filled_entry,
    a_floor,
    a_ledger,
    a_life,
    a_situation,
    a_stop,
    a_tp1,
    an_entry,
    an_order,
    held,
    placed,
    table,
)


def place(order: Order, action_class: ActionClass = ActionClass.PROTECT) -> PlaceOrder:
    return PlaceOrder(order.terms, action_class, "rule", "reason")


def cancel(order: Order, proof: Proof = Proof.NOT_A_STOP) -> CancelOrder:
    return CancelOrder(order.id, order.terms.book, ActionClass.RECONCILE, "rule", "why", proof)


ACTIONS: dict[str, Action] = {
    "place_stop": place(a_stop()),
    "place_floor": place(a_floor()),
    "close": place(an_order(EMERGENCY, type=OrderType.MARKET)),
    "place_entry": place(an_entry(), ActionClass.ENTER),
    "place_target": place(a_tp1(), ActionClass.MANAGE),
    "cancel_entry": cancel(an_entry()),
    "cancel_attempt": cancel(an_order(EMERGENCY, price=90_000)),
    "cancel_stop": cancel(a_stop(), Proof.TIGHTER_RESTS),
    "cancel_target": cancel(a_tp1()),
    "configure": Configure(3, None, ActionClass.ENTER, "arm", "leverage_differs"),
    "halt": Halt("code", "detail", "rule"),
}

CONDITIONS: dict[str, dict[str, Any]] = {
    "leased": {},
    "held": {"rights": Rights.NONE},
    "add_only": {"rights": Rights.ADD_ONLY},
    "no_store": {"is_store_writable": False},
    "blocked": {"blocked_until_ms": NOW + 1},
    "halted": {"halts": (HaltReason("x", "", NOW),)},
    "breaker": {"is_breaker_open": True},
}
SPENT: dict[str, dict[str, Any]] = {
    "half": {"weight_used": 1_200},
    "much": {"weight_used": 1_560},
    "most": {"weight_used": 1_920},
    "churn": {"churned": (ActionClass.ENTER, ActionClass.MANAGE)},
}

PERMITTED = table("""
action          leased  held  add_only  no_store  blocked  halted  breaker  why
place_stop      yes     no    yes       yes       no       yes     yes     protection
place_floor     yes     no    yes       yes       no       yes     yes     protection too
close           yes     no    yes       yes       no       yes     yes     the ladder
place_entry     yes     no    no        no        no       no      no      only with all in order
place_target    yes     no    no        no        no       yes     yes     targets are not touched
cancel_entry    yes     no    yes       yes       no       yes     yes     entries may go
cancel_attempt  yes     no    yes       yes       no       yes     yes     the ladder re-prices
cancel_stop     yes     no    no        no        no       yes     yes     never without a record
cancel_target   yes     no    no        no        no       yes     yes     targets are not touched
configure       yes     no    no        no        no       no      no      part of entering
halt            yes     no    yes       yes       yes      yes     yes     may always stop
""")

SHARES = table("""
action          half  much  most  churn  why
place_stop      yes   yes   yes   yes    protection
place_floor     yes   yes   yes   yes    protection too
close           yes   yes   yes   yes    the ladder
place_entry     no    no    no    no     entries stop first
place_target    yes   no    no    no     a target is managing
cancel_entry    yes   yes   yes   yes    what could open must not wait
cancel_attempt  yes   yes   no    yes    a cancel that reconciles
cancel_stop     yes   yes   no    yes    a spare stop may wait
cancel_target   yes   yes   no    yes    a cancel is no order
configure       no    no    no    yes    a setting is no order
halt            yes   yes   yes   yes    may always stop
""")


@pytest.mark.parametrize("row", PERMITTED, ids=[row[0] for row in PERMITTED])
def test_what_the_condition_permits(row: list[str]) -> None:
    """RULES G4, G5, B6, H4; lessons 21, 31, 46: fail-closed means no entries, never no cover."""
    name, *verdicts, _ = row
    action = ACTIONS[name]
    found = []
    for changes in CONDITIONS.values():
        situation = a_situation(a_life(), condition=Condition(**changes))
        kept = permitted(situation, Proposal(actions=(action,)))
        found.append("yes" if kept.actions == (action,) else "no")
        assert (kept.holds == ()) is (kept.actions != ())

    assert found == verdicts


@pytest.mark.parametrize("row", SHARES, ids=[row[0] for row in SHARES])
def test_what_is_still_permitted_as_the_weight_runs_short(row: list[str]) -> None:
    """RULES H4: entries stop at half, managing at 65, reconciling at 80 percent."""
    name, *verdicts, _ = row
    action = ACTIONS[name]
    found = []
    for changes in SPENT.values():
        situation = a_situation(a_life(), condition=Condition(**changes))
        kept = permitted(situation, Proposal(actions=(action,)))
        found.append("yes" if kept.actions == (action,) else "no")

    assert found == verdicts


REASONS = table("""
condition  reason
held       lease_held_by_another
add_only   lease_unreachable
no_store   store_unwritable
blocked    rate_limited
halted     halted
breaker    breaker_open
half       budget_spent
churn      churn
""")


@pytest.mark.parametrize("row", REASONS, ids=[row[0] for row in REASONS])
def test_what_is_held_back_says_why(row: list[str]) -> None:
    """RULES B5: every order refused can be explained afterwards."""
    situation = a_situation(a_life(), condition=Condition(**{**CONDITIONS, **SPENT}[row[0]]))

    (hold,) = permitted(situation, Proposal(actions=(ACTIONS["place_entry"],))).holds

    assert (hold.rule, hold.reason, hold.detail) == ("rule", row[1], "kp7f3aq2001e001")


def test_the_end_of_a_429_period_is_the_end_of_silence() -> None:
    """RULES H4, lesson 38: inside the period nothing is sent by any class."""
    situation = a_situation(a_life(), condition=Condition(blocked_until_ms=NOW))

    assert permitted(situation, Proposal(actions=(ACTIONS["place_stop"],))).holds == ()


def test_a_proposal_of_which_nothing_left_begins_nothing() -> None:
    """RULES G5: no life begins, no chase is counted, with every request held back."""
    life = a_life("0")
    situation = a_situation(ledger=a_ledger(), condition=Condition(rights=Rights.NONE))

    held_back = permitted(situation, Proposal(actions=(ACTIONS["place_stop"],), life=life))
    untouched = permitted(situation, Proposal(life=life))

    assert (held_back.life, untouched.life) == (None, life)


def test_what_is_kept_keeps_its_life() -> None:
    """A guard takes out actions, not what the rule has decided."""
    life = a_life("0", withdrawing="halted")
    situation = a_situation(a_life("0"), condition=Condition(rights=Rights.ADD_ONLY))
    proposal = Proposal(actions=(ACTIONS["cancel_entry"], ACTIONS["cancel_target"]), life=life)

    kept = permitted(situation, proposal)

    assert (kept.actions, kept.life) == ((ACTIONS["cancel_entry"],), life)


def test_names_of_what_is_held() -> None:
    """Contracts: people see which order, which setting, which halt."""
    situation = a_situation(a_life(), condition=Condition(rights=Rights.NONE))
    proposal = Proposal(actions=tuple(ACTIONS[n] for n in ("cancel_stop", "configure", "halt")))

    assert [h.detail for h in permitted(situation, proposal).holds] == [
        "kp7f3aq2001s001",
        "leverage_differs",
        "code",
    ]


def naked() -> tuple[Order, ...]:
    return (a_filled_entry(), a_tp1())


def test_a_store_that_cannot_write_protects_and_touches_nothing_else() -> None:
    """RULES G5, lesson 21: stop still verified and placed from the exchange's state."""
    situation: Situation = a_situation(
        a_life(), naked(), condition=Condition(is_store_writable=False), decision=a_decision()
    )

    plan = make_plan(situation)
    beside_its_stop = make_plan(replace(situation, ledger=situation.ledger.with_order(a_stop())))

    assert [t.role for t in placed(plan)] == [PRIMARY, FLOOR]
    assert [t.role for t in placed(beside_its_stop)] == [FLOOR]
    assert "store_unwritable" in held(beside_its_stop)


def test_while_another_holds_the_lease_nothing_is_sent() -> None:
    """RULES G4, lesson 46: the second writer sends nothing."""
    plan = make_plan(a_situation(a_life(), naked(), condition=Condition(rights=Rights.NONE)))

    assert plan.actions == ()
    assert set(held(plan)) == {"lease_held_by_another"}


HEDGED = table("""
action          kept  why
place_stop      no    says no side: it needs one-way mode
place_of_side   yes   covers one held side
cancel_target   yes   goes by its id
configure       no    part of entering, and nothing enters
halt            yes   may always stop
""")


@pytest.mark.parametrize("row", HEDGED, ids=[row[0] for row in HEDGED])
def test_hedge_mode_permits_what_says_its_side_and_what_needs_none(row: list[str]) -> None:
    """RULES H3: no entries, and no order whose side the exchange would have to guess."""
    of_side = replace(a_floor(), terms=replace(a_floor().terms, position_side=Side.LONG))
    action = (ACTIONS | {"place_of_side": place(of_side)})[row[0]]
    situation = a_situation(a_life(), hedged=Fact((), NOW))

    kept = permitted(situation, Proposal(actions=(action,)))

    assert (kept.actions, [h.reason for h in kept.holds]) == (
        ((action,), []) if row[1] == "yes" else ((), ["hedge_mode"])
    )
