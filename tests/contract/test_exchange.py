"""The contract over both carriers: the venue in process, and the same venue behind real sockets."""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

import pytest
import requests

from engine.domain.errors import Rejected
from engine.exchange.binance.adapter import BinanceExchange
from engine.exchange.binance.client import BinanceAccess, LaneClient
from engine.exchange.binance.clock import ExchangeClock
from engine.exchange.binance.lanes import InlineLanes, LanePool
from engine.exchange.port import Exchange
from engine.simulation.session import VenueSession
from engine.venue.api import Venue, VenueSettings
from engine.venue.server import VenueServer
from engine.venue.serving.clock import VenueClock
from tests.contract.exchange_contract import Desk, ExchangeContract

START_MS = 1_795_000_000_000


@dataclass
class World:
    """Virtual time with a venue in it."""

    now_ms: int
    venue: Venue

    def price(self, last: str) -> None:
        self.venue.set_price(Decimal(last), self.now_ms)

    def fault(self, fault: Mapping[str, object]) -> None:
        self.venue.inject(fault)

    def let_pass(self, milliseconds: int) -> None:
        self.now_ms += milliseconds
        self.venue.advance(self.now_ms)


class TestInProcess(ExchangeContract):
    """Plain calls: no threads, no sockets, no waiting."""

    @pytest.fixture
    def world(self) -> World:
        settings = VenueSettings(keys={"key": "secret"})  # signatures are verified
        return World(START_MS, Venue(settings, now_ms=START_MS))

    @pytest.fixture
    def exchange(self, world: World) -> Exchange:
        access = BinanceAccess("http://venue.invalid", "key", "secret", "BTCUSDT")
        client = LaneClient(access)
        session = VenueSession(world.venue.handle, "key", lambda: world.now_ms, world.let_pass)
        client.session = session
        clock = ExchangeClock(lambda: world.now_ms - START_MS + 5)
        made = BinanceExchange(access, InlineLanes(client, session), clock)
        made.anchor_clock()
        return made

    @pytest.fixture
    def desk(self, world: World) -> Desk:
        return world

    @pytest.mark.parametrize(
        ("key", "secret", "code"), [("other", "secret", -2015), ("key", "other", -1022)]
    )
    def test_a_key_that_is_not_accepted_is_rejected_by_name(
        self, world: World, key: str, secret: str, code: int
    ) -> None:
        access = BinanceAccess("http://venue.invalid", key, secret, "BTCUSDT")
        client = LaneClient(access)
        client.session = VenueSession(world.venue.handle, key, lambda: world.now_ms)
        clock = ExchangeClock(lambda: world.now_ms)
        exchange = BinanceExchange(access, InlineLanes(client), clock)

        with pytest.raises(Rejected) as refused:
            exchange.key_rights(1_000)

        assert refused.value.code == code


class Port:
    """The venue behind a real port, on a thread of this process."""

    def __init__(self) -> None:
        self._began: queue.SimpleQueue[tuple[VenueServer, asyncio.AbstractEventLoop]] = (
            queue.SimpleQueue()
        )
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)
        self._thread.start()
        self._server, self._loop = self._began.get(timeout=10)
        self.rest_url, self.stream_url = self._server.rest_url, self._server.stream_url
        self._http = requests.Session()
        self._http.trust_env = False

    def price(self, last: str) -> None:
        self._admin("price", {"last": last})

    def fault(self, fault: Mapping[str, object]) -> None:
        self._admin("faults", dict(fault))

    def let_pass(self, milliseconds: int) -> None:
        threading.Event().wait(min(milliseconds, 50) / 1000)

    def close(self) -> None:
        self._http.close()
        self._loop.call_soon_threadsafe(self._server.stop)
        self._thread.join(10)
        assert not self._thread.is_alive()

    def _admin(self, name: str, body: object) -> None:
        reply = self._http.post(f"{self.rest_url}/venue/v1/{name}", json=body, timeout=10)
        assert reply.status_code == 200, reply.text

    async def _serve(self) -> None:
        clock = VenueClock()
        venue = Venue(VenueSettings(keys={"key": "secret"}), now_ms=clock.now_ms())
        server = VenueServer(venue, clock)
        await server.start()
        self._began.put((server, asyncio.get_running_loop()))
        await server.run_until_stopped()


class TestOverLoopback(ExchangeContract):
    """Lanes, sockets, HTTP: one port for each test."""

    @pytest.fixture
    def port(self) -> Iterator[Port]:
        served = Port()
        yield served
        served.close()

    @pytest.fixture
    def exchange(self, port: Port) -> Iterator[Exchange]:
        access = BinanceAccess(port.rest_url, "key", "secret", "BTCUSDT", port.stream_url)
        clock = ExchangeClock(lambda: time.monotonic_ns() // 1_000_000)
        made = BinanceExchange(access, LanePool(access), clock)
        made.anchor_clock()
        yield made
        made.close()

    @pytest.fixture
    def desk(self, port: Port) -> Desk:
        return port
