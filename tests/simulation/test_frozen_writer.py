"""Nothing a frozen writer sends after waking executes, wherever it froze (RULES G4, lesson 46).

A sample of every call of a whole life, most of it where something is sent; ``python -m
tests.simulation.frozen`` freezes at each of them. Judged from the venue's log and the store.
"""

from __future__ import annotations

import pytest

from tests.simulation.frozen import Point, frozen, points, roll

OTHERS_STRIDE = 41


def sends(point: Point) -> bool:
    """Return whether what could change something is about to be sent, or to be written."""
    verb, name, *_ = (*roll()[point.at], "")
    return name == "record_intent" or (verb in ("POST", "DELETE") and not point.is_after)


def sample() -> list[Point]:
    """Return a third of the freezes around a request and its record, and some of the others."""
    every = list(points())
    return [p for p in every if sends(p)][::3] + [p for p in every if not sends(p)][::OTHERS_STRIDE]


def test_the_sample_has_a_freeze_in_every_kind_of_request() -> None:
    """A life that sends less than it should would prove less than it says."""
    verbs = {(roll()[p.at][0], roll()[p.at][1]) for p in points() if sends(p)}

    assert {("POST", "/fapi/v1/order"), ("POST", "/fapi/v1/algoOrder")} <= verbs
    assert ("DELETE", "/fapi/v1/algoOrder") in verbs


def test_nothing_a_frozen_writer_sends_after_waking_executes() -> None:
    """RULES G4: its stamp is older than the lease check, its window ends before the lease does.

    Nor does it write: the database refuses the transactions of a lease that has passed.
    """
    thawed = [frozen(point) for point in sample()]

    assert [t for t in thawed if not t.is_right] == []
    assert sum(t.refused for t in thawed) > 0, "some request must have left after waking"


@pytest.mark.parametrize("is_after", [False, True], ids=["before it took effect", "after it"])
def test_a_freeze_in_the_middle_of_a_stop_move_costs_no_cover(is_after: bool) -> None:
    """RULES G4, F1: the new stop rests, the old one's cancel is stuck in a frozen process."""
    move = next(at for at, call in enumerate(roll()) if call[0] == "DELETE" and "s001" in call[-1])

    thawed = frozen(Point(move, is_after))

    assert thawed.is_right, thawed
