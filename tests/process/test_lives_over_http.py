"""Written lives with the venue in a process of its own: the whole document as in process.

Real sessions, sockets, lanes and a store in a file; time is virtual on both sides. A sample in
every run; all of them with ``make lives``.
"""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path

import pytest

from engine.simulation.reach import VenueGone
from engine.simulation.scenario import play_over_http, play_scenario
from engine.simulation.served import served_life
from engine.simulation.wire import AdminLine, ByWire
from engine.venue.faults import KINDS
from engine.venue.serving.admin import PREFIX
from tests.cli.program import keeper
from tests.schemas import validate

pytestmark = pytest.mark.slow
FOLDER = Path(__file__).parents[1] / "scenarios"
SAMPLE = (
    "c1_one_list_forgets_for_a_moment",
    "e5_cancel_reply_lost",
    "e9_stop_follows_the_pushed_fill",
    "e9_stream_comes_back_before_the_fill",
    "entry_executes_late",
    "forced_liquidation",
    "g1_flip_by_hand",
    "kill_between_the_entrys_intent_and_its_sending",
    "kill_in_the_middle_of_moving_the_stop",
    "lost_store_half_filled",
    "rate_limited_while_open",
)
"""Lost replies, silence, lists that forget, refusals, hands, deaths, a lost store, forced ends; the
user stream, and its end."""

IS_ALL = os.environ.get("KEEPER_LIVES") == "all"
LIVES = [file.stem for file in sorted(FOLDER.glob("*.yaml"))] if IS_ALL else SAMPLE

UNEQUAL = {
    "refused_connection": "an accepted connection cannot be refused any more: it is reset instead, "
    "and what became of a write is not known, where a refused one certainly never left"
}
"""Faults that cannot be carried alike, and why."""

FAULTS = sorted(KINDS) if IS_ALL else ("slow",)


@pytest.mark.parametrize("name", LIVES)
def test_a_life_over_http_comes_to_the_same_document(name: str) -> None:
    """RULES B4 and the port's promise: the transport must change nothing, faults included."""
    file = FOLDER / f"{name}.yaml"

    served = play_over_http(file)

    assert served == play_scenario(file)
    assert served["ok"] is True
    validate(served)


@pytest.mark.parametrize("kind", FAULTS)
def test_a_fault_over_http_is_the_same_fault(kind: str, tmp_path: Path) -> None:
    """Every kind, with the user stream up; what cannot be carried alike must still differ."""
    match = "match: {role: entry}, " if KINDS[kind][0] == "request" else ""
    armed = f"stream: true\nfaults: [{{at: 0, {match}kind: {kind}, times: 2}}]\nfeed:"
    file = tmp_path / f"{kind}.yaml"
    text = (FOLDER / "entry_in_two_parts.yaml").read_text()
    file.write_text(text.replace("feed:", armed, 1))

    served, called = play_over_http(file), play_scenario(file)

    assert (served == called) is (kind not in UNEQUAL)


def test_a_life_that_goes_otherwise_over_http_is_told(tmp_path: Path) -> None:
    """Two equal documents prove nothing if the served one cannot come out differently."""
    text = (FOLDER / "short_stopped_out.yaml").read_text()
    written = 'position: "0"'
    assert written in text
    file = tmp_path / "doctored.yaml"
    file.write_text(text.replace(written, 'position: "0.001"', 1))

    document = play_over_http(file)

    found = document["differences"]
    assert isinstance(found, list)
    assert [difference["path"] for difference in found] == ["/final/position"]


def test_hands_are_the_servers_own(tmp_path: Path) -> None:
    """The world leaves them to the server; a life served without them is another one."""
    whole = FOLDER / "g2_manual_cut.yaml"
    lines = whole.read_text().splitlines(keepends=True)
    file = tmp_path / whole.name
    file.write_text("".join(line for line in lines if not line.startswith("hands:")))

    assert play_over_http(file)["fills"] != play_scenario(whole)["fills"]


def test_the_command_plays_a_life_over_http(tmp_path: Path) -> None:
    """Users get it with one word; a campaign is played in process only."""
    file = FOLDER / "short_stopped_out.yaml"

    ran = keeper("simulate", "--scenario", file, "--over-http", "--json", cwd=tmp_path)
    refused = keeper("simulate", "--seeds", "1", "--over-http", "--json", cwd=tmp_path)

    assert (ran.code, ran.document) == (0, play_scenario(file))
    assert (refused.code, refused.document["field"]) == (2, "--over-http")


def test_a_venue_that_does_not_come_up_is_named(tmp_path: Path) -> None:
    """Nobody waits half a minute for a process that has ended."""
    with (
        pytest.raises(VenueGone, match="not ready"),
        served_life(tmp_path / "missing.yaml", "BTCUSDT", 1_767_607_200_000, tmp_path),
    ):
        pass


def test_a_venue_that_ends_in_the_middle_of_a_life_is_named(tmp_path: Path) -> None:
    """The keeper would take it for an exchange out of reach and wait; the player must not."""
    start_ms = 1_767_607_200_000
    with served_life(FOLDER / "short_stopped_out.yaml", "BTCUSDT", start_ms, tmp_path) as wire:
        wire.advance(start_ms + 1_000)
        with closing(AdminLine(f"{wire.access('BTCUSDT').rest_url}{PREFIX}")) as line:
            line.call("stop", {})

        with pytest.raises(VenueGone):
            advance_without_end(wire, start_ms)


def advance_without_end(wire: ByWire, start_ms: int) -> None:
    """Let time pass for as long as somebody listens; bounded all the same."""
    for second in range(2, 10_000):
        wire.advance(start_ms + 1_000 * second)
