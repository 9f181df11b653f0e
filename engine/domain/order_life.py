"""The life of an order as one table: which word of the exchange moves it where (RULES C1).

A missing pair is an error; a test says the table is complete. Absence is not a word: an order
missing from a list becomes doubtful, it does not change status.
"""

from __future__ import annotations

from engine.domain.errors import require
from engine.domain.order import OrderStatus as S

WORDS = (
    S.WORKING,
    S.TRIGGERING,
    S.TRIGGERED,
    S.PARTIALLY_FILLED,
    S.FILLED,
    S.CANCELLED,
    S.REJECTED,
    S.EXPIRED,
)

_RANK = {
    S.INTENDED: 0,
    S.UNKNOWN: 0,
    S.WORKING: 1,
    S.TRIGGERING: 2,
    S.TRIGGERED: 3,
    S.PARTIALLY_FILLED: 4,
}


def _next(status: S, word: S) -> S:
    if status is S.FILLED:
        return S.FILLED  # nothing undoes an execution
    if status.is_final:
        # A fill that won the race with our cancel, or a stale read from before the final word.
        return S.FILLED if word is S.FILLED else status
    if word.is_final:
        return word
    # Lists of different age: a younger word is not taken back by an older one.
    return word if _RANK[word] >= _RANK[status] else status


NEXT_STATUS = {(status, word): _next(status, word) for status in S for word in WORDS}


def next_status(status: S, word: S) -> S:
    """Return the status after the exchange said ``word``."""
    require((status, word) in NEXT_STATUS, f"no transition for {status} on {word}")
    return NEXT_STATUS[status, word]
