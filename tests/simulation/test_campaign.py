"""The campaign repeats itself exactly, and finds nothing in calm weather."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

import pytest

from engine.simulation.campaign import run
from engine.simulation.command import WrongUse, parse_seeds, simulate
from engine.simulation.draw import PROFILES, draw
from tests.schemas import validate

Document = dict[str, Any]


def campaign(seeds: str, *, jobs: int = 1, profile: str = "calm") -> Document:
    return run(parse_seeds(seeds), profile, jobs, lambda _: None)


@pytest.fixture(scope="module")
def eight_calm_seeds() -> Document:
    """Return the document of one run, for all who look at it."""
    return campaign("1..8")


@pytest.mark.slow
def test_two_runs_of_eight_calm_seeds_agree_and_find_nothing(eight_calm_seeds: Document) -> None:
    """One version, one outcome: else no seed could ever be shown again."""
    first, second = eight_calm_seeds, campaign("1..8", jobs=2)

    assert first["violations"] == second["violations"] == []
    assert first["digest"] == second["digest"]
    assert {k: v for k, v in first.items() if k != "speed"} == {
        k: v for k, v in second.items() if k != "speed"
    }
    validate(first)


@pytest.mark.slow
def test_calm_worlds_are_not_empty(eight_calm_seeds: Document) -> None:
    """A campaign in which nothing happens finds nothing either."""
    totals = eight_calm_seeds["totals"]

    assert totals["lives"] >= 8
    assert totals["fills"] >= 16
    assert totals["stop_moves"] >= 3
    assert totals["kills"] >= 3


@pytest.mark.slow
def test_broken_requests_and_deaths_at_any_call_break_no_promise() -> None:
    """Lost answers, timeouts, 503s: bounds hold, nothing executes twice, the end is clean."""
    document = campaign("1..6", profile="faulty", jobs=2)

    assert document["violations"] == []
    assert sum(row["effective"] for row in document["faults"]) >= 10


def test_a_seed_draws_the_same_world_every_time_and_another_seed_another_one() -> None:
    """Everything follows from the seed."""
    calm = PROFILES["calm"]

    assert draw(5, calm) == draw(5, calm)
    assert draw(5, calm) != draw(6, calm)


def test_the_price_path_follows_from_the_seed() -> None:
    """The market is part of the world."""
    market = draw(5, PROFILES["calm"]).market

    path = [(p.at_ms, p.last, p.mark) for p in market.feed(0)]

    assert path == [(p.at_ms, p.last, p.mark) for p in market.feed(0)]
    assert path[-1][0] == market.length_ms
    assert len({last for _, last, _ in path}) > 50


@pytest.mark.parametrize(
    ("text", "seeds"), [("1..8", range(1, 9)), ("7", range(7, 8)), ("3..3", range(3, 4))]
)
def test_seeds_are_given_as_a_range_that_includes_both_ends(text: str, seeds: range) -> None:
    assert parse_seeds(text) == seeds


@pytest.mark.parametrize("text", ["8..1", "a..b", "", "1..", "-1..2", "1...3"])
def test_what_is_no_range_of_seeds_is_wrong_use(text: str) -> None:
    with pytest.raises(WrongUse) as refused:
        parse_seeds(text)

    assert refused.value.exit_code == 2
    assert refused.value.field == "--seeds"


def test_a_profile_that_does_not_exist_is_refused_by_naming_those_that_do() -> None:
    """Weather that is not built yet must not look like calm weather."""
    arguments = Namespace(seeds="1..1", scenario=None, profile="hurricane", jobs=1, over_http=False)

    with pytest.raises(WrongUse) as refused:
        simulate(arguments, lambda _: None)

    assert refused.value.exit_code == 2
    assert refused.value.remedy is not None
    assert all(name in refused.value.remedy for name in PROFILES)
