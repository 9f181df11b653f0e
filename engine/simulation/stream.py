"""The user stream of a virtual world: the venue's pushes, each brought at its moment.

As the adapter's ``UserStream``: it wakes the loop and keeps what it was told (the same ``Ear``); a
connection ends with its listen key, by the server's closing or when it is given up, and comes back
with a fresh key after the same pauses. Pushes travel for a fixed time and arrive in the order in
which they were sent.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

from engine.exchange.binance.ear import Ear
from engine.exchange.binance.stream import BACK_FIRST_S, BACK_MAX_S, KEY_CHECK_S, STEADY_S
from engine.exchange.port import Gate, Heard
from engine.venue.outbox import SOCKETS
from engine.venue.values import Push, Reply, Transport

LISTEN_KEY = "/fapi/v1/listenKey"
FAR_MS = 1 << 62
_BACK_FIRST_MS = int(BACK_FIRST_S * 1000)
_BACK_MAX_MS = int(BACK_MAX_S * 1000)
_STEADY_MS = int(STEADY_S * 1000)
_KEY_CHECK_MS = KEY_CHECK_S * 1000

What = TypeVar("What")


@dataclass(frozen=True, slots=True)
class Listening:
    """What a world lends to the stream of its keeper.

    Reasons go to ``wake``. ``now_ms`` is the world's clock, ``exchange_ms`` what the keeper takes
    for exchange time. A push is ``travel_ms`` on its way. ``gate`` is the keeper's own: one silence
    for all its requests.
    """

    wake: Callable[[str], None]
    now_ms: Callable[[], int]
    exchange_ms: Callable[[], int]
    gate: Gate
    travel_ms: int


class WorldStream(ABC, Generic[What]):
    """A user stream that lives in a world's time: what comes, when it ends, when it comes back."""

    def __init__(self, listening: Listening) -> None:
        """Connect as soon as time passes."""
        self._wake = listening.wake
        self._now_ms = now_ms = listening.now_ms
        self._exchange_ms = listening.exchange_ms
        self._gate = listening.gate
        self._travel_ms = listening.travel_ms
        self._coming: deque[tuple[int, What]] = deque()
        self._connected_ms = now_ms()
        self._check_ms = FAR_MS
        self._retry_ms = now_ms()
        self._back_ms = _BACK_FIRST_MS

    @property
    @abstractmethod
    def is_up(self) -> bool:
        """Return whether a connection stands."""

    @abstractmethod
    def heard(self) -> Heard:
        """Take what was told of own orders since the last call."""

    @abstractmethod
    def take(self, pushes: Iterable[Push]) -> None:
        """Take what the venue sent just now; nothing reaches a connection that does not stand."""

    def rebuild(self) -> None:
        """Give up the present connection for a fresh one: it stands, and tells nothing."""
        if self.is_up:
            self._end("rebuilt")

    def next_ms(self) -> int:
        """Return when something comes by itself: an arrival, a look at the key, a new try."""
        if not self.is_up:
            return self._retry_ms
        arrives_ms = self._coming[0][0] if self._coming else FAR_MS
        return min(arrives_ms, self._check_ms)

    def pass_to(self, now_ms: int) -> None:
        """Bring everything that is due, and connect when it is time to."""
        while self._coming and self._coming[0][0] <= now_ms:
            _, what = self._coming.popleft()
            reason = self._brought(what)
            if reason is None:
                self._end("ended")
            else:
                self._wake(reason)
        if self.is_up and now_ms >= self._check_ms:
            self._check_ms = now_ms + _KEY_CHECK_MS
            if not self._is_key_alive():
                self._end("ended")
        if not self.is_up and now_ms >= self._retry_ms:
            self._connected_ms = now_ms
            self._check_ms = now_ms + _KEY_CHECK_MS
            reason = self._opened()
            if reason is None:
                self._end("refused")
            else:
                self._wake(reason)

    def close(self) -> None:
        """Leave; nothing more is brought."""
        self._coming.clear()
        self._closed("stopped")

    def _send(self, what: What, at_ms: int) -> None:
        """Note what the venue sent at ``at_ms``."""
        self._coming.append((at_ms + self._travel_ms, what))

    def _end(self, reason: str) -> None:
        """Note that the connection ended or never stood; the next try is after a pause."""
        now_ms = self._now_ms()
        if now_ms - self._connected_ms >= _STEADY_MS:
            self._back_ms = _BACK_FIRST_MS
        self._retry_ms = now_ms + self._back_ms
        self._back_ms = min(self._back_ms * 2, _BACK_MAX_MS)
        self._coming.clear()
        self._wake(self._closed(reason))

    @abstractmethod
    def _opened(self) -> str | None:
        """Connect now; return the reason to wake with, None when it was not possible."""

    @abstractmethod
    def _is_key_alive(self) -> bool:
        """Return whether the listen key still is ours, and prolong it."""

    @abstractmethod
    def _brought(self, what: What) -> str | None:
        """Hear what arrives; return the reason to wake with, None: the connection ends."""

    @abstractmethod
    def _closed(self, reason: str) -> str:
        """Note that there is no connection; return the reason to wake with."""


class PushStream(WorldStream[Push]):
    """The stream of a keeper beside a venue in the same process.

    ``request`` sends one request (verb, path) to the venue now.
    """

    def __init__(
        self,
        symbol: str,
        request: Callable[[str, str], Reply],
        listening: Listening,
    ) -> None:
        """Connect as soon as time passes."""
        super().__init__(listening)
        self._ear = Ear(symbol)
        self._request = request
        self._key = ""

    @property
    def is_up(self) -> bool:
        """Return whether a connection stands."""
        return self._ear.is_up

    def heard(self) -> Heard:
        """Take what was told of own orders since the last call."""
        return self._ear.heard()

    def take(self, pushes: Iterable[Push]) -> None:
        """Take what the venue sent just now; nothing reaches a connection that does not stand."""
        if self.is_up:
            for push in pushes:
                if push.stream in ("user", SOCKETS):
                    self._send(push, push.at_ms)

    def _opened(self) -> str | None:
        key = self._asked("POST")
        if key is None:
            return None
        self._key = key
        return self._ear.connected(self._exchange_ms())

    def _is_key_alive(self) -> bool:
        key = self._asked("POST")
        if key is not None and key == self._key:
            self._asked("PUT")
        return key is None or key == self._key  # no answer says nothing of the key

    def _brought(self, what: Push) -> str | None:
        return None if what.stream == SOCKETS else self._ear.hears(what.event, self._exchange_ms())

    def _closed(self, reason: str) -> str:
        return self._ear.lost(reason)

    def _asked(self, verb: str) -> str | None:
        """Return the listen key the venue answers with, None for any other answer, or silence."""
        if self._gate.is_blocked():
            return None
        reply = self._request(verb, LISTEN_KEY)
        if reply.transport is not Transport.DELIVERED:
            return None
        if (pause_s := reply.headers.get("Retry-After")) is not None:
            self._gate.block(int(pause_s) * 1000)
        if reply.status != 200:
            return None
        try:
            key = json.loads(reply.body)["listenKey"]
        except (ValueError, KeyError, TypeError):
            return None
        return str(key)
