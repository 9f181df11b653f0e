"""A standby takes over from a keeper that was stopped, and the stopped one finds nothing to do.

Real processes, SIGSTOP and SIGCONT (RULES G4, lesson 46). How soon it takes over follows from the
configuration; that nothing the woken one sends executes is shown for every point by
``tests/simulation/test_frozen_writer.py``.
"""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

from engine import paper
from engine.domain.identity import OrderRole
from engine.leasehold import WAIT_S
from engine.simulation.checkers import executed_once, naked_windows, never_widened
from tests.cli.home import PATIENCE_S, Home, configure, end, home_in
from tests.process.test_kill import entered, history

pytestmark = pytest.mark.slow
INTERVAL_S = 0.3
LEASE_S, WINDOW_S, CLOCK_S = 3.0, 1.0, 0.5
TAKEOVER_S = LEASE_S + WINDOW_S + CLOCK_S + WAIT_S
BUSY_S = 3.0
"""What a busy machine may add: a look, two processes, this one's own questions."""


def primaries(home: Home) -> int:
    picture = home.picture()
    return 0 if picture is None else len(picture.own(OrderRole.STOP_PRIMARY))


def covered(home: Home) -> bool:
    picture = home.picture()
    return picture is not None and picture.position != 0 and picture.naked_quantity == 0


def test_a_keeper_stopped_in_the_middle_of_a_stop_move_is_replaced(tmp_path: Path) -> None:
    """RULES G4: bounded by expiry, recvWindow and clock error; covered again by the other."""
    with home_in(tmp_path, interval_s=INTERVAL_S) as home:
        windows = {"recv_window_ms": 1_000, "recv_window_open_ms": 1_000}
        places = {"rest_url": home.access.rest_url, "stream_url": home.access.stream_url}
        files = {"url": "sqlite:///var/keeper.db", "spool": "var/keeper.spool"}
        configure(
            home,
            interval_s=INTERVAL_S,
            exchange=places | windows,
            store=files | {"lease_s": LEASE_S},
        )
        first = home.start("run")
        entered(home, whole=True)
        home.until(lambda: primaries(home) == 1, "one primary rests")
        second = home.start("run", "--standby")
        paper.call(home.access.admin_url, "latency", {"one_way_ms": 150})
        tp1 = home.keeper("status", "--json").document["targets"][0]["price"]  # type: ignore[index]
        home.price(tp1)
        home.until(lambda: primaries(home) == 2, "the new stop rests beside the old one")

        first.send_signal(signal.SIGSTOP)
        stopped_s = time.monotonic()
        paper.call(home.access.admin_url, "latency", {"one_way_ms": 0})
        assert second.poll() is None
        for role in ("stop_primary", "stop_primary", "stop_floor"):
            home.hand(do="cancel", role=role)
        home.until(lambda: covered(home), "the other one covers")
        took_s = time.monotonic() - stopped_s
        home.until(lambda: primaries(home) == 1, "and comes to rest")
        before = len([e for e in home.log() if e["kind"] == "order"])
        first.send_signal(signal.SIGCONT)
        code = first.wait(PATIENCE_S)
        after = len([e for e in home.log() if e["kind"] == "order"])
        judged = history(home)

    assert took_s <= TAKEOVER_S + INTERVAL_S + BUSY_S
    assert code == 7, "somebody else holds the lease"
    assert after == before
    assert never_widened(judged).findings == ()
    assert executed_once(judged).findings == ()
    assert len(naked_windows(judged)) == 1, "only while nobody could act"


def test_a_standby_that_is_told_to_end_ends_well(tmp_path: Path) -> None:
    """Contracts: exit code 0, also for one that never had its turn."""
    with home_in(tmp_path, interval_s=INTERVAL_S) as home:
        first = home.start("run")
        home.await_ticks(first)
        standby = home.start("run", "--standby")
        assert standby.stdout is not None
        waits = any("standing by" in line for line in iter(standby.stdout.readline, ""))

        code, _ = end(standby, signal.SIGTERM)

    assert waits
    assert code == 0
