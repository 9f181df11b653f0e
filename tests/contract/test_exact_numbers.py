"""Exact numbers stay exact, and nothing that needs their order is let through."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings

from engine.domain.errors import InvariantBroken
from engine.store.exact import Exact, ordered, refuse_ordering
from engine.store.recall import prepare
from engine.store.tables import orders
from tests.contract.conftest import Shelter
from tests.contract.ledgers import exact

PRICE = orders.c.price
REFUSED: list[tuple[Callable[[], Any], str]] = [
    (lambda: Decimal(1) > PRICE, "less than"),
    (lambda: Decimal(1) <= PRICE, "at least"),
    (lambda: PRICE.between(Decimal(1), Decimal(2)), "between"),
    (lambda: PRICE + Decimal(1), "a sum"),
    (lambda: Decimal(1) - PRICE, "a difference, the other way round"),
    (lambda: -PRICE, "the negative"),
    (PRICE.desc, "descending order"),
    (lambda: refuse_ordering(sa.select(orders).order_by(PRICE)), "ORDER BY"),
    (lambda: refuse_ordering(sa.select(orders.c.side).group_by(PRICE)), "GROUP BY"),
    (lambda: refuse_ordering(sa.select(sa.func.sum(PRICE))), "SUM"),
    (lambda: prepare(sa.select(sa.func.max(PRICE)), "sqlite"), "MAX"),
]


@pytest.mark.parametrize("make", [r[0] for r in REFUSED], ids=[r[1] for r in REFUSED])
def test_what_depends_on_order_is_refused(make: Callable[[], Any]) -> None:
    """On SQLite '9' is above '10': right on one database and wrong on the other."""
    with pytest.raises(InvariantBroken, match="text order is not number order"):
        make()


def test_equality_is_allowed() -> None:
    assert "price =" in str(Decimal(1) == PRICE)
    assert "price IN" in str(PRICE.in_([Decimal(1)]))
    assert "price IS NOT NULL" in str(PRICE.is_not(None))


@pytest.mark.parametrize(
    ("value", "column"),
    [
        (1.5, Exact()),
        (1, Exact()),
        ("1.5", Exact()),
        (Decimal("NaN"), Exact()),
        (Decimal("Infinity"), Exact()),
        (Decimal("1234567890.123456"), ordered()),
    ],
    ids=["a float", "an integer", "text", "NaN", "infinity", "16 digits of a price"],
)
def test_what_is_not_exact_is_refused_when_bound(value: Any, column: Exact) -> None:
    dialect = sa.create_engine("sqlite://").dialect

    with pytest.raises(InvariantBroken):
        column.process_bind_param(value, dialect)


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(exact, exact)
def test_fifteen_digits_keep_their_order_as_doubles(
    shelter: Shelter, one: Decimal, other: Decimal
) -> None:
    """The triggers compare CAST AS REAL on SQLite; a price that lost its last digit could widen."""
    if shelter.kind != "memory":
        return
    if not shelter.opened:
        shelter.fresh()
    raw = shelter.opened[0].desk.raw
    bind = ordered().process_bind_param
    texts = [bind(n, shelter.opened[0].desk.database.dialect) for n in (one, other)]

    (is_less,) = raw.execute("SELECT CAST(? AS REAL) < CAST(? AS REAL)", texts).fetchone()

    assert bool(is_less) == (one < other)
