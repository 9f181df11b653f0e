"""Why a position was uncovered, and how long it may have been: the table of RULES B.

Causes are read from the venue's log. A cause without a bound of its own has the bound 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from engine.domain.identity import ClientOrderId, OrderRole
from engine.domain.numbers import plain
from engine.domain.terms import Phase
from engine.simulation.checkers import STOPS, Finding, History, Window, naked_windows
from engine.simulation.cover import Picture
from engine.simulation.log import Changed, Event, Filled

NO_CAUSE = "none"
STOP_SPENT = "stop_spent"
STOP_REMOVED = "stop_removed"
STOP_FAILED = "stop_failed"
FOREIGN = "foreign_position"
IDLE_LOOK_MS = 10_000
"""How rarely a keeper with nothing at stake looks at the position."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How quick the keeper can be: its interval and the round trip, in milliseconds."""

    interval_ms: int
    round_trip_ms: int

    @property
    def next_look_ms(self) -> int:
        """Return one tick and three round trips."""
        return self.interval_ms + 3 * self.round_trip_ms


@dataclass(frozen=True, slots=True)
class Naked:
    """One uncovered stretch with its cause and its bound."""

    window: Window
    cause: str
    bound_ms: int
    state: str

    @property
    def finding(self) -> Finding | None:
        """Return the breach, None when the stretch is within its bound."""
        if self.window.duration_ms <= self.bound_ms:
            return None
        quantity, lasted = plain(self.window.worst_quantity), self.window.duration_ms / 1000
        text = f"{quantity} without cover for {lasted:g} s, cause {self.cause}, bound "
        return Finding(self.window.from_ms, f"{text}{self.bound_ms / 1000:g} s")


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of time, in venue milliseconds."""

    from_ms: int
    until_ms: int

    def shares_ms(self, window: Window) -> int:
        """Return for how long both lasted at once."""
        return max(min(self.until_ms, window.until_ms) - max(self.from_ms, window.from_ms), 0)


def naked_with_causes(
    history: History, pace: Pace, imposed: Sequence[Span] = ()
) -> tuple[Naked, ...]:
    """Return every uncovered stretch with its cause and its bound.

    ``imposed`` is when the keeper was dead or the exchange out of its reach: that time is added
    to a bound, and one look more after it.
    """
    pictures = history.pictures()
    found: list[Naked] = []
    for window in naked_windows(history):
        first = next(p for p in pictures if p.at_ms == window.from_ms and p.naked_quantity > 0)
        cause = _cause(pictures, first)
        bound_ms = 0
        if cause != NO_CAUSE:
            bound_ms = pace.next_look_ms + _grew_for_ms(pictures, window, pace)
            bound_ms += IDLE_LOOK_MS if cause == FOREIGN else 0
            shared = [span.shares_ms(window) for span in imposed]
            bound_ms += sum(s + pace.next_look_ms for s in shared if s > 0)
        found.append(Naked(window, cause, bound_ms, state_of(first)))
    return tuple(found)


def state_of(picture: Picture) -> str:
    """Return where the life stands, from what rests and is held alone."""
    if picture.position != 0:
        closing = picture.own(OrderRole.EMERGENCY)
        return Phase.CLOSING.value if closing else Phase.OPEN.value
    if picture.own(OrderRole.ENTRY):
        return Phase.ENTERING.value
    own = picture.own()
    if not own:
        return Phase.FLAT.value
    roles = {o.own_id.role for o in own if o.own_id is not None}
    is_arming = roles == {OrderRole.STOP_PRIMARY} and len(own) == 1
    return Phase.ARMING.value if is_arming else Phase.SWEEPING.value


def _grew_for_ms(pictures: Iterable[Picture], window: Window, pace: Pace) -> int:
    """Return for how long the entry went on filling before its cancel arrived: at most one look.

    Each part that fills is uncovered from its own fill on.
    """
    grew_ms = window.from_ms
    for picture in pictures:
        own = picture.cause.own_id if isinstance(picture.cause, Filled) else None
        is_inside = window.from_ms < picture.at_ms < window.until_ms
        if is_inside and own is not None and own.role is OrderRole.ENTRY:
            grew_ms = picture.at_ms
    return min(grew_ms - window.from_ms, pace.next_look_ms)


def _cause(pictures: Iterable[Picture], first: Picture) -> str:
    """Return what took the cover away, or let the position grow beyond it."""
    cause = first.cause
    if cause is None:
        return STOP_FAILED  # it triggered, and nothing came of it within the grace
    if isinstance(cause, Changed):
        if cause.by == "hand":
            return STOP_REMOVED
        gone = ClientOrderId.parse(cause.client_id)
        has_fired = cause.status in _SPENT and gone is not None and gone.role in STOPS
        return STOP_FAILED if cause.by == "exchange" and has_fired else NO_CAUSE
    own = cause.own_id if isinstance(cause, Filled) else None
    if isinstance(cause, Filled) and own is None:
        # Somebody opened a position of his own, or turned ours around.
        change = cause.quantity if cause.side == "BUY" else -cause.quantity
        return FOREIGN if (cause.position - change) * cause.position <= 0 else NO_CAUSE
    if own is None or own.role is not OrderRole.ENTRY:
        return NO_CAUSE
    # An armed stop fired, at a first part or at nothing, while the entry could still fill (E8).
    is_spent = any(
        _is_spent_stop(picture.cause, own.generation)
        for picture in pictures
        if picture.at_ms <= first.at_ms
    )
    return STOP_SPENT if is_spent else NO_CAUSE


def _is_spent_stop(event: Event | None, generation: int) -> bool:
    if not isinstance(event, Changed) or event.by != "exchange" or event.status not in _SPENT:
        return False
    own = ClientOrderId.parse(event.client_id)
    return own is not None and own.generation == generation and own.role in STOPS


_SPENT = frozenset({"FINISHED", "REJECTED", "EXPIRED"})
