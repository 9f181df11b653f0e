"""The wire shapes of orders, trades and conditional orders in REST replies.

Field sets, types and number formats are those of sections 3.2, 3.3 and 5.3 of the exchange
reference: ids are integers, flags booleans, prices and quantities strings at the symbol's digits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.venue.orders import SELL
from engine.venue.text import ZERO, fixed

if TYPE_CHECKING:
    from engine.venue.orders import AlgoOrder, Income, Order, Trade
    from engine.venue.settings import VenueSettings

Json = dict[str, object]
NOT_OF_FORCED_ORDERS = ("priceProtect", "priceMatch", "selfTradePreventionMode", "goodTillDate")


class OrderShapes:
    """Turns records of one symbol into reply objects."""

    __slots__ = (
        "_amount",
        "_asset",
        "_lists_tell_quantities",
        "_price",
        "_symbol",
        "_with_average",
    )

    def __init__(self, settings: VenueSettings) -> None:
        """Take the digits and names from the settings."""
        self._symbol = settings.symbol
        self._asset = settings.asset
        self._price = settings.instrument.price_precision
        self._amount = settings.instrument.quantity_precision
        self._with_average = settings.switches.avg_price_in_write_replies == "present"
        self._lists_tell_quantities = settings.switches.algo_list_quantities == "present"

    def written(self, order: Order) -> Json:
        """Shape the reply to POST, PUT and DELETE of a regular order."""
        reply = self._order(order)
        if not self._with_average:
            del reply["avgPrice"], reply["cumQuote"]
        return reply

    def modified(self, order: Order) -> Json:
        """Shape the reply to PUT; the caller's modifyId comes back if there was one."""
        reply = self.written(order)
        reply["pair"] = self._symbol
        if order.modify_id is not None:
            reply["modifyId"] = order.modify_id
        return reply

    def read(self, order: Order) -> Json:
        """Shape GET order and a row of openOrders."""
        reply = self._order(order)
        del reply["cumQty"]
        reply["time"] = order.created_ms
        return reply

    def past(self, order: Order) -> Json:
        """Shape a row of allOrders."""
        reply = self.read(order)
        reply["cumBase"] = fixed(order.executed, self._amount)
        reply["pair"] = self._symbol
        return reply

    def forced(self, order: Order) -> Json:
        """Shape a row of forceOrders."""
        reply = self.past(order)
        for name in NOT_OF_FORCED_ORDERS:
            del reply[name]
        return reply

    def _order(self, order: Order) -> Json:
        price, amount = self._price, self._amount
        executed = fixed(order.executed, amount)
        return {
            "orderId": order.order_id,
            "symbol": self._symbol,
            "status": order.status,
            "clientOrderId": order.client_id,
            "price": fixed(order.price, price),
            "avgPrice": fixed(order.average, 5) if order.executed else "0.00",
            "origQty": fixed(order.quantity, amount),
            "executedQty": executed,
            "cumQty": executed,
            "cumQuote": fixed(order.quote, 5),
            "timeInForce": order.time_in_force,
            "type": order.type,
            "reduceOnly": order.reduce_only,
            "closePosition": order.close_position,
            "side": order.side,
            "positionSide": order.position_side,
            "stopPrice": fixed(order.stop_price, price),
            "workingType": order.working_type,
            "priceProtect": order.price_protect,
            "origType": order.origin or order.type,
            "priceMatch": order.price_match,
            "selfTradePreventionMode": order.stp,
            "goodTillDate": order.good_till_ms,
            "updateTime": order.updated_ms,
        }

    def algo_written(self, algo: AlgoOrder) -> Json:
        """Shape the reply to POST algoOrder."""
        reply = self._algo(algo)
        reply["activatePrice"] = (
            fixed(algo.activate_price, self._price) if algo.activate_price is not None else ""
        )
        reply["callbackRate"] = (
            fixed(algo.callback_rate, 1) if algo.callback_rate is not None else ""
        )
        reply["createTime"] = algo.created_ms
        reply["updateTime"] = algo.updated_ms
        reply["triggerTime"] = algo.trigger_ms
        reply["goodTillDate"] = algo.good_till_ms
        return reply

    def algo_read(self, algo: AlgoOrder, child: Order | None, *, listed: bool = False) -> Json:
        """Shape GET algoOrder and rows of the two lists; `listed` adds the fields of lists."""
        reply = self._algo(algo)
        reply["actualOrderId"] = str(algo.child_id) if algo.child_id is not None else ""
        reply["actualPrice"] = fixed(child.average, 5) if child is not None else "0.00000"
        if not listed or self._lists_tell_quantities:
            reply["actualType"] = child.type if child is not None else ""
            reply["actualQty"] = fixed(child.executed if child is not None else ZERO, self._amount)
        if listed:
            reply["tpTriggerPrice"] = reply["tpPrice"] = "0.00"
            reply["slTriggerPrice"] = reply["slPrice"] = "0.00"
        reply["tpOrderType"] = ""
        reply["createTime"] = algo.created_ms
        reply["updateTime"] = algo.updated_ms
        reply["triggerTime"] = algo.trigger_ms
        reply["goodTillDate"] = algo.good_till_ms
        return reply

    def _algo(self, algo: AlgoOrder) -> Json:
        return {
            "algoId": algo.algo_id,
            "clientAlgoId": algo.client_id,
            "algoType": "CONDITIONAL",
            "orderType": algo.type,
            "symbol": self._symbol,
            "side": algo.side,
            "positionSide": algo.position_side,
            "timeInForce": algo.time_in_force,
            "quantity": "0" if algo.close_position else fixed(algo.quantity, self._amount),
            "algoStatus": algo.status,
            "triggerPrice": fixed(algo.trigger_price, self._price),
            "price": fixed(algo.price, self._price),
            "icebergQuantity": None,
            "selfTradePreventionMode": algo.stp,
            "workingType": algo.working_type,
            "priceMatch": algo.price_match,
            "closePosition": algo.close_position,
            "priceProtect": algo.price_protect,
            "reduceOnly": algo.reduce_only,
        }

    def trade(self, trade: Trade) -> Json:
        """Shape a row of userTrades."""
        return {
            "symbol": self._symbol,
            "id": trade.trade_id,
            "orderId": trade.order_id,
            "side": trade.side,
            "price": fixed(trade.price, self._price),
            "qty": fixed(trade.quantity, self._amount),
            "realizedPnl": fixed(trade.realized, 8) if trade.realized else "0",
            "quoteQty": fixed(trade.price * trade.quantity, 5),
            "baseQty": fixed(trade.quantity, self._amount),
            "marginAsset": self._asset,
            "commission": fixed(trade.commission, 8),
            "commissionAsset": self._asset,
            "time": trade.time_ms,
            "positionSide": trade.position_side,
            "buyer": trade.side != SELL,
            "maker": trade.maker,
            "pair": self._symbol,
        }

    def income(self, income: Income) -> Json:
        """Shape a row of income."""
        return {
            "symbol": "" if income.kind == "TRANSFER" else self._symbol,
            "incomeType": income.kind,
            "income": fixed(income.amount, 8),
            "asset": self._asset,
            "info": income.info,
            "time": income.time_ms,
            "tranId": income.tran_id,
            "tradeId": income.trade_id,
        }
