"""What differs between the ledger a tick recalled and the one it wants recalled next; pure.

Only differences are written, so a tick in which nothing changed writes nothing. Orders are
grouped by class, because protection is committed first and alone (RULES G5).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from engine.domain.ledger import Ledger, PastLife
from engine.domain.order import Fill, Order
from engine.domain.position import Life, StopLevel
from engine.domain.terms import ActionClass
from engine.store.mapping import SCALARS, level_key

T = TypeVar("T")
K = TypeVar("K", bound=Hashable)

CLASSES = (ActionClass.PROTECT, ActionClass.RECONCILE, ActionClass.MANAGE, ActionClass.ENTER)
"""The order in which intents are committed."""


@dataclass(frozen=True, slots=True)
class Entry(Generic[T]):
    """One changed entry of the ledger with its place there, and what it was before."""

    value: T
    index: int
    was: T | None


@dataclass(frozen=True, slots=True)
class Changes:
    """Every difference, ready to be written."""

    scalars: bool = False
    life: Life | None = None
    life_was: Life | None = None
    ended: tuple[Life, PastLife | None] | None = None
    orders: dict[ActionClass, list[Entry[Order]]] = field(default_factory=dict)
    orders_gone: tuple[str, ...] = ()
    fills: tuple[Entry[Fill], ...] = ()
    fills_gone: tuple[str, ...] = ()
    levels: tuple[Entry[StopLevel], ...] = ()
    past: tuple[PastLife, ...] = ()
    past_gone: tuple[int, ...] = ()

    @property
    def are_none(self) -> bool:
        """Return whether there is nothing to write."""
        return not (
            self.scalars
            or self.life is not None
            or self.ended is not None
            or self.orders
            or self.orders_gone
            or self.fills
            or self.fills_gone
            or self.levels
            or self.past
            or self.past_gone
        )


NONE = Changes()


def changes(before: Ledger, after: Ledger) -> Changes:
    """Return what must be written so that ``after`` is recalled where ``before`` was."""
    if before is after:
        return NONE
    orders, orders_gone = _moved(before.orders, after.orders, _order_key)
    fills, fills_gone = _moved(before.fills, after.fills, _fill_key)
    levels, _ = _moved(before.levels, after.levels, level_key)
    past, past_gone = _moved(before.past, after.past, _past_key)
    by_class: dict[ActionClass, list[Entry[Order]]] = {}
    for entry in orders:
        by_class.setdefault(_class_of(entry.value), []).append(entry)
    life_was = _same_life(before, after.life)
    return Changes(
        scalars=_scalars(before) != _scalars(after),
        life=None if after.life == life_was else after.life,
        life_was=life_was,
        ended=_ended(before, after),
        orders=by_class,
        orders_gone=tuple(orders_gone),
        fills=tuple(fills),
        fills_gone=tuple(fills_gone),
        levels=tuple(e for e in levels if e.value != e.was),
        past=tuple(e.value for e in past if e.value != e.was),
        past_gone=tuple(past_gone),
    )


def _same_life(before: Ledger, life: Life | None) -> Life | None:
    was = before.life
    return was if was and life and was.generation == life.generation else None


def _ended(before: Ledger, after: Ledger) -> tuple[Life, PastLife | None] | None:
    """Return the life the ledger let go of, with what later lives keep of it."""
    was = before.life
    if was is None or (after.life is not None and after.life.generation == was.generation):
        return None
    kept = next((p for p in after.past if p.generation == was.generation), None)
    return was, kept


def _moved(
    before: tuple[T, ...],
    after: tuple[T, ...],
    key: Callable[[T], K],
) -> tuple[list[Entry[T]], list[K]]:
    """Return entries that are new, changed or in another place, and the keys that are gone."""
    if before is after or before == after:
        return [], []
    places = {key(item): (index, item) for index, item in enumerate(before)}
    changed = []
    for index, item in enumerate(after):
        place, was = places.pop(key(item), (-1, None))
        if place != index or was != item:
            changed.append(Entry(item, index, was))
    return changed, list(places)


def _class_of(order: Order) -> ActionClass:
    """Return with which class an order is committed.

    A stop goes with its level and its life, whatever asked for it: after a crash between two
    transactions the level would bind (RULES F3) while nothing carries it, and the life be empty.
    """
    return ActionClass.PROTECT if order.role.is_stop else order.action_class


def _order_key(order: Order) -> str:
    return str(order.terms.client_id)


def _fill_key(fill: Fill) -> str:
    return fill.fill_id


def _past_key(past: PastLife) -> int:
    return past.generation


def _scalars(ledger: Ledger) -> tuple[object, ...]:
    life = None if ledger.life is None else ledger.life.generation
    return (life, *(getattr(ledger, name) for name in SCALARS.fields))


def new_orders(found: Iterable[Entry[Order]]) -> list[Order]:
    """Return the orders that were not in the ledger before."""
    return [entry.value for entry in found if entry.was is None]
