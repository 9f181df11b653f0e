"""Funding: the fee that longs and shorts pay each other at fixed hours (reference, section 8).

Invariant: charged exactly once for every due hour of exchange time that passes, and only to a
position that is open at that moment.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from engine.venue.text import plain

if TYPE_CHECKING:
    from engine.venue.house import House


@dataclass(frozen=True, slots=True)
class FundingPoint:
    """One past funding."""

    time_ms: int
    rate: Decimal
    mark: Decimal


class Funding:
    """The next due hour and those that were."""

    __slots__ = ("_house", "next_ms", "past")

    def __init__(self, house: House) -> None:
        """Find the first due hour."""
        self._house = house
        interval = house.settings.funding_interval_ms
        self.next_ms = (house.clock.exchange // interval + 1) * interval
        self.past: list[FundingPoint] = []

    def due_at(self) -> int:
        """Return when the next funding is due on the venue's clock."""
        return self.next_ms - self._house.clock.skew_ms + self._house.switches.funding_lag_ms

    def charge(self) -> None:
        """Charge what is due now and step to the next hour."""
        house = self._house
        rate, mark = house.settings.funding_rate, house.market.mark
        self.past.append(FundingPoint(self.next_ms, rate, mark))
        for side, amount in house.account.fund(mark, rate, self.next_ms):
            house.journal.note(
                "funding",
                position_side=side,
                amount=plain(amount),
                rate=plain(rate),
                mark=plain(mark),
                wallet=plain(house.account.wallet),
            )
            position = house.account.positions[side]
            house.account_event("FUNDING_FEE", (position,) if house.account.isolated else ())
        self.next_ms += house.settings.funding_interval_ms
