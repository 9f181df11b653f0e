"""The user stream is rebuilt whatever breaks it, wakes the loop, and ends when told (lesson 32)."""

from __future__ import annotations

import asyncio
import json
import logging
import queue
import threading
import time
from collections.abc import Iterator

import pytest
from aiohttp import web

from engine.exchange.binance.client import BinanceAccess
from engine.exchange.binance.stream import CONNECTED, LOST, UserStream

WAIT_S = 10.0


class Listener:
    """A stream server on a thread: it serves a listen key and whatever the test pushes."""

    def __init__(self) -> None:
        self.keys = 0
        self.refuses = False
        self.paths: list[str] = []
        self._sockets: list[web.WebSocketResponse] = []
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self.port = 0
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        assert self._ready.wait(WAIT_S)

    def push(self, text: str) -> None:
        self._call(self._push(text))

    def drop(self) -> None:
        self._call(self._drop())

    def close(self) -> None:
        self._call(self._drop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(WAIT_S)

    def _call(self, work: object) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(WAIT_S)  # type: ignore[arg-type]

    async def _push(self, text: str) -> None:
        for socket in self._sockets:
            await socket.send_str(text)

    async def _drop(self) -> None:
        for socket in list(self._sockets):
            await socket.close()

    async def _key(self, _: web.Request) -> web.Response:
        if self.refuses:
            return web.json_response({"code": -1001, "msg": "down"}, status=503)
        self.keys += 1
        return web.json_response({"listenKey": f"key{self.keys}"})

    async def _stream(self, request: web.Request) -> web.WebSocketResponse:
        self.paths.append(request.path_qs)
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self._sockets.append(socket)
        async for _ in socket:
            pass
        self._sockets.remove(socket)
        return socket

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        app = web.Application()
        app.router.add_post("/fapi/v1/listenKey", self._key)
        app.router.add_get("/private/ws", self._stream)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        self._loop.run_until_complete(runner.setup())
        site = web.TCPSite(runner, "127.0.0.1", 0)
        self._loop.run_until_complete(site.start())
        self.port = int(runner.addresses[0][1])
        self._ready.set()
        self._loop.run_forever()
        self._loop.run_until_complete(runner.cleanup())
        self._loop.close()


@pytest.fixture
def listener() -> Iterator[Listener]:
    logging.getLogger("binance").setLevel(logging.CRITICAL)
    served = Listener()
    yield served
    served.close()


class Woken:
    """The reasons the stream gave, in order."""

    def __init__(self) -> None:
        self._reasons: queue.SimpleQueue[str] = queue.SimpleQueue()

    def __call__(self, reason: str) -> None:
        self._reasons.put(reason)

    def next(self) -> str:
        return self._reasons.get(timeout=WAIT_S)


@pytest.fixture
def woken() -> Woken:
    return Woken()


@pytest.fixture
def stream(listener: Listener, woken: Woken) -> Iterator[UserStream]:
    base = f"127.0.0.1:{listener.port}"
    access = BinanceAccess(f"http://{base}", "key", "secret", "BTCUSDT", f"ws://{base}")
    made = UserStream(access, woken, lambda: 77)
    yield made
    made.stop()


def test_every_event_wakes_the_loop_and_says_only_its_kind(
    listener: Listener, woken: Woken, stream: UserStream
) -> None:
    stream.start()
    assert woken.next() == CONNECTED
    assert stream.is_up
    assert stream.last_event_ms is None

    listener.push(json.dumps({"e": "ORDER_TRADE_UPDATE", "o": {"c": "kp7f3aq2001e001"}}))

    assert woken.next() == "stream:ORDER_TRADE_UPDATE"
    assert stream.last_event_ms == 77
    assert listener.paths == ["/private/ws?listenKey=key1"]


@pytest.mark.parametrize(
    "ending",
    [
        pytest.param(lambda served: served.drop(), id="the server closes"),
        pytest.param(lambda served: served.push("{broken"), id="a frame is no JSON"),
        pytest.param(
            lambda served: served.push('{"e":"listenKeyExpired","listenKey":"key1"}'),
            id="the key lapses",
        ),
    ],
)
def test_any_end_of_a_connection_is_followed_by_a_fresh_one(
    listener: Listener, woken: Woken, stream: UserStream, ending: object
) -> None:
    """The library would reuse the dead key or give up; both are silence (python-binance 5)."""
    stream.start()
    assert woken.next() == CONNECTED

    ending(listener)  # type: ignore[operator]

    assert woken.next() == LOST
    assert woken.next() == CONNECTED
    assert listener.paths[-1] == "/private/ws?listenKey=key2"
    assert stream.is_up


def test_a_server_that_refuses_is_asked_again(
    listener: Listener, woken: Woken, stream: UserStream
) -> None:
    listener.refuses = True
    stream.start()
    assert woken.next() == "stream:BinanceAPIException"
    assert not stream.is_up

    listener.refuses = False

    assert woken.next() in (CONNECTED, "stream:BinanceAPIException")


@pytest.mark.parametrize("when", ["before", "connected", "rebuilding"])
def test_it_ends_within_two_seconds_whatever_it_is_doing(
    listener: Listener, woken: Woken, stream: UserStream, when: str
) -> None:
    if when != "before":
        stream.start()
        assert woken.next() == CONNECTED
    if when == "rebuilding":
        listener.drop()
        assert woken.next() == LOST
    started = time.monotonic()

    stream.stop()

    assert time.monotonic() - started < 2.5
    assert not stream.is_up
    assert not [t for t in threading.enumerate() if t.name == "user-stream"]
