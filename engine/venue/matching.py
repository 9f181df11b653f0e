"""The matching engine: the book of regular orders and their execution against the market's depth.

Invariants: an order that may only reduce never executes more than the position holds against it; a
client id is unique among open orders only, and may be used again once its order is final, whereupon
it executes again; a resting order fills at its own price as maker, a crossing one at the market's
as taker; ids are consecutive. Every execution goes through `execute`.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import replace
from decimal import Decimal
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

from engine.venue.account import CENT
from engine.venue.codes import Code, by_number, refuse
from engine.venue.margin import notional_max
from engine.venue.orders import SIGN, ZERO, Order, OrderStatus, Trade
from engine.venue.text import plain

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.venue.house import House
    from engine.venue.orders import AlgoOrder
    from engine.venue.terms import OrderTerms

Row = TypeVar("Row", Order, Trade)

FIRST_ORDER_ID = 88937380001
FIRST_TRADE_ID = 6012345678
GONE_UNFILLED_MS = 3 * 24 * 3600 * 1000
SLACK_MS = 600_000
FAR = 1 << 62
GONE_MS = 90 * 24 * 3600 * 1000


class RegularBook:
    """All regular orders of the account, open and past, and its trades."""

    __slots__ = (
        "also_named",
        "also_reserved",
        "ended",
        "house",
        "latest",
        "moved",
        "open",
        "orders",
        "trades",
    )

    def __init__(self, house: House) -> None:
        """Start empty; `moved` and `ended` are told of changed positions and finished children."""
        self.house = house
        self.orders: list[Order] = []
        self.open: dict[int, Order] = {}
        self.latest: dict[str, int] = {}
        self.trades: list[Trade] = []
        self.moved: Callable[[str], None] = _nobody
        self.ended: Callable[[Order], None] = _nobody
        self.also_named: Callable[[str], bool] = _unnamed
        self.also_reserved: Callable[[str, int], Decimal] = _nothing

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
        quantity = self._admit(terms, child_of)
        order = self._accept(terms, quantity, child_of)
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

    def _admit(self, terms: OrderTerms, child_of: AlgoOrder | None) -> Decimal:
        """Check what depends on the account and the market; return the quantity to accept."""
        house = self.house
        if child_of is None:
            name = terms.client_id
            if name and (self.open_named(name) is not None or self.also_named(name)):
                raise refuse(Code.DUPLICATE_ID)
            if len(self.open) >= house.instrument.orders_max:
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
        switches = self.house.switches
        position = self.house.account.reducible(terms.position_side, terms.sign)
        if not position:
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

    def reserved(self, position_side: str, sign: int) -> Decimal:
        """Return what resting reducing orders already hold of the position."""
        total = self.also_reserved(position_side, sign)
        for order in self.open.values():
            if order.sign == sign and order.position_side == position_side and order.reduces:
                total += order.remaining
        return total

    def _check_counterparty(self, sign: int) -> None:
        """Refuse a market order when the best price is outside PERCENT_PRICE."""
        market, instrument = self.house.market, self.house.instrument
        best = market.best(sign)
        if sign > 0 and best > market.mark * instrument.multiplier_up:
            raise refuse(Code.MARKET_PERCENT_PRICE)
        if sign < 0 and best < market.mark * instrument.multiplier_down:
            raise refuse(Code.MARKET_PERCENT_PRICE)

    def _check_immediate(self, terms: OrderTerms, quantity: Decimal) -> None:
        """Refuse a post-only order that would take, and a fill-or-kill that would not fill."""
        offers = self.house.market.offers(terms.sign, terms.price, quantity, slipping=False)
        offered = sum((amount for _, amount in offers), ZERO)
        if terms.time_in_force == "GTX" and offered:
            raise refuse(Code.POST_ONLY_REJECTED)
        if terms.time_in_force == "FOK" and offered < quantity:
            raise refuse(Code.FOK_REJECTED)

    def _check_margin(self, terms: OrderTerms) -> None:
        """Refuse what the account cannot carry (-2019) or its leverage does not allow (-2027)."""
        account, market = self.house.account, self.house.market
        price = market.best(terms.sign) if terms.is_market else terms.price
        notional = terms.quantity * price
        held = account.positions[terms.position_side].quantity * market.mark
        cap = notional_max(self.house.settings.brackets, account.leverage)
        if abs(held + terms.sign * notional) > max(cap, abs(held)):
            raise refuse(Code.POSITION_LIMIT)
        extra = self._exposure(terms.sign, notional) - self._exposure(0, ZERO)
        if extra > ZERO and extra / account.leverage > account.available(market.mark):
            raise refuse(Code.MARGIN)

    def _exposure(self, sign: int, notional: Decimal) -> Decimal:
        """Return the largest position notional that the open orders, and one more, could make."""
        bids = notional if sign > 0 else ZERO
        asks = notional if sign < 0 else ZERO
        for order in self.open.values():
            if not order.reduces:
                if SIGN[order.side] > 0:
                    bids += order.remaining * order.price
                else:
                    asks += order.remaining * order.price
        account, mark = self.house.account, self.house.market.mark
        held = account.notional(mark)
        if account.dual_side:
            gross = sum((abs(p.quantity) * mark for p in account.positions.values()), ZERO)
            return gross + bids + asks
        return max(abs(held + bids), abs(held - asks))

    def reserve(self) -> None:
        """Recompute the margin that open orders hold."""
        account = self.house.account
        if not self.open:
            account.order_margin = ZERO
            return
        gross = sum((abs(p.quantity) for p in account.positions.values()), ZERO)
        extra = self._exposure(0, ZERO) - gross * self.house.market.mark
        account.order_margin = max(ZERO, extra) / account.leverage

    def _accept(self, terms: OrderTerms, quantity: Decimal, child_of: AlgoOrder | None) -> Order:
        clock = self.house.clock
        number = FIRST_ORDER_ID + len(self.orders)
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
        self.orders.append(order)
        self.open[number] = order
        self.latest[order.client_id] = number
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
            wanted = (wanted * share) // step * step
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
        number = FIRST_TRADE_ID + len(self.trades)
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
        self.trades.append(trade)
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

    def match(self, quantity: Decimal | None) -> None:
        """Fill resting orders that the last price reached, best price first, then oldest."""
        if not self.open:
            return
        last, touch = self.house.market.last, self.house.settings.touch_quantity
        reached = [
            one
            for one in self.open.values()
            if one.type == "LIMIT" and (one.price - last) * one.sign >= ZERO
        ]
        reached.sort(key=lambda one: (-one.price * one.sign, one.order_id))
        left = quantity
        for order in reached:
            if not order.is_open:
                continue
            most = order.remaining if touch is None else min(touch, order.remaining)
            if left is not None:
                most = min(most, left)
            before = order.executed
            self.execute(order, order.price, most, maker=True)
            if left is not None:
                left -= order.executed - before

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
        self.orders, self.trades = orders, trades
        self.open = {one.order_id: one for one in orders if one.is_open}
        self.latest = {one.client_id: one.order_id for one in orders}
        self.latest.update({one.client_id: one.order_id for one in self.open.values()})

    # -- looking up ------------------------------------------------------------------------------

    def open_named(self, client_id: str) -> Order | None:
        """Return the open order with this client id."""
        number = self.latest.get(client_id)
        return None if number is None else self.open.get(number)

    def by_number(self, order_id: int) -> Order | None:
        """Return an order by its number, however old."""
        index = order_id - FIRST_ORDER_ID
        return self.orders[index] if 0 <= index < len(self.orders) else None

    def find(self, order_id: int | None, client_id: str | None) -> Order | None:
        """Return an order by either id, unless it is too old to be found (section 5.3)."""
        if order_id is None:
            order_id = self.latest.get(client_id or "")
            if order_id is None:
                return None
        order = self.by_number(order_id)
        if order is None:
            return None
        age = self.house.clock.exchange - order.updated_ms
        if not order.is_open and (age > GONE_MS or (age > GONE_UNFILLED_MS and not order.executed)):
            return None
        return order

    def history(
        self, order_id: int | None, start_ms: int | None, end_ms: int | None, limit: int
    ) -> list[Order]:
        """Return at most `limit` orders: from an id, from a start, else the latest."""
        if order_id is not None:
            low = max(0, order_id - FIRST_ORDER_ID)
            return self.orders[low : low + limit]
        return _window(self.orders, _created, start_ms, end_ms, limit)

    def executions(
        self,
        from_id: int | None,
        order_id: int | None,
        start_ms: int | None,
        end_ms: int | None,
        limit: int,
    ) -> list[Trade]:
        """Return at most `limit` trades: from an id, from a start, of an order, else the latest."""
        if order_id is not None:
            first = self.find(order_id, None)
            if first is None:
                return []
            low = bisect_left(self.trades, first.created_ms - SLACK_MS, key=_traded)
            return [one for one in self.trades[low:] if one.order_id == order_id][:limit]
        if from_id is not None:
            low = max(0, from_id - FIRST_TRADE_ID)
            return self.trades[low : low + limit]
        return _window(self.trades, _traded, start_ms, end_ms, limit)


def _window(
    rows: list[Row],
    time_of: Callable[[Row], int],
    start_ms: int | None,
    end_ms: int | None,
    limit: int,
) -> list[Row]:
    """Return at most `limit` rows: the first from `start_ms`, else the last up to `end_ms`.

    The rows are in order of making; a clock fault may have put their times out of order by less
    than the slack, so the search starts and ends that much wider.
    """
    low = 0 if start_ms is None else bisect_left(rows, start_ms - SLACK_MS, key=time_of)
    high = len(rows) if end_ms is None else bisect_left(rows, end_ms + 1 + SLACK_MS, key=time_of)
    if start_ms is None and end_ms is None:
        return rows[max(0, high - limit) :]
    begin = -1 if start_ms is None else start_ms
    end = rows[-1].accepted_ms + FAR if end_ms is None and rows else (end_ms or 0)
    if start_ms is not None:
        found: list[Row] = []
        for row in islice(rows, low, high):
            if begin <= time_of(row) <= end:
                found.append(row)
                if len(found) == limit:
                    break
        return found
    latest = [row for row in rows[max(low, high - 2 * limit) : high] if time_of(row) <= end]
    return latest[-limit:]


def _nobody(_: object) -> None:
    """Stand where a listener will be."""


def _created(order: Order) -> int:
    return order.created_ms


def _traded(trade: Trade) -> int:
    return trade.time_ms


def _unnamed(_client_id: str) -> bool:
    return False


def _nothing(_side: str, _sign: int) -> Decimal:
    return ZERO
