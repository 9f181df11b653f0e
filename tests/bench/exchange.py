"""Figures of the simulated exchange: one call, and how fast recorded trades replay."""

from __future__ import annotations

import time
from collections.abc import Iterator
from decimal import Decimal

from engine.venue.api import PricePoint, Venue
from engine.venue.settings import VenueSettings
from tests.bench.figures import Goal, Row, figure

START_MS = 1_795_000_020_000
HOUR_S = 3_600
TRADES_PER_S = 62
"""What BTCUSDT traded in the recording beside the documentation: 21,313 trades in 344 s."""

KEY = "bench"
WIDE = "symbol=BTCUSDT&side=SELL&algoType=CONDITIONAL&timeInForce=GTC"


def measure() -> Iterator[Row]:
    """Yield the cost of a call and the replay speed with a keeper's orders resting."""
    venue = _with_resting_orders()
    reads = (
        ("/fapi/v3/positionRisk", "symbol=BTCUSDT"),
        ("/fapi/v1/openOrders", "symbol=BTCUSDT"),
        ("/fapi/v1/openAlgoOrders", "symbol=BTCUSDT"),
        ("/fapi/v1/premiumIndex", "symbol=BTCUSDT"),
        ("/fapi/v1/klines", "symbol=BTCUSDT&interval=1m&limit=2"),
    )
    now_ms, costs = START_MS + 10_000, []
    for turn in range(3_000):
        path, query = reads[turn % len(reads)]
        now_ms += 250
        signed = f"{query}&timestamp={now_ms}&recvWindow=5000&signature=0"
        begun = time.perf_counter_ns()
        venue.handle("GET", path, signed, "", KEY, now_ms)
        costs.append((time.perf_counter_ns() - begun) / 1_000)
    yield figure("venue_handle_us", "us", costs, Goal(30))
    yield figure(
        "venue_replay_speed", "x", [_replay_speed() for _ in range(3)], Goal(500, at_most=False)
    )


def _replay_speed() -> float:
    """Return how many seconds of an hour of trades replay in one second of processor time."""
    venue = _with_resting_orders()
    venue.feed_from(_an_hour())
    begun, now_ms = time.process_time(), START_MS + 20_000
    for _ in range(HOUR_S):
        now_ms += 1_000
        venue.advance(now_ms)
        venue.drain_pushes()
    return HOUR_S / (time.process_time() - begun)


def _an_hour() -> Iterator[PricePoint]:
    gap_ms = 1_000 / TRADES_PER_S
    for number in range(HOUR_S * TRADES_PER_S):
        swing = Decimal(number % 600 - 300) / 10
        yield PricePoint(
            START_MS + 20_000 + int(number * gap_ms), 90_800 + swing, None, Decimal("0.05")
        )


def _with_resting_orders() -> Venue:
    """Return a venue with a long, its two stops and its two targets resting."""
    venue = Venue(VenueSettings(market_streams=()), now_ms=START_MS, seed=1)
    venue.set_price(Decimal(90_800), START_MS)
    now_ms = START_MS + 1_000
    orders = (
        ("/fapi/v1/order", "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.013"),
        (
            "/fapi/v1/algoOrder",
            f"{WIDE}&type=STOP_MARKET&triggerPrice=80000&quantity=0.013&reduceOnly=true",
        ),
        ("/fapi/v1/algoOrder", f"{WIDE}&type=STOP_MARKET&triggerPrice=79000&closePosition=true"),
        (
            "/fapi/v1/algoOrder",
            f"{WIDE}&type=TAKE_PROFIT_MARKET&triggerPrice=99000&quantity=0.006&reduceOnly=true",
        ),
        (
            "/fapi/v1/algoOrder",
            f"{WIDE}&type=TAKE_PROFIT_MARKET&triggerPrice=99900&closePosition=true",
        ),
    )
    for path, form in orders:
        now_ms += 100
        signed = f"{form}&timestamp={now_ms}&recvWindow=5000&signature=0"
        reply = venue.handle("POST", path, "", signed, KEY, now_ms)
        if reply.status != 200:
            raise SystemExit(f"bench: the venue refused {form}: {reply.body.decode()}")
    return venue
