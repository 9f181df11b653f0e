"""Written lives under every value of every switch, judged by the promises, not by their fills.

A switch may change what a life looks like; it may not break a promise. Each life is played to its
end, then faults are lifted, the decision says flat and an operator says flatten: what is left then
is left for good. Whatever the same life shows under the default switches is not the switch's doing.

    python -m tests.simulation.switched                       every switch, every life
    python -m tests.simulation.switched stop_while_flat       these switches
    python -m tests.simulation.switched --life tp1_then_breakeven
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC
from decimal import Decimal
from functools import cache
from multiprocessing import Pool
from pathlib import Path
from tempfile import TemporaryDirectory

from engine.domain.condition import Command
from engine.domain.numbers import ZERO
from engine.read.trades import trade_documents
from engine.simulation.causes import Pace
from engine.simulation.checkers import History
from engine.simulation.log import read_log
from engine.simulation.play import Appear, Calm, Play
from engine.simulation.requests import Rhythm, Span, broken_spans, read_requests
from engine.simulation.scenario import START, moments_of, settings_of, venue_of
from engine.simulation.verdict import Evidence, judge
from engine.simulation.world import PATIENCE_MS, World
from engine.store.reading import ReadStore
from engine.tick import TickReport
from engine.venue.scenario import DEFAULT_DECISION, Scenario, load_scenario
from engine.venue.scenario import WrittenDecision as Decision
from engine.venue.switches import SWITCHES

FOLDER = Path(__file__).parent.parent / "scenarios"
FLATTEN_MS = 120_000

DURATIONS = {
    "visible_after_ms": ("1500", "9000"),  # RULES B3 b: at most 10 s
    "gte_sync_lag_ms": ("3000",),
    "reduce_only_sync_lag_ms": ("3000",),
    "child_sync_lag_ms": ("1000",),
    "gte_cancel_lag_ms": ("1000",),
    "gte_expire_lag_ms": ("2000",),
    "trigger_delay_ms": ("500",),
    "funding_lag_ms": ("15000",),
    "auto_cancel_stops_ms": ("53000",),
}
"""Values for switches that take any: what the field has seen."""

ONE_LOOK = frozenset(
    {
        "stop_while_flat",  # fallback mode: 1 tick + 3 round trips while the stream is down
        "auto_cancel_stops_ms",  # somebody removed all stops
        "oversize_reduce_only_child",  # child refused
        "resting_reduce_only_starves_child",  # child refused
        "close_above_market_maximum",  # child refused
    }
)
"""Switches whose other value is a cause of RULES B's table, with the bound of one look."""

BROKE = "broke"
"""The kind of a life whose keeper raised: it is a finding wherever it comes."""

STREAMING = frozenset({"stop_while_flat"})
"""Switches whose other value needs the user stream: nothing is entered without it (RULES E9)."""

STRETCHED = frozenset({"visible_after_ms"})
"""Looking for what is not shown yet spends weight, and the tick stretches to 3 s (RULES H4)."""


REMOVING = frozenset({"auto_cancel_stops_ms"})
"""Switches that take stops away. While the exchange denies every order it has as well, nobody can
know of it, and RULES C4 places no fourth stop where three may rest: that time is imposed, like one
in which the exchange is out of reach, and the bound of one look begins when it ends."""


@dataclass(frozen=True, slots=True)
class Apart:
    """What a life expects that has no meaning under a value: which checkers say so, and why."""

    checkers: frozenset[str]
    why: str
    lives: frozenset[str]


APART: dict[tuple[str, str], tuple[Apart, ...]] = {
    ("stop_while_flat", "refused"): (
        Apart(
            frozenset({"end"}),
            "the store is lost after the entry and before any stop: no order, live or in history, "
            "names a level, so the position is protected as one that is not ours (RULES G1), and "
            "the stop these lives end by was never anywhere but in the lost store",
            lives=frozenset(
                {
                    "lost_store_and_no_decision",
                    "lost_store_before_the_targets",
                    "lost_store_entry_resting",
                }
            ),
        ),
    ),
}
"""Expectations that do not apply under a value, told in docs/venue.md; no promise is among them."""


@dataclass(frozen=True, slots=True)
class Found:
    """What one life shows under one value of one switch: checker and sentence of each breach."""

    life: str
    switch: str
    value: str
    breaches: tuple[tuple[str, str], ...]

    @property
    def unexpected(self) -> tuple[tuple[str, str], ...]:
        """Return the breaches that `APART` does not name."""
        named = APART.get((self.switch, self.value), ())
        apart = {kind for one in named if self.life in one.lives for kind in one.checkers}
        return tuple(one for one in self.breaches if one[0] not in apart)

    def __str__(self) -> str:
        """Return the life and its breaches on one line."""
        said = "; ".join(f"{kind}: {text}" for kind, text in self.breaches) or "ok"
        return f"{self.switch}={self.value} {self.life}: {said}"


def turned() -> Iterator[tuple[str, str]]:
    """Yield every value of every switch that is not its default."""
    for switch in SWITCHES:
        values = switch.values or DURATIONS[switch.name]
        yield from ((switch.name, value) for value in values if value != str(switch.default))


def lives() -> list[Path]:
    """Return the written lives, by name."""
    return sorted(FOLDER.glob("*.yaml"))


def play(path: Path, switch: str, value: str) -> Found:
    """Play one life with one switch turned and judge it against the promises."""
    scenario = load_scenario(path)
    named = {**scenario.switches, switch: value}
    is_streaming = switch in STREAMING
    mine = _judged(
        replace(scenario, switches=named),
        looks=3 if switch in STRETCHED else switch in ONE_LOOK,
        is_streaming=is_streaming,
        is_removing=switch in REMOVING,
    )
    if mine:
        before = {kind for kind, _ in usual(path, is_streaming=is_streaming)} - {BROKE}
        mine = [(kind, text) for kind, text in mine if kind not in before]
    return Found(path.stem, switch, value, tuple(mine))


@cache
def usual(path: Path, *, is_streaming: bool) -> tuple[tuple[str, str], ...]:
    """Return the breaches a life shows under the default switches."""
    return tuple(_judged(load_scenario(path), looks=0, is_streaming=is_streaming))


def _judged(
    scenario: Scenario, *, looks: int, is_streaming: bool, is_removing: bool = False
) -> list[tuple[str, str]]:
    """Return the breaches of one life: the checker, and what it says."""
    start = START if scenario.start is None else scenario.start.astimezone(UTC)
    start_ms = int(start.timestamp() * 1000)
    settings = settings_of(scenario)
    venue = venue_of(scenario, start_ms, log_reads=True)  # its weight tells the keeper's pace
    with TemporaryDirectory(prefix="keeper-switched-") as folder:
        inbox = Path(folder)
        world = World(
            venue,
            inbox,
            settings.limits(),
            start_ms=start_ms,
            interval_ms=int(settings.loop.interval_s * 1000),
            streams=is_streaming,
        )
        try:
            course = Play(world, inbox, moments_of(scenario, start))
            course.run(start_ms + scenario.until_ms)
            found = _at_the_end(scenario, world, start_ms)
            _flatten(course, world, start_ms)
            found += _after_flatten(world)
            blind = _blind(scenario, start_ms) if is_removing else []
            found += _promises(course, world, scenario, looks=looks, blind=blind)
        except Exception as error:  # noqa: BLE001 - a keeper that breaks is a finding, not an end
            return [(BROKE, f"{type(error).__name__}: {error}")]
        finally:
            world.close()
    return found


def _needs_armed(scenario: Scenario) -> bool:
    return scenario.switches.get("stop_while_flat") != "refused"


def _at_the_end(scenario: Scenario, world: World, start_ms: int) -> list[tuple[str, str]]:
    """Say when a life that must end flat with empty books does not."""
    final = scenario.expect.get("final")
    if not isinstance(final, Mapping):
        return []
    if (str(final.get("position")), str(final.get("orders"))) != ("0", "0"):
        return []
    left = _left(world)
    return [("end", f"{left} where the life ends flat and clean")] if left else []


def _after_flatten(world: World) -> list[tuple[str, str]]:
    left = _left(world)
    return [("no_leftovers", f"after flatten: {left}")] if left else []


def _left(world: World) -> str:
    venue = world.venue
    held = [p.quantity for p in venue.house.account.positions.values() if p.quantity]
    rest = [o.client_id for o in venue.book.open.values()]
    rest += [o.client_id for o in venue.algo.open.values()]
    words = [f"position {held[0]}"] if held else []
    return ", ".join(words + ([f"orders {' '.join(sorted(rest))}"] if rest else []))


def _flatten(course: Play, world: World, start_ms: int) -> None:
    """Lift the faults and end whatever there is."""
    now_ms = world.clock.now_ms
    flat = Decision(now_ms - start_ms, {**DEFAULT_DECISION, "action": "flat"})
    start = START.fromtimestamp(start_ms / 1000, UTC)
    course.add(now_ms, Calm())
    course.add(now_ms, Appear(((flat.file, flat.text(start)),)))
    world.store.add_command(Command.FLATTEN, by="test", why="the end", at_ms=now_ms)
    course.run(now_ms + FLATTEN_MS, _is_over)


def _is_over(report: TickReport) -> bool:
    return report.ledger.life is None and report.plan.is_empty and not report.ledger.orders


def _blind(scenario: Scenario, start_ms: int) -> list[Span]:
    """Return when lists and lookups forget both: each order exists, and none can be seen."""
    spans: dict[str, list[Span]] = {"list_forgets": [], "lookup_not_found": []}
    for fault in scenario.faults:
        kind, lasts = str(fault.terms.get("kind")), fault.terms.get("duration_s")
        if kind in spans and lasts is not None and not fault.terms.get("match"):
            from_ms = start_ms + fault.at_ms
            spans[kind].append(Span(from_ms, from_ms + int(Decimal(str(lasts)) * 1000)))
    both = [(a, b) for a in spans["list_forgets"] for b in spans["lookup_not_found"]]
    return [Span(max(a.from_ms, b.from_ms), min(a.until_ms, b.until_ms)) for a, b in both]


def _promises(
    course: Play, world: World, scenario: Scenario, *, looks: int, blind: Sequence[Span]
) -> list[tuple[str, str]]:
    """Return what the checkers find in the venue's log."""
    entries = world.venue.log_after(0)
    events = read_log(entries)
    standing = scenario.account.position
    held = ZERO if standing is None else standing.quantity
    sign = -1 if standing is not None and standing.side == "short" else 1
    history = History(events, end_ms=world.clock.now_ms, position=held * sign)
    requests = read_requests(entries)
    pace = Pace(world.interval_ms, world.latency_ms, Rhythm(requests))
    imposed = [Span(died_ms, rose_ms) for died_ms, rose_ms in course.absences]
    imposed += broken_spans(entries, PATIENCE_MS)
    trades = trade_documents(ReadStore.beside(world.store.desk))
    whole = standing is None and not course.lost_stores
    armed = _needs_armed(scenario)
    violations, naked = judge(
        Evidence(
            entries,
            events,
            history,
            pace,
            imposed,
            trades,
            whole,
            requests,
            births=[rose_ms for _, rose_ms in course.absences],
            needs_armed=armed,
        )
    )
    found = [
        (v.checker, f"{v.detail} ({v.state}, life {v.life})")
        for v in violations
        if v.checker != "covered"
    ]
    for one in naked:
        look_ms = pace.of("look", one.window.from_ms)
        bound_ms = look_ms + (looks - 1) * pace.interval_ms if looks else 0
        allowed_ms = max(one.bound_ms, bound_ms)
        for span in blind:
            if span.from_ms <= one.window.from_ms <= span.until_ms:
                allowed_ms = max(allowed_ms, span.until_ms - one.window.from_ms + bound_ms)
        if one.finding is not None and one.window.duration_ms > allowed_ms:
            found.append(("covered", one.finding.detail))
    return found


def main(words: Sequence[str]) -> int:
    """Play and print; 1 when a promise broke."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.switched")
    parser.add_argument("switch", nargs="*", help="all by default")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--life", action="append", default=[], help="only lives of this name")
    arguments = parser.parse_args(words)
    tasks = [
        (path, name, value)
        for name, value in turned()
        if not arguments.switch or name in arguments.switch
        for path in lives()
        if not arguments.life or path.stem in arguments.life
    ]
    apart = broken = 0
    with Pool(arguments.jobs) as pool:
        for found in pool.imap(_play, tasks, chunksize=8):
            broken += bool(found.unexpected)
            apart += bool(found.breaches) and not found.unexpected
            if found.breaches:
                sys.stdout.write(f"{'' if found.unexpected else '(apart) '}{found}\n")
    sys.stdout.write(
        f"{len(tasks)} lives, {broken} with a broken promise, "
        f"{apart} with an expectation that does not apply\n"
    )
    return 1 if broken else 0


def _play(task: tuple[Path, str, str]) -> Found:
    return play(*task)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
