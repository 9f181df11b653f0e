"""The endpoints of positions and balances (exchange reference, section 5.4)."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from engine.venue import params
from engine.venue.margin import notional_max
from engine.venue.routes import Route, Table
from engine.venue.text import ZERO, fixed, plain, short

if TYPE_CHECKING:
    from engine.venue.account import Position
    from engine.venue.house import House
    from engine.venue.matching import RegularBook
    from engine.venue.params import Parameters

Json = dict[str, object]


class PositionRoutes:
    """What the account holds, in the versions that clients ask for."""

    __slots__ = ("_book", "_house", "_symbol")

    def __init__(self, house: House, book: RegularBook) -> None:
        """Serve the account of the house."""
        self._house = house
        self._book = book
        self._symbol = house.settings.symbol

    def table(self) -> Table:
        """Return the routes."""
        return {
            ("GET", "/fapi/v2/positionRisk"): Route(self.position_risk_v2, 5),
            ("GET", "/fapi/v3/positionRisk"): Route(self.position_risk_v3, 5),
            ("GET", "/fapi/v2/account"): Route(self.account_v2, 5),
            ("GET", "/fapi/v3/account"): Route(self.account_v3, 5),
            ("GET", "/fapi/v2/balance"): Route(self.balance, 5),
            ("GET", "/fapi/v3/balance"): Route(self.balance, 5),
        }

    def _positions(self) -> list[Position]:
        """Return the positions as a reader gets to see them."""
        house = self._house
        account = house.account
        if house.faults.armed:
            lag = house.faults.lag_ms("position", house.clock.now)
            if lag:
                return list(account.positions_at(house.clock.now - lag).values())
        return list(account.positions.values())

    def position_risk_v2(self, given: Parameters) -> list[Json]:
        """List the symbol's positions, flat ones included."""
        params.optional_symbol(given, self._symbol)
        house = self._house
        account, mark = house.account, house.market.mark
        largest = plain(notional_max(house.settings.brackets, account.leverage))
        rows = []
        for one in self._positions():
            row = self._common_row(one, mark)
            row["leverage"] = str(account.leverage)
            row["maxNotionalValue"] = largest
            row["marginType"] = "isolated" if account.isolated else "cross"
            row["isolatedMargin"] = fixed(self._isolated_margin(one, mark), 8)
            row["isAutoAddMargin"] = "false"
            rows.append(row)
        return rows

    def position_risk_v3(self, given: Parameters) -> list[Json]:
        """List positions that are open or have open orders."""
        params.optional_symbol(given, self._symbol)
        house = self._house
        account, mark = house.account, house.market.mark
        shown = house.switches.flat_position_row == "present" or bool(self._book.open)
        rows = []
        for one in self._positions():
            if not one.quantity and not shown:
                continue
            row = self._common_row(one, mark)
            initial = account.initial_margin(one, mark)
            row["marginAsset"] = house.settings.asset
            row["isolatedMargin"] = short(self._isolated_margin(one, mark), 8)
            row["initialMargin"] = fixed(initial + account.order_margin, 8)
            row["maintMargin"] = fixed(account.maintenance(one, mark), 8)
            row["positionInitialMargin"] = fixed(initial, 8)
            row["openOrderInitialMargin"] = short(account.order_margin, 8)
            row["adl"] = 2 if one.quantity else 0
            bids, asks = self._open_notionals()
            row["bidNotional"], row["askNotional"] = short(bids, 8), short(asks, 8)
            rows.append(row)
        return rows

    def _common_row(self, one: Position, mark: Decimal) -> Json:
        quantity_digits = self._house.instrument.quantity_precision
        liquidation = self._house.account.liquidation_price(one, mark)
        return {
            "symbol": self._symbol,
            "positionSide": one.side,
            "positionAmt": fixed(one.quantity, quantity_digits),
            "entryPrice": _price(one.entry_price),
            "breakEvenPrice": _price(one.break_even),
            "markPrice": fixed(mark, 8),
            "unRealizedProfit": fixed(one.unrealized(mark), 8),
            "liquidationPrice": short(liquidation, 8),
            "notional": fixed(one.quantity * mark, 8),
            "isolatedWallet": short(one.isolated_wallet, 8),
            "updateTime": one.updated_ms,
        }

    def _isolated_margin(self, one: Position, mark: Decimal) -> Decimal:
        if not self._house.account.isolated or not one.quantity:
            return ZERO
        return one.isolated_wallet + one.unrealized(mark)

    def _open_notionals(self) -> tuple[Decimal, Decimal]:
        bids = asks = ZERO
        for order in self._book.open.values():
            if order.reduces:
                continue
            if order.sign > 0:
                bids += order.remaining * order.price
            else:
                asks += order.remaining * order.price
        return bids, asks

    def _totals(self) -> dict[str, Decimal]:
        account, mark = self._house.account, self._house.market.mark
        held = [p for p in account.positions.values() if p.quantity]
        initial = sum((account.initial_margin(p, mark) for p in held), ZERO)
        unrealized = account.unrealized(mark)
        available = account.available(mark)
        return {
            "initial": initial + account.order_margin,
            "maintenance": sum((account.maintenance(p, mark) for p in held), ZERO),
            "wallet": account.wallet,
            "unrealized": unrealized,
            "margin_balance": account.wallet + unrealized,
            "position_initial": initial,
            "order_initial": account.order_margin,
            "cross_wallet": account.cross_wallet,
            "cross_unrealized": ZERO if account.isolated else unrealized,
            "available": available,
            "withdrawable": max(ZERO, min(available, account.cross_wallet)),
        }

    def account_v3(self, _: Parameters) -> Json:
        """Tell totals, the one asset, and active positions."""
        totals = {name: fixed(value, 8) for name, value in self._totals().items()}
        reply = _account_totals(totals)
        reply["assets"] = [_asset_row(self._house, totals)]
        mark = self._house.market.mark
        reply["positions"] = [
            self._account_row(one, mark) for one in self._positions() if one.quantity
        ]
        return reply

    def account_v2(self, _: Parameters) -> Json:
        """Tell what v3 tells and the account's settings, flat positions included."""
        house = self._house
        account, mark = house.account, house.market.mark
        totals = {name: fixed(value, 8) for name, value in self._totals().items()}
        reply: Json = {
            "feeTier": 0,
            "feeBurn": True,
            "canTrade": True,
            "canDeposit": True,
            "canWithdraw": True,
            "updateTime": 0,
            "multiAssetsMargin": account.multi_assets,
            "tradeGroupId": -1,
        }
        reply.update(_account_totals(totals))
        asset = _asset_row(house, totals)
        asset["marginAvailable"] = True
        reply["assets"] = [asset]
        bids, asks = self._open_notionals()
        rows = []
        for one in self._positions():
            row = self._account_row(one, mark)
            row["positionInitialMargin"] = row["initialMargin"]
            row["openOrderInitialMargin"] = short(account.order_margin, 8)
            row["leverage"] = str(account.leverage)
            row["isolated"] = account.isolated
            row["entryPrice"] = _price(one.entry_price)
            row["maxNotional"] = plain(notional_max(house.settings.brackets, account.leverage))
            row["bidNotional"], row["askNotional"] = short(bids, 8), short(asks, 8)
            rows.append(row)
        reply["positions"] = rows
        return reply

    def _account_row(self, one: Position, mark: Decimal) -> Json:
        account = self._house.account
        return {
            "symbol": self._symbol,
            "positionSide": one.side,
            "positionAmt": fixed(one.quantity, self._house.instrument.quantity_precision),
            "unrealizedProfit": fixed(one.unrealized(mark), 8),
            "isolatedMargin": short(self._isolated_margin(one, mark), 8),
            "notional": fixed(one.quantity * mark, 8),
            "isolatedWallet": short(one.isolated_wallet, 8),
            "initialMargin": fixed(account.initial_margin(one, mark), 8),
            "maintMargin": fixed(account.maintenance(one, mark), 8),
            "updateTime": one.updated_ms,
        }

    def balance(self, _: Parameters) -> list[Json]:
        """Tell the balance of the one asset."""
        totals = {name: fixed(value, 8) for name, value in self._totals().items()}
        account = self._house.account
        return [
            {
                "accountAlias": "SgsR",
                "asset": self._house.settings.asset,
                "balance": totals["wallet"],
                "crossWalletBalance": totals["cross_wallet"],
                "crossUnPnl": totals["cross_unrealized"],
                "availableBalance": totals["available"],
                "maxWithdrawAmount": totals["withdrawable"],
                "marginAvailable": True,
                "updateTime": account.updated_ms,
            }
        ]


def _price(value: Decimal) -> str:
    """Return an average price: as many decimals as it has, but at least one."""
    text = short(value, 11)
    return text if "." in text else f"{text}.0"


def _account_totals(totals: dict[str, str]) -> Json:
    return {
        "totalInitialMargin": totals["initial"],
        "totalMaintMargin": totals["maintenance"],
        "totalWalletBalance": totals["wallet"],
        "totalUnrealizedProfit": totals["unrealized"],
        "totalMarginBalance": totals["margin_balance"],
        "totalPositionInitialMargin": totals["position_initial"],
        "totalOpenOrderInitialMargin": totals["order_initial"],
        "totalCrossWalletBalance": totals["cross_wallet"],
        "totalCrossUnPnl": totals["cross_unrealized"],
        "availableBalance": totals["available"],
        "maxWithdrawAmount": totals["withdrawable"],
    }


def _asset_row(house: House, totals: dict[str, str]) -> Json:
    return {
        "asset": house.settings.asset,
        "walletBalance": totals["wallet"],
        "unrealizedProfit": totals["unrealized"],
        "marginBalance": totals["margin_balance"],
        "maintMargin": totals["maintenance"],
        "initialMargin": totals["initial"],
        "positionInitialMargin": totals["position_initial"],
        "openOrderInitialMargin": totals["order_initial"],
        "crossWalletBalance": totals["cross_wallet"],
        "crossUnPnl": totals["cross_unrealized"],
        "availableBalance": totals["available"],
        "maxWithdrawAmount": totals["withdrawable"],
        "updateTime": house.account.updated_ms,
    }
