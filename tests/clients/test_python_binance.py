"""python-binance trades a whole session on the venue: two clients, each with a socket manager."""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from binance import AsyncClient, BinanceSocketManager, Client, ThreadedWebsocketManager
from binance.base_client import BaseClient
from binance.exceptions import BinanceAPIException
from binance.ws.reconnecting_websocket import ReconnectingWebsocket

from tests.clients.served import KEY, SECRET, SYMBOL, Served

WAIT_S = 20.0
ALGO: dict[str, Any] = {"symbol": SYMBOL, "side": "SELL"}


@pytest.fixture(autouse=True)
def pointed(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """Point every class at the venue: the threaded manager makes its own objects."""
    monkeypatch.setattr(BaseClient, "API_URL", f"{served.rest_url}/api")
    monkeypatch.setattr(BaseClient, "FUTURES_URL", f"{served.rest_url}/fapi")
    monkeypatch.setattr(BinanceSocketManager, "FSTREAM_URL", f"{served.stream_url}/")
    # Closing a socket waits for its pending read: one second instead of ten.
    monkeypatch.setattr(ReconnectingWebsocket, "TIMEOUT", 1)


class Awaited:
    """The asynchronous client behind the names of the synchronous one: each call is awaited."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._client = self._loop.run_until_complete(AsyncClient.create(KEY, SECRET))

    def use_secret(self, secret: str) -> None:
        """Sign with something else from now on."""
        self._client.API_SECRET = secret

    def close(self) -> None:
        """End the session and its loop."""
        self._loop.run_until_complete(self._client.close_connection())
        self._loop.close()

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._client, name)

        def call(**given: Any) -> Any:
            return self._loop.run_until_complete(method(**given))

        return call


class Direct(Client):
    """The synchronous client; making it pings the spot API."""

    def use_secret(self, secret: str) -> None:
        """Sign with something else from now on."""
        self.API_SECRET = secret

    def close(self) -> None:
        """End the session and the loop it made."""
        self.close_connection()
        self.loop.close()


@pytest.fixture(params=["sync", "async"])
def client(request: pytest.FixtureRequest, venue: Served, pointed: None) -> Iterator[Any]:
    """Give one client after the other: both trade the same session."""
    one: Any
    if request.param == "async":
        one = Awaited()
    else:
        one = Direct(KEY, SECRET, requests_params={"timeout": 20})
        one.session.trust_env = False
    yield one
    one.close()


def code_of(caught: pytest.ExceptionInfo[BinanceAPIException]) -> int:
    """Return the exchange's code."""
    return int(caught.value.code)


def test_the_client_reads_the_market(client: Any) -> None:
    info = client.futures_exchange_info()
    assert [one["symbol"] for one in info["symbols"]] == [SYMBOL]
    assert client.futures_ping() == {}
    assert client.futures_time()["serverTime"] > 1_700_000_000_000
    assert client.futures_symbol_ticker(symbol=SYMBOL)["price"] == "90800.00"
    assert client.futures_ticker(symbol=SYMBOL)["lastPrice"] == "90800.00"
    assert client.futures_orderbook_ticker(symbol=SYMBOL)["bidPrice"] == "90800.00"
    assert client.futures_mark_price(symbol=SYMBOL)["markPrice"] == "90800.00000000"
    assert len(client.futures_klines(symbol=SYMBOL, interval="1m", limit=3)) == 3
    assert len(client.futures_order_book(symbol=SYMBOL, limit=5)["bids"]) == 5
    client.futures_aggregate_trades(symbol=SYMBOL)
    client.futures_recent_trades(symbol=SYMBOL)
    client.futures_funding_rate(symbol=SYMBOL)


def test_the_client_reads_the_account_and_sets_it_up(client: Any) -> None:
    assert client.futures_change_leverage(symbol=SYMBOL, leverage=5)["leverage"] == 5
    client.futures_change_margin_type(symbol=SYMBOL, marginType="ISOLATED")
    with pytest.raises(BinanceAPIException) as caught:
        client.futures_change_margin_type(symbol=SYMBOL, marginType="ISOLATED")
    assert code_of(caught) == -4046
    config = client.futures_symbol_config(symbol=SYMBOL)[0]
    assert (config["leverage"], config["marginType"]) == (5, "ISOLATED")
    client.futures_change_margin_type(symbol=SYMBOL, marginType="CROSSED")
    assert client.futures_get_position_mode() == {"dualSidePosition": False}
    with pytest.raises(BinanceAPIException) as caught:
        client.futures_change_position_mode(dualSidePosition="false")
    assert code_of(caught) == -4059
    assert client.futures_get_multi_assets_mode() == {"multiAssetsMargin": False}
    assert client.futures_leverage_bracket(symbol=SYMBOL)[0]["brackets"][0]["cum"] == 0.0
    assert client.futures_account_config()["canTrade"] is True
    assert client.futures_commission_rate(symbol=SYMBOL)["takerCommissionRate"] == "0.0005"

    client.futures_create_order(symbol=SYMBOL, side="BUY", type="MARKET", quantity="0.010")
    for version in (2, 3):
        held = client.futures_position_information(symbol=SYMBOL, version=version)
        assert [one["positionAmt"] for one in held] == ["0.010"]
        account = client.futures_account(version=version)
        assert [one["positionAmt"] for one in account["positions"]] == ["0.010"]
        assert [one["asset"] for one in client.futures_account_balance(version=version)] == ["USDT"]
    client.futures_create_order(
        symbol=SYMBOL, side="SELL", type="MARKET", quantity="0.010", reduceOnly=True
    )
    assert client.futures_position_information(symbol=SYMBOL) == []


def test_its_regular_orders_live_their_lives(client: Any, venue: Served) -> None:
    """Bodies on POST, PUT and DELETE, Python's True and False, batches as it encodes them."""
    limit = {"symbol": SYMBOL, "side": "BUY", "type": "LIMIT", "timeInForce": "GTC"}
    order = client.futures_create_order(
        **limit, quantity="0.010", price="90000", newClientOrderId="pb-1", reduceOnly=False
    )
    assert (order["status"], order["clientOrderId"]) == ("NEW", "pb-1")
    assert client.futures_get_order(symbol=SYMBOL, orderId=order["orderId"])["price"] == "90000.00"
    changed = client.futures_modify_order(
        symbol=SYMBOL, side="BUY", quantity="0.011", price="90010", orderId=order["orderId"]
    )
    assert (changed["price"], changed["origQty"]) == ("90010.00", "0.011")
    assert [o["clientOrderId"] for o in client.futures_get_open_orders(symbol=SYMBOL)] == ["pb-1"]
    gone = client.futures_cancel_order(symbol=SYMBOL, origClientOrderId="pb-1")
    assert gone["status"] == "CANCELED"
    for call, code in ((client.futures_cancel_order, -2011), (client.futures_get_order, -2013)):
        with pytest.raises(BinanceAPIException) as caught:
            call(symbol=SYMBOL, origClientOrderId="pb-none")
        assert code_of(caught) == code

    item = {**limit, "quantity": "0.010", "price": "90000"}
    batch = client.futures_place_batch_order(batchOrders=[dict(item), {**item, "quantity": "0"}])
    assert [one.get("code") for one in batch] == [None, -4003]
    cancelled = client.futures_cancel_orders(symbol=SYMBOL, orderidlist=[batch[0]["orderId"]])
    assert [one["status"] for one in cancelled] == ["CANCELED"]
    client.futures_create_order(**item)
    assert client.futures_cancel_all_open_orders(symbol=SYMBOL)["code"] == 200
    client.futures_countdown_cancel_all(symbol=SYMBOL, countdownTime=0)
    client.futures_create_test_order(**item)

    order = client.futures_create_order(**limit, quantity="0.010", price="90700")
    venue.price("90690")
    assert client.futures_get_order(symbol=SYMBOL, orderId=order["orderId"])["status"] == "FILLED"
    client.futures_create_order(
        symbol=SYMBOL, side="SELL", type="MARKET", quantity="0.010", reduceOnly="true"
    )
    trades = client.futures_account_trades(symbol=SYMBOL)
    assert [(one["side"], one["maker"]) for one in trades[-2:]] == [("BUY", True), ("SELL", False)]
    statuses = {one["status"] for one in client.futures_get_all_orders(symbol=SYMBOL)}
    assert statuses == {"CANCELED", "FILLED"}
    kinds = {one["incomeType"] for one in client.futures_income_history(symbol=SYMBOL)}
    assert kinds >= {"COMMISSION", "REALIZED_PNL"}


def test_its_conditional_orders_live_their_lives(client: Any, venue: Served) -> None:
    """The five types go to the algo endpoint by themselves; one fires and closes the position."""
    create = client.futures_create_order
    create(symbol=SYMBOL, side="BUY", type="MARKET", quantity="0.020")
    stop = create(
        **ALGO,
        type="STOP_MARKET",
        quantity="0.010",
        stopPrice="90380",
        reduceOnly="true",
        timeInForce="GTC",
        clientAlgoId="pb-s1",
    )
    assert (stop["algoStatus"], stop["clientAlgoId"]) == ("NEW", "pb-s1")
    create(**ALGO, type="STOP_MARKET", stopPrice="90300", closePosition=True)
    create(**ALGO, type="STOP", quantity="0.010", price="90100", stopPrice="90200")
    create(**ALGO, type="TAKE_PROFIT", quantity="0.010", price="91900", stopPrice="91800")
    create(**ALGO, type="TAKE_PROFIT_MARKET", stopPrice="92900", closePosition="true")
    trailing = client.futures_create_algo_order(
        **ALGO,
        type="TRAILING_STOP_MARKET",
        quantity="0.010",
        activatePrice="92000",
        callbackRate="1",
        reduceOnly="true",
    )
    with pytest.raises(BinanceAPIException) as caught:
        create(**ALGO, type="STOP_MARKET", stopPrice="90310", closePosition="true")
    assert code_of(caught) == -4130
    resting = client.futures_get_open_algo_orders(symbol=SYMBOL)
    assert sorted(one["orderType"] for one in resting) == [
        "STOP",
        "STOP_MARKET",
        "STOP_MARKET",
        "TAKE_PROFIT",
        "TAKE_PROFIT_MARKET",
        "TRAILING_STOP_MARKET",
    ]
    client.futures_cancel_all_open_orders(symbol=SYMBOL)
    assert len(client.futures_get_open_orders(symbol=SYMBOL, conditional=True)) == 6

    venue.price("90600", "90370")
    fired = client.futures_get_algo_order(clientAlgoId="pb-s1")
    assert (fired["algoStatus"], fired["actualQty"]) == ("FINISHED", "0.010")
    child = client.futures_get_order(symbol=SYMBOL, orderId=fired["actualOrderId"])
    assert (child["clientOrderId"], child["status"]) == ("pb-s1", "FILLED")
    gone = client.futures_cancel_algo_order(algoId=trailing["algoId"])
    assert gone["code"] == "200"
    with pytest.raises(BinanceAPIException) as caught:
        client.futures_cancel_order(symbol=SYMBOL, algoId=trailing["algoId"])
    assert code_of(caught) == -2011
    assert client.futures_cancel_all_algo_open_orders(symbol=SYMBOL)["code"] == 200
    create(symbol=SYMBOL, side="SELL", type="MARKET", quantity="0.010", reduceOnly="true")
    history = client.futures_get_all_algo_orders(symbol=SYMBOL)
    assert {one["algoStatus"] for one in history} == {"CANCELED", "FINISHED"}


def test_the_listen_key_lives_and_dies(client: Any) -> None:
    """One key at a time, the same as long as it lives."""
    key = client.futures_stream_get_listen_key()
    assert client.futures_stream_get_listen_key() == key
    client.futures_stream_keepalive(listenKey=key)
    client.futures_stream_close(listenKey=key)
    with pytest.raises(BinanceAPIException) as caught:
        client.futures_stream_keepalive(listenKey=key)
    assert code_of(caught) == -1125


def test_a_wrong_secret_is_refused(client: Any) -> None:
    client.use_secret(KEY)

    with pytest.raises(BinanceAPIException) as caught:
        client.futures_account()

    assert (code_of(caught), caught.value.status_code) == (-1022, 400)


def test_the_asynchronous_client_trades_and_its_manager_listens(venue: Served) -> None:
    """One user socket on /private, market sockets on /market and /public."""
    heard = asyncio.run(_listen(venue))

    kinds = [one["e"] for one in heard["user"]]
    assert {"ORDER_TRADE_UPDATE", "ACCOUNT_UPDATE", "ALGO_UPDATE", "TRADE_LITE"} <= set(kinds)
    statuses = [one["o"]["X"] for one in heard["user"] if one["e"] == "ALGO_UPDATE"]
    assert statuses == ["NEW", "TRIGGERING", "TRIGGERED", "FINISHED"]
    assert heard["mark"][0]["stream"] == "btcusdt@markPrice@1s"
    assert heard["book"][0]["data"]["e"] == "bookTicker"
    assert {one["data"]["e"] for one in heard["several"]} == {"aggTrade", "kline"}


async def _listen(venue: Served) -> dict[str, list[Any]]:
    client = await AsyncClient.create(KEY, SECRET)
    heard: dict[str, list[Any]] = {}
    try:
        assert await client.futures_position_information(symbol=SYMBOL) == []
        manager = BinanceSocketManager(client, max_queue_size=10_000)
        sockets = {
            "user": manager.futures_user_socket(),
            "mark": manager.symbol_mark_price_socket(SYMBOL),
            "book": manager.symbol_ticker_futures_socket(SYMBOL),
            "several": manager.futures_multiplex_socket(
                ["btcusdt@aggTrade", "btcusdt@kline_1m"], category="market"
            ),
        }
        opened = asyncio.Semaphore(0)
        tasks = [
            asyncio.create_task(_read(socket, heard.setdefault(name, []), opened, _ENDS[name]))
            for name, socket in sockets.items()
        ]
        async with asyncio.timeout(WAIT_S):
            for _ in tasks:
                await opened.acquire()
            create = client.futures_create_order
            await create(symbol=SYMBOL, side="BUY", type="MARKET", quantity="0.010")
            await create(
                **ALGO,
                type="STOP_MARKET",
                stopPrice="90380",
                closePosition="true",
                clientAlgoId="pb-f1",
            )
            await asyncio.to_thread(venue.price, "90600", "90370")
            await asyncio.gather(*tasks)
    finally:
        await client.close_connection()
    return heard


async def _read(socket: Any, heard: list[Any], opened: asyncio.Semaphore, ends: Any) -> None:
    async with socket as stream:
        opened.release()
        while not ends(heard):
            heard.append(await stream.recv())


def _is_over(heard: list[Any]) -> bool:
    ends = [one for one in heard if one["e"] == "ALGO_UPDATE" and one["o"]["X"] == "FINISHED"]
    flat = [
        one
        for one in heard
        if one["e"] == "ACCOUNT_UPDATE" and [p["pa"] for p in one["a"]["P"]] == ["0.000"]
    ]
    return bool(ends and flat)


_ENDS = {
    "user": _is_over,
    "mark": bool,
    "book": bool,
    "several": lambda heard: {one["data"]["e"] for one in heard} == {"aggTrade", "kline"},
}


@pytest.mark.parametrize("client", ["sync"], indirect=True)
def test_the_threaded_manager_listens(client: Any, venue: Served) -> None:
    """Once, and bounded: it starts by itself against the spot paths, and it can be stopped."""
    heard: queue.SimpleQueue[Any] = queue.SimpleQueue()
    manager = ThreadedWebsocketManager(KEY, SECRET)
    manager.daemon = True
    manager.start()
    try:
        manager.start_futures_user_socket(callback=heard.put)
        manager.start_symbol_mark_price_socket(callback=heard.put, symbol=SYMBOL)
        _until(lambda: _sockets(venue) >= 2)
        client.futures_create_order(symbol=SYMBOL, side="BUY", type="MARKET", quantity="0.010")
        client.futures_create_order(
            symbol=SYMBOL, side="SELL", type="MARKET", quantity="0.010", reduceOnly="true"
        )
        kinds: set[str] = set()
        wanted = {"ORDER_TRADE_UPDATE", "ACCOUNT_UPDATE", "TRADE_LITE", "markPriceUpdate"}
        while not wanted <= kinds:
            message = heard.get(timeout=WAIT_S)
            kinds.add(message.get("data", message)["e"])
    finally:
        manager.stop()
        manager.join(timeout=WAIT_S)

    assert not manager.is_alive()


def _sockets(venue: Served) -> int:
    served = venue.admin("GET", "state")["served"]
    assert isinstance(served, dict)
    return int(served["sockets"])


def _until(holds: Any) -> None:
    ends = time.monotonic() + WAIT_S
    while not holds():
        assert time.monotonic() < ends, "waited in vain"
        threading.Event().wait(0.05)
