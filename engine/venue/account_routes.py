"""The endpoints of account and position (exchange reference, section 5.4)."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from engine.venue import params
from engine.venue.codes import Code, refuse
from engine.venue.margin import bracket_of, notional_max
from engine.venue.market_routes import rate_limits
from engine.venue.replies import OrderShapes
from engine.venue.routes import Route, Security, Table
from engine.venue.text import ZERO, fixed, plain, short

if TYPE_CHECKING:
    from engine.venue.account import Position
    from engine.venue.algo import AlgoBook
    from engine.venue.house import House
    from engine.venue.matching import RegularBook
    from engine.venue.params import Parameters

Json = dict[str, object]
WEEK_MS = 7 * 24 * 3600 * 1000
MARGIN_TYPES = frozenset({"ISOLATED", "CROSSED"})
SUCCESS: Json = {"code": 200, "msg": "success"}
ZERO8 = "0.00000000"


class AccountRoutes:
    """What belongs to the one account."""

    __slots__ = ("_algo", "_book", "_house", "_shapes", "_symbol")

    def __init__(self, house: House, book: RegularBook, algo: AlgoBook) -> None:
        """Serve the account of the house."""
        self._house = house
        self._book = book
        self._algo = algo
        self._shapes = OrderShapes(house.settings)
        self._symbol = house.settings.symbol

    def table(self) -> Table:
        """Return the routes."""
        key = Security.KEY
        return {
            ("GET", "/fapi/v2/positionRisk"): Route(self.position_risk_v2, 5),
            ("GET", "/fapi/v3/positionRisk"): Route(self.position_risk_v3, 5),
            ("GET", "/fapi/v2/account"): Route(self.account_v2, 5),
            ("GET", "/fapi/v3/account"): Route(self.account_v3, 5),
            ("GET", "/fapi/v2/balance"): Route(self.balance, 5),
            ("GET", "/fapi/v3/balance"): Route(self.balance, 5),
            ("GET", "/fapi/v1/accountConfig"): Route(self.account_config, 5),
            ("GET", "/fapi/v1/symbolConfig"): Route(self.symbol_config, 5),
            ("GET", "/fapi/v1/userTrades"): Route(self.user_trades, 5),
            ("GET", "/fapi/v1/income"): Route(self.income, 30),
            ("GET", "/fapi/v1/leverageBracket"): Route(self.leverage_bracket, 1),
            ("GET", "/fapi/v1/commissionRate"): Route(self.commission_rate, 20),
            ("GET", "/fapi/v1/apiTradingStatus"): Route(self.trading_status, 1),
            ("GET", "/fapi/v1/adlQuantile"): Route(self.adl_quantile, 5),
            ("GET", "/fapi/v1/forceOrders"): Route(self.force_orders, 20),
            ("GET", "/fapi/v1/rateLimit/order"): Route(self.order_limits, 1),
            ("GET", "/fapi/v1/positionSide/dual"): Route(self.position_mode, 30),
            ("POST", "/fapi/v1/positionSide/dual"): Route(self.set_position_mode, 1),
            ("GET", "/fapi/v1/multiAssetsMargin"): Route(self.multi_assets, 30),
            ("POST", "/fapi/v1/multiAssetsMargin"): Route(self.set_multi_assets, 1),
            ("POST", "/fapi/v1/leverage"): Route(self.set_leverage, 1),
            ("POST", "/fapi/v1/marginType"): Route(self.set_margin_type, 1),
            ("POST", "/fapi/v1/positionMargin"): Route(self.change_margin, 1),
            ("POST", "/fapi/v1/listenKey"): Route(self.open_listen_key, 1, key),
            ("PUT", "/fapi/v1/listenKey"): Route(self.keep_listen_key, 1, key),
            ("DELETE", "/fapi/v1/listenKey"): Route(self.close_listen_key, 1, key),
            ("GET", "/sapi/v1/account/apiRestrictions"): Route(self.restrictions, 1),
        }

    # -- positions and balances ------------------------------------------------------------------

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
            row["breakEvenPrice"] = _price(one.break_even)
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

    # -- history ---------------------------------------------------------------------------------

    def user_trades(self, given: Parameters) -> list[Json]:
        """List own executions, by id, order or time; the window is at most a week."""
        params.symbol(given, self._symbol)
        start, end = params.whole(given, "starttime"), params.whole(given, "endtime")
        if start is not None and end is not None and end - start > WEEK_MS:
            raise refuse(Code.INTERVAL_TOO_LONG, 7)
        if start is not None and end is None:
            end = start + WEEK_MS
        house = self._house
        trades = self._book.past.trades_in(
            params.whole(given, "fromid"),
            params.whole(given, "orderid"),
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
        return [self._shapes.read(one) for one in found[-rows:]]

    # -- settings --------------------------------------------------------------------------------

    def account_config(self, _: Parameters) -> Json:
        """Tell the account's settings."""
        account = self._house.account
        return {
            "feeTier": 0,
            "canTrade": True,
            "canDeposit": True,
            "canWithdraw": True,
            "dualSidePosition": account.dual_side,
            "updateTime": 0,
            "multiAssetsMargin": account.multi_assets,
            "tradeGroupId": -1,
        }

    def symbol_config(self, given: Parameters) -> list[Json]:
        """Tell the symbol's settings."""
        params.optional_symbol(given, self._symbol)
        account = self._house.account
        return [
            {
                "symbol": self._symbol,
                "marginType": "ISOLATED" if account.isolated else "CROSSED",
                "isAutoAddMargin": False,
                "leverage": account.leverage,
                "maxNotionalValue": plain(
                    notional_max(self._house.settings.brackets, account.leverage)
                ),
            }
        ]

    def leverage_bracket(self, given: Parameters) -> list[Json]:
        """Tell the bracket table."""
        params.optional_symbol(given, self._symbol)
        table = [
            {
                "bracket": one.number,
                "initialLeverage": one.leverage_max,
                "notionalCap": int(one.notional_cap),
                "notionalFloor": int(one.notional_floor),
                "maintMarginRatio": float(one.ratio),
                "cum": float(one.cum),
            }
            for one in self._house.settings.brackets
        ]
        return [{"symbol": self._symbol, "notionalCoef": 1.0, "brackets": table}]

    def commission_rate(self, given: Parameters) -> Json:
        """Tell the fees."""
        params.symbol(given, self._symbol)
        settings = self._house.settings
        return {
            "symbol": self._symbol,
            "makerCommissionRate": plain(settings.maker_rate),
            "takerCommissionRate": plain(settings.taker_rate),
            "rpiCommissionRate": "0.00005",
        }

    def trading_status(self, given: Parameters) -> Json:
        """Tell that no quantitative rule is violated."""
        params.optional_symbol(given, self._symbol)
        return {
            "indicators": {
                self._symbol: [
                    {
                        "isLocked": False,
                        "plannedRecoverTime": 0,
                        "indicator": "UFR",
                        "value": 0.05,
                        "triggerValue": 0.995,
                    }
                ]
            },
            "updateTime": self._house.clock.exchange,
        }

    def adl_quantile(self, given: Parameters) -> list[Json]:
        """Tell the place in the queue of automatic deleveraging."""
        params.optional_symbol(given, self._symbol)
        quantile = {
            one.side: 2 if one.quantity else 0 for one in self._house.account.positions.values()
        }
        return [{"symbol": self._symbol, "adlQuantile": quantile}]

    def order_limits(self, _: Parameters) -> list[Json]:
        """Tell the order limits of the account."""
        return [one for one in rate_limits(self._house) if one["rateLimitType"] == "ORDERS"]

    def restrictions(self, _: Parameters) -> Json:
        """Tell what the key may do."""
        settings = self._house.settings
        return {
            "ipRestrict": settings.ip_restricted,
            "createTime": 1698645219000,
            "enableReading": True,
            "enableWithdrawals": settings.withdrawals_enabled,
            "enableInternalTransfer": False,
            "enableMargin": False,
            "enableFutures": True,
            "permitsUniversalTransfer": False,
            "enableVanillaOptions": False,
            "enableFixApiTrade": False,
            "enableFixReadOnly": False,
            "enableSpotAndMarginTrading": False,
            "enablePortfolioMarginTrading": False,
        }

    def position_mode(self, _: Parameters) -> Json:
        """Tell whether hedge mode is on."""
        return {"dualSidePosition": self._house.account.dual_side}

    def set_position_mode(self, given: Parameters) -> Json:
        """Change between one-way and hedge mode."""
        wanted = params.flag(given, "dualsideposition")
        if wanted is None:
            raise refuse(Code.MANDATORY, "dualsideposition")
        account = self._house.account
        if wanted == account.dual_side:
            raise refuse(Code.SAME_POSITION_SIDE)
        self._refuse_while_busy(Code.SIDE_OPEN_ORDERS, Code.SIDE_POSITION)
        account.set_mode(dual_side=wanted)
        account.remember(self._house.clock.now)
        self._note_change("position_mode", dual_side=wanted)
        return SUCCESS

    def multi_assets(self, _: Parameters) -> Json:
        """Tell whether multi-assets mode is on."""
        return {"multiAssetsMargin": self._house.account.multi_assets}

    def set_multi_assets(self, given: Parameters) -> Json:
        """Change the multi-assets mode."""
        wanted = params.flag(given, "multiassetsmargin")
        if wanted is None:
            raise refuse(Code.MANDATORY, "multiassetsmargin")
        house = self._house
        if wanted == house.account.multi_assets:
            raise refuse(Code.SAME_MULTI_ASSETS)
        house.account.multi_assets = wanted
        self._note_change("multi_assets", on=wanted)
        house.outbox.user(house.events.multi_assets(house.clock.exchange, on=wanted))
        return SUCCESS

    def set_leverage(self, given: Parameters) -> Json:
        """Change the symbol's leverage."""
        params.symbol(given, self._symbol)
        wanted = params.whole(given, "leverage")
        if wanted is None:
            raise refuse(Code.MANDATORY, "leverage")
        house = self._house
        account, table = house.account, house.settings.brackets
        if not 1 <= wanted <= table[0].leverage_max:
            raise refuse(Code.LEVERAGE_INVALID, wanted)
        mark = house.market.mark
        held = sum((abs(p.quantity) * mark for p in account.positions.values()), ZERO)
        if held and account.isolated and wanted < account.leverage:
            raise refuse(Code.LEVERAGE_DOWN)
        if held and bracket_of(table, held).leverage_max < wanted:
            raise refuse(Code.POSITION_LIMIT)
        before = account.leverage
        account.leverage = wanted
        self._book.reserve()
        if wanted < before and (held or self._book.open) and not account.available(mark):
            account.leverage = before
            self._book.reserve()
            raise refuse(Code.LEVERAGE_TOO_SMALL)
        if wanted != before:
            self._note_change("leverage", leverage=wanted)
            house.outbox.user(house.events.leverage(wanted, house.clock.exchange))
        return {
            "symbol": self._symbol,
            "leverage": wanted,
            "maxNotionalValue": plain(notional_max(table, wanted)),
        }

    def set_margin_type(self, given: Parameters) -> Json:
        """Change between isolated and cross margin."""
        params.symbol(given, self._symbol)
        wanted = params.text(given, "margintype")
        if wanted not in MARGIN_TYPES:
            raise refuse(Code.BAD_PARAMETER, "marginType")
        account = self._house.account
        if (wanted == "ISOLATED") == account.isolated:
            raise refuse(Code.SAME_MARGIN_TYPE)
        self._refuse_while_busy(Code.MARGIN_OPEN_ORDERS, Code.MARGIN_POSITION)
        account.isolated = wanted == "ISOLATED"
        self._note_change("margin_type", margin_type=wanted)
        return SUCCESS

    def _refuse_while_busy(self, with_orders: Code, with_position: Code) -> None:
        stops = self._house.switches.algo_orders_block_modes == "true" and self._algo.open
        if self._book.open or stops:
            raise refuse(with_orders)
        if any(p.quantity for p in self._house.account.positions.values()):
            raise refuse(with_position)

    def change_margin(self, given: Parameters) -> Json:
        """Add (1) or remove (2) isolated margin."""
        params.symbol(given, self._symbol)
        amount = params.needed_number(given, "amount")
        kind = params.whole(given, "type")
        house = self._house
        account, mark = house.account, house.market.mark
        if amount <= ZERO:
            raise refuse(Code.MARGIN_AMOUNT)
        if kind not in (1, 2):
            raise refuse(Code.BAD_PARAMETER, "type")
        if not account.isolated:
            raise refuse(Code.NOT_ISOLATED)
        side = given.get("positionside") or "BOTH"
        position = account.positions.get(side)
        if position is None:
            raise refuse(Code.POSITION_SIDE)
        if not position.quantity:
            raise refuse(Code.NO_POSITION)
        if kind == 1 and amount > account.available(mark):
            raise refuse(Code.CROSS_BALANCE)
        spare = position.isolated_wallet + min(ZERO, position.unrealized(mark))
        if kind == 2 and amount > spare - account.initial_margin(position, mark):
            raise refuse(Code.ISOLATED_BALANCE)
        position.isolated_wallet += amount if kind == 1 else -amount
        account.remember(house.clock.now)
        self._note_change("position_margin", amount=plain(amount), type=kind)
        house.account_event("MARGIN_TRANSFER", (position,))
        return {
            "amount": float(amount),
            "code": 200,
            "msg": "Successfully modify position margin.",
            "type": kind,
        }

    def _note_change(self, what: str, **facts: object) -> None:
        self._house.journal.note("config", what=what, **facts)

    # -- listen key ------------------------------------------------------------------------------

    def open_listen_key(self, _: Parameters) -> Json:
        """Return the living listen key, extended, or a new one."""
        house = self._house
        return {"listenKey": house.outbox.open_key(house.settings.listen_key_ms)}

    def keep_listen_key(self, _: Parameters) -> Json:
        """Extend the living key (-1125 if none lives)."""
        house = self._house
        if house.outbox.listen_key is None:
            raise refuse(Code.NO_LISTEN_KEY)
        return {"listenKey": house.outbox.open_key(house.settings.listen_key_ms)}

    def close_listen_key(self, _: Parameters) -> Json:
        """End the key; the open socket hears that it expired."""
        self._house.outbox.close_key()
        return {}


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
