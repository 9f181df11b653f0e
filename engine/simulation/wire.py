"""The way to a venue over HTTP: real sessions, sockets and lanes, and time that passes when told.

Before a request leaves, the served venue is told the time of the world (``POST clock``); what the
venue delays is named in a header, because nothing may wait here. Losses, resets and silences are
real: a request that is never answered costs the real patience of its lane.
"""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from threading import Event
from typing import Any, TypeVar, cast
from urllib.parse import urlsplit

import requests
from requests.adapters import BaseAdapter

from engine.domain.numbers import ZERO
from engine.exchange.binance.client import BinanceAccess, LaneClient
from engine.exchange.binance.lanes import Call, LanePool, Unfinished
from engine.simulation.mortality import Killed
from engine.simulation.reach import Passage, VenueGone
from engine.simulation.socket_stream import SocketStream
from engine.simulation.stream import Listening
from engine.venue.values import DELAY_HEADER, Push

ADMIN_PATIENCE_S = 20.0
CUT_S = 5.0

T = TypeVar("T")


class AdminLine:
    """One connection to a venue's admin interface."""

    def __init__(self, admin_url: str) -> None:
        """Prepare to speak to ``admin_url``; the first call connects."""
        parts = urlsplit(admin_url)
        self._path = parts.path.rstrip("/")
        self._line = http.client.HTTPConnection(
            parts.hostname or "127.0.0.1", parts.port, timeout=ADMIN_PATIENCE_S
        )

    def call(self, name: str, body: Mapping[str, object] | None = None) -> dict[str, Any]:
        """Ask (GET) or tell (POST) the venue; raises ``VenueGone`` for any answer but a 200."""
        verb = "GET" if body is None else "POST"
        content = None if body is None else json.dumps(body)
        try:
            self._line.request(verb, f"{self._path}/{name}", content)
            reply = self._line.getresponse()
            text = reply.read()
        except (OSError, http.client.HTTPException) as error:
            raise VenueGone(f"{verb} {name}: {error!r}") from error
        if reply.status != 200:
            raise VenueGone(f"{verb} {name}: {reply.status} {text[:200]!r}")
        answer: dict[str, Any] = json.loads(text)
        return answer

    def close(self) -> None:
        """Hang up."""
        self._line.close()


class ByWire:
    """The venue is another process; its clock stands unless this tells it to move."""

    def __init__(self, access: BinanceAccess, admin_url: str) -> None:
        """Reach the venue at ``access``."""
        self._access = access
        self._admin = AdminLine(admin_url)
        self._told_ms = 0
        self._pushes = 0
        self._stream: SocketStream | None = None

    def access(self, symbol: str) -> BinanceAccess:
        """Return where the venue is and with which key."""
        if symbol != self._access.symbol:
            raise VenueGone(f"the venue trades {self._access.symbol}, not {symbol}")
        return self._access

    def lanes(self, access: BinanceAccess, passage: Passage) -> InTurn:
        """Return a pool of real lanes."""
        return InTurn(LanePool(access), passage, self.advance)

    def advance(self, now_ms: int) -> None:
        """Tell the venue the time, when it is news."""
        if now_ms > self._told_ms:
            self._admin.call("clock", {"at_ms": now_ms})
            self._told_ms = now_ms

    def next_due(self) -> int:
        """Return when something next happens at the venue by itself."""
        return int(self._admin.call("clock")["next_ms"])

    def drain_pushes(self) -> list[Push]:
        """Return when the venue sent what it sent to its private sockets; they carry the rest."""
        if self._stream is None:
            return []
        sent = self._sent()
        self._pushes += len(sent)
        return [Push("user", at_ms, {}) for at_ms in sent]

    def stream(self, _: str, listening: Listening) -> SocketStream:
        """Return a stream over real sockets."""
        self._pushes += len(self._sent())  # what a dead keeper's sockets were sent
        self._stream = SocketStream(self._access, listening)
        return self._stream

    def _sent(self) -> list[int]:
        sent: list[int] = self._admin.call(f"pushes?after={self._pushes}")["at_ms"]
        return sent

    def log(self) -> list[dict[str, object]]:
        """Return everything the venue noted."""
        entries: list[dict[str, object]] = self._admin.call("log?after=0")["entries"]
        return entries

    def standing(self) -> tuple[Decimal, int]:
        """Return the signed position, and how many orders of anybody rest."""
        state = self._admin.call("state")
        held = sum((Decimal(str(row["quantity"])) for row in state["positions"]), ZERO)
        return held, len(state["regular_orders"]) + len(state["algo_orders"])

    def close(self) -> None:
        """Hang up."""
        self._admin.close()


class InTurn:
    """A pool of lanes that carries the calls of one burst one after another.

    As ``InlineLanes`` counts: together they take as long as the longest, and a call that took
    longer than the patience is overdue.
    """

    def __init__(self, pool: LanePool, passage: Passage, tell: Callable[[int], None]) -> None:
        """Carry calls on ``pool``; ``tell`` brings the venue's clock to the world's."""
        self._pool = pool
        self._passage = passage
        self._tell = tell
        self._watches: dict[LaneClient, Watched] = {}

    def run(self, calls: Sequence[Call[T]], patience_ms: int) -> list[T | Unfinished]:
        """Run the calls one after the other; see ``Lanes.run``. Raises ``Killed``."""
        results: list[T | Unfinished] = []
        longest_ms = 0
        for call in calls:
            result, delay_ms = self._run_one(call, patience_ms)
            delay_ms += self._passage.latency_ms
            is_late = delay_ms > patience_ms and not isinstance(result, Unfinished)
            results.append(Unfinished.OVERDUE if is_late else result)
            longest_ms = max(longest_ms, min(delay_ms, patience_ms))
        if longest_ms:
            self._passage.pause(longest_ms)
        return results

    @property
    def is_stuck(self) -> bool:
        """Return whether too many lanes had to be abandoned."""
        return self._pool.is_stuck

    def hurry(self) -> None:
        """Wait for no call any more."""
        self._pool.hurry()

    def close(self) -> None:
        """Release threads and connections."""
        self._pool.close()

    def _run_one(self, call: Call[T], patience_ms: int) -> tuple[T | Unfinished, int]:
        """Return the result and how late the venue said that it was."""
        self._tell(self._passage.now_ms())
        watches: list[Watched] = []
        deaths: list[Killed] = []
        ended = Event()

        def carried(client: LaneClient) -> T | None:
            watched = self._watched(client)
            watches.append(watched)
            try:
                return call(client)
            except Killed as death:
                deaths.append(death)  # on this thread it ends nobody: who waits for it is to die
                return None
            finally:
                ended.set()

        (result,) = self._pool.run([carried], patience_ms)
        if result is Unfinished.OVERDUE:
            ended.wait(CUT_S)  # a call that was cut counts itself a moment later
        if deaths:
            raise deaths[0]
        if isinstance(result, Unfinished):
            return result, 0 if result is Unfinished.NEVER_LEFT else patience_ms
        return cast("T", result), sum(watched.take_delay_ms() for watched in watches)

    def _watched(self, client: LaneClient) -> Watched:
        """Return the lane's transport, with the world beside it from its first call on."""
        watched = self._watches.get(client)
        if watched is None:
            inner = client.session.get_adapter("http://")
            watched = self._watches[client] = Watched(inner, self._passage)
            client.session.mount("http://", watched)
        return watched


class Watched(BaseAdapter):
    """A lane's own transport, with the world told of each request before and after."""

    def __init__(self, inner: BaseAdapter, passage: Passage) -> None:
        """Send through ``inner``."""
        super().__init__()
        self._inner = inner
        self._passage = passage
        self._delay_ms = 0

    def send(self, *args: Any, **options: Any) -> requests.Response:
        """Send one request; a reply later than its time-out is one that never came."""
        self._passage.begin(self._passage.now_ms())
        try:
            response = self._inner.send(*args, **options)
        finally:
            self._passage.end()  # what became of the reply is unknown to the world
        delay_ms = int(response.headers.get(DELAY_HEADER, 0))
        limit_s = options["timeout"][1]
        if delay_ms > int(limit_s * 1000):
            self._delay_ms += int(limit_s * 1000)
            raise requests.ReadTimeout(f"Read timed out. (read timeout={limit_s})")
        self._delay_ms += delay_ms
        return response

    def take_delay_ms(self) -> int:
        """Return how late the replies since the last call were, and forget it."""
        delay_ms, self._delay_ms = self._delay_ms, 0
        return delay_ms

    def close(self) -> None:
        """Close the connection."""
        self._inner.close()
