"""A python-binance client that signs with our time, reads exact numbers and owns one connection.

Invariants: no request at construction; no proxies, no redirects, no retries; every signature uses
the stamp and the recvWindow of the caller (the library writes its own over both); nothing reads
the wall clock. Not safe for two threads: one client per lane.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import re
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from urllib.parse import quote, urlsplit

import requests
from binance.client import Client
from binance.exceptions import BinanceRequestException

from engine.exchange.binance.echo import Echo
from engine.exchange.binance.transport import OneConnection, Tap

LIVE_REST_HOST = "fapi.binance.com"
LIVE_SPOT_URL = "https://api.binance.com"


@dataclass(frozen=True, slots=True)
class BinanceAccess:
    """Where the exchange is, who we are there, and what we trade.

    ``rest_url`` and ``stream_url`` are scheme, host and port, without a path.
    """

    rest_url: str
    api_key: str
    api_secret: str
    symbol: str
    stream_url: str = ""
    margin_asset: str = "USDT"

    def __repr__(self) -> str:
        """Show everything but the secrets."""
        return f"BinanceAccess({self.rest_url!r}, symbol={self.symbol!r})"


def _no_number(word: str) -> object:
    raise ValueError(f"{word} is no number")


_DECODER = json.JSONDecoder(parse_float=Decimal, parse_constant=_no_number)


class LaneClient(Client):  # type: ignore[misc]  # the library has no types
    """python-binance's client for one lane.

    ``tap`` is told every socket a connection opens, so that somebody else can shut it down.
    """

    def __init__(
        self, access: BinanceAccess, *, tap: Tap | None = None, trust: ssl.SSLContext | None = None
    ) -> None:
        self._tap = tap
        self._trust = trust
        self._secret = access.api_secret.encode()
        self._stamp_ms: Callable[[], int] | None = None
        self._recv_window_ms = 0
        self._only_symbol: str | None = None
        self._address = ""
        self.echo = Echo()
        self.rate_limits: object = None
        self.requests_made = 0
        with _no_event_loop():
            super().__init__(
                access.api_key,
                access.api_secret,
                requests_params={"timeout": (1.0, 2.0), "allow_redirects": False},
                ping=False,
            )
        # Two idle websocket clients come with the constructor; nobody may use them by accident.
        self.ws_api = self.ws_future = self.loop = None
        base = access.rest_url.rstrip("/")
        is_live = urlsplit(base).hostname == LIVE_REST_HOST
        self.API_URL = f"{base}/api"
        self.FUTURES_URL = f"{base}/fapi"
        self.FUTURES_DATA_URL = f"{base}/futures/data"
        self.MARGIN_API_URL = f"{LIVE_SPOT_URL if is_live else base}/sapi"

    def prepare(self, stamp_ms: Callable[[], int], recv_window_ms: int, patience_ms: int) -> None:
        """Set what the next requests are signed with and how long each may take.

        The connect phase gets only part of the patience: its failure is a certain one.
        """
        self.requests_made = 0
        self.response = None  # else a transport failure leaves the previous answer standing
        self._stamp_ms = stamp_ms
        self._recv_window_ms = recv_window_ms
        seconds = max(patience_ms, 1) / 1000
        self._requests_params["timeout"] = (0.6 * seconds, seconds)

    def exchange_info_of(self, symbol: str) -> object:
        """Return exchangeInfo's object of one symbol, without parsing the 900 others.

        What the exchange says there of its limits is in ``rate_limits`` afterwards.
        """
        self._only_symbol = symbol
        try:
            return self.futures_exchange_info()
        finally:
            self._only_symbol = None

    def close(self) -> None:
        """Close the connection."""
        self.session.close()

    def _init_session(self) -> requests.Session:
        session = requests.Session()
        session.headers.update(self._get_headers())
        session.trust_env = False
        adapter = OneConnection(self._tap, self._trust)
        session.adapters.clear()
        session.mount("https://", adapter)
        session.mount("http://", adapter)
        return session

    def _request(self, method: str, uri: str, *args: object, **kwargs: object) -> object:
        self.requests_made += 1
        self._address = uri
        return super()._request(method, uri, *args, **kwargs)

    def _generate_signature(self, data: dict[str, object], uri_encode: bool = True) -> str:  # noqa: FBT001, FBT002 - the library's signature
        if self._stamp_ms is None:
            raise ValueError("a signed request needs a stamp")
        data["timestamp"] = self._stamp_ms()
        data["recvWindow"] = self._recv_window_ms
        given = sorted((name, value) for name, value in data.items() if value is not None)
        pairs = [f"{name}={_sent(value) if name == 'symbol' else value}" for name, value in given]
        return hmac.digest(self._secret, "&".join(pairs).encode(), "sha256").hex()

    def _handle_response(self, response: requests.Response) -> object:
        if not 200 <= response.status_code < 300:
            return super()._handle_response(response)
        content = response.content
        if not content:
            return {}
        try:
            if self._only_symbol is None:
                return self.echo.decoded(self._address, content, _DECODER.decode)
            body = content.decode()
            self.rate_limits = _rate_limits(body)
            return _symbol_object(body, self._only_symbol)
        except (ValueError, RecursionError) as error:
            raise BinanceRequestException(f"{error}: {content[:200]!r}") from None


def _sent(symbol: object) -> str:
    """Return a symbol as the library puts it into a query: the only value it quotes."""
    text = str(symbol)
    return text if text.isascii() and text.isalnum() else quote(text)


def _rate_limits(body: str) -> object:
    """Return exchangeInfo's list of limits, None where it cannot be read."""
    found = re.search(r'"rateLimits"\s*:\s*(?=\[)', body)
    try:
        return None if found is None else _DECODER.raw_decode(body, found.end())[0]
    except ValueError:
        return None


def _symbol_object(body: str, symbol: str) -> object:
    """Find the symbol's object by its first key, else by parsing everything."""
    for match in re.finditer(r'\{\s*"symbol"\s*:\s*"' + re.escape(symbol) + '"', body):
        found, _ = _DECODER.raw_decode(body, match.start())
        if isinstance(found, dict) and "filters" in found:
            return found
    everything = _DECODER.decode(body)
    symbols = everything.get("symbols") if isinstance(everything, dict) else None
    for found in symbols if isinstance(symbols, list) else []:
        if isinstance(found, dict) and found.get("symbol") == symbol:
            return found
    raise ValueError(f"{symbol} is not listed")


class _NoLoop(asyncio.AbstractEventLoop):
    """Stands where the library's constructor looks for an event loop: costs no descriptors."""


@contextmanager
def _no_event_loop() -> Iterator[None]:
    asyncio.set_event_loop(_NoLoop())  # type: ignore[abstract]  # nobody may run it
    try:
        yield
    finally:
        asyncio.set_event_loop(None)
