"""Translate quotes, candles, filters and leverage brackets into domain values; no IO."""

from __future__ import annotations

from engine.domain.errors import Indeterminate
from engine.domain.instrument import Bracket, Instrument
from engine.domain.observation import Candle, MarkQuote, Quote
from engine.exchange.binance.fields import Row, decimal, number, row, rows, text, whole

_CANDLE_FIELDS = ("open", "high", "low", "close")


def quote(payload: object) -> Quote:
    """Read the best bid and ask of one symbol."""
    fields = row(payload, "book ticker")
    return Quote(bid=number(fields, "bidPrice"), ask=number(fields, "askPrice"))


def mark_quote(payload: object) -> MarkQuote:
    """Read mark price, index price and the next funding of one symbol."""
    fields = row(payload, "premium index")
    return MarkQuote(
        mark=number(fields, "markPrice"),
        index=number(fields, "indexPrice"),
        funding_rate=number(fields, "lastFundingRate"),
        next_funding_ms=whole(fields, "nextFundingTime"),
    )


def candles(payload: object) -> tuple[Candle, ...]:
    """Read candles, oldest first; the last one is still open."""
    return tuple(_candle(item) for item in rows(payload, "candles"))


def _candle(payload: object) -> Candle:
    values = rows(payload, "candle")
    if len(values) < 1 + len(_CANDLE_FIELDS):
        raise Indeterminate(f"candle: {len(values)} values are too few")
    opened_ms = whole({"open time": values[0]}, "open time")
    prices = (decimal(value, name) for value, name in zip(values[1:5], _CANDLE_FIELDS, strict=True))
    return Candle(opened_ms, *prices)


def instrument(payload: object) -> Instrument:
    """Read the filters of one symbol object of exchangeInfo."""
    fields = row(payload, "symbol")
    filters = {
        text(item, "filterType"): item
        for item in (row(entry, "filter") for entry in rows(fields.get("filters"), "filters"))
    }
    price = _filter(filters, "PRICE_FILTER")
    lot = _filter(filters, "LOT_SIZE")
    market_lot = _filter(filters, "MARKET_LOT_SIZE")
    percent = _filter(filters, "PERCENT_PRICE")
    return Instrument(
        symbol=text(fields, "symbol"),
        margin_asset=text(fields, "marginAsset"),
        tick_size=number(price, "tickSize"),
        step_size=number(lot, "stepSize"),
        price_min=number(price, "minPrice"),
        price_max=number(price, "maxPrice"),
        quantity_min=number(lot, "minQty"),
        quantity_max=number(lot, "maxQty"),
        market_quantity_min=number(market_lot, "minQty"),
        market_quantity_max=number(market_lot, "maxQty"),
        notional_min=number(_filter(filters, "MIN_NOTIONAL"), "notional"),
        multiplier_up=number(percent, "multiplierUp"),
        multiplier_down=number(percent, "multiplierDown"),
        is_trading=text(fields, "status") == "TRADING",
    )


def _filter(filters: dict[str, Row], name: str) -> Row:
    found = filters.get(name)
    if found is None:
        raise Indeterminate(f"filters: {name} is missing")
    return found


def brackets(payload: object, symbol: str) -> tuple[Bracket, ...]:
    """Read the leverage brackets of one symbol, from an object or a list of them."""
    items = payload if isinstance(payload, list) else [payload]
    for item in items:
        fields = row(item, "leverage brackets")
        if text(fields, "symbol") == symbol:
            return tuple(
                _bracket(row(entry, "bracket"))
                for entry in rows(fields.get("brackets"), "brackets")
            )
    raise Indeterminate(f"leverage brackets: {symbol} is missing")


def _bracket(fields: Row) -> Bracket:
    return Bracket(
        notional_floor=number(fields, "notionalFloor"),
        notional_cap=number(fields, "notionalCap"),
        leverage_max=whole(fields, "initialLeverage"),
        maintenance_ratio=number(fields, "maintMarginRatio"),
        deduction=number(fields, "cum"),
    )
