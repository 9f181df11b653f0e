"""What the rules after a proposal see of it: its intents, written down (RULES G5, A5)."""

from __future__ import annotations

from engine.domain.action import Hold, PlaceOrder, Plan
from engine.domain.terms import ActionClass
from engine.plan.proposal import Proposal, after, cancel
from tests.builders import (
    INTENDED,
    NOW,
    PRIMARY,
    a_life,
    a_situation,
    a_stop,
    a_tp1,
    a_tp2,
    an_id,
    d,
)


def test_a_cancel_is_written_down_at_the_order_it_names_and_nowhere_else() -> None:
    """RULES G5, G2: an order that the ledger does not know does not enter it by being cancelled."""
    situation = a_situation(a_life(), (a_tp1(), a_stop()))
    proposal = Proposal(actions=(cancel(a_tp2(), "r", "x"), cancel(a_tp1(), "r", "x")))

    ledger = after(situation, proposal).ledger

    assert [(o.id, o.cancel_sent_ms) for o in ledger.orders] == [
        (a_tp1().id, NOW),
        (a_stop().id, None),
    ]


def test_a_stop_has_a_level_as_part_of_a_life_only() -> None:
    """RULES A5: levels belong to a generation; a stop without one is an order and no level."""
    proposal = Proposal(actions=(PlaceOrder(a_stop().terms, ActionClass.PROTECT, "r", "why"),))

    with_life = after(a_situation(a_life()), proposal).ledger
    without = after(a_situation(), proposal).ledger

    assert [(x.level, x.reason) for x in with_life.levels] == [(d(90_380), "why")]
    assert without.levels == ()
    assert [(o.id, o.status) for o in without.orders] == [(an_id(PRIMARY), INTENDED)]


def test_a_plan_that_only_holds_back_is_empty() -> None:
    """RULES B5: why nothing is done is told; the engine has converged all the same."""
    ledger = a_situation(a_life(), (a_tp1(),)).ledger
    held_back = Plan(ledger, holds=(Hold("enter", "backoff"),))

    assert held_back.is_empty
    assert not Plan(ledger, actions=(cancel(a_tp1(), "r", "x"),)).is_empty
