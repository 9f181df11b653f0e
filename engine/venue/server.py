"""The venue on a port: REST, streams and admin interface over one loopback listener, in real time.

The server owns the venue: everything that touches it runs on one event loop, so no lock is needed.
Prices move by themselves because a ticker calls `advance` about a hundred times a second.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from aiohttp import web

from engine.venue.api import Venue
from engine.venue.books import Books
from engine.venue.feeds.recorded import RecordingError
from engine.venue.serving.admin import PREFIX, AdminDesk
from engine.venue.serving.clock import VenueClock
from engine.venue.serving.rest import Latency, RestDoor
from engine.venue.serving.streams import StreamHub, wants_stream

log = logging.getLogger("venue")

ADVANCE_EVERY_S = 0.01
SAVE_EVERY_S = 0.2
SAVE_SHARE = 10
KEEP_ALIVE_S = 600.0
GRACE_S = 1.0


class CannotListen(Exception):
    """The address cannot be served; the text says why in one line."""

    def __init__(self, message: str, *, in_use: bool) -> None:
        """Keep beside the sentence whether somebody else listens there."""
        super().__init__(message)
        self.in_use = in_use


@dataclass(frozen=True, slots=True)
class Timed:
    """Something written to happen to the venue at `at_ms` exchange time: a hand or a fault."""

    at_ms: int
    act: Callable[[Venue, int], None]
    label: str


class VenueServer:
    """Serves one venue until it is told to stop."""

    def __init__(
        self,
        venue: Venue,
        clock: VenueClock,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        one_way_ms: float = 0.0,
        books: Books | None = None,
        timed: Sequence[Timed] = (),
    ) -> None:
        """Prepare to serve `venue`; port 0 picks a free one when the server starts."""
        self._venue = venue
        self._clock = clock
        self._host, self._port = host, port
        self._books = books
        for one in sorted(timed, key=lambda one: one.at_ms):
            venue.timed.append((one.at_ms, partial(self._play, one)))
        self._stop = asyncio.Event()
        self._feed_error: str | None = None
        self.failure: BaseException | None = None
        latency = Latency(one_way_ms)
        self._latency = latency
        switches = venue.house.switches
        self._hub = StreamHub(
            latency,
            self._live_key,
            silent_without_events=switches.private_without_events == "nothing",
        )
        self._rest = RestDoor(venue, clock, latency, self._send_pushes)
        self._admin = AdminDesk(
            venue,
            clock,
            latency,
            self._hub,
            changed=self._send_pushes,
            stop=self._stop.set,
            served=self._served,
        )
        self._runner = web.ServerRunner(
            web.Server(self._dispatch, access_log=None, keepalive_timeout=KEEP_ALIVE_S),
            shutdown_timeout=GRACE_S,
        )

    @property
    def port(self) -> int:
        """The port in use; only meaningful once `start` returned."""
        return self._port

    @property
    def rest_url(self) -> str:
        """Where REST requests go."""
        return f"http://{_in_url(self._host)}:{self._port}"

    @property
    def stream_url(self) -> str:
        """Where sockets go."""
        return f"ws://{_in_url(self._host)}:{self._port}"

    async def start(self) -> None:
        """Begin to listen.

        Raises:
            CannotListen: the address is taken, not ours, or unknown.
        """
        # Before anybody hears that we are ready: who stops us at once must meet a graceful end.
        loop = asyncio.get_running_loop()
        for wish in (signal.SIGTERM, signal.SIGINT):
            with suppress(NotImplementedError, ValueError, RuntimeError):
                loop.add_signal_handler(wish, self._stop.set)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._host, self._port)
        try:
            await site.start()
        except (OSError, OverflowError) as error:
            await self._runner.cleanup()
            number = error.errno if isinstance(error, OSError) else None
            reason = os.strerror(number) if number and number > 0 else _why(error)
            raise CannotListen(
                f"cannot listen on {self._host} port {self._port}: {reason}",
                in_use=number == errno.EADDRINUSE,
            ) from error
        self._port = int(self._runner.addresses[0][1])

    async def run_until_stopped(self) -> None:
        """Let time pass until `stop`, SIGTERM or SIGINT; then close and save.

        An error inside the venue ends the server too and is kept in `failure`.
        """
        workers = [asyncio.create_task(self._tick()), asyncio.create_task(self._save())]
        for worker in workers:
            worker.add_done_callback(self._ended)
        try:
            await self._stop.wait()
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)
            await self._hub.close_all()
            await self._runner.cleanup()
            if self._books is not None and self.failure is None:
                self.save_now()

    def stop(self) -> None:
        """End the server after the request at hand."""
        self._stop.set()

    def save_now(self) -> None:
        """Write the books, if they are kept, before returning."""
        if self._books is not None:
            self._books.save(self._content())

    async def _dispatch(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.path.startswith(PREFIX):
            return await self._admin.answer(request)
        if wants_stream(request):
            return await self._hub.serve(request)
        return await self._rest.answer(request)

    async def _tick(self) -> None:
        while True:
            now_ms = self._clock.now_ms()
            try:
                self._venue.advance(now_ms)
            except RecordingError as error:
                # The recording is over; the price stands still and everything else goes on.
                self._feed_error = str(error)
                log.error("%s; the price stands still from here", error)  # noqa: TRY400 - words, no trace
            self._send_pushes()
            await asyncio.sleep(ADVANCE_EVERY_S)

    def _play(self, timed: Timed, now_ms: int) -> None:
        try:
            timed.act(self._venue, now_ms)
        except (ValueError, TypeError, KeyError, ArithmeticError) as error:
            log.warning("%s was not possible: %s", timed.label, error)

    async def _save(self) -> None:
        if self._books is None:
            return
        pause_s = SAVE_EVERY_S
        while True:
            await asyncio.sleep(pause_s)
            if not self._books.is_behind(self._venue):
                continue
            begun_s = time.monotonic()
            try:
                await self._books.save_aside(self._content())
            except OSError as error:
                # What was already told to clients cannot be taken back: go on and try again.
                self._books.still_behind()
                log.error("the books could not be written: %s", error)  # noqa: TRY400 - words, no trace
            # Large books take longer to make: never let them take more than a tenth of the time.
            pause_s = max(SAVE_EVERY_S, SAVE_SHARE * (time.monotonic() - begun_s))

    def _ended(self, worker: asyncio.Task[None]) -> None:
        if not worker.cancelled() and (error := worker.exception()) is not None:
            log.error("the venue broke", exc_info=error)
            self.failure = error
            self._stop.set()

    def _content(self) -> Mapping[str, object]:
        # The log stays behind: it would outgrow the books, and its numbers go on without it.
        # So do the keys: who opens the books again says who may use them.
        books = self._venue.dump(with_log=False)
        settings = books["settings"]
        if isinstance(settings, dict):
            settings["keys"], settings["read_only_keys"] = None, []
        return books

    def _send_pushes(self) -> None:
        self._hub.publish(self._venue.drain_pushes())

    def _live_key(self) -> str | None:
        return self._venue.house.outbox.listen_key

    def _served(self) -> Mapping[str, object]:
        return {
            "one_way_ms": self._latency.one_way_ms,
            "sockets": self._hub.listening,
            "feed_error": self._feed_error,
            "timed_left": len(self._venue.timed),
        }


def _why(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host
