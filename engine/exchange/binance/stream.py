"""The supervised user stream: a daemon thread that wakes the loop and keeps what it was told.

Invariants: whatever goes wrong, the connection is rebuilt with a fresh listen key (a lapsed key,
broken JSON, a flood, a refusing server); the library never reconnects by itself, because its own
reconnects hang on close and reuse dead keys (python-binance.md section 5); every (re)connect
wakes the loop, since events may have been lost; ``stop`` returns within two seconds. The stream is
a hint: it is legitimately silent for hours, so only REST tells what is true; what it told of own
orders waits to be taken by the next look, which believes it towards more protection only.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Callable
from typing import Any

from engine.exchange.binance.client import BinanceAccess
from engine.exchange.binance.ear import CONNECTED, LOST, Ear
from engine.exchange.port import Gate, Heard

__all__ = ["CONNECTED", "LOST", "UserStream"]

LIVE_STREAM_URL = "wss://fstream.binance.com"
STOP_S = 2.0
POLL_S = 0.5  # how long the library's reads wait before they look whether they are to end
CONNECT_S = 10.0
PING_S = 5.0  # a peer that is gone without a word is found within twice this time
KEY_CHECK_S = 60  # a key that somebody else ended is noticed within this time
BACK_FIRST_S = 0.5
BACK_MAX_S = 10.0
STEADY_S = 5.0  # a connection that lived this long was a good one
QUEUE_MAX = 100_000


class UserStream:
    """Wakes the loop with a reason (``stream:<event>``) whenever something happened.

    ``wake`` is called on the stream's thread and must neither block nor raise. ``now_ms`` gives
    exchange time. ``heard`` is for one other thread: the one that ticks.
    """

    def __init__(
        self,
        access: BinanceAccess,
        wake: Callable[[str], None],
        now_ms: Callable[[], int] | None = None,
        gate: Gate | None = None,
    ) -> None:
        self._access = access
        self._gate = gate or _Open()
        self._wake = wake
        self._now_ms = _no_time if now_ms is None else now_ms
        self._is_stopping = threading.Event()
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._listening: asyncio.Future[None] | None = None
        self._ear = Ear(access.symbol)
        self._thread = threading.Thread(target=self._run, name="user-stream", daemon=True)

    @property
    def is_up(self) -> bool:
        """Return whether a connection stands."""
        return self._ear.is_up

    @property
    def last_event_ms(self) -> int | None:
        """Return exchange time of the last event, None before the first."""
        return self._ear.last_event_ms

    def start(self) -> None:
        """Start the thread; once only."""
        self._thread.start()

    def heard(self) -> Heard:
        """Take what was told of own orders since the last call."""
        return self._ear.heard()

    def rebuild(self) -> None:
        """Give up the present connection for a fresh one: it stands, and tells nothing."""
        with self._lock:
            if self._loop is not None and self._listening is not None:
                with contextlib.suppress(RuntimeError):  # the loop has just closed by itself
                    self._loop.call_soon_threadsafe(self._listening.cancel)

    def stop(self) -> None:
        """End the stream; returns within two seconds, whatever hangs."""
        with self._lock:
            self._is_stopping.set()
            if self._loop is not None and self._task is not None:
                with contextlib.suppress(RuntimeError):  # the loop has just closed by itself
                    self._loop.call_soon_threadsafe(self._task.cancel)
        if self._thread.is_alive():
            self._thread.join(STOP_S)

    def _run(self) -> None:
        # The library reports each lost connection as an error; our reasons say it once.
        logging.getLogger("binance").addHandler(logging.NullHandler())
        with contextlib.suppress(asyncio.CancelledError):
            asyncio.run(self._supervise())
        self._ear.lost("stopped")

    async def _supervise(self) -> None:
        with self._lock:
            self._loop, self._task = asyncio.get_running_loop(), asyncio.current_task()
        back_s = BACK_FIRST_S
        while not self._is_stopping.is_set():
            started_s = time.monotonic()
            listening = asyncio.ensure_future(self._listen())
            with self._lock:
                self._listening = listening
            try:
                await listening
            except asyncio.CancelledError:
                if self._is_stopping.is_set():
                    raise
                reason = "rebuilt"
            except Exception as error:  # noqa: BLE001 - any end of a connection means a new one
                reason = type(error).__name__
            else:
                reason = "ended"
            self._wake(self._ear.lost(reason))
            if time.monotonic() - started_s >= STEADY_S:
                back_s = BACK_FIRST_S
            await asyncio.sleep(back_s)
            back_s = min(back_s * 2, BACK_MAX_S)
        with self._lock:
            self._loop = self._task = None

    async def _listen(self) -> None:
        """Keep one connection until it ends for whatever reason."""
        # Only the stream's thread pays for these imports.
        from binance import BinanceSocketManager  # noqa: PLC0415 - the first tick does not wait

        from engine.exchange.binance.stream_client import StreamClient  # noqa: PLC0415 - nor for this

        access = self._access
        client = StreamClient(access, self._gate, self._now_ms)
        try:
            sockets = BinanceSocketManager(
                client, user_timeout=KEY_CHECK_S, max_queue_size=QUEUE_MAX
            )
            sockets.FSTREAM_URL = f"{(access.stream_url or LIVE_STREAM_URL).rstrip('/')}/"
            sockets.ws_kwargs = {"ping_interval": PING_S, "ping_timeout": PING_S, "proxy": None}
            socket = sockets.futures_user_socket()
            socket.TIMEOUT, socket.MAX_RECONNECTS = POLL_S, 0
            try:
                await asyncio.wait_for(socket.__aenter__(), CONNECT_S)
                await self._events(socket)
            finally:
                with contextlib.suppress(Exception):
                    await asyncio.wait_for(socket.__aexit__(None, None, None), 3 * POLL_S)
        finally:
            client.ws_api = None  # never connected; closing it would wait for nothing
            with contextlib.suppress(Exception):
                await client.close_connection()

    async def _events(self, socket: Any) -> None:
        self._wake(self._ear.connected(self._now_ms()))
        while not self._is_stopping.is_set():
            reason = self._ear.hears(await socket.recv(), self._now_ms())
            if reason is None:
                return
            self._wake(reason)


class _Open:
    """A gate that is never closed: for a stream that stands alone."""

    def is_blocked(self) -> bool:
        """Return False."""
        return False

    def block(self, pause_ms: int) -> None:
        """Do nothing."""


def _no_time() -> int:
    return 0
