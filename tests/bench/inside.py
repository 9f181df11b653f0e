"""Figures of one process: planner, whole ticks, requests and weight per simulated minute."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

from engine.domain.decision import Decided
from engine.domain.limits import Limits
from engine.domain.numbers import install_decimal_rules
from engine.intake import compose, write
from engine.plan.planner import make_plan
from engine.reconcile.settle import adopt, reconcile
from engine.simulation.world import World
from engine.venue.api import PricePoint, Venue
from engine.venue.settings import RateLimits, VenueSettings
from engine.venue.values import Reply
from tests.bench.figures import Goal, Row, figure

START_MS = 1_795_000_020_000
MINUTE_MS = 60_000
FIRST_PRICE = Decimal(90800)
TICK_SIZE = Decimal("0.1")


def measure() -> Iterator[Row]:
    """Yield every figure that needs no second process."""
    install_decimal_rules()
    yield from _planner_and_ticks()
    yield from _weights()
    yield _throughput()
    yield _core()


class _Overheard(Venue):
    """A venue that can say what was asked of it."""

    heard: list[tuple[str, str, str, str, str | None, int]] | None = None

    def handle(
        self, verb: str, path: str, query: str, body: str, key: str | None, now_ms: int
    ) -> Reply:
        """Answer one request, and note it while somebody listens."""
        if self.heard is not None:
            self.heard.append((verb, path, query, body, key, now_ms))
        return super().handle(verb, path, query, body, key, now_ms)


@contextmanager
def a_world(*, action: Decided | None, venue: Venue | None = None) -> Iterator[World]:
    """Give a world whose keeper holds a position (``action``) or is flat without a decision."""
    with tempfile.TemporaryDirectory() as name:
        inbox = Path(name)
        venue = venue or Venue(VenueSettings(), now_ms=START_MS, seed=1)
        venue.set_price(FIRST_PRICE, START_MS)
        if action is not None:
            document = compose(action, "BTCUSDT", START_MS, FIRST_PRICE, TICK_SIZE, limits=Limits())
            write(document, inbox)
            zone = document["entry_zone"]
            assert isinstance(zone, list)
            dip = PricePoint(START_MS + 5_000, min(Decimal(str(edge)) for edge in zone))
            venue.feed_from(iter([dip, PricePoint(START_MS + 9_000, FIRST_PRICE)]))
        world = World(venue, inbox, Limits(), start_ms=START_MS)
        try:
            world.run_until(START_MS + 30_000)
            yield world
        finally:
            world.close()


def _planner_and_ticks() -> Iterator[Row]:
    with a_world(action=Decided.LONG) as world:
        assert world.keeper is not None
        situation, _, plan = world.keeper.preview()
        _require_position(situation.ledger.life is not None and not plan.actions)
        yield figure("plan_us", "us", [_us(lambda: make_plan(situation)) for _ in range(2_000)])
        yield figure(
            "tick_in_process_us",
            "us",
            [_us(lambda: world.step(world.clock.now_ms + 1_000)) for _ in range(1_000)],
        )


def _weights() -> Iterator[Row]:
    minutes = 10
    with a_world(action=Decided.LONG) as world:
        before = world.usage
        world.run_until(world.clock.now_ms + minutes * MINUTE_MS)
        spent = world.usage.weight_spent - before.weight_spent
        sent = world.usage.requests - before.requests
        yield figure("requests_per_min", "1/min", [sent / minutes])
        yield figure("weight_per_min_open", "1/min", [spent / minutes], Goal(660))
    with a_world(action=None) as world:
        before = world.usage
        world.run_until(world.clock.now_ms + minutes * MINUTE_MS)
        spent = world.usage.weight_spent - before.weight_spent
        yield figure("weight_per_min_flat", "1/min", [spent / minutes], Goal(120))


def _throughput() -> Row:
    with a_world(action=Decided.LONG) as world:
        rates = []
        for _ in range(20):
            ticks, begun = world.ticks, time.process_time()
            world.run_until(world.clock.now_ms + 100_000)
            rates.append((world.ticks - ticks) / (time.process_time() - begun))
        return figure("ticks_per_cpu_s", "1/s", rates, Goal(2_000, at_most=False))


def _core() -> Row:
    """Planner, reconciliation and venue alone: the same look again and again.

    A tick without store, client and adapter, and without what makes one look of many answers.
    """
    # Time stands still here: nothing would ever free the weight that the looks spend.
    settings = VenueSettings(limits=RateLimits(weight_1m=1_000_000_000))
    venue = _Overheard(settings, now_ms=START_MS, seed=1)
    with a_world(action=Decided.LONG, venue=venue) as world:
        assert world.keeper is not None
        recalled = world.store.recall()
        venue.heard = []
        situation, _, _ = world.keeper.preview()
        asked, venue.heard = tuple(venue.heard), None
        observation, limits = situation.observation, situation.limits
        rates = []
        for _ in range(20):
            begun = time.process_time()
            for _ in range(200):
                for request in asked:
                    venue.handle(*request)
                ledger, _ = reconcile(recalled, observation, limits)
                make_plan(replace(situation, ledger=adopt(ledger, situation.inbox)))
            rates.append(200 / (time.process_time() - begun))
        return figure("core_ticks_per_cpu_s", "1/s", rates, Goal(5_000, at_most=False))


def _us(call: object) -> float:
    assert callable(call)
    begun = time.perf_counter_ns()
    call()
    return (time.perf_counter_ns() - begun) / 1_000


def _require_position(holds: bool) -> None:
    if not holds:
        raise SystemExit("bench: the world did not reach a covered, converged position")
