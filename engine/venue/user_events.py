"""The shapes of user stream events (exchange reference, sections 3.4 and 4.4).

`E` is the exchange time of sending, `T` of the cause.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.venue.text import ZERO, fixed, plain, short

if TYPE_CHECKING:
    from collections.abc import Sequence
    from decimal import Decimal

    from engine.venue.account import Account, Position
    from engine.venue.orders import AlgoOrder, Order, Trade
    from engine.venue.settings import VenueSettings

Event = dict[str, object]


class UserEvents:
    """The shapes of the user stream (exchange reference, sections 3.4 and 4.4)."""

    __slots__ = ("_amount", "_asset", "_names_force", "_names_stop", "_price", "_symbol")

    def __init__(self, settings: VenueSettings) -> None:
        """Take names and digits from the settings."""
        self._symbol = settings.symbol
        self._asset = settings.asset
        self._price = settings.instrument.price_precision
        self._amount = settings.instrument.quantity_precision
        self._names_force = settings.switches.forced_close_status == "named"
        self._names_stop = settings.switches.child_original_type == "STOP_MARKET"

    def order(self, order: Order, what: str, now_ms: int, trade: Trade | None = None) -> Event:
        """ORDER_TRADE_UPDATE with execution type `what`."""
        names_stop = self._names_stop and bool(order.origin)
        event: Event = {
            "s": self._symbol,
            "c": order.client_id,
            "S": order.side,
            "o": order.type,
            "f": order.time_in_force,
            "q": fixed(order.quantity, self._amount),
            "p": plain(order.price),
            "ap": short(order.average, 5),
            "sp": plain(order.stop_price) if names_stop else "0",
            "x": what,
            "X": self._status(order, what),
            "i": order.order_id,
            "l": fixed(trade.quantity if trade is not None else ZERO, self._amount),
            "z": fixed(order.executed, self._amount),
            "L": plain(trade.price) if trade is not None else "0",
            "T": order.updated_ms,
            "t": trade.trade_id if trade is not None else 0,
            "b": "0",
            "a": "0",
            "m": trade.maker if trade is not None else False,
            "R": order.reduce_only,
            "wt": order.working_type,
            "ot": order.origin if names_stop else order.type,
            "ps": order.position_side,
            "cp": order.close_position,
            "rp": plain(trade.realized) if trade is not None else "0",
            "pP": order.price_protect,
            "si": 0,
            "ss": 0,
            "V": order.stp,
            "pm": order.price_match,
            "gtd": order.good_till_ms,
            "er": order.expiry_reason,
        }
        if what == "AMENDMENT" and order.modify_id is not None:
            event["M"] = str(order.modify_id)
        if trade is not None and what != "CALCULATED":
            event["N"] = self._asset
            event["n"] = fixed(trade.commission, 8)
        return {"e": "ORDER_TRADE_UPDATE", "E": now_ms, "T": order.updated_ms, "o": event}

    def _status(self, order: Order, what: str) -> str:
        if what != "CALCULATED" or not self._names_force:
            return order.status
        return "NEW_INSURANCE" if order.type == "LIQUIDATION" else "NEW_ADL"

    def trade_lite(self, order: Order, trade: Trade, now_ms: int) -> Event:
        """TRADE_LITE, which runs ahead of the full event of the same fill."""
        return {
            "e": "TRADE_LITE",
            "E": now_ms,
            "T": trade.time_ms,
            "s": self._symbol,
            "q": fixed(order.quantity, self._amount),
            "p": fixed(order.price, self._price),
            "m": trade.maker,
            "c": order.client_id,
            "S": order.side,
            "L": fixed(trade.price, self._price),
            "l": fixed(trade.quantity, self._amount),
            "t": trade.trade_id,
            "i": order.order_id,
        }

    def account(
        self,
        cause: str,
        account: Account,
        positions: Sequence[Position],
        mark: Decimal,
        now_ms: int,
        change: str = "0",
    ) -> Event:
        """ACCOUNT_UPDATE for the wallet and the given positions."""
        data: dict[str, object] = {
            "m": cause,
            "B": [
                {
                    "a": self._asset,
                    "wb": fixed(account.wallet, 8),
                    "cw": fixed(account.cross_wallet, 8),
                    "bc": change,
                }
            ],
            "P": [self._position(account, one, mark) for one in positions],
        }
        if cause == "FUNDING_FEE":
            data["S"] = self._symbol
            if not positions:
                del data["P"]
        return {"e": "ACCOUNT_UPDATE", "E": now_ms, "T": now_ms, "a": data}

    def _position(self, account: Account, position: Position, mark: Decimal) -> Event:
        from_mark = position.unrealized(mark) if position.quantity else ZERO
        return {
            "s": self._symbol,
            "pa": fixed(position.quantity, self._amount),
            "ep": short(position.entry_price, 8),
            "bep": short(position.break_even, 8),
            "cr": short(position.realized, 8),
            "up": fixed(from_mark, 8),
            "mt": "isolated" if account.isolated else "cross",
            "iw": short(position.isolated_wallet, 8),
            "ps": position.side,
            "ma": self._asset,
        }

    def algo(self, algo: AlgoOrder, child: Order | None, now_ms: int) -> Event:
        """ALGO_UPDATE with the status the order has now."""
        executed = child is not None and child.executed > ZERO
        return {
            "e": "ALGO_UPDATE",
            "T": algo.updated_ms,
            "E": now_ms,
            "o": {
                "caid": algo.client_id,
                "aid": algo.algo_id,
                "at": "CONDITIONAL",
                "o": algo.type,
                "s": self._symbol,
                "S": algo.side,
                "ps": algo.position_side,
                "f": algo.time_in_force,
                "q": "0" if algo.close_position else fixed(algo.quantity, self._amount),
                "X": algo.status,
                "ai": str(algo.child_id) if algo.child_id is not None else "",
                "ap": short(child.average, 5) if executed and child is not None else "0",
                "aq": fixed(child.executed, self._amount)
                if executed and child is not None
                else "0",
                "act": child.type if child is not None else "",
                "tp": plain(algo.trigger_price),
                "p": plain(algo.price),
                "V": algo.stp,
                "wt": algo.working_type,
                "pm": algo.price_match,
                "cp": algo.close_position,
                "pP": algo.price_protect,
                "R": algo.reduce_only,
                "tt": algo.trigger_ms,
                "gtd": algo.good_till_ms,
                "rm": algo.failure,
                "ia": algo.activated,
            },
        }

    def leverage(self, leverage: int, now_ms: int) -> Event:
        """ACCOUNT_CONFIG_UPDATE after a change of leverage."""
        return {
            "e": "ACCOUNT_CONFIG_UPDATE",
            "E": now_ms,
            "T": now_ms,
            "ac": {"s": self._symbol, "l": leverage},
        }

    def margin_call(
        self, account: Account, positions: Sequence[Position], mark: Decimal, now_ms: int
    ) -> Event:
        """MARGIN_CALL for the positions whose margin runs out; a hint, not a promise."""
        event: Event = {"e": "MARGIN_CALL", "E": now_ms}
        if not account.isolated:
            event["cw"] = short(account.cross_wallet, 8)
        event["p"] = [
            {
                "s": self._symbol,
                "ps": one.side,
                "pa": fixed(one.quantity, self._amount),
                "mt": "ISOLATED" if account.isolated else "CROSSED",
                "iw": short(one.isolated_wallet, 8),
                "mp": plain(mark),
                "up": short(one.unrealized(mark), 8),
                "mm": short(account.maintenance(one, mark), 8),
            }
            for one in positions
        ]
        return event

    @staticmethod
    def multi_assets(now_ms: int, *, on: bool) -> Event:
        """ACCOUNT_CONFIG_UPDATE after a change of the multi-assets mode."""
        return {"e": "ACCOUNT_CONFIG_UPDATE", "E": now_ms, "T": now_ms, "ai": {"j": on}}
