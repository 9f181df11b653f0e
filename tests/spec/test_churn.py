"""A keeper that goes round in circles is stopped by counting its orders (H4; lessons 10, 47)."""

from __future__ import annotations

import pytest

from engine.domain.condition import Condition
from engine.domain.terms import ActionClass
from engine.exchange.churn import CAPS, HOUR_MS, MINUTE_MS, Churn, after_placing
from engine.vitals import troubles
from tests.builders import NOW, a_situation

ENTER, MANAGE = ActionClass.ENTER, ActionClass.MANAGE


def placed(kind: ActionClass, *ago_ms: int) -> Churn:
    """Return the state after orders of that class were placed that long ago."""
    state = Churn()
    for gone_ms in ago_ms:
        state = after_placing(state, kind, NOW - gone_ms)
    return state


@pytest.mark.parametrize("kind", [ENTER, MANAGE])
def test_the_cap_of_a_minute_is_reached_by_as_many_orders(kind: ActionClass) -> None:
    most, _ = CAPS[kind]

    assert not placed(kind, *[1_000] * (most - 1)).is_over(kind, NOW)
    assert placed(kind, *[1_000] * most).is_over(kind, NOW)
    assert not placed(kind, *[MINUTE_MS] * most).is_over(kind, NOW)


@pytest.mark.parametrize("kind", [ENTER, MANAGE])
def test_the_cap_of_an_hour_counts_what_is_spread_over_it(kind: ActionClass) -> None:
    _, most = CAPS[kind]
    spread = [HOUR_MS - 1 - n * (HOUR_MS - MINUTE_MS) // most for n in range(most)]

    assert placed(kind, *spread).is_over(kind, NOW)
    assert not placed(kind, *spread[1:]).is_over(kind, NOW)
    assert not placed(kind, *spread).is_over(kind, NOW + MINUTE_MS)


def test_each_class_has_its_own_count() -> None:
    state = placed(ENTER, *[1_000] * CAPS[ENTER][0])

    assert state.over(NOW) == (ENTER,)
    assert Churn().over(NOW) == ()


@pytest.mark.parametrize("kind", [ActionClass.PROTECT, ActionClass.RECONCILE])
def test_protection_is_neither_counted_nor_capped(kind: ActionClass) -> None:
    """RULES H4: whatever goes round, a stop leaves."""
    state = placed(kind, *[1] * 1_000)

    assert state == Churn()
    assert not state.is_over(kind, NOW)


def test_what_is_older_than_an_hour_or_ahead_of_a_clock_set_back_is_forgotten() -> None:
    state = placed(ENTER, HOUR_MS, -5_000)

    assert after_placing(state, ENTER, NOW).placed == ((ENTER, NOW),)


def test_it_is_an_alarm() -> None:
    """Lesson 10: reaching a cap means that something does not converge."""
    told = dict(troubles(a_situation(condition=Condition(churned=(MANAGE,)))))

    assert "manage" in told["churn"]
