"""How a world reaches its venue: by plain calls in this process, or over HTTP (``wire``).

Everything else of a world is the same on both ways. Requests of one burst go one after another, so
that a life is the same each time; the burst takes as long as its longest request.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Protocol

from engine.domain.numbers import ZERO
from engine.exchange.binance.client import BinanceAccess, LaneClient
from engine.exchange.binance.lanes import InlineLanes, Lanes
from engine.simulation.session import Handle, VenueSession
from engine.simulation.stream import Listening, PushStream, WorldStream
from engine.venue.api import Venue
from engine.venue.values import Push, Reply

KEY = "simulated-key"
SECRET = "simulated-secret"  # noqa: S105 - opens nothing but a venue made for one life
URL = "http://venue.invalid"


class VenueGone(Exception):
    """A served venue does not answer as it must; the life cannot be played on."""


@dataclass(frozen=True, slots=True)
class Passage:
    """What a world lends to the lanes of its keeper.

    ``begin`` comes before each request leaves and ``end`` when it took effect; either may raise
    ``Killed``. ``handle`` is a whole request by plain call, those two included. ``pause`` lets
    virtual time pass; ``latency_ms`` is the round trip of one burst.
    """

    now_ms: Callable[[], int]
    pause: Callable[[int], None]
    latency_ms: int
    begin: Callable[[int], None]
    end: Callable[[], None]
    handle: Handle


class Reach(Protocol):
    """The way to one venue: for a keeper's requests, and for the world that moves its time."""

    def access(self, symbol: str) -> BinanceAccess:
        """Return where the venue is and with which key."""

    def lanes(self, access: BinanceAccess, passage: Passage) -> Lanes:
        """Return what carries the requests of a keeper that is born now."""

    def advance(self, now_ms: int) -> None:
        """Let the venue's time pass up to ``now_ms``."""

    def next_due(self) -> int:
        """Return when something next happens at the venue by itself."""

    def drain_pushes(self) -> list[Push]:
        """Take what the venue has to say on its streams."""

    def stream(self, symbol: str, listening: Listening) -> WorldStream[Any]:
        """Return the user stream of a keeper."""

    def log(self) -> list[dict[str, object]]:
        """Return everything the venue noted."""

    def standing(self) -> tuple[Decimal, int]:
        """Return the signed position, and how many orders of anybody rest."""


class ByCall:
    """The venue is an object of this process."""

    def __init__(self, venue: Venue) -> None:
        """Reach ``venue``."""
        self.venue = venue

    def access(self, symbol: str) -> BinanceAccess:
        """Return an address that is never looked up."""
        return BinanceAccess(URL, KEY, SECRET, symbol)

    def lanes(self, access: BinanceAccess, passage: Passage) -> Lanes:
        """Return one client whose wire is a function call."""
        session = VenueSession(passage.handle, KEY, passage.now_ms, passage.pause)
        client = LaneClient(access)
        client.session = session
        return InlineLanes(client, _Latency(session, passage.latency_ms))

    def advance(self, now_ms: int) -> None:
        """Let the venue's time pass up to ``now_ms``."""
        self.venue.advance(now_ms)

    def next_due(self) -> int:
        """Return when something next happens at the venue by itself."""
        return self.venue.next_due()

    def drain_pushes(self) -> list[Push]:
        """Take what the venue has to say on its streams."""
        return self.venue.drain_pushes()

    def stream(self, symbol: str, listening: Listening) -> WorldStream[Any]:
        """Return a stream that is given the venue's pushes."""

        def request(verb: str, path: str) -> Reply:
            return self.venue.handle(verb, path, "", "", KEY, listening.now_ms())

        return PushStream(symbol, request, listening)

    def log(self) -> list[dict[str, object]]:
        """Return everything the venue noted."""
        return self.venue.log_after(0)

    def standing(self) -> tuple[Decimal, int]:
        """Return the signed position, and how many orders of anybody rest."""
        venue = self.venue
        held = sum((p.quantity for p in venue.house.account.positions.values()), ZERO)
        return held, len(venue.book.open) + len(venue.algo.open)


class _Latency:
    """Adds the round trip to what the venue's own delays take."""

    def __init__(self, session: VenueSession, latency_ms: int) -> None:
        self._session = session
        self._latency_ms = latency_ms

    def take_delay_ms(self) -> int:
        return self._session.take_delay_ms() + self._latency_ms

    def pause(self, pause_ms: int) -> None:
        self._session.pause(pause_ms)
