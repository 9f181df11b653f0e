"""The demo's own checks: each accepts agreement and names one planted difference."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from engine.cli.demo.checks import (
    Recorded,
    database_equals_exchange,
    final_statuses,
    recovered_after_kill,
    replay_identical,
)
from engine.cli.demo.report import requests_of
from engine.cli.demo.stage import Restart
from engine.domain.order import Fill
from engine.domain.terms import OrderSide
from engine.read.replay import Difference, Replayed
from engine.simulation.checkers import History
from engine.simulation.log import Event, Filled, Placed

D = Decimal
ENTRY, STOP = "kp7f3aq2001e001", "kp7f3aq2001s001"
SAME = Replayed(10, 10, (), (), "00")


def order(client_id: str, status: str, *, book: str = "algo", **more: object) -> dict[str, object]:
    return {
        "kind": "order", "book": book, "client_id": client_id, "status": status, "algo_id": None,
        **more,
    }  # fmt: skip


def fill(trade_id: str = "1", price: str = "90743.3") -> dict[str, object]:
    return {
        "kind": "fill", "trade_id": trade_id, "client_id": ENTRY, "price": price,
        "quantity": "0.013", "commission": "0.23593258", "realized": "0",
    }  # fmt: skip


LOG = [
    order(STOP, "NEW"),
    order(ENTRY, "NEW", book="regular"),
    fill(),
    order(ENTRY, "FILLED", book="regular"),
    order(STOP, "CANCELED"),
]
FILL = Fill(
    "1", "77", ENTRY, OrderSide.BUY, D("90743.3"), D("0.013"), D("0.23593258"), "USDT", D(0),
    is_maker=True, at_ms=1,
)  # fmt: skip
RECORDED = Recorded((FILL,), {ENTRY: "filled", STOP: "cancelled"}, (), SAME)


def test_a_store_that_agrees_with_the_exchange_passes() -> None:
    check = database_equals_exchange(LOG, RECORDED)

    assert (check.ok, check.checked) == (True, 3)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"fills": ()}, "fill 1 is not in the store"),
        ({"fills": (FILL, replace(FILL, fill_id="2"))}, "fill 2 is not on the exchange"),
        ({"fills": (replace(FILL, price=D("90743.4")),)}, "fill 1 is not in the store"),
        ({"fills": (replace(FILL, commission=D("0.2")),)}, "fill 1 is not in the store"),
        (
            {"order_status": {ENTRY: "filled", STOP: "working"}},
            f"{STOP} is cancelled, the store says working",
        ),
        ({"order_status": {ENTRY: "filled"}}, f"{STOP} is cancelled, the store says None"),
    ],
    ids=["lost fill", "invented fill", "wrong price", "wrong fee", "wrong status", "lost order"],
)
def test_one_difference_between_store_and_exchange_is_named(
    changes: dict[str, Any], named: str
) -> None:
    check = database_equals_exchange(LOG, replace(RECORDED, **changes))

    assert not check.ok
    assert named in check.detail


def test_a_finished_stop_was_filled_if_its_child_executed_and_expired_if_not() -> None:
    """The venue says FINISHED for both; the keeper says what it means."""
    executed = [
        order(STOP, "NEW"),
        order(STOP, "NEW", book="regular", algo_id=9),
        {**fill(), "client_id": STOP},
        order(STOP, "FINISHED"),
    ]

    assert final_statuses(executed) == {STOP: "filled"}
    assert final_statuses([order(STOP, "NEW"), order(STOP, "FINISHED")]) == {STOP: "expired"}


def test_other_peoples_orders_are_not_the_stores_business() -> None:
    assert final_statuses([order("web_1", "NEW")]) == {}


def history(*, covered: bool) -> History:
    stop = Placed(
        0, 500, "algo", "algo:1", STOP, "SELL", "STOP_MARKET", D("0.013"), D(90380),
        reduce_only=True, close_position=False,
    )  # fmt: skip
    entry = Filled(0, 1_000, "regular:1", None, ENTRY, "BUY", D(90743), D("0.013"), D("0.013"))
    events: list[Event] = [stop, entry] if covered else [entry]
    return History(events, end_ms=9_000)


RESTART = Restart(2_000, 4_000, 4_500, D(91000), D(91000))


@pytest.mark.parametrize(
    ("restart", "covered", "named"),
    [
        (replace(RESTART, covered_ms=None), True, "found no cover"),
        (replace(RESTART, level_after=D(90999)), True, "stop went from 91000 to 90999"),
        (replace(RESTART, level_after=None), True, "no stop level"),
        (RESTART, False, "uncovered for"),
    ],
)
def test_a_restart_that_lost_cover_or_level_is_named(
    restart: Restart, covered: bool, named: str
) -> None:
    check = recovered_after_kill(history(covered=covered), [restart])

    assert not check.ok
    assert named in check.detail


def test_a_restart_with_the_same_stop_passes_and_none_at_all_does_not() -> None:
    """A demo whose kill never happened would prove nothing."""
    assert recovered_after_kill(history(covered=True), [RESTART]).ok
    assert not recovered_after_kill(history(covered=True), []).ok


@pytest.mark.parametrize(
    "replayed",
    [
        replace(SAME, different=(Difference(3, "/actions/0", 1, 2),), identical=9),
        replace(SAME, ticks=0, identical=0),
        replace(SAME, skipped=((1, "engine_version"),)),
    ],
    ids=["a difference", "nothing recorded", "something skipped"],
)
def test_a_replay_that_is_not_whole_fails(replayed: Replayed) -> None:
    assert replay_identical(SAME).ok
    assert not replay_identical(replayed).ok


def test_requests_are_counted_with_the_weight_of_every_minute() -> None:
    """The counter starts again each minute; the sum must not."""
    log = [
        {"kind": "request", "weight_1m": weight, "code": code}
        for weight, code in ((5, None), (12, None), (3, -2011), (4, None))
    ]

    assert requests_of(log) == {"sent": 4, "weight": 16, "rejected": 1, "unknown": 0}
