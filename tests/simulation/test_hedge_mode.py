"""A whole keeper beside an account in hedge mode: two stops, once, and nothing else (RULES H3).

Both sides are somebody's positions. The real adapter speaks to a venue in dual-side mode, which
refuses what the exchange refuses there: reduceOnly, a missing side, a second closePosition stop.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC
from decimal import Decimal
from pathlib import Path

import pytest

from engine.commands import NOT_OURS
from engine.domain.condition import Command
from engine.domain.limits import Limits
from engine.domain.terms import Side
from engine.read.replay import replay
from engine.simulation.play import Appear, Fault, Happening, Kill, Moment, Play
from engine.simulation.scenario import START
from engine.simulation.world import World
from engine.store.reading import ReadStore
from engine.tick import TickReport
from engine.venue.api import Venue, VenueSettings
from engine.venue.scenario import DEFAULT_DECISION, WrittenDecision
from engine.venue.switches import Switches
from engine.vitals import health, troubles

START_MS = int(START.timestamp() * 1000)
PRICE = Decimal(90_800)
LONG, SHORT = Side.LONG, Side.SHORT
LEVELS = {LONG: Decimal("88076.0"), SHORT: Decimal("93524.0")}
"""Three percent from the mark."""

both_sides = pytest.mark.parametrize("side", [LONG, SHORT])


@dataclass
class Stage:
    """A world, its time line, and what was seen of it."""

    world: World
    play: Play
    reports: list[TickReport]

    def run(self, seconds: float) -> None:
        """Let time pass."""
        self.play.run(self.world.clock.now_ms + int(seconds * 1000))

    def soon(self, what: Happening, seconds: float = 0) -> None:
        """Put something on the time line."""
        self.play.add(self.world.clock.now_ms + int(seconds * 1000), what)

    def hand(self, **terms: object) -> None:
        """Let somebody else act, now; a hand the venue refuses would be no test."""
        hand_on(self.world.venue, self.world.clock.now_ms, **terms)

    @property
    def stops(self) -> list[tuple[str, str, bool, Decimal]]:
        """Return what rests: position side, order side, closePosition, trigger."""
        return sorted(
            (algo.position_side, algo.side, algo.close_position, algo.trigger_price)
            for algo in self.world.venue.algo.open.values()
        )

    @property
    def writes(self) -> list[tuple[str, str, int]]:
        """Return every write of the keeper, refused ones included: verb, path, status."""
        return [
            (str(e["verb"]), str(e["path"]), int(str(e["status"])))
            for e in self.world.venue.log_after(0)
            if e["kind"] == "request" and e["verb"] != "GET"
        ]

    @property
    def alarms(self) -> dict[str, str]:
        """Return what the newest tick says is wrong."""
        return dict(troubles(self.reports[-1].situation))


Maker = Callable[..., Stage]


def hand_on(venue: Venue, now_ms: int, **terms: object) -> None:
    before = len(venue.log_after(0))
    venue.hand(terms, now_ms)
    refused = [e for e in venue.log_after(before) if e["kind"] == "hand_refused"]
    assert refused == []


def opening(side: Side) -> dict[str, object]:
    """Return the hand that opens a position on one side."""
    order = {"do": "market", "side": side.opening.value, "quantity": "0.010"}
    return {**order, "position_side": side.value}


def closing(side: Side) -> dict[str, object]:
    """Return the hand that closes it."""
    return {**opening(side), "side": side.closing.value}


def the_stop(side: Side, level: Decimal | None = None) -> tuple[str, str, bool, Decimal]:
    """Return the one stop a held side has."""
    return (side.value.upper(), side.closing.value.upper(), True, level or LEVELS[side])


ACCEPTED = ("POST", "/fapi/v1/algoOrder", 200)


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Maker]:
    """Return a maker of stages: the sides held at the start, beside a decision to go long."""
    made: list[World] = []

    def make(*held: Side, hedge: bool = True, decided_s: int = 0, **switches: str) -> Stage:
        settings = VenueSettings(
            dual_side=hedge,
            first_price=PRICE,
            market_streams=(),
            wallet=Decimal(10_000),
            switches=Switches.named(switches),
        )
        venue = Venue(settings, now_ms=START_MS)
        for side in held:
            hand_on(venue, START_MS, **opening(side))
        reports: list[TickReport] = []
        world = World(venue, tmp_path, Limits(), start_ms=START_MS, listener=reports.append)
        made.append(world)
        written = WrittenDecision(0, {**DEFAULT_DECISION})
        text = written.text(START.astimezone(UTC))
        moments = [Moment(START_MS + 1000 * decided_s, Appear(((written.file, text),)))]
        return Stage(world, Play(world, tmp_path, moments), reports)

    yield make
    for world in made:
        world.close()


def test_each_side_gets_one_stop_and_nothing_else_is_sent(stage: Maker) -> None:
    """One closePosition stop a side; a fresh decision at its zone opens nothing."""
    on = stage(LONG, SHORT)

    on.run(60)

    assert on.stops == [the_stop(LONG), the_stop(SHORT)]
    assert on.writes == [ACCEPTED] * 2
    assert on.reports[-1].plan.gates
    assert "account_usable" in {g.code for g in on.reports[-1].plan.gates if g.verdict == "refuse"}


def test_the_keeper_says_that_it_only_protects(stage: Maker) -> None:
    """An operator must hear of it as long as it lasts, not once."""
    on = stage(SHORT)

    on.run(20)

    situation = on.reports[-1].situation
    assert health(situation, troubles(situation)) == "degraded"
    assert on.alarms == {"hedge_mode": "no entries; short has a stop"}


@both_sides
def test_a_side_opened_later_is_covered_at_the_next_look(stage: Maker, side: Side) -> None:
    on = stage(side.opposite)
    on.run(10.1)

    on.hand(**opening(side))
    on.run(1.1)

    assert the_stop(side) in on.stops
    assert on.writes == [ACCEPTED] * 2


@pytest.mark.parametrize("lose_store", [False, True], ids=["store kept", "store lost"])
@pytest.mark.parametrize("call", [None, *range(14)])
def test_a_kill_at_any_call_doubles_nothing(
    stage: Maker,
    call: int | None,
    lose_store: bool,
) -> None:
    """RULES B3, B4: what rested before rests after, under its own id, and is found again."""
    on = stage(LONG, SHORT)
    if call is None:
        on.run(10)
    on.soon(Kill(dead_ms=3_000, lose_store=lose_store, call=call, is_after=True))

    on.run(30)

    assert on.world.kills == 1
    assert on.stops == [the_stop(LONG), the_stop(SHORT)]
    placed = [w for w in on.writes if w == ACCEPTED]
    assert (len(placed), {w[0] for w in on.writes}) == (2, {"POST"})
    assert on.alarms["hedge_mode"] == "no entries; long has a stop, short has a stop"


@both_sides
def test_a_lost_reply_is_settled_by_looking(stage: Maker, side: Side) -> None:
    """RULES C4: the next look shows it; no second one is asked for."""
    on = stage(side)
    on.soon(Fault({"kind": "reply_lost_after", "match": {"verb": "POST"}}))

    on.run(20)

    assert on.stops == [the_stop(side)]
    assert [w for w in on.writes if w == ACCEPTED] == [ACCEPTED]


@both_sides
def test_somebodys_closing_stop_is_left_alone(stage: Maker, side: Side) -> None:
    """The exchange takes one a direction, and theirs covers everything."""
    on = stage(side)
    level = PRICE - side.sign * 500
    on.hand(
        do="stop",
        side=side.closing.value,
        position_side=side.value,
        close_position="true",
        trigger_price=str(level),
    )

    on.run(20)

    assert on.stops == [the_stop(side, level)]
    assert on.writes == []
    assert on.alarms["hedge_mode"] == f"no entries; {side} has a stop"


@both_sides
def test_a_stop_somebody_took_away_comes_back_where_it_was(stage: Maker, side: Side) -> None:
    """RULES B2: not three percent from a mark that moved against the position meanwhile."""
    on = stage(side)
    on.run(5.1)
    on.world.venue.house.market.mark = PRICE - side.sign * 900
    on.hand(do="cancel_all")

    on.run(2)

    assert on.stops == [the_stop(side)]
    assert len(on.writes) == 2


@pytest.mark.parametrize("after_flat", ["expired", "survives"])
@both_sides
def test_the_stop_of_a_side_that_is_gone_goes(stage: Maker, side: Side, after_flat: str) -> None:
    """The system expires it; where it does not, it is swept by id once flat is proven (C2)."""
    on = stage(side, side.opposite, gte_after_flat=after_flat)
    on.run(5)

    on.hand(**closing(side))
    on.run(9)
    early = list(on.writes)
    on.run(20)

    assert on.stops == [the_stop(side.opposite)]
    assert early == [ACCEPTED] * 2
    swept = [("DELETE", "/fapi/v1/algoOrder", 200)]
    assert on.writes[2:] == ([] if after_flat == "expired" else swept)
    assert [one.side for one in on.reports[-1].ledger.hedged] == [side.opposite]


def test_back_in_one_way_mode_the_keeper_trades_again(stage: Maker) -> None:
    """Nothing of hedge mode stays behind: no stop, no order in the ledger, no closed gate."""
    on = stage(LONG, SHORT)
    on.run(5)
    for side in Side:
        on.hand(**closing(side))
    on.run(20)
    assert on.alarms["hedge_mode"] == "no entries; no side is held"

    on.hand(do="position_mode", dual_side="false")
    on.run(30)

    assert "hedge_mode" not in on.alarms
    assert on.reports[-1].ledger.hedged == ()
    roles = {algo.client_id[11:12] for algo in on.world.venue.algo.open.values()}
    assert roles == {"s"}
    assert len(on.world.venue.book.open) == 1


def test_a_mode_changed_under_a_running_keeper_is_seen_at_once(stage: Maker) -> None:
    """Lesson 26: the first refusal for the wrong side makes the mode asked again."""
    on = stage(hedge=False, decided_s=20)
    on.run(10)
    on.hand(do="position_mode", dual_side="true")
    assert "hedge_mode" not in on.alarms

    on.run(60)

    assert [w for w in on.writes if w[1].endswith("rder")] == [("POST", ACCEPTED[1], 400)]
    assert "hedge_mode" in on.alarms


def test_a_position_opened_after_the_change_is_covered(stage: Maker) -> None:
    """The rows of positions name the mode, long before the mode is asked again."""
    on = stage(hedge=False, decided_s=100)
    on.run(15)
    on.hand(do="position_mode", dual_side="true")
    on.hand(**opening(SHORT))

    on.run(20)

    assert on.stops == [the_stop(SHORT)]


def test_flatten_does_not_touch_the_sides_and_says_so(stage: Maker) -> None:
    """An operator who reads "flat" would believe it."""
    on = stage(LONG)
    on.run(5)

    on.world.store.add_command(Command.FLATTEN, by="me", why="x", at_ms=on.world.clock.now_ms)
    on.run(5)

    assert on.stops == [the_stop(LONG)]
    assert on.writes == [ACCEPTED]
    events = ReadStore.beside(on.world.store.desk).events(kinds=("operator",), limit=10)
    assert [str(e["text"]).endswith(NOT_OURS) for e in events][-1]


def test_a_tick_of_hedge_mode_is_replayed_from_its_record(stage: Maker) -> None:
    """RULES B5: what was seen of both sides is in the record, and gives the same plan."""
    on = stage(LONG, SHORT)
    on.run(5)

    records = list(ReadStore.beside(on.world.store.desk).ticks())
    assert records[0].observation.hedged_on(LONG) is not None
    replayed = replay(records)
    assert (replayed.ticks, replayed.identical) == (len(records), len(records))
