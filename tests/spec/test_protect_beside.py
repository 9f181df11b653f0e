"""Somebody's position beside a life of ours that is not over yet (RULES G1)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.domain.identity import FOREIGN_HASH
from engine.domain.ledger import Ledger
from engine.domain.limits import Limits, OrphanPolicy
from engine.domain.position import ExitReason, HedgedSide
from engine.domain.terms import Side
from engine.plan.hedge import protect_beside
from engine.reconcile.beside import fold_beside
from engine.reconcile.whose import until_flat
from tests.builders import (
    FLOOR,
    LONG,
    NOW,
    PRIMARY,
    REJECTED,
    SHORT,
    a_fill,
    a_filled_entry,
    a_floor,
    a_ledger,
    a_life,
    a_position,
    a_situation,
    an_id,
    d,
    report_of,
    seen,
)


@pytest.mark.parametrize(("listed", "asked"), [(True, 0), (False, 1)])
def test_the_next_stop_leaves_as_soon_as_our_own_floor_is_gone(listed: bool, asked: int) -> None:
    """-4130 says that one rests in the direction; once none is listed, waiting leaves it naked."""
    life = a_life("0", opened_ms=NOW - 9_000, closed_ms=NOW - 900, closing=ExitReason.FLATTEN)
    ours = a_floor()
    terms = replace(ours.terms, client_id=an_id(FLOOR, 2, generation=2, decision=FOREIGN_HASH))
    refused = replace(
        a_floor(status=REJECTED, code=-4130, finished_ms=NOW - 100, rested_ms=None), terms=terms
    )
    ledger = a_ledger(
        life,
        (a_filled_entry(), refused),
        position_quantity=d("0.020"),
        beside=HedgedSide(2, LONG),
    )
    observation = seen(
        ledger,
        position=a_position("0.020"),
        reports=[report_of(ours)] if listed else [],
    )

    proposal = protect_beside(a_situation(ledger=ledger, observation=observation))

    assert len(proposal.actions) == asked


def beside(side: Side = LONG, **one: object) -> Ledger:
    """Return a closed life of ours, and what stood beside it at the last look."""
    life = a_life(
        "0", side=side, opened_ms=NOW - 9_000, closed_ms=NOW - 900, closing=ExitReason.FLATTEN
    )
    known = replace(HedgedSide(2, side), **one)  # type: ignore[arg-type]
    return a_ledger(life, (a_filled_entry(side=side),), position_quantity=d(0), beside=known)


@pytest.mark.parametrize("side", [LONG, SHORT])
def test_where_the_policy_is_to_ignore_it_is_said_and_nothing_is_placed(side: Side) -> None:
    """RULES G1: `ignore` is a choice, and stays visible."""
    ledger = beside(side)
    look = seen(ledger, position=a_position("0.020", side))
    situation = a_situation(
        ledger=ledger, observation=look, limits=Limits(orphan=OrphanPolicy.IGNORE)
    )

    proposal = protect_beside(situation)

    assert proposal.actions == ()
    assert [hold.reason for hold in proposal.holds] == ["orphan_ignored"]


@pytest.mark.parametrize("side", [LONG, SHORT])
def test_it_is_let_go_of_only_when_its_end_is_proven(side: Side) -> None:
    """RULES C2: three looks over ten seconds; one that shows nothing proves nothing."""
    once, _ = fold_beside(beside(side), seen(beside(side)), Limits())
    late = beside(side, gone_ms=NOW - 10_000, gone_reads=2)
    over, _ = fold_beside(late, seen(late), Limits())

    assert once.beside is not None
    assert (once.beside.gone_ms, once.beside.gone_reads) == (NOW, 1)
    assert over.beside is None


def test_once_a_life_of_ours_is_open_there_is_no_beside_any_more() -> None:
    ledger = a_ledger(a_life(), (a_filled_entry(),), beside=HedgedSide(2, LONG))

    folded, _ = fold_beside(ledger, seen(ledger), Limits())

    assert folded.beside is None


@pytest.mark.parametrize("side", [LONG, SHORT])
def test_a_later_trade_without_a_name_that_reduces_is_not_certainly_somebodys(side: Side) -> None:
    """RULES G1: our stop's child may be told before its order; the life keeps such a trade."""
    in_and_out = (
        a_fill(side=side),
        a_fill(PRIMARY, number=2, side=side),
    )
    unnamed = a_fill(PRIMARY, number=3, side=side, client_id="", exchange_order_id="77")
    ledger = a_ledger(a_life("0", side=side), (a_filled_entry(side=side),))
    ledger = replace(ledger, fills=(*in_and_out, unnamed))
    assert ledger.life is not None

    assert until_flat(ledger, ledger.life) == ledger.fills
