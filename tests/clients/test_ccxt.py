"""ccxt trades a whole session on the venue, over REST and over its streams."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Iterator
from typing import Any

import ccxt
import ccxt.async_support
import ccxt.pro
import pytest

from tests.clients.served import KEY, SECRET, SYMBOL, Served

PAIR = "BTC/USDT:USDT"
WAIT_S = 15.0


def pointed(exchange: Any, venue: Served) -> Any:
    """Turn demo trading on, its addresses pointed at the venue."""
    demo = exchange.urls["demo"]
    for name in demo:
        if name.startswith("fapi"):
            version = demo[name].rpartition("/")[2]
            demo[name] = f"{venue.rest_url}/fapi/{version}"
    if isinstance(demo.get("ws"), dict):
        demo["ws"]["linear"] = f"{venue.stream_url}/ws"
    exchange.enable_demo_trading(True)
    exchange.session_trust_env = False
    return exchange


class Awaited:
    """The asynchronous client behind the names of the synchronous one: each call is awaited."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self._loop = asyncio.new_event_loop()

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._inner, name)
        if not callable(value):
            return value

        def call(*args: Any, **given: Any) -> Any:
            return self._loop.run_until_complete(self._awaited(value, args, given))

        return call

    def end(self) -> None:
        """Close the session and its loop."""
        self._loop.run_until_complete(self._inner.close())
        self._loop.close()

    def use_secret(self, secret: str) -> None:
        """Sign with something else from now on."""
        self._inner.secret = secret

    @staticmethod
    async def _awaited(value: Any, args: Any, given: Any) -> Any:
        result = value(*args, **given)  # here, because some calls look for a running loop
        return await result if inspect.isawaitable(result) else result


class Direct(ccxt.binanceusdm):  # type: ignore[misc]  # it has no types
    """The synchronous client."""

    def end(self) -> None:
        """Close the session."""
        self.session.close()

    def use_secret(self, secret: str) -> None:
        """Sign with something else from now on."""
        self.secret = secret


@pytest.fixture(params=["sync", "async"])
def exchange(request: pytest.FixtureRequest, venue: Served) -> Iterator[Any]:
    """Give one client after the other with its markets loaded: both trade the same session."""
    is_async = request.param == "async"
    kind: Any = ccxt.async_support.binanceusdm if is_async else Direct
    inner = pointed(kind({"apiKey": KEY, "secret": SECRET, "timeout": 20_000}), venue)
    inner.enableRateLimit = False
    one = Awaited(inner) if is_async else inner
    one.load_markets()
    yield one
    one.end()


def test_it_loads_the_market_and_reads_its_prices(exchange: Any) -> None:
    market = exchange.market(PAIR)
    assert (market["id"], market["swap"], market["linear"]) == (SYMBOL, True, True)
    assert market["precision"] == {
        "amount": 0.001,
        "price": 0.1,
        "base": 1e-08,
        "quote": 1e-08,
    }
    assert market["limits"]["cost"]["min"] == 50.0
    assert (market["maker"], market["taker"]) == (0.0002, 0.0005)

    assert exchange.fetch_time() > 1_700_000_000_000
    ticker = exchange.fetch_ticker(PAIR)
    assert (ticker["last"], ticker["symbol"]) == (90800.0, PAIR)
    assert set(exchange.fetch_tickers([PAIR])) == {PAIR}
    assert exchange.fetch_bids_asks([PAIR])[PAIR]["bid"] == 90800.0
    assert exchange.fetch_last_prices([PAIR])[PAIR]["price"] == 90800.0
    assert exchange.fetch_mark_price(PAIR)["markPrice"] == 90800.0
    assert exchange.fetch_funding_rate(PAIR)["fundingRate"] == 0.0001
    book = exchange.fetch_order_book(PAIR, 5)
    assert book["bids"][0][0] < book["asks"][0][0]
    candles = exchange.fetch_ohlcv(PAIR, "1m", limit=3)
    assert [len(row) for row in candles] == [6, 6, 6]
    exchange.fetch_trades(PAIR)
    exchange.fetch_funding_rate_history(PAIR)


def test_it_reads_the_account_and_sets_it_up(exchange: Any) -> None:
    """Both versions of account and positions; brackets; leverage and margin type read back."""
    assert exchange.set_leverage(5, PAIR)["leverage"] == 5
    exchange.set_margin_mode("isolated", PAIR)
    with pytest.raises(ccxt.MarginModeAlreadySet):
        exchange.set_margin_mode("isolated", PAIR)
    leverage = exchange.fetch_leverage(PAIR)
    assert (leverage["longLeverage"], leverage["marginMode"]) == (5, "isolated")
    exchange.set_margin_mode("cross", PAIR)
    assert exchange.fetch_position_mode(PAIR)["hedged"] is False
    tiers = exchange.fetch_leverage_tiers([PAIR])[PAIR]
    assert (tiers[0]["maxLeverage"], tiers[0]["maintenanceMarginRate"]) == (125.0, 0.004)
    assert exchange.fetch_trading_fee(PAIR)["taker"] == 0.0005

    exchange.create_order(PAIR, "market", "buy", 0.01)
    for version in ({}, {"useV2": True}):
        balance = exchange.fetch_balance(version)
        assert 990 < balance["USDT"]["total"] < 1001
        for method in ("account", "positionRisk"):
            held = exchange.fetch_positions([PAIR], {**version, "method": method})
            assert [(one["side"], one["contracts"]) for one in held] == [("long", 0.01)]
    for balances in (exchange.fapiprivatev2_get_balance(), exchange.fapiprivatev3_get_balance()):
        assert [one["asset"] for one in balances] == ["USDT"]
    held = exchange.fetch_positions([PAIR], {"method": "positionRisk"})[0]
    assert (held["entryPrice"], held["marginMode"]) == (90800.1, "cross")
    exchange.create_order(PAIR, "market", "sell", 0.01, None, {"reduceOnly": True})
    assert exchange.fetch_positions([PAIR]) == []


def test_its_regular_orders_live_their_lives(exchange: Any, venue: Served) -> None:
    """Created, edited, listed, cancelled one by one, in a batch and all at once; filled."""
    order = exchange.create_order(
        PAIR, "limit", "buy", 0.01, 90000, {"clientOrderId": "ccxt-1", "postOnly": True}
    )
    assert (order["status"], order["clientOrderId"], order["timeInForce"]) == (
        "open",
        "ccxt-1",
        "PO",
    )
    assert exchange.fetch_order(order["id"], PAIR)["price"] == 90000.0
    assert exchange.fetch_open_order(order["id"], PAIR)["status"] == "open"
    edited = exchange.edit_order(order["id"], PAIR, "limit", "buy", 0.011, 90010)
    assert (edited["price"], edited["amount"]) == (90010.0, 0.011)
    assert [one["id"] for one in exchange.fetch_open_orders(PAIR)] == [order["id"]]
    assert exchange.cancel_order(order["id"], PAIR)["status"] == "canceled"
    with pytest.raises(ccxt.OrderNotFound, match="-2011"):
        exchange.cancel_order(order["id"], PAIR)
    with pytest.raises(ccxt.OrderNotFound, match="-2013"):
        exchange.fetch_order("1", PAIR)

    batch = exchange.create_orders(
        [
            {"symbol": PAIR, "type": "limit", "side": "buy", "amount": 0.01, "price": price}
            for price in (90000, 90100)
        ]
    )
    assert [one["status"] for one in batch] == ["open", "open"]
    exchange.cancel_orders([one["id"] for one in batch], PAIR)
    exchange.create_order(PAIR, "limit", "buy", 0.01, 90000)
    exchange.cancel_all_orders(PAIR)
    assert exchange.fetch_open_orders(PAIR) == []

    order = exchange.create_order(PAIR, "limit", "buy", 0.01, 90700)
    venue.price("90690")
    filled = exchange.fetch_order(order["id"], PAIR)
    assert (filled["status"], filled["filled"], filled["average"]) == ("closed", 0.01, 90700.0)
    exchange.create_order(PAIR, "market", "sell", 0.01, None, {"reduceOnly": True})
    trades = exchange.fetch_my_trades(PAIR)
    assert [(one["side"], one["amount"], one["takerOrMaker"]) for one in trades[-2:]] == [
        ("buy", 0.01, "maker"),
        ("sell", 0.01, "taker"),
    ]
    assert {one["status"] for one in exchange.fetch_orders(PAIR)} == {"canceled", "closed"}
    assert {one["type"] for one in exchange.fetch_ledger("USDT")} >= {"commission", "trade"}


def test_its_conditional_orders_live_their_lives(exchange: Any, venue: Served) -> None:
    """All five types by its own words for them; one fires and closes the position."""
    trigger = {"trigger": True}
    exchange.create_order(PAIR, "market", "buy", 0.02)
    create = exchange.create_order
    stop = create(
        PAIR,
        "market",
        "sell",
        0.01,
        None,
        {"stopLossPrice": 90380, "reduceOnly": True, "clientOrderId": "ccxt-s1"},
    )
    assert (stop["status"], stop["clientOrderId"], stop["triggerPrice"]) == (
        "open",
        "ccxt-s1",
        90380.0,
    )
    create(PAIR, "market", "sell", None, None, {"stopLossPrice": 90300, "closePosition": True})
    create(PAIR, "limit", "sell", 0.01, 90100, {"stopLossPrice": 90200})
    create(PAIR, "limit", "sell", 0.01, 91900, {"takeProfitPrice": 91800})
    create(PAIR, "market", "sell", None, None, {"takeProfitPrice": 92900, "closePosition": True})
    create(
        PAIR,
        "market",
        "sell",
        0.01,
        None,
        {"trailingPercent": 1, "trailingTriggerPrice": 92000, "reduceOnly": True},
    )
    resting = exchange.fetch_open_orders(PAIR, None, None, trigger)
    assert sorted(one["info"]["orderType"] for one in resting) == [
        "STOP",
        "STOP_MARKET",
        "STOP_MARKET",
        "TAKE_PROFIT",
        "TAKE_PROFIT_MARKET",
        "TRAILING_STOP_MARKET",
    ]
    assert exchange.fetch_open_orders(PAIR) == []
    exchange.cancel_all_orders(PAIR)
    assert len(exchange.fetch_open_orders(PAIR, None, None, trigger)) == 6  # another service's

    venue.price("90600", "90370")
    fired = exchange.fetch_order(stop["id"], PAIR, trigger)
    assert fired["info"]["algoStatus"] == "FINISHED"
    child = exchange.fetch_order(fired["info"]["actualOrderId"], PAIR)
    assert (child["status"], child["clientOrderId"], child["filled"]) == ("closed", "ccxt-s1", 0.01)
    trailing = next(one for one in resting if one["info"]["orderType"] == "TRAILING_STOP_MARKET")
    exchange.cancel_order(trailing["id"], PAIR, trigger)
    with pytest.raises(ccxt.OrderNotFound, match="-2011"):
        exchange.cancel_order(trailing["id"], PAIR, trigger)
    exchange.cancel_all_orders(PAIR, trigger)
    assert exchange.fetch_open_orders(PAIR, None, None, trigger) == []
    create(PAIR, "market", "sell", 0.01, None, {"reduceOnly": True})
    history = exchange.fetch_orders(PAIR, None, None, trigger)
    assert {one["info"]["algoStatus"] for one in history} == {"CANCELED", "FINISHED"}


@pytest.mark.parametrize(
    ("order", "code", "kind"),
    [
        (
            ("market", "sell", None, None, {"stopLossPrice": 90000, "closePosition": True}),
            -4509,
            ccxt.ExchangeError,
        ),
        (("market", "sell", 0.01, None, {"stopLossPrice": 91000}), -2021, ccxt.ExchangeError),
        (("market", "sell", 0.01, None, {"reduceOnly": True}), -2022, ccxt.ExchangeError),
        (("market", "buy", 1, None, {}), -2019, ccxt.ExchangeError),
        (("limit", "buy", 0.01, 90900, {"postOnly": True}), -5022, ccxt.InvalidOrder),
    ],
)
def test_its_refusals_carry_the_code(
    exchange: Any, order: tuple[Any, ...], code: int, kind: type[Exception]
) -> None:
    """Most of its finer classes hang on the live host's name; the code is in the text anywhere."""
    with pytest.raises(ccxt.ExchangeError) as caught:
        exchange.create_order(PAIR, *order)

    assert f'"code":{code}' in str(caught.value)
    assert caught.type is kind


def test_a_wrong_secret_is_refused(exchange: Any) -> None:
    exchange.use_secret(KEY)

    with pytest.raises(ccxt.AuthenticationError, match="-1022"):
        exchange.fetch_balance()


def test_its_streams_tell_the_account_and_the_market(venue: Served) -> None:
    """The user stream on /private, market streams by SUBSCRIBE on /public and /market."""
    heard = asyncio.run(_watch(venue))

    assert [one["status"] for one in heard["orders"]] == ["open", "closed"]
    assert [one["amount"] for one in heard["trades"]] == [0.01]
    assert heard["positions"][-1]["contracts"] == 0.01
    assert heard["balance"]["USDT"]["total"] < 1000
    assert heard["mark"]["markPrice"] > 90000
    assert heard["book"]["bid"] < heard["book"]["ask"]
    assert len(heard["candles"][-1]) == 6
    assert heard["public"][-1]["price"] > 90000
    assert heard["ticker"]["last"] > 90000
    assert len(heard["levels"]["bids"]) >= 5
    assert heard["levels"]["bids"][0][0] < heard["levels"]["asks"][0][0]


async def _watch(venue: Served) -> dict[str, Any]:
    exchange = pointed(
        ccxt.pro.binanceusdm({"apiKey": KEY, "secret": SECRET, "timeout": 20_000}), venue
    )
    exchange.enableRateLimit = False
    try:
        await exchange.load_markets()
        return await _Watch(exchange).trade(venue)
    finally:
        await exchange.close()


class _Watch:
    """Everything one asynchronous client watches while it opens and closes a position."""

    def __init__(self, exchange: Any) -> None:
        self.exchange = exchange
        self.heard: dict[str, Any] = {"orders": [], "trades": [], "positions": []}

    async def trade(self, venue: Served) -> dict[str, Any]:
        """Fill one order while everything is watched; return what was heard."""
        every = (self.orders, self.fills, self.positions, self.balance, self.market)
        watchers = [asyncio.create_task(one()) for one in every]
        order = self.exchange.create_order
        try:
            async with asyncio.timeout(WAIT_S):
                await _listening(venue)
                assert (await order(PAIR, "limit", "buy", 0.01, 90700))["status"] == "open"
                while not self.heard["orders"]:
                    await asyncio.sleep(0.02)
                await asyncio.to_thread(venue.price, "90690")
                ticking = asyncio.create_task(_ticking(venue))
                await asyncio.gather(*watchers)
                ticking.cancel()
            await order(PAIR, "market", "sell", 0.01, None, {"reduceOnly": True})
            await self.exchange.keep_alive_listen_key({"type": "future"})
        finally:
            for one in watchers:
                one.cancel()
            await asyncio.gather(*watchers, return_exceptions=True)
        return self.heard

    async def orders(self) -> None:
        """Follow the order to its end."""
        seen = self.heard["orders"]
        while not seen or seen[-1]["status"] != "closed":
            # The client goes on changing what it has handed out.
            seen += [dict(one) for one in await self.exchange.watch_orders(PAIR)]

    async def fills(self) -> None:
        """Hear of the fill."""
        self.heard["trades"] += await self.exchange.watch_my_trades(PAIR)

    async def positions(self) -> None:
        """Hear of the position."""
        while not any(one["contracts"] for one in self.heard["positions"]):
            self.heard["positions"] += await self.exchange.watch_positions([PAIR])

    async def balance(self) -> None:
        """Hear of the wallet."""
        self.heard["balance"] = await self.exchange.watch_balance()

    async def market(self) -> None:
        """Hear of the market, stream by stream."""
        exchange, heard = self.exchange, self.heard
        heard["mark"] = await exchange.watch_mark_price(PAIR)
        heard["book"] = (await exchange.watch_bids_asks([PAIR]))[PAIR]
        heard["candles"] = await exchange.watch_ohlcv(PAIR, "1m")
        heard["public"] = await exchange.watch_trades(PAIR)
        heard["ticker"] = await exchange.watch_ticker(PAIR)
        heard["levels"] = dict(await exchange.watch_order_book(PAIR))


async def _listening(venue: Served) -> None:
    """Wait until the user stream is open."""
    while True:
        state = await asyncio.to_thread(venue.admin, "GET", "state")
        served = state["served"]
        assert isinstance(served, dict)
        if state["listen_key"] and served["sockets"] >= 2:
            return
        await asyncio.sleep(0.05)


async def _ticking(venue: Served) -> None:
    """Let the price move a little, so that market streams speak."""
    while True:
        for last in ("90691", "90692"):
            await asyncio.to_thread(venue.price, last)
            await asyncio.sleep(0.1)
