"""A silence the exchange asked for, kept over a restart: nothing leaves before it is over (H4).

Invariants: best effort both ways; what lies further ahead than the longest ban, or cannot be read,
is no silence. One small file, because a start must not wait for a database before it protects; by
this machine's clock, because a new process knows no other before it asked for one.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from engine.exchange.port import Gate, Usage

LONGEST_MS = 3 * 86_400_000
"""The longest ban there is (binance-usdm.md section 2.3)."""

_SAME_MS = 1_000
"""Two ends nearer than this are one silence, measured twice."""


class Silence:
    """Writes down how long nothing may be sent, and finds it again."""

    def __init__(self, file: Path, gate: Gate) -> None:
        """Keep it in ``file``; ``gate`` keeps the silence within this process."""
        self._file = file
        self._gate = gate
        self._until_ms = 0

    def restore(self, wall_ms: int) -> None:
        """Close the gate for what is left at ``wall_ms``, by the wall clock."""
        with suppress(OSError, ValueError):
            left_ms = int(self._file.read_text(encoding="ascii")) - wall_ms
            if 0 < left_ms <= LONGEST_MS:
                self._gate.block(left_ms)

    def keep(self, usage: Usage, now_ms: int, wall_ms: int) -> None:
        """Write the end of a silence down once; ``now_ms`` is exchange time, ``wall_ms`` ours."""
        until_ms = wall_ms + usage.blocked_until_ms - now_ms
        if usage.blocked_until_ms <= now_ms or until_ms <= self._until_ms + _SAME_MS:
            return
        self._until_ms = until_ms
        with suppress(OSError):
            aside = self._file.with_name(f"{self._file.name}.{os.getpid()}")
            aside.write_text(str(until_ms), encoding="ascii")
            aside.replace(self._file)
