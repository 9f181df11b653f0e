"""Payloads of the real exchange's shape (exchange reference, sections 3 to 5), numbers our own."""

from __future__ import annotations

from typing import Any

Payload = dict[str, Any]

ORDER: Payload = {
    "orderId": 88937380001,
    "symbol": "BTCUSDT",
    "status": "NEW",
    "clientOrderId": "kp7f3aq2001e001",
    "price": "90743.30",
    "avgPrice": "0.00",
    "origQty": "0.013",
    "executedQty": "0.000",
    "cumQty": "0.000",
    "cumQuote": "0.00000",
    "timeInForce": "GTC",
    "type": "LIMIT",
    "reduceOnly": False,
    "closePosition": False,
    "side": "BUY",
    "positionSide": "BOTH",
    "stopPrice": "0.00",
    "workingType": "CONTRACT_PRICE",
    "priceProtect": False,
    "origType": "LIMIT",
    "priceMatch": "NONE",
    "selfTradePreventionMode": "EXPIRE_MAKER",
    "goodTillDate": 0,
    "time": 1795000000000,
    "updateTime": 1795000000500,
}
ALGO: Payload = {
    "algoId": 4000001912557457,
    "clientAlgoId": "kp7f3aq2001s003",
    "algoType": "CONDITIONAL",
    "orderType": "STOP_MARKET",
    "symbol": "BTCUSDT",
    "side": "SELL",
    "positionSide": "BOTH",
    "timeInForce": "GTC",
    "quantity": "0.013",
    "algoStatus": "NEW",
    "triggerPrice": "90380.00",
    "price": "0.00",
    "icebergQuantity": None,
    "selfTradePreventionMode": "EXPIRE_MAKER",
    "workingType": "MARK_PRICE",
    "priceMatch": "NONE",
    "closePosition": False,
    "priceProtect": False,
    "reduceOnly": True,
    "activatePrice": "",
    "callbackRate": "",
    "createTime": 1795000000000,
    "updateTime": 1795000000500,
    "triggerTime": 0,
    "goodTillDate": 0,
}
TRADE: Payload = {
    "symbol": "BTCUSDT",
    "id": 6012345678,
    "orderId": 88937380001,
    "side": "BUY",
    "price": "90743.30",
    "qty": "0.005",
    "realizedPnl": "0",
    "quoteQty": "453.71650",
    "baseQty": "0.005",
    "marginAsset": "USDT",
    "commission": "0.09074330",
    "commissionAsset": "USDT",
    "time": 1795000100138,
    "positionSide": "BOTH",
    "buyer": True,
    "maker": True,
    "pair": "BTCUSDT",
}
POSITION: Payload = {
    "symbol": "BTCUSDT",
    "positionSide": "BOTH",
    "positionAmt": "0.013",
    "entryPrice": "90743.3",
    "breakEvenPrice": "90761.4",
    "markPrice": "90800.00000000",
    "unRealizedProfit": "0.73710000",
    "liquidationPrice": "61234.5",
    "isolatedMargin": "0",
    "notional": "1180.40000000",
    "marginAsset": "USDT",
    "isolatedWallet": "0",
    "updateTime": 1795000100138,
}
BOOK: Payload = {
    "symbol": "BTCUSDT",
    "bidPrice": "90800.00",
    "bidQty": "3.120",
    "askPrice": "90800.10",
    "askQty": "4.066",
    "time": 1795000000000,
    "lastUpdateId": 400900217,
}
MARK: Payload = {
    "symbol": "BTCUSDT",
    "markPrice": "90802.15000000",
    "indexPrice": "90801.80000000",
    "estimatedSettlePrice": "90804.00000000",
    "lastFundingRate": "0.00010000",
    "interestRate": "0.00010000",
    "nextFundingTime": 1795017600000,
    "time": 1795000001000,
}
CANDLE: list[Any] = [
    1794999960000,
    "90790.0",
    "90810.0",
    "90780.0",
    "90800.1",
    "120.5",
    1795000019999,
    "9037500.0",
    90,
    "60.1",
    "4507500.0",
    "0",
]
SYMBOL: Payload = {
    "symbol": "BTCUSDT",
    "pair": "BTCUSDT",
    "status": "TRADING",
    "marginAsset": "USDT",
    "filters": [
        {
            "filterType": "PRICE_FILTER",
            "minPrice": "556.80",
            "maxPrice": "4529764",
            "tickSize": "0.10",
        },
        {"filterType": "LOT_SIZE", "minQty": "0.001", "maxQty": "1000", "stepSize": "0.001"},
        {"filterType": "MARKET_LOT_SIZE", "minQty": "0.001", "maxQty": "120", "stepSize": "0.001"},
        {"filterType": "MAX_NUM_ORDERS", "limit": 200},
        {"filterType": "MIN_NOTIONAL", "notional": "50"},
        {
            "filterType": "PERCENT_PRICE",
            "multiplierUp": "1.0500",
            "multiplierDown": "0.9500",
            "multiplierDecimal": "4",
        },
        {"filterType": "POSITION_RISK_CONTROL", "positionControlSide": "NONE"},
    ],
}
BRACKETS: Payload = {
    "symbol": "BTCUSDT",
    "notionalCoef": 1,
    "brackets": [
        {
            "bracket": 1,
            "initialLeverage": 125,
            "notionalCap": 300000,
            "notionalFloor": 0,
            "maintMarginRatio": "0.004",
            "cum": 0,
        }
    ],
}
ACCOUNT: Payload = {
    "totalWalletBalance": "4208.43",
    "assets": [
        {
            "asset": "USDT",
            "walletBalance": "4208.43752587",
            "unrealizedProfit": "0.40000000",
            "availableBalance": "4058.75",
        }
    ],
    "positions": [],
}
SYMBOL_CONFIG: Payload = {
    "symbol": "BTCUSDT",
    "marginType": "ISOLATED",
    "isAutoAddMargin": False,
    "leverage": 3,
    "maxNotionalValue": "40000000",
}
ACCOUNT_CONFIG: Payload = {
    "feeTier": 0,
    "canTrade": True,
    "dualSidePosition": False,
    "multiAssetsMargin": False,
    "tradeGroupId": -1,
}
RATES: Payload = {
    "symbol": "BTCUSDT",
    "makerCommissionRate": "0.0002",
    "takerCommissionRate": "0.0005",
}
INCOME: Payload = {
    "symbol": "BTCUSDT",
    "incomeType": "FUNDING_FEE",
    "income": "-0.07500000",
    "asset": "USDT",
    "info": "FUNDING_FEE",
    "time": 1795017600000,
    "tranId": 9689322392,
    "tradeId": "",
}
