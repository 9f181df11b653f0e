"""Translate what the user stream says about orders; no IO.

Invariants: only an own order's ORDER_TRADE_UPDATE becomes a report; whatever else comes, or cannot
be read, is None: a push is a hint, and a hint we do not understand only wakes the loop.
"""

from __future__ import annotations

from engine.domain.errors import Indeterminate
from engine.domain.order import OrderReport
from engine.exchange.binance import wire_orders
from engine.exchange.binance.fields import Row, row

ORDER_EVENT = "ORDER_TRADE_UPDATE"
# The stream's short names, and what the same field is called in a reply (section 4.4).
_NAMES = {
    "c": "clientOrderId",
    "i": "orderId",
    "S": "side",
    "o": "type",
    "X": "status",
    "q": "origQty",
    "p": "price",
    "R": "reduceOnly",
    "cp": "closePosition",
    "z": "executedQty",
    "T": "updateTime",
    "ps": "positionSide",
    "wt": "workingType",
}


def transacted_ms(message: object) -> int | None:
    """Return the exchange's time of an order event of whoever's order, None for other events."""
    if not isinstance(message, dict) or message.get("e") != ORDER_EVENT:
        return None
    at_ms = message.get("T")
    return at_ms if isinstance(at_ms, int) else None


def pushed_order(message: object, symbol: str) -> OrderReport | None:
    """Return what an event says about an own order of ``symbol``, None when it says nothing."""
    if not isinstance(message, dict) or message.get("e") != ORDER_EVENT:
        return None
    try:
        said: Row = row(message.get("o"), "order event")
        if said.get("s") != symbol:
            return None
        named = {long: said[short] for short, long in _NAMES.items() if short in said}
        report = wire_orders.order_report(named)
    except (Indeterminate, TypeError, ValueError):
        return None
    return report if report.own_id is not None else None
