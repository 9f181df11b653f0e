"""The user stream's own client: the same silence as everybody's while the exchange wants it.

Invariant: inside a 429/418 period it sends nothing, and being told of one it closes the gate for
all (RULES H4). Its requests are few: a listen key at each connect, and one a minute to keep it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from binance import AsyncClient

from engine.domain.errors import Unavailable
from engine.exchange.binance.client import BinanceAccess
from engine.exchange.binance.fates import PAUSES_S, pause_s
from engine.exchange.port import Gate


class StreamClient(AsyncClient):  # type: ignore[misc]  # the library has no types
    """python-binance's asynchronous client behind a gate."""

    def __init__(self, access: BinanceAccess, gate: Gate, now_ms: Callable[[], int]) -> None:
        super().__init__(
            access.api_key, access.api_secret, requests_params={"allow_redirects": False}
        )
        self.FUTURES_URL = f"{access.rest_url.rstrip('/')}/fapi"
        self._gate = gate
        self._now_ms = now_ms

    async def _request(self, *words: Any, **options: Any) -> Any:
        if self._gate.is_blocked():
            raise Unavailable("the exchange asked for silence")
        return await super()._request(*words, **options)

    async def _handle_response(self, response: Any) -> Any:
        if response.status in PAUSES_S:
            text = await response.text()
            wanted_s = pause_s(response.status, text, response.headers, self._now_ms())
            self._gate.block(int(wanted_s * 1000))
        return await super()._handle_response(response)
