"""The endpoints that read and change settings, and the listen key (reference, 4.1 and 5.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.venue import params
from engine.venue.codes import Code, refuse
from engine.venue.listing import rate_limits
from engine.venue.margin import bracket_of, notional_max
from engine.venue.routes import Route, Security, Table
from engine.venue.text import ZERO, plain

if TYPE_CHECKING:
    from engine.venue.algo import AlgoBook
    from engine.venue.house import House
    from engine.venue.matching import RegularBook
    from engine.venue.params import Parameters

Json = dict[str, object]
MARGIN_TYPES = frozenset({"ISOLATED", "CROSSED"})
SUCCESS: Json = {"code": 200, "msg": "success"}


class AccountRoutes:
    """Settings of account and symbol, rights of the key, the user stream's key."""

    __slots__ = ("_algo", "_book", "_house", "_symbol")

    def __init__(self, house: House, book: RegularBook, algo: AlgoBook) -> None:
        """Serve the account of the house."""
        self._house = house
        self._book = book
        self._algo = algo
        self._symbol = house.settings.symbol

    def table(self) -> Table:
        """Return the routes."""
        key = Security.KEY
        return {
            ("GET", "/fapi/v1/accountConfig"): Route(self.account_config, 5),
            ("GET", "/fapi/v1/symbolConfig"): Route(self.symbol_config, 5),
            ("GET", "/fapi/v1/leverageBracket"): Route(self.leverage_bracket, 1),
            ("GET", "/fapi/v1/commissionRate"): Route(self.commission_rate, 20),
            ("GET", "/fapi/v1/apiTradingStatus"): Route(
                self.trading_status, lambda given: 1 if given.get("symbol") else 10
            ),
            ("GET", "/fapi/v1/adlQuantile"): Route(self.adl_quantile, 5),
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

    def leverage_bracket(self, given: Parameters) -> Json | list[Json]:
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
        row = {"symbol": self._symbol, "notionalCoef": 1.0, "brackets": table}
        is_bare = "symbol" in given and self._house.switches.bracket_envelope == "object"
        return row if is_bare else [row]

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
            "enableFutures": self._house.caller not in settings.read_only_keys,
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
        wanted = params.needed_whole(given, "leverage")
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
