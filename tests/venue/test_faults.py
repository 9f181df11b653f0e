"""Faults: what each does to a request or a read, and that the books stay true."""

import json
import re
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from engine.venue.api import Transport
from engine.venue.faults import KINDS
from engine.venue.trouble import drawn_faults
from tests.venue.desk import SYMBOL, T0, Desk, long_desk

ID = "kp7f3aq2001s001"


@pytest.mark.parametrize(
    ("kind", "transport", "executed"),
    [
        ("reply_lost_before", Transport.LOST_BEFORE, False),
        ("reply_lost_after", Transport.LOST_AFTER, True),
        ("timeout_before", Transport.TIMEOUT_BEFORE, False),
        ("timeout_after", Transport.TIMEOUT_AFTER, True),
        ("refused_connection", Transport.REFUSED, False),
    ],
)
def test_a_lost_reply_says_nothing_about_execution(
    kind: str, transport: Transport, executed: bool
) -> None:
    desk = Desk()
    desk.venue.inject({"kind": kind, "match": {"path": "algoOrder", "verb": "POST"}})

    lost = desk.stop("SELL", "90380", "0.013", clientAlgoId=ID)

    assert lost.reply.transport is transport
    assert desk.open_algo_ids() == ([ID] if executed else [])


@pytest.mark.parametrize(
    ("fault", "status", "code", "text"),
    [
        ({"kind": "http_503_unavailable"}, 503, -1001, "Service Unavailable."),
        ({"kind": "http_503_internal"}, 503, -1001, "Internal error"),
        ({"kind": "error", "code": -1007, "status": 408, "msg": "Timeout"}, 408, -1007, "Timeout"),
        ({"kind": "error", "code": -2019}, 400, -2019, "Margin is insufficient."),
        ({"kind": "stop_refused_once"}, 400, -2022, "ReduceOnly"),
        ({"kind": "stop_refused_once", "code": -4045}, 400, -4045, "Reach max stop"),
        ({"kind": "code_in_200", "code": -2011}, 200, -2011, "Unknown order"),
        ({"kind": "rate_limited", "retry_after_s": 7}, 429, -1003, "Too many requests"),
        ({"kind": "banned", "ban_s": 300}, 418, -1003, "banned until"),
    ],
)
def test_an_answered_fault_executes_nothing(
    fault: dict[str, Any], status: int, code: int, text: str
) -> None:
    desk = Desk()
    desk.venue.inject(fault)

    answer = desk.stop("SELL", "90380", "0.013", clientAlgoId=ID)

    assert (answer.status, answer.body["code"]) == (status, code)
    assert text in answer.body["msg"]
    assert desk.venue.algo.open == {}


@pytest.mark.parametrize("executed", [True, False])
def test_unknown_error_leaves_open_what_happened(executed: bool) -> None:
    desk = Desk()
    desk.venue.inject({"kind": "http_503_unknown", "executed": executed})

    answer = desk.stop("SELL", "90380", "0.013")

    assert (answer.status, "Unknown error" in answer.body["msg"]) == (503, True)
    assert len(desk.venue.algo.open) == int(executed)


@pytest.mark.parametrize("executed", [True, False])
@pytest.mark.parametrize(("code", "status"), [(-1006, 500), (-1007, 408)])
def test_an_error_may_answer_a_request_that_was_executed(
    code: int, status: int, executed: bool
) -> None:
    """Exchange reference, section 6.3: their text says that the execution status is unknown."""
    desk = Desk()
    desk.venue.inject({"kind": "error", "code": code, "status": status, "executed": executed})

    answer = desk.stop("SELL", "90380", "0.013")

    assert (answer.status, answer.body["code"]) == (status, code)
    assert len(desk.venue.algo.open) == int(executed)


def test_unknown_error_follows_the_seed_where_nothing_is_said() -> None:
    def executed(seed: int) -> list[int]:
        desk = Desk(seed=seed)
        desk.venue.inject({"kind": "http_503_unknown", "times": 20})
        for _ in range(20):
            desk.stop("SELL", "90380", "0.001")
        return [len(desk.venue.algo.open)]

    assert executed(1) == executed(1)
    assert 0 < executed(1)[0] < 20


@pytest.mark.parametrize(
    ("given", "exempt"),
    [
        ({"reduceOnly": "true"}, True),
        ({"reduceOnly": None}, False),
    ],
)
def test_throttling_spares_what_reduces(given: dict[str, Any], exempt: bool) -> None:
    """System protection lets reduce-only and close-position orders and cancels through."""
    desk = long_desk()
    desk.venue.inject({"kind": "throttled", "times": None})

    answer = desk.stop("SELL", "90380", "0.013", clientAlgoId=ID, **given)

    assert answer.code == (0 if exempt else -1008)
    assert desk.stop("SELL", "90300", None).code == 0


def test_a_request_may_be_executed_long_after_its_sender_gave_up() -> None:
    desk = Desk()
    desk.venue.inject({"kind": "executed_late", "delay_ms": 3000})

    lost = desk.order("BUY", "0.010", newClientOrderId="e1")
    before = desk.position
    desk.wait(3000)

    assert lost.reply.transport is Transport.TIMEOUT_BEFORE
    assert (str(before), str(desk.position)) == ("0", "0.010")


def test_but_not_beyond_its_receive_window() -> None:
    """RULES B3 a, on which every fence rests."""
    desk = Desk()
    desk.venue.inject({"kind": "executed_late", "delay_ms": 3000})

    desk.order("BUY", "0.010", recvWindow=2000)
    desk.wait(3000)

    assert desk.position == 0
    late = desk.log("request")[-1]
    assert (late["fault"], late["code"]) == ("executed_late", -1021)


def test_garbage_comes_with_a_good_status() -> None:
    desk = Desk()
    desk.venue.inject({"kind": "garbage_body"})

    reply = desk.venue.handle("GET", "/fapi/v1/time", "", "", None, desk.now)

    assert (reply.status, reply.headers["Content-Type"]) == (200, "text/html")
    with pytest.raises(json.JSONDecodeError):
        json.loads(reply.body)


def test_a_slow_answer_is_a_whole_one() -> None:
    desk = Desk()
    desk.venue.inject({"kind": "slow", "delay_ms": 1500})

    answer = desk.raw("GET", "/fapi/v1/ping")

    assert (answer.reply.delay_ms, answer.reply.transport, answer.body) == (
        1500,
        Transport.DELIVERED,
        {},
    )


@pytest.mark.parametrize(
    ("match", "strikes"),
    [
        ({}, True),
        ({"verb": "POST"}, True),
        ({"verb": "DELETE"}, False),
        ({"path": "algoOrder"}, True),
        ({"path": "openAlgoOrders"}, False),
        ({"client_id": "kp7f3aq2"}, True),
        ({"client_id": "kpother"}, False),
        ({"role": "stop_primary"}, True),
        ({"role": "entry"}, False),
        ({"type": "STOP_MARKET"}, True),
        ({"type": "TAKE_PROFIT_MARKET"}, False),
    ],
)
def test_a_fault_strikes_what_it_matches(match: dict[str, str], strikes: bool) -> None:
    desk = Desk()
    desk.venue.inject({"kind": "error", "code": -1000, "match": match})

    assert (desk.stop("SELL", "90380", "0.013", clientAlgoId=ID).code == -1000) is strikes


def test_a_fault_strikes_as_often_as_it_says() -> None:
    desk = Desk()
    number = desk.venue.inject({"kind": "error", "code": -1000, "after": 2, "times": 3})

    codes = [desk.raw("GET", "/fapi/v1/ping").status for _ in range(7)]

    assert codes == [200, 200, 400, 400, 400, 200, 200]
    counts = [(one["id"], one["struck"]) for one in desk.venue.faults()]
    assert counts == [(number, 3)]
    desk.venue.clear_faults()
    assert desk.venue.faults() == []


def test_a_fault_lasts_as_long_as_it_says() -> None:
    desk = Desk()
    desk.venue.inject({"kind": "error", "code": -1000, "times": None, "duration_s": 5})

    before = desk.raw("GET", "/fapi/v1/ping").status
    desk.wait(5000)

    assert (before, desk.raw("GET", "/fapi/v1/ping").status) == (400, 200)


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "gremlins"},
        {"kind": "error", "match": {"colour": "red"}},
        {"kind": "error", "match": {"role": "waiter"}},
    ],
)
def test_an_unknown_fault_is_an_error(fault: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"there is no|a fault matches"):
        Desk().venue.inject(fault)


def test_a_list_may_forget_an_order_for_a_while() -> None:
    """Lesson 1: missing from a list is not gone."""
    desk = long_desk()
    desk.stop("SELL", "90380", "0.013", clientAlgoId=ID)
    desk.stop("SELL", "90300", "0.013", clientAlgoId="other")
    desk.venue.inject({"kind": "list_forgets", "match": {"client_id": ID}, "duration_s": 60})

    forgotten = desk.open_algo_ids()
    by_id = desk.algo(ID)["algoStatus"]
    desk.wait(60_000)

    assert (forgotten, by_id, desk.open_algo_ids()) == (["other"], "NEW", [ID, "other"])


def test_a_lookup_may_not_find_what_exists() -> None:
    desk = long_desk()
    desk.stop("SELL", "90380", "0.013", clientAlgoId=ID)
    desk.venue.inject({"kind": "lookup_not_found", "duration_s": 60})

    answer = desk.send("GET", "/fapi/v1/algoOrder", clientAlgoId=ID)

    assert (answer.code, desk.open_algo_ids()) == (-2013, [ID])


def test_a_position_read_may_lag_the_fill() -> None:
    desk = Desk()
    desk.wait(5000)
    desk.venue.inject({"kind": "position_lag", "lag_s": 2, "duration_s": 60})
    desk.order("BUY", "0.013")

    def shown() -> list[str]:
        rows = desk.send("GET", "/fapi/v2/positionRisk", symbol=SYMBOL).body
        return [row["positionAmt"] for row in rows]

    at_once = shown()
    desk.wait(2000)

    assert (at_once, shown()) == (["0.000"], ["0.013"])


def test_trades_may_lag_too() -> None:
    desk = Desk()
    desk.venue.inject({"kind": "fill_lag", "lag_s": 2, "duration_s": 60})
    desk.order("BUY", "0.013")

    at_once = desk.send("GET", "/fapi/v1/userTrades", symbol=SYMBOL).body
    desk.wait(2000)

    assert at_once == []
    assert len(desk.send("GET", "/fapi/v1/userTrades", symbol=SYMBOL).body) == 1


def test_a_closing_stop_may_be_refused_although_there_is_a_position() -> None:
    desk = long_desk()
    desk.venue.inject({"kind": "gte_refused", "times": 2})

    assert [desk.stop("SELL", "90380", None).code for _ in range(3)] == [-4509, -4509, 0]


def test_a_child_may_be_rejected_at_the_trigger() -> None:
    desk = long_desk()
    desk.stop("SELL", "90380", "0.013", clientAlgoId=ID)
    desk.venue.inject({"kind": "child_rejected", "match": {"role": "stop_primary"}})

    desk.price("90300")

    assert (desk.algo(ID)["algoStatus"], str(desk.position)) == ("REJECTED", "0.013")


def test_a_child_may_fill_in_part() -> None:
    desk = long_desk()
    desk.stop("SELL", "90380", "0.013", clientAlgoId=ID)
    desk.venue.inject({"kind": "child_partial", "fraction": "0.5"})

    desk.price("90300")

    assert (desk.algo(ID)["algoStatus"], desk.algo(ID)["actualQty"]) == ("FINISHED", "0.006")
    assert str(desk.position) == "0.007"


def test_a_clock_fault_ends_by_itself() -> None:
    desk = Desk()
    desk.venue.inject({"kind": "clock_skew", "skew_ms": -3000, "duration_s": 10})

    during = desk.raw("GET", "/fapi/v1/time").body["serverTime"] - desk.now
    desk.wait(10_000)

    assert (during, desk.raw("GET", "/fapi/v1/time").body["serverTime"]) == (-3000, desk.now)


@pytest.mark.parametrize(
    ("fault", "names"),
    [
        ({"kind": "stream_silent"}, []),
        ({"kind": "drop_pushes", "match": {"event": "ACCOUNT_UPDATE"}}, ["O", "T", "O"]),
        ({"kind": "drop_pushes", "times": 1}, ["T", "O", "A"]),
        ({"kind": "duplicate_pushes"}, ["O", "O", "T", "T", "O", "O", "A", "A"]),
        ({"kind": "reorder_pushes", "times": 1}, ["T", "O", "O", "A"]),
    ],
)
def test_pushes_may_be_lost_doubled_or_out_of_order(
    fault: dict[str, Any], names: list[str]
) -> None:
    desk = Desk()
    desk.listen()
    desk.venue.inject(fault)

    desk.order("BUY", "0.013")

    assert [one["e"][0] for one in desk.events()] == names


def test_pushes_may_be_late() -> None:
    desk = Desk()
    desk.listen()
    desk.venue.inject({"kind": "delay_pushes", "delay_ms": 800})
    desk.order("BUY", "0.013")

    at_once = desk.events()
    desk.wait(800)

    assert (at_once, len(desk.events())) == ([], 4)


def test_every_kind_of_fault_can_be_armed() -> None:
    desk = Desk()

    numbers = [desk.venue.inject({"kind": kind}) for kind in KINDS]

    assert numbers == list(range(1, len(KINDS) + 1))


def test_a_cancel_may_not_find_what_exists() -> None:
    desk = long_desk()
    desk.stop("SELL", "90380", "0.013", clientAlgoId=ID)
    desk.venue.inject({"kind": "cancel_not_found"})

    codes = [desk.send("DELETE", "/fapi/v1/algoOrder", clientAlgoId=ID).code for _ in range(2)]

    assert codes == [-2011, 0]


def test_every_kind_of_fault_is_told() -> None:
    """In the table of docs/venue.md, and nothing there that is not."""
    document = Path(__file__).parent.parent.parent / "docs" / "venue.md"
    text = document.read_text(encoding="utf-8")
    table = text[text.index("| kind |") :].split("\n\n")[0]
    cells = [line.split("|")[1] for line in table.splitlines()[2:]]

    assert [kind for cell in cells for kind in re.findall(r"`(\w+)`", cell)] != []
    assert {kind for cell in cells for kind in re.findall(r"`(\w+)`", cell)} == set(KINDS)


@pytest.mark.parametrize("seed", range(5))
def test_drawn_faults_are_such_as_the_venue_takes(seed: int) -> None:
    """Each can be armed, ends by itself, and comes later than the one before."""
    desk = Desk()
    drawn = list(islice(drawn_faults(seed, Decimal(6)), 300))

    for at_ms, terms in drawn:
        desk.wait(max(0, at_ms - (desk.now - T0)))
        desk.venue.inject(terms)
    desk.wait(60_000)

    moments = [at_ms for at_ms, _ in drawn]
    assert moments == sorted(moments)
    assert 30 * 60_000 < moments[-1] < 75 * 60_000
    assert desk.raw("GET", "/fapi/v1/ping").status == 200
    assert drawn == list(islice(drawn_faults(seed, Decimal(6)), 300))


def test_faults_that_are_over_are_forgotten_before_they_become_too_many() -> None:
    """A venue that draws faults for months must not look through all of them at each request."""
    desk = Desk()
    lasting = desk.venue.inject({"kind": "slow", "match": {"path": "income"}})
    for _ in range(700):
        desk.venue.inject({"kind": "error", "code": -1000, "match": {"path": "ping"}})
        desk.raw("GET", "/fapi/v1/ping")

    known = desk.venue.faults()
    assert len(known) < 600
    assert known[0]["id"] == lasting
