"""What each REST reply carries: sections 3.2, 3.3 and 5 of the exchange reference as tables."""

_TERMS = (
    "timeInForce:s type:s reduceOnly:b closePosition:b side:s positionSide:s stopPrice:d2 "
    "workingType:s priceProtect:b origType:s priceMatch:s selfTradePreventionMode:s goodTillDate:i "
    "updateTime:i"
)
READ = (
    "orderId:i symbol:s status:s clientOrderId:s price:d2 avgPrice:d2|d5 origQty:d3 executedQty:d3 "
    f"cumQuote:d5 time:i {_TERMS}"
)
WRITTEN = READ.replace("time:i ", "") + " cumQty:d3"
BARE = WRITTEN.replace("avgPrice:d2|d5 ", "").replace("cumQuote:d5 ", "")
PAST = READ + " cumBase:d3 pair:s"
MODIFIED = WRITTEN + " pair:s"
ALGO = (
    "algoId:i clientAlgoId:s algoType:s orderType:s symbol:s side:s positionSide:s timeInForce:s "
    "quantity:d3 algoStatus:s triggerPrice:d2 price:d2 icebergQuantity:n selfTradePreventionMode:s "
    "workingType:s priceMatch:s closePosition:b priceProtect:b reduceOnly:b createTime:i "
    "updateTime:i triggerTime:i goodTillDate:i"
)
ALGO_WRITTEN = ALGO + " activatePrice:e callbackRate:e"
ALGO_TRAILING = ALGO + " activatePrice:d2 callbackRate:d1"
ALGO_CLOSING = ALGO_WRITTEN.replace("quantity:d3", "quantity:sh")
_ACTUAL = " actualOrderId:e actualPrice:d5 tpOrderType:e"
ALGO_READ = ALGO + _ACTUAL + " actualType:e actualQty:d3"
ALGO_DONE = ALGO_READ.replace("actualOrderId:e", "actualOrderId:s").replace(
    "actualType:e", "actualType:s"
)
ALGO_LISTED = ALGO + _ACTUAL + " tpTriggerPrice:d2 tpPrice:d2 slTriggerPrice:d2 slPrice:d2"
MASS = "code:i msg:s"
_POSITION = (
    "symbol:s positionSide:s positionAmt:d3 entryPrice:av breakEvenPrice:av markPrice:d8 "
    "unRealizedProfit:d8 liquidationPrice:sh notional:d8 isolatedWallet:sh updateTime:i"
)
POSITION_V2 = (
    f"{_POSITION} leverage:sh maxNotionalValue:sh marginType:s isolatedMargin:d8 isAutoAddMargin:s"
)
POSITION_V3 = (
    f"{_POSITION} marginAsset:s isolatedMargin:sh initialMargin:d8 maintMargin:d8 "
    "positionInitialMargin:d8 openOrderInitialMargin:sh adl:i bidNotional:sh askNotional:sh"
)
TOTALS = (
    "totalInitialMargin:d8 totalMaintMargin:d8 totalWalletBalance:d8 totalUnrealizedProfit:d8 "
    "totalMarginBalance:d8 totalPositionInitialMargin:d8 totalOpenOrderInitialMargin:d8 "
    "totalCrossWalletBalance:d8 totalCrossUnPnl:d8 availableBalance:d8 maxWithdrawAmount:d8"
)
ASSET_V3 = (
    "asset:s walletBalance:d8 unrealizedProfit:d8 marginBalance:d8 maintMargin:d8 initialMargin:d8 "
    "positionInitialMargin:d8 openOrderInitialMargin:d8 crossWalletBalance:d8 crossUnPnl:d8 "
    "availableBalance:d8 maxWithdrawAmount:d8 updateTime:i"
)
HELD_V3 = (
    "symbol:s positionSide:s positionAmt:d3 unrealizedProfit:d8 isolatedMargin:sh notional:d8 "
    "isolatedWallet:sh initialMargin:d8 maintMargin:d8 updateTime:i"
)
HELD_V2 = (
    f"{HELD_V3} positionInitialMargin:d8 openOrderInitialMargin:sh leverage:sh isolated:b "
    "entryPrice:av maxNotional:sh bidNotional:sh askNotional:sh"
)
SETTINGS_V2 = (
    "feeTier:i feeBurn:b canTrade:b canDeposit:b canWithdraw:b updateTime:i multiAssetsMargin:b "
    "tradeGroupId:i"
)
BALANCE = (
    "accountAlias:s asset:s balance:d8 crossWalletBalance:d8 crossUnPnl:d8 availableBalance:d8 "
    "maxWithdrawAmount:d8 marginAvailable:b updateTime:i"
)
TRADE = (
    "symbol:s id:i orderId:i side:s price:d2 qty:d3 realizedPnl:sh|d8 quoteQty:d5 baseQty:d3 "
    "marginAsset:s commission:d8 commissionAsset:s time:i positionSide:s buyer:b maker:b pair:s"
)
INCOME = "symbol:s incomeType:s income:d8 asset:s info:s time:i tranId:i tradeId:s|e"
SYMBOL_ROW = (
    "symbol:s pair:s contractType:s deliveryDate:i onboardDate:i status:s maintMarginPercent:d4 "
    "requiredMarginPercent:d4 baseAsset:s quoteAsset:s marginAsset:s pricePrecision:i "
    "quantityPrecision:i baseAssetPrecision:i quotePrecision:i underlyingType:s triggerProtect:d4 "
    "liquidationFee:d6 marketTakeBound:d2 maxMoveOrderLimit:i"
)
FILTERS = {
    "PRICE_FILTER": "filterType:s minPrice:av maxPrice:sh tickSize:d2",
    "LOT_SIZE": "filterType:s minQty:d3 maxQty:sh stepSize:d3",
    "MARKET_LOT_SIZE": "filterType:s minQty:d3 maxQty:sh stepSize:d3",
    "MAX_NUM_ORDERS": "filterType:s limit:i",
    "MIN_NOTIONAL": "filterType:s notional:sh",
    "PERCENT_PRICE": "filterType:s multiplierUp:d4 multiplierDown:d4 multiplierDecimal:sh",
    "POSITION_RISK_CONTROL": "filterType:s positionControlSide:s",
}
LIMIT_ROW = "rateLimitType:s interval:s intervalNum:i limit:i"
