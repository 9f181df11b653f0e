"""Where a keeper can die: at every call through its two ports, and between two statements of one.

A call is one request to the exchange or one call of the store; a statement is one that the store
writes with, its BEGIN and COMMIT among them. Death comes before a call took effect, or after it
with its answer lost; a death after the answer is a death before the next call, because nothing
outside the two ports changes anything. Death is no ``Exception``: nothing in the keeper may catch
it, and everything the keeper held is abandoned.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Concatenate, ParamSpec, TypeVar

from engine.store.connect import Desk
from engine.store.statements import watch_statements
from engine.store.store import Store

P = ParamSpec("P")
T = TypeVar("T")


class Killed(BaseException):
    """The process is gone, in the middle of what it was doing."""


@dataclass(slots=True)
class Frost:
    """A process that will stand still ``calls`` calls from now (0: at the next), as SIGSTOP does.

    Before that call takes effect or, with ``is_after``, before its answer is read; ``stand_still``
    returns when it wakes. Where ``is_sending`` only requests that change something are counted.
    """

    calls: int
    is_after: bool
    stand_still: Callable[[], object]
    is_sending: bool = False

    def counts(self, name: tuple[str, ...]) -> bool:
        """Return whether the call of this name is one of those counted."""
        return not self.is_sending or name[0] in ("POST", "DELETE")


@dataclass(slots=True)
class Mortality:
    """Counts calls and ends the life at the one that was chosen; ``calls`` never goes back.

    ``dies_in`` is how many more calls begin before death, None for a life that goes on;
    ``is_after`` lets that last call take effect, its answer being lost. ``heard`` is told the name
    of each call before it begins. ``frost`` is a freeze to come: the process stands still at a call
    and goes on with it.
    """

    calls: int = 0
    dies_in: int | None = None
    is_after: bool = False
    frost: Frost | None = None
    heard: Callable[[tuple[str, ...]], object] | None = field(default=None, repr=False)
    under_way: tuple[str, ...] = field(default=("",), repr=False)

    def doom(self, dies_in: int, *, is_after: bool) -> None:
        """Let the call ``dies_in`` calls from now (0: the next) be the last."""
        self.dies_in, self.is_after = dies_in, is_after

    def spare(self) -> None:
        """Forget a death or a freeze that did not come to pass."""
        self.dies_in = self.frost = None

    def begin(self, *name: str) -> None:
        """Note that a call begins; raises ``Killed`` when it must not take effect."""
        self.calls += 1
        if self.heard is not None:
            self.heard(name)
        self.under_way = name
        frost = self.frost
        if frost is not None and frost.counts(name) and frost.calls == 0 and not frost.is_after:
            self._freeze(frost)
        if self.dies_in == 0 and not self.is_after:
            self.dies_in = None
            raise Killed

    def end(self) -> None:
        """Note that a call took effect; raises ``Killed`` when its answer must be lost."""
        if self.frost is not None and self.frost.counts(self.under_way):
            if self.frost.calls == 0:
                self._freeze(self.frost)
            else:
                self.frost.calls -= 1
        if self.dies_in is None:
            return
        if self.dies_in == 0:
            self.dies_in = None
            raise Killed
        self.dies_in -= 1

    def _freeze(self, frost: Frost) -> None:
        self.frost = None  # what others call meanwhile is not counted
        frost.stand_still()


def _mortal(
    method: Callable[Concatenate[Any, P], T],
) -> Callable[Concatenate[MortalStore, P], T]:
    """Return the store's method as a call that may be the last."""

    def call(self: MortalStore, /, *args: P.args, **named: P.kwargs) -> T:
        self.mortality.begin("store", method.__name__)
        result = method(self, *args, **named)
        self.mortality.end()
        return result

    call.__doc__ = method.__doc__
    return call


class MortalStore(Store):
    """A store whose every call may be the last of the process that makes it.

    Reads change nothing, so a death at one is a death at the next call; of them only ``recall``
    counts, with which a tick begins.
    """

    def __init__(self, desk: Desk, mortality: Mortality) -> None:
        super().__init__(desk)
        self.mortality = mortality

    recall = _mortal(Store.recall)
    record_intent = _mortal(Store.record_intent)
    record_outcomes = _mortal(Store.record_outcomes)
    add_halt = _mortal(Store.add_halt)
    clear_halts = _mortal(Store.clear_halts)
    finish_command = _mortal(Store.finish_command)
    set_state = _mortal(Store.set_state)
    add_equity = _mortal(Store.add_equity)
    note = _mortal(Store.note)
    beat = _mortal(Store.beat)


def count_statements(desk: Desk, mortality: Mortality) -> None:
    """Let every statement that a store writes with be a call of ``mortality``.

    Death before a statement leaves its transaction open, and whoever opens the database next finds
    it undone; death before a COMMIT too.
    """
    watch_statements(desk, lambda text: mortality.begin("statement", text), mortality.end)
