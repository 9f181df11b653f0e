"""Translate position, wallet, modes, rates and income into domain values; no IO.

A flat symbol may be missing from positionRisk v3 altogether: that list, when it is well formed,
says "flat". Everything else that is missing is an error.
"""

from __future__ import annotations

from decimal import Decimal

from engine.domain.errors import Indeterminate
from engine.domain.numbers import ZERO
from engine.domain.observation import AccountMode, AccountReport, Income, Rates, SymbolConfig
from engine.domain.position import HedgedPositions, PositionReport
from engine.domain.terms import Side
from engine.exchange.binance.fields import (
    Row,
    flag,
    identifier,
    number,
    number_or_none,
    positive_or_none,
    row,
    rows,
    text,
    text_or_empty,
    whole,
)

HEDGED_SIDES = {"LONG": Side.LONG, "SHORT": Side.SHORT}
_MARGIN_TYPES = {"ISOLATED": True, "CROSSED": False, "CROSS": False}
_FLAT = PositionReport(
    side=None,
    quantity=ZERO,
    entry_price=ZERO,
    mark_price=ZERO,
    unrealized_pnl=ZERO,
    liquidation_price=None,
    updated_ms=0,
)


def position(payload: object, symbol: str) -> PositionReport | HedgedPositions:
    """Read the position of ``symbol`` from positionRisk; a mark price of 0 means "not told".

    Rows that name LONG or SHORT are those of an account in hedge mode, whatever they hold. Rows
    of both modes that hold something, or one side twice, are refused with the field's name.
    """
    listed = [row(item, "position") for item in rows(payload, "positions")]
    ours = [fields for fields in listed if text(fields, "symbol") == symbol]
    held = [fields for fields in ours if number(fields, "positionAmt") != 0]
    named = [text_or_empty(fields, "positionSide") for fields in held]
    if len(held) > 1 and sorted(named) != sorted(HEDGED_SIDES):
        raise Indeterminate(f"positionSide: {' and '.join(named)} are held")
    if any(text_or_empty(fields, "positionSide") in HEDGED_SIDES for fields in held or ours):
        held.sort(key=lambda fields: text(fields, "positionSide"))
        return HedgedPositions(tuple(_position(fields) for fields in held))
    chosen = held or ours
    return _position(chosen[0]) if chosen else _FLAT


def _position(fields: Row) -> PositionReport:
    amount = number(fields, "positionAmt")
    return PositionReport(
        side=_side(fields, amount),
        quantity=abs(amount),
        entry_price=number(fields, "entryPrice"),
        mark_price=number_or_none(fields, "markPrice") or ZERO,
        unrealized_pnl=number(fields, "unRealizedProfit"),
        liquidation_price=positive_or_none(fields, "liquidationPrice"),
        updated_ms=whole(fields, "updateTime"),
    )


def _side(fields: Row, amount: Decimal) -> Side | None:
    if amount == 0:
        return None
    hedged = HEDGED_SIDES.get(text_or_empty(fields, "positionSide"))
    if hedged is not None:
        return hedged
    return Side.LONG if amount > 0 else Side.SHORT


def account(payload: object, margin_asset: str) -> AccountReport:
    """Read the wallet of the margin asset from account v3, isolated positions included."""
    fields = row(payload, "account")
    for item in rows(fields.get("assets"), "assets"):
        asset = row(item, "asset")
        if text(asset, "asset") == margin_asset:
            return AccountReport(
                wallet=number(asset, "walletBalance"),
                unrealized_pnl=number(asset, "unrealizedProfit"),
                available=number(asset, "availableBalance"),
            )
    raise Indeterminate(f"assets: {margin_asset} is missing")


def symbol_config(payload: object, symbol: str) -> SymbolConfig:
    """Read leverage and margin type of ``symbol`` from symbolConfig."""
    items = payload if isinstance(payload, list) else [payload]
    for item in items:
        fields = row(item, "symbol config")
        if text(fields, "symbol") == symbol:
            word = text(fields, "marginType").upper()
            if word not in _MARGIN_TYPES:
                raise Indeterminate(f"marginType: {word!r} is not known")
            return SymbolConfig(whole(fields, "leverage"), _MARGIN_TYPES[word])
    raise Indeterminate(f"symbol config: {symbol} is missing")


def confirm_margin_type(payload: object) -> None:
    """Demand that the reply to a change of the margin type says success."""
    if whole(row(payload, "margin type"), "code") != 200:
        raise Indeterminate(f"code: the change of the margin type was answered by {payload}")


def confirm_leverage(payload: object, wanted: int) -> None:
    """Demand that the reply to a change of leverage names the one we wanted."""
    got = whole(row(payload, "leverage"), "leverage")
    if got != wanted:
        raise Indeterminate(f"leverage: the exchange answers {got}, not {wanted}")


def account_mode(payload: object) -> AccountMode:
    """Read position mode and multi-assets mode from accountConfig."""
    fields = row(payload, "account config")
    return AccountMode(
        is_hedge=flag(fields, "dualSidePosition"),
        is_multi_assets=flag(fields, "multiAssetsMargin"),
    )


def can_trade(payload: object) -> bool:
    """Read from accountConfig whether the account may trade."""
    return flag(row(payload, "account config"), "canTrade")


def account_alias(payload: object) -> str:
    """Read from the balance what the exchange calls this account: a code, the same for ever.

    Every row carries it (binance-usdm.md section 4, balance); rows that differ say nothing.
    """
    found = {text(row(item, "balance"), "accountAlias") for item in rows(payload, "balance")}
    if len(found) != 1 or "" in found:
        raise Indeterminate(f"balance: accountAlias names {len(found)} accounts")
    return found.pop()


def rates(payload: object) -> Rates:
    """Read the commission rates, as fractions."""
    fields = row(payload, "commission rate")
    return Rates(number(fields, "makerCommissionRate"), number(fields, "takerCommissionRate"))


def incomes(payload: object) -> tuple[Income, ...]:
    """Read lines of the income history, oldest first as the exchange lists them."""
    return tuple(_income(row(item, "income")) for item in rows(payload, "incomes"))


def _income(fields: Row) -> Income:
    return Income(
        kind=text(fields, "incomeType"),
        amount=number(fields, "income"),
        asset=text(fields, "asset"),
        symbol=text_or_empty(fields, "symbol"),
        at_ms=whole(fields, "time"),
        transfer_id=identifier(fields, "tranId"),
    )
