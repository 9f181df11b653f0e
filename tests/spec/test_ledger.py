"""What a ledger answers about itself, and that asking leaves no trace in it."""

from __future__ import annotations

from dataclasses import replace

from engine.domain import canonical
from engine.domain.identity import OrderRole
from tests.builders import a_floor, a_ledger, a_life, a_stop, an_entry


def test_orders_are_found_by_generation_and_role() -> None:
    """RULES G3: another life's orders carry another generation."""
    stop, entry, floor = a_stop(), an_entry(), a_floor()
    ledger = a_ledger(a_life(), (stop, entry, floor, a_stop(generation=7)))

    assert ledger.of_life() == (stop, entry, floor)
    assert ledger.of_life(OrderRole.ENTRY) == (entry,)
    assert ledger.of_life(OrderRole.STOP_FLOOR, OrderRole.STOP_PRIMARY) == (stop, floor)
    assert ledger.of_life(OrderRole.TP1) == ()
    assert replace(ledger, life=None).of_life() == ()


def test_a_ledger_made_of_another_finds_its_own_orders() -> None:
    """What was found before belongs to the ledger it was found in."""
    before = a_ledger(a_life(), (a_stop(),))
    assert before.of_life(OrderRole.ENTRY) == ()

    after = before.with_order(an_entry())

    assert after.of_life(OrderRole.ENTRY) == (an_entry(),)
    assert before.of_life(OrderRole.ENTRY) == ()


def test_looking_something_up_changes_nothing_that_is_compared_shown_or_recorded() -> None:
    """Two equal ledgers have one text and one digest, whatever was asked of either."""
    asked, untouched = (a_ledger(a_life(), (a_stop(), an_entry())) for _ in range(2))

    asked.of_life(OrderRole.ENTRY)

    assert asked == untouched
    assert repr(asked) == repr(untouched)
    assert canonical.dumps(asked) == canonical.dumps(untouched)
