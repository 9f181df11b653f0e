"""The official client trades a whole session on the venue; its strict models accept every reply."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest
from binance_common.errors import BadRequestError, UnauthorizedError

from tests.clients.official import Official, complaints
from tests.clients.served import KEY, SYMBOL, Served

WAIT_S = 15.0
MODELS = {
    "ORDER_TRADE_UPDATE": "OrderTradeUpdate",
    "ACCOUNT_UPDATE": "AccountUpdate",
    "ALGO_UPDATE": "AlgoUpdate",
    "ACCOUNT_CONFIG_UPDATE": "AccountConfigUpdate",
    "TRADE_LITE": "TradeLite",
    "bookTicker": "IndividualSymbolBookTickerStreamsResponse",
    "markPriceUpdate": "MarkPriceStreamResponse",
    "aggTrade": "AggregateTradeStreamsResponse",
    "kline": "KlineCandlestickStreamsResponse",
    "24hrTicker": "IndividualSymbolTickerStreamsResponse",
    "24hrMiniTicker": "IndividualSymbolMiniTickerStreamResponse",
    "depthUpdate": "DiffBookDepthStreamsResponse",
}
STOP: dict[str, Any] = {"algo_type": "CONDITIONAL", "symbol": SYMBOL}


@pytest.fixture
def official(venue: Served) -> Official:
    """Give the client, signing with the key the venue knows."""
    return Official(venue)


def refusal(call: Callable[[], object]) -> int:
    """Return the exchange's code of a refused call (the client keeps it as status_code)."""
    with pytest.raises(BadRequestError) as caught:
        call()
    return int(caught.value.status_code)


def limit(official: Official, side: str, quantity: float, price: float, **given: Any) -> Any:
    """Place a LIMIT order."""
    terms = {"time_in_force": "GTC", **given}
    return official.ask(
        "new_order",
        symbol=SYMBOL,
        side=side,
        type="LIMIT",
        quantity=quantity,
        price=price,
        **terms,
    )


def market(official: Official, side: str, quantity: float, **given: Any) -> Any:
    """Place a MARKET order and wait for its end."""
    return official.ask(
        "new_order",
        symbol=SYMBOL,
        side=side,
        type="MARKET",
        quantity=quantity,
        new_order_resp_type="RESULT",
        **given,
    )


def test_market_data_fits_the_models(official: Official) -> None:
    """Everything public, one symbol and all symbols."""
    info = official.ask("exchange_information")
    assert [one.symbol for one in info.symbols] == [SYMBOL]
    assert {one.filter_type for one in info.symbols[0].filters} >= {"PRICE_FILTER", "LOT_SIZE"}

    official.ask("test_connectivity")
    assert official.ask("check_server_time").server_time > 1_700_000_000_000
    book = official.ask("order_book", symbol=SYMBOL, limit=5)
    assert float(book.bids[0][0]) < float(book.asks[0][0])
    assert len(official.ask("kline_candlestick_data", symbol=SYMBOL, interval="1m", limit=3)) == 3
    official.ask("compressed_aggregate_trades_list", symbol=SYMBOL, limit=5)
    for one in ({"symbol": SYMBOL}, {}):
        official.ask("mark_price", **one)
        official.ask("symbol_price_ticker", **one)
        official.ask("symbol_price_ticker_v2", **one)
        official.ask("symbol_order_book_ticker", **one)
        official.ask("ticker24hr_price_change_statistics", **one)
    official.ask("get_funding_rate_history", symbol=SYMBOL)
    official.ask("get_funding_rate_info")
    official.ask("recent_trades_list", symbol=SYMBOL)

    assert official.unknown == {
        "ExchangeInformationResponse": {"futuresType"},
        "ExchangeInformationResponseSymbolsInner": {"maxMoveOrderLimit", "permissionSets"},
        "ExchangeInformationResponseSymbolsInnerFiltersInner": {"positionControlSide"},
        "SymbolOrderBookTickerResponse1": {"lastUpdateId"},
        "SymbolOrderBookTickerResponse2": {"lastUpdateId"},
    }
    left_out = official.missing.pop("ExchangeInformationResponseSymbolsInnerFiltersInner")
    assert "filterType" not in left_out  # each filter has some of one common set of fields
    assert official.missing == {"ExchangeInformationResponseSymbolsInner": {"settlePlan"}}


def test_account_and_settings_fit_the_models(official: Official) -> None:
    """Both versions of account, balance and positions; settings read back as they were set."""
    official.ask("change_initial_leverage", symbol=SYMBOL, leverage=5)
    official.ask("change_margin_type", symbol=SYMBOL, margin_type="ISOLATED")
    config = official.ask("symbol_configuration", symbol=SYMBOL)
    assert (config[0].leverage, config[0].margin_type) == (5, "ISOLATED")
    same = refusal(
        lambda: official.ask("change_margin_type", symbol=SYMBOL, margin_type="ISOLATED")
    )
    assert same == -4046
    official.ask("change_margin_type", symbol=SYMBOL, margin_type="CROSSED")
    market(official, "BUY", 0.01)

    for name in ("account_information_v2", "account_information_v3"):
        account = official.ask(name)
        assert float(account.total_wallet_balance) > 990
        assert [one.position_amt for one in account.positions] == ["0.010"]
    for name in ("futures_account_balance_v2", "futures_account_balance_v3"):
        assert [one.asset for one in official.ask(name)] == ["USDT"]
    for name in ("position_information_v2", "position_information_v3"):
        assert [one.position_amt for one in official.ask(name, symbol=SYMBOL)] == ["0.010"]
    brackets = official.ask("notional_and_leverage_brackets", symbol=SYMBOL)
    assert brackets is not None
    official.ask("futures_account_configuration")
    official.ask("user_commission_rate", symbol=SYMBOL)
    official.ask("query_user_rate_limit")
    official.ask("position_adl_quantile_estimation", symbol=SYMBOL)
    official.ask("get_current_multi_assets_mode")
    assert official.ask("get_current_position_mode").dual_side_position is False
    assert (
        refusal(lambda: official.ask("change_position_mode", dual_side_position="false")) == -4059
    )
    official.ask("futures_trading_quantitative_rules_indicators", symbol=SYMBOL)
    market(official, "SELL", 0.01, reduce_only="true")

    assert official.unknown == {
        "AccountInformationV2ResponsePositionsInner": {
            "isolatedMargin",
            "isolatedWallet",
            "notional",
        },
        "NewOrderResponse": {"avgPrice", "cumQuote"},
    }
    # The models name what other accounts have: other symbols, hedge mode.
    assert set(official.missing) == {
        "FuturesTradingQuantitativeRulesIndicatorsResponseIndicators",
        "PositionAdlQuantileEstimationResponseInnerAdlQuantile",
    }


def test_regular_orders_live_their_lives(official: Official, venue: Served) -> None:
    """Placed, read, changed, listed, cancelled one by one, in a batch and all at once; filled."""
    placed = limit(official, "BUY", 0.01, 90000, new_client_order_id="official-1")
    assert (placed.status, placed.client_order_id) == ("NEW", "official-1")
    official.ask("query_order", symbol=SYMBOL, order_id=placed.order_id)
    official.ask("query_current_open_order", symbol=SYMBOL, orig_client_order_id="official-1")
    changed = official.ask(
        "modify_order",
        symbol=SYMBOL,
        side="BUY",
        quantity=0.011,
        price=90010,
        order_id=placed.order_id,
    )
    assert (changed.price, changed.orig_qty) == ("90010.00", "0.011")
    listed = official.ask("current_all_open_orders", symbol=SYMBOL)
    assert [one.client_order_id for one in listed] == ["official-1"]
    twice = refusal(lambda: limit(official, "BUY", 0.01, 90000, new_client_order_id="official-1"))
    assert twice == -4116
    gone = official.ask("cancel_order", symbol=SYMBOL, orig_client_order_id="official-1")
    assert gone.status == "CANCELED"
    assert (
        refusal(lambda: official.ask("cancel_order", symbol=SYMBOL, order_id=placed.order_id))
        == -2011
    )
    assert refusal(lambda: official.ask("query_order", symbol=SYMBOL, order_id=1)) == -2013

    batch = official.ask(
        "place_multiple_orders",
        batch_orders=[
            {
                "symbol": SYMBOL,
                "side": "BUY",
                "type": "LIMIT",
                "timeInForce": "GTC",
                "quantity": "0.01",
                "price": "90000",
            },
            {
                "symbol": SYMBOL,
                "side": "BUY",
                "type": "LIMIT",
                "timeInForce": "GTC",
                "quantity": "0.01",
                "price": "90000.05",
            },
        ],
    )
    assert [one.code for one in batch] == [None, -4014]
    official.ask("cancel_multiple_orders", symbol=SYMBOL, order_id_list=[batch[0].order_id, 1])
    limit(official, "BUY", 0.01, 90000)
    assert official.ask("cancel_all_open_orders", symbol=SYMBOL).code == 200
    official.ask("auto_cancel_all_open_orders", symbol=SYMBOL, countdown_time=0)
    official.ask(
        "test_order",
        symbol=SYMBOL,
        side="BUY",
        type="LIMIT",
        time_in_force="GTC",
        quantity=0.01,
        price=90000,
    )

    resting = limit(official, "BUY", 0.01, 90700)
    venue.price("90690")
    assert official.ask("query_order", symbol=SYMBOL, order_id=resting.order_id).status == "FILLED"
    assert market(official, "SELL", 0.01, reduce_only="true").status == "FILLED"
    trades = official.ask("account_trade_list", symbol=SYMBOL)
    assert [one.qty for one in trades][-2:] == ["0.010", "0.010"]
    kinds = {one.income_type for one in official.ask("get_income_history", symbol=SYMBOL)}
    assert {"COMMISSION", "REALIZED_PNL"} <= kinds
    assert {one.status for one in official.ask("all_orders", symbol=SYMBOL)} == {
        "CANCELED",
        "FILLED",
    }

    written = {"avgPrice", "cumQuote"}
    assert official.unknown == {
        "CancelOrderResponse": written,
        "CancelMultipleOrdersResponse": written,
        "ModifyOrderResponse": written,
        "NewOrderResponse": written,
        "PlaceMultipleOrdersResponse": written,
    }
    trailing = {"activatePrice", "priceRate"}  # only trailing orders have them
    assert official.missing.pop("PlaceMultipleOrdersResponse") >= {"code", "msg"}
    assert official.missing.pop("CancelMultipleOrdersResponse") >= {"code", "msg"}
    assert official.missing == {
        "AllOrdersResponse": trailing,
        "CancelOrderResponse": trailing,
        "CurrentAllOpenOrdersResponse": trailing,
        "ModifyOrderResponse": {"modifyId"},
        "QueryCurrentOpenOrderResponse": trailing,
        "QueryOrderResponse": trailing,
        "TestOrderResponse": trailing,
    }


def test_conditional_orders_live_their_lives(official: Official, venue: Served) -> None:
    """All five types: placed, read, listed, cancelled; one of them fires and closes a position."""
    market(official, "BUY", 0.02)
    place = official.ask
    sell: dict[str, Any] = {**STOP, "side": "SELL"}
    stop = place(
        "new_algo_order",
        **sell,
        type="STOP_MARKET",
        quantity=0.01,
        trigger_price=90380,
        reduce_only="true",
        time_in_force="GTC",
        client_algo_id="official-s1",
    )
    assert (stop.algo_status, stop.client_algo_id, stop.reduce_only) == ("NEW", "official-s1", True)
    place("new_algo_order", **sell, type="STOP_MARKET", close_position="true", trigger_price=90300)
    place("new_algo_order", **sell, type="STOP", quantity=0.01, price=90100, trigger_price=90200)
    place(
        "new_algo_order",
        **sell,
        type="TAKE_PROFIT",
        quantity=0.01,
        price=91900,
        trigger_price=91800,
    )
    place(
        "new_algo_order",
        **sell,
        type="TAKE_PROFIT_MARKET",
        close_position="true",
        trigger_price=92900,
        working_type="MARK_PRICE",
    )
    place(
        "new_algo_order",
        **sell,
        type="TRAILING_STOP_MARKET",
        quantity=0.01,
        activate_price=92000,
        callback_rate=1.0,
        reduce_only="true",
    )
    second = refusal(
        lambda: place(
            "new_algo_order",
            **sell,
            type="STOP_MARKET",
            close_position="true",
            trigger_price=90310,
        )
    )
    crossed = refusal(
        lambda: place(
            "new_algo_order", **sell, type="STOP_MARKET", quantity=0.01, trigger_price=91000
        )
    )
    regular = refusal(
        lambda: place("new_order", symbol=SYMBOL, side="SELL", type="STOP_MARKET", quantity=0.01)
    )
    assert (second, crossed, regular) == (-4130, -2021, -4120)

    read = place("query_algo_order", client_algo_id="official-s1")
    assert (read.algo_id, read.actual_order_id) == (stop.algo_id, "")
    resting = place("current_all_algo_open_orders", symbol=SYMBOL)
    assert sorted(one.order_type for one in resting) == [
        "STOP",
        "STOP_MARKET",
        "STOP_MARKET",
        "TAKE_PROFIT",
        "TAKE_PROFIT_MARKET",
        "TRAILING_STOP_MARKET",
    ]
    place("cancel_all_open_orders", symbol=SYMBOL)
    assert len(place("current_all_algo_open_orders")) == 6  # another service's

    venue.price("90600", "90370")
    fired = place("query_algo_order", algo_id=stop.algo_id)
    assert (fired.algo_status, fired.actual_type, fired.actual_qty) == (
        "FINISHED",
        "MARKET",
        "0.010",
    )
    child = place("query_order", symbol=SYMBOL, order_id=int(fired.actual_order_id))
    assert (child.client_order_id, child.status) == ("official-s1", "FILLED")
    trailing = next(one for one in resting if one.order_type == "TRAILING_STOP_MARKET")
    cancelled = place("cancel_algo_order", algo_id=trailing.algo_id)
    assert (cancelled.code, cancelled.msg) == ("200", "success")
    assert refusal(lambda: place("cancel_algo_order", algo_id=trailing.algo_id)) == -2011
    assert refusal(lambda: place("query_algo_order", client_algo_id="nobody")) == -2013
    assert place("cancel_all_algo_open_orders", symbol=SYMBOL).code == 200
    market(official, "SELL", 0.01, reduce_only="true")
    history = place("query_all_algo_orders", symbol=SYMBOL)
    assert {one.algo_status for one in history} == {"CANCELED", "FINISHED"}

    assert official.unknown == {"NewOrderResponse": {"avgPrice", "cumQuote"}}
    assert official.missing == {"QueryOrderResponse": {"activatePrice", "priceRate"}}


def test_a_forced_close_fits_the_models(official: Official, venue: Served) -> None:
    """Liquidation and ADL orders are read by a list of their own."""
    market(official, "BUY", 0.01)
    venue.admin("POST", "force", {"adl": True})

    rows = official.ask("users_force_orders", symbol=SYMBOL)

    assert [one.client_order_id.startswith("adl_autoclose") for one in rows] == [True]
    assert official.unknown == {"NewOrderResponse": {"avgPrice", "cumQuote"}}
    assert official.missing == {}


def test_a_wrong_secret_and_a_strange_key_are_refused(official: Official) -> None:
    """Signatures of this client are checked over its query string."""
    configuration = official.client.rest_api.configuration
    configuration.api_secret = KEY
    assert refusal(lambda: official.ask("account_information_v3")) == -1022

    configuration.base_headers["X-MBX-APIKEY"] = "strange"
    with pytest.raises(UnauthorizedError) as caught:
        official.ask("account_information_v3")
    assert caught.value.status_code == -2015


def test_the_listen_key_lives_and_dies(official: Official) -> None:
    """One key at a time, the same as long as it lives."""
    first = official.ask("start_user_data_stream").listen_key
    assert official.ask("start_user_data_stream").listen_key == first
    official.ask("keepalive_user_data_stream")
    official.ask("close_user_data_stream")
    assert refusal(lambda: official.ask("keepalive_user_data_stream")) == -1125


def test_its_streams_tell_the_account_and_the_market(official: Official, venue: Served) -> None:
    """Three sockets, SUBSCRIBE for each stream, the listen key as a stream's name."""
    with complaints() as said:
        heard, raw = asyncio.run(_listen(official, venue))

    assert [one for one in said if "Error" in one or "Fail" in one] == []
    kinds = {type(one).__name__ for one in heard["user"]}
    assert kinds >= {"OrderTradeUpdate", "AccountUpdate", "AlgoUpdate", "AccountConfigUpdate"}
    statuses = [one.o.X for one in heard["user"] if type(one).__name__ == "AlgoUpdate"]
    assert statuses == ["NEW", "TRIGGERING", "TRIGGERED", "FINISHED"]
    official.unknown.clear()
    official.missing.clear()
    models = {type(one).__name__: type(one) for rows in heard.values() for one in rows}
    for event in raw:
        official.compare(models[MODELS[event["e"]]].model_validate(event), event)
    partial = {"PartialBookDepthStreamsResponse"}  # the same event on a stream of another name
    assert {MODELS[event["e"]] for event in raw} == set(models) - partial
    assert official.unknown.pop("AccountUpdateAPInner") == {"ma"}
    assert all(unknown == {"e"} for unknown in official.unknown.values())
    # Each of these is in some events and not in others; the two that no event had are for
    # trailing orders and for amendments.
    assert official.missing == {
        "AccountConfigUpdate": {"ai"},
        "AccountUpdateA": {"S"},
        "OrderTradeUpdateO": {"AP", "M", "N", "cr", "n"},
    }


async def _listen(official: Official, venue: Served) -> tuple[dict[str, list[Any]], list[Any]]:
    """Return the models of each stream, and the same events as they came."""
    streams = official.client.websocket_streams
    sockets = await streams.create_connection()
    heard: dict[str, list[Any]] = {}
    raw: list[Any] = []

    async def ask(name: str, **given: Any) -> Any:
        return await asyncio.to_thread(official.ask, name, **given)

    async def follow(name: str, opened: Any) -> None:
        heard[name] = []
        (await opened).on("message", lambda one: heard[name].append(_event(one)))

    async def overhear(path: str) -> None:
        url = f"{venue.stream_url}/{path}"
        async with aiohttp.ClientSession() as session, session.ws_connect(url) as socket:
            async for message in socket:
                raw.append(message.json())  # noqa: PERF401 - others read the list meanwhile

    key = (await ask("start_user_data_stream")).listen_key
    market_names = "btcusdt@markPrice@1s/btcusdt@aggTrade/btcusdt@kline_1m/btcusdt@ticker"
    paths = (
        f"private/ws?listenKey={key}",
        "public/ws/btcusdt@bookTicker/btcusdt@depth",
        "market/ws/btcusdt@miniTicker",
        f"market/ws/{market_names}",
    )
    ears = [asyncio.create_task(overhear(path)) for path in paths]
    try:
        await follow("user", sockets.user_data(key))
        await follow("book", sockets.individual_symbol_book_ticker_streams(symbol="btcusdt"))
        await follow("mark", sockets.mark_price_stream(symbol="btcusdt", update_speed="1s"))
        await follow("trades", sockets.aggregate_trade_streams(symbol="btcusdt"))
        await follow("day", sockets.individual_symbol_ticker_streams(symbol="btcusdt"))
        await follow("short", sockets.individual_symbol_mini_ticker_stream(symbol="btcusdt"))
        await follow(
            "changes", sockets.diff_book_depth_streams(symbol="btcusdt", update_speed="100ms")
        )
        await follow(
            "levels",
            sockets.partial_book_depth_streams(symbol="btcusdt", levels=5, update_speed="100ms"),
        )
        await follow("candles", sockets.kline_candlestick_streams(symbol="btcusdt", interval="1m"))
        await ask("change_initial_leverage", symbol=SYMBOL, leverage=7)
        await asyncio.to_thread(market, official, "BUY", 0.01)
        await ask(
            "new_algo_order",
            **STOP,
            side="SELL",
            type="STOP_MARKET",
            close_position="true",
            trigger_price=90380,
        )
        await asyncio.to_thread(venue.price, "90700", "90370")
        async with asyncio.timeout(WAIT_S):
            while not (_finished(heard["user"]) and all(heard.values())):
                await asyncio.sleep(0.05)
    finally:
        await streams.close_connection(close_session=True)
        for ear in ears:
            ear.cancel()
        await asyncio.gather(*ears, return_exceptions=True)
    return heard, raw


def _event(message: Any) -> Any:
    chosen = getattr(message, "actual_instance", None)
    return message if chosen is None else chosen


def _finished(events: list[Any]) -> bool:
    """Whether the stop ended and the account was told of it."""
    ended = any(type(one).__name__ == "AlgoUpdate" and one.o.X == "FINISHED" for one in events)
    return ended and any(
        type(one).__name__ == "AccountUpdate" and one.a.P and one.a.P[0].pa == "0.000"
        for one in events
    )
