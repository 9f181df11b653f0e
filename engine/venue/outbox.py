"""The box stream messages leave from, and the listen key that lets user events out.

Invariants: user events exist only while a listen key is alive, as on the exchange, where a dead key
is silence; the box keeps the order of making except where a fault says otherwise.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.venue.values import Push

if TYPE_CHECKING:
    from engine.venue.clock import Clock
    from engine.venue.faults import Faults

Event = dict[str, object]
LISTEN_KEY_LENGTH = 64
SOCKETS = "sockets"
"""The stream of the one message that is for the server: close them all."""


class Outbox:
    """What waits to be sent, and the listen key that lets user events out."""

    __slots__ = ("_clock", "_faults", "_held", "_ready", "key_until_ms", "listen_key", "made_keys")

    def __init__(self, clock: Clock, faults: Faults) -> None:
        """Start without a listen key."""
        self._clock = clock
        self._faults = faults
        self._ready: list[Push] = []
        self._held: Push | None = None
        self.listen_key: str | None = None
        self.key_until_ms = 0
        self.made_keys = 0

    @property
    def heard(self) -> bool:
        """Whether anybody could hear a user event."""
        return self.listen_key is not None

    def user(self, event: Event) -> None:
        """Send a user event, unless there is no listen key; push faults act here."""
        if self.listen_key is None:
            return
        push = Push("user", self._clock.now, event)
        if not self._faults.armed:
            self._ready.append(push)
            return
        fate = self._faults.push_fate(str(event["e"]), self._clock.now)
        if fate.dropped:
            return
        if fate.delay_ms:
            self._clock.later(fate.delay_ms, "push", event)
            return
        if fate.held and self._held is None:
            self._held = push
            return
        self._ready.append(push)
        if fate.doubled:
            self._ready.append(push)
        self.release()

    def late(self, event: object) -> None:
        """Send an event whose delay is over."""
        if self.listen_key is not None and isinstance(event, dict):
            self._ready.append(Push("user", self._clock.now, event))

    def release(self) -> None:
        """Let an event that was held back go, behind the one that overtook it."""
        if self._held is not None:
            self._ready.append(self._held)
            self._held = None

    def market(self, stream: str, event: Event) -> None:
        """Send a market event."""
        self._ready.append(Push(stream, self._clock.now, event))

    def end_sockets(self) -> None:
        """Ask whoever serves the streams to close every socket."""
        self._ready.append(Push(SOCKETS, self._clock.now, {}))

    def drain(self) -> list[Push]:
        """Take what is ready; an event held for longer than that goes out too."""
        self.release()
        ready, self._ready = self._ready, []
        return ready

    def open_key(self, lifetime_ms: int) -> str:
        """Return the living key, extended, or a new one."""
        if self.listen_key is None:
            self.made_keys += 1
            stem = f"venuekey{self.made_keys}x"
            self.listen_key = stem + "k" * (LISTEN_KEY_LENGTH - len(stem))
        self.key_until_ms = self._clock.now + lifetime_ms
        return self.listen_key

    def close_key(self) -> None:
        """End the key; whoever listens hears that it expired."""
        if self.listen_key is not None:
            self.user(
                {
                    "e": "listenKeyExpired",
                    "E": self._clock.exchange,
                    "listenKey": self.listen_key,
                }
            )
            self.release()
        self.listen_key = None
