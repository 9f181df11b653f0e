"""The streams: the library hears its fills, wrong keys hear nothing, and routes are kept apart."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
from binance import AsyncClient, BinanceSocketManager
from binance.ws.reconnecting_websocket import ReconnectingWebsocket

from tests.venue_server.served import Served

SILENCE_S = 0.4
PATIENCE_S = 8.0
MARK = "btcusdt@markPrice@1s"
BOOK = "btcusdt@bookTicker"


@asynccontextmanager
async def _socket(venue: Served, path: str) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(venue.stream_url + path) as socket,
    ):
        yield socket


async def _next(socket: aiohttp.ClientWebSocketResponse) -> dict[str, object]:
    message = await socket.receive(timeout=PATIENCE_S)
    assert message.type is aiohttp.WSMsgType.TEXT, message
    document = json.loads(message.data)
    assert isinstance(document, dict)
    return document


async def _is_silent(socket: aiohttp.ClientWebSocketResponse) -> bool:
    try:
        await socket.receive(timeout=SILENCE_S)
    except TimeoutError:
        return True
    return False


def _listen_key(venue: Served) -> str:
    reply = venue.http.post(
        venue.rest_url + "/fapi/v1/listenKey", headers={"X-MBX-APIKEY": "k"}, timeout=5
    )
    return str(reply.json()["listenKey"])


async def _move(venue: Served, last: str) -> None:
    await asyncio.to_thread(venue.admin, "POST", "price", {"last": last})


async def _trade(venue: Served) -> None:
    hand = {"do": "market", "side": "buy", "quantity": "0.002"}
    await asyncio.to_thread(venue.admin, "POST", "hand", hand)


def test_the_library_hears_an_order_through_its_user_socket(
    venue: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ReconnectingWebsocket, "TIMEOUT", 1)

    async def listen() -> list[str]:
        client = AsyncClient(venue.ready["api_key"], venue.ready["api_secret"])
        client.FUTURES_URL = venue.rest_url + "/fapi"
        manager = BinanceSocketManager(client)
        manager.FSTREAM_URL = venue.stream_url + "/"
        heard: list[str] = []
        try:
            async with manager.futures_user_socket() as socket:
                await _trade(venue)
                async with asyncio.timeout(PATIENCE_S):
                    while "ACCOUNT_UPDATE" not in heard or "ORDER_TRADE_UPDATE" not in heard:
                        event = await socket.recv()
                        heard.append(event["e"])
        finally:
            await client.close_connection()
        return heard

    assert "ORDER_TRADE_UPDATE" in asyncio.run(listen())


@pytest.mark.parametrize(
    "path",
    [
        "/private/ws?listenKey={key}",
        "/private/ws/{key}",
        "/private/ws?listenKey={key}&events=ACCOUNT_UPDATE",
    ],
)
def test_the_private_forms_carry_bare_events(venue: Served, path: str) -> None:
    async def listen() -> dict[str, object]:
        key = _listen_key(venue)
        async with _socket(venue, path.format(key=key)) as socket:
            await _trade(venue)
            event = await _next(socket)
            while event["e"] != "ACCOUNT_UPDATE":
                event = await _next(socket)
            return event

    assert asyncio.run(listen())["e"] == "ACCOUNT_UPDATE"


def test_the_events_filter_is_a_real_filter(venue: Served) -> None:
    """A name misspelt there is silence, as on the exchange."""

    async def listen() -> tuple[str, bool]:
        key = _listen_key(venue)
        async with (
            _socket(venue, f"/private/ws?listenKey={key}&events=ACCOUNT_UPDATE") as one,
            _socket(venue, f"/private/ws?listenKey={key}&events=ORDER_TRADE_UPDTE") as other,
        ):
            await _trade(venue)
            first = await _next(one)
            return str(first["e"]), await _is_silent(other)

    assert asyncio.run(listen()) == ("ACCOUNT_UPDATE", True)


def test_a_private_stream_without_events_may_stay_silent() -> None:
    """One note calls the form without a list of events flaky; then only the list is heard."""

    async def listen(venue: Served) -> tuple[str, bool]:
        key = _listen_key(venue)
        async with (
            _socket(venue, f"/private/ws?listenKey={key}&events=ACCOUNT_UPDATE") as one,
            _socket(venue, f"/private/ws?listenKey={key}") as other,
        ):
            await _trade(venue)
            first = await _next(one)
            return str(first["e"]), await _is_silent(other)

    with Served("--switch", "private_without_events=nothing") as venue:
        assert asyncio.run(listen(venue)) == ("ACCOUNT_UPDATE", True)


def test_the_combined_private_form_wraps_and_takes_a_subscription(venue: Served) -> None:
    """The official client subscribes to its listen key by name."""

    async def listen() -> list[object]:
        key = _listen_key(venue)
        async with _socket(venue, "/private/stream") as socket:
            await socket.send_json({"method": "SUBSCRIBE", "params": [key], "id": 7})
            answer = await _next(socket)
            await _trade(venue)
            event = await _next(socket)
            return [answer, event["stream"] == key, "e" in dict(event["data"])]  # type: ignore[call-overload]

    assert asyncio.run(listen()) == [{"result": None, "id": 7}, True, True]


@pytest.mark.parametrize("path", ["/private/ws?listenKey=dead", "/ws/{key}", "/public/ws/{key}"])
def test_a_wrong_key_or_a_retired_path_connects_and_stays_silent(venue: Served, path: str) -> None:
    """Nothing says so: a keeper must not trust a stream that only connects."""

    async def listen() -> bool:
        key = _listen_key(venue)
        async with _socket(venue, path.format(key=key)) as socket:
            await _trade(venue)
            return await _is_silent(socket)

    assert asyncio.run(listen())


def test_a_closed_key_is_announced_and_then_silent(venue: Served) -> None:
    async def listen() -> tuple[object, bool]:
        key = _listen_key(venue)
        async with _socket(venue, f"/private/ws?listenKey={key}") as socket:
            await asyncio.to_thread(
                venue.http.delete,
                venue.rest_url + "/fapi/v1/listenKey",
                headers={"X-MBX-APIKEY": "k"},
                timeout=5,
            )
            event = await _next(socket)
            await _trade(venue)
            return event["e"], await _is_silent(socket)

    assert asyncio.run(listen()) == ("listenKeyExpired", True)


@pytest.mark.parametrize(
    ("path", "stream", "heard"),
    [
        ("/public/ws/{0}", BOOK, True),
        ("/public/stream?streams={0}", BOOK, True),
        ("/market/stream?streams={0}", MARK, True),
        ("/market/ws/{0}", MARK, True),
        ("/ws/{0}", BOOK, True),
        ("/market/ws/{0}", BOOK, False),
        ("/public/ws/{0}", MARK, False),
        ("/ws/{0}", MARK, False),
    ],
)
def test_market_data_flows_on_its_own_route_only(
    venue: Served, path: str, stream: str, heard: bool
) -> None:
    async def listen() -> bool:
        async with _socket(venue, path.format(stream)) as socket:
            await _move(venue, "90810")
            return not await _is_silent(socket) if not heard else bool(await _next(socket))

    assert asyncio.run(listen()) is heard


def test_the_mark_price_comes_every_second_without_a_new_price(venue: Served) -> None:
    async def listen() -> list[object]:
        async with _socket(venue, f"/market/stream?streams={MARK}") as socket:
            return [(await _next(socket))["data"] for _ in range(2)]

    first, second = asyncio.run(listen())
    assert isinstance(first, dict)
    assert isinstance(second, dict)
    assert first["e"] == second["e"] == "markPriceUpdate"
    assert 500 <= second["E"] - first["E"] <= 1500


@pytest.mark.parametrize(
    ("message", "answer"),
    [
        ({"method": "LIST_SUBSCRIPTIONS", "id": 3}, {"result": [BOOK], "id": 3}),
        ({"method": "UNSUBSCRIBE", "params": [BOOK], "id": 4}, {"result": None, "id": 4}),
        ({"method": "GET_PROPERTY", "params": ["combined"], "id": 5}, {"result": False, "id": 5}),
    ],
)
def test_control_messages_are_answered(
    venue: Served, message: dict[str, object], answer: dict[str, object]
) -> None:
    async def talk() -> dict[str, object]:
        async with _socket(venue, f"/public/ws/{BOOK}") as socket:
            await socket.send_json(message)
            return await _next(socket)

    assert asyncio.run(talk()) == answer


@pytest.mark.parametrize("text", ["{", "[]", '{"method":"DANCE","id":1}'])
def test_nonsense_is_answered_with_an_error_and_the_socket_lives(venue: Served, text: str) -> None:
    async def talk() -> tuple[bool, object]:
        async with _socket(venue, "/public/ws") as socket:
            await socket.send_str(text)
            error = await _next(socket)
            await socket.send_json({"method": "LIST_SUBSCRIPTIONS", "id": 2})
            return "error" in error, (await _next(socket))["result"]

    assert asyncio.run(talk()) == (True, [])


def test_sockets_can_be_closed_by_force(venue: Served) -> None:
    async def listen() -> tuple[aiohttp.WSMsgType, object]:
        async with _socket(venue, "/private/ws?listenKey=dead") as socket:
            document = await asyncio.to_thread(
                venue.admin, "POST", "force", {"close_sockets": True}
            )
            message = await socket.receive(timeout=PATIENCE_S)
            return message.type, document["sockets"]

    assert asyncio.run(listen()) == (aiohttp.WSMsgType.CLOSE, 1)


def test_a_ping_is_answered(venue: Served) -> None:
    async def ping() -> bool:
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(venue.stream_url + "/private/ws", autoping=False) as socket,
        ):
            await socket.ping(b"there?")
            message = await socket.receive(timeout=PATIENCE_S)
            return message.type is aiohttp.WSMsgType.PONG and bytes(message.data) == b"there?"

    assert asyncio.run(ping())


def test_pushes_travel_as_long_as_replies(venue: Served) -> None:
    """The bench measures reactions to pushes; a push that arrives at once would flatter it."""
    venue.admin("POST", "latency", {"one_way_ms": 150})

    async def listen() -> float:
        async with _socket(venue, f"/public/ws/{BOOK}") as socket:
            loop = asyncio.get_running_loop()
            begun = loop.time()
            await _move(venue, "90811")
            await _next(socket)
            return loop.time() - begun

    assert asyncio.run(listen()) >= 0.14
