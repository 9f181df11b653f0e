"""A Postgres connection on which no wait is endless.

A server that hangs, or a network that swallows its words, answers nothing: its own timeouts do not
help then. Past the patience the connection is given up whole, because nobody knows in which state
the server is.
"""

from __future__ import annotations

from typing import Any, TypeVar

import psycopg
from psycopg.abc import PQGen
from psycopg.rows import TupleRow

T = TypeVar("T")


class BoundedConnection(psycopg.Connection[TupleRow]):
    """psycopg's connection with a patience for every wait; None waits as long as it takes."""

    patience_s: float | None = 5.0

    def wait(self, gen: PQGen[T], interval: float = 0.1, timeout: float | None = None) -> T:
        """Wait for one answer; raises ``OperationalError`` when it does not come in time."""
        patience_s = self.patience_s if timeout is None else timeout
        try:
            more: dict[str, Any] = {} if patience_s is None else {"timeout": patience_s}
            return super().wait(gen, interval, **more)
        except psycopg.errors._WaitTimeout as late:  # noqa: SLF001 - how psycopg spells it
            self.pgconn.finish()
            raise psycopg.OperationalError(f"no answer within {patience_s} s") from late
