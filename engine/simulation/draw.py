"""From a seed a small world: market, account, settings, decisions, faults, hands and deaths.

Everything follows from ``random.Random`` made here of profile and seed; no clock, no global state.
A profile says which kinds of trouble there are: ``calm`` knows kills between ticks, and nothing
else; ``faulty`` breaks requests and kills at any call; ``hostile`` adds answers that lie, refusals,
lost stores and other hands.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from random import Random

from engine.domain.limits import HoldOrClose, KeepOrClose, Limits, NoSplit
from engine.domain.terms import WorkingPrice
from engine.simulation.analyst import Kind, Wish
from engine.simulation.markets import Gap, Leg, Market
from engine.simulation.play import Happening
from engine.simulation.troubles import broken_requests, everything, kills_between_ticks
from engine.venue.settings import VenueSettings

START_MS = 1_767_607_200_000
"""2026-01-05T10:00:00Z, a Monday: the day and the week have a past, and hours to go."""

SECOND_MS = 1_000
MINUTE_MS = 60 * SECOND_MS


@dataclass(frozen=True, slots=True)
class Drawn:
    """One small world; moments are milliseconds after the start."""

    seed: int
    market: Market
    venue: VenueSettings
    limits: Limits
    latency_ms: int
    length_ms: int
    wishes: tuple[Wish, ...]
    happenings: tuple[tuple[int, Happening], ...]


Trouble = Callable[[Random, int], list[tuple[int, Happening]]]


@dataclass(frozen=True, slots=True)
class Profile:
    """One kind of weather: what goes wrong besides the market."""

    name: str
    trouble: Trouble


def draw(seed: int, profile: Profile) -> Drawn:
    """Return the world of ``seed`` under ``profile``: the same one every time."""
    chance = Random(f"{profile.name} {seed}")
    length_ms = chance.choice((6, 10, 10, 15, 20, 30)) * MINUTE_MS
    market = _market(chance, length_ms)
    return Drawn(
        seed=seed,
        market=market,
        venue=_venue(chance, market),
        limits=_limits(chance),
        latency_ms=chance.choice((2, 10, 20, 40, 90)),
        length_ms=length_ms,
        wishes=_wishes(chance, length_ms),
        happenings=tuple(sorted(profile.trouble(chance, length_ms), key=lambda h: h[0])),
    )


def _market(chance: Random, length_ms: int) -> Market:
    walk, stretches = chance.choice(
        (("calm", (2, 5, 20)), ("trend", (1, 2, 5)), ("chop", (1, 2, 4)))
    )
    count = chance.choice((0, 0, 1, 2)) if length_ms else 0
    gaps = sorted(chance.randrange(length_ms) for _ in range(count))
    return Market(
        walk=walk,
        seed=chance.getrandbits(32),
        start_price=Decimal(chance.randint(200_000, 1_200_000)) / 10,
        stretch=Decimal(chance.choice(stretches)),
        legs=_legs(chance, length_ms),
        gaps=tuple(Gap(at, Decimal(chance.randint(-80, 80)) / 10_000) for at in gaps),
        length_ms=length_ms,
    )


def _legs(chance: Random, length_ms: int) -> tuple[Leg, ...]:
    """Draw drifts of half a minute to five, from none to 3 basis points a second."""
    legs: list[Leg] = []
    at_ms = 0
    while at_ms < length_ms:
        drift = Decimal(chance.choice((0, 2, 5, 5, 10, 10, 30)) * chance.choice((-1, 1)))
        legs.append(Leg(at_ms, drift / 100_000))
        at_ms += chance.choice((30, 60, 120, 300)) * SECOND_MS
    return tuple(legs)


def _venue(chance: Random, market: Market) -> VenueSettings:
    touch = chance.choice((None, "0.001", "0.002", "0.004", "0.008", "0.02"))
    return VenueSettings(
        wallet=Decimal(chance.choice((800, 1500, 5000))),
        first_price=market.start_price,
        touch_quantity=None if touch is None else Decimal(touch),
        slippage_ticks=chance.choice((0, 0, 1, 5)),
        market_streams=(),
        log_prices=True,
        log_reads=True,
    )


def _limits(chance: Random) -> Limits:
    return replace(
        Limits(),
        cooldown_ms=chance.choice((0, 60, 900)) * SECOND_MS,
        trades_per_day_max=chance.choice((3, 20)),
        on_flat=chance.choice(tuple(HoldOrClose)),
        on_opposite=chance.choice(tuple(HoldOrClose)),
        post_only=chance.random() < 0.2,
        reenter_wait_ms=chance.choice((5, 60)) * SECOND_MS,
        entry_timeout_ms=chance.choice((60, 240, 900)) * SECOND_MS,
        working_price=chance.choice(tuple(WorkingPrice)),
        no_split=chance.choice(tuple(NoSplit)),
        breakeven_crossed=chance.choice(tuple(KeepOrClose)),
        min_interval_ms=chance.choice((1, 5)) * SECOND_MS,
        pivot_k=chance.choice((1, 3)),
        daily_drawdown_limit_pct=Decimal(chance.choice((-2, -20))),
    )


_KINDS = (
    *(Kind.ENTER,) * 10,
    *(Kind.REFINE,) * 4,
    *(Kind.RESEND, Kind.OPPOSITE, Kind.BROKEN) * 2,
    Kind.FLAT,
    Kind.STALE,
    Kind.REMOVE,
)


def _wishes(chance: Random, length_ms: int) -> tuple[Wish, ...]:
    """Draw an act of the analytics job every minute or five, the first at once."""
    wishes = [Wish(chance.randint(0, 20_000), Kind.ENTER, chance.getrandbits(32))]
    at_ms = wishes[0].at_ms
    while True:
        at_ms += chance.choice((5, 30, 60, 120, 300)) * SECOND_MS + chance.randrange(SECOND_MS)
        if at_ms >= length_ms:
            return tuple(wishes)
        wishes.append(Wish(at_ms, chance.choice(_KINDS), chance.getrandbits(32)))


PROFILES = {
    profile.name: profile
    for profile in (
        Profile("calm", kills_between_ticks),
        Profile("faulty", broken_requests),
        Profile("hostile", everything),
    )
}
"""Every profile there is, by name."""
