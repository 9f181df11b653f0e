"""What is done about what nobody here asked for (RULES G2, DESIGN 6): by proof, never by suspicion.

An order with our prefix that no intent of ours names was sent by an earlier writer, or by another
one. It is taken into the book; that it is unknown is no reason to cancel it.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.domain.action import CancelOrder, Proof
from engine.domain.identity import ClientOrderId
from engine.domain.limits import Limits
from engine.domain.position import ExitReason
from engine.domain.terms import Side
from engine.plan.planner import make_plan
from engine.reconcile.settle import reconcile
from tests.builders import (
    LONG,
    NOW,
    SHORT,
    UNKNOWN,
    a_ledger,
    a_life,
    a_position,
    a_situation,
    a_stop,
    ids,
    on,
    report_of,
    seen,
    table,
    the_usual_orders,
)

STRANGERS = table("""
theirs  quantity  ours     proof          why
90300   0.013     resting  tighter_rests  ours is tighter and rests for everything
90380   0.013     resting  -              of two equal ones the later stays
90500   0.013     resting  -              it is the tighter one: it carries the level now
90500   0.005     resting  -              too small, but tighter than ours
90300   0.013     unknown  -              of unknown fate, ours proves nothing
90300   0.013     missing  -              ours is not in the list: doubtful, no proof
""")


@pytest.mark.parametrize("side", [LONG, SHORT])
@pytest.mark.parametrize("row", STRANGERS, ids=ids(STRANGERS))
def test_another_writers_stop_goes_only_when_ours_proves_it_spare(
    row: list[str], side: Side
) -> None:
    """RULES G2, F2: not because it is unknown; a confirmed own stop must be at least as tight."""
    trigger, quantity, ours, proof, _ = row
    theirs = a_stop(on(side, trigger), quantity, side=side, revision=7)
    entry, stop, *others = the_usual_orders(side)
    if ours == "unknown":
        stop = replace(stop, status=UNKNOWN, rested_ms=None)
    ledger = a_ledger(a_life(side=side), (entry, stop, *others))
    listed = [o for o in ledger.orders if o.status.is_resting]
    listed = [o for o in listed if ours != "missing" or o is not stop]
    look = seen(ledger, reports=[report_of(o) for o in (*listed, theirs)])

    after, _ = reconcile(ledger, look, Limits())
    plan = make_plan(a_situation(ledger=after, observation=look))

    assert after.order(theirs.id) is not None
    assert [(c.proof.value, c.proven_by) for c in cancels(plan.actions, theirs.id)] == (
        [] if proof == "-" else [(proof, stop.id)]
    )


@pytest.mark.parametrize("side", [LONG, SHORT])
def test_another_writers_tighter_stop_stays_until_flat_is_proven(side: Side) -> None:
    """RULES G2, C2, G6: one read of zero proves nothing; the closed life's book is swept by id."""
    theirs = a_stop(on(side, 90_500), side=side, revision=7)
    closed = a_life(
        "0", side=side, opened_ms=NOW - 90_000, closed_ms=NOW - 5_000, exit_reason=ExitReason.STOP
    )
    standing = a_ledger(a_life(side=side), the_usual_orders(side))
    swept = a_ledger(closed, fills=())

    proofs = []
    for ledger in (standing, swept):
        resting = [o for o in ledger.orders if o.status.is_resting]
        reports = [report_of(o) for o in (*resting, theirs)]
        look = seen(ledger, position=a_position(0), reports=reports)
        after, _ = reconcile(ledger, look, Limits())
        plan = make_plan(a_situation(ledger=after, observation=look))
        proofs.append([c.proof for c in cancels(plan.actions, theirs.id)])

    assert proofs == [[], [Proof.FLAT_PROVEN]]


def cancels(actions: tuple[object, ...], order: ClientOrderId) -> list[CancelOrder]:
    """Return what is asked to cancel this order."""
    return [a for a in actions if isinstance(a, CancelOrder) and a.client_id == order]
