"""``mode: live`` is a deliberate step: the account's alias by hand, and a check that passes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.home import Home, configure, home_in

ALIAS = "SgsR"
"""What the simulated exchange calls its account."""


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    with home_in(tmp_path) as home:
        yield home


def live(home: Home, alias: str | None, **more: Any) -> None:
    configure(home, mode="live", live={"acknowledge": alias}, **more)


def writes(home: Home) -> list[object]:
    return [e.get("path") for e in home.log() if e["kind"] == "request" and e["verb"] != "GET"]


def credentials(home: Home) -> dict[str, Any]:
    checks = home.keeper("check", "--json").document["checks"]
    assert isinstance(checks, list)
    return next(one for one in checks if one["name"] == "credentials")


def test_live_mode_starts_only_with_the_alias_of_the_very_account(home: Home) -> None:
    """The alias is learnt from `check`, and nothing is sent before it is repeated."""
    live(home, None)
    unnamed, first = home.keeper("run", "--ticks", "2", "--json"), credentials(home)
    live(home, "Wr0ng")
    wrong, second = home.keeper("run", "--ticks", "2", "--json"), credentials(home)
    sent = [path for path in writes(home) if "listenKey" not in str(path)]
    live(home, ALIAS)
    right, third = home.keeper("run", "--ticks", "2", "--json"), credentials(home)

    assert (unnamed.code, unnamed.document["field"]) == (3, "live.acknowledge")
    assert (wrong.code, wrong.document["code"]) == (3, "live_not_acknowledged")
    assert wrong.document["value"] == "Wr0ng"
    assert sent == []
    assert right.code == 0, right.err
    assert (first["ok"], second["ok"], third["ok"]) == (False, False, True)
    assert f"live.acknowledge: {ALIAS}" in first["remedy"]
    assert "live.acknowledge names Wr0ng" in second["detail"]
    assert third["detail"] == f"the key may trade; account alias {ALIAS}"


def test_a_first_live_start_wants_a_passing_check_and_later_ones_do_not_wait_for_it(
    home: Home,
) -> None:
    """A cap the bracket does not allow fails the check; a restart beside a position never asks."""
    strict = {"risk": {"leverage_max": 100, "notional_max": 60_000_000}}
    live(home, ALIAS, **strict)
    refused = home.keeper("run", "--ticks", "2", "--json")
    live(home, ALIAS)
    passed = home.keeper("once", "--json")
    live(home, ALIAS, **strict)
    later = home.keeper("once", "--json")

    assert (refused.code, refused.document["code"]) == (1, "live_check_failed")
    assert "leverage_bracket" in str(refused.document["message"])
    assert (passed.code, later.code) == (0, 0), passed.err + later.err


def test_what_is_held_is_protected_without_a_perfect_account(home: Home) -> None:
    """Field lesson 31: fail-closed means no entries, never no protection."""
    live(home, ALIAS, risk={"leverage_max": 100, "notional_max": 60_000_000})
    home.hand(do="market", side="buy", quantity="0.005")

    ran = home.keeper("run", "--ticks", "4", "--json")

    assert ran.code == 0, ran.err
    status = json.loads(ran.out.splitlines()[-1])
    assert status["protection"]["covered"] is True
