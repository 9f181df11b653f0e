"""Numbers with more digits than the store orders never reach it (RULES G5, DESIGN 8).

An average price of three trades does not end; a price that the store refuses would look like a
store that is gone: no entries, no stop retired, no target moved, for as long as the position lasts.
"""

from __future__ import annotations

from decimal import Decimal

import pytest

from engine.domain.ledger import Ledger
from engine.domain.limits import BasisPrice, Limits
from engine.domain.observation import Fact
from engine.domain.position import Origin
from engine.domain.terms import Side
from engine.plan.entry_zone import basis_price
from engine.reconcile.life import fold_prices
from engine.reconcile.settle import reconcile
from engine.store.exact import ORDERED_DIGITS, check_exact
from engine.store.store import Store
from tests.builders import (
    LONG,
    NOW,
    SHORT,
    a_decision,
    a_filled_entry,
    a_ledger,
    a_life,
    a_position,
    a_stop,
    an_observation,
    d,
    on,
    report_of,
    seen,
)

ENDLESS = Decimal(272_400) / 3 + Decimal(1) / 3


@pytest.mark.parametrize("side", [LONG, SHORT])
def test_an_endless_average_price_leaves_prices_the_store_takes(side: Side) -> None:
    """RULES F8: a manual add makes the exchange's average 90800.333333333333..."""
    ledger = a_ledger(a_life(side=side, entry_price=ENDLESS))

    life = fold_prices(ledger, seen(ledger, price=on(side, 90_760))).life

    assert life is not None
    assert None not in (life.best_price, life.worst_price)
    check_exact(life.best_price, ORDERED_DIGITS)
    check_exact(life.worst_price, ORDERED_DIGITS)


@pytest.mark.parametrize("side", [LONG, SHORT])
@pytest.mark.parametrize("is_ours", [True, False], ids=["ours", "not ours"])
def test_a_position_without_a_ledger_is_written_down_whatever_it_cost_on_average(
    side: Side, is_ours: bool
) -> None:
    """RULES B4, G1: after losing the store the keeper must be able to write, or it stays stuck."""
    entry = a_filled_entry("0.012", side=side, price=on(side, "90743.3"))
    orders = [a_stop(on(side, 90_380), side=side)] if is_ours else []
    look = an_observation(
        position=a_position("0.012", side, entry_price=ENDLESS),
        reports=[report_of(o) for o in orders],
        price=on(side, 90_760),
        history=Fact((report_of(entry),) if is_ours else (), NOW),
    )
    store = Store.open("sqlite://", account="spec", symbol="BTCUSDT")

    ledger, _ = reconcile(Ledger(), look, Limits())
    store.record_outcomes(NOW, Ledger(), ledger, ())

    assert ledger.life is not None
    assert ledger.life.entry_price == ENDLESS
    assert (ledger.life.origin is Origin.ORPHAN) is not is_ours
    assert store.recall().life == ledger.life
    store.close()


def test_a_weighted_basis_price_is_one_the_store_takes() -> None:
    """RULES E1: a third of one target and two of the other."""
    third = d("0.333333333333333")
    decision = a_decision(tp1=d("91600.1"), tp2=d("92900.7"), tp1_fraction=third)

    price = basis_price(decision, Limits(basis_price=BasisPrice.WEIGHTED))

    assert price is not None
    check_exact(price, ORDERED_DIGITS)
    assert abs(price - d("92467.1666666671")) < d("0.000001")
