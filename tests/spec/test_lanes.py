"""A deadline is a deadline: whatever a peer does with its bytes, the call ends in time.

Timeouts of the HTTP library count per read, so a body that drips a byte now and then lasts for
ever (python-binance.md section 3). These peers are real sockets.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

from engine.domain.action import CancelOrder
from engine.domain.identity import ClientOrderId, OrderRole
from engine.domain.observation import Question, Topic
from engine.domain.terms import ActionClass, Book, Fate
from engine.exchange.binance.adapter import BinanceExchange
from engine.exchange.binance.client import BinanceAccess, LaneClient
from engine.exchange.binance.clock import ExchangeClock
from engine.exchange.binance.lanes import (
    ABANDONED_MAX,
    Call,
    InlineLanes,
    LanePool,
    Unfinished,
)
from engine.exchange.port import Permit

PATIENCE_MS = 400
GOOD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n[]"


class Peer:
    """A server that reads each request and then behaves as told, until the test ends."""

    def __init__(self, behave: Callable[[socket.socket, threading.Event], None]) -> None:
        self._behave = behave
        self._over = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self.connections = 0
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                accepted, _ = self._listener.accept()
                self.connections += 1
                self._open.append(accepted)
                threading.Thread(target=self._serve, args=(accepted,), daemon=True).start()

    def _serve(self, accepted: socket.socket) -> None:
        with suppress(OSError):
            while _request(accepted):
                self._behave(accepted, self._over)

    def close(self) -> None:
        self._over.set()
        self._listener.close()
        for accepted in self._open:
            accepted.close()


def _request(accepted: socket.socket) -> bool:
    received = b""
    while b"\r\n\r\n" not in received:
        part = accepted.recv(65_536)
        if not part:
            return False
        received += part
    return True


def drip(text: bytes) -> Callable[[socket.socket, threading.Event], None]:
    def behave(accepted: socket.socket, over: threading.Event) -> None:
        for index in range(len(text)):
            accepted.sendall(text[index : index + 1])
            if over.wait(0.02):
                return

    return behave


def hang(_: socket.socket, over: threading.Event) -> None:
    over.wait()


def answer(accepted: socket.socket, _: threading.Event) -> None:
    accepted.sendall(GOOD)


def reset(accepted: socket.socket, _: threading.Event) -> None:
    accepted.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
    accepted.close()


def close(accepted: socket.socket, _: threading.Event) -> None:
    accepted.shutdown(socket.SHUT_RDWR)


def cut_short(accepted: socket.socket, _: threading.Event) -> None:
    accepted.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab")
    accepted.shutdown(socket.SHUT_RDWR)


@contextmanager
def a_pool(
    behave: Callable[[socket.socket, threading.Event], None],
) -> Iterator[tuple[LanePool, Peer, BinanceExchange]]:
    peer = Peer(behave)
    access = BinanceAccess(peer.url, "key", "secret", "BTCUSDT")
    pool = LanePool(access)
    clock = ExchangeClock(lambda: time.monotonic_ns() // 1_000_000)
    clock.anchor(0, 0, 0)
    try:
        yield pool, peer, BinanceExchange(access, pool, clock)
    finally:
        pool.close()
        peer.close()


NAME = ClientOrderId("7f3aq2", 1, OrderRole.TP1, 1)
CANCEL = CancelOrder(NAME, Book.ALGO, ActionClass.MANAGE, "rule", "reason")
HEADERS = b"HTTP/1.1 200 OK\r\nX-Long: " + b"g" * 10_000
BODY = b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n" + b" " * 9_999
UNBOUNDED = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + b" " * 9_999


@pytest.mark.parametrize(
    "behave",
    [
        pytest.param(hang, id="says nothing"),
        pytest.param(drip(HEADERS), id="drips headers"),
        pytest.param(drip(BODY), id="drips a body"),
        pytest.param(drip(UNBOUNDED), id="drips a body that ends with the connection"),
    ],
)
def test_a_peer_that_does_not_finish_is_cut_at_the_deadline(
    behave: Callable[[socket.socket, threading.Event], None],
) -> None:
    """A write that got this far may have executed; a read has simply failed."""
    with a_pool(behave) as (pool, _, exchange):
        started = time.monotonic()

        (outcome,) = exchange.send([Permit(CANCEL, 5, 2_000)], PATIENCE_MS)
        answers = exchange.ask([Question(Topic.POSITION)] * ABANDONED_MAX, PATIENCE_MS)

        assert time.monotonic() - started < 2 * PATIENCE_MS / 1000 + 0.3
        assert outcome.fate is Fate.UNKNOWN
        assert outcome.dead_after_ms >= 2_005
        assert [a.failure.fate for a in answers if a.failure] == ["indeterminate"] * len(answers)
        assert not pool.is_stuck  # the lanes were cut, not left hanging


@pytest.mark.parametrize(
    ("behave", "fate"),
    [
        pytest.param(reset, Fate.UNKNOWN, id="resets"),
        pytest.param(close, Fate.UNKNOWN, id="closes"),
        pytest.param(cut_short, Fate.UNKNOWN, id="stops inside a chunk"),
    ],
)
def test_a_connection_that_breaks_after_the_request_tells_nothing(
    behave: Callable[[socket.socket, threading.Event], None], fate: Fate
) -> None:
    with a_pool(behave) as (_, __, exchange):
        (outcome,) = exchange.send([Permit(CANCEL, 5, 2_000)], PATIENCE_MS)

        assert outcome.fate is fate


def test_what_nobody_accepts_never_left() -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # taken, so that nobody else listens there
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        access = BinanceAccess(url, "key", "secret", "BTCUSDT")
        pool = LanePool(access)
        clock = ExchangeClock(lambda: time.monotonic_ns() // 1_000_000)

        (outcome,) = BinanceExchange(access, pool, clock).send(
            [Permit(CANCEL, 5, 2_000)], PATIENCE_MS
        )

        pool.close()
        assert outcome.fate is Fate.NOT_SENT


def test_all_calls_go_out_together_and_connections_stay_open() -> None:
    """One round trip per tick: a second look must not wait for the first one's sockets."""
    together = threading.Barrier(4, timeout=5)

    def wait_for_all(accepted: socket.socket, _: threading.Event) -> None:
        together.wait()
        accepted.sendall(GOOD)

    with a_pool(wait_for_all) as (_, peer, exchange):
        for _round in range(3):
            answers = exchange.ask([Question(Topic.POSITION)] * 4, 5_000)
            assert all(told.failure is None for told in answers)

        assert peer.connections == 4


def test_answers_come_in_the_order_of_the_questions() -> None:
    pool = LanePool(BinanceAccess("http://127.0.0.1:9", "key", "secret", "BTCUSDT"))

    def numbered(number: int) -> Call[int]:
        return lambda _: number

    results = pool.run([numbered(n) for n in range(40)], 2_000)  # more calls than lanes

    pool.close()
    assert results == list(range(40))


def test_a_call_behind_a_hanging_one_never_left() -> None:
    """Certainly not sent is better than unknown: it may be sent again at once."""
    over = threading.Event()
    access = BinanceAccess("http://127.0.0.1:9", "key", "secret", "BTCUSDT")
    pool = LanePool(access, lanes_max=1)

    def stuck(_: LaneClient) -> str:
        over.wait(5)
        return "late"

    def quick(_: LaneClient) -> str:
        return "done"

    try:
        results = pool.run([stuck, quick], 200)
    finally:
        over.set()
        pool.close()

    assert results == [Unfinished.OVERDUE, Unfinished.NEVER_LEFT]


def test_four_lanes_beyond_reach_stop_everything_until_one_returns() -> None:
    """A name lookup cannot be cut; waiting in ever more threads would only hide the trouble."""
    over = threading.Event()
    pool = LanePool(BinanceAccess("http://127.0.0.1:9", "key", "secret", "BTCUSDT"))

    def stuck(_: LaneClient) -> str:
        over.wait(10)
        return "late"

    def quick(_: LaneClient) -> str:
        return "done"

    try:
        assert pool.run([stuck] * ABANDONED_MAX, 100) == [Unfinished.OVERDUE] * ABANDONED_MAX
        assert pool.is_stuck
        assert pool.run([quick], 100) == [Unfinished.NEVER_LEFT]

        over.set()
        for _ in range(500):
            if not is_stuck(pool):
                break
            threading.Event().wait(0.01)

        assert pool.run([quick], 1_000) == ["done"]
    finally:
        over.set()
        pool.close()


@pytest.mark.parametrize("behave", [hang, drip(b"HTTP/1.1 200 OK\r\nX-Long: " + b"g" * 10_000)])
def test_in_a_hurry_no_answer_is_waited_for_and_nothing_else_leaves(
    behave: Callable[[socket.socket, threading.Event], None],
) -> None:
    """DESIGN section 2: a second signal ends the keeper, whatever the exchange does."""
    with a_pool(behave) as (_, peer, exchange):
        threading.Timer(0.2, exchange.hurry).start()
        started = time.monotonic()

        (outcome,) = exchange.send([Permit(CANCEL, 5, 2_000)], 20_000)
        (later,) = exchange.send([Permit(CANCEL, 5, 2_000)], 20_000)

        assert time.monotonic() - started < 2
        assert (outcome.fate, later.fate) == (Fate.UNKNOWN, Fate.NOT_SENT)
        assert peer.connections == 1


def is_stuck(pool: LanePool) -> bool:
    return pool.is_stuck


def test_a_late_answer_is_never_taken_for_that_of_a_later_call() -> None:
    over = threading.Event()
    pool = LanePool(BinanceAccess("http://127.0.0.1:9", "key", "secret", "BTCUSDT"))

    def stuck(_: LaneClient) -> str:
        over.wait(5)
        return "late"

    try:
        pool.run([stuck], 100)
        over.set()

        assert pool.run([lambda _: "fresh"], 1_000) == ["fresh"]
    finally:
        pool.close()


class Timing:
    """Delays of a simulated transport, and how long the lanes then paused."""

    def __init__(self, *delays_ms: int) -> None:
        self.delays_ms = list(delays_ms)
        self.paused_ms = 0

    def take_delay_ms(self) -> int:
        return self.delays_ms.pop(0)

    def pause(self, pause_ms: int) -> None:
        self.paused_ms += pause_ms


def test_in_simulation_calls_made_together_cost_the_longest_of_their_delays() -> None:
    client = LaneClient(BinanceAccess("http://127.0.0.1:9", "key", "secret", "BTCUSDT"))
    timing = Timing(30, 900, 50)
    lanes = InlineLanes(client, timing)

    results = lanes.run([lambda _: "a", lambda _: "b", lambda _: "c"], 400)

    assert results == ["a", Unfinished.OVERDUE, "c"]
    assert timing.paused_ms == 400


def test_no_redirect_is_followed() -> None:
    """A followed redirect turns a POST into a GET and its page into a success."""

    def elsewhere(accepted: socket.socket, _: threading.Event) -> None:
        accepted.sendall(b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n")

    with a_pool(elsewhere) as (_, __, exchange):
        (outcome,) = exchange.send([Permit(CANCEL, 5, 2_000)], PATIENCE_MS)

        assert outcome.fate is Fate.UNKNOWN
        assert "302" in outcome.text
        assert exchange.usage().requests == 1


def test_proxies_of_the_environment_are_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)

    with a_pool(answer) as (_, __, exchange):
        (told,) = exchange.ask([Question(Topic.POSITION)], PATIENCE_MS)

        assert told.failure is None


def test_a_lane_that_was_cut_is_replaced_and_the_others_stay_warm() -> None:
    hang_once = [True]

    def first_hangs(accepted: socket.socket, over: threading.Event) -> None:
        if hang_once and hang_once.pop():
            over.wait()
        else:
            accepted.sendall(GOOD)

    with a_pool(first_hangs) as (_, peer, exchange):
        first = exchange.ask([Question(Topic.POSITION)] * 3, PATIENCE_MS)
        second = exchange.ask([Question(Topic.POSITION)] * 3, PATIENCE_MS)

        assert sorted(told.failure is None for told in first) == [False, True, True]
        assert all(told.failure is None for told in second)
        assert peer.connections == 4
