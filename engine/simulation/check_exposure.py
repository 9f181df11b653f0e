"""Judge D1 and B3: nothing of ours can ever make the position larger than the decision said.

What could still execute counts like what did: an entry that rests beside its own replacement is a
breach although neither has filled.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from engine.domain.identity import OrderRole
from engine.domain.numbers import plain
from engine.simulation.checkers import Finding, History, Judgement
from engine.simulation.cover import ZERO, Picture
from engine.simulation.given import Inbox
from engine.simulation.log import Filled, Placed

STOPS_MAX = 3
"""So many own quantity stops of one life may rest (RULES B3, C4)."""


def exposure(history: History, inbox: Inbox | None = None) -> Judgement:
    """Judge what rests and what executed after every event.

    Entries of one life, executed and resting, never exceed the first one's quantity, which costs
    no more than the decision's size; entries of two lives never rest together; own quantity stops
    are three at most.
    """
    findings: list[Finding] = []
    executed: dict[int, Decimal] = {}
    allowed: dict[int, Decimal] = {}
    checked = 0
    for picture in history.pictures():
        event = picture.cause
        if isinstance(event, Filled) and (own := event.own_id) and own.role is OrderRole.ENTRY:
            executed[own.generation] = executed.get(own.generation, ZERO) + event.quantity
        if not isinstance(event, Placed) or (own := event.own_id) is None:
            continue
        checked += 1
        if own.role is OrderRole.ENTRY:
            quantity = event.quantity or ZERO
            if own.generation not in allowed:
                allowed[own.generation] = quantity
                findings += _too_large(event, inbox)
            findings += _beside_others(picture, event, executed, allowed[own.generation])
        findings += _too_many_stops(picture, event)
    return Judgement(
        "exposure", checked, tuple(findings), f"{checked} own orders, {len(findings)} too many"
    )


def _too_large(entry: Placed, inbox: Inbox | None) -> Iterator[Finding]:
    own = entry.own_id
    if own is None or inbox is None or entry.price is None or entry.quantity is None:
        return
    if own.revision > 1:
        return  # a chase: its price is another, its quantity what the first one's was
    given = inbox.named(own.decision_hash, entry.at_ms)
    cost = entry.quantity * entry.price
    if given is not None and cost > given.size:
        text = f"{entry.client_id} costs {plain(cost)} where {plain(given.size)} was decided"
        yield Finding(entry.at_ms, text)


def _beside_others(
    picture: Picture, entry: Placed, executed: dict[int, Decimal], allowed: Decimal
) -> Iterator[Finding]:
    own = entry.own_id
    if own is None:
        return
    resting = [(o, o.own_id) for o in picture.own(OrderRole.ENTRY)]
    rest = sum(
        (
            (o.terms.quantity or ZERO) - o.executed
            for o, its in resting
            if its is not None and its.generation == own.generation
        ),
        ZERO,
    )
    done = executed.get(own.generation, ZERO)
    if rest + done > allowed:
        text = f"{entry.client_id}: {plain(done)} executed and {plain(rest)} resting"
        yield Finding(entry.at_ms, f"{text} of {plain(allowed)}")
    for other, its in resting:
        if its is not None and its.generation != own.generation:
            text = f"{entry.client_id} rests beside {other.terms.client_id} of another life"
            yield Finding(entry.at_ms, text)


def _too_many_stops(picture: Picture, placed: Placed) -> Iterator[Finding]:
    own = placed.own_id
    if own is None or own.role is not OrderRole.STOP_PRIMARY:
        return
    same = [
        o
        for o in picture.own(OrderRole.STOP_PRIMARY)
        if (its := o.own_id) is not None and its.generation == own.generation and o.status == "NEW"
    ]
    if len(same) > STOPS_MAX:
        yield Finding(placed.at_ms, f"{placed.client_id} is one of {len(same)} stops resting")
