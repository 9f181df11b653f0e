"""The account: wallet, positions, and the arithmetic of fills, funding and margin.

Invariants, exactly and in `Decimal`: wallet = first wallet + sum of every income booked; position =
sum of its fills; a reduce-only fill never opens (its caller asks `reducible` first). Money is
booked at eight decimals, half to even, so that what is shown is what is held. The wallet includes
isolated margin; `cross_wallet` does not.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import TYPE_CHECKING

from engine.venue.margin import bankruptcy_price, liquidation_price, maintenance_margin
from engine.venue.orders import Income

if TYPE_CHECKING:
    from engine.venue.settings import VenueSettings

ZERO = Decimal(0)
CENT = Decimal("0.00000001")
PAST_KEPT = 500
FIRST_TRAN_ID = 9689322392


@dataclass(slots=True)
class Position:
    """One position; `quantity` is signed, short below zero."""

    side: str
    quantity: Decimal = ZERO
    entry_price: Decimal = ZERO
    isolated_wallet: Decimal = ZERO
    realized: Decimal = ZERO
    fees: Decimal = ZERO
    updated_ms: int = 0
    opened_at: int = 0

    @property
    def sign(self) -> int:
        """+1 long, -1 short, 0 flat."""
        return (self.quantity > 0) - (self.quantity < 0)

    def unrealized(self, mark: Decimal) -> Decimal:
        """Return profit and loss at the mark price."""
        return (mark - self.entry_price) * self.quantity

    @property
    def break_even(self) -> Decimal:
        """Entry price moved by the fees paid so far."""
        return self.entry_price + self.fees / self.quantity if self.quantity else ZERO


@dataclass(slots=True)
class Account:
    """Everything that belongs to the one account, orders and trades excepted."""

    settings: VenueSettings
    wallet: Decimal
    leverage: int
    isolated: bool
    dual_side: bool
    multi_assets: bool
    positions: dict[str, Position]
    incomes: list[Income] = field(default_factory=list)
    order_margin: Decimal = ZERO
    updated_ms: int = 0
    past: deque[tuple[int, dict[str, Position]]] = field(
        default_factory=lambda: deque(maxlen=PAST_KEPT)
    )

    @classmethod
    def opened(cls, settings: VenueSettings, now_ms: int) -> Account:
        """Open the account the settings describe."""
        account = cls(
            settings,
            settings.wallet,
            settings.leverage,
            settings.margin_type == "ISOLATED",
            settings.dual_side,
            settings.multi_assets,
            {},
        )
        account.set_mode(dual_side=settings.dual_side)
        first = settings.position
        if first is not None:
            position = account.positions[first.side]
            position.quantity, position.entry_price = first.quantity, first.entry_price
            position.updated_ms = position.opened_at = now_ms
            if account.isolated:
                cost = abs(first.quantity) * first.entry_price / account.leverage
                position.isolated_wallet = cost.quantize(CENT)
        account.remember(now_ms)
        return account

    def set_mode(self, *, dual_side: bool) -> None:
        """Give the account the positions of its mode; only while flat."""
        self.dual_side = dual_side
        sides = ("LONG", "SHORT") if dual_side else ("BOTH",)
        self.positions = {side: Position(side) for side in sides}

    def remember(self, now_ms: int) -> None:
        """Keep how the positions look now, for readers that are shown the past."""
        copies = {side: replace(one) for side, one in self.positions.items()}
        self.past.append((now_ms, copies))

    def positions_at(self, at_ms: int) -> dict[str, Position]:
        """Return the positions as they were at `at_ms` of the venue's clock."""
        if not self.past or self.past[-1][0] <= at_ms:
            return self.positions
        shown = self.past[0][1]
        for when, positions in self.past:
            if when > at_ms:
                break
            shown = positions
        return shown

    @property
    def cross_wallet(self) -> Decimal:
        """The wallet without what isolated positions hold."""
        return self.wallet - sum((p.isolated_wallet for p in self.positions.values()), ZERO)

    def book(
        self, kind: str, amount: Decimal, time_ms: int, info: str = "", trade_id: str = ""
    ) -> None:
        """Move the wallet and write the income row."""
        self.wallet += amount
        self.updated_ms = time_ms
        number = FIRST_TRAN_ID + len(self.incomes)
        self.incomes.append(Income(kind, amount, info, time_ms, number, trade_id))

    def reducible(self, position_side: str, sign: int) -> Decimal:
        """Return how much an order of this sign could take off the position."""
        quantity = self.positions[position_side].quantity
        return max(ZERO, -quantity * sign)

    def fill(
        self,
        position_side: str,
        signed: Decimal,
        price: Decimal,
        commission: Decimal,
        time_ms: int,
        trade_id: str,
        now_ms: int,
    ) -> Decimal:
        """Fold one execution in and return the realized profit, before commission."""
        position = self.positions[position_side]
        before = position.quantity
        realized = ZERO
        opening = signed
        if before and (before > 0) != (signed > 0):
            closed = min(abs(before), abs(signed))
            direction = 1 if before > 0 else -1
            realized = ((price - position.entry_price) * closed * direction).quantize(CENT)
            opening = signed + closed * direction
            share = closed / abs(before)
            position.isolated_wallet -= (position.isolated_wallet * share).quantize(CENT)
            position.fees -= position.fees * share
            position.quantity = before - closed * direction
            position.realized += realized
            if not position.quantity:
                position.entry_price = position.isolated_wallet = position.fees = ZERO
        if opening:
            held = abs(position.quantity)
            if not held:
                position.opened_at = now_ms
            total = held + abs(opening)
            cost = held * position.entry_price + abs(opening) * price
            position.entry_price = cost / total
            position.quantity += opening
            position.fees += commission * abs(opening) / abs(signed)
            if self.isolated:
                position.isolated_wallet += (abs(opening) * price / self.leverage).quantize(CENT)
        position.updated_ms = time_ms
        if realized:
            self.book("REALIZED_PNL", realized, time_ms, trade_id, trade_id)
        if commission:
            self.book("COMMISSION", -commission, time_ms, trade_id, trade_id)
        return realized

    def fund(self, mark: Decimal, rate: Decimal, time_ms: int) -> list[tuple[str, Decimal]]:
        """Charge funding at the mark price and return (side, amount); longs pay a positive rate."""
        charged = []
        for side, position in self.positions.items():
            if position.quantity:
                amount = (-position.quantity * mark * rate).quantize(CENT)
                if self.isolated:
                    position.isolated_wallet += amount
                self.book("FUNDING_FEE", amount, time_ms, "FUNDING_FEE")
                charged.append((side, amount))
        return charged

    def notional(self, mark: Decimal) -> Decimal:
        """Return the signed notional of all positions."""
        return sum((p.quantity * mark for p in self.positions.values()), ZERO)

    def maintenance(self, position: Position, mark: Decimal) -> Decimal:
        """Return the maintenance margin of one position."""
        return maintenance_margin(self.settings.brackets, abs(position.quantity) * mark)

    def initial_margin(self, position: Position, mark: Decimal) -> Decimal:
        """Return the initial margin of one position."""
        return abs(position.quantity) * mark / self.leverage

    def unrealized(self, mark: Decimal) -> Decimal:
        """Return unrealized profit and loss of all positions."""
        return sum((p.unrealized(mark) for p in self.positions.values() if p.quantity), ZERO)

    def available(self, mark: Decimal) -> Decimal:
        """Return what new orders may use, never below 0."""
        free = self.cross_wallet - self.order_margin
        if not self.isolated:
            free += self.unrealized(mark)
            for position in self.positions.values():
                if position.quantity:
                    free -= self.initial_margin(position, mark)
        return max(ZERO, free)

    def backing(self, position: Position, mark: Decimal) -> Decimal:
        """Return the wallet that stands behind one position (the WB of the formula)."""
        if self.isolated:
            return position.isolated_wallet
        backing = self.cross_wallet
        for other in self.positions.values():
            if other is not position and other.quantity:
                backing += other.unrealized(mark) - self.maintenance(other, mark)
        return backing

    def liquidation_price(self, position: Position, mark: Decimal) -> Decimal:
        """Return the mark price that liquidates the position, 0 if none."""
        if not position.quantity:
            return ZERO
        return liquidation_price(
            self.settings.brackets,
            self.backing(position, mark),
            position.quantity,
            position.entry_price,
        )

    def bankruptcy_price(self, position: Position, mark: Decimal) -> Decimal:
        """Return the price at which nothing is left behind the position."""
        return bankruptcy_price(
            self.backing(position, mark), position.quantity, position.entry_price
        )

    def doomed(self, mark: Decimal) -> list[Position]:
        """Return the positions whose margin balance is at or below the maintenance margin."""
        held = [p for p in self.positions.values() if p.quantity]
        if not held:
            return held
        if self.isolated:
            return [
                p
                for p in held
                if p.isolated_wallet + p.unrealized(mark) <= self.maintenance(p, mark)
            ]
        needed = sum((self.maintenance(p, mark) for p in held), ZERO)
        return held if self.cross_wallet + self.unrealized(mark) <= needed else []
