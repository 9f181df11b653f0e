"""How soon a standby covers what a keeper left uncovered that was stopped, or killed on its host.

The goals follow from the configuration of the run: what the lease, the recvWindow and the clock
error make a successor wait, how often it asks, one look, and what a start may take to cover.
"""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

from engine import paper
from engine.leasehold import WAIT_S
from engine.store.reading import ReadStore
from tests.bench.figures import Goal, Row, figure
from tests.bench.outside import Stage, a_stage

LEASE_S, WINDOW_S, CLOCK_ERROR_S, INTERVAL_S = 4.0, 1.0, 0.5, 0.5
START_TO_COVERED_S = 0.6
TIMES = 3
SETTINGS = {
    "KEEPER__STORE__LEASE_S": str(LEASE_S),
    "KEEPER__EXCHANGE__RECV_WINDOW_MS": str(int(WINDOW_S * 1000)),
    "KEEPER__EXCHANGE__RECV_WINDOW_OPEN_MS": str(int(WINDOW_S * 1000)),
    "KEEPER__CLOCK__ERROR_MAX_S": str(CLOCK_ERROR_S),
    "KEEPER__LOOP__INTERVAL_S": str(INTERVAL_S),
}
KILLED_S = WAIT_S + INTERVAL_S + START_TO_COVERED_S
STOPPED_S = LEASE_S + WINDOW_S + CLOCK_ERROR_S + KILLED_S


def measure() -> Iterator[Row]:
    """Yield the time to cover after SIGSTOP, which waits for the lease, and after kill -9."""
    with a_stage(latency_ms=0) as stage:
        stage.environ |= SETTINGS
        stage.open_a_long()
        yield figure(
            "takeover_s", "s", [_taken_over_s(stage, signal.SIGSTOP) for _ in range(TIMES)],
            Goal(STOPPED_S),
        )  # fmt: skip
        yield figure(
            "takeover_killed_s", "s", [_taken_over_s(stage, signal.SIGKILL) for _ in range(TIMES)],
            Goal(KILLED_S),
        )  # fmt: skip


def _taken_over_s(stage: Stage, how: signal.Signals) -> float:
    with _running(stage, "--standby") as first:  # what was killed before has a lease still
        stage.wait_for(lambda: _kept_by(stage) == first.pid, "the first keeper did not tick")
        with _running(stage, "--standby") as second:
            time.sleep(1.5)  # it stands by: started, its clock measured, the lease refused to it
            first.send_signal(how)
            begun = time.perf_counter()
            _uncover(stage)
            stage.wait_for(lambda: stage.stops() > 0, "the standby did not cover")
            took_s = time.perf_counter() - begun
            stage.wait_for(lambda: _kept_by(stage) == second.pid, "somebody else covered")
    return took_s


@contextmanager
def _running(stage: Stage, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    keeper = stage.start(*words)
    try:
        yield keeper
    finally:
        keeper.kill()
        keeper.wait()


def _uncover(stage: Stage) -> None:
    for order in stage.books():
        if order.get("type") == "STOP_MARKET":
            hand = {"do": "cancel", "client_id": order["client_id"]}
            paper.call(stage.access.admin_url, "/hand", hand)


def _kept_by(stage: Stage) -> object:
    """Return the process whose heartbeat is the newest."""
    reader = ReadStore.open(stage.settings().store.url, account=None, symbol="BTCUSDT")
    try:
        beat = reader.heartbeat()
    finally:
        reader.close()
    return None if beat is None else beat["pid"]
