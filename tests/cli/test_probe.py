"""The stop-while-flat probe: tried only when asked for, while flat and unkept, and taken back."""

from __future__ import annotations

import re
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.cli.home import Home, end, home_in


def probed(home: Home, *words: str) -> dict[str, Any]:
    checks = home.keeper("check", *words, "--json").document["checks"]
    assert isinstance(checks, list)
    return next(check for check in checks if check["name"] == "stop_while_flat")


def writes(home: Home) -> list[str]:
    return [
        f"{e['verb']} {e['path']}"
        for e in home.log()
        if e["kind"] == "request" and e["verb"] in ("POST", "DELETE") and "rder" in str(e["path"])
    ]


@pytest.mark.parametrize(("switch", "ok"), [("accepted", True), ("refused", False)])
def test_the_probe_says_what_this_account_does_and_leaves_nothing(
    switch: str, ok: bool, tmp_path: Path
) -> None:
    """RULES E9: 3 % away, smallest quantity, own role, cancelled at once."""
    with home_in(tmp_path, "--switch", f"stop_while_flat={switch}") as home:
        before = probed(home)
        asked = writes(home)
        after = probed(home, "--probe")
        sent = writes(home)
        left = home.state()["algo_orders"]
        known = probed(home)
        later = writes(home)

    assert (before["ok"], asked) == (None, [])
    assert after["ok"] is ok
    # Written down with its date: nobody need try it again, and `run` and `plan` know it (E9).
    assert (known["ok"], later) == (ok, sent)
    assert re.fullmatch(r"(accepted|refused) 20\d\d-\d\d-\d\dT.*Z", known["detail"])
    assert left == []
    assert sent[0] == "POST /fapi/v1/algoOrder"
    assert len(sent) == (2 if ok else 1)


def test_what_the_probe_found_a_keeper_knows(tmp_path: Path) -> None:
    """RULES E9: refused while flat, so nothing enters without the stream that tells of a fill."""
    with home_in(tmp_path, "--switch", "stop_while_flat=refused") as home:
        probed(home, "--probe")
        home.keeper("decide", "long", "--json")
        gates = home.keeper("plan", "--json").document["gates"]
        status = home.keeper("once", "--json").document

    assert isinstance(gates, list)
    gate = next(g for g in gates if g["code"] == "stop_while_flat")
    assert (gate["value"], gate["verdict"]) == ("False", "refuse")
    assert "fallback_mode" in str(status)


def test_a_running_keeper_is_not_probed_behind_its_back(tmp_path: Path) -> None:
    """The lease has one holder: who cannot get it sends nothing, and gives it back after (G4)."""
    with home_in(tmp_path) as home:
        probed(home, "--probe")
        before = writes(home)
        child = home.start("run")
        home.await_ticks(child)
        check = probed(home, "--probe")
        end(child, signal.SIGTERM)
        sent = writes(home)

    assert check["ok"] is None
    assert "a keeper is running" in check["detail"]
    assert sent == before
