"""The matching engine: the book of regular orders and their execution against the market's depth.

Invariants: an order that may only reduce never executes more than the position holds against it; a
client id is unique among open orders only, and may be used again once its order is final, whereupon
it executes again; a resting order fills at its own price as maker, a crossing one at the market's
as taker; ids are consecutive. Every execution goes through `execute`.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING

from engine.venue.account import CENT
from engine.venue.admission import Admission
from engine.venue.codes import Code, refuse
from engine.venue.order_history import OrderHistory
from engine.venue.orders import ZERO, Order, OrderStatus, Trade
from engine.venue.text import plain

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.venue.house import House
    from engine.venue.orders import AlgoOrder
    from engine.venue.terms import OrderTerms


class RegularBook:
    """All regular orders of the account, open and past, and its trades."""

    __slots__ = ("_admission", "ended", "house", "liquidated", "moved", "open", "past")

    def __init__(self, house: House) -> None:
        """Start empty; others are told of moved and liquidated positions and ended children."""
        self.house = house
        self.open: dict[int, Order] = {}
        self.past = OrderHistory(house)
        self._admission = Admission(house, self)
        self.moved: Callable[[str], None] = _nobody
        self.ended: Callable[[Order], None] = _nobody
        self.liquidated: Callable[[str], None] = _nobody

    # -- placing ---------------------------------------------------------------------------------

    def place(
        self,
        terms: OrderTerms,
        *,
        child_of: AlgoOrder | None = None,
        share: Decimal | None = None,
        accepted: Callable[[], None] | None = None,
    ) -> Order:
        """Accept and execute an order, or raise the `Refusal`; return how the reply shows it.

        `child_of` names the conditional order it comes from, `accepted` is told before the child's
        first event, and `share` bounds what the market offers it (an injected fault).
        """
        quantity = self._admission.admit(terms, child_of)
        order = self._accept(terms, quantity, child_of)
        if share is None and self.house.faults.armed:
            share = self._share_of(order)
        if child_of is not None:
            child_of.child_id = order.order_id
        if accepted is not None:
            accepted()
        self.house.order_event(order, "NEW")
        shown = order if terms.wants_result else replace(order)
        self._take(order, terms, share)
        self.reserve()
        if order.good_till_ms and order.is_open:
            delay = max(0, order.good_till_ms - self.house.clock.exchange)
            self.house.clock.later(delay, "gtd", order.order_id)
        return shown

    def reserve(self) -> None:
        """Recompute the margin that open orders hold."""
        self._admission.reserve()

    def _accept(self, terms: OrderTerms, quantity: Decimal, child_of: AlgoOrder | None) -> Order:
        clock = self.house.clock
        number = self.past.next_order_id
        order = Order(
            order_id=number,
            client_id=terms.client_id or f"auto{number}",
            side=terms.side,
            type=terms.type,
            quantity=quantity,
            price=terms.price,
            time_in_force=terms.time_in_force,
            position_side=terms.position_side,
            reduce_only=terms.reduce_only,
            close_position=child_of is not None and child_of.close_position,
            created_ms=clock.exchange,
            updated_ms=clock.exchange,
            accepted_ms=clock.now,
            price_match=terms.price_match,
            stp=terms.stp,
            good_till_ms=terms.good_till_ms,
        )
        if child_of is not None:
            order.algo_id = child_of.algo_id
            order.origin = child_of.type
            order.stop_price = child_of.trigger_price
            order.working_type = child_of.working_type
        self.past.add(order)
        self.open[number] = order
        return order

    def accept_forced(self, terms: OrderTerms) -> Order:
        """Accept an order of the exchange itself, unchecked; the caller executes it."""
        order = self._accept(terms, terms.quantity, None)
        self.house.order_event(order, "NEW")
        return order

    def _take(self, order: Order, terms: OrderTerms, share: Decimal | None) -> None:
        """Execute against the market at once what can be, then rest or expire."""
        market, instrument = self.house.market, self.house.instrument
        worst = terms.price
        if terms.is_market:
            worst = market.mark * (1 + terms.sign * instrument.market_take_bound)
        wanted = order.quantity
        if share is not None:
            step = instrument.step_size
            least = ZERO if order.algo_id is not None else step
            wanted = max(least, (wanted * share) // step * step)
        for price, quantity in market.offers(terms.sign, worst, wanted, slipping=terms.is_market):
            if not order.is_open:
                return
            self.execute(order, price, quantity, maker=False)
        if not order.is_open:
            return
        if terms.is_market:
            self.expire(order, "9")
        elif terms.time_in_force in ("IOC", "FOK"):
            self.expire(order, "2")

    # -- executing -------------------------------------------------------------------------------

    def execute(
        self,
        order: Order,
        price: Decimal,
        quantity: Decimal,
        *,
        maker: bool,
        rate: Decimal | None = None,
        event: str = "TRADE",
    ) -> None:
        """Fill a part of an order, never beyond the position if it only reduces."""
        house = self.house
        account, clock = house.account, house.clock
        quantity = min(quantity, order.remaining)
        if order.reduces:
            room = account.reducible(order.position_side, order.sign)
            if not room:
                self.expire(order, "4")
                return
            quantity = min(quantity, room)
        if quantity <= ZERO:
            return
        settings = house.settings
        if rate is None:
            rate = settings.maker_rate if maker else settings.taker_rate
        commission = (price * quantity * rate).quantize(CENT)
        number = self.past.next_trade_id
        signed = quantity if order.sign > 0 else -quantity
        realized = account.fill(
            order.position_side, signed, price, commission, clock.exchange, str(number), clock.now
        )
        trade = Trade(
            trade_id=number,
            order_id=order.order_id,
            client_id=order.client_id,
            side=order.side,
            position_side=order.position_side,
            price=price,
            quantity=quantity,
            realized=realized,
            commission=commission,
            maker=maker,
            time_ms=clock.exchange,
            accepted_ms=clock.now,
        )
        self.past.trades.append(trade)
        order.executed += quantity
        order.quote += quantity * price
        order.updated_ms = clock.exchange
        filled = order.executed >= order.quantity
        order.status = OrderStatus.FILLED if filled else OrderStatus.PARTIALLY_FILLED
        if filled:
            self.open.pop(order.order_id, None)
        self._report(order, trade, event)
        if filled:
            self._finish(order)
        self.reserve()
        self.moved(order.position_side)
        self.trim(order.position_side)

    def _report(self, order: Order, trade: Trade, event: str) -> None:
        """Note and push one execution."""
        house = self.house
        position = house.account.positions[order.position_side]
        house.journal.note(
            "fill",
            trade_id=trade.trade_id,
            order_id=order.order_id,
            algo_id=order.algo_id,
            client_id=order.client_id,
            side=order.side,
            position_side=order.position_side,
            price=plain(trade.price),
            quantity=plain(trade.quantity),
            executed=plain(order.executed),
            position_after=plain(position.quantity),
            realized=plain(trade.realized),
            commission=plain(trade.commission),
            maker=trade.maker,
            reduce_only=order.reduce_only,
            close_position=order.close_position,
            event=event,
            by=house.actor,
        )
        house.order_event(order, event, trade)
        house.account_event("ORDER", (position,))
        house.journal.note(
            "position",
            position_side=order.position_side,
            quantity=plain(position.quantity),
            entry_price=plain(position.entry_price),
            wallet=plain(house.account.wallet),
            isolated_wallet=plain(position.isolated_wallet),
        )
        house.account.remember(house.clock.now)

    def trim(self, position_side: str) -> None:
        """Expire resting reducing orders that the position no longer has room for (`er` 4)."""
        resting = [
            one
            for one in self.open.values()
            if one.position_side == position_side and one.reduces and one.type == "LIMIT"
        ]
        taken = {1: ZERO, -1: ZERO}
        for order in resting:
            room = self.house.account.reducible(position_side, order.sign) - taken[order.sign]
            if room <= ZERO:
                self.expire(order, "4")
            else:
                taken[order.sign] += order.remaining

    def reached(self) -> list[Order]:
        """Return the resting orders that the last price has reached."""
        last = self.house.market.last
        return [
            one
            for one in self.open.values()
            if one.type == "LIMIT" and (one.price - last) * one.sign >= ZERO
        ]

    def fill_resting(self, order: Order, offered: Decimal | None) -> Decimal:
        """Fill a resting order at its price, at most by what is `offered`; return how much."""
        if not order.is_open:
            return ZERO
        touch = self.house.settings.touch_quantity
        most = order.remaining if touch is None else min(touch, order.remaining)
        if offered is not None:
            most = min(most, offered)
        if self.house.faults.armed and (share := self._share_of(order)) is not None:
            step = self.house.instrument.step_size
            most = min(most, max(step, (order.remaining * share) // step * step))
        before = order.executed
        self.execute(order, order.price, most, maker=True)
        return order.executed - before

    def _share_of(self, order: Order) -> Decimal | None:
        """Return the share of what is left that an injected fault lets the order have."""
        fault = self.house.faults.on_order("fill", order.client_id, self.house.clock.now)
        return None if fault is None else fault.amount("fraction", "0.5")

    # -- ending ----------------------------------------------------------------------------------

    def cancel(self, order: Order) -> None:
        """Cancel an open order."""
        self._close(order, OrderStatus.CANCELED, "CANCELED")

    def expire(self, order: Order, reason: str) -> None:
        """Let the exchange end an open order for `reason` (`er`)."""
        order.expiry_reason = reason
        self._close(order, OrderStatus.EXPIRED, "EXPIRED")

    def end_by_date(self, order_id: int) -> None:
        """Cancel an order whose good-till date has come."""
        order = self.open.get(order_id)
        if order is not None:
            self.cancel(order)

    def cancel_all(self) -> None:
        """Cancel every open order."""
        for order in list(self.open.values()):
            self.cancel(order)

    def _close(self, order: Order, status: OrderStatus, event: str) -> None:
        order.status = status
        order.updated_ms = self.house.clock.exchange
        self.open.pop(order.order_id, None)
        self.house.order_event(order, event)
        self._finish(order)
        self.reserve()

    def _finish(self, order: Order) -> None:
        if order.algo_id is not None:
            self.ended(order)

    def modify(self, order: Order, quantity: Decimal, price: Decimal) -> None:
        """Change an open LIMIT order; it loses its place, and may take or end at once."""
        house = self.house
        if quantity == order.quantity and price == order.price:
            raise refuse(Code.MODIFY_NOTHING)
        if quantity <= order.executed:
            self.cancel(order)
            return
        crossing = (price - house.market.best(order.sign)) * order.sign >= ZERO
        if order.time_in_force == "GTX" and crossing:
            self.cancel(order)
            return
        before = order.quantity, order.price
        order.quantity, order.price = quantity, price
        self.reserve()
        account = house.account
        if not order.reduces and account.order_margin > ZERO:
            budget = account.available(house.market.mark)
            if not budget and account.order_margin > account.cross_wallet:
                order.quantity, order.price = before
                self.reserve()
                raise refuse(Code.MARGIN)
        order.updated_ms = house.clock.exchange
        self.open[order.order_id] = self.open.pop(order.order_id)
        house.order_event(order, "AMENDMENT")
        if crossing:
            for at, amount in house.market.offers(
                order.sign, price, order.remaining, slipping=False
            ):
                self.execute(order, at, amount, maker=False)
        self.reserve()

    def load(self, orders: list[Order], trades: list[Trade]) -> None:
        """Take over the orders and trades of a saved book."""
        self.open = {one.order_id: one for one in orders if one.is_open}
        self.past.load(orders, trades)

    def let_algo_speak(
        self, *, named: Callable[[str], bool] | None, reserved: Callable[[str, int], Decimal] | None
    ) -> None:
        """Let the algo service's open orders count for client ids or for reservations."""
        if named is not None:
            self._admission.also_named = named
        if reserved is not None:
            self._admission.also_reserved = reserved

    def open_named(self, client_id: str) -> Order | None:
        """Return the open order with this client id."""
        number = self.past.latest.get(client_id)
        return None if number is None else self.open.get(number)


def _nobody(_: object) -> None:
    """Stand where a listener will be."""
