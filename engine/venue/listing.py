"""How the symbol and the limits are listed in exchangeInfo (exchange reference, 2.3 and 5.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.venue.text import plain

if TYPE_CHECKING:
    from engine.venue.house import House

Json = dict[str, object]


def exchange_info(house: House) -> Json:
    """Describe symbol and limits; the first key is left to the caller."""
    settings, instrument = house.settings, house.instrument
    return {
        "futuresType": "U_MARGINED",
        "rateLimits": rate_limits(house),
        "exchangeFilters": [],
        "assets": [
            {"asset": settings.asset, "marginAvailable": True, "autoAssetExchange": "-10000"}
        ],
        "symbols": [
            {
                "symbol": settings.symbol,
                "pair": settings.symbol,
                "contractType": "PERPETUAL",
                "deliveryDate": 4133404800000,
                "onboardDate": 1569398400000,
                "status": "TRADING",
                "maintMarginPercent": "2.5000",
                "requiredMarginPercent": "5.0000",
                "baseAsset": settings.base_asset,
                "quoteAsset": settings.asset,
                "marginAsset": settings.asset,
                "pricePrecision": instrument.price_precision,
                "quantityPrecision": instrument.quantity_precision,
                "baseAssetPrecision": 8,
                "quotePrecision": 8,
                "underlyingType": "COIN",
                "underlyingSubType": ["PoW"],
                "triggerProtect": str(instrument.trigger_protect),
                "liquidationFee": str(settings.liquidation_fee),
                "marketTakeBound": str(instrument.market_take_bound),
                "maxMoveOrderLimit": 10000,
                "filters": [
                    {
                        "filterType": "PRICE_FILTER",
                        "minPrice": str(instrument.price_min),
                        "maxPrice": str(instrument.price_max),
                        "tickSize": str(instrument.tick_size),
                    },
                    {
                        "filterType": "LOT_SIZE",
                        "minQty": str(instrument.quantity_min),
                        "maxQty": str(instrument.quantity_max),
                        "stepSize": str(instrument.step_size),
                    },
                    {
                        "filterType": "MARKET_LOT_SIZE",
                        "minQty": str(instrument.market_quantity_min),
                        "maxQty": str(instrument.market_quantity_max),
                        "stepSize": str(instrument.step_size),
                    },
                    {"filterType": "MAX_NUM_ORDERS", "limit": instrument.orders_max},
                    {"filterType": "MIN_NOTIONAL", "notional": plain(instrument.notional_min)},
                    {
                        "filterType": "PERCENT_PRICE",
                        "multiplierUp": str(instrument.multiplier_up),
                        "multiplierDown": str(instrument.multiplier_down),
                        "multiplierDecimal": "4",
                    },
                    {"filterType": "POSITION_RISK_CONTROL", "positionControlSide": "NONE"},
                ],
                "orderTypes": [
                    "LIMIT",
                    "MARKET",
                    "STOP",
                    "STOP_MARKET",
                    "TAKE_PROFIT",
                    "TAKE_PROFIT_MARKET",
                    "TRAILING_STOP_MARKET",
                ],
                "timeInForce": ["GTC", "IOC", "FOK", "GTX", "GTD"],
                "permissionSets": ["GRID", "COPY", "DCA", "RPI"],
            }
        ],
    }


def rate_limits(house: House) -> list[Json]:
    """Describe the limits the way exchangeInfo and rateLimit/order do."""
    limits = house.settings.limits
    return [
        {
            "rateLimitType": "REQUEST_WEIGHT",
            "interval": "MINUTE",
            "intervalNum": 1,
            "limit": limits.weight_1m,
        },
        {
            "rateLimitType": "ORDERS",
            "interval": "MINUTE",
            "intervalNum": 1,
            "limit": limits.orders_1m,
        },
        {
            "rateLimitType": "ORDERS",
            "interval": "SECOND",
            "intervalNum": 10,
            "limit": limits.orders_10s,
        },
    ]
