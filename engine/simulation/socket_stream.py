"""A user stream over a real socket in a world's time: the adapter's own, one for each connection.

What the venue sent is counted at the venue; each message is waited for until the real stream has
told it, and then arrives when the world's clock says. Pauses before a new connection pass in the
world's time, too, so the real stream is ended with its connection instead of pausing by itself.
"""

from __future__ import annotations

import queue
from collections.abc import Iterable
from dataclasses import dataclass, replace

from engine.domain.observation import Fact, StreamWord
from engine.domain.order import OrderReport
from engine.exchange.binance.client import BinanceAccess
from engine.exchange.binance.ear import CONNECTED, LOST
from engine.exchange.binance.stream import UserStream
from engine.exchange.port import Heard
from engine.simulation.reach import VenueGone
from engine.simulation.stream import Listening, WorldStream
from engine.venue.values import Push

PATIENCE_S = 20.0


@dataclass(frozen=True, slots=True)
class Told:
    """What the real stream made of one message: its reason, and what it learnt of own orders."""

    reason: str
    orders: tuple[Fact[OrderReport], ...] = ()
    told_ms: int | None = None


class SocketStream(WorldStream[Told]):
    """The stream of a keeper whose venue is another process."""

    def __init__(self, access: BinanceAccess, listening: Listening) -> None:
        """Connect as soon as time passes."""
        super().__init__(listening)
        self._access = access
        self._real: UserStream | None = None
        self._told: queue.SimpleQueue[Told] = queue.SimpleQueue()
        self._orders: list[Fact[OrderReport]] = []
        self._told_ms: int | None = None
        self._up_since_ms = 0

    @property
    def is_up(self) -> bool:
        """Return whether a connection stands."""
        return self._real is not None

    def heard(self) -> Heard:
        """Take what was told of own orders since the last call."""
        orders, self._orders = tuple(self._orders), []
        word = StreamWord(self._up_since_ms, self._told_ms) if self.is_up else None
        return Heard(orders, word)

    def take(self, pushes: Iterable[Push]) -> None:
        """Wait until the real stream has told each of the messages the venue sent."""
        for push in pushes:
            if self.is_up:
                self._send(self._next_told(), push.at_ms)

    def _opened(self) -> str | None:
        told: queue.SimpleQueue[Told] = queue.SimpleQueue()
        self._told = told
        self._told_ms = None

        def hear(reason: str) -> None:
            # On the stream's own thread, right after it heard: what it holds is of this message.
            heard = real.heard()
            word = heard.stream
            told.put(Told(reason, heard.orders, None if word is None else word.told_ms))

        real = UserStream(self._access, hear, self._exchange_ms, self._gate)
        real.start()
        reason = self._next_told().reason
        if reason != CONNECTED:
            real.stop()
            return None
        self._real = real
        self._up_since_ms = self._exchange_ms()
        return reason

    def _is_key_alive(self) -> bool:
        return True  # the library looks by itself, in real time

    def _brought(self, what: Told) -> str | None:
        if what.reason == LOST:
            return None
        at_ms = self._exchange_ms()
        self._orders += [replace(fact, at_ms=at_ms) for fact in what.orders]
        self._told_ms = what.told_ms
        return what.reason

    def _closed(self, reason: str) -> str:
        real, self._real = self._real, None
        if real is None:
            return f"stream:{reason}"
        real.stop()
        return LOST

    def _next_told(self) -> Told:
        try:
            return self._told.get(timeout=PATIENCE_S)
        except queue.Empty:
            raise VenueGone("what the venue sent on its stream did not come") from None
