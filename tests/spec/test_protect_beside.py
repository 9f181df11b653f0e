"""Somebody's position beside a life of ours that is not over yet (RULES G1)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.domain.identity import FOREIGN_HASH
from engine.domain.position import ExitReason, HedgedSide
from engine.plan.hedge import protect_beside
from tests.builders import (
    FLOOR,
    LONG,
    NOW,
    REJECTED,
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
