"""A whole life with one of its requests broken, each write call in each way a fate can be unknown.

The writes are not chosen: a run is recorded, and each of its POSTs and DELETEs is broken once by
each row of ``FATES``, executed and not executed. Lies (``LIES``) begin with a write and last for
minutes: lists that forget, look-ups that find nothing, positions and trades that lag.

    python -m tests.recovery.fates                  every write, every fate, long and short
    python -m tests.recovery.fates --only "503 unknown, executed"
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cache
from multiprocessing import Pool

from engine.domain.condition import Command
from engine.simulation.play import Appear, Compose, Fault, Moment
from engine.simulation.scenario import Staged, start_ms_of
from engine.simulation.world import World
from tests.recovery.crashes import What, roll, unharmed
from tests.recovery.lives import LIVES, Call, End, is_write, play, scenario, subject

Terms = dict[str, object]

NOT_EXECUTED, EXECUTED = {"executed": False}, {"executed": True}

FATES: dict[str, Terms] = {
    "reply lost, not executed": {"kind": "reply_lost_before"},
    "reply lost, executed": {"kind": "reply_lost_after"},
    "timeout, not executed": {"kind": "timeout_before"},
    "timeout, executed": {"kind": "timeout_after"},
    "timeout, executed later": {"kind": "executed_late", "delay_ms": 1_500},
    "503 unknown, not executed": {"kind": "http_503_unknown", **NOT_EXECUTED},
    "503 unknown, executed": {"kind": "http_503_unknown", **EXECUTED},
    "503 unavailable": {"kind": "http_503_unavailable"},
    "503 internal": {"kind": "http_503_internal"},
    "-1006, not executed": {"kind": "error", "code": -1006, "status": 500, **NOT_EXECUTED},
    "-1006, executed": {"kind": "error", "code": -1006, "status": 500, **EXECUTED},
    "-1007, not executed": {"kind": "error", "code": -1007, "status": 408, **NOT_EXECUTED},
    "-1007, executed": {"kind": "error", "code": -1007, "status": 408, **EXECUTED},
    "408, not executed": {"kind": "garbage_body", "status": 408, **NOT_EXECUTED},
    "408, executed": {"kind": "garbage_body", "status": 408, **EXECUTED},
    "unreadable, executed": {"kind": "garbage_body", "status": 200, **EXECUTED},
    "never sent": {"kind": "refused_connection"},
}
"""What RULES C4 names, and what a proxy in between makes of it."""

MINUTES = {"duration_s": 120}
LIES: dict[str, tuple[Terms, ...]] = {
    "lists forget for minutes": ({"kind": "list_forgets", **MINUTES},),
    "lists and look-ups forget for minutes": (
        {"kind": "list_forgets", **MINUTES},
        {"kind": "lookup_not_found", **MINUTES},
    ),
    "lists forget now and then": ({"kind": "list_forgets", "probability": 0.5, **MINUTES},),
    "one order missing from its list": (
        {"kind": "list_forgets", "match": {"role": "stop_primary"}, **MINUTES},
    ),
    "position lags the fill": ({"kind": "position_lag", "lag_s": 3, **MINUTES},),
    "trades lag the position": ({"kind": "fill_lag", "lag_s": 5, **MINUTES},),
    "everything lags": (
        {"kind": "position_lag", "lag_s": 2, **MINUTES},
        {"kind": "fill_lag", "lag_s": 4, **MINUTES},
        {"kind": "list_forgets", "duration_s": 6},
    ),
}
"""What is answered meanwhile; each begins with a write, whose own reply is lost after execution."""

PUSHES: dict[str, tuple[Terms, ...]] = {
    "pushes doubled": ({"kind": "duplicate_pushes"},),
    "pushes out of order": ({"kind": "reorder_pushes"},),
    "pushes late": ({"kind": "delay_pushes", "delay_ms": 3_000},),
    "pushes doubled, late and out of order": (
        {"kind": "duplicate_pushes"},
        {"kind": "reorder_pushes", "probability": 0.5},
        {"kind": "delay_pushes", "delay_ms": 900, "probability": 0.5},
    ),
    "fills never pushed": ({"kind": "drop_pushes", "match": {"event": "ORDER_TRADE_UPDATE"}},),
    "no push at all": ({"kind": "stream_silent"},),
}
"""What the user stream makes of a whole life; REST alone keeps every promise (DESIGN 2)."""

FLATTEN_MS, LYING_UNTIL_MS = 300_000, 420_000
"""Lies cost opportunities: a stop is moved later, an entry given up. What is left is told to go."""


@dataclass(frozen=True, slots=True)
class Case:
    """One write of a life, the ``at``-th of its ``verb``, and how it is broken."""

    life: str
    verb: str
    at: int
    about: str
    how: str

    def __str__(self) -> str:
        """Return the case in words."""
        return f"{self.life}: {self.about} ({self.verb} {self.at}): {self.how}"


@dataclass(frozen=True, slots=True)
class Found:
    """What is wrong in one case; nothing, if ``wrong`` is empty."""

    case: Case
    wrong: tuple[str, ...]


@cache
def writes(life: str) -> tuple[tuple[str, int, str], ...]:
    """Return every write of a life: verb, number among those of its verb, subject."""
    found: list[tuple[str, int, str]] = []
    counts: dict[str, int] = {}
    for call in roll(life, What.CALLS):
        if is_write(call):
            number = counts.get(call[0], 0)
            counts[call[0]] = number + 1
            found.append((call[0], number, subject(call)))
    return tuple(found)


def cases(life: str) -> Iterator[Case]:
    """Yield every case of a life."""
    for verb, number, about in writes(life):
        for how in (*FATES, *LIES):
            yield Case(life, verb, number, about, how)


def examine(case: Case) -> Found:
    """Play one case and judge it: from the venue's log, and by what the life should have been."""
    match = {"verb": case.verb}
    life, more = scenario(case.life), []
    struck: list[int] = []
    if case.how in FATES:
        faults = [{**FATES[case.how], "match": match, "after": case.at, "times": 1}]
        more = [Moment(start_ms_of(life), Fault(terms)) for terms in faults]
    else:
        life = replace(life, until_ms=LYING_UNTIL_MS)
        more = [Moment(start_ms_of(life) + FLATTEN_MS, Compose(_flatten))]

    def prepare(staged: Staged) -> None:
        if case.how in LIES:
            _lie_from(staged, case)

    def after(staged: Staged) -> None:
        struck.append(sum(int(str(f["struck"])) for f in staged.world.venue.faults()))

    end = play(life, prepare, more, after)
    wrong = [] if struck[0] else ["the fault never struck"]
    return Found(case, (*wrong, *_wrong(unharmed(case.life), end, case)))


def pushed(name: str, how: str) -> list[str]:
    """Play a life beside its user stream, the pushes treated so; return what is wrong."""
    life = replace(scenario(name), stream=True)
    more = [Moment(start_ms_of(life), Fault(terms)) for terms in PUSHES[how]]
    struck: list[int] = []

    def after(staged: Staged) -> None:
        struck.append(sum(int(str(f["struck"])) for f in staged.world.venue.faults()))

    end = play(life, more=more, examine=after)
    before = unharmed(name)
    wrong = before.differences(end) + before.pauses_unlike(end, 0)
    return wrong if struck[0] else ["no push was struck", *wrong]


def _lie_from(staged: Staged, case: Case) -> None:
    """Arm the lies when the write begins, whose own reply is lost after it was executed."""
    count = [0]

    def heard(call: Call) -> None:
        if call[0] != case.verb:
            return
        if count[0] == case.at:
            lost: Terms = {"kind": "reply_lost_after", "match": {"verb": case.verb}}
            for terms in (lost, *LIES[case.how]):
                staged.world.venue.inject(terms)
        count[0] += 1

    staged.world.mortality.heard = heard


_WIDER = re.compile(r"\S+ placed at ([\d.]+), wider than ([\d.]+)")


def _restores_the_level_in_force(finding: str, before: End) -> bool:
    """Return whether a stop was laid at the level before the one whose fate is unknown (B2).

    The log shows that the newer stop rests; the keeper was never told. The level in force is the
    tightest *confirmed* one, and its restoration is never blocked.
    """
    found = _WIDER.fullmatch(finding)
    levels = [Decimal(level["level"]) for level in before.levels]
    if found is None or Decimal(found[2]) not in levels:
        return False
    newer = levels.index(Decimal(found[2]))
    return newer > 0 and levels[newer - 1] == Decimal(found[1])


def _flatten(world: World, at_ms: int) -> Appear:
    world.store.add_command(Command.FLATTEN, by="test", why="the end", at_ms=at_ms)
    return Appear(())


def _wrong(before: End, end: End, case: Case) -> list[str]:
    """Return what breaks "exactly once" or any other promise.

    After one broken request the life goes as it should have gone. After minutes of lies it may
    have gone otherwise, but it entered no more than it might, was covered, widened nothing.
    """
    if case.how in FATES:
        wrong = before.differences(end, "fills", "final", "naked_s", "broken")
        return wrong + before.pauses_unlike(end, 0)
    wrong = before.differences(end, "final", "naked_s")
    wrong += [text for text in end.broken if not _restores_the_level_in_force(text, before)]
    entered = [fill for fill in end.fills if fill["role"] == "entry"]
    if entered != list(before.fills[: len(entered)]):
        wrong.append(f"entered {entered}")
    return wrong


def main(words: Sequence[str]) -> int:
    """Play and print; 1 when something is wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.recovery.fates")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--stride", type=int, default=1, help="each so manieth case")
    parser.add_argument("--only", choices=(*FATES, *LIES), action="append", default=[])
    parser.add_argument("--life", choices=LIVES, action="append", default=[])
    arguments = parser.parse_args(words)
    chosen = [
        case
        for life in arguments.life or LIVES
        for case in cases(life)
        if not arguments.only or case.how in arguments.only
    ][:: arguments.stride]
    bad = 0
    with Pool(arguments.jobs) as pool:
        for found in pool.imap(examine, chosen, chunksize=4):
            if found.wrong:
                bad += 1
                sys.stdout.write(f"{found.case}: {'; '.join(found.wrong)}\n")
    sys.stdout.write(f"{len(chosen)} broken requests, {bad} with something wrong\n")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
