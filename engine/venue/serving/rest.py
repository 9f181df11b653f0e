"""Carries one HTTP request to the venue and its reply back, losses and delays included.

The request's path, query and body reach the venue as the client sent them, because signatures are
made over the raw text. What the venue says about the transport happens on the real socket. Where
time stands still a delay cannot pass: the reply goes out at once and names it (`DELAY_HEADER`).
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass

from aiohttp import web

from engine.venue.api import Reply, Transport, Venue
from engine.venue.serving.clock import VenueClock
from engine.venue.values import DELAY_HEADER

HANG_LIMIT_S = 60.0
"""How long an unanswered request is kept open when the client never gives up."""

_POLL_S = 0.02


@dataclass(slots=True)
class Latency:
    """Travel time of every message, in milliseconds each way; changed by the admin interface."""

    one_way_ms: float = 0.0

    async def pass_by(self, extra_ms: float = 0.0) -> None:
        """Wait for one way and `extra_ms`."""
        wait_ms = self.one_way_ms + extra_ms
        if wait_ms > 0:
            await asyncio.sleep(wait_ms / 1000)


class RestDoor:
    """Answers every path the venue knows."""

    def __init__(
        self, venue: Venue, clock: VenueClock, latency: Latency, answered: Callable[[], None]
    ) -> None:
        """Serve `venue`; `answered` is called after each request, when pushes may be due."""
        self._venue = venue
        self._clock = clock
        self._latency = latency
        self._answered = answered

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """Return the venue's reply, or leave the client with what the transport makes of it."""
        path, _, query = request.raw_path.partition("?")
        body = (await request.read()).decode("utf-8", "replace") if request.can_read_body else ""
        await self._latency.pass_by()
        reply = self._venue.handle(
            request.method,
            path,
            query,
            body,
            request.headers.get("X-MBX-APIKEY"),
            self._clock.now_ms(),
        )
        self._answered()
        match reply.transport:
            case Transport.DELIVERED if self._clock.stands:
                return _response(reply, delay_ms=reply.delay_ms)
            case Transport.DELIVERED:
                await self._latency.pass_by(reply.delay_ms)
            case Transport.LOST_BEFORE | Transport.LOST_AFTER:
                await self._latency.pass_by(0 if self._clock.stands else reply.delay_ms)
                _close(request)
            case Transport.TIMEOUT_BEFORE | Transport.TIMEOUT_AFTER:
                await _hang(request)
            case Transport.REFUSED:
                _reset(request)
            case Transport.RAW:
                await _write_raw(request, reply)
        return _response(reply)


def _response(reply: Reply, *, delay_ms: int = 0) -> web.Response:
    response = web.Response(status=reply.status, headers=reply.headers, body=reply.body)
    if delay_ms:
        response.headers[DELAY_HEADER] = str(delay_ms)
    if "Content-Type" not in response.headers or not reply.headers:
        response.content_type = "application/json"
    return response


async def _write_raw(request: web.BaseRequest, reply: Reply) -> None:
    """Put the very bytes of the body on the socket, and close it."""
    size = 1 if reply.drip_ms else max(len(reply.body), 1)
    for start in range(0, len(reply.body), size):
        if request.transport is None or request.transport.is_closing():
            return
        request.transport.write(reply.body[start : start + size])
        if reply.drip_ms:
            await asyncio.sleep(reply.drip_ms / 1000)
    _close(request)


def _close(request: web.BaseRequest) -> None:
    if request.transport is not None:
        request.transport.close()


def _reset(request: web.BaseRequest) -> None:
    """End the connection with a reset: the nearest thing to a refusal once it was accepted."""
    if request.transport is None:
        return
    peer = request.transport.get_extra_info("socket")
    if peer is not None:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    request.transport.abort()


async def _hang(request: web.BaseRequest) -> None:
    loop = asyncio.get_running_loop()
    until = loop.time() + HANG_LIMIT_S
    while loop.time() < until:
        if request.transport is None or request.transport.is_closing():
            return
        await asyncio.sleep(_POLL_S)
    _close(request)
