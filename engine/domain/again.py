"""A pure function that is asked the very same as last time gives the very same answer.

In the steady state a tick looks at the values of the tick before: the ledger that nothing changed,
the lists an answer repeated. For functions of immutable values and of nothing else; nobody can
tell whether it was computed again.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from operator import is_
from typing import Any, TypeVar, cast

Pure = TypeVar("Pure", bound=Callable[..., Any])


def last_answer(function: Pure) -> Pure:
    """Let ``function``, called by position, remember its last answer, and what it was asked."""
    last: tuple[tuple[object, ...], Any] | None = None

    @wraps(function)
    def answer(*asked: object) -> Any:
        nonlocal last
        known = last
        if known is None or not all(map(is_, known[0], asked)):
            known = last = asked, function(*asked)
        return known[1]

    return cast("Pure", answer)
