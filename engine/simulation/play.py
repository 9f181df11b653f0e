"""A time line played against a world: documents, other hands, faults and kills, each at its moment.

Everything but a kill happens at its own millisecond, between two requests of one tick if need be;
a kill comes between two ticks, or at a call counted from its moment on, and so does a freeze. An
ambush waits for a state of the life, as the venue's log shows it, and only then puts what it holds
on the time line.
"""

from __future__ import annotations

import heapq
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from engine.simulation.mortality import Frost
from engine.simulation.whereabouts import Whereabouts
from engine.simulation.world import World
from engine.tick import TickReport
from engine.venue.scenario import MAP_FILE

RESTART_MS = 2_000
"""How soon a process that ended by itself is started again (``RestartSec`` of the service)."""


@dataclass(frozen=True, slots=True)
class Appear:
    """Files in the inbox: name and content; a content of None removes the file."""

    files: tuple[tuple[str, str | None], ...]


@dataclass(frozen=True, slots=True)
class Compose:
    """Files whose content depends on the present: made when the moment comes."""

    write: Callable[[World, int], Appear]


@dataclass(frozen=True, slots=True)
class Hand:
    """Somebody else acts on the account; ``terms`` is what the venue's hand takes."""

    terms: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault is armed; ``terms`` is what the venue's fault desk takes."""

    terms: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Calm:
    """Every fault is disarmed."""


@dataclass(frozen=True, slots=True)
class Kill:
    """The keeper dies and rises ``dead_ms`` later.

    ``call`` None: between two ticks; else at that call from now on (0: the next), before it takes
    effect or, with ``is_after``, when it has. With ``is_statement`` statements are counted that the
    store writes with. ``at_once``: counted from this very moment, not from the end of a tick.
    """

    dead_ms: int = 0
    lose_store: bool = False
    call: int | None = None
    is_after: bool = False
    is_statement: bool = False
    at_once: bool = False


@dataclass(frozen=True, slots=True)
class Freeze:
    """The keeper stands still for ``frozen_ms`` in the middle of a call, as SIGSTOP does it.

    ``call`` and ``is_after`` as for a death, ``is_sending``: counted are only requests that change
    something. It wakes none the wiser and goes on with that call.
    """

    frozen_ms: int
    call: int = 0
    is_after: bool = False
    is_sending: bool = False


@dataclass(frozen=True, slots=True)
class Befall:
    """Something that no venue and no inbox knows of; ``act`` says whether it came to pass."""

    name: str
    act: Callable[[World, int], bool]


@dataclass(frozen=True, slots=True)
class Step:
    """When the life is in ``state``, ``what`` happens, each after so many milliseconds.

    Waited for from ``patience_ms`` after the step before it was taken, or the ambush was laid.
    """

    state: str
    what: tuple[tuple[int, Happening], ...]
    patience_ms: int = 0


@dataclass(frozen=True, slots=True)
class Ambush:
    """Steps that lie in wait, one after another."""

    steps: tuple[Step, ...]


Happening = Appear | Compose | Hand | Fault | Calm | Kill | Freeze | Befall | Ambush


@dataclass(frozen=True, slots=True)
class Moment:
    """What happens when."""

    at_ms: int
    what: Happening


@dataclass(slots=True)
class _Lurking:
    """An ambush that was laid: what is left of it, and from when on it waits."""

    steps: tuple[Step, ...]
    from_ms: int


class Play:
    """Runs a world along a time line.

    ``absences`` is when a keeper was dead, ``deaths`` how each came, ``freezes`` when one stood
    still; ``struck`` is what became of the faults that ``Calm`` ended, ``befell`` what came to pass
    that only this knows.
    """

    def __init__(self, world: World, inbox: Path, moments: Iterable[Moment]) -> None:
        """Put ``world`` on the time line; documents appear in the folder ``inbox``."""
        self._world = world
        self._inbox = inbox
        self._coming = [(m.at_ms, n, m.what) for n, m in enumerate(moments)]
        self._numbered = len(self._coming)
        heapq.heapify(self._coming)
        self._dead: list[tuple[int, Kill]] = []
        self._rises_ms: int | None = None
        self._doom: Kill | None = None
        self.absences: list[tuple[int, int]] = []
        self.freezes: list[tuple[int, int]] = []
        self.deaths: list[tuple[int, Kill]] = []
        self.befell: list[tuple[str, int]] = []
        self._lurking: list[_Lurking] = []
        self._here = Whereabouts()
        self._told = 0
        self._watched: object = None
        self.lost_stores = 0
        self.kills_wanted = 0
        self.freezes_wanted = 0
        self.struck: list[dict[str, object]] = []
        world.meanwhile = self._meanwhile

    def add(self, at_ms: int, what: Happening) -> None:
        """Put something more on the time line."""
        heapq.heappush(self._coming, (at_ms, self._numbered, what))
        self._numbered += 1

    def run(self, until_ms: int, seen: Callable[[TickReport], bool] | None = None) -> None:
        """Play up to ``until_ms``, or until ``seen`` says that a tick was the last."""
        world = self._world
        while world.clock.now_ms < until_ms:
            self._live_or_die()
            report = world.step(min(until_ms, self._next_ms()))
            if world.is_bereaved and self._rises_ms is None:
                self._died(self._doom or Kill(RESTART_MS))
            if report is not None and seen is not None and seen(report):
                return

    def _next_ms(self) -> int:
        """Return when the run must stop for something that comes between ticks."""
        coming_ms = self._coming[0][0] if self._coming else 1 << 62
        rises_ms = self._rises_ms if self._rises_ms is not None else 1 << 62
        return max(min(coming_ms, rises_ms), self._world.clock.now_ms + 1)

    def _live_or_die(self) -> None:
        """Carry out deaths and births that are due."""
        world, now_ms = self._world, self._world.clock.now_ms
        self._meanwhile(now_ms)
        for _, kill in self._dead:
            if kill.call is not None and world.keeper is not None:
                self._condemn(kill, kill.call)
            elif world.keeper is not None:
                world.die()
                self._died(kill)
        self._dead.clear()
        if self._rises_ms is not None and now_ms >= self._rises_ms:
            self._rises_ms, kill = None, self._doom or Kill()
            self._doom = None
            self.lost_stores += kill.lose_store
            self.absences[-1] = (self.absences[-1][0], now_ms)
            world.rise(lose_store=kill.lose_store)

    def _condemn(self, kill: Kill, call: int) -> None:
        """Let the keeper die at a call from now on, or at a statement."""
        world = self._world
        self._doom = kill
        if not kill.is_statement:
            world.mortality.doom(call, is_after=kill.is_after)
            return
        if self._watched is not (database := world.store.desk.database):
            world.die_between_statements()
            self._watched = database
        world.statements.doom(call, is_after=kill.is_after)

    def _died(self, kill: Kill) -> None:
        now_ms = self._world.clock.now_ms
        self.deaths.append((now_ms, kill))
        self._doom, self._rises_ms = kill, now_ms + kill.dead_ms
        self.absences.append((now_ms, self._rises_ms))

    def _meanwhile(self, now_ms: int) -> None:
        """Let happen what is due; most kills wait until the tick is over."""
        while True:
            while self._coming and self._coming[0][0] <= now_ms:
                at_ms, _, what = heapq.heappop(self._coming)
                self._happens(what, at_ms, now_ms)
            if not self._lurking or not self._spring(now_ms):
                return

    def _happens(self, what: Happening, at_ms: int, now_ms: int) -> None:
        world = self._world
        match what:
            case Kill():
                self._wants_dead(what, at_ms)
            case Freeze():
                self._wants_still(what)
            case Appear():
                self._write(what, at_ms)
            case Compose():
                world.reach.advance(at_ms)
                self._write(what.write(world, at_ms), at_ms)
            case Hand():
                world.venue.hand(what.terms, at_ms)
            case Fault():
                world.venue.advance(at_ms)
                world.venue.inject(what.terms)
            case Befall():
                self._befalls(what, at_ms)
            case Ambush():
                self._lurking.append(_Lurking(what.steps, now_ms + what.steps[0].patience_ms))
            case Calm():
                world.venue.advance(at_ms)
                self.struck += world.venue.faults()
                world.venue.clear_faults()
                self._lurking.clear()

    def _befalls(self, what: Befall, at_ms: int) -> None:
        self._world.reach.advance(at_ms)
        if what.act(self._world, at_ms):
            self.befell.append((what.name, at_ms))

    def _wants_dead(self, kill: Kill, at_ms: int) -> None:
        self.kills_wanted += 1
        is_alive = self._world.keeper is not None and self._world.mortality.dies_in is None
        if kill.at_once and kill.call is not None and is_alive:
            self._condemn(kill, kill.call)
        else:
            self._dead.append((at_ms, kill))

    def _wants_still(self, freeze: Freeze) -> None:
        self.freezes_wanted += 1
        still = partial(self._stand_still, freeze.frozen_ms)
        self._world.mortality.frost = Frost(freeze.call, freeze.is_after, still, freeze.is_sending)

    def _spring(self, now_ms: int) -> bool:
        """Take the steps whose state has come; return whether any was taken."""
        for entry in self._world.venue.log_after(self._told):
            self._here.take(entry)
            self._told += 1
        state, is_sprung = self._here.at(now_ms), False
        for one in tuple(self._lurking):
            step = one.steps[0]
            if step.state != state or now_ms < one.from_ms:
                continue
            is_sprung = True
            for delay_ms, what in step.what:
                self.add(now_ms + delay_ms, what)
            one.steps = one.steps[1:]
            if one.steps:
                one.from_ms = now_ms + one.steps[0].patience_ms
            else:
                self._lurking.remove(one)
        return is_sprung

    def _stand_still(self, frozen_ms: int) -> None:
        """Play the world on while the keeper stands still in the middle of a call."""
        world = self._world
        from_ms = world.clock.now_ms
        world.stand_still(frozen_ms, self.run)
        if world.clock.now_ms > from_ms:
            self.freezes.append((from_ms, world.clock.now_ms))

    def _write(self, appear: Appear, at_ms: int) -> None:
        """Put files into the inbox, each whole, dated by the virtual clock; a map comes first."""
        for name, text in sorted(appear.files, key=lambda file: file[0] != MAP_FILE):
            path = self._inbox / name
            if text is None:
                path.unlink(missing_ok=True)
                continue
            aside = self._inbox / f".{name}.new"
            aside.write_text(text, encoding="utf-8")
            os.utime(aside, ns=(at_ms * 1_000_000, at_ms * 1_000_000))
            aside.replace(path)
