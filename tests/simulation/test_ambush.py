"""Trouble that waits for a state of the life, and the account of which fault met which state."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from engine.domain.decision import Decided
from engine.domain.limits import Limits
from engine.intake import compose, write
from engine.simulation.ambush import wanted
from engine.simulation.coverage import cells, impossible
from engine.simulation.draw import PROFILES, START_MS, draw
from engine.simulation.play import Ambush, Calm, Fault, Hand, Kill, Moment, Play, Step
from engine.simulation.trial import run_trial
from engine.simulation.troubles import KILL_IN_STORE
from engine.simulation.whereabouts import CLOSING_MS, STATES, States, Whereabouts
from engine.simulation.world import World
from engine.venue.api import Venue, VenueSettings

Entry = Mapping[str, object]
ENTRY, STOP, FLOOR, CLOSE = (
    "kp0hvz98001e001",
    "kp0hvz98001s001",
    "kp0hvz98001f001",
    "kp0hvz98001x001",
)


def order(at_ms: int, client_id: str, status: str, number: int = 1) -> Entry:
    book = "regular" if client_id in (ENTRY, CLOSE) else "algo"
    name = "order_id" if book == "regular" else "algo_id"
    return {
        "at_ms": at_ms,
        "kind": "order",
        "book": book,
        name: number,
        "client_id": client_id,
        "status": status,
    }


def fill(at_ms: int, client_id: str, position: str) -> Entry:
    facts = {"client_id": client_id, "position_side": "BOTH", "position_after": position}
    return {"at_ms": at_ms, "kind": "fill", **facts}


def request(at_ms: int, client_id: str, fault: str = "") -> Entry:
    return {
        "at_ms": at_ms,
        "kind": "request",
        "verb": "POST",
        "client_id": client_id,
        "fault": fault,
    }


LIFE = [
    order(10, STOP, "NEW"),
    order(20, ENTRY, "NEW"),
    fill(30, ENTRY, "0.002"),
    order(30, ENTRY, "FILLED"),
    request(40, CLOSE, "error"),
    fill(60, CLOSE, "0"),
    order(80, STOP, "CANCELED"),
]


@pytest.mark.parametrize(
    ("at_ms", "state"),
    [
        (5, "flat"),
        (10, "arming"),
        (20, "entering"),
        (30, "open"),
        (40, "closing"),
        (60, "sweeping"),
        (80, "flat"),
    ],
)
def test_a_state_is_read_from_what_rests_is_held_and_was_asked_for(at_ms: int, state: str) -> None:
    """A request to close begins the close, whatever became of it."""
    assert States(LIFE).at(at_ms) == state


def test_a_stop_that_is_left_after_its_life_is_no_armed_one() -> None:
    """Nothing but a first stop rests in both: what filled tells them apart."""
    here = Whereabouts()
    for entry in LIFE[:-1]:
        here.take(entry)
    assert here.state == "sweeping"


def test_a_close_that_nobody_goes_on_with_is_over_after_a_while() -> None:
    """What executed beyond the decision is closed like that, and the rest goes on (RULES B3)."""
    more = [*LIFE[:5], order(60_000, FLOOR, "NEW", 2)]
    states = States(more)
    assert states.at(40 + CLOSING_MS - 1) == "closing"
    assert states.at(40 + CLOSING_MS) == "open"


def test_a_fault_counts_in_the_state_it_met() -> None:
    """The first request that closes is a close already; a hand that moved nothing met nothing."""
    hands = [
        {"at_ms": 31, "kind": "hand", "do": "close"},
        fill(31, "web_1", "0"),
        {"at_ms": 32, "kind": "hand", "do": "leverage"},
        {"at_ms": 32, "kind": "hand_refused", "do": "leverage"},
        {"at_ms": 33, "kind": "hand", "do": "cancel"},
        {"at_ms": 33, "kind": "hand", "do": "transfer"},
        {"at_ms": 33, "kind": "income"},
    ]
    life = [*LIFE[:4], *hands, *LIFE[4:5]]
    assert cells(life, States(life), [("kill", 25)]) == Counter(
        {("error", "closing"): 1, ("hand_transfer", "sweeping"): 1, ("kill", "entering"): 1}
    )


def test_a_hand_that_found_nothing_met_nothing_whatever_comes_next() -> None:
    """What we place a moment later is not what it did."""
    entries = [{"at_ms": 5, "kind": "hand", "do": "cancel"}, *LIFE[:1]]
    assert LIFE[0]["kind"] == "order"
    assert cells(entries, States(entries), ()) == Counter()


@pytest.fixture(name="world")
def _world(tmp_path: Path) -> World:
    venue = Venue(VenueSettings(first_price=Decimal(90800), market_streams=()), now_ms=START_MS)
    return World(venue, tmp_path, Limits(), start_ms=START_MS)


def played(world: World, inbox: Path, *steps: Step) -> list[Entry]:
    """Let a life begin with trouble in wait for it; return what the venue noted."""
    document = compose(
        Decided.LONG, "BTCUSDT", START_MS, Decimal(90800), Decimal("0.1"), limits=Limits()
    )
    write(document, inbox)
    Play(world, inbox, [Moment(START_MS, Ambush(steps))]).run(START_MS + 8_000)
    entries: list[Entry] = [*world.venue.log_after(0)]
    world.close()
    return entries


def test_an_ambush_waits_for_its_state(world: World, tmp_path: Path) -> None:
    """Between the armed stop and its entry lies one round trip: no moment would ever hit it."""
    lost = Fault({"kind": "reply_lost_before"})
    entries = played(world, tmp_path, Step("arming", ((0, lost),)))
    met = cells(entries, States(entries), ())
    assert met == Counter({("reply_lost_before", "arming"): 1})


def test_steps_are_taken_one_after_another(world: World, tmp_path: Path) -> None:
    """The second waits until the first was taken, and its patience has passed."""
    far = {"do": "transfer", "amount": "1"}
    first, second = Step("flat", ((0, Hand(far)),)), Step("flat", ((0, Hand(far)),), 300)
    third = Step("closing", ((0, Hand(far)),))
    entries = played(world, tmp_path, first, second, third)
    one_ms, other_ms = (int(str(e["at_ms"])) for e in entries if e["kind"] == "hand")
    assert one_ms + 300 <= other_ms <= one_ms + 1_400


def test_a_death_at_once_comes_at_the_very_next_call(world: World, tmp_path: Path) -> None:
    """Counted from the end of a tick it would never come in the middle of one."""
    kill = Kill(dead_ms=2_000, call=0, at_once=True)
    entries = played(world, tmp_path, Step("arming", ((0, kill),)))
    armed_ms = next(int(str(e["at_ms"])) for e in entries if e["kind"] == "order")
    later = [int(str(e["at_ms"])) for e in entries if e["kind"] == "request"]
    assert not [at_ms for at_ms in later if armed_ms < at_ms < armed_ms + 2_000]
    assert any(at_ms >= armed_ms + 2_000 for at_ms in later)


def test_calm_ends_what_lies_in_wait(world: World, tmp_path: Path) -> None:
    """The last fifth of a world is in peace."""
    hand = Hand({"do": "transfer", "amount": "1"})
    play = Play(world, tmp_path, [Moment(START_MS, Ambush((Step("flat", ((0, hand),), 2_000),)))])
    play.add(START_MS + 1_000, Calm())
    play.run(START_MS + 4_000)
    assert [e for e in world.venue.log_after(0) if e["kind"] == "hand"] == []
    world.close()


@pytest.mark.parametrize("profile", ["faulty", "hostile"])
def test_every_pair_of_fault_and_state_is_dealt_out(profile: str) -> None:
    """By design, not by luck: in turn, one world after another."""
    faults = PROFILES[profile].faults
    pairs = wanted(faults)
    assert set(pairs) | {p for p in impossible() if p[0] in faults} == {
        (fault, state) for fault in faults for state in STATES
    }
    dealt: set[tuple[str, str]] = set()
    for seed in range(4 * len(pairs)):
        dealt |= set(draw(seed, PROFILES[profile]).in_wait)
    assert set(pairs) <= dealt


def test_what_is_drawn_besides_changes_nothing_drawn_before() -> None:
    """A seed that once failed keeps its world, and gains something."""
    whole = PROFILES["hostile"]
    before = draw(5, replace(whole, lies_in_wait=False, rarer=(), freezes=False))
    now = draw(5, whole)
    assert (before.market, before.wishes, before.limits) == (now.market, now.wishes, now.limits)
    assert [h for h in now.happenings if h in before.happenings] == list(before.happenings)


@pytest.mark.slow
@pytest.mark.parametrize(
    "pair",
    [
        ("timeout_after", "closing"),
        ("child_rejected", "sweeping"),
        ("hand_position_mode", "arming"),
        (KILL_IN_STORE, "open"),
    ],
)
def test_a_recipe_brings_its_fault_and_its_state_together(
    pair: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Most worlds live long enough for it."""
    monkeypatch.setattr("engine.simulation.ambush.wanted", lambda _: (pair,))
    met = [run_trial(draw(seed, PROFILES["hostile"])).cells[pair] for seed in range(5)]
    assert sum(bool(count) for count in met) >= 1
