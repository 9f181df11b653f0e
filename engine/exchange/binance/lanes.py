"""Lanes: one thread, one client, one connection each; calls go out together, with a deadline.

A call that is still under way at the deadline is cut: its socket is shut down, which ends headers
and bodies that drip, and its lane is given up and replaced. A call that had not been started is
certain never to have left. What cannot be cut (a name lookup) leaves an abandoned lane behind; at
four of them nothing is sent any more, because then something is wrong that waiting makes worse.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from queue import Empty, SimpleQueue
from typing import Any, Protocol, TypeVar
from urllib.parse import urlsplit

from engine.exchange.binance.client import BinanceAccess, LaneClient
from engine.exchange.binance.transport import trusted_context

LANES_MAX = 16
ABANDONED_MAX = 4
CUT_RESERVE_MS = 60  # of the patience: what cutting and joining may take
_STACK_BYTES = 512 * 1024
_HURRY = -1  # the index of no call

T = TypeVar("T")
Call = Callable[[LaneClient], T]


class Unfinished(Enum):
    """What is known of a call that gave no result in time."""

    NEVER_LEFT = "never_left"
    OVERDUE = "overdue"


class Lanes(Protocol):
    """Runs calls together; one result per call, in the same order, within the patience."""

    def run(self, calls: Sequence[Call[T]], patience_ms: int) -> list[T | Unfinished]:
        """Run all calls and return their results; a call must not raise."""

    @property
    def is_stuck(self) -> bool:
        """Return whether too many lanes had to be abandoned."""

    def hurry(self) -> None:
        """Let the present and every later ``run`` end at once; safe in a signal handler."""

    def close(self) -> None:
        """Release threads and connections."""


class Timing(Protocol):
    """How long the requests of a simulated transport would have taken."""

    def take_delay_ms(self) -> int:
        """Return the time all requests since the last call would have taken, and forget it."""

    def pause(self, pause_ms: int) -> None:
        """Let that much time pass."""


class InlineLanes:
    """Plain calls on the caller's thread, one client: for simulation.

    With ``timing`` the calls of one batch count as made together: afterwards the longest of
    their delays passes, and a call that took longer than the patience is overdue.
    """

    def __init__(self, client: LaneClient, timing: Timing | None = None) -> None:
        self._client = client
        self._timing = timing

    def run(self, calls: Sequence[Call[T]], patience_ms: int) -> list[T | Unfinished]:
        """Run the calls one after the other; see ``Lanes.run``."""
        timing = self._timing
        if timing is None:
            return [call(self._client) for call in calls]
        results: list[T | Unfinished] = []
        longest_ms = 0
        for call in calls:
            result = call(self._client)
            delay_ms = timing.take_delay_ms()
            results.append(Unfinished.OVERDUE if delay_ms > patience_ms else result)
            longest_ms = max(longest_ms, min(delay_ms, patience_ms))
        if longest_ms:
            timing.pause(longest_ms)
        return results

    @property
    def is_stuck(self) -> bool:
        """Return False: nothing can be abandoned without threads."""
        return False

    def hurry(self) -> None:
        """Do nothing: calls of a simulation do not wait."""

    def close(self) -> None:
        """Close the client."""
        self._client.close()


@dataclass(slots=True)
class _Job:
    """One call on its way; whoever takes ``claim`` decides whether it is made."""

    index: int
    call: Call[object]
    done: SimpleQueue[tuple[int, object]]
    claim: threading.Lock = field(default_factory=threading.Lock)

    def take(self) -> bool:
        return self.claim.acquire(blocking=False)


class _Lane:
    """One thread with one client; its socket can be shut down from outside."""

    def __init__(self, access: BinanceAccess, trust: ssl.SSLContext | None, number: int) -> None:
        self._access = access
        self._trust = trust
        self._wire: socket.socket | None = None
        self._wire_lock = threading.Lock()
        self._inbox: SimpleQueue[_Job | None] = SimpleQueue()
        self.is_retired = False
        self.thread = threading.Thread(target=self._work, name=f"lane-{number}", daemon=True)
        self.thread.start()

    def give(self, job: _Job) -> None:
        self._inbox.put(job)

    def retire(self) -> None:
        """End the lane: after its present call, and that call now if it hangs on its socket."""
        self.is_retired = True
        self._inbox.put(None)
        with self._wire_lock:
            if self._wire is not None:
                # A second descriptor of the same socket: it works whatever wraps the first one.
                with contextlib.suppress(OSError):
                    self._wire.shutdown(socket.SHUT_RDWR)

    def _tap(self, opened: socket.socket) -> None:
        with self._wire_lock:
            if self._wire is not None:
                self._wire.close()
            self._wire = opened.dup()
            if self.is_retired:
                self._wire.shutdown(socket.SHUT_RDWR)

    def _work(self) -> None:
        client = LaneClient(self._access, tap=self._tap, trust=self._trust)
        try:
            while (job := self._inbox.get()) is not None:
                if job.take():
                    job.done.put((job.index, job.call(client)))
                del job
        finally:
            client.close()
            with self._wire_lock:
                if self._wire is not None:
                    self._wire.close()
                    self._wire = None


class LanePool:
    """Keeps lanes warm, made when first needed."""

    def __init__(self, access: BinanceAccess, lanes_max: int = LANES_MAX) -> None:
        self._access = access
        self._lanes_max = lanes_max
        self._lanes: list[_Lane] = []
        self._abandoned: list[_Lane] = []
        self._made = 0
        self._is_closed = False
        self._is_hurried = False
        self._done: SimpleQueue[tuple[int, Any]] = SimpleQueue()
        is_tls = urlsplit(access.rest_url).scheme == "https"
        self._trust = trusted_context() if is_tls else None

    def run(self, calls: Sequence[Call[T]], patience_ms: int) -> list[T | Unfinished]:
        """Run all calls together; see ``Lanes.run``."""
        results: list[T | Unfinished] = [Unfinished.NEVER_LEFT] * len(calls)
        done: SimpleQueue[tuple[int, T]] = SimpleQueue()
        self._done = done  # before the look at the flag: a hurry is seen in the one or the other
        if self.is_stuck or self._is_closed or self._is_hurried or patience_ms <= 0:
            return results
        reserve_ms = min(CUT_RESERVE_MS, patience_ms // 5)
        deadline = time.monotonic() + (patience_ms - reserve_ms) / 1000
        jobs = [_Job(index, call, done) for index, call in enumerate(calls)]  # type: ignore[arg-type]  # queues are invariant; each job answers to its own
        lanes = self._grown(len(jobs))
        for job in jobs:
            lanes[job.index % len(lanes)].give(job)
        pending = set(range(len(jobs)))
        while pending:
            try:
                index, result = done.get(timeout=max(deadline - time.monotonic(), 0))
            except Empty:
                break
            if index == _HURRY:
                break
            results[index] = result
            pending.discard(index)
        self._give_up({index: jobs[index] for index in sorted(pending)}, lanes, results, reserve_ms)
        return results

    @property
    def is_stuck(self) -> bool:
        """Return whether too many lanes had to be abandoned and still hang."""
        self._abandoned = [lane for lane in self._abandoned if lane.thread.is_alive()]
        return len(self._abandoned) >= ABANDONED_MAX

    def hurry(self) -> None:
        """End the waiting now and for good; see ``Lanes.hurry``."""
        self._is_hurried = True
        self._done.put((_HURRY, None))

    def close(self) -> None:
        """Retire every lane and wait a moment for their threads."""
        self._is_closed = True
        for lane in self._lanes:
            lane.retire()
        for lane in self._lanes:
            lane.thread.join(0.2)
        self._lanes = []

    def _grown(self, wanted: int) -> list[_Lane]:
        self._lanes = [lane for lane in self._lanes if lane.thread.is_alive()]
        while len(self._lanes) < min(wanted, self._lanes_max):
            stack_bytes = threading.stack_size(_STACK_BYTES)
            try:
                self._made += 1
                self._lanes.append(_Lane(self._access, self._trust, self._made))
            finally:
                threading.stack_size(stack_bytes)
        return self._lanes[: max(wanted, 1)]

    def _give_up(
        self,
        pending: dict[int, _Job],
        lanes: list[_Lane],
        results: list[T | Unfinished],
        reserve_ms: int,
    ) -> None:
        """Decide each unfinished call, and replace the lanes that hang in one."""
        hanging: list[_Lane] = []
        for index, job in pending.items():
            if job.take():
                continue  # never started, so it never left
            results[index] = Unfinished.OVERDUE
            lane = lanes[index % len(lanes)]
            if lane not in hanging:
                hanging.append(lane)
        if not hanging:
            return
        for lane in hanging:
            lane.retire()
        self._lanes = [lane for lane in self._lanes if lane not in hanging]
        end = time.monotonic() + reserve_ms / 1000
        for lane in hanging:
            lane.thread.join(max(end - time.monotonic(), 0))
        self._abandoned.extend(lane for lane in hanging if lane.thread.is_alive())
