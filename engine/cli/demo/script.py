"""What the demo plays: one long from two touches to the liquidation zone, one short stopped out.

The market never runs ahead of the keeper: each act waits for what the venue's log must show before
the next begins, so a slow machine sees the same life as a fast one.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import partial

from engine.cli.demo.stage import Restart, Stage
from engine.domain.identity import OrderRole
from engine.domain.numbers import plain
from engine.domain.terms import Side
from engine.read.documents import moment_of
from engine.simulation.log import Placed

D = Decimal
FIRST_PRICE = D(90860)
TOUCH_QUANTITY = "0.005"
STOPS = (OrderRole.STOP_PRIMARY, OrderRole.STOP_BRIDGE)
TARGETS = (OrderRole.TP2, OrderRole.LIQUIDATION_EXIT)
RISK_CHECKS = (
    "daily_dd_ok",
    "weekly_dd_ok",
    "max_trades_per_day_ok",
    "session_ok",
    "no_major_news",
)
Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Act:
    """One trade's decision in numbers; ``zone`` is the liquidation zone to leave at."""

    side: Side
    reason: str
    entry_zone: tuple[int, int]
    stop_loss: int
    tp1: int
    tp2: int
    zone: tuple[int, int] | None = None

    def document(self, now_ms: int) -> dict[str, object]:
        """Return the decision as the analytics job would write it."""
        management: dict[str, object] = {
            "tp1_fraction": 0.5,
            "enable_trailing": True,
            "trail_mode": "structure_plus_liq",
        }
        if self.zone is not None:
            low, high = self.zone
            management["liq_tp_zone_id"] = "cluster_1"
            management["liquidation_zones"] = [
                {
                    "id": "cluster_1",
                    "side": "short",
                    "price": (low + high) // 2,
                    "zone": [low, high],
                    "strength": 0.9,
                }
            ]
        return {
            "symbol": "BTCUSDT",
            "timestamp_iso": moment_of(now_ms),
            "action": self.side.value,
            "reason": self.reason,
            "entry_zone": list(self.entry_zone),
            "sl": self.stop_loss,
            "tp1": self.tp1,
            "tp2": self.tp2,
            "risk_level": 2,
            "position_size_usdt": 1200,
            "leverage": 3,
            "confidence": 0.74,
            "risk_checks": dict.fromkeys(RISK_CHECKS, True),
            "position_management": management,
        }


LONG = Act(
    Side.LONG, "trend_up_liquidity_above", (90700, 90900), 90380, 91600, 92900, (92300, 92500)
)
SHORT = Act(Side.SHORT, "rejected_at_the_zone", (92250, 92450), 92800, 91200, 90500)
STEPS_TO_ZONE = (91860, 91990, 92120, 92220)
RUN_INTO_ZONE = D(92310)
BACK_OFF = D(92270)


def play(stage: Stage, tell: Tell) -> None:
    """Play both trades from the first look of the keeper to two clean books."""
    stage.start_keeper()
    stage.await_fact(lambda: _has_looked(stage, 0), "the keeper's first look at the order books")
    tell("the keeper is running and waits for a decision")
    long_trade(stage, tell)
    short_trade(stage, tell)
    code = stage.end_keeper()
    stage.look()
    tell(f"the keeper finished its tick and left with code {code}")


def long_trade(stage: Stage, tell: Tell) -> None:
    """Enter in several fills, TP1, breakeven, trail, survive a kill, leave at the zone."""
    act, witness = LONG, stage.witness
    enter(stage, act, generation=1, tell=tell)

    stage.glide(D(act.tp1) + 5, 7)
    stage.await_fact(lambda: bool(witness.fills(OrderRole.TP1)), "TP1 executed")
    tell(f"TP1 reached at {act.tp1}: {plain(_quantity(stage, OrderRole.TP1))} sold")
    entry_price = witness.fills(OrderRole.ENTRY)[0].price
    stage.await_fact(
        lambda: any(level > entry_price for level in _levels(stage, 1)),
        "the stop moved to breakeven",
    )
    tell(f"stop moved to breakeven: {plain(_levels(stage, 1)[-1])}")

    for number, price in enumerate(STEPS_TO_ZONE):
        before = len(_levels(stage, 1))
        stage.glide(D(price), 3.5)
        stage.await_fact(partial(_has_more_levels, stage, before), f"a stop for {price}")
        tell(f"price {price}, stop trails to {plain(_levels(stage, 1)[-1])}")
        if number == 0:
            kill_and_restart(stage, tell)

    stage.glide(RUN_INTO_ZONE, 3)
    stage.await_fact(lambda: witness.picture().position == 0, "the exit at the liquidation zone")
    tell(f"liquidation zone reached at {plain(stage.price)}: position closed")
    await_clean(stage, tell)


def short_trade(stage: Stage, tell: Tell) -> None:
    """Enter short and be stopped out."""
    stage.glide(BACK_OFF, 2)
    enter(stage, SHORT, generation=2, tell=tell)
    stage.glide(D(SHORT.stop_loss) + 5, 6)
    stage.await_fact(lambda: stage.witness.picture().position == 0, "the short stopped out")
    tell(f"price {plain(stage.price)}: the short was stopped out")
    await_clean(stage, tell)


def enter(stage: Stage, act: Act, *, generation: int, tell: Tell) -> None:
    """Give the decision, see the stop armed before the entry, fill the entry in touches."""
    witness = stage.witness
    write_decision(stage, act)
    tell(f"decision: {act.side.value}, zone {act.entry_zone[0]} to {act.entry_zone[1]}")

    def entries() -> list[Placed]:
        return witness.placed(OrderRole.ENTRY, generation=generation)

    stage.await_fact(lambda: bool(entries()), "an entry order for the decision")
    price = entries()[-1].price or stage.price
    tell(f"stop armed at {plain(_levels(stage, generation)[-1])}, then entry at {plain(price)}")

    stage.glide(price, 3)
    wanted = entries()[-1].quantity or D(0)
    nudge = act.side.sign * D("-0.1")
    for touch in range(40):
        if _filled(stage, generation) >= wanted:
            break
        # A touch fills a bounded quantity; leaving and coming back is the next touch.
        stage.set_price(price + (nudge if touch % 2 else 0), quantity=D(TOUCH_QUANTITY))
        stage.rest(0.6)
    stage.await_fact(lambda: _filled(stage, generation) >= wanted, "the entry filled")
    count = len(witness.fills(OrderRole.ENTRY, generation=generation))
    tell(f"entry filled in {count} parts: {plain(wanted)} at {plain(price)}")
    stage.await_fact(
        lambda: (
            bool(witness.placed(OrderRole.STOP_FLOOR, generation=generation))
            and bool(witness.placed(OrderRole.TP1, generation=generation))
        ),
        "floor and targets resting",
    )
    tell("floor and targets rest on the exchange")


def kill_and_restart(stage: Stage, tell: Tell) -> None:
    """Kill -9 the keeper, let the market move, start it again, see it look and find its cover."""
    witness = stage.witness
    stage.look()
    before = witness.picture().cover_level
    killed_ms = stage.kill_keeper()
    tell("kill -9: the keeper is gone, its stops are not")
    dip = stage.price - 40
    stage.glide(dip, 2)
    stage.look()
    number, started_ms = witness.last_number, stage.now_ms()
    stage.start_keeper()
    stage.await_fact(lambda: _has_looked(stage, number), "the restarted keeper's first look")
    first_look = next(witness.requests_since(number, "openAlgoOrders"))
    picture = witness.picture()
    is_covered = picture.naked_quantity == 0
    covered_ms = int(str(first_look["at_ms"])) if is_covered else None
    restart = Restart(killed_ms, started_ms, covered_ms, before, picture.cover_level)
    stage.restarts.append(restart)
    level = "nothing" if picture.cover_level is None else plain(picture.cover_level)
    tell(f"restarted: covered at {level}, was {'nothing' if before is None else plain(before)}")


def await_clean(stage: Stage, tell: Tell) -> None:
    """Wait until no own order rests in either book."""
    stage.await_fact(lambda: not stage.witness.picture().own(), "both order books clean")
    tell("both books are clean")
    # What the keeper still writes down (the trade record) happens in its next ticks.
    stage.rest(2)


def write_decision(stage: Stage, act: Act) -> None:
    """Put the decision into the inbox the way a careful writer does: aside, then renamed."""
    inbox = stage.folder / "decisions"
    now_ms = stage.now_ms()
    aside = inbox / ".decision.writing"
    aside.write_text(json.dumps(act.document(now_ms), indent=1) + "\n", encoding="utf-8")
    aside.replace(inbox / "decision.json")


def configuration(urls: Mapping[str, str], database: str | None) -> dict[str, object]:
    """Return the keeper's settings for the demo: quick looks, small trailing steps.

    ``database`` is the URL of a database elsewhere, without its password.
    """
    return {
        "mode": "paper",
        "symbol": "BTCUSDT",
        "decisions": "decisions",
        "exchange": {"rest_url": urls["rest_url"], "stream_url": urls["stream_url"]},
        "store": {"url": database or "sqlite:///keeper.db", "spool": "keeper.spool"},
        # Quicker looks would use up the exchange's request weight and slow the stop down.
        "loop": {"interval_s": 0.8},
        "ticks": {"record": "all"},
        # The scripted market moves two percent in a minute; the gate must not call that a storm.
        "risk": {"volatility_max_pct": 10},
        # Wide at first, so that breakeven is a step of its own before trailing takes over.
        "trailing": {"trail_pct": 1.2, "min_step": 5, "min_interval_s": 0.5},
    }


def _has_looked(stage: Stage, number: int) -> bool:
    return next(stage.witness.requests_since(number, "openAlgoOrders"), None) is not None


def _has_more_levels(stage: Stage, before: int) -> bool:
    return len(_levels(stage, 1)) > before


def _levels(stage: Stage, generation: int) -> list[Decimal]:
    placed = stage.witness.placed(*STOPS, generation=generation)
    return [order.trigger_price for order in placed if order.trigger_price is not None]


def _filled(stage: Stage, generation: int) -> Decimal:
    fills = stage.witness.fills(OrderRole.ENTRY, generation=generation)
    return sum((fill.quantity for fill in fills), D(0))


def _quantity(stage: Stage, role: OrderRole) -> Decimal:
    return sum((fill.quantity for fill in stage.witness.fills(role)), D(0))
