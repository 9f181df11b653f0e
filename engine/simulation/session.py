"""Stand in the place of python-binance's HTTP session and hand each request to the venue.

Requests are encoded as ``requests`` would: GET parameters as the query, everything else as a form
body. What the venue says about the transport becomes the exception ``requests`` would raise.
Nothing waits: delays are added up for whoever owns the virtual clock (``take_delay_ms``).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from http.client import RemoteDisconnected
from typing import Protocol, cast
from urllib.parse import urlencode

import requests
from urllib3.connection import HTTPConnection
from urllib3.connectionpool import HTTPConnectionPool
from urllib3.exceptions import MaxRetryError, NewConnectionError, ProtocolError

from engine.venue.values import Reply, Transport

Pairs = Sequence[tuple[str, str]]
Timeout = tuple[float, float]

_PLAIN = re.compile(r"[A-Za-z0-9_.~=&-]*")
_READ_TIMEOUT_S = 10.0


class Handle(Protocol):
    """Answers one request, as ``engine.venue.api.Venue.handle`` does."""

    def __call__(
        self, verb: str, path: str, query: str, body: str, key: str | None, now_ms: int
    ) -> Reply:
        """Return what the exchange answers, and what becomes of the answer."""


class VenueResponse:
    """As much of ``requests.Response`` as python-binance and the adapter look at."""

    __slots__ = ("content", "headers", "request", "status_code")

    def __init__(self, status_code: int, headers: Mapping[str, str], content: bytes) -> None:
        self.status_code = status_code
        self.headers = {name.lower(): value for name, value in headers.items()}
        self.content = content
        self.request = None

    @property
    def text(self) -> str:
        """Return the body as text."""
        return self.content.decode("utf-8", "replace")

    def json(self) -> object:
        """Return the body as a JSON document."""
        return json.loads(self.content)


class VenueSession:
    """An HTTP session whose wire is a function call, for one API key.

    ``now_ms`` is exchange time; ``pause`` lets time pass (virtual clock), if anybody is to.
    """

    def __init__(
        self,
        handle: Handle,
        key: str | None,
        now_ms: Callable[[], int],
        pause: Callable[[int], None] | None = None,
    ) -> None:
        self._handle = handle
        self._key = key
        self._now_ms = now_ms
        self._pause = pause
        self._delay_ms = 0
        self._paths: dict[str, str] = {}

    def get(
        self,
        url: str,
        params: str = "",
        timeout: float | Timeout = _READ_TIMEOUT_S,
        **_: object,
    ) -> VenueResponse:
        """Send a GET, its parameters in the query."""
        return self._send("GET", url, params or "", "", timeout)

    def post(
        self,
        url: str,
        data: Pairs | str | None = None,
        timeout: float | Timeout = _READ_TIMEOUT_S,
        **_: object,
    ) -> VenueResponse:
        """Send a POST, its parameters as a form body."""
        return self._send("POST", url, "", _form(data), timeout)

    def put(
        self,
        url: str,
        data: Pairs | str | None = None,
        timeout: float | Timeout = _READ_TIMEOUT_S,
        **_: object,
    ) -> VenueResponse:
        """Send a PUT, its parameters as a form body."""
        return self._send("PUT", url, "", _form(data), timeout)

    def delete(
        self,
        url: str,
        data: Pairs | str | None = None,
        timeout: float | Timeout = _READ_TIMEOUT_S,
        **_: object,
    ) -> VenueResponse:
        """Send a DELETE, its parameters as a form body."""
        return self._send("DELETE", url, "", _form(data), timeout)

    def close(self) -> None:
        """Do nothing: there is no connection."""

    def take_delay_ms(self) -> int:
        """Return how long the requests since the last call would have taken, and forget it."""
        delay_ms, self._delay_ms = self._delay_ms, 0
        return delay_ms

    def pause(self, pause_ms: int) -> None:
        """Let that much time pass."""
        if self._pause is not None:
            self._pause(pause_ms)

    def _send(
        self, verb: str, url: str, query: str, body: str, timeout: float | Timeout
    ) -> VenueResponse:
        path = self._paths.get(url)
        if path is None:
            path = self._paths[url] = url[url.index("/", url.index("://") + 3) :]
        reply = self._handle(verb, path, query, body, self._key, self._now_ms())
        limit_s = timeout[1] if isinstance(timeout, tuple) else timeout
        limit_ms = int(limit_s * 1000)
        transport = reply.transport
        if transport is Transport.DELIVERED and reply.delay_ms <= limit_ms:
            self._delay_ms += reply.delay_ms
            return VenueResponse(reply.status, reply.headers, reply.body)
        if transport in (Transport.LOST_BEFORE, Transport.LOST_AFTER, Transport.RAW):
            self._delay_ms += min(reply.delay_ms, limit_ms)
            aborted = RemoteDisconnected("Remote end closed connection without response")
            raise requests.ConnectionError(ProtocolError("Connection aborted.", aborted))
        if transport is Transport.REFUSED:
            raise requests.ConnectionError(_refused(path))
        self._delay_ms += limit_ms
        raise requests.ReadTimeout(f"Read timed out. (read timeout={limit_s})")


def _form(data: Pairs | str | None) -> str:
    if not data:
        return ""
    if isinstance(data, str):
        return data
    plain = "&".join([f"{name}={value}" for name, value in data])
    # Nearly always nothing needs quoting; then the text is what ``requests`` would have made.
    is_plain = plain.count("=") == len(data) and plain.count("&") == len(data) - 1
    return plain if is_plain and _PLAIN.fullmatch(plain) else urlencode(data, doseq=True)


def _refused(path: str) -> MaxRetryError:
    pool = cast("HTTPConnectionPool", None)
    connection = cast("HTTPConnection", None)
    return MaxRetryError(pool, path, NewConnectionError(connection, "Connection refused"))
