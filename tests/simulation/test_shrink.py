"""A failing world is told by what mattered in it."""

from __future__ import annotations

import pytest

import engine.plan.planner as planner_module
from engine.plan.exits import sweep
from engine.simulation.draw import PROFILES, draw
from engine.simulation.shrink import shrunk, story


@pytest.mark.slow
def test_what_did_not_matter_is_taken_away_and_the_rest_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without the sweep orders are left behind, whatever faults and later decisions there are."""
    rules = tuple(rule for rule in planner_module.RULES if rule is not sweep)
    monkeypatch.setattr(planner_module, "RULES", rules)
    drawn = draw(6, PROFILES["faulty"])

    least = shrunk(drawn, "no_leftovers", runs=8)
    lines = story(least, "no_leftovers")

    assert len(drawn.happenings) >= 4
    assert (
        len(least.happenings) + len(least.wishes) < (len(drawn.happenings) + len(drawn.wishes)) // 2
    )
    assert "no_leftovers" in lines[-1]
    assert len(lines) > 1


def test_a_world_that_breaks_nothing_has_no_story() -> None:
    """Nothing is told of what did not happen."""
    assert story(draw(1, PROFILES["calm"]), "covered") == []
