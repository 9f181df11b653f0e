"""The worlds planted bugs live in: those of a profile, with what makes the bug matter drawn often.

Nothing spaces lives out, so that many are lived; what a gate is to be seen forbidding stays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from random import Random  # noqa: TID251 - only the type: a profile is handed its chance

from engine.simulation.analyst import Kind, Wish
from engine.simulation.draw import PROFILES, Drawn, Profile, draw
from engine.simulation.markets import Gap, Leg, Wide
from engine.simulation.play import Fault, Freeze, Hand, Happening, Kill
from engine.simulation.rivals import Standby

Happenings = list[tuple[int, Happening]]


def worlds(name: str, count: int) -> Iterator[Drawn]:
    """Yield the first few worlds of this name."""
    profile, change = WORLDS[name]
    for seed in range(1, count + 1):
        drawn = draw(seed, profile)
        free = replace(drawn.limits, trades_per_day_max=20, cooldown_ms=0)
        yield change(replace(drawn, limits=free))


def _faults(*faults: dict[str, object], every_ms: int = 0) -> Profile:
    """Return a profile that arms these faults at the start, and again and again."""

    def trouble(_: Random, length_ms: int) -> Happenings:
        step_ms = every_ms or length_ms
        return [(at, Fault(f)) for at in range(0, length_ms, step_ms) for f in faults]

    return Profile("sabotage", trouble)


def _kills_after_entries(chance: Random, length_ms: int) -> Happenings:
    """Kill the keeper now and then at a call, after it took effect."""
    times = range(2_000, length_ms, 20_000)
    return [(at, Kill(call=chance.randrange(24), is_after=True)) for at in times]


def _restarts(_: Random, length_ms: int) -> Happenings:
    """Let the keeper die and rise between two ticks, again and again."""
    return [(at, Kill()) for at in range(9_500, length_ms, 9_500)]


def _hands(chance: Random, length_ms: int) -> Happenings:
    """Somebody cancels a stop, adds and cuts, again and again."""
    acts: tuple[dict[str, object], ...] = (
        {"do": "cancel", "role": "stop_primary"},
        {"do": "cancel", "role": "stop_floor"},
        {"do": "market", "side": "buy", "quantity": "0.002"},
        {"do": "market", "side": "sell", "quantity": "0.002"},
    )
    return [(at, Hand(chance.choice(acts))) for at in range(5_000, length_ms, 15_000)]


def _stripped(_: Random, length_ms: int) -> Happenings:
    """Somebody removes every order, again and again."""
    return [(at, Hand({"do": "cancel_all"})) for at in range(7_300, length_ms, 20_000)]


def _others(_: Random, length_ms: int) -> Happenings:
    """Somebody has orders of his own far away."""
    far: dict[str, object] = {
        "do": "stop",
        "side": "buy",
        "trigger": "500000",
        "quantity": "0.001",
    }
    return [(at, Hand(far)) for at in range(1_000, length_ms, 60_000)]


def _freezes(chance: Random, length_ms: int) -> Happenings:
    """Stop the keeper at a call, for longer than a takeover takes, again and again."""
    return [
        (at, Freeze(30_000, chance.randrange(12), is_after=chance.random() < 0.5))
        for at in range(6_000, length_ms - 60_000, 40_000)
    ]


def _attended(drawn: Drawn) -> Drawn:
    """Let a second keeper stand by on another host, and let nothing last for long."""
    wishes = tuple(
        Wish(at, Kind.ENTER, at + drawn.seed) for at in range(1_000, drawn.length_ms, 15_000)
    )
    limits = replace(drawn.limits, min_interval_ms=1_000, reenter_wait_ms=5_000)
    return replace(drawn, standby=Standby.OTHER_HOST, wishes=wishes, limits=limits)


def _same(drawn: Drawn) -> Drawn:
    return drawn


def _limits(**changes: object) -> Callable[[Drawn], Drawn]:
    def change(drawn: Drawn) -> Drawn:
        return replace(drawn, limits=replace(drawn.limits, **changes))  # type: ignore[arg-type]

    return change


def _again(kind: Kind, every_ms: int) -> Callable[[Drawn], Drawn]:
    """Let the analytics job do the same thing all the time after its first decision."""

    def change(drawn: Drawn) -> Drawn:
        first = drawn.wishes[0]
        more = [
            Wish(at, kind, at) for at in range(first.at_ms + every_ms, drawn.length_ms, every_ms)
        ]
        return replace(drawn, wishes=(first, *more))

    return change


def _old_news(drawn: Drawn) -> Drawn:
    """Let every document be too old when it appears."""
    return replace(drawn, wishes=tuple(replace(w, kind=Kind.STALE) for w in drawn.wishes))


def _thin(drawn: Drawn) -> Drawn:
    """Let resting orders fill little by little, and chases come quickly."""
    venue = replace(
        drawn.venue,
        touch_quantity=Decimal("0.002"),
        level_quantity=Decimal("0.002"),
        level_ticks=100,
    )
    limits = replace(drawn.limits, chase_interval_ms=5_000, entry_timeout_ms=900_000)
    return replace(drawn, venue=venue, limits=limits)


def _wide_books(drawn: Drawn) -> Drawn:
    """Let the book be wide every other ten seconds."""
    share = Decimal(12) / 10_000
    wides = tuple(Wide(at, 10_000, share) for at in range(0, drawn.length_ms, 20_000))
    return replace(drawn, market=replace(drawn.market, wides=wides))


def _dipping(drawn: Drawn) -> Drawn:
    """Let the price go one way, with dips in which a position loses for half a minute."""
    sign = 1 if drawn.seed % 2 else -1
    share = Decimal(-30 * sign) / 10_000
    gaps = tuple(Gap(at, share, lasts_ms=25_000) for at in range(15_000, drawn.length_ms, 50_000))
    legs = (Leg(0, Decimal(sign * 10) / 100_000),)
    market = replace(drawn.market, walk="calm", stretch=Decimal(1), legs=legs, gaps=gaps, wides=())
    venue = replace(drawn.venue, wallet=Decimal(800))
    limits = replace(
        drawn.limits,
        daily_drawdown_limit_pct=Decimal("-0.2"),
        volatility_max_pct=Decimal(6),
    )
    return replace(drawn, market=market, venue=venue, limits=limits, interval_ms=1_000)


def _trending(drawn: Drawn) -> Drawn:
    """Let the price go one way for long, so that stops are moved."""
    length_ms = 900_000
    share = Decimal(15 if drawn.seed % 2 else -15) / 100_000
    market = replace(drawn.market, walk="calm", legs=(Leg(0, share),), gaps=(), length_ms=length_ms)
    wishes = tuple(Wish(at, Kind.ENTER, at + drawn.seed) for at in range(1_000, length_ms, 45_000))
    return replace(drawn, market=market, length_ms=length_ms, wishes=wishes, interval_ms=1_000)


_POST = {"verb": "POST"}

WORLDS: dict[str, tuple[Profile, Callable[[Drawn], Drawn]]] = {
    "calm": (PROFILES["calm"], _same),
    "frozen": (Profile("sabotage", _freezes), _attended),
    "faulty": (PROFILES["faulty"], _same),
    "hostile": (PROFILES["hostile"], _same),
    "lost_entries": (
        _faults(
            {
                "kind": "reply_lost_after",
                "match": {**_POST, "role": "entry"},
                "times": 20,
                "probability": 0.5,
            }
        ),
        _same,
    ),
    # Never for longer than an accepted order may stay invisible (RULES B3 b).
    "forgetful": (
        _faults(
            {
                "kind": "reply_lost_after",
                "match": {**_POST, "role": "entry"},
                "times": 20,
                "duration_s": 12,
            },
            {"kind": "lookup_not_found", "match": {"role": "entry"}, "duration_s": 8},
            {"kind": "list_forgets", "match": {"role": "entry"}, "duration_s": 8},
            every_ms=12_000,
        ),
        _same,
    ),
    "lost_stops": (
        _faults(
            {
                "kind": "reply_lost_before",
                "match": {**_POST, "role": "stop_primary"},
                "times": 50,
                "probability": 0.5,
            }
        ),
        _same,
    ),
    "refused_steps": (
        _faults(
            {"kind": "stop_refused_once", "code": -2021, "times": 5, "duration_s": 3},
            every_ms=10_000,
        ),
        _trending,
    ),
    "lagging": (_faults({"kind": "position_lag", "lag_s": 2, "probability": 0.5}), _same),
    "silenced": (_faults({"kind": "rate_limited", "retry_after_s": 5}, every_ms=30_000), _same),
    "killed_after_an_entry": (Profile("sabotage", _kills_after_entries), _same),
    "meddled": (Profile("sabotage", _hands), _same),
    "stripped": (Profile("sabotage", _stripped), _same),
    "foreign_orders": (Profile("sabotage", _others), _same),
    "chased": (Profile("sabotage", lambda _, __: []), _thin),
    "one_decision": (PROFILES["calm"], lambda d: replace(d, wishes=d.wishes[:1])),
    "stopped_out": (
        PROFILES["calm"],
        lambda d: _again(Kind.RESEND, 20_000)(_limits(cooldown_ms=900_000)(d)),
    ),
    "busy_days": (PROFILES["calm"], _limits(trades_per_day_max=1)),
    "stale": (PROFILES["calm"], _old_news),
    "wide_books": (Profile("sabotage", lambda _, __: []), _wide_books),
    "quick_minutes": (PROFILES["calm"], _limits(volatility_max_pct=Decimal("0.2"))),
    "short_way": (PROFILES["calm"], _limits(enter_distance_pct=Decimal("0.01"))),
    "near_liquidation": (PROFILES["calm"], _limits(liq_buffer_pct=Decimal(9))),
    "little_margin": (PROFILES["calm"], _limits(margin_share_max_pct=Decimal(5))),
    "losing_day": (PROFILES["calm"], _limits(daily_drawdown_limit_pct=Decimal("-0.1"))),
    "losing_week": (
        PROFILES["calm"],
        _limits(daily_drawdown_limit_pct=Decimal(-20), weekly_drawdown_limit_pct=Decimal("-0.1")),
    ),
    "recovering": (Profile("sabotage", lambda _, __: []), _dipping),
    "running_away": (Profile("sabotage", lambda _, __: []), _limits(reenter_wait_ms=60_000)),
    "restarted": (Profile("sabotage", _restarts), lambda d: replace(d, wishes=d.wishes[:1])),
}
