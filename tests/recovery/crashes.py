"""A whole life killed at every call through its ports, and at every statement of its store.

Crash points are not chosen: a run is recorded, and each of its calls is one, before the call took
effect and after it with the answer lost. Exchange time stands still between death and restart; the
next price comes only when the keeper, killed or not, has come to rest (``lives``). So with its
store kept the end must be the end of the life that was never killed.

    python -m tests.recovery.crashes                    every crash point, long and short
    python -m tests.recovery.crashes --stride 7         each seventh
    python -m tests.recovery.crashes --only statements  between the statements of transactions
    python -m tests.recovery.crashes --life b4_a_whole_life+fallback   on another account
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum
from functools import cache
from itertools import pairwise
from multiprocessing import Pool

from engine.domain.identity import ClientOrderId, OrderRole
from engine.simulation.play import Kill, Moment
from engine.simulation.scenario import Staged
from tests.recovery.lives import LIVES, Call, End, play, scenario, subject


class How(StrEnum):
    """How the keeper dies at a call."""

    BEFORE = "before"
    REPLY_LOST = "reply_lost"


class What(StrEnum):
    """What is counted, and what dies with the keeper."""

    CALLS = "calls"
    STATEMENTS = "statements"
    LOST_STORES = "lost_stores"


@dataclass(frozen=True, slots=True)
class Crash:
    """One crash point: the ``at``-th call or statement of a life, and how it ends there."""

    life: str
    what: What
    at: int
    how: How = How.BEFORE

    def __str__(self) -> str:
        """Return the crash point as a reader finds it in the roll."""
        about = subject(roll(self.life, self.what)[self.at])
        return f"{self.life} {self.what} {self.at} {self.how} {about}"


@dataclass(frozen=True, slots=True)
class Found:
    """What is wrong after one crash; nothing, if ``wrong`` is empty."""

    crash: Crash
    wrong: tuple[str, ...]


@cache
def roll(life: str, what: What) -> tuple[Call, ...]:
    """Return every call or statement of the life that is never killed, in its order."""
    calls: list[Call] = []

    def prepare(staged: Staged) -> None:
        if what is What.STATEMENTS:
            staged.world.die_between_statements()
            staged.world.statements.heard = calls.append
        else:
            staged.world.mortality.heard = calls.append

    def examine(staged: Staged) -> None:
        staged.world.statements.heard = staged.world.mortality.heard = None

    play(scenario(life), prepare, examine=examine)
    return tuple(calls)


@cache
def unharmed(life: str) -> End:
    """Return the end of the life that is never killed."""
    return play(scenario(life))


def points(life: str, what: What) -> Iterator[Crash]:
    """Yield every crash point of a life.

    A statement that took effect and died after it is the next one that did not begin.
    """
    for at in range(len(roll(life, what))):
        yield Crash(life, what, at)
        if what is not What.STATEMENTS:
            yield Crash(life, what, at, How.REPLY_LOST)


_ASKED = ("positionRisk", "openOrders", "openAlgoOrders", "premiumIndex", "klines", "bookTicker")
_KEPT = ("recall", "record_intent", "record_outcomes")
_STANDING = {*(f"GET {one}" for one in _ASKED), *(f"store {one}" for one in _KEPT)}
QUIET_KEPT = 2


def distinct(life: str, what: What) -> Iterator[Crash]:
    """Yield the crash points without those of ticks at rest, of which two of each rest are kept.

    A tick at rest asks what every tick asks and writes nothing: to die in the third of them is to
    die in the second.
    """
    calls = [subject(call) for call in roll(life, what)]
    starts = [at for at, name in enumerate(calls) if name == "store recall"]
    kept: set[int] = set(range(starts[0]))
    quiet = 0
    for start, stop in pairwise([*starts, len(calls)]):
        quiet = quiet + 1 if set(calls[start:stop]) <= _STANDING else 0
        if quiet <= QUIET_KEPT:
            kept |= set(range(start, stop))
    return (point for point in points(life, what) if point.at in kept)


def crash(point: Crash) -> Found:
    """Play a life with that one death in it, and hold its end against what it must be."""
    deaths: list[Death] = []

    def prepare(staged: Staged) -> None:
        if point.what is What.STATEMENTS:
            staged.world.die_between_statements()
            staged.world.statements.doom(point.at, is_after=False)
        die = staged.world.die

        def noted() -> None:
            deaths.append(_death(staged))
            die()

        staged.world.die = noted  # type: ignore[method-assign]  # to be there when it happens

    def examine(staged: Staged) -> None:
        staged.world.statements.spare()

    more: list[Moment] = []
    if point.what is not What.STATEMENTS:
        kill = Kill(
            lose_store=point.what is What.LOST_STORES,
            call=point.at,
            is_after=point.how is How.REPLY_LOST,
        )
        more.append(Moment(0, kill))
    on_disk = point.what is What.STATEMENTS
    end = play(scenario(point.life), prepare, more, examine, on_disk=on_disk)
    if len(deaths) != 1:
        return Found(point, (f"died {len(deaths)} times",))
    before = unharmed(point.life)
    if before.naked_s > 0:
        before, end = _covered_soon(before), _covered_soon(end)
    if point.what is not What.LOST_STORES:
        wrong = before.differences(end) + before.pauses_unlike(end, deaths[0].passed_ms)
        return Found(point, tuple(wrong))
    return Found(point, tuple(_without_store(before, end, deaths[0])))


FALLBACK_NAKED_S = 1.2
"""Fallback mode with its keeper killed: process start, one tick, three round trips (RULES B)."""


def _covered_soon(end: End) -> End:
    """Return the end without how long the first fill was naked, if that was within bounds.

    In fallback mode nothing is armed before (RULES E9); a death in between makes it a little more.
    """
    if end.naked_s > FALLBACK_NAKED_S:
        return end
    naked = {"naked_s": 0.0, "naked_quantity_s": "0"}
    return replace(end, naked_s=0.0, trades=tuple({**trade, **naked} for trade in end.trades))


@dataclass(frozen=True, slots=True)
class Death:
    """How things stood on the exchange when the keeper died."""

    passed_ms: int
    entry: str | None
    is_over: bool


def _death(staged: Staged) -> Death:
    """Return when it happened, the entry's status, and whether the position was closed again."""
    world = staged.world
    entries = [e for e in world.venue.log_after(0) if e["kind"] in ("order", "fill")]
    own = [(e, ClientOrderId.parse(str(e["client_id"]))) for e in entries]
    entry = [str(e["status"]) for e, i in own if i and i.role is OrderRole.ENTRY and "status" in e]
    fills = [Decimal(str(e["position_after"])) for e in entries if e["kind"] == "fill"]
    return Death(
        world.clock.now_ms - staged.start_ms,
        entry[-1] if entry else None,
        bool(fills) and fills[-1] == 0,
    )


def _without_store(before: End, end: End, death: Death) -> list[str]:
    """Return what is wrong with a life whose store was lost (RULES B4).

    Whatever the moment: covered, no stop widened, nothing twice, in the end flat and clean. An
    entry that works is withdrawn, because no decision answers for it any more; what it executed is
    a position like any other. From its last fill on, everything the rules name comes back.
    """
    wrong = before.differences(end, "final", "naked_s", "broken")
    match death.entry:
        case "FILLED":
            wrong += before.differences(end, "fills")
            entries = [order for order in end.orders if order["role"] == "entry"]
            if len(entries) != 1:
                wrong.append(f"entered again: {entries}")
            if not death.is_over:
                wrong += before.pauses_unlike(end, death.passed_ms)
                wrong += _recovered(before, end)
        case None:
            wrong += before.differences(end, "fills")
        case _:
            entered = [fill for fill in end.fills if fill["role"] == "entry"]
            if entered != list(before.fills[: len(entered)]):
                wrong.append(f"entered {entered}")
    return wrong


_COMES_BACK = (
    "side",
    "opened_at",
    "closed_at",
    "quantity",
    "entry_price",
    "exit_price",
    "realized_pnl",
    "commission",
    "net_pnl",
    "initial_risk",
    "r_multiple",
    "naked_s",
    "loose_s",
    "fills",
)
"""Of a trade record: what the exchange still knows."""


def _recovered(before: End, end: End) -> list[str]:
    """Return what is wrong with trade record and stop levels of a life found again."""
    wrong = []
    if len(end.trades) != 1:
        return [f"{len(end.trades)} trade records"]
    for name in _COMES_BACK:
        was, now = before.trades[0][name], end.trades[0][name]
        if was != now:
            wrong.append(f"trade {name}: {was} -> {now}")
    levels = [level["level"] for level in before.levels]
    if not {level["level"] for level in end.levels} <= set(levels):
        wrong.append(f"levels {[level['level'] for level in end.levels]}")
    if end.levels[-1:] and end.levels[-1]["level"] != levels[-1]:
        wrong.append(f"last level {end.levels[-1]['level']}")
    return wrong


ALL_LIVES = tuple(f"{life}{beside}" for beside in ("", "+stream", "+fallback") for life in LIVES)
"""With their variants, of which the calls are enough: the store is the same."""


def main(words: Sequence[str]) -> int:
    """Play and print; 1 when an end differs."""
    parser = argparse.ArgumentParser(prog="python -m tests.recovery.crashes")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--stride", type=int, default=1, help="each so manieth crash point")
    parser.add_argument("--first", type=int, default=0, help="begin with that one")
    parser.add_argument("--only", type=What, choices=list(What), action="append", default=[])
    parser.add_argument("--distinct", action="store_true", help="few of the ticks at rest")
    parser.add_argument("--life", action="append", default=[], help=f"{LIVES[0]}+stream, ...")
    arguments = parser.parse_args(words)
    failed = 0
    for what in arguments.only or list(What):
        for life in arguments.life or (ALL_LIVES if what is What.CALLS else LIVES):
            is_distinct = arguments.distinct and what is not What.STATEMENTS
            every = distinct(life, what) if is_distinct else points(life, what)
            chosen = list(every)[arguments.first :: arguments.stride]
            with Pool(arguments.jobs) as pool:
                bad = 0
                for found in pool.imap(crash, chosen, chunksize=4):
                    if found.wrong:
                        bad += 1
                        sys.stdout.write(f"{found.crash}: {'; '.join(found.wrong)}\n")
            sys.stdout.write(f"{life}: {what}: {len(chosen)} crash points, {bad} end otherwise\n")
            sys.stdout.flush()
            failed += bad
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
