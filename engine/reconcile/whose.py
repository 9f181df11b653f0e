"""Whose position appears while nothing of ours is known to have filled (RULES G1, lesson 17).

Only executions of own entries explain a position of ours. An armed stop explains nothing, and an
entry that the exchange itself ended with nothing executed does not either. While an entry works, or
may have executed unseen, a position of its side counts as ours until trades name somebody: cover
comes first (RULES C2, A4).
"""

from __future__ import annotations

from decimal import Decimal
from typing import assert_never

from engine.domain.identity import OrderRole
from engine.domain.ledger import Ledger
from engine.domain.numbers import ZERO
from engine.domain.order import Fill, Order
from engine.domain.position import Life, Origin, PositionReport
from engine.reconcile.orders import is_assumed_dead


def is_somebodys(ledger: Ledger, life: Life, read: PositionReport) -> bool:
    """Return whether a position beside a life that has not opened is certainly not ours."""
    if read.side is not life.side:
        return True
    entries = ledger.of_life(OrderRole.ENTRY)
    if any(o.quantity_filled > 0 or o.quantity_untold > 0 for o in entries):
        return False
    if all(_never_executed(o) for o in entries):
        return True
    return _theirs(ledger, life, entries) >= read.quantity


def own_fills(ledger: Ledger, life: Life) -> tuple[Fill, ...]:
    """Return the trades since arming that are, or may be, executions of ours."""
    entries = ledger.of_life(OrderRole.ENTRY)
    return tuple(f for f in ledger.fills if not _is_theirs(f, life, entries))


def tells_all(ledger: Ledger, life: Life) -> bool:
    """Return whether the trades we know begin with the entry, so that their sum means something.

    An imported life's trades do when they show its own entry (RULES C2: own entries and all later
    fills); somebody else's never do.
    """
    match life.origin:
        case Origin.DECISION:
            return bool(ledger.fills)
        case Origin.IMPORTED:
            return any(
                (own := f.own_id) is not None
                and own.role is OrderRole.ENTRY
                and own.generation == life.generation
                for f in ledger.fills
            )
        case Origin.ORPHAN:
            return False
        case _:
            assert_never(life.origin)


def until_flat(ledger: Ledger, life: Life) -> tuple[Fill, ...]:
    """Return the life's trades: none of somebody's that came after its position was gone.

    Closed and opened again between two looks, the position has the same side, and is another's.
    """
    if not tells_all(ledger, life):
        return ledger.fills
    entries = ledger.of_life(OrderRole.ENTRY)
    held, was_open = ZERO, False
    for index, fill in enumerate(ledger.fills):
        held += fill.signed_quantity * life.side.sign
        was_open = was_open or held > 0
        later = ledger.fills[index + 1 :]
        if was_open and held <= 0 and all(_is_theirs(f, life, entries) for f in later):
            return ledger.fills[: index + 1]
    return ledger.fills


def _never_executed(entry: Order) -> bool:
    """Return whether the exchange's own last word is that nothing executed.

    What we only concluded to be dead may still come back (RULES B3).
    """
    return entry.status.is_final and not is_assumed_dead(entry)


def _theirs(ledger: Ledger, life: Life, entries: tuple[Order, ...]) -> Decimal:
    """Return the position that trades of others alone add up to, on the life's side."""
    return sum(
        (
            fill.signed_quantity * life.side.sign
            for fill in ledger.fills
            if _is_theirs(fill, life, entries)
        ),
        ZERO,
    )


def _is_theirs(fill: Fill, life: Life, entries: tuple[Order, ...]) -> bool:
    """Return whether a trade is certainly not ours: named so, or of no order that opens for us."""
    if fill.client_id:
        return fill.own_id is None
    if fill.side is not life.side.opening:
        return False
    return all(o.exchange_id is not None or o.code != 0 for o in entries)
