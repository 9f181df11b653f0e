"""The groups of settings that rules read: types, ranges, and the defaults of `Limits`.

Invariant: no default stands here as a number; each is taken from ``engine.domain.limits``, so that
code and configuration cannot drift apart.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

from engine.domain.limits import (
    BasisPrice,
    DrawdownScope,
    HoldOrClose,
    KeepOrClose,
    Limits,
    NoSplit,
    OrphanPolicy,
    TargetStyle,
)
from engine.domain.numbers import plain
from engine.domain.terms import WorkingPrice

RULES: Final = Limits()


def seconds(milliseconds: int) -> Decimal:
    """Return milliseconds as the seconds people write."""
    return Decimal(plain(Decimal(milliseconds).scaleb(-3)))


Seconds = Annotated[Decimal, Field(ge=0, le=31_536_000, decimal_places=3)]
PositiveSeconds = Annotated[Decimal, Field(gt=0, le=31_536_000, decimal_places=3)]
Percent = Annotated[Decimal, Field(gt=0, le=100)]
Share = Annotated[Decimal, Field(ge=0, le=1)]


class Group(BaseModel):
    """A group of settings: frozen, and closed to keys it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


class Deciding(Group):
    """How decisions are taken in (RULES D)."""

    stale_s: PositiveSeconds = seconds(RULES.decision_stale_ms)
    future_s: Seconds = seconds(RULES.decision_future_ms)
    suspend_grace_s: Seconds = seconds(RULES.suspend_grace_ms)
    cooldown_s: Seconds = seconds(RULES.cooldown_ms)
    on_flat: HoldOrClose = RULES.on_flat
    on_opposite: HoldOrClose = RULES.on_opposite


class Risk(Group):
    """What an entry may cost at most (RULES E3, H)."""

    stop_distance_min_pct: Annotated[Decimal, Field(gt=0, le=20)] = RULES.stop_distance_min_pct
    rr_minimum: Annotated[Decimal, Field(gt=0, le=100)] = RULES.rr_minimum
    basis_price: BasisPrice = RULES.basis_price
    rr_with_fees: bool = RULES.rr_with_fees
    confidence_min: Share = RULES.confidence_min
    leverage_max: Annotated[int, Field(ge=1, le=125)] = RULES.leverage_max
    notional_max: Annotated[Decimal, Field(gt=0)] = RULES.notional_max
    margin_share_max_pct: Percent = RULES.margin_share_max_pct
    liq_buffer_pct: Percent = RULES.liq_buffer_pct
    spread_max_pct: Percent = RULES.spread_max_pct
    volatility_max_pct: Percent = RULES.volatility_max_pct
    daily_drawdown_limit_pct: Annotated[Decimal, Field(ge=-100, lt=0)] = (
        RULES.daily_drawdown_limit_pct
    )
    weekly_drawdown_limit_pct: Annotated[Decimal, Field(ge=-100, lt=0)] = (
        RULES.weekly_drawdown_limit_pct
    )
    drawdown_scope: DrawdownScope = RULES.drawdown_scope
    trades_per_day_max: Annotated[int, Field(ge=0, le=100)] = RULES.trades_per_day_max
    isolated: bool = RULES.is_isolated
    block_on_foreign_orders: bool = RULES.block_on_foreign_orders


class Entry(Group):
    """How an entry is placed, chased and withdrawn (RULES E)."""

    post_only: bool = RULES.post_only
    enter_distance_pct: Percent = RULES.enter_distance_pct
    leave_distance_pct: Percent = RULES.leave_distance_pct
    reenter_wait_s: Seconds = seconds(RULES.reenter_wait_ms)
    timeout_s: PositiveSeconds = seconds(RULES.entry_timeout_ms)
    chase_interval_s: PositiveSeconds = seconds(RULES.chase_interval_ms)
    chases_max: Annotated[int, Field(ge=0, le=100)] = RULES.chases_max
    fallback_confidence: Share = RULES.fallback_confidence
    fallback_enabled: bool = RULES.fallback_enabled
    fallback_slippage_pct: Percent = RULES.fallback_slippage_pct
    armed_age_max_s: PositiveSeconds = seconds(RULES.armed_age_max_ms)


class Protection(Group):
    """How cover is kept, judged and restored (RULES C, F, G)."""

    working_price: WorkingPrice = RULES.working_price
    trigger_grace_s: PositiveSeconds = seconds(RULES.trigger_grace_ms)
    naked_limit_s: PositiveSeconds = seconds(RULES.naked_limit_ms)
    min_gap_pct: Percent = RULES.min_gap_pct
    orphan: OrphanPolicy = RULES.orphan
    orphan_stop_pct: Annotated[Decimal, Field(gt=0, le=50)] = RULES.orphan_stop_pct
    zombie_wait_s: PositiveSeconds = seconds(RULES.zombie_wait_ms)
    flat_wait_s: PositiveSeconds = seconds(RULES.flat_wait_ms)
    possibly_resting_max: Annotated[int, Field(ge=2, le=10)] = RULES.possibly_resting_max


class Targets(Group):
    """What happens at the targets (RULES F4, F6, F9)."""

    no_split: NoSplit = RULES.no_split
    tp1_style: TargetStyle = RULES.tp1_style
    breakeven_crossed: KeepOrClose = RULES.breakeven_crossed
    zone_move_max_pct: Percent = RULES.zone_move_max_pct


class Trailing(Group):
    """How the stop follows (RULES F3, F8)."""

    min_step: Annotated[Decimal, Field(ge=0)] = RULES.min_step
    min_interval_s: Seconds = seconds(RULES.min_interval_ms)
    trail_pct: Percent = RULES.trail_pct
    liq_trail_pct: Percent = RULES.liq_trail_pct
    approach_pct: Percent = RULES.approach_pct
    pivot_k: Annotated[int, Field(ge=1, le=50)] = RULES.pivot_k
    swing_fresh_s: Seconds = seconds(RULES.swing_fresh_ms)


class Clock(Group):
    """How far our idea of exchange time may be off (RULES A6, G4)."""

    error_max_s: PositiveSeconds = seconds(RULES.clock_error_max_ms)
