"""The endpoints of the account's past: trades, income, forced orders (reference, section 5.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.venue import params
from engine.venue.codes import Code, refuse
from engine.venue.order_history import WEEK_MS
from engine.venue.replies import OrderShapes
from engine.venue.routes import Route, Table

if TYPE_CHECKING:
    from engine.venue.house import House
    from engine.venue.matching import RegularBook
    from engine.venue.params import Parameters

Json = dict[str, object]


class RecordRoutes:
    """What happened to the account."""

    __slots__ = ("_book", "_house", "_shapes", "_symbol")

    def __init__(self, house: House, book: RegularBook) -> None:
        """Serve the records of the house."""
        self._house = house
        self._book = book
        self._shapes = OrderShapes(house.settings)
        self._symbol = house.settings.symbol

    def table(self) -> Table:
        """Return the routes."""
        return {
            ("GET", "/fapi/v1/userTrades"): Route(self.user_trades, 5),
            ("GET", "/fapi/v1/income"): Route(self.income, 30),
            ("GET", "/fapi/v1/forceOrders"): Route(self.force_orders, 20),
        }

    def user_trades(self, given: Parameters) -> list[Json]:
        """List own executions, by id, order or time; the window is at most a week."""
        params.symbol(given, self._symbol)
        start, end = params.whole(given, "starttime"), params.whole(given, "endtime")
        first = params.whole(given, "fromid")
        if first is not None and not (start is None and end is None):
            raise refuse(Code.BAD_COMBINATION)
        if start is not None and end is not None and end - start > WEEK_MS:
            raise refuse(Code.INTERVAL_TOO_LONG, 7)
        if start is not None and end is None:
            end = start + WEEK_MS
        house = self._house
        trades = self._book.past.trades_in(
            first,
            params.order_number(given, "orderid"),
            start,
            end,
            params.limit(given, 500, 1000),
        )
        lag = house.switches.visible_after_ms
        if house.faults.armed:
            lag = max(lag, house.faults.lag_ms("fills", house.clock.now))
        newest = house.clock.now - lag
        return [self._shapes.trade(one) for one in trades if one.accepted_ms <= newest]

    def income(self, given: Parameters) -> list[Json]:
        """List movements of the wallet."""
        params.optional_symbol(given, self._symbol)
        kind = given.get("incometype")
        start, end = params.whole(given, "starttime"), params.whole(given, "endtime")
        rows = params.limit(given, 100, 1000)
        first_day = self._house.clock.exchange - WEEK_MS
        if start is None and end is None:
            start = first_day
        found = [
            one
            for one in self._house.account.incomes
            if (not kind or one.kind == kind)
            and (start is None or one.time_ms >= start)
            and (end is None or one.time_ms <= end)
        ]
        page = params.whole(given, "page") or 1
        return [self._shapes.income(one) for one in found[(page - 1) * rows : page * rows]]

    def force_orders(self, given: Parameters) -> list[Json]:
        """List liquidation and ADL closes."""
        params.optional_symbol(given, self._symbol)
        prefixes = {"LIQUIDATION": "autoclose-", "ADL": "adl_autoclose"}
        wanted = given.get("autoclosetype")
        chosen = tuple(prefix for name, prefix in prefixes.items() if not wanted or name == wanted)
        rows = params.limit(given, 50, 100)
        found = (
            [o for o in self._book.past.orders if o.client_id.startswith(chosen)] if chosen else []
        )
        return [self._shapes.forced(one) for one in found[-rows:]]
