"""A process that dies for real inside a transaction: forked, and gone between two statements.

Nothing is rolled back, closed or flushed: what becomes of it is the database's doing.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event

DIED, ENDED, FAILED = 9, 0, 70


def dies_before(statement: int, act: Callable[[], object]) -> bool:
    """Let a child process do ``act`` and vanish before its so manieth statement.

    A COMMIT is a statement, and so is a write into a file. Return whether it died; it did not when
    the act was over before. Anything else is an error.
    """
    child = os.fork()
    if child == 0:  # pragma: no cover - in another process
        _die_before(statement)
        code = FAILED
        try:
            act()
            code = ENDED
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    assert code in (DIED, ENDED), f"the child ended with {code}"
    return code == DIED


def _die_before(statement: int) -> None:
    left = [statement]

    def count(*_: Any) -> None:
        if left[0] == 0:
            os._exit(DIED)
        left[0] -= 1

    event.listen(sa.Engine, "before_cursor_execute", count)
    event.listen(sa.Engine, "commit", count)
    write = os.pwrite

    def counted(*arguments: Any) -> int:
        count()
        return write(*arguments)

    os.pwrite = counted
