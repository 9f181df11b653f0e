"""The user stream of a virtual world: what it brings, when it ends, how it comes back.

It stands in for the adapter's stream, so it must wake, lose and reconnect as that one does; where
the account takes no stop while flat, the bounds on naked time hang on it (RULES B, E9).
"""

from __future__ import annotations

import os
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from engine.domain.drift import DriftKind
from engine.domain.limits import Limits
from engine.simulation.draw import START_MS
from engine.simulation.expectation import differences
from engine.simulation.play import Play
from engine.simulation.scenario import (
    Staged,
    moments_of,
    settings_of,
    start_ms_of,
    start_of,
    venue_of,
)
from engine.simulation.world import World
from engine.tick import TickReport
from engine.venue.api import Venue
from engine.venue.scenario import load_scenario
from engine.venue.settings import VenueSettings

FOLDER = Path(__file__).parent.parent / "scenarios"
ROUND_TRIP_S = 0.02
PHASES_MS = range(0, 1_000, 130)


def naked_s(name: str, later_ms: int, tmp_path: Path) -> float:
    """Return how long the life is uncovered when its fill comes that much later."""
    scenario = load_scenario(FOLDER / f"{name}.yaml")
    first, *rest = scenario.feed
    feed = (first, *(replace(row, at_ms=row.at_ms + later_ms) for row in rest))
    document = Staged(replace(scenario, feed=feed), settings_of(scenario), tmp_path).played()
    assert document["differences"] == []
    judged = document["judged"]
    assert isinstance(judged, dict)
    return float(judged["naked_s"])


@pytest.mark.parametrize("later_ms", PHASES_MS)
@pytest.mark.parametrize("side", ["", "_short"])
def test_a_pushed_fill_is_covered_at_once_whenever_it_comes(
    side: str, later_ms: int, tmp_path: Path
) -> None:
    """RULES B, E9: within 1.3 round trips, wherever between two looks the fill falls."""
    found_s = naked_s(f"e9_stop_follows_the_pushed_fill{side}", later_ms, tmp_path)

    assert 0 < found_s <= 1.3 * ROUND_TRIP_S


@pytest.mark.parametrize("later_ms", PHASES_MS)
@pytest.mark.parametrize("why", ["down", "is_silent"])
def test_without_a_push_the_next_look_covers(why: str, later_ms: int, tmp_path: Path) -> None:
    """RULES B, E9: one tick and three round trips, wherever between two looks the fill falls."""
    found_s = naked_s(f"e9_stream_{why}_the_next_look_finds_the_fill", later_ms, tmp_path)

    assert found_s <= 1 + 3 * ROUND_TRIP_S


OTHERWISE = {
    "e8_next_stop_leaves_beside_the_cancel": "the spent stop is heard of before the entry fills on",
    "e9_no_stop_while_flat_no_entry_without_stream": "with the stream it enters",
    "g1_manual_position_beside_the_armed_stop": "looks fall elsewhere: it dies before it arms",
    "lost_store_after_arming": "looks fall elsewhere: it dies before it arms",
    "lost_store_and_a_manual_position_beside_the_armed_stop": "it dies before it arms, as above",
}
"""Lives that go otherwise when the stream wakes the keeper, and why."""

QUIET = [f for f in sorted(FOLDER.glob("*.yaml")) if not load_scenario(f).stream]
PLAYED = QUIET if os.environ.get("KEEPER_LIVES") == "all" else QUIET[::8]


@pytest.mark.parametrize("file", PLAYED, ids=lambda file: file.stem)
def test_a_life_written_without_a_stream_goes_no_worse_with_one(file: Path, tmp_path: Path) -> None:
    """What wakes the keeper may only make it quicker: pushes are hints, and answers decide (C1)."""
    scenario = load_scenario(file)

    document = Staged(replace(scenario, stream=True), settings_of(scenario), tmp_path).played()

    assert (document["differences"] != []) is (file.stem in OTHERWISE)
    judged, named = document["judged"], scenario.expect.get("judged", {})
    assert isinstance(judged, dict)
    assert (judged["widened"], judged["doubled"]) == ([], [])
    uncovered = [d["path"] for d in differences({"judged": named}, {"judged": judged})]
    assert uncovered == []


class Streaming:
    """A flat keeper with its user stream, and what woke it."""

    def __init__(self, folder: Path) -> None:
        self.venue = Venue(VenueSettings(market_streams=()), now_ms=START_MS)
        self.reports: list[TickReport] = []
        self.world = World(
            self.venue,
            folder,
            Limits(),
            start_ms=START_MS,
            listener=self.reports.append,
            streams=True,
        )

    def run_to(self, seconds: float) -> None:
        """Play up to that second."""
        self.world.run_until(START_MS + int(seconds * 1000))

    def reasons(self) -> list[tuple[float, str]]:
        """Return when the stream woke the keeper, and why."""
        return [
            ((report.now_ms - START_MS) / 1000, reason)
            for report in self.reports
            for reason in report.reasons
            if reason.startswith("stream:")
        ]

    def asked_s(self) -> list[float]:
        """Return when a listen key was asked for and refused."""
        return [
            (int(str(entry["at_ms"])) - START_MS) / 1000
            for entry in self.venue.log_after(0)
            if entry.get("path") == "/fapi/v1/listenKey" and entry["status"] != 200
        ]


@pytest.fixture
def streaming(tmp_path: Path) -> Streaming:
    """A keeper in its second second: the stream stands since its first tick."""
    made = Streaming(tmp_path)
    made.run_to(2)
    return made


def test_the_stream_stands_after_the_first_tick(streaming: Streaming) -> None:
    """As in a running keeper: it only helps, so the first look does not wait for it."""
    first, second = streaming.reports[:2]

    assert not first.situation.condition.is_stream_up
    assert second.situation.condition.is_stream_up
    assert second.reasons == ("stream:connected",)


def test_what_somebody_does_wakes_the_keeper_after_half_a_round_trip(
    streaming: Streaming,
) -> None:
    """A push travels; it neither comes at the moment itself nor waits for the next look."""
    streaming.run_to(20.5)
    streaming.venue.hand(
        {"do": "market", "side": "buy", "quantity": "0.002"}, streaming.world.clock.now_ms
    )
    streaming.run_to(21)

    woken = [at_s for at_s, reason in streaming.reasons() if reason == "stream:ACCOUNT_UPDATE"]
    assert woken == [20.51]


def test_a_closed_connection_comes_back_with_a_fresh_key(streaming: Streaming) -> None:
    """The keeper is told both times, because something may have been missed between."""
    streaming.run_to(20)
    streaming.venue.inject({"kind": "sockets_close"})
    streaming.run_to(25)

    assert streaming.reasons()[1:] == [(20.01, "stream:lost"), (20.51, "stream:connected")]


def test_a_key_that_is_refused_is_asked_for_at_growing_distance(streaming: Streaming) -> None:
    """The adapter's own pauses: 0.5 s doubled up to 10 s, from new after a steady connection."""
    streaming.run_to(20)
    refused = {"kind": "http_503_unavailable", "times": 99, "match": {"path": "listenKey"}}
    streaming.venue.inject(refused)
    streaming.venue.inject({"kind": "sockets_close"})
    streaming.run_to(46)
    asked = streaming.asked_s()
    streaming.venue.clear_faults()
    streaming.run_to(60)

    assert asked == [20.51, 21.51, 23.51, 27.51, 35.51, 45.51]
    assert streaming.reasons()[-1] == (55.51, "stream:connected")


def test_one_silence_holds_for_the_keeper_and_its_stream(streaming: Streaming) -> None:
    """Lesson of every ban: who asks on while silence is asked for makes it longer."""
    streaming.run_to(20)
    limited = {"kind": "rate_limited", "retry_after_s": 10, "match": {"path": "listenKey"}}
    streaming.venue.inject(limited)
    streaming.venue.inject({"kind": "sockets_close"})
    streaming.run_to(45)

    asked_s = [
        (int(str(entry["at_ms"])) - START_MS) / 1000
        for entry in streaming.venue.log_after(0)
        if entry["kind"] == "request"
    ]
    assert streaming.asked_s() == [20.51]
    assert not [at_s for at_s in asked_s if 20.51 < at_s < 30.51]
    assert streaming.reasons()[-1][1] == "stream:connected"


def test_what_happens_while_nothing_stands_never_comes(streaming: Streaming) -> None:
    """Events of the gap are lost on the real exchange, too: only answers tell of them."""
    streaming.run_to(20)
    streaming.venue.inject({"kind": "sockets_close"})
    streaming.run_to(20.2)
    streaming.venue.hand(
        {"do": "market", "side": "buy", "quantity": "0.002"}, streaming.world.clock.now_ms
    )
    streaming.run_to(21)

    woken = {reason for _, reason in streaming.reasons()[1:]}
    assert {"stream:lost", "stream:connected"} <= woken
    assert woken.isdisjoint({"stream:ACCOUNT_UPDATE", "stream:ORDER_TRADE_UPDATE"})


def test_a_key_ended_unheard_is_noticed_within_a_minute(streaming: Streaming) -> None:
    """A socket with a dead key stands and stays silent; only a look at the key finds it out."""
    streaming.run_to(20)
    streaming.venue.inject({"kind": "drop_pushes"})
    streaming.venue.inject({"kind": "listen_key_expires"})
    streaming.venue.clear_faults()
    streaming.run_to(80)

    assert [reason for _, reason in streaming.reasons()[1:]] == ["stream:lost", "stream:connected"]


def test_a_dead_keepers_stream_tells_its_successor_nothing(streaming: Streaming) -> None:
    """What was on its way dies with the process; the next one connects after its own first tick."""
    streaming.run_to(20)
    streaming.venue.hand(
        {"do": "market", "side": "buy", "quantity": "0.002"}, streaming.world.clock.now_ms
    )
    before = len(streaming.reasons())
    streaming.world.kill()
    streaming.run_to(22)

    assert [reason for _, reason in streaming.reasons()[before:]][:1] == ["stream:connected"]


def test_a_stream_that_stands_and_tells_nothing_is_made_anew(tmp_path: Path) -> None:
    """Lesson 32: a trade that was never pushed is a drift, and the connection is given up, once."""
    life = load_scenario(FOLDER / "e9_stream_is_silent_the_next_look_finds_the_fill.yaml")
    start, start_ms = start_of(life), start_ms_of(life)
    reports: list[TickReport] = []
    limits = settings_of(life).limits()
    world = World(
        venue_of(life, start_ms),
        tmp_path,
        limits,
        start_ms=start_ms,
        listener=reports.append,
        streams=True,
    )
    Play(world, tmp_path, moments_of(life, start)).run(start_ms + life.until_ms)
    world.close()

    silent = [r for r in reports if any(d.kind is DriftKind.STREAM_SILENT for d in r.drifts)]
    assert len(silent) == 1
    after = [reason for r in reports if r.now_ms > silent[0].now_ms for reason in r.reasons]
    assert [r for r in after if r != "interval"] == ["stream:lost", "stream:connected"]


def test_without_a_stream_nothing_wakes_and_nothing_is_asked_for(tmp_path: Path) -> None:
    """Every life written before goes as it went."""
    venue = Venue(VenueSettings(market_streams=()), now_ms=START_MS)
    reports: list[TickReport] = []
    world = World(venue, tmp_path, Limits(), start_ms=START_MS, listener=reports.append)
    venue.set_price(Decimal(90_800), START_MS)
    world.run_until(START_MS + 5_000)

    assert venue.house.outbox.listen_key is None
    assert {report.reasons for report in reports} == {("interval",)}
