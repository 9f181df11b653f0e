"""Planted bugs are caught by the checkers that are there for them; a few here, the rest on request.

A checker nobody ever saw complain proves nothing. Each bug is a change of the code itself, made
while a new process imports it (``sabotages``, ``sabotaged``).
"""

from __future__ import annotations

import ast
import os
from importlib.util import find_spec
from pathlib import Path

import pytest

from engine.exchange.gateway import Gateway
from engine.simulation.trial import run_trial
from engine.simulation.verdict import CHECKERS
from tests.simulation.sabotage_worlds import WORLDS, worlds
from tests.simulation.sabotaged import BY_NAME, Misplaced, changed, run_apart
from tests.simulation.sabotages import SABOTAGES, Change, Sabotage

SAMPLE = (
    "widens_once",
    "disarms_at_once",
    "resends_on_timeout",
    "talks_into_the_silence",
    "ignores_the_lease",
    "ignores_the_spread",
)
"""Bugs that are caught at the first seeds; KEEPER_SABOTAGES=all takes all of them."""

CHOSEN = tuple(BY_NAME) if os.environ.get("KEEPER_SABOTAGES") == "all" else SAMPLE


@pytest.mark.slow
@pytest.mark.parametrize("name", CHOSEN)
def test_a_planted_bug_is_caught_by_the_checker_named(name: str) -> None:
    """One promise broken, one checker that says so, within the stated number of seeds."""
    assert BY_NAME[name].checker in run_apart(name).first


@pytest.mark.slow
@pytest.mark.parametrize("world", ["lost_entries", "silenced", "frozen", "wide_books"])
def test_the_same_worlds_without_a_bug_show_nothing(world: str) -> None:
    """An honest keeper is not accused for what goes wrong around it."""
    assert [run_trial(drawn).violations for drawn in worlds(world, 2)] == [(), ()]


@pytest.mark.slow
def test_the_gateway_alone_stops_a_planner_gone_wrong() -> None:
    """Every request is judged once more at the one door: the same bug with the gateway awake."""
    assert run_apart("widens_once", only=("engine.plan.planner",)).first == {}


@pytest.mark.parametrize("bug", SABOTAGES, ids=lambda bug: bug.name)
def test_every_bug_changes_code_that_stands_there(bug: Sabotage) -> None:
    """A change that no longer applies would plant nothing, and nobody would notice."""
    assert bug.worlds in WORLDS
    assert bug.changes
    for module in {change.module for change in bug.changes}:
        spec = find_spec(module)
        assert spec is not None
        assert spec.origin is not None
        source = Path(spec.origin).read_text(encoding="utf-8")
        mine = [change for change in bug.changes if change.module == module]
        ast.parse(changed(source, mine))


def test_there_are_bugs_for_every_checker() -> None:
    """Twenty-four at least, and no checker without one."""
    assert len(SABOTAGES) >= 24
    assert {bug.checker for bug in SABOTAGES} == set(CHECKERS)


def test_a_change_is_found_however_its_lines_are_broken_and_exactly_once() -> None:
    source = "def f(a,\n      b):\n    return (a +\n            b)\n"

    assert "return 0" in changed(source, [Change("m", "return (a + b)", "return 0")])
    with pytest.raises(Misplaced):
        changed(source, [Change("m", "return a", "")])
    with pytest.raises(Misplaced):
        changed(source * 2, [Change("m", "return (a + b)", "return 0")])


def test_this_process_carries_no_bug() -> None:
    """What is planted stays in its own process."""
    assert Gateway.perform.__module__ == "engine.exchange.gateway"
    assert Gateway.perform.__name__ == "perform"
