"""The endpoints of both order books (exchange reference, sections 3.2, 3.3 and 5.3)."""

from __future__ import annotations

import json
from bisect import bisect_left
from typing import TYPE_CHECKING

from engine.venue import filters, params, parsing
from engine.venue.codes import Code, Refusal, refuse
from engine.venue.order_history import WEEK_MS, created, window
from engine.venue.replies import OrderShapes
from engine.venue.routes import Route, Table
from engine.venue.text import ZERO, fixed

if TYPE_CHECKING:
    from engine.venue.algo import AlgoBook
    from engine.venue.house import House
    from engine.venue.matching import RegularBook
    from engine.venue.orders import AlgoOrder, Order
    from engine.venue.params import Parameters

Json = dict[str, object]
ALL_CANCELLED: Json = {"code": 200, "msg": "The operation of cancel all open order is done."}
BATCH_MAX = 5
CHANGES_MAX = 10_000
"""How often one order may be changed (`maxMoveOrderLimit`)."""
BATCH_CANCEL_MAX = 10


class OrderRoutes:
    """Place, change, cancel, look up."""

    __slots__ = ("_algo", "_book", "_house", "_shapes", "_symbol", "countdown_number")

    def __init__(self, house: House, book: RegularBook, algo: AlgoBook) -> None:
        """Serve the two books."""
        self._house = house
        self._book = book
        self._algo = algo
        self._shapes = OrderShapes(house.settings)
        self._symbol = house.settings.symbol
        self.countdown_number = 0

    def table(self) -> Table:
        """Return the routes."""
        counted = (1, 1)
        return {
            ("POST", "/fapi/v1/order"): Route(self.place, 0, orders=counted),
            ("POST", "/fapi/v1/order/test"): Route(self.test, 0),
            ("PUT", "/fapi/v1/order"): Route(self.modify, 0, orders=counted),
            ("DELETE", "/fapi/v1/order"): Route(self.cancel),
            ("GET", "/fapi/v1/order"): Route(self.query),
            ("GET", "/fapi/v1/openOrder"): Route(self.query_open),
            ("GET", "/fapi/v1/openOrders"): Route(self.list_open, _one_or_forty),
            ("GET", "/fapi/v1/allOrders"): Route(self.list_all, 5),
            ("DELETE", "/fapi/v1/allOpenOrders"): Route(self.cancel_all),
            ("POST", "/fapi/v1/batchOrders"): Route(self.place_batch, 5, orders=(5, 1)),
            ("DELETE", "/fapi/v1/batchOrders"): Route(self.cancel_batch),
            ("POST", "/fapi/v1/countdownCancelAll"): Route(self.countdown, 10),
            ("POST", "/fapi/v1/algoOrder"): Route(self.place_algo, 0, orders=counted),
            ("DELETE", "/fapi/v1/algoOrder"): Route(self.cancel_algo),
            ("GET", "/fapi/v1/algoOrder"): Route(self.query_algo),
            ("GET", "/fapi/v1/openAlgoOrders"): Route(self.list_open_algo, _one_or_forty),
            ("GET", "/fapi/v1/allAlgoOrders"): Route(self.list_all_algo, 5),
            ("DELETE", "/fapi/v1/algoOpenOrders"): Route(self.cancel_all_algo),
        }

    # -- regular orders --------------------------------------------------------------------------

    def place(self, given: Parameters) -> Json:
        """Accept a LIMIT or MARKET order."""
        params.symbol(given, self._symbol)
        order = self._book.place(parsing.order_terms(given, self._house))
        return self._shapes.written(order)

    def test(self, given: Parameters) -> Json:
        """Check parameters and filters, place nothing."""
        params.symbol(given, self._symbol)
        terms = parsing.order_terms(given, self._house)
        instrument = self._house.instrument
        zero = fixed(ZERO, instrument.quantity_precision)
        return {
            "orderId": 0,
            "symbol": self._symbol,
            "status": "NEW",
            "clientOrderId": terms.client_id,
            "price": fixed(terms.price, instrument.price_precision),
            "avgPrice": "0.00",
            "origQty": fixed(terms.quantity, instrument.quantity_precision),
            "executedQty": zero,
            "cumQty": zero,
            "cumQuote": "0.00000",
            "timeInForce": terms.time_in_force,
            "type": terms.type,
            "reduceOnly": terms.reduce_only,
            "closePosition": False,
            "side": terms.side,
            "positionSide": terms.position_side,
            "stopPrice": "0.00",
            "workingType": "CONTRACT_PRICE",
            "priceProtect": False,
            "origType": terms.type,
            "priceMatch": terms.price_match,
            "selfTradePreventionMode": terms.stp,
            "goodTillDate": terms.good_till_ms,
            "updateTime": self._house.clock.exchange,
        }

    def modify(self, given: Parameters) -> Json:
        """Change quantity and price of an open LIMIT order."""
        params.symbol(given, self._symbol)
        side = params.text(given, "side")
        quantity = params.needed_number(given, "quantity")
        price = params.needed_number(given, "price")
        order = self._named(given, Code.NO_SUCH_ORDER)
        if not order.is_open:
            raise refuse(Code.NO_SUCH_ORDER)
        if order.type != "LIMIT":
            raise refuse(Code.MODIFY_TYPE)
        if params.flag(given, "reduceonly") and not order.reduce_only:
            raise refuse(Code.MODIFY_REDUCE_ONLY)
        if side != order.side:
            raise refuse(Code.SIDE_INVALID)
        if order.changes >= CHANGES_MAX:
            raise refuse(Code.MODIFY_TOO_OFTEN)
        instrument = self._house.instrument
        filters.check_quantity(instrument, quantity, market=False)
        filters.check_price(instrument, price)
        filters.check_percent_price(instrument, self._house.market, order.sign, price)
        if not order.reduces:
            filters.check_notional(instrument, quantity, price)
        order.modify_id = params.whole(given, "modifyid")
        self._book.modify(order, quantity, price)
        order.changes += 1
        return self._shapes.modified(order)

    def cancel(self, given: Parameters) -> Json:
        """Cancel an open order."""
        params.symbol(given, self._symbol)
        order = self._named(given, Code.CANCEL_UNKNOWN)
        if not order.is_open or self._is_hidden_from_cancel(order.client_id):
            raise refuse(Code.CANCEL_UNKNOWN)
        self._book.cancel(order)
        return self._shapes.written(order)

    def query(self, given: Parameters) -> Json:
        """Look an order up by id, open or past."""
        params.symbol(given, self._symbol)
        order = self._named(given, Code.NO_SUCH_ORDER)
        if not self._house.shows("lookup", order.client_id, order.accepted_ms):
            raise refuse(Code.NO_SUCH_ORDER)
        return self._shapes.read(order)

    def query_open(self, given: Parameters) -> Json:
        """Look an open order up by id."""
        params.symbol(given, self._symbol)
        order = self._named(given, Code.NO_SUCH_ORDER)
        if not order.is_open or not self._house.shows("lookup", order.client_id, order.accepted_ms):
            raise refuse(Code.NO_SUCH_ORDER)
        return self._shapes.read(order)

    def list_open(self, given: Parameters) -> list[Json]:
        """List open orders."""
        params.optional_symbol(given, self._symbol)
        house, read = self._house, self._shapes.read
        return [
            read(one)
            for one in self._book.open.values()
            if house.shows("list", one.client_id, one.accepted_ms)
        ]

    def list_all(self, given: Parameters) -> list[Json]:
        """List orders of all statuses."""
        params.optional_symbol(given, self._symbol)
        start, end = self._window(given)
        found = self._book.past.orders_in(
            params.order_number(given, "orderid"), start, end, params.limit(given, 500, 1000)
        )
        house, past = self._house, self._book.past
        return [
            self._shapes.past(one)
            for one in found
            if past.find(one.order_id, None) is not None
            and house.shows("history", one.client_id, one.accepted_ms)
        ]

    def cancel_all(self, given: Parameters) -> Json:
        """Cancel every open regular order; conditional orders are another service's."""
        params.symbol(given, self._symbol)
        self._book.cancel_all()
        return ALL_CANCELLED

    def place_batch(self, given: Parameters) -> list[Json]:
        """Place up to five orders, each with its own answer."""
        results: list[Json] = []
        for item in self._batch(params.text(given, "batchorders"), "batchOrders", BATCH_MAX):
            if not isinstance(item, dict):
                raise refuse(Code.BAD_PARAMETER, "batchOrders")
            order = {str(name).lower(): str(value) for name, value in item.items()}
            try:
                results.append(self.place(order))
            except Refusal as refusal:
                results.append({"code": refusal.code, "msg": refusal.message})
        return results

    def cancel_batch(self, given: Parameters) -> list[Json]:
        """Cancel up to ten orders, each with its own answer."""
        params.symbol(given, self._symbol)
        if given.get("orderidlist"):
            name = "orderid"
            items = self._batch(given["orderidlist"], "orderIdList", BATCH_CANCEL_MAX)
        else:
            name = "origclientorderid"
            text = params.text(given, "origclientorderidlist")
            items = self._batch(text, "origClientOrderIdList", BATCH_CANCEL_MAX)
        results: list[Json] = []
        for item in items:
            try:
                results.append(self.cancel({"symbol": self._symbol, name: str(item)}))
            except Refusal as refusal:
                results.append({"code": refusal.code, "msg": refusal.message})
        return results

    @staticmethod
    def _batch(text: str, name: str, most: int) -> list[object]:
        try:
            items = json.loads(text)
        except ValueError:
            raise refuse(Code.BAD_PARAMETER, name) from None
        if not isinstance(items, list) or not 0 < len(items) <= most:
            raise refuse(Code.BAD_PARAMETER, name)
        return items

    def countdown(self, given: Parameters) -> Json:
        """Arm, renew or disarm the cancel-all timer."""
        params.symbol(given, self._symbol)
        delay = params.needed_whole(given, "countdowntime")
        if delay < 0:
            raise refuse(Code.MANDATORY, "countdowntime")
        self.countdown_number += 1
        if delay:
            self._house.clock.later(delay, "countdown", self.countdown_number)
        return {"symbol": self._symbol, "countdownTime": str(delay)}

    def countdown_due(self, number: object) -> None:
        """Cancel everything if the timer was not renewed."""
        if number == self.countdown_number:
            self._book.cancel_all()
            if self._house.switches.countdown_cancels_algo == "true":
                self._algo.cancel_all()

    def _named(self, given: Parameters, missing: Code) -> Order:
        """Return the order a request names, or refuse with the code for a missing one."""
        number = params.order_number(given, "orderid")
        client_id = given.get("origclientorderid")
        if number is None and not client_id:
            raise refuse(Code.EITHER_MANDATORY, "origClientOrderId", "orderId")
        order = self._book.past.find(number, client_id)
        if order is None:
            raise refuse(missing)
        return order

    def _is_hidden_from_cancel(self, client_id: str) -> bool:
        house = self._house
        return bool(
            house.faults.armed and house.faults.on_order("cancel", client_id, house.clock.now)
        )

    # -- conditional orders ----------------------------------------------------------------------

    def place_algo(self, given: Parameters) -> Json:
        """Accept a conditional order."""
        params.symbol(given, self._symbol)
        algo = self._algo.place(parsing.algo_terms(given, self._house))
        return self._shapes.algo_written(algo)

    def cancel_algo(self, given: Parameters) -> Json:
        """Cancel a conditional order that has not triggered; the code is text here."""
        algo = self._named_algo(given, Code.CANCEL_UNKNOWN)
        if self._is_hidden_from_cancel(algo.client_id):
            raise refuse(Code.CANCEL_UNKNOWN)
        self._algo.cancel(algo)
        return {
            "algoId": algo.algo_id,
            "clientAlgoId": algo.client_id,
            "code": "200",
            "msg": "success",
        }

    def query_algo(self, given: Parameters) -> Json:
        """Look a conditional order up, open or past."""
        algo = self._named_algo(given, Code.NO_SUCH_ORDER)
        if not self._house.shows("lookup", algo.client_id, algo.accepted_ms):
            raise refuse(Code.NO_SUCH_ORDER)
        return self._shapes.algo_read(algo, self._algo.child_of(algo))

    def list_open_algo(self, given: Parameters) -> object:
        """List conditional orders that have not become regular ones."""
        params.optional_symbol(given, self._symbol)
        params.chosen(given, "algotype", parsing.ALGO_TYPES, Code.BAD_PARAMETER)
        wanted = params.order_number(given, "algoid")
        house = self._house
        rows = [
            self._shapes.algo_read(one, None, listed=True)
            for one in self._algo.open.values()
            if (wanted is None or one.algo_id == wanted)
            and house.shows("list", one.client_id, one.accepted_ms)
        ]
        return {"orders": rows} if house.switches.open_algo_envelope == "object" else rows

    def list_all_algo(self, given: Parameters) -> list[Json]:
        """List conditional orders of all statuses, within a week."""
        params.symbol(given, self._symbol)
        start, end = self._window(given)
        rows = params.limit(given, 500, 1000)
        orders = self._algo.orders
        number = params.order_number(given, "algoid")
        if number is not None:
            low = bisect_left(orders, number, key=lambda one: one.algo_id)
            found = orders[low : low + rows]
        else:
            found = window(orders, created, self._house.clock.exchange, start, end, rows)
        house = self._house
        return [
            self._shapes.algo_read(one, self._algo.child_of(one), listed=True)
            for one in found
            if self._algo.find(one.algo_id, None) is not None
            and house.shows("history", one.client_id, one.accepted_ms)
        ]

    def cancel_all_algo(self, given: Parameters) -> Json:
        """Cancel every conditional order that has not triggered."""
        params.symbol(given, self._symbol)
        self._algo.cancel_all()
        return ALL_CANCELLED

    def _named_algo(self, given: Parameters, missing: Code) -> AlgoOrder:
        number = params.order_number(given, "algoid")
        client_id = given.get("clientalgoid")
        if number is None and not client_id:
            raise refuse(Code.EITHER_MANDATORY, "clientAlgoId", "algoId")
        algo = self._algo.find(number, client_id)
        if algo is None:
            raise refuse(missing)
        return algo

    def _window(self, given: Parameters) -> tuple[int | None, int | None]:
        """Return start and end of a history request; the window is at most a week (-4165)."""
        start, end = params.whole(given, "starttime"), params.whole(given, "endtime")
        if start is not None and end is not None and end - start > WEEK_MS:
            raise refuse(Code.INTERVAL_TOO_LONG, 7)
        if start is not None and end is None:
            end = start + WEEK_MS
        return start, end


def _one_or_forty(given: Parameters) -> int:
    return 1 if given.get("symbol") else 40
