"""Exact numbers in both databases: NUMERIC on Postgres, canonical plain text on SQLite.

Text order is not number order, and SQLAlchemy's own ``Numeric`` goes through floats on SQLite.
So a column of this type can be bound, read, and tested for equality; everything that would
order or add its values is refused when the statement is made or run. Sums are made in Python.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, NoReturn

import sqlalchemy as sa
from sqlalchemy.engine import Dialect
from sqlalchemy.sql import operators, visitors
from sqlalchemy.sql.elements import ClauseElement, ColumnElement
from sqlalchemy.types import TypeDecorator, TypeEngine

from engine.domain.errors import InvariantBroken, require
from engine.domain.numbers import plain

ORDERED_DIGITS = 15
"""Decimals of at most 15 significant digits keep their order as IEEE doubles (CAST AS REAL)."""

_PERMITTED = frozenset(
    {
        operators.eq,
        operators.ne,
        operators.is_,
        operators.is_not,
        operators.in_op,
        operators.not_in_op,
    }
)


def refuse(what: str) -> NoReturn:
    """Raise ``InvariantBroken``: the operation has no exact meaning in both databases."""
    raise InvariantBroken(f"{what} on an exact number: text order is not number order")


class Exact(TypeDecorator[Decimal]):
    """A finite ``Decimal``; ``digits`` bounds its significant digits (0: no bound)."""

    impl = sa.Numeric
    cache_ok = True

    def __init__(self, digits: int = 0) -> None:
        super().__init__()
        self.digits = digits

    class Comparator(TypeDecorator.Comparator[Decimal]):
        """Equality and membership, nothing else."""

        def operate(self, op: Any, *other: Any, **kwargs: Any) -> ColumnElement[Any]:
            """Pass equality on; refuse the rest."""
            if op not in _PERMITTED:
                refuse(getattr(op, "__name__", str(op)))
            return super().operate(op, *other, **kwargs)

        def reverse_operate(self, op: Any, other: Any, **kwargs: Any) -> ColumnElement[Any]:
            """Refuse arithmetic with the column on the right."""
            refuse(getattr(op, "__name__", str(op)))

    comparator_factory = Comparator

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Return text on SQLite, NUMERIC elsewhere."""
        if dialect.name == "sqlite":
            return dialect.type_descriptor(sa.Text())
        return dialect.type_descriptor(sa.Numeric())

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> Any:
        """Return the value as the database keeps it."""
        if value is None:
            return None
        check_exact(value, self.digits)
        return plain(value) if dialect.name == "sqlite" else value

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:
        """Return the exact ``Decimal``."""
        return None if value is None else to_decimal(value)


def ordered() -> Exact:
    """Return the type of prices, levels and quantities: at most 15 significant digits."""
    return Exact(ORDERED_DIGITS)


def check_exact(value: object, digits: int) -> None:
    """Raise ``InvariantBroken`` unless ``value`` is a finite Decimal within ``digits``."""
    require(isinstance(value, Decimal), f"{value!r} is not a Decimal")
    number = Decimal(str(value))
    require(number.is_finite(), f"{value!r} is not a finite number")
    if digits:
        used = len(number.normalize().as_tuple().digits)
        require(used <= digits, f"{value!r} has more than {digits} significant digits")


def to_decimal(value: object) -> Decimal:
    """Return what a driver gave for an exact number as ``Decimal``."""
    return value if isinstance(value, Decimal) else Decimal(str(value))


def refuse_ordering(statement: ClauseElement) -> None:
    """Raise ``InvariantBroken`` when a SELECT orders, groups or aggregates by an exact number."""
    for element in visitors.iterate(statement):
        if isinstance(element, sa.Select):
            for clause in (*element._order_by_clauses, *element._group_by_clauses):  # noqa: SLF001
                if any(_is_exact(part) for part in visitors.iterate(clause)):
                    refuse("ORDER BY or GROUP BY")
        elif isinstance(element, sa.sql.functions.FunctionElement) and any(
            _is_exact(part) for part in element.clauses
        ):
            refuse(f"{getattr(element, 'name', 'a function')}()")


def _is_exact(element: Any) -> bool:
    return isinstance(getattr(element, "type", None), Exact)
