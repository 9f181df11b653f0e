"""Whoever wants to know is told of each statement a database is written with, before and after it.

A COMMIT is a statement, too; reads change nothing and are left out. What ``begin`` raises keeps the
statement from being executed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import event

from engine.store.connect import Desk

_READS = ("SELECT", "PRAGMA")


def watch_statements(desk: Desk, begin: Callable[[str], None], end: Callable[[], None]) -> None:
    """Tell ``begin`` each statement before it is executed, and ``end`` after that."""

    def before(*arguments: Any) -> None:
        statement = str(arguments[2]).lstrip()
        if not statement.upper().startswith(_READS):
            begin(statement)

    def after(*arguments: Any) -> None:
        if not str(arguments[2]).lstrip().upper().startswith(_READS):
            end()

    def committing(*_: Any) -> None:
        begin("COMMIT")
        end()

    event.listen(desk.database, "before_cursor_execute", before)
    event.listen(desk.database, "after_cursor_execute", after)
    event.listen(desk.database, "commit", committing)
