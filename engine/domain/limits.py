"""The settings rules read: caps, distances and waits no plan may exceed.

Distances named ``_pct`` are percent of price (0.35 means 0.35 %), never of margin; waits end in
``_ms``; ``min_step`` is in quote currency. Defaults are those of ``config.yaml``.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from engine.domain.terms import WorkingPrice


class BasisPrice(StrEnum):
    """Which target the minimum reward is measured to (T of RULES E1)."""

    TP1 = "tp1"
    TP2 = "tp2"
    WEIGHTED = "weighted"


class OrphanPolicy(StrEnum):
    """What happens to a position that is not ours (RULES G1)."""

    PROTECT = "protect"
    ADOPT = "adopt"
    IGNORE = "ignore"
    FLATTEN = "flatten"


class NoSplit(StrEnum):
    """What a TP1 that cannot be split means (RULES F6)."""

    TP1 = "tp1"
    RUNNER = "runner"


class HoldOrClose(StrEnum):
    """What a decision against the position does (RULES F10)."""

    HOLD = "hold"
    CLOSE = "close"


class DrawdownScope(StrEnum):
    """Whose result drawdown is judged by (RULES H2)."""

    ACCOUNT = "account"
    SYMBOL = "symbol"


class TargetStyle(StrEnum):
    """How TP1 waits: as a conditional order, or as a resting reduce-only limit (RULES F6)."""

    TRIGGER = "trigger"
    RESTING = "resting"


class KeepOrClose(StrEnum):
    """What happens when price is already behind breakeven (RULES F4)."""

    KEEP = "keep"
    CLOSE = "close"


@dataclass(frozen=True, slots=True)
class Limits:
    """Everything configurable that a rule may look at."""

    symbol: str = "BTCUSDT"
    # decisions (RULES D)
    decision_stale_ms: int = 600_000
    decision_future_ms: int = 5_000
    suspend_grace_ms: int = 3_000
    cooldown_ms: int = 900_000
    on_flat: HoldOrClose = HoldOrClose.HOLD
    on_opposite: HoldOrClose = HoldOrClose.CLOSE
    # risk and gates (RULES E3, H)
    stop_distance_min_pct: Decimal = Decimal("0.35")
    rr_minimum: Decimal = Decimal("2.0")
    basis_price: BasisPrice = BasisPrice.TP1
    rr_with_fees: bool = False
    confidence_min: Decimal = Decimal("0.6")
    leverage_max: int = 10
    notional_max: Decimal = Decimal(5000)
    margin_share_max_pct: Decimal = Decimal(95)
    liq_buffer_pct: Decimal = Decimal("0.5")
    spread_max_pct: Decimal = Decimal("0.05")
    volatility_max_pct: Decimal = Decimal("1.5")
    daily_drawdown_limit_pct: Decimal = Decimal(-2)
    weekly_drawdown_limit_pct: Decimal = Decimal(-5)
    drawdown_scope: DrawdownScope = DrawdownScope.ACCOUNT
    trades_per_day_max: int = 3
    is_isolated: bool = True
    block_on_foreign_orders: bool = False
    # entry (RULES E)
    post_only: bool = False
    enter_distance_pct: Decimal = Decimal("0.30")
    leave_distance_pct: Decimal = Decimal("0.80")
    reenter_wait_ms: int = 60_000
    entry_timeout_ms: int = 900_000
    chase_interval_ms: int = 60_000
    chases_max: int = 3
    fallback_confidence: Decimal = Decimal("0.75")
    fallback_enabled: bool = True
    fallback_slippage_pct: Decimal = Decimal("0.05")
    armed_age_max_ms: int = 1_000
    # protection (RULES C, F, G)
    working_price: WorkingPrice = WorkingPrice.MARK
    trigger_grace_ms: int = 2_000
    naked_limit_ms: int = 5_000
    min_gap_pct: Decimal = Decimal("0.02")
    min_step: Decimal = Decimal(5)
    min_interval_ms: int = 5_000
    orphan: OrphanPolicy = OrphanPolicy.PROTECT
    orphan_stop_pct: Decimal = Decimal(3)
    zombie_wait_ms: int = 60_000
    flat_wait_ms: int = 10_000
    possibly_resting_max: int = 3
    # targets and trailing (RULES F)
    no_split: NoSplit = NoSplit.TP1
    tp1_style: TargetStyle = TargetStyle.TRIGGER
    breakeven_crossed: KeepOrClose = KeepOrClose.CLOSE
    trail_pct: Decimal = Decimal("0.60")
    liq_trail_pct: Decimal = Decimal("0.20")
    approach_pct: Decimal = Decimal("1.50")
    zone_move_max_pct: Decimal = Decimal("0.50")
    pivot_k: int = 3
    swing_fresh_ms: int = 600_000
    # clock
    clock_error_max_ms: int = 500
    recv_window_open_ms: int = 2_000
    recv_window_ms: int = 5_000
