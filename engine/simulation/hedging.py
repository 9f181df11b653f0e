"""Somebody who turns the account to hedge mode, holds a side there, and turns it back (RULES H3).

The exchange changes the mode only while nothing is held and no regular order rests.
"""

from __future__ import annotations

from random import Random

from engine.simulation.play import Befall, Hand, Happening
from engine.simulation.world import World


def hedge_mode(chance: Random) -> tuple[tuple[int, Happening], ...]:
    """Draw somebody who turns the account to hedge mode, holds a side there, and turns it back."""
    found: list[tuple[int, Happening]] = [
        (0, Hand({"do": "position_mode", "dual_side": "true"})),
    ]
    at_ms = chance.choice((10, 3_000))
    if chance.random() < 0.7:
        is_long = chance.random() < 0.5
        order = {"do": "market", "quantity": "0.002", "side": "buy" if is_long else "sell"}
        order["position_side"] = "long" if is_long else "short"
        found.append((at_ms, Hand(order)))
        at_ms += chance.choice((2_000, 15_000))
    # Executed in part, or with our stop still there, it takes more than one try.
    return (*found, *((at_ms + later_ms, ONE_WAY) for later_ms in (0, 200, 15_000)))


def leave_hedge_mode(world: World, at_ms: int) -> bool:
    """Let whoever turned the account to hedge mode close what is held there and turn it back."""
    venue = world.venue
    if not venue.house.account.dual_side:
        return False
    if any(position.quantity for position in venue.house.account.positions.values()):
        venue.hand({"do": "close"}, at_ms)
    venue.hand({"do": "position_mode", "dual_side": "false"}, at_ms)
    return True


ONE_WAY = Befall("one_way_mode", leave_hedge_mode)


def begins_in_hedge_mode(chance: Random, _: int) -> list[tuple[int, Happening]]:
    """Draw an account that a keeper finds in hedge mode when it begins: one world of forty."""
    return list(hedge_mode(chance)) if chance.random() < 0.025 else []
