"""Every written life goes as it is written, played in process against the whole keeper."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.simulation.expectation import differences
from engine.simulation.scenario import play_scenario
from engine.venue.scenario import load_scenario
from tests.schemas import validate

FOLDER = Path(__file__).parent.parent / "scenarios"
FILES = sorted(FOLDER.glob("*.yaml"))
TABLE = FOLDER.parent.parent / "docs" / "scenarios.md"


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_written_life_goes_as_it_is_written(file: Path) -> None:
    """Each file says in its last lines why its life must go that way."""
    document = play_scenario(file)

    assert document["differences"] == []
    assert document["ok"] is True
    validate(document)
    scenario = load_scenario(file)
    named = scenario.expect.get("judged", {})
    judged = document["judged"]
    assert isinstance(named, dict)
    assert isinstance(judged, dict)
    assert judged["widened"] == []
    # Only where the exchange itself breaks its word may anything execute twice (RULES B3 a).
    is_kept = scenario.switches.get("recv_window_enforced") != "false"
    assert judged["doubled"] == ([] if is_kept else named.get("doubled", []))
    assert "naked_s" in named or judged["naked_s"] == 0


def test_there_are_lives_to_play() -> None:
    """An empty folder would make the test above pass."""
    assert len(FILES) >= 120


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_life_says_why_and_stands_in_the_table(file: Path) -> None:
    """Nobody finds a file that docs/scenarios.md does not name."""
    scenario = load_scenario(file)

    assert len(scenario.why) > 20
    assert scenario.expect.keys() & {"fills", "orders", "trades"}
    assert f"`{file.stem}`" in TABLE.read_text()


@pytest.mark.parametrize(
    ("written", "doctored", "path"),
    [
        ('price: "90743.3"', 'price: "90743.4"', "/fills/0/price"),
        ("fills:", "fills: []\n  orders:", "/fills/0"),
        ("exit_reason: tp2", "exit_reason: stop", "/trades/0/exit_reason"),
        ('stop_levels: [{level: "90380.0"}, ', "stop_levels: [", "/stop_levels/0/level"),
        ('position: "0"', 'position: "0.001"', "/final/position"),
    ],
    ids=["price", "count", "trade", "levels", "final"],
)
def test_a_life_that_goes_otherwise_is_told_by_its_place(
    written: str, doctored: str, path: str, tmp_path: Path
) -> None:
    """An expectation that cannot fail expects nothing."""
    text = (FOLDER / "entry_in_two_parts.yaml").read_text()
    assert written in text
    file = tmp_path / "doctored.yaml"
    file.write_text(text.replace(written, doctored, 1))

    document = play_scenario(file)

    found = document["differences"]
    assert isinstance(found, list)
    assert path in [difference["path"] for difference in found]
    assert document["ok"] is False


def test_numbers_are_compared_as_numbers(tmp_path: Path) -> None:
    """A file may say 90743.30 where the exchange says 90743.3."""
    text = (FOLDER / "entry_in_two_parts.yaml").read_text()
    file = tmp_path / "other_spelling.yaml"
    file.write_text(text.replace('"90743.3"', "90743.30").replace('"0.013"', '"0.0130"'))

    assert play_scenario(file)["differences"] == []


def test_a_kill_that_loses_the_store_ends_like_the_life_that_was_never_killed(
    tmp_path: Path,
) -> None:
    """RULES B4: the exchange alone brings level, size and role back; TP2 is taken all the same."""
    text = (FOLDER / "entry_in_two_parts.yaml").read_text()
    start, _, _ = text.partition("expect:")
    kills = "kills: [{at: 28, back: 30, lose_store: true}]\n"
    expect = 'expect: {final: {position: "0", orders: 0}}\nwhy: the store is lost while open\n'
    file = tmp_path / "lost_store.yaml"
    file.write_text(start + kills + expect)

    document = play_scenario(file)

    assert document["differences"] == []
    fills = document["fills"]
    assert isinstance(fills, list)
    assert [fill["role"] for fill in fills] == ["entry", "entry", "tp1", "tp2"]


@pytest.mark.parametrize(
    ("expected", "got", "differs"),
    [
        ("<= 1.2", 1.2, False),
        ("<= 1.2", 1.201, True),
        (">= 3", "3.0", False),
        (">= 3", 2, True),
        ("<= 1.2", None, True),
    ],
    ids=["at most", "more", "at least", "less", "nothing there"],
)
def test_a_bound_holds_a_number(expected: str, got: object, *, differs: bool) -> None:
    """Durations and counts are promised as bounds, not as values."""
    found = differences({"naked_s": expected}, {"naked_s": got})

    assert bool(found) is differs


def test_a_kill_at_a_call_loses_what_that_call_would_have_done(tmp_path: Path) -> None:
    """Dead at its very first call the keeper sends nothing until it is back."""
    text = (FOLDER / "entry_in_two_parts.yaml").read_text()
    start, _, _ = text.partition("expect:")
    file = tmp_path / "killed.yaml"
    kills = "kills: [{at: 0.5, back: 200, call: 0}]\n"
    expect = 'expect: {fills: [], placed: {}, final: {position: "0", orders: 0}}\nwhy: dead\n'
    file.write_text(start + kills + expect)

    assert play_scenario(file)["differences"] == []
