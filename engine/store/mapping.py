"""Between the domain's frozen dataclasses and rows: one ``Shape`` per table, exact both ways.

A shape names the columns in order, turns a value into bound parameters and a row as the driver
gives it (text or NUMERIC, 0/1 or booleans) back into the value. Columns and fields share their
names, so a field without a column fails when the shape is made.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields
from decimal import Decimal
from enum import Enum
from types import UnionType
from typing import Any, Generic, TypeVar, get_args, get_type_hints

import sqlalchemy as sa

from engine.domain import canonical
from engine.domain.errors import require
from engine.domain.identity import ClientOrderId
from engine.domain.ledger import Ledger, PastLife
from engine.domain.order import Fill, Order, OrderTerms
from engine.domain.position import LevelState, Life, StopLevel, Zone
from engine.store import tables
from engine.store.exact import to_decimal

T = TypeVar("T")
MORE = "more"
_Convert = Callable[[Any], Any]


def _same(value: Any) -> Any:
    return value


def _readers(hint: Any) -> tuple[_Convert, _Convert]:
    """Return how a value of type ``hint`` is bound and how it is read back."""
    if isinstance(hint, UnionType):
        (hint,) = (arg for arg in get_args(hint) if arg is not type(None))
    if hint is Decimal:
        return _same, to_decimal
    if hint is bool:
        return _same, bool
    if hint is ClientOrderId:
        return str, _client_id
    if hint is Zone:
        return _zone_text, _zone
    if isinstance(hint, type) and issubclass(hint, Enum):
        members = {member.value: member for member in hint}
        return lambda value: value.value, members.__getitem__
    require(hint in (int, str), f"no column for {hint!r}")
    return _same, _same


def _client_id(text: str) -> ClientOrderId:
    parsed = ClientOrderId.parse(text)
    require(parsed is not None, f"not one of our order ids: {text!r}")
    assert parsed is not None  # noqa: S101 - for the type checker; require has spoken
    return parsed


def _zone_text(zone: Zone) -> str:
    return canonical.dumps(zone)


def _zone(text: str) -> Zone:
    return canonical.from_plain(Zone, json.loads(text))


class Shape(Generic[T]):
    """How one dataclass lies in the columns of one table.

    A field without a column of its own lies in the table's ``more`` column, as canonical JSON and
    only where it differs from its default: so the domain can learn a field without a migration,
    and rows written before read as if the field had its default.
    """

    def __init__(self, made: type[T], table: sa.Table, skip: Iterable[str] = ()) -> None:
        hints = get_type_hints(made)
        named = {f.name: f for f in fields(made) if f.name not in set(skip)}  # type: ignore[arg-type]  # a dataclass
        own = tuple(name for name in named if name in table.c)
        self._spare = {n: (hints[n], f.default) for n, f in named.items() if n not in table.c}
        require(not self._spare or MORE in table.c, f"no column for {tuple(self._spare)}")
        self.made = made
        self.columns = tuple(table.c[name] for name in (*own, *([MORE] if MORE in table.c else [])))
        pairs = tuple(_readers(hints[name]) for name in own)
        self.fields = tuple(named)
        self._binders = tuple((n, bind) for n, (bind, _) in zip(own, pairs, strict=True))
        self._takers = tuple((n, take) for n, (_, take) in zip(own, pairs, strict=True))
        self._more_at = len(own) if MORE in table.c else None

    def row(self, value: T) -> dict[str, Any]:
        """Return the parameters that bind ``value``."""
        row = {
            name: part if part is None or bind is _same else bind(part)
            for name, bind in self._binders
            for part in (getattr(value, name),)
        }
        if self._more_at is not None:
            spare = {
                name: canonical.to_plain(getattr(value, name), hint)
                for name, (hint, default) in self._spare.items()
                if getattr(value, name) != default
            }
            row[MORE] = canonical.json_text(spare) if spare else None
        return row

    def parts(self, row: Sequence[Any]) -> dict[str, Any]:
        """Return the fields by name, from the first columns of ``row``."""
        parts = {
            name: part if part is None or take is _same else take(part)
            for (name, take), part in zip(self._takers, row, strict=False)
        }
        if self._more_at is not None and row[self._more_at] is not None:
            for name, data in json.loads(row[self._more_at]).items():
                if name in self._spare:
                    parts[name] = canonical.from_plain(self._spare[name][0], data)
        return parts

    def value(self, row: Sequence[Any]) -> T:
        """Return the value ``row`` holds."""
        return self.made(**self.parts(row))


LIFE = Shape(Life, tables.positions)
FILL = Shape(Fill, tables.fills)
LEVEL = Shape(StopLevel, tables.stop_levels)
PAST = Shape(PastLife, tables.past_lives)
SCALARS = Shape(Ledger, tables.ledgers, skip=("life", "orders", "fills", "levels", "past"))
_TERMS = Shape(OrderTerms, tables.orders)
_ORDER = Shape(Order, tables.orders, skip=("terms",))
_TERMS_WIDTH = len(_TERMS.columns)

ORDER_COLUMNS = _TERMS.columns + _ORDER.columns


def order_row(order: Order) -> dict[str, Any]:
    """Return the parameters that bind an order, its id taken apart for those who query."""
    own = order.terms.client_id
    terms, rest = _TERMS.row(order.terms), _ORDER.row(order)
    more = [json.loads(part[MORE]) for part in (terms, rest) if part[MORE] is not None]
    return {
        **terms,
        **rest,
        MORE: canonical.json_text({k: v for part in more for k, v in part.items()})
        if more
        else None,
        "generation": own.generation,
        "role": own.role.value,
        "revision": own.revision,
    }


def order_of(row: Sequence[Any]) -> Order:
    """Return the order in a row of ``ORDER_COLUMNS``."""
    return Order(_TERMS.value(row), **_ORDER.parts(row[_TERMS_WIDTH:]))


def fill_row(fill: Fill, generation: int) -> dict[str, Any]:
    """Return the parameters that bind a fill counted to the life of ``generation``."""
    own = fill.own_id
    role = None if own is None else own.role.value
    return {**FILL.row(fill), "generation": generation, "role": role}


def scalars_row(ledger: Ledger) -> dict[str, Any]:
    """Return the parameters of the ledger's own numbers and of which life is current."""
    life = None if ledger.life is None else ledger.life.generation
    return {**SCALARS.row(ledger), "life_generation": life}


def fold_levels(rows: Iterable[StopLevel]) -> tuple[StopLevel, ...]:
    """Return each level once, in its latest state, in the order of the first proposals.

    ``stop_levels`` is append-only, so a level that was settled has one row per state.
    """
    latest: dict[tuple[int, int, Decimal], StopLevel] = {}
    for level in rows:
        latest[level_key(level)] = level
    return tuple(latest.values())


def level_key(level: StopLevel) -> tuple[int, int, Decimal]:
    """Return what makes two rows speak of the same level."""
    return level.generation, level.revision, level.level


BINDING_STATES = frozenset({LevelState.PROPOSED, LevelState.CONFIRMED})
