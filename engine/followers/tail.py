"""The tail of ``events``: a thread with a connection and a cursor of its own, for one follower.

Invariants: the ticking thread only ever appends to a bounded queue here; the store is only read; a
store out of reach is tried again for ever; a follower is handed each event once in the life of a
process, in the order of ids but for the few that appear late.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from threading import Event, Thread
from typing import Protocol

from engine.domain.errors import KeeperError
from engine.followers.happening import Happening, happening_of
from engine.store.reading import ReadStore

LOOK_S = 0.5
"""How often the tail is read."""

CALM = 10
"""How much more rarely a store that cannot be read is tried again."""

PORTION = 500
"""How many events one look takes in; more wait for the next, which follows at once."""

BACK = 32
"""How far behind the cursor each look begins.

On Postgres an id is drawn before it is committed, so that an operator's event may appear behind
one of the keeper's own.
"""

STOP_S = 1.0
HANDOVER_S = 60.0
"""How long a new tail waits for the one before it: a command may be in the middle of something."""

UNSTORED_MAX = 100
DECISIONS_MAX = 256


class Follower(Protocol):
    """Somebody who wants to know what happened."""

    def cursor(self) -> int | None:
        """Return the id of the last event taken in, None when there never was one."""

    def take(self, news: Sequence[Happening], *, is_ending: Callable[[], bool]) -> None:
        """Take in what happened, oldest first; ends early when ``is_ending`` turns true."""


class Tail:
    """Reads the tail for one follower, in a thread of its own: a slow one delays no other."""

    def __init__(
        self,
        open_reader: Callable[[], ReadStore],
        follower: Follower,
        *,
        since_ms: int,
        note: Callable[[str], None],
        every_s: float = LOOK_S,
    ) -> None:
        """Read through ``open_reader``; a follower without a cursor begins at ``since_ms``.

        ``note`` is told once when the store cannot be read and once when it can again.
        """
        self._every_s = every_s
        self._open = open_reader
        self._follower = follower
        self._since_ms = since_ms
        self._note = note
        self._unstored: deque[Happening] = deque(maxlen=UNSTORED_MAX)
        self._ending = Event()
        self._deadline_s: float | None = None
        self._hands_over = False
        self._taken_to: int | None = None
        self._begin = 0
        self._from_ms: int | None = None
        self._recent: deque[int] = deque(maxlen=4 * BACK)
        self._decisions: dict[int, str] = {}
        self._reader: ReadStore | None = None
        self._is_failing = False
        self._before: tuple[Tail, ...] = ()
        self._thread = Thread(target=self._follow, name="follower", daemon=True)

    def start(self, after: Sequence[Tail] = ()) -> None:
        """Begin as soon as the tails ``after`` have ended: their cursors are ours."""
        self._before = tuple(after)
        self._thread.start()

    def tell(self, happening: Happening) -> None:
        """Hand over what could not be stored; from any thread, never waits."""
        self._unstored.append(happening)

    def end(self) -> None:
        """Hand over: end after what is under way, leave the rest to the next, wait for nothing."""
        self._hands_over = True
        self._ending.set()

    def stop(self, wait_s: float = STOP_S) -> None:
        """End after one last look; what is under way is not waited for longer than ``wait_s``."""
        self._deadline_s = time.monotonic() + STOP_S
        self._ending.set()
        if self._thread.ident is not None:
            self._thread.join(wait_s)

    def await_end(self) -> None:
        """Wait until it has ended, as the one that follows it does in its own thread."""
        self._thread.join(HANDOVER_S)

    def unstored(self) -> tuple[Happening, ...]:
        """Return what nobody was told yet and no store holds."""
        return tuple(self._unstored)

    def _follow(self) -> None:
        for tail in self._before:
            tail.await_end()
            self._unstored.extend(one for one in tail.unstored() if one not in self._unstored)
        self._before = ()
        self._taken_to = self._follower.cursor()
        self._begin = self._taken_to or 0
        # Without a cursor what came before this process is not told, however near its id is.
        self._from_ms = self._since_ms if self._taken_to is None else None
        more = False
        is_last = False
        while not is_last:
            pause_s = self._every_s * (CALM if self._is_failing else 1)
            is_last = self._ending.wait(0 if more else pause_s)
            if is_last and self._hands_over:
                break
            try:
                more = self._look()
                self._recovered()
            except KeeperError as error:
                more = False
                self._failed(error)
        self._let_go()

    def _is_over(self) -> bool:
        """Return whether a follower may begin nothing more: the last look has its second, too."""
        is_late = self._deadline_s is not None and time.monotonic() > self._deadline_s
        return is_late or self._hands_over

    def _look(self) -> bool:
        """Hand over one portion; return whether there may be more at once."""
        while self._unstored:
            self._follower.take((self._unstored.popleft(),), is_ending=self._is_over)
        if self._reader is None:
            self._reader = self._open()
        rows = self._reader.events(
            after_id=max((self._taken_to or 0) - BACK, self._begin),
            limit=PORTION,
            from_ms=self._from_ms,
        )
        news = [happening_of(row) for row in rows if int(row["id"]) not in self._recent]
        if not news:
            return False
        named = [
            one if one.decision_id else one.of_decision(self._decision_of(one.generation))
            for one in news
        ]
        self._follower.take(named, is_ending=self._is_over)
        self._recent.extend(one.id for one in named)
        self._taken_to = max(self._taken_to or 0, named[-1].id)
        return len(rows) == PORTION

    def _decision_of(self, generation: int | None) -> str | None:
        """Return the decision behind a life; a life never changes its decision."""
        if generation is None or self._reader is None:
            return None
        if generation not in self._decisions:
            life = self._reader.life(generation)
            if life is None:
                return None
            if len(self._decisions) >= DECISIONS_MAX:
                self._decisions.clear()
            self._decisions[generation] = life.decision_id
        return self._decisions[generation]

    def _failed(self, error: KeeperError) -> None:
        self._let_go()
        if not self._is_failing:
            self._is_failing = True
            self._note(f"the events cannot be followed: {error}")

    def _recovered(self) -> None:
        if self._is_failing:
            self._is_failing = False
            self._note("the events are followed again")

    def _let_go(self) -> None:
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.close()
