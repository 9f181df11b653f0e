"""Money is counted exactly, in every thread, and never together with a float (RULES E2)."""

from __future__ import annotations

import decimal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest

from engine.domain.numbers import install_decimal_rules


@pytest.fixture
def own_rules() -> Iterator[None]:
    """Give decimal rules that end with the test."""
    before = decimal.DefaultContext.copy()
    with decimal.localcontext():
        yield
    decimal.DefaultContext.prec = before.prec
    decimal.DefaultContext.traps = before.traps


def a_mixture() -> bool:
    return Decimal("0.1") < 0.2


@pytest.mark.usefixtures("own_rules")
def test_a_float_beside_money_is_an_error_in_this_and_in_every_later_thread() -> None:
    """RULES E2: rounding has a direction; a float has rounded before anybody named one."""
    assert a_mixture()

    install_decimal_rules()

    with pytest.raises(decimal.FloatOperation):
        a_mixture()
    with ThreadPoolExecutor(1) as later, pytest.raises(decimal.FloatOperation):
        later.submit(a_mixture).result()


@pytest.mark.usefixtures("own_rules")
def test_a_third_has_the_digits_that_price_times_quantity_needs() -> None:
    """RULES E2: 34 digits in this and in every later thread."""
    install_decimal_rules()

    with ThreadPoolExecutor(1) as later:
        third = later.submit(lambda: Decimal(1) / 3).result()

    assert third == Decimal(1) / 3 == Decimal("0." + "3" * 34)
