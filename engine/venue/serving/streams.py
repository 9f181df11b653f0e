"""The WebSocket side: who listens to what, and the fan-out of the venue's pushes.

Routes and their silences follow the exchange reference, section 4.2: a dead or wrong listen key
connects and stays silent, the unrouted legacy paths carry public data only, `/ws` never wraps and
`/stream` always does. Messages of one socket keep their order and travel for the one-way latency.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from aiohttp import WSCloseCode, WSMsgType, web

from engine.venue.api import Push
from engine.venue.outbox import SOCKETS
from engine.venue.serving.rest import Latency

PING_S = 180.0
LIFE_S = 24 * 3600.0
UNSENT_LIMIT = 20_000
"""Messages a socket may leave unread before it is cut off."""

SENT_KEPT = 10_000
"""User events whose moment is remembered for whoever plays a life in virtual time."""

ROUTES = ("private", "public", "market")
_SPEEDS = ("100ms", "250ms", "500ms")
_PUBLIC = ("bookTicker", "depth", "trade", "rpiDepth")


@dataclass(slots=True, eq=False)
class Listener:
    """One socket: its route, what it subscribed to, and what waits to be sent.

    `streams` maps a market stream or a listen key to the event names wanted, None for all.
    """

    route: str
    wrapped: bool
    request: web.BaseRequest
    web_socket: web.WebSocketResponse
    streams: dict[str, frozenset[str] | None] = field(default_factory=dict)
    unsent: asyncio.Queue[tuple[float, str]] = field(
        default_factory=lambda: asyncio.Queue(UNSENT_LIMIT)
    )


class StreamHub:
    """Accepts sockets and hands each push to those who asked for it."""

    def __init__(
        self,
        latency: Latency,
        live_key: Callable[[], str | None],
        *,
        silent_without_events: bool = False,
    ) -> None:
        """Fan out with `latency`; `live_key` names the listen key that is alive now.

        `silent_without_events` is the switch `private_without_events`.
        """
        self._latency = latency
        self._silent_without_events = silent_without_events
        self._live_key = live_key
        self._listeners: list[Listener] = []
        self._closing: asyncio.Task[int] | None = None
        self._sent_ms: deque[int] = deque(maxlen=SENT_KEPT)
        self._sent = 0

    @property
    def listening(self) -> int:
        """Number of open sockets."""
        return len(self._listeners)

    async def serve(self, request: web.BaseRequest) -> web.StreamResponse:
        """Accept one socket and keep it until it ends."""
        listener = _listener(request)
        # Before it is told that it is accepted: from then on it must miss nothing.
        self._listeners.append(listener)
        try:
            await listener.web_socket.prepare(request)
        except BaseException:
            self._listeners.remove(listener)
            raise
        sender = asyncio.create_task(self._send(listener))
        end = asyncio.get_running_loop().call_later(LIFE_S, lambda: _abort(request))
        try:
            await self._read(listener)
        finally:
            end.cancel()
            self._listeners.remove(listener)
            sender.cancel()
            with suppress(asyncio.CancelledError):
                await sender
        return listener.web_socket

    def sent_after(self, number: int) -> list[int]:
        """Return when user events, and the end of all sockets, went out after the first so many.

        Only the last of them are remembered.
        """
        missed = self._sent - len(self._sent_ms)
        return list(self._sent_ms)[max(number - missed, 0) :]

    def publish(self, pushes: Iterable[Push]) -> None:
        """Queue each push for every listener it is meant for."""
        for push in pushes:
            if not self._listeners:
                return
            if push.stream == SOCKETS:
                self._note(push)
                self._closing = asyncio.get_running_loop().create_task(self.close_all())
                continue
            texts: dict[tuple[str, bool], str] = {}
            for listener in tuple(self._listeners):
                names = self._names(listener, push)
                if names and push.stream == "user":
                    self._note(push)
                for name in names:
                    form = (name, listener.wrapped)
                    if form not in texts:
                        texts[form] = _text(push.event, *form)
                    self._queue(listener, texts[form])

    async def close_all(self, *, code: int = WSCloseCode.GOING_AWAY) -> int:
        """Close every socket and return how many there were."""
        listeners = tuple(self._listeners)
        for listener in listeners:
            with suppress(ConnectionError, TimeoutError, RuntimeError):  # or it is not open yet
                async with asyncio.timeout(1):
                    await listener.web_socket.close(code=code, drain=False)
        return len(listeners)

    def _note(self, push: Push) -> None:
        self._sent += 1
        self._sent_ms.append(push.at_ms)

    def _names(self, listener: Listener, push: Push) -> list[str]:
        """Name the subscriptions of `listener` that this push answers."""
        if push.stream == "user":
            if listener.route != "private":
                return []
            key = _expired_key(push) or self._live_key()
            if key is None or key not in listener.streams:
                return []
            wanted = listener.streams[key]
            if wanted is None:
                return [] if self._silent_without_events else [key]
            return [key] if push.event.get("e") in wanted else []
        if listener.route != _route(push.stream):
            return []
        return [name for name in _aliases(push) if name in listener.streams]

    def _queue(self, listener: Listener, text: str) -> None:
        due = asyncio.get_running_loop().time() + self._latency.one_way_ms / 1000
        try:
            listener.unsent.put_nowait((due, text))
        except asyncio.QueueFull:
            # Nobody reads: cut it off as the exchange would, instead of growing without bound.
            _abort(listener.request)

    async def _send(self, listener: Listener) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due, text = await listener.unsent.get()
            wait_s = due - loop.time()
            if wait_s > 0:
                await asyncio.sleep(wait_s)
            with suppress(ConnectionError):
                await listener.web_socket.send_str(text)

    async def _read(self, listener: Listener) -> None:
        async for message in listener.web_socket:
            if message.type is WSMsgType.TEXT:
                self._queue(listener, _control(listener, str(message.data)))


def wants_stream(request: web.BaseRequest) -> bool:
    """Say whether a request asks to become a socket on a stream route."""
    first = request.path.strip("/").partition("/")[0]
    upgrade = request.headers.get("Upgrade", "").lower() == "websocket"
    return upgrade and first in (*ROUTES, "ws", "stream")


def _listener(request: web.BaseRequest) -> Listener:
    parts = request.path.strip("/").split("/")
    route = parts.pop(0) if parts[0] in ROUTES else "public"
    legacy = not request.path.startswith(tuple(f"/{name}" for name in ROUTES))
    wrapped = bool(parts) and parts[0] == "stream"
    listener = Listener(
        route=route,
        wrapped=wrapped,
        request=request,
        # The heartbeat also finds listeners that vanished without a word.
        web_socket=web.WebSocketResponse(heartbeat=PING_S, autoping=True, compress=False),
    )
    for name in parts[1:]:
        listener.streams[name] = None
    latest: str | None = None
    for key, value in parse_qsl(request.query_string):
        if key == "streams":
            listener.streams.update(dict.fromkeys(value.split("/")))
        elif key == "listenKey":
            latest = value
            listener.streams[value] = None
        elif key == "events" and latest is not None:
            listener.streams[latest] = frozenset(value.split("/"))
    if legacy:
        listener.route = "public"
    return listener


def _control(listener: Listener, text: str) -> str:
    """Carry out one control message and return its answer."""
    try:
        message = json.loads(text)
    except ValueError:
        message = None
    if not isinstance(message, dict):
        return json.dumps({"error": {"code": 3, "msg": "Invalid JSON: expected value"}})
    answer_id = message.get("id")
    params = message.get("params") or []
    names = [str(name) for name in params] if isinstance(params, list) else []
    result: object = None
    match message.get("method"):
        case "SUBSCRIBE":
            for name in names:
                listener.streams.setdefault(name, None)
        case "UNSUBSCRIBE":
            for name in names:
                listener.streams.pop(name, None)
        case "LIST_SUBSCRIPTIONS":
            result = list(listener.streams)
        case "SET_PROPERTY" if len(names) == 2 and names[0] == "combined":
            listener.wrapped = names[1].lower() == "true"
        case "GET_PROPERTY":
            result = listener.wrapped
        case unknown:
            msg = f"Invalid request: unknown method {unknown}"
            return json.dumps({"error": {"code": 2, "msg": msg}, "id": answer_id})
    return json.dumps({"result": result, "id": answer_id})


def _text(event: dict[str, object], name: str, wrapped: bool) -> str:  # noqa: FBT001 - one call
    data = [event] if name.startswith("!") and "@arr" in name else event
    return json.dumps({"stream": name, "data": data} if wrapped else data, separators=(",", ":"))


def _route(stream: str) -> str:
    kind = stream.partition("@")[2].partition("@")[0]
    return "public" if kind.startswith(_PUBLIC) else "market"


def _aliases(push: Push) -> list[str]:
    """Name the streams one push serves: its own, and the slower or wider ones made from it."""
    names = [push.stream]
    kind = push.stream.partition("@")[2]
    if kind == "markPrice@1s":
        names.append("!markPrice@arr@1s")
        if push.at_ms // 1000 % 3 == 0:
            names.extend((push.stream.removesuffix("@1s"), "!markPrice@arr"))
    elif kind == "bookTicker":
        names.append("!bookTicker")
    elif kind in ("ticker", "miniTicker"):
        names.append(f"!{kind}@arr")
    elif kind == "depth":
        names.extend(f"{push.stream}@{speed}" for speed in _SPEEDS)
    elif kind == "depth5":
        # There are five levels, whatever depth is asked for.
        depths = [push.stream.removesuffix("5") + depth for depth in ("5", "10", "20")]
        names.extend(depths[1:])
        names.extend(f"{name}@{speed}" for name in depths for speed in _SPEEDS)
    return names


def _expired_key(push: Push) -> str | None:
    if push.event.get("e") != "listenKeyExpired":
        return None
    key = push.event.get("listenKey")
    return key if isinstance(key, str) else None


def _abort(request: web.BaseRequest) -> None:
    if request.transport is not None:
        request.transport.abort()
