"""The life of an order is one table: which word moves it where (RULES C1, style 3.7)."""

from __future__ import annotations

import pytest

from engine.domain.errors import InvariantBroken
from engine.domain.order import OrderStatus as S
from engine.domain.order_life import NEXT_STATUS, WORDS, next_status
from tests.builders import a_filled_entry, a_floor, a_stop, an_entry, d, ids, table

MOVES = table("""
status            word              next              why
intended          working           working           the first positive word
unknown           working           working           an order of unknown fate was found
working           triggering        triggering        its trigger was reached
triggering        triggered         triggered         its child was placed
triggered         filled            filled            its child executed
working           cancelled         cancelled         somebody cancelled it
cancelled         filled            filled            the fill won the race with our cancel
cancelled         working           cancelled         a stale list does not revive it
filled            cancelled         filled            nothing undoes an execution
filled            working           filled            nor does a stale list
triggered         working           triggered         a younger word is not taken back
partially_filled  working           partially_filled  nor is a part
partially_filled  expired           expired           the remainder ended
rejected          cancelled         rejected          the first final word stays
""")


@pytest.mark.parametrize("row", MOVES, ids=ids(MOVES))
def test_a_word_moves_an_order_as_the_table_says(row: list[str]) -> None:
    """RULES C1: lists of different age must not make an order jump back and forth."""
    status, word, after, _ = row

    assert next_status(S(status), S(word)) is S(after)


def test_the_table_is_complete() -> None:
    """Style 3.7: a missing pair is an error, so there must be none."""
    assert set(NEXT_STATUS) == {(status, word) for status in S for word in WORDS}


def test_a_final_status_leaves_only_toward_filled() -> None:
    """Lesson 33: an order resolved as dead that then executed is an execution."""
    changes = {
        (status, word, after)
        for (status, word), after in NEXT_STATUS.items()
        if status.is_final and after is not status
    }

    assert changes == {(s, S.FILLED, S.FILLED) for s in (S.CANCELLED, S.REJECTED, S.EXPIRED)}


def test_what_is_no_word_of_the_exchange_is_an_error() -> None:
    """INTENDED and UNKNOWN are ours: the exchange never says them."""
    for no_word in (S.INTENDED, S.UNKNOWN):
        with pytest.raises(InvariantBroken):
            next_status(S.WORKING, no_word)


def test_a_status_is_final_resting_or_unresolved_and_only_one_of_them() -> None:
    """Every status says whether the exchange may still execute the order."""
    for status in S:
        order = an_entry(status=status)
        assert [status.is_final, status.is_resting, order.is_unresolved].count(True) == 1
        assert order.may_rest is not status.is_final


def test_what_remains_of_an_order() -> None:
    """RULES A4 counts remainders of working entries, not of those that ended."""
    assert an_entry(filled="0.004").quantity_remaining == d("0.009")
    assert a_filled_entry().quantity_remaining == d(0)
    assert a_floor().quantity_remaining == d(0)
    assert an_entry(filled="0.020").quantity_remaining == d(0)


def test_a_doubtful_order_is_not_confirmed() -> None:
    """RULES C1: doubt is neither presence nor absence."""
    doubtful = a_stop(doubtful_since_ms=1)

    assert not doubtful.is_confirmed_resting
    assert doubtful.may_rest
