"""Judge E4, E5, A4 and B1: cover comes before what needs it, and goes after it.

No rule here asks how long something was uncovered, only in which order things were done: a life
may break every one of them and never be naked, until the one time a fill falls in between.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal

from engine.domain.identity import ClientOrderId, OrderRole
from engine.domain.numbers import plain
from engine.simulation.checkers import STOPS, Finding, History, Judgement
from engine.simulation.cover import ZERO, Picture, Resting
from engine.simulation.log import Changed, Placed
from engine.simulation.requests import Request

ARMED_MS = 1_000
"""A stop confirmed so long ago still permits an entry (RULES E4)."""

LATE_MS = 2_000
"""A request may be executed so long after it was sent (RULES C5)."""

POSITION_PATH = "positionRisk"
_GONE = ("CANCELED", "CANCELLED")


def protection_first(
    history: History,
    requests: Sequence[Request],
    *,
    look_ms: int,
    takes_none: Callable[[int], bool] = lambda _: False,
) -> Judgement:
    """Judge every entry placed, every target placed, and every own stop cancelled by request.

    ``look_ms`` is how long the keeper may not have seen yet what happened; ``takes_none`` tells
    whether the account was known at a moment to take no stop while flat (RULES E9).
    """
    findings: list[Finding] = []
    checked = 0
    pictures = history.pictures()
    late = {r.client_id for r in requests if r.fault == "executed_late"}
    for index, picture in enumerate(pictures):
        event = picture.cause
        if isinstance(event, Placed) and (own := event.own_id) is not None:
            checked += 1
            if own.role is OrderRole.ENTRY and not takes_none(event.at_ms):
                slack_ms = LATE_MS if event.client_id in late else 0
                findings += _unarmed(pictures, index, event, slack_ms)
            waits = own.role.is_target and event.type != "MARKET"  # one that is reached executes
            if own.role is OrderRole.ENTRY or waits:
                findings += _before_cover(pictures, index, event, look_ms)
        elif isinstance(event, Changed) and event.by == "api" and event.status in _GONE and index:
            gone = _stop_of(pictures[index - 1], event)
            if gone is not None:
                checked += 1
                findings += _uncovers(pictures[index - 1], picture, gone)
                findings += _without_proof(pictures, index, gone, requests)
    return Judgement(
        "protection_first", checked, tuple(findings), f"{checked} acts, {len(findings)} too early"
    )


def _stop_of(before: Picture, event: Changed) -> Resting | None:
    gone = next((o for o in before.orders if o.terms.exchange_id == event.exchange_id), None)
    return gone if gone is not None and gone.terms.is_own(*STOPS) else None


def _demand(picture: Picture, sign: int) -> Decimal:
    """Return the position and what working entries of that side may still add (RULES A4)."""
    rest = sum(
        (
            (o.terms.quantity or ZERO) - o.executed
            for o in picture.own(OrderRole.ENTRY)
            if (o.terms.side == "BUY") is (sign > 0)
        ),
        ZERO,
    )
    return max(picture.position * sign, ZERO) + rest


def _cover(picture: Picture, sign: int, demand: Decimal, *, with_floor: bool) -> Decimal:
    """Return how much of ``demand`` resting stops on that side cover.

    While an entry works the primary alone must carry everything; the floor comes on top (A4).
    """
    covered = sum(
        (
            o.covers(demand * sign, picture.at_ms, picture.grace_ms)
            for o in picture.orders
            if with_floor or not o.terms.close_position
        ),
        ZERO,
    )
    return min(covered, demand)


def _unarmed(
    pictures: Sequence[Picture], index: int, entry: Placed, slack_ms: int
) -> Iterator[Finding]:
    """E4, A4: the stop rests, for everything the entry could make of the position."""
    here = pictures[index]
    sign = 1 if entry.side == "BUY" else -1
    demand = _demand(here, sign)
    since_ms = entry.at_ms - ARMED_MS - slack_ms
    best = ZERO
    for picture in reversed(pictures[: index + 1]):
        best = max(best, _cover(picture, sign, demand, with_floor=False))
        if picture.at_ms < since_ms:
            break
    if best < demand:
        text = f"{entry.client_id} could make {plain(demand)}, stops rest for {plain(best)}"
        yield Finding(entry.at_ms, text)


def _before_cover(
    pictures: Sequence[Picture], index: int, placed: Placed, look_ms: int
) -> Iterator[Finding]:
    """B1: while cover is missing, and the keeper could know, nothing else is placed."""
    naked_ms: int | None = None
    for picture in reversed(pictures[: index + 1]):
        if picture.naked_quantity == 0:
            break
        naked_ms = picture.at_ms
    if naked_ms is not None and placed.at_ms - naked_ms > look_ms:
        passed = (placed.at_ms - naked_ms) / 1000
        text = f"{placed.client_id} placed beside a position without cover for {passed:g} s"
        yield Finding(placed.at_ms, text)


def _uncovers(before: Picture, after: Picture, gone: Resting) -> Iterator[Finding]:
    """A4, B1: a cancel leaves cover for the position and for every entry that may still fill."""
    sign = 1 if gone.terms.side == "SELL" else -1
    demand = _demand(after, sign)
    is_final = demand <= abs(after.position)
    had = _cover(before, sign, demand, with_floor=is_final)
    has = _cover(after, sign, demand, with_floor=is_final)
    if has < had:
        text = f"{gone.terms.client_id} cancelled: cover of {plain(demand)} went from {plain(had)}"
        yield Finding(after.at_ms, f"{text} to {plain(has)}")


def _without_proof(
    pictures: Sequence[Picture], index: int, gone: Resting, requests: Sequence[Request]
) -> Iterator[Finding]:
    """E5: the armed stop goes after a position read that is younger than the entry's last word.

    One of several may go before it: those that stay carry all the entry could still have added.
    """
    here, its = pictures[index], gone.own_id
    cancel = here.cause
    if here.position != 0 or its is None or cancel is None:
        return
    sign = 1 if gone.terms.side == "SELL" else -1
    ended: int | None = None
    for at in range(index - 1, -1, -1):
        picture = pictures[at]
        event = picture.cause
        if picture.position != 0:
            return
        if isinstance(event, Changed) and event.by == "api" and event.status in _GONE:
            own = ClientOrderId.parse(event.client_id)
            if own is not None and own.role is OrderRole.ENTRY and own.generation == its.generation:
                ended = event.n
                demand = _demand(pictures[at - 1], sign) if at else ZERO
                if demand and _cover(here, sign, demand, with_floor=False) >= demand:
                    return
                break
    if ended is None:
        return
    reads = (
        r for r in requests if ended < r.n < cancel.n and POSITION_PATH in r.path and r.is_answered
    )
    if next(reads, None) is None:
        text = f"{gone.terms.client_id} cancelled without a look after its entry's last word"
        yield Finding(here.at_ms, text)
