"""What the matching engine looks at before it accepts an order, and the margin open orders hold.

Invariants: an order that may only reduce is accepted for no more than the position; what the
account cannot carry is refused; nothing here executes anything. `also_named` and `also_reserved`
let the algo service have its say where a switch gives it one.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from engine.venue.codes import Code, by_number, refuse
from engine.venue.margin import notional_max
from engine.venue.orders import SIGN, ZERO

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.venue.house import House
    from engine.venue.matching import RegularBook
    from engine.venue.orders import AlgoOrder
    from engine.venue.terms import OrderTerms


class Admission:
    """The checks of an order that depend on account, market and book."""

    __slots__ = ("_book", "_house", "also_named", "also_reserved")

    def __init__(self, house: House, book: RegularBook) -> None:
        """Look at the given book."""
        self._house = house
        self._book = book
        self.also_named: Callable[[str], bool] = _unnamed
        self.also_reserved: Callable[[str, int], Decimal] = _nothing

    def admit(self, terms: OrderTerms, child_of: AlgoOrder | None) -> Decimal:
        """Check what depends on the account and the market; return the quantity to accept."""
        house = self._house
        if terms.position_side not in house.account.positions:
            # A conditional order from before the account's mode was changed: it blocks no change.
            raise refuse(Code.POSITION_SIDE)
        if child_of is None:
            name = terms.client_id
            if name and (self._book.open_named(name) is not None or self.also_named(name)):
                raise refuse(Code.DUPLICATE_ID)
            if len(self._book.open) >= house.instrument.orders_max:
                raise refuse(Code.TOO_MANY_OPEN)
        quantity = self._reduced(terms, child_of) if terms.reduces else terms.quantity
        if terms.is_market:
            self._check_counterparty(terms.sign)
        elif terms.time_in_force in ("GTX", "FOK"):
            self._check_immediate(terms, quantity)
        if not terms.reduces:
            self._check_margin(terms)
        return quantity

    def _reduced(self, terms: OrderTerms, child_of: AlgoOrder | None) -> Decimal:
        """Return the quantity a reducing order keeps, or refuse it (exchange reference, 3.10)."""
        switches = self._house.switches
        position = self._house.account.reducible(terms.position_side, terms.sign)
        if not position or (child_of is not None and self._is_unseen(terms.position_side)):
            raise refuse(Code.REDUCE_ONLY)
        reserves = switches.resting_reduce_only_reserves == "true"
        if child_of is not None:
            reserves = switches.resting_reduce_only_starves_child == "true"
        reserved = self.reserved(terms.position_side, terms.sign) if reserves else ZERO
        if reserved and terms.quantity > position - reserved:
            raise by_number(int(switches.reserved_code))
        if terms.quantity <= position:
            return terms.quantity
        if child_of is not None and switches.oversize_reduce_only_child == "refused":
            raise refuse(Code.REDUCE_ONLY)
        return position

    def _is_unseen(self, position_side: str) -> bool:
        """Whether the position is too young for a triggered child to find it."""
        house = self._house
        opened_at = house.account.positions[position_side].opened_at
        return house.clock.now - opened_at < house.switches.child_sync_lag_ms

    def reserved(self, position_side: str, sign: int) -> Decimal:
        """Return what resting reducing orders already hold of the position."""
        total = self.also_reserved(position_side, sign)
        for order in self._book.open.values():
            if order.sign == sign and order.position_side == position_side and order.reduces:
                total += order.remaining
        return total

    def _check_counterparty(self, sign: int) -> None:
        """Refuse a market order when the best price is outside PERCENT_PRICE."""
        market, instrument = self._house.market, self._house.instrument
        best = market.best(sign)
        if sign > 0 and best > market.mark * instrument.multiplier_up:
            raise refuse(Code.MARKET_PERCENT_PRICE)
        if sign < 0 and best < market.mark * instrument.multiplier_down:
            raise refuse(Code.MARKET_PERCENT_PRICE)

    def _check_immediate(self, terms: OrderTerms, quantity: Decimal) -> None:
        """Refuse a post-only order that would take, and a fill-or-kill that would not fill."""
        offers = self._house.market.offers(terms.sign, terms.price, quantity, slipping=False)
        offered = sum((amount for _, amount in offers), ZERO)
        if terms.time_in_force == "GTX" and offered:
            raise refuse(Code.POST_ONLY_REJECTED)
        if terms.time_in_force == "FOK" and offered < quantity:
            raise refuse(Code.FOK_REJECTED)

    def _check_margin(self, terms: OrderTerms) -> None:
        """Refuse what the account cannot carry (-2019) or its leverage does not allow (-2027)."""
        account, market = self._house.account, self._house.market
        price = self._price_paid(terms)
        notional = terms.quantity * price
        held = account.positions[terms.position_side].quantity * market.mark
        cap = notional_max(self._house.settings.brackets, account.leverage)
        if abs(held + terms.sign * notional) > max(cap, abs(held)):
            raise refuse(Code.POSITION_LIMIT)
        # What is opened is held at the mark price at once, with its loss against it.
        opened = terms.quantity - min(
            terms.quantity, account.reducible(terms.position_side, terms.sign)
        )
        loss = max(ZERO, (price - market.mark) * terms.sign) * opened
        margin = terms.quantity * max(price, market.mark)
        extra = self._exposure(terms.sign, margin) - self._exposure(0, ZERO)
        if extra > ZERO and extra / account.leverage + loss > account.available(market.mark):
            raise refuse(Code.MARGIN)

    def _price_paid(self, terms: OrderTerms) -> Decimal:
        """Return the price of a limit order, or what the market takes on average."""
        market = self._house.market
        if not terms.is_market:
            return terms.price
        bound = market.mark * (1 + terms.sign * self._house.instrument.market_take_bound)
        offers = list(market.offers(terms.sign, bound, terms.quantity, slipping=True))
        taken = sum((quantity for _, quantity in offers), ZERO)
        if not taken:
            return market.best(terms.sign)
        return sum((price * quantity for price, quantity in offers), ZERO) / taken

    def _exposure(self, sign: int, notional: Decimal) -> Decimal:
        """Return the largest position notional that the open orders, and one more, could make."""
        bids = notional if sign > 0 else ZERO
        asks = notional if sign < 0 else ZERO
        for order in self._book.open.values():
            if not order.reduces:
                if SIGN[order.side] > 0:
                    bids += order.remaining * order.price
                else:
                    asks += order.remaining * order.price
        account, mark = self._house.account, self._house.market.mark
        held = account.notional(mark)
        if account.dual_side:
            gross = sum((abs(p.quantity) * mark for p in account.positions.values()), ZERO)
            return gross + bids + asks
        return max(abs(held + bids), abs(held - asks))

    def reserve(self) -> None:
        """Recompute the margin that open orders hold."""
        account = self._house.account
        if not self._book.open:
            account.order_margin = ZERO
            return
        gross = sum((abs(p.quantity) for p in account.positions.values()), ZERO)
        extra = self._exposure(0, ZERO) - gross * self._house.market.mark
        account.order_margin = max(ZERO, extra) / account.leverage


def _unnamed(_client_id: str) -> bool:
    return False


def _nothing(_side: str, _sign: int) -> Decimal:
    return ZERO
