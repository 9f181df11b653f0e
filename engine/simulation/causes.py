"""Why a position was uncovered, and how long it may have been: the table of RULES B.

The table is ``bounds.toml`` beside this module; causes are read from the venue's log. A cause
without a row of its own has the bound 0.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache
from pathlib import Path

from engine.domain.identity import ClientOrderId, OrderRole
from engine.domain.numbers import plain
from engine.domain.terms import Phase
from engine.simulation.checkers import STOPS, Finding, History, Window, naked_windows
from engine.simulation.cover import Picture
from engine.simulation.log import Changed, Event, Filled
from engine.simulation.refused import Refusals
from engine.simulation.requests import Rhythm, Span

NO_CAUSE = "none"
STOP_SPENT = "stop_spent"
STOP_REMOVED = "stop_removed"
STOP_FAILED = "stop_failed"
NO_STOP_WHILE_FLAT = "no_stop_while_flat"
FOREIGN = "foreign_position"
FOREIGN_BESIDE = "foreign_beside"
STOP_REFUSED = "stop_refused"
MANUAL_ADD = "manual_add"
STOP_UNANSWERED = "stop_unanswered"
_NEVER_CLOSED = (FOREIGN, FOREIGN_BESIDE)
REFUSED_FORMS = 3
"""So many stops in a row without a good answer: primary, floor, and one more of either."""


@dataclass(frozen=True, slots=True)
class Bound:
    """One row of the table; ``what`` is how RULES B words it."""

    fault: str
    what: str
    ticks: int
    round_trips: Decimal
    wait_ms: int

    def ms(self, interval_ms: int, round_trip_ms: int) -> int:
        """Return the bound for this interval and round trip, in milliseconds."""
        return int(self.ticks * interval_ms + self.round_trips * round_trip_ms) + self.wait_ms


@cache
def bounds() -> dict[str, Bound]:
    """Return the table by fault; "look" is what is granted after anything imposed."""
    text = (Path(__file__).parent / "bounds.toml").read_text(encoding="utf-8")
    table = tomllib.loads(text, parse_float=Decimal)
    rows = [{**table["look"], "fault": "look"}, *table["bound"]]
    return {
        row["fault"]: Bound(
            row["fault"],
            row["what"],
            row.get("ticks", 0),
            Decimal(row.get("round_trips", 0)),
            int(Decimal(row.get("wait_s", 0)) * 1000),
        )
        for row in rows
    }


@dataclass(frozen=True, slots=True)
class Pace:
    """How quick the keeper can be: its interval and the round trip, in milliseconds.

    ``rhythm`` tells by how much the tick was stretched when (RULES H4).
    """

    interval_ms: int
    round_trip_ms: int
    rhythm: Rhythm = field(default_factory=Rhythm)

    @property
    def next_look_ms(self) -> int:
        """Return one look of an unstretched tick."""
        return self.of("look", 0)

    def of(self, fault: str, at_ms: int) -> int:
        """Return the bound of a fault that began at this moment."""
        stretched_ms = self.interval_ms * self.rhythm.factor(at_ms, self.interval_ms)
        return bounds()[fault].ms(stretched_ms, self.round_trip_ms)


@dataclass(frozen=True, slots=True)
class Naked:
    """One uncovered stretch with its cause and its bound.

    ``imposed_ms`` is how much of it the keeper was dead or the exchange out of its reach.
    """

    window: Window
    cause: str
    bound_ms: int
    state: str
    imposed_ms: int = 0

    @property
    def finding(self) -> Finding | None:
        """Return the breach, None when the stretch is within its bound."""
        if self.window.duration_ms <= self.bound_ms:
            return None
        quantity, lasted = plain(self.window.worst_quantity), self.window.duration_ms / 1000
        text = f"{quantity} without cover for {lasted:g} s, cause {self.cause}, bound "
        return Finding(self.window.from_ms, f"{text}{self.bound_ms / 1000:g} s")


def naked_with_causes(
    history: History, pace: Pace, imposed: Sequence[Span] = (), refusals: Refusals | None = None
) -> tuple[Naked, ...]:
    """Return every uncovered stretch with its cause and its bound.

    ``imposed`` is when the keeper was dead or the exchange out of its reach: as long as the bound
    has not passed, such a time moves its end to one look after it. ``refusals`` tells which stops
    the exchange did not take.
    """
    pictures = history.pictures()
    found: list[Naked] = []
    for window in naked_windows(history):
        first = next(p for p in pictures if p.at_ms == window.from_ms and p.naked_quantity > 0)
        cause = _cause(pictures, first)
        if cause == NO_CAUSE and refusals is not None:
            cause = _by_refusal(pictures, first, refusals, imposed, pace)
        bound_ms = pace.of(cause, window.from_ms)
        shared_ms = 0
        if cause != NO_CAUSE:
            bound_ms += _grew_for_ms(pictures, window, pace)
            waits: Sequence[Span] = ()
            if refusals is not None and _is_refused(window, refusals):
                bound_ms = max(bound_ms, pace.of(STOP_REFUSED, window.from_ms))
                is_theirs = refusals.are_for_somebody(window.from_ms, window.until_ms)
                if is_theirs or cause in _NEVER_CLOSED:  # what may rest is waited out (C4)
                    wait_ms = bounds()[STOP_UNANSWERED].wait_ms
                    failed = refusals.within(window.from_ms, window.until_ms)
                    waits = [Span(at_ms, at_ms + wait_ms) for at_ms in failed]
            bound_ms = extended(window.from_ms, bound_ms, (*imposed, *waits), pace)
            shared_ms = _shared_ms(window, imposed)
        found.append(Naked(window, cause, bound_ms, state_of(first), shared_ms))
    return tuple(found)


def _is_refused(window: Window, refusals: Refusals) -> bool:
    """Return whether the exchange took none of several stops, in whatever form (F11)."""
    return len(refusals.within(window.from_ms, window.until_ms)) >= REFUSED_FORMS


def extended(from_ms: int, bound_ms: int, imposed: Sequence[Span], pace: Pace) -> int:
    """Move the end of a bound to one look after each imposed time that began before it."""
    until_ms = from_ms + bound_ms
    for span in sorted(imposed, key=lambda one: one.from_ms):
        if span.until_ms > from_ms and span.from_ms <= until_ms:
            until_ms = max(until_ms, span.until_ms + pace.of("look", span.until_ms))
    return until_ms - from_ms


def _shared_ms(window: Window, imposed: Sequence[Span]) -> int:
    """Return how long the window and any imposed time lasted at once."""
    total_ms, done_ms = 0, window.from_ms
    for span in sorted(imposed, key=lambda one: one.from_ms):
        from_ms, until_ms = max(span.from_ms, done_ms), min(span.until_ms, window.until_ms)
        if from_ms < until_ms:
            total_ms, done_ms = total_ms + until_ms - from_ms, until_ms
    return total_ms


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
    return min(grew_ms - window.from_ms, pace.of("look", window.from_ms))


def _by_refusal(
    pictures: Iterable[Picture],
    first: Picture,
    refusals: Refusals,
    imposed: Sequence[Span],
    pace: Pace,
) -> str:
    """Return what explains a fill that found no cover, or too little.

    A refused stop: an entry in fallback mode, an add beside no floor. Or an add by somebody that no
    look has seen when our entry filled: its own stop was still to be told of both.
    """
    filled = first.cause
    if not isinstance(filled, Filled):
        return NO_CAUSE
    own = filled.own_id
    if own is not None:
        if own.role is not OrderRole.ENTRY:
            return NO_CAUSE
        if _was_added_to(pictures, filled, pace.of("look", filled.at_ms)):
            return MANUAL_ADD
        return NO_STOP_WHILE_FLAT if refusals.while_flat(filled.at_ms) else NO_CAUSE
    life = max((its.generation for o in first.own() if (its := o.own_id) is not None), default=0)
    removed = any(
        _is_gone_stop(p.cause, life, "hand", _REMOVED) for p in pictures if p.at_ms <= first.at_ms
    )
    opened_ms = _opened_ms(pictures, life)
    look_ms = extended(opened_ms, pace.of("look", filled.at_ms), imposed, pace)
    is_young = opened_ms + look_ms >= filled.at_ms
    is_missing = removed or is_young or refusals.of_floor(life, filled.at_ms)
    return MANUAL_ADD if is_missing else NO_CAUSE


def _was_added_to(pictures: Iterable[Picture], entry: Filled, look_ms: int) -> bool:
    """Return whether somebody traded the same way less than a look before an entry filled."""
    return any(
        isinstance(p.cause, Filled)
        and p.cause.own_id is None
        and p.cause.side == entry.side
        and entry.at_ms - look_ms <= p.at_ms <= entry.at_ms
        for p in pictures
    )


def _opened_ms(pictures: Iterable[Picture], life: int) -> int:
    """Return when an entry of a life filled first: the floor follows at the next look (F1)."""
    return next(
        (
            p.at_ms
            for p in pictures
            if isinstance(p.cause, Filled)
            and (own := p.cause.own_id) is not None
            and own.role is OrderRole.ENTRY
            and own.generation == life
        ),
        0,
    )


def _cause(pictures: Iterable[Picture], first: Picture) -> str:
    """Return what took the cover away, or let the position grow beyond it."""
    cause = first.cause
    if cause is None:
        return STOP_FAILED  # it triggered, and nothing came of it within the grace
    if isinstance(cause, Changed):
        if cause.by == "hand" or (cause.by == "exchange" and cause.status in _REMOVED):
            return STOP_REMOVED
        gone = ClientOrderId.parse(cause.client_id)
        has_fired = cause.status in _SPENT and gone is not None and gone.role in STOPS
        return STOP_FAILED if cause.by == "exchange" and has_fired else NO_CAUSE
    own = cause.own_id if isinstance(cause, Filled) else None
    if isinstance(cause, Filled) and own is None:
        # Somebody opened a position of his own, or turned ours around.
        change = cause.quantity if cause.side == "BUY" else -cause.quantity
        if (cause.position - change) * cause.position > 0:
            return NO_CAUSE
        return FOREIGN_BESIDE if first.own() else FOREIGN
    if own is None or own.role is not OrderRole.ENTRY:
        return NO_CAUSE
    # An armed stop fired, at a first part or at nothing, while the entry could still fill (E8), or
    # somebody took it away while the entry was on its way.
    events = [p.cause for p in pictures if p.at_ms <= first.at_ms]
    if any(_is_gone_stop(event, own.generation, "exchange", _SPENT) for event in events):
        return STOP_SPENT
    is_removed = any(
        _is_gone_stop(event, own.generation, by, _REMOVED) for event in events for by in _OTHERS
    )
    return STOP_REMOVED if is_removed else NO_CAUSE


def _is_gone_stop(event: Event | None, generation: int, by: str, how: frozenset[str]) -> bool:
    if not isinstance(event, Changed) or event.by != by or event.status not in how:
        return False
    own = ClientOrderId.parse(event.client_id)
    return own is not None and own.generation == generation and own.role in STOPS


_SPENT = frozenset({"FINISHED", "REJECTED", "EXPIRED"})
_REMOVED = frozenset({"CANCELED", "CANCELLED"})
_OTHERS = ("hand", "exchange")
