"""A sample of the written lives, played by real processes over HTTP: the same fills, levels, end.

Prices, hands and documents come in the scenario's order; each waits until the keeper has looked
several times and left everything as it is, so that nothing depends on how fast the machine is.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from engine.loop import wall_guess_ms
from engine.simulation.scenario import play_scenario
from engine.simulation.told import fill_documents
from engine.venue.scenario import FeedRow, Scenario, WrittenDecision, WrittenHand, load_scenario
from tests.cli.home import Home, configure, home_in

pytestmark = pytest.mark.slow
FOLDER = Path(__file__).parents[1] / "scenarios"
LOOKS = 4
INTERVAL_S = 0.2
SAMPLE = (
    "entry_in_two_parts",
    "short_stopped_out",
    "withdrawn_before_any_fill",
    "g2_manual_cut",
)
MORE = (
    "d3_other_price_withdraws_and_enters_anew",
    "d3_other_size_withdraws_and_enters_anew",
    "e6_tp1_reached_before_the_entry",
    "f10_flat_decision_holds",
    "f10_tighter_stop_is_adopted",
    "f10_wider_stop_is_refused",
    "f6_not_splittable_all_leaves_at_tp1",
    "f6_not_splittable_runner",
    "f6_wick_through_tp1_and_back",
    "f6_wick_through_tp1_and_back_short",
    "f7_gap_over_both_targets",
    "f9_zone_touched_by_one_tick",
    "f9_zone_touched_by_one_tick_short",
    "g2_closed_by_hand",
    "g2_foreign_order_is_not_touched",
    "g2_manual_add",
    "g2_manual_add_short",
    "g2_somebody_cancels_our_stop",
    "gap_through_the_stop",
    "gap_through_the_stop_short",
    "tp1_then_breakeven",
)
"""Lives that prices, documents and hands drive, none with a date in raw text: real time changes
nothing in them. Played with ``KEEPER_LIVES=all``, a few minutes."""

LIVES = SAMPLE + (MORE if os.environ.get("KEEPER_LIVES") == "all" else ())


@pytest.mark.parametrize("name", LIVES)
def test_a_life_over_http_goes_as_in_process(name: str, tmp_path: Path) -> None:
    """The transport, the clock and the process boundary must change nothing."""
    file = FOLDER / f"{name}.yaml"
    expected = play_scenario(file)
    scenario = load_scenario(file)
    options = ["--start-price", str(scenario.start_price), "--wallet", str(scenario.account.wallet)]
    if scenario.touch_quantity is not None:
        options += ["--touch-quantity", str(scenario.touch_quantity)]

    with home_in(tmp_path, *options, interval_s=INTERVAL_S) as home:
        configure(home, interval_s=INTERVAL_S, **scenario.config)
        home.await_ticks(home.start("run"))
        for happening in happenings(scenario):
            happen(home, happening)
            left_alone(home, happening)
        home.until(lambda: final_of(home) == expected["final"], f"the end of {name}")
        got = {"fills": fills_of(home), "stop_levels": levels_of(home)}

    assert got == {"fills": in_short(expected["fills"]), "stop_levels": levels_in(expected)}
    assert expected["differences"] == []


Happening = FeedRow | WrittenDecision | WrittenHand


def happenings(scenario: Scenario) -> list[Happening]:
    """Return prices, documents and hands in their order; the first price stands already."""
    assert not scenario.faults
    assert not scenario.kills
    all_of_it: list[Happening] = [*scenario.feed[1:], *scenario.decisions, *scenario.hands]
    return sorted(all_of_it, key=lambda what: what.at_ms)


def happen(home: Home, what: Happening) -> None:
    """Let it happen now."""
    match what:
        case FeedRow():
            home.price(str(what.last))
        case WrittenHand():
            home.hand(**what.terms)
        case WrittenDecision():
            now = datetime.fromtimestamp(wall_guess_ms() / 1000, UTC)
            text = what.text(now - timedelta(milliseconds=what.at_ms))
            aside = home.folder / "decisions" / ".new"
            aside.write_text(text)
            aside.replace(home.folder / "decisions" / what.file)


def left_alone(home: Home, what: Happening) -> None:
    """Wait until the keeper has looked several times since anything changed.

    Flat, without orders and without news it has nothing to do and looks rarely.
    """
    first = len(home.log())
    asks_for_entry = isinstance(what, WrittenDecision) and what.fields.get("action") != "flat"

    def is_settled() -> bool:
        entries = home.log()
        changes = [n for n, entry in enumerate(entries) if entry["kind"] in ("order", "fill")]
        since = entries[max([first, *changes]) :]
        looks = sum("positionRisk" in str(entry.get("path")) for entry in since)
        return looks >= LOOKS or (not asks_for_entry and is_idle(home))

    home.until(is_settled, "the keeper leaves things as they are")


def is_idle(home: Home) -> bool:
    """Return whether there is neither position nor order."""
    picture = home.picture()
    return picture is None or (picture.position == 0 and not picture.orders)


def final_of(home: Home) -> dict[str, object]:
    """Return the signed position and the number of resting orders, as scenarios tell the end."""
    picture = home.picture()
    held = "0" if picture is None else format(picture.position.normalize(), "f")
    return {"position": held, "orders": 0 if picture is None else len(picture.orders)}


def fills_of(home: Home) -> list[tuple[object, ...]]:
    """Return what executed, by the venue's log."""
    return in_short(fill_documents(home.log()))


def in_short(fills: object) -> list[tuple[object, ...]]:
    """Return role, side, price and quantity of each fill."""
    assert isinstance(fills, list)
    return [tuple(fill[name] for name in ("role", "side", "price", "quantity")) for fill in fills]


def levels_of(home: Home) -> list[tuple[float, str]]:
    """Return the levels that were in force, by the view people read."""
    query = (
        "SELECT level, reason FROM v_stop_levels WHERE state = 'confirmed'"
        " ORDER BY generation, settled_ms"
    )
    with closing(sqlite3.connect(home.folder / "var" / "keeper.db")) as database:
        return [(float(level), str(reason)) for level, reason in database.execute(query)]


def levels_in(document: dict[str, object]) -> list[tuple[float, str]]:
    """Return the levels of a scenario document."""
    levels = document["stop_levels"]
    assert isinstance(levels, list)
    return [(float(level["level"]), str(level["reason"])) for level in levels]
