"""An adapter whose wire is a list of prepared replies: python-binance and the adapter are real."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from engine.exchange.binance.adapter import BinanceExchange
from engine.exchange.binance.client import BinanceAccess, LaneClient
from engine.exchange.binance.clock import ExchangeClock
from engine.exchange.binance.lanes import InlineLanes
from engine.simulation.session import VenueResponse
from engine.venue.values import Reply, Transport

NOW_MS = 1_795_000_000_000
ACCESS = BinanceAccess("http://exchange.invalid", "key", "secret", "BTCUSDT")


@dataclass
class Wire:
    """Answers each request with the next prepared reply and remembers what was asked."""

    replies: list[Reply | Exception] = field(default_factory=list)
    asked: list[tuple[str, str, str]] = field(default_factory=list)

    def get(self, url: str, params: str = "", **_: object) -> VenueResponse:
        return self._answer("GET", url, params)

    def post(self, url: str, data: Sequence[tuple[str, str]] = (), **_: object) -> VenueResponse:
        return self._answer("POST", url, "&".join(f"{k}={v}" for k, v in data or ()))

    def put(self, url: str, data: Sequence[tuple[str, str]] = (), **_: object) -> VenueResponse:
        return self._answer("PUT", url, "&".join(f"{k}={v}" for k, v in data or ()))

    def delete(self, url: str, data: Sequence[tuple[str, str]] = (), **_: object) -> VenueResponse:
        return self._answer("DELETE", url, "&".join(f"{k}={v}" for k, v in data or ()))

    def close(self) -> None:
        """Nothing to close."""

    def _answer(self, verb: str, url: str, parameters: str) -> VenueResponse:
        self.asked.append((verb, url.removeprefix("http://exchange.invalid"), parameters))
        reply = self.replies.pop(0)
        if isinstance(reply, Exception):
            raise reply
        assert reply.transport is Transport.DELIVERED
        return VenueResponse(reply.status, reply.headers, reply.body)


def said(body: object, status: int = 200, **headers: str) -> Reply:
    """Return a reply; text is sent as it is, anything else as JSON."""
    raw = body if isinstance(body, str) else json.dumps(body)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status, named, raw.encode())


def an_exchange(
    wire: Wire, now_ms: Callable[[], int] = lambda: NOW_MS
) -> tuple[BinanceExchange, ExchangeClock]:
    """Return the real adapter on that wire, its clock anchored exactly."""
    client = LaneClient(ACCESS)
    client.session = wire
    clock = ExchangeClock(now_ms)
    clock.anchor(now_ms(), now_ms(), now_ms())
    return BinanceExchange(ACCESS, InlineLanes(client), clock), clock
