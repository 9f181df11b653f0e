"""What a user stream told, kept for the next look; the same ear on any carrier, real or simulated.

Invariants: nothing here decides anything; what was told of own orders is taken once; whether the
stream stands and how far it can be judged is told with it. Filled on one thread, taken on another.
"""

from __future__ import annotations

import contextlib
from collections import deque

from engine.domain.observation import Fact, Source, StreamWord
from engine.domain.order import OrderReport
from engine.exchange.binance.wire_stream import pushed_order, transacted_ms
from engine.exchange.port import NOTHING_HEARD, Heard

TOLD_MAX = 1_000  # of own orders between two looks; older ones are told by the answers anyway
LOST = "stream:lost"
CONNECTED = "stream:connected"
_ENDING = frozenset({"error", "listenKeyExpired"})


class Ear:
    """Listens to one user stream after another, for one symbol. Times are exchange time."""

    def __init__(self, symbol: str) -> None:
        """Begin without a connection."""
        self._symbol = symbol
        self._is_up = False
        self._last_event_ms: int | None = None
        self._up_since_ms = 0
        self._told_ms: int | None = None
        self._told: deque[Fact[OrderReport]] = deque(maxlen=TOLD_MAX)

    @property
    def is_up(self) -> bool:
        """Return whether a connection stands."""
        return self._is_up

    @property
    def last_event_ms(self) -> int | None:
        """Return exchange time of the last event, None before the first."""
        return self._last_event_ms

    def connected(self, now_ms: int) -> str:
        """Note a new connection; return the reason to wake the loop with."""
        self._up_since_ms, self._told_ms = now_ms, None
        self._is_up = True
        return CONNECTED

    def lost(self, reason: str) -> str:
        """Note that there is no connection; return the reason to wake the loop with."""
        was_up, self._is_up = self._is_up, False
        return LOST if was_up else f"stream:{reason}"

    def hears(self, message: object, now_ms: int) -> str | None:
        """Take one message; return the reason to wake the loop with, None: the connection ends."""
        kind = message.get("e") if isinstance(message, dict) else None
        if kind in _ENDING:
            return None
        self._last_event_ms = now_ms
        told_ms = transacted_ms(message)
        if told_ms is not None:
            self._told_ms = max(told_ms, self._told_ms or 0)
        report = pushed_order(message, self._symbol)
        if report is not None:
            self._told.append(Fact(report, now_ms, Source.STREAM))
        return f"stream:{kind}"

    def heard(self) -> Heard:
        """Take what was told of own orders since the last call."""
        orders = []
        with contextlib.suppress(IndexError):
            while True:
                orders.append(self._told.popleft())
        if not self._is_up:
            return Heard(tuple(orders)) if orders else NOTHING_HEARD
        return Heard(tuple(orders), StreamWord(self._up_since_ms, self._told_ms))
