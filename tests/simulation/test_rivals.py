"""Two keepers with one lease: the one that holds it is stopped, dies, or wakes too late.

Small worlds as the campaign plays them; what it draws is judged by every checker.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from engine.simulation.campaign import run
from engine.simulation.draw import PROFILES, Drawn, Profile, draw
from engine.simulation.play import Freeze, Happening, Kill
from engine.simulation.requests import CLOCK_REFUSED, Request, read_requests
from engine.simulation.rivals import RESTART_MS, TAKEOVER_MS, Standby
from engine.simulation.trial import Trial, run_trial
from engine.simulation.troubles import FREEZE, TAKEOVER

STILL = Profile("rivals", lambda _, __: [])
FAR_MS = 60_000


def world(
    seed: int, *happenings: tuple[int, Happening], standby: Standby = Standby.OTHER_HOST
) -> Drawn:
    """Return the world of a seed with nothing in its way but these, each after the start."""
    drawn = draw(seed, STILL)
    return replace(drawn, happenings=happenings, standby=standby)


def played(drawn: Drawn) -> tuple[Trial, list[Request]]:
    """Return what became of a world, and every request of its two keepers."""
    log: list[dict[str, object]] = []
    trial = run_trial(drawn, log)  # type: ignore[arg-type]
    assert trial.violations == ()
    return trial, list(read_requests(log))


def silences(requests: list[Request]) -> list[int]:
    """Return how long nobody asked for the position, each time it was longer than the lease."""
    at = [r.at_ms for r in requests if r.path.endswith("/positionRisk") and r.status == 200]
    return [b - a for a, b in pairwise(at) if b - a > 15_000]


def refused(requests: list[Request]) -> list[Request]:
    """Return what could have changed something and came after its window."""
    return [r for r in requests if r.verb != "GET" and r.code == CLOCK_REFUSED]


@pytest.mark.parametrize("is_after", [False, True])
@pytest.mark.parametrize("seed", [1, 2])
def test_a_standby_takes_over_from_a_frozen_keeper_whose_late_request_is_refused(
    seed: int, *, is_after: bool
) -> None:
    """RULES G4: after expiry, the longest window and the clock error; nothing late executes."""
    freeze = Freeze(FAR_MS, 2, is_after=is_after, is_sending=True)

    trial, requests = played(world(seed, (0, freeze)))

    assert trial.effective == {FREEZE: 1, TAKEOVER: 1}
    (silent_ms,) = silences(requests)
    assert silent_ms <= TAKEOVER_MS
    assert len(refused(requests)) == (not is_after)


def test_a_keeper_that_wakes_before_anybody_may_take_over_goes_on() -> None:
    """A lease that ran out and that nobody has taken is renewed by its holder."""
    trial, requests = played(world(1, (0, Freeze(18_000, 2, is_sending=True))))

    assert trial.effective == {FREEZE: 1}
    assert len(refused(requests)) == 1


def test_a_frozen_keeper_alone_goes_on_when_it_wakes() -> None:
    """Nobody stands by: nothing is lost but time."""
    freeze = (0, Freeze(FAR_MS, 2, is_sending=True))

    trial, requests = played(world(1, freeze, standby=Standby.NOWHERE))

    assert trial.effective == {FREEZE: 1}
    assert len(refused(requests)) == 1


@pytest.mark.parametrize(
    ("standby", "at_least_ms", "at_most_ms"),
    [(Standby.SAME_HOST, 0, 2_000), (Standby.OTHER_HOST, 15_000, TAKEOVER_MS)],
)
def test_a_standby_takes_over_from_a_dead_keeper(
    standby: Standby, at_least_ms: int, at_most_ms: int
) -> None:
    """On one host its lock proves that the holder is gone; from elsewhere only time does."""
    trial, requests = played(world(1, (20_000, Kill(dead_ms=FAR_MS)), standby=standby))

    assert trial.totals["takeovers"] == trial.totals["kills"] == 1
    (most_ms,) = silences(requests)[:1] or [0]
    assert at_least_ms <= most_ms <= at_most_ms


def test_who_stood_down_stands_by_again_and_takes_over_in_turn() -> None:
    """The service starts again what ended because another one has the lease."""
    again_ms = FAR_MS + RESTART_MS + 10_000
    freezes = [(at_ms, Freeze(FAR_MS)) for at_ms in (5_000, 5_000 + again_ms)]
    drawn = world(1, *freezes)

    trial, _ = played(replace(drawn, length_ms=2 * again_ms + FAR_MS))

    assert trial.effective == {FREEZE: 2, TAKEOVER: 2}


def test_old_seeds_keep_their_worlds_and_gain_freezes() -> None:
    """Freezes are drawn from a chance of their own; what else depends on them comes after."""
    hostile = replace(PROFILES["hostile"], rarer=(), lies_in_wait=False)
    for seed in range(1, 60):
        drawn = draw(seed, hostile)
        without = [h for h in drawn.happenings if not isinstance(h[1], Freeze)]
        plain = draw(seed, replace(hostile, freezes=False))
        assert tuple(without) == plain.happenings
        assert replace(drawn, happenings=plain.happenings, standby=plain.standby) == plain


def test_a_quarter_of_the_hostile_worlds_have_freezes_and_most_of_them_a_standby() -> None:
    drawn = [draw(seed, PROFILES["hostile"]) for seed in range(1, 201)]
    frozen = [d for d in drawn if any(isinstance(what, Freeze) for _, what in d.happenings)]

    assert 30 <= len(frozen) <= 80
    assert {d.standby for d in frozen} == set(Standby)
    assert all(d.standby is Standby.NOWHERE for d in drawn if d not in frozen)


@pytest.mark.slow
def test_hostile_worlds_with_two_keepers_are_the_same_for_any_number_of_jobs() -> None:
    """One version, one outcome, also where two keepers take turns."""
    first: dict[str, Any] = run(range(46, 48), "hostile", 1, lambda _: None)
    second = run(range(46, 48), "hostile", 2, lambda _: None)

    assert first["violations"] == second["violations"] == []
    assert first["digest"] == second["digest"]
    assert first["totals"] == second["totals"]
    assert first["totals"]["takeovers"] > 0
