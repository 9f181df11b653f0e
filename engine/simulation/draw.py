"""From a seed a small world: market, account, settings, decisions, faults, hands and deaths.

Everything follows from ``random.Random`` made here of profile and seed; no clock, no global state.
A profile says which kinds of trouble there are: ``calm`` knows kills between ticks, and nothing
else; ``faulty`` breaks requests and pushes, kills at any call, and turns a switch; ``hostile`` adds
answers that lie, refusals, bans, clocks, stores that fail or are lost, and other hands.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from random import Random

from engine.domain.limits import HoldOrClose, KeepOrClose, Limits, NoSplit
from engine.domain.terms import WorkingPrice
from engine.simulation.ambush import ambushes
from engine.simulation.analyst import Kind, Wish
from engine.simulation.hedging import begins_in_hedge_mode
from engine.simulation.markets import Gap, Leg, Market, Which, Wide
from engine.simulation.play import Ambush, Happening, Kill
from engine.simulation.rivals import Standby
from engine.simulation.troubles import (
    BROKEN,
    EVERYTHING,
    KILL,
    everything,
    faults,
    freezes,
    kills_between_ticks,
    rarer_refusals,
    rarer_requests,
)
from engine.venue.settings import VenueSettings
from engine.venue.switches import SWITCHES, Switches

START_MS = 1_767_607_200_000
"""2026-01-05T10:00:00Z, a Monday: the day and the week have a past, and hours to go."""

SECOND_MS = 1_000
MINUTE_MS = 60 * SECOND_MS
HOUR_MS = 60 * MINUTE_MS


@dataclass(frozen=True, slots=True)
class Drawn:
    """One small world; moments are milliseconds after the start.

    ``in_wait`` are the faults that wait for a state of the life. A store that a death may leave in
    the middle of a transaction is on disk.
    """

    seed: int
    market: Market
    venue: VenueSettings
    limits: Limits
    interval_ms: int
    latency_ms: int
    streams: bool
    length_ms: int
    wishes: tuple[Wish, ...]
    happenings: tuple[tuple[int, Happening], ...]
    standby: Standby = Standby.NOWHERE
    is_on_disk: bool = False
    in_wait: tuple[tuple[str, str], ...] = ()


Trouble = Callable[[Random, int], list[tuple[int, Happening]]]


@dataclass(frozen=True, slots=True)
class Profile:
    """How the weather is: what goes wrong, of which kinds, and how many switches are turned."""

    name: str
    trouble: Trouble
    switches: int = 0
    faults: tuple[str, ...] = ()
    freezes: bool = False
    rarer: tuple[Trouble, ...] = ()
    lies_in_wait: bool = False


def draw(seed: int, profile: Profile) -> Drawn:
    """Return the world of ``seed`` under ``profile``: the same one every time."""
    chance = Random(f"{profile.name} {seed}")
    length_ms = chance.choice((3, 4, 5, 6, 8)) * MINUTE_MS
    book = Random(f"{profile.name} {seed} book")  # its own: nothing else is drawn otherwise
    market = replace(_market(chance, length_ms), wides=_wides(book, length_ms))
    limits = _limits(chance)
    drawn = Drawn(
        seed=seed,
        market=market,
        venue=_venue(chance, market, _switches(chance, profile.switches)),
        limits=limits,
        interval_ms=chance.choice((1_000, 1_000, 1_000, 2_000, 3_000)),
        latency_ms=chance.choice((2, 10, 20, 40, 90)),
        streams=chance.random() < 0.6,
        length_ms=length_ms,
        wishes=_wishes(chance, length_ms),
        happenings=tuple(profile.trouble(chance, length_ms)),
    )
    return _with_more(drawn, profile)


def _with_more(drawn: Drawn, profile: Profile) -> Drawn:
    """Add what is drawn from streams of chance of its own: it changes nothing drawn before."""
    happenings, venue, standby = list(drawn.happenings), drawn.venue, drawn.standby
    rare = Random(f"{profile.name} {drawn.seed} rarer")
    happenings += [one for more in profile.rarer for one in more(rare, drawn.length_ms)]
    if profile.freezes:
        chance = Random(f"{profile.name} {drawn.seed} freezes")
        standby, frozen = freezes(chance, drawn.length_ms, happenings)
        happenings += frozen
    if standby is not Standby.NOWHERE:  # the two share one store, which is on disk anyway
        happenings = [one for one in happenings if not _dies_in_store(one[1])]
    in_wait: tuple[tuple[str, str], ...] = ()
    switches = venue.switches.plain()
    if profile.switches and rare.random() < 0.06:
        name = rare.choice(sorted(RARER))
        switches[name] = RARER[name]
    if profile.lies_in_wait:
        lying = ambushes(
            profile.faults,
            drawn.seed,
            Random(f"{profile.name} {drawn.seed} ambush"),
            drawn.length_ms * 4 // 5,
            streams=drawn.streams,
            stands_by=standby is not Standby.NOWHERE,
        )
        happenings += lying.happenings
        in_wait = lying.pairs
        switches |= lying.switches
    if str(switches["trigger_delay_ms"]) == HANGS_MS:
        switches |= {RESERVES: "false"}  # what hangs, and reserves, lets nobody close for as long
    happenings.sort(key=lambda happening: happening[0])
    return replace(
        drawn,
        venue=replace(venue, switches=Switches.named(switches)),
        standby=standby,
        happenings=tuple(happenings),
        is_on_disk=any(_dies_in_store(what) for _, what in happenings),
        in_wait=in_wait,
    )


def _dies_in_store(what: Happening) -> bool:
    """Return whether a transaction may be left open: a store in memory does not survive that."""
    if isinstance(what, Ambush):
        return any(_dies_in_store(one) for step in what.steps for _, one in step.what)
    return isinstance(what, Kill) and what.is_statement


def _market(chance: Random, length_ms: int) -> Market:
    walk, stretches = chance.choice(
        (("calm", (2, 5, 20)), ("trend", (1, 2, 5)), ("chop", (1, 2, 4)))
    )
    return Market(
        walk=walk,
        seed=chance.getrandbits(32),
        start_price=Decimal(chance.randint(200_000, 1_200_000)) / 10,
        stretch=Decimal(chance.choice(stretches)),
        legs=_legs(chance, length_ms),
        gaps=tuple(_gap(chance, length_ms) for _ in range(chance.choice((0, 0, 1, 1, 2)))),
        length_ms=length_ms,
    )


def _gap(chance: Random, length_ms: int) -> Gap:
    """Draw a jump that stays, a crash with its way back, a wick of a second, or prices apart."""
    at_ms = chance.randrange(length_ms)
    match chance.choice(("jump", "jump", "crash", "wick", "wick", "apart")):
        case "jump":
            return Gap(at_ms, Decimal(chance.randint(-80, 80)) / 10_000)
        case "crash":
            share = Decimal(chance.choice((-600, -300, -200, 200, 300))) / 10_000
            return Gap(at_ms, share, lasts_ms=chance.choice((5, 20, 60)) * SECOND_MS)
        case "wick":
            share = Decimal(chance.choice((-120, -60, 60, 120))) / 10_000
            return Gap(at_ms, share, lasts_ms=SECOND_MS, of=chance.choice(tuple(Which)))
        case _:
            share = Decimal(chance.choice((-50, -20, 20, 50))) / 10_000
            lasts_ms = chance.choice((10, 40)) * SECOND_MS
            return Gap(at_ms, share, lasts_ms=lasts_ms, of=chance.choice((Which.LAST, Which.MARK)))


def _wides(chance: Random, length_ms: int) -> tuple[Wide, ...]:
    """Draw, for one world in seven, stretches in which the book is wider than may be entered."""
    if chance.random() >= 0.15:
        return ()
    shares = (Decimal(chance.choice((4, 8, 20))) / 10_000 for _ in range(4))
    return tuple(
        Wide(chance.randrange(length_ms), chance.choice((5, 20, 60)) * SECOND_MS, share)
        for share in shares
    )


def _legs(chance: Random, length_ms: int) -> tuple[Leg, ...]:
    """Draw drifts of half a minute to two, from none to 3 basis points a second."""
    legs: list[Leg] = []
    at_ms = 0
    while at_ms < length_ms:
        drift = Decimal(chance.choice((0, 5, 10, 20, 30, 30)) * chance.choice((-1, 1)))
        legs.append(Leg(at_ms, drift / 100_000))
        at_ms += chance.choice((30, 60, 60, 120)) * SECOND_MS
    return tuple(legs)


def _venue(chance: Random, market: Market, switches: Switches) -> VenueSettings:
    touch = chance.choice((None, "0.001", "0.002", "0.004", "0.008", "0.02"))
    is_thin = chance.random() < 0.2
    is_funded = chance.random() < 0.2
    return VenueSettings(
        wallet=Decimal(chance.choice((800, 1500, 5000))),
        first_price=market.start_price,
        touch_quantity=None if touch is None else Decimal(touch),
        level_quantity=Decimal("0.004") if is_thin else None,
        level_ticks=chance.choice((5, 50)) if is_thin else 1,
        slippage_ticks=chance.choice((0, 0, 1, 5)),
        funding_interval_ms=MINUTE_MS if is_funded else 8 * HOUR_MS,
        funding_rate=Decimal(chance.choice((-10, 1, 10))) / 10_000,
        switches=switches,
        market_streams=(),
        log_prices=True,
        log_reads=True,
    )


HANGS_MS = "15000"
"""A ``trigger_delay_ms`` by which a stop hangs in TRIGGERING."""

DURATIONS: Mapping[str, tuple[str, ...]] = {
    "visible_after_ms": ("1500",),
    "gte_sync_lag_ms": ("3000",),
    "child_sync_lag_ms": ("1000",),
    "gte_cancel_lag_ms": ("1000",),
    "gte_expire_lag_ms": ("2000",),
    "trigger_delay_ms": ("500", HANGS_MS),
    "reduce_only_sync_lag_ms": ("1000",),
    "funding_lag_ms": ("5000",),
}
"""Values for switches that take any."""

RESERVES = "untriggered_stops_reserve"
RARER = {"auto_cancel_stops_ms": "53000", RESERVES: "true"}
"""Drawn apart: stops that the exchange itself takes away, as somebody might, and closes that are
refused until stops and targets make way for them."""

NOT_DRAWN = frozenset(
    {
        *RARER,  # with the others a seed would turn other switches than it did before
        "recv_window_enforced",  # assumption (a) of RULES B3: violated, doubles are seen, not none
    }
)


def _switches(chance: Random, most: int) -> Switches:
    """Turn a few behaviours of the exchange that nobody has confirmed."""
    named: dict[str, object] = {}
    for _ in range(chance.randint(0, most) if most else 0):
        switch = chance.choice([s for s in SWITCHES if s.name not in NOT_DRAWN])
        values = switch.values or DURATIONS.get(switch.name, ())
        if values:
            named[switch.name] = chance.choice(values)
    return Switches.named(named)


def _limits(chance: Random) -> Limits:
    return replace(
        Limits(),
        cooldown_ms=chance.choice((0, 0, 60, 900)) * SECOND_MS,
        trades_per_day_max=chance.choice((3, 20, 20, 20)),
        on_flat=chance.choice(tuple(HoldOrClose)),
        on_opposite=chance.choice(tuple(HoldOrClose)),
        post_only=chance.random() < 0.2,
        reenter_wait_ms=chance.choice((5, 60)) * SECOND_MS,
        chase_interval_ms=chance.choice((5, 15, 60)) * SECOND_MS,
        entry_timeout_ms=chance.choice((30, 90, 240)) * SECOND_MS,
        working_price=chance.choice(tuple(WorkingPrice)),
        no_split=chance.choice(tuple(NoSplit)),
        breakeven_crossed=chance.choice(tuple(KeepOrClose)),
        min_interval_ms=chance.choice((1, 5)) * SECOND_MS,
        volatility_max_pct=Decimal(chance.choice(("1.5", "6", "6", "6"))),
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
    """Draw an act of the analytics job every few seconds or minutes, the first at once."""
    wishes = [Wish(chance.randint(0, 5_000), Kind.ENTER, chance.getrandbits(32))]
    at_ms = wishes[0].at_ms
    while True:
        at_ms += chance.choice((5, 15, 30, 60, 90)) * SECOND_MS + chance.randrange(SECOND_MS)
        if at_ms >= length_ms:
            return tuple(wishes)
        wishes.append(Wish(at_ms, chance.choice(_KINDS), chance.getrandbits(32)))


PROFILES = {
    profile.name: profile
    for profile in (
        Profile("calm", kills_between_ticks, faults=(KILL,)),
        Profile(
            "faulty",
            faults,
            switches=1,
            faults=BROKEN,
            rarer=(rarer_requests,),
            lies_in_wait=True,
        ),
        Profile(
            "hostile",
            everything,
            switches=3,
            faults=EVERYTHING,
            freezes=True,
            rarer=(rarer_requests, rarer_refusals, begins_in_hedge_mode),
            lies_in_wait=True,
        ),
    )
}
"""Every profile there is, by name."""
