"""MARGIN_CALL: the hint that a margin is running out, pushed once until it has recovered.

The exchange names no ratio; `VenueSettings.margin_call_ratio` is ours (exchange reference, 4.4).
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.venue.account import Account, Position
    from engine.venue.house import House

ZERO = Decimal(0)


class MarginCalls:
    """Remembers which positions were warned about."""

    __slots__ = ("_house", "_warned")

    def __init__(self, house: House) -> None:
        """Warn about the positions of this house."""
        self._house = house
        self._warned: frozenset[str] = frozenset()

    def look(self) -> None:
        """Push one event for the positions that have come near their maintenance margin."""
        if not self._house.outbox.heard:
            return
        account, mark = self._house.account, self._house.market.mark
        near = self._near(account, mark)
        new = [one for one in near if one.side not in self._warned]
        self._warned = frozenset(one.side for one in near)
        if new:
            self._house.margin_event(new)

    def _near(self, account: Account, mark: Decimal) -> list[Position]:
        held = [one for one in account.positions.values() if one.quantity]
        if not held:
            return held
        share = account.settings.margin_call_ratio
        if account.isolated:
            return [
                one
                for one in held
                if account.maintenance(one, mark)
                >= share * (one.isolated_wallet + one.unrealized(mark))
            ]
        needed = sum((account.maintenance(one, mark) for one in held), ZERO)
        balance = account.cross_wallet + account.unrealized(mark)
        return held if needed >= share * balance else []
