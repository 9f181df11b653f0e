"""Where a life stands, as people read it (RULES A5: from the first armed stop to a clean book)."""

from __future__ import annotations

from typing import Any

import pytest

from engine.domain.order import Order
from engine.domain.position import ExitReason
from engine.domain.terms import Phase
from tests.builders import NOW, a_filled_entry, a_ledger, a_life, a_stop, an_entry

LIVES: list[tuple[Phase, dict[str, Any], tuple[Order, ...]]] = [
    (Phase.ARMING, {"quantity": 0}, (a_stop(),)),
    (Phase.ENTERING, {"quantity": 0}, (a_stop(), an_entry())),
    (Phase.OPEN, {}, (a_stop(), a_filled_entry())),
    (Phase.CLOSING, {"closing": ExitReason.EMERGENCY}, (a_stop(), a_filled_entry())),
    (Phase.SWEEPING, {"closed_ms": NOW}, (a_stop(),)),
    (Phase.FLAT, {"closed_ms": NOW - 9, "swept_ms": NOW}, ()),
]


@pytest.mark.parametrize(("phase", "life", "orders"), LIVES, ids=[x[0].value for x in LIVES])
def test_a_life_has_one_phase_at_a_time(
    phase: Phase, life: dict[str, Any], orders: tuple[Order, ...]
) -> None:
    """RULES A5: it ends with a clean book, not with the position."""
    assert a_ledger(a_life(**life), orders).phase is phase


def test_without_a_life_the_phase_is_flat() -> None:
    """RULES A5: nothing is armed."""
    assert a_ledger().phase is Phase.FLAT
