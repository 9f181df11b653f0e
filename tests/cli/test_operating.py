"""halt, resume and flatten: asked through the store, answered by the keeper that runs."""

from __future__ import annotations

import getpass
import signal
import socket
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.cli.home import Home, end, home_in


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    with home_in(tmp_path) as home:
        yield home


def status(home: Home) -> dict[str, Any]:
    return home.keeper("status", "--json").document


def test_a_halt_stops_entries_until_resume(home: Home) -> None:
    """Persisted: a restart in between changes nothing."""
    child = home.start("run")
    home.await_ticks(child)

    halted = home.keeper("halt", "--why", "maintenance", "--json")
    end(child, signal.SIGTERM)
    child = home.start("run")
    home.await_ticks(child)
    after = status(home)
    home.keeper("decide", "long")
    home.until(lambda: status(home)["decision"] is not None, "the decision was seen")
    sent = [e for e in home.log() if e.get("verb") == "POST" and "rder" in str(e.get("path"))]
    resumed = home.keeper("resume", "--json")
    home.until(lambda: status(home)["phase"] in ("arming", "entering", "open"), "it enters")

    assert (halted.code, halted.document["command"]) == (0, "halt")
    assert after["health"]["state"] == "halted"
    assert after["health"]["reasons"][0]["detail"] == "maintenance"
    assert sent == []
    assert resumed.code == 0


def test_who_asked_when_and_why_stands_in_the_answer_and_in_the_events(home: Home) -> None:
    """A halt found on Monday must say whose it is."""
    child = home.start("run")
    home.await_ticks(child)

    halted = home.keeper("halt", "--reason", "exchange maintenance", "--json").document
    told = home.keeper("explain", str(status(home)["at"]), "--json").document["events"]

    who = f"{getpass.getuser()}@{socket.gethostname()}"
    assert (halted["by"], halted["why"]) == (who, "exchange maintenance")
    assert isinstance(told, list)
    texts = [event["text"] for event in told if event["kind"] == "operator"]
    assert f"halt by {who}: exchange maintenance" in texts


def troubles(home: Home) -> list[str]:
    """Return the codes of what `status` says is wrong."""
    return [reason["code"] for reason in status(home)["health"]["reasons"]]


def test_adopt_takes_over_what_somebody_opened_and_nothing_else(home: Home) -> None:
    """RULES G1: until then it has one stop and is nobody's; then it is ours, in two layers."""
    child = home.start("run")
    home.await_ticks(child)
    nothing = home.keeper("adopt", "--json")
    home.hand(do="market", side="buy", quantity="0.005")
    home.until(lambda: "orphan_position" in troubles(home), "somebody's position is seen")

    adopted = home.keeper("adopt", "--reason", "mine after all", "--json")
    home.until(lambda: len(status(home)["protection"]["stops"]) == 2, "two layers")
    after = status(home)

    assert (nothing.code, nothing.document["code"]) == (9, "command_refused")
    assert adopted.code == 0, adopted.err
    assert "is kept as our own" in str(adopted.document["result"])
    assert after["protection"]["covered"] is True
    home.until(lambda: "orphan_position" not in troubles(home), "it is nobody else's any more")


def test_flatten_closes_the_position_and_leaves_clean_books(home: Home) -> None:
    home.keeper("decide", "long")
    child = home.start("run")
    home.await_ticks(child)
    home.until(lambda: status(home)["phase"] == "entering", "an entry rests")
    entry = next(o for o in status(home)["orders"] if o["role"] == "entry")
    home.price(str(Decimal(entry["price"]) - 1))
    home.until(lambda: status(home)["position"] is not None, "a position")

    flattened = home.keeper("flatten", "--json")

    assert flattened.code == 0, flattened.err
    assert home.keeper("verify", "--json").document["verdict"] == "flat"
    last = home.picture()
    assert last is not None
    assert last.own() == ()
    trades = home.keeper("history", "--json").document["trades"]
    assert isinstance(trades, list)
    assert [trade["exit_reason"] for trade in trades] == ["flatten"]


def test_without_a_keeper_the_command_is_kept_and_the_code_says_so(home: Home) -> None:
    """Nine: nothing was done yet; the next start does it."""
    child = home.start("run")
    home.await_ticks(child)
    end(child, signal.SIGTERM)

    asked = home.keeper("halt", "--json")
    child = home.start("run")
    home.await_ticks(child)

    assert (asked.code, asked.document["code"]) == (9, "command_pending")
    assert status(home)["health"]["state"] == "halted"


def test_looking_ahead_carries_out_no_command(home: Home) -> None:
    """`keeper plan` beside or instead of a keeper must change nothing, halts included."""
    child = home.start("run")
    home.await_ticks(child)
    end(child, signal.SIGTERM)
    home.keeper("halt")

    planned = home.keeper("plan", "--json")
    reasons = [reason["code"] for reason in status(home)["health"]["reasons"]]

    assert planned.code == 0
    assert reasons == ["not_running"], "the halt waits for a keeper that runs"


def test_a_plan_for_a_fresh_decision_shows_what_comes_before_the_entry(home: Home) -> None:
    """Every gate with its numbers, and the first step: margin and leverage, then the stop."""
    home.keeper("decide", "long")

    plan = home.keeper("plan", "--json").document

    refused = [gate["code"] for gate in plan["gates"] if gate["verdict"] == "refuse"]  # type: ignore[attr-defined]
    assert refused == []
    assert plan["entry_allowed"] is True
    assert [action["do"] for action in plan["actions"]] == ["configure", "configure"]  # type: ignore[attr-defined]
    assert all(entry.get("verb") == "GET" for entry in home.log() if entry["kind"] == "request")
