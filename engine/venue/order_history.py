"""Every regular order and trade there ever was, found by id, by client id or by time.

Invariants: ids are consecutive, so that an id is an index; rows are in order of making. A client id
names the latest order that carried it.
"""

from __future__ import annotations

from bisect import bisect_left
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

from engine.venue.orders import AlgoOrder, Order, Trade

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.venue.house import House

Row = TypeVar("Row", Order, AlgoOrder, Trade)

FIRST_ORDER_ID = 88937380001
FIRST_TRADE_ID = 6012345678
GONE_UNFILLED_MS = 3 * 24 * 3600 * 1000
GONE_MS = 90 * 24 * 3600 * 1000
WEEK_MS = 7 * 24 * 3600 * 1000
SLACK_MS = 600_000
FAR = 1 << 62


class OrderHistory:
    """The rows, and the ways to look them up."""

    __slots__ = ("_house", "latest", "orders", "trades")

    def __init__(self, house: House) -> None:
        """Start empty."""
        self._house = house
        self.orders: list[Order] = []
        self.trades: list[Trade] = []
        self.latest: dict[str, int] = {}

    @property
    def next_order_id(self) -> int:
        """The id the next order gets."""
        return FIRST_ORDER_ID + len(self.orders)

    @property
    def next_trade_id(self) -> int:
        """The id the next trade gets."""
        return FIRST_TRADE_ID + len(self.trades)

    def add(self, order: Order) -> None:
        """Append an order that was accepted."""
        self.orders.append(order)
        self.latest[order.client_id] = order.order_id

    def load(self, orders: list[Order], trades: list[Trade]) -> None:
        """Take over the rows of a saved book; an open order keeps its name."""
        self.orders, self.trades = orders, trades
        self.latest = {one.client_id: one.order_id for one in orders}
        self.latest.update({one.client_id: one.order_id for one in orders if one.is_open})

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
        age = self._house.clock.exchange - order.updated_ms
        if not order.is_open and (age > GONE_MS or (age > GONE_UNFILLED_MS and not order.executed)):
            return None
        return order

    def orders_in(
        self, order_id: int | None, start_ms: int | None, end_ms: int | None, limit: int
    ) -> list[Order]:
        """Return at most `limit` orders: from an id, from a start, else the latest."""
        if order_id is not None:
            low = max(0, order_id - FIRST_ORDER_ID)
            return self.orders[low : low + limit]
        return window(self.orders, created, self._house.clock.exchange, start_ms, end_ms, limit)

    def trades_in(
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
        return window(self.trades, _traded, self._house.clock.exchange, start_ms, end_ms, limit)


def window(
    rows: list[Row],
    time_of: Callable[[Row], int],
    now_ms: int,
    start_ms: int | None,
    end_ms: int | None,
    limit: int,
) -> list[Row]:
    """Return at most `limit` rows: the first from `start_ms`, else the last of a week.

    The rows are in order of making; a clock fault may have put their times out of order by less
    than the slack, so the search begins and ends that much wider.
    """
    last = FAR if end_ms is None else end_ms
    first = (now_ms if end_ms is None else end_ms) - WEEK_MS if start_ms is None else start_ms
    low = bisect_left(rows, first - SLACK_MS, key=time_of)
    high = len(rows) if end_ms is None else bisect_left(rows, last + 1 + SLACK_MS, key=time_of)
    order = range(low, high) if start_ms is not None else range(high - 1, low - 1, -1)
    inside = (rows[n] for n in order if first <= time_of(rows[n]) <= last)
    found = list(islice(inside, limit))
    return found if start_ms is not None else found[::-1]


def created(order: Order | AlgoOrder) -> int:
    """Return when an order was accepted, in exchange time."""
    return order.created_ms


def _traded(trade: Trade) -> int:
    return trade.time_ms
