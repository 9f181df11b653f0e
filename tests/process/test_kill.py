"""A real keeper process is killed -9 with a position open; the exchange and the next one carry on.

The venue is a process too, so nothing but the wire and the store connects the lives. Judged from
the venue's log.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from engine.domain.identity import OrderRole
from engine.simulation.checkers import (
    History,
    covered,
    executed_once,
    never_widened,
    no_orders_left,
)
from engine.simulation.log import Filled, read_log
from tests.cli.home import Home, end, home_in

pytestmark = pytest.mark.slow
STOPS = (OrderRole.STOP_PRIMARY, OrderRole.STOP_FLOOR, OrderRole.STOP_BRIDGE)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    with home_in(tmp_path, "--touch-quantity", "0.005") as home:
        yield home


def history(home: Home) -> History:
    entries = home.log()
    return History(read_log(entries), end_ms=int(str(entries[-1]["at_ms"])))


def position(home: Home) -> Decimal:
    last = home.picture()
    return Decimal(0) if last is None else last.position


def entries_rest(home: Home) -> bool:
    last = home.picture()
    return last is not None and bool(last.own(OrderRole.ENTRY))


def entered(home: Home, *, whole: bool = False) -> None:
    """Give a decision and touch the entry until something, or all of it, filled."""
    decided = home.keeper("decide", "long", "--json").document["decision"]
    assert isinstance(decided, dict)
    low, high = (Decimal(edge) for edge in decided["entry_zone"])
    home.until(lambda: any(e.get("type") == "LIMIT" for e in home.log()), "an entry rests")
    home.price(str((low + high) / 2 // 1 - 5))
    home.until(lambda: position(home) > 0, "something filled")
    for touch in range(10 if whole else 0):
        home.price(str((low + high) / 2 // 1 - 5 - touch % 2))
    if whole:
        home.until(lambda: not entries_rest(home), "the entry filled")


def test_a_kill_in_the_middle_of_an_entry_leaves_the_position_covered_and_single(
    home: Home,
) -> None:
    """RULES B1, B3, B4: the stops rest without us, and the next life adds nothing twice."""
    first = home.start("run")
    entered(home)

    code, _ = end(first, signal.SIGKILL)
    home.keeper("verify")  # time passes on the exchange while nobody keeps
    second = home.start("run")
    home.await_ticks(second)
    home.price("90700")
    home.until(lambda: home.keeper("verify", "--json").code == 0, "covered")
    left, out = end(second, signal.SIGTERM)

    assert (code, left) == (-9, 0), out
    judged = history(home)
    assert covered(judged).findings == ()
    assert never_widened(judged).findings == ()
    assert executed_once(judged).findings == ()
    assert covered(judged).checked > 0


CRASHES = [
    ("stop_primary", "timeout_after"),
    ("entry", "timeout_before"),
    ("stop_floor", "timeout_before"),
    ("entry", "timeout_after"),
    ("tp1", "timeout_after"),
]
"""Requests that stay silent until the keeper is killed, executed (after) or not (before).

The test run plays the first three; KEEPER_CRASHES=all plays every one.
"""
if os.environ.get("KEEPER_CRASHES") != "all":
    CRASHES = CRASHES[:3]


@pytest.mark.parametrize(("role", "kind"), CRASHES, ids=[f"{r}, {k}" for r, k in CRASHES])
def test_killed_while_a_request_is_on_its_way_the_next_life_goes_on(
    role: str, kind: str, home: Home
) -> None:
    """RULES B4, C4: real processes at the crash points that `tests/recovery` plays in process."""
    home.fault(kind=kind, match={"verb": "POST", "role": role})
    first = home.start("run")
    middle = decided(home)
    if role in ("stop_floor", "tp1"):
        home.until(lambda: entries_rest(home), "an entry rests")
        touch(home, middle)
    home.until(lambda: home.struck() == 1, "the request is on its way")

    code, _ = end(first, signal.SIGKILL)
    home.clear_faults()
    second = home.start("run")
    home.await_ticks(second)
    home.until(lambda: entries_rest(home) or position(home) > 0, "the entry is there again")
    touch(home, middle)
    home.until(lambda: is_complete(home), "filled, with both layers and the target")
    left, out = end(second, signal.SIGTERM)

    assert (code, left) == (-9, 0), out
    judged = history(home)
    assert covered(judged).findings == ()
    assert never_widened(judged).findings == ()
    assert executed_once(judged).findings == ()
    own = [e for e in judged.events if isinstance(e, Filled) and e.own_id is not None]
    assert {e.own_id.generation for e in own if e.own_id is not None} == {1}


def decided(home: Home) -> int:
    """Give a decision; return a price a little below the entry's."""
    document = home.keeper("decide", "long", "--json").document["decision"]
    assert isinstance(document, dict)
    low, high = (Decimal(edge) for edge in document["entry_zone"])
    return int((low + high) / 2) - 5


def touch(home: Home, middle: int) -> None:
    """Let the whole entry fill, a part at each touch."""
    for step in range(8):
        home.price(str(middle - step % 2))


def is_complete(home: Home) -> bool:
    """Return whether the entry is done and every order of an open position rests."""
    last = home.picture()
    roles = {OrderRole.STOP_PRIMARY, OrderRole.STOP_FLOOR, OrderRole.TP1}
    return (
        last is not None
        and last.position > 0
        and not last.own(OrderRole.ENTRY)
        and roles <= {o.own_id.role for o in last.own() if o.own_id is not None}
    )


def test_with_the_keeper_dead_the_exchange_alone_closes_at_the_stop(home: Home) -> None:
    """Field lesson 49: stops live on the exchange, not in the process."""
    child = home.start("run")
    entered(home, whole=True)
    end(child, signal.SIGKILL)

    home.price("80000")
    home.until(lambda: position(home) == 0, "the stop closed the position")

    exits = [e for e in history(home).events if isinstance(e, Filled) and e.side == "SELL"]
    assert {e.own_id.role for e in exits if e.own_id is not None} <= set(STOPS)


def test_after_the_store_is_lost_the_stop_is_the_same_and_nothing_is_doubled(home: Home) -> None:
    """Field lesson 22: the database went with the container."""
    child = home.start("run")
    entered(home)
    end(child, signal.SIGKILL)
    before = home.picture()
    for file in (home.folder / "var").iterdir():
        file.unlink()

    child = home.start("run")
    home.await_ticks(child)
    end(child, signal.SIGTERM)

    after = home.picture()
    assert before is not None
    assert after is not None
    assert (after.position, after.cover_level) == (before.position, before.cover_level)
    judged = history(home)
    assert executed_once(judged).findings == ()
    assert covered(judged).findings == ()


def test_a_flat_keeper_that_ends_leaves_nothing_on_the_exchange(home: Home) -> None:
    child = home.start("run")
    home.await_ticks(child)

    code, out = end(child, signal.SIGTERM)

    assert code == 0, out
    assert no_orders_left(history(home)).findings == ()
