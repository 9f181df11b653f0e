"""The user stream is rebuilt whatever breaks it, wakes the loop, and ends when told (lesson 32)."""

from __future__ import annotations

import asyncio
import json
import logging
import queue
import threading
import time
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from aiohttp import web

from engine.domain.observation import Source, StreamWord
from engine.exchange.binance import stream as module
from engine.exchange.binance.client import BinanceAccess
from engine.exchange.binance.stream import CONNECTED, LOST, UserStream
from engine.exchange.port import Heard

WAIT_S = 10.0
EXECUTION: dict[str, Any] = {
    "e": "ORDER_TRADE_UPDATE",
    "E": 1_795_000_100_140,
    "T": 1_795_000_100_138,
    "o": {
        "s": "BTCUSDT",
        "c": "kp7f3aq2001e001",
        "S": "BUY",
        "o": "LIMIT",
        "q": "0.013",
        "p": "90743.3",
        "X": "PARTIALLY_FILLED",
        "i": 88937380001,
        "z": "0.004",
        "T": 1_795_000_100_138,
        "R": False,
        "cp": False,
    },
}


class Listener:
    """A stream server on a thread: it serves a listen key and whatever the test pushes."""

    def __init__(self) -> None:
        self.keys = 0
        self.refuses = False
        self.limits = False
        self.refuses_upgrades = False
        self.answers_pings = True
        self.asked = 0
        self.paths: list[str] = []
        self._transports: list[asyncio.Transport] = []
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

    def close_with(self, code: int) -> None:
        self._call(self._drop(code))

    def abort(self) -> None:
        self._call(self._abort())

    def close(self) -> None:
        self._call(self._drop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(WAIT_S)

    def _call(self, work: object) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(WAIT_S)  # type: ignore[arg-type]

    async def _push(self, text: str) -> None:
        for socket in self._sockets:
            await socket.send_str(text)

    async def _drop(self, code: int = 1000) -> None:
        for socket in list(self._sockets):
            await socket.close(code=code)

    async def _abort(self) -> None:
        for transport in self._transports:
            transport.abort()
        self._transports.clear()

    async def _key(self, _: web.Request) -> web.Response:
        self.asked += 1
        if self.limits:
            limited = {"code": -1003, "msg": "Too many requests"}
            return web.json_response(limited, status=429, headers={"Retry-After": "7"})
        if self.refuses:
            return web.json_response({"code": -1001, "msg": "down"}, status=503)
        self.keys += 1
        return web.json_response({"listenKey": f"key{self.keys}"})

    async def _stream(self, request: web.Request) -> web.WebSocketResponse:
        self.paths.append(request.path_qs)
        if self.refuses_upgrades:
            return web.Response(status=503)  # type: ignore[return-value]  # no socket at all
        socket = web.WebSocketResponse(autoping=self.answers_pings)
        await socket.prepare(request)
        assert request.transport is not None
        self._transports.append(request.transport)
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

    def until(self, reason: str) -> None:
        for _ in range(5):
            if self.next() == reason:
                return
        raise AssertionError(f"never {reason}")


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
        pytest.param(lambda served: served.close_with(1000), id="the server closes"),
        pytest.param(lambda served: served.close_with(1001), id="the server goes away"),
        pytest.param(lambda served: served.abort(), id="the connection is aborted"),
        pytest.param(lambda served: served.push('"' + "x" * 2_000_000 + '"'), id="a huge frame"),
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


def test_a_peer_that_is_gone_without_a_word_is_found_by_its_silence(
    listener: Listener, woken: Woken, stream: UserStream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A half-open connection looks alive to everything but a ping (python-binance 5)."""
    monkeypatch.setattr(module, "PING_S", 0.3)
    listener.answers_pings = False
    stream.start()
    assert woken.next() == CONNECTED

    assert woken.next() == LOST
    listener.answers_pings = True

    assert woken.next() == CONNECTED


def test_an_upgrade_that_is_refused_is_asked_for_again_with_a_fresh_key(
    listener: Listener, woken: Woken, stream: UserStream
) -> None:
    listener.refuses_upgrades = True
    stream.start()
    woken.next()
    assert not stream.is_up

    listener.refuses_upgrades = False

    woken.until(CONNECTED)
    assert listener.paths[-1] == f"/private/ws?listenKey=key{listener.keys}"
    assert listener.keys > 1


def test_a_flood_neither_ends_the_stream_nor_loses_what_matters(
    listener: Listener, woken: Woken, stream: UserStream
) -> None:
    """The library's queue overflows at a hundred frames and never recovers (python-binance 5)."""
    stream.start()
    assert woken.next() == CONNECTED

    for number in range(3_000):
        listener.push(json.dumps({"e": "TRADE_LITE", "t": number}))
    listener.push(json.dumps(EXECUTION))

    reasons = [woken.next() for _ in range(3_001)]
    assert reasons[-1] == "stream:ORDER_TRADE_UPDATE"
    assert stream.is_up
    assert [fact.value.quantity_filled for fact in stream.heard().orders] == [Decimal("0.004")]


def test_a_connection_that_stands_and_says_nothing_can_be_given_up(
    listener: Listener, woken: Woken, stream: UserStream
) -> None:
    """A dead key connects and stays silent; only answers can tell (lesson 32)."""
    stream.start()
    assert woken.next() == CONNECTED

    stream.rebuild()

    assert woken.next() == LOST
    assert woken.next() == CONNECTED
    assert listener.paths[-1] == "/private/ws?listenKey=key2"


def test_what_was_told_of_own_orders_is_taken_once_with_its_source_and_age(
    listener: Listener, woken: Woken, stream: UserStream
) -> None:
    assert stream.heard() == Heard()
    stream.start()
    assert woken.next() == CONNECTED
    assert stream.heard().stream == StreamWord(77, None)

    listener.push(json.dumps(EXECUTION))
    assert woken.next() == "stream:ORDER_TRADE_UPDATE"

    heard = stream.heard()
    assert [(f.source, f.at_ms, f.value.client_id) for f in heard.orders] == [
        (Source.STREAM, 77, "kp7f3aq2001e001")
    ]
    assert heard.stream == StreamWord(77, EXECUTION["T"])
    assert stream.heard().orders == ()


class Silence:
    """A gate like the exchange's meter."""

    def __init__(self) -> None:
        self.pauses_ms: list[int] = []

    def is_blocked(self) -> bool:
        return bool(self.pauses_ms)

    def block(self, pause_ms: int) -> None:
        self.pauses_ms.append(pause_ms)


def test_a_silence_told_to_the_stream_is_everybodys_and_the_stream_keeps_it(
    listener: Listener, woken: Woken
) -> None:
    """RULES H4: nothing leaves before the stated instant, whoever was told."""
    listener.limits = True
    base, gate = f"127.0.0.1:{listener.port}", Silence()
    access = BinanceAccess(f"http://{base}", "key", "secret", "BTCUSDT", f"ws://{base}")
    stream = UserStream(access, woken, lambda: 77, gate)
    stream.start()
    try:
        assert woken.next() == "stream:BinanceAPIException"
        assert gate.pauses_ms == [7_000]

        assert woken.next() == "stream:Unavailable"
        assert listener.asked == 1
        gate.pauses_ms.clear()
        listener.limits = False

        woken.until(CONNECTED)
    finally:
        stream.stop()


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
