"""The contract over both carriers: the venue in process, and the same venue behind real sockets."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import pytest

from engine.domain.errors import Rejected
from engine.exchange.binance.adapter import BinanceExchange
from engine.exchange.binance.client import BinanceAccess, LaneClient
from engine.exchange.binance.clock import ExchangeClock
from engine.exchange.binance.lanes import InlineLanes, LanePool
from engine.exchange.port import Exchange
from engine.simulation.session import VenueSession
from engine.venue.api import Venue, VenueSettings
from tests.contract.exchange_contract import Desk, ExchangeContract
from tests.venue_server.served import Served

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


@dataclass
class FarDesk:
    """The hands behind a served venue."""

    served: Served

    def price(self, last: str) -> None:
        self.served.admin("POST", "price", {"last": last})

    def fault(self, fault: Mapping[str, object]) -> None:
        self.served.admin("POST", "faults", dict(fault))

    def let_pass(self, milliseconds: int) -> None:
        threading.Event().wait(min(milliseconds, 50) / 1000)


@pytest.mark.slow
class TestOverLoopback(ExchangeContract):
    """Lanes, sockets, HTTP: one served venue for each test."""

    @pytest.fixture
    def served(self, tmp_path: Path) -> Iterator[Served]:
        keys = tmp_path / "keys"
        keys.write_text("key secret\n")  # signatures are verified
        with Served("--port", "0", "--keys", keys) as served:
            yield served

    @pytest.fixture
    def exchange(self, served: Served) -> Iterator[Exchange]:
        access = BinanceAccess(served.rest_url, "key", "secret", "BTCUSDT", served.stream_url)
        clock = ExchangeClock(lambda: time.monotonic_ns() // 1_000_000)
        made = BinanceExchange(access, LanePool(access), clock)
        made.anchor_clock()
        yield made
        made.close()

    @pytest.fixture
    def desk(self, served: Served) -> Desk:
        return FarDesk(served)
