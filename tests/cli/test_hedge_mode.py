"""A hedge-mode account from the command line: refused while flat, protected while held (H3)."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.home import Home, end, home_in
from tests.schemas import validate

ORDER_SIDES = {"LONG": ("buy", "sell"), "SHORT": ("sell", "buy")}


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    """Open a home whose account is in hedge mode."""
    with home_in(tmp_path) as opened:
        opened.hand(do="position_mode", dual_side="true")
        yield opened


def hold(home: Home, *sides: str) -> None:
    """Open a position on each side, as somebody else."""
    for side in sides:
        home.hand(do="market", side=ORDER_SIDES[side][0], position_side=side, quantity="0.003")


def stops(home: Home) -> list[str]:
    """Return the side of every conditional order the venue ever took."""
    taken = {
        str(entry["client_id"]): str(entry["position_side"])
        for entry in home.log()
        if entry["kind"] == "order" and entry["book"] == "algo"
    }
    return sorted(taken.values())


def test_a_flat_account_is_refused_with_a_remedy(home: Home) -> None:
    """Nothing is held that a keeper could protect, and it will enter nothing: eight."""
    for command in ("run", "once"):
        ran = home.keeper(command, "--json")

        assert ran.code == 8
        error = json.loads(ran.out.splitlines()[-1])
        assert error["code"] == "account_unusable"
        assert "one-way position mode" in error["remedy"]

    verified = home.keeper("verify", "--json")
    assert (verified.code, verified.document["verdict"]) == (0, "flat")


@pytest.mark.parametrize("sides", [["SHORT"], ["LONG", "SHORT"]], ids="+".join)
def test_held_sides_are_protected_and_the_keeper_says_so(home: Home, sides: list[str]) -> None:
    """What used to end with eight keeps running; a restart adds nothing."""
    hold(home, *sides)

    for _ in range(2):
        ran = home.keeper("run", "--ticks", "3", "--json")

        assert ran.code == 0
        status = json.loads(ran.out.splitlines()[-1])
        validate(status)
        assert status["health"]["state"] == "degraded"
        assert "hedge_mode" in [reason["code"] for reason in status["health"]["reasons"]]
        assert status["health"]["entries_allowed"] is False
        assert stops(home) == sides

    verified = home.keeper("verify", "--json")
    judged = verified.document["sides"]
    assert isinstance(judged, list)
    assert (verified.code, verified.document["verdict"]) == (0, "covered")
    assert [one["position"]["side"].upper() for one in judged] == sides


def test_a_keeper_killed_beside_held_sides_comes_back_without_doubling(home: Home) -> None:
    """Kill -9, and hold one more side meanwhile: one stop each in the end."""
    hold(home, "LONG")
    child = home.start("run")
    home.until(lambda: stops(home) == ["LONG"], "the long side's stop")
    end(child, signal.SIGKILL)
    hold(home, "SHORT")
    uncovered = home.keeper("verify", "--json")

    ran = home.keeper("run", "--standby", "--ticks", "4")

    assert (uncovered.code, uncovered.document["verdict"]) == (1, "partly_covered")
    assert ran.code == 0
    assert stops(home) == ["LONG", "SHORT"]
    assert "hedge_mode" in ran.err


def test_a_keeper_whose_sides_went_goes_on_until_it_is_started_again(home: Home) -> None:
    """In the middle the loop does not end: somebody may open the next position at once."""
    hold(home, "LONG")
    child = home.start("run")
    home.until(lambda: stops(home) == ["LONG"], "the long side's stop")
    home.hand(do="market", side="sell", position_side="LONG", quantity="0.003")
    before = home.ticks()
    home.until(lambda: home.ticks() > before + 3, "more ticks")

    code, _ = end(child, signal.SIGTERM)

    assert code == 0
    assert home.keeper("run").code == 8
