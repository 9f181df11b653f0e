"""The error table, row by row, as python-binance really meets it: on the wire, from the venue.

Every failure of the exchange reference (section 6) and every one python-binance makes of a broken
transport is produced by a served venue and read through the real library. A row whose fault did
not strike fails: nothing here is believed without the wire.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial

import pytest

from engine.domain.action import PlaceOrder
from engine.domain.errors import Indeterminate, Rejected, Unavailable
from engine.domain.identity import ClientOrderId, OrderRole
from engine.domain.observation import Question, Topic
from engine.domain.order import OrderTerms
from engine.domain.terms import ActionClass, Fate, OrderSide, OrderType
from engine.exchange.binance import wire_orders
from engine.exchange.binance.adapter import BinanceExchange
from engine.exchange.binance.client import BinanceAccess, LaneClient
from engine.exchange.binance.clock import ExchangeClock
from engine.exchange.binance.fates import (
    CLASSES,
    ErrorClass,
    KnownFate,
    class_of,
    fate_of,
    fate_of_body,
)
from engine.exchange.binance.lanes import LanePool
from engine.exchange.port import Permit
from tests.venue_server.served import Served

REJECTED, NOT_SENT, UNKNOWN = Fate.REJECTED, Fate.NOT_SENT, Fate.UNKNOWN
AMB, RETRY, RATE = ErrorClass.AMBIGUOUS, ErrorClass.RETRY, ErrorClass.RATE
CLOCK, PERM, GONE = ErrorClass.CLOCK, ErrorClass.PERMANENT, ErrorClass.GONE
STATE, DONE = ErrorClass.STATE, ErrorClass.DONE

PATIENCE_MS = 2_000
SHORT_MS = 250
OK = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
HTML = "<html><h1>Bad Gateway</h1></html>"
INTERNAL = "Internal error; unable to process your request. Please try again."
STOP = OrderTerms(
    ClientOrderId("7f3aq2", 1, OrderRole.STOP_PRIMARY, 3),
    OrderSide.SELL,
    OrderType.STOP_MARKET,
    Decimal("0.013"),
    trigger_price=Decimal(90380),
    reduce_only=True,
)


@dataclass(frozen=True)
class Row:
    """One failure: the fault that makes it, and what it must be called."""

    name: str
    fault: Mapping[str, object]
    fate: Fate
    code: int
    kind: ErrorClass
    patience_ms: int = PATIENCE_MS
    pause_s: int | None = field(default=None)


def raw(head: str, body: str = "", **more: object) -> dict[str, object]:
    return {"kind": "raw_answer", "answer": f"{head}\r\n{body}", **more}


def whole(status: str, body: str, *headers: str) -> dict[str, object]:
    lines = "".join(f"{line}\r\n" for line in (*headers, "Content-Type: application/json"))
    return raw(f"HTTP/1.1 {status}\r\n{lines}Content-Length: {len(body)}\r\n", body)


def said(code: int, status: int = 400, msg: str = "…") -> dict[str, object]:
    return {"kind": "error", "code": code, "status": status, "msg": msg}


TRANSPORT = [
    Row("no answer, not executed", {"kind": "timeout_before"}, UNKNOWN, 0, AMB, SHORT_MS),
    Row("no answer, executed", {"kind": "timeout_after"}, UNKNOWN, 0, AMB, SHORT_MS),
    Row("executed after the deadline", {"kind": "executed_late"}, UNKNOWN, 0, AMB, SHORT_MS),
    Row("slower than the deadline", {"kind": "slow"}, UNKNOWN, 0, AMB, SHORT_MS),
    Row("reset before a byte", {"kind": "refused_connection"}, UNKNOWN, 0, AMB),
    Row("closed, not executed", {"kind": "reply_lost_before"}, UNKNOWN, 0, AMB),
    Row("closed, executed", {"kind": "reply_lost_after"}, UNKNOWN, 0, AMB),
    Row("no status line", raw("garbage"), UNKNOWN, 0, AMB),
    Row("closed inside the headers", raw(OK + "X-Half: "), UNKNOWN, 0, AMB),
    Row("closed inside the body", raw(OK + "Content-Length: 99\r\n", "{"), UNKNOWN, 0, AMB),
    Row(
        "closed inside a chunk",
        raw(OK + "Transfer-Encoding: chunked\r\n", "5\r\nab"),
        UNKNOWN,
        0,
        AMB,
    ),
    Row("cut short without a length", raw(OK, '{"algoId": 1'), UNKNOWN, 0, AMB),
    Row(
        "gzip that is none",
        raw(OK + "Content-Encoding: gzip\r\nContent-Length: 4\r\n", "abcd"),
        UNKNOWN,
        0,
        AMB,
    ),
    Row("drips headers", raw(OK + "X-Long: " + "g" * 500, drip_ms=5), UNKNOWN, 0, AMB, SHORT_MS),
    Row("drips a body", raw(OK, " " * 500, drip_ms=5), UNKNOWN, 0, AMB, SHORT_MS),
]

HTTP = [
    Row("200 empty", whole("200 OK", ""), UNKNOWN, 0, AMB),
    Row("200 HTML", {"kind": "garbage_body"}, UNKNOWN, 0, AMB),
    Row("200 a list", whole("200 OK", "[]"), UNKNOWN, 0, AMB),
    Row("200 a number that is none", whole("200 OK", '{"algoId": NaN}'), UNKNOWN, 0, AMB),
    Row("200 with a refusal", {"kind": "code_in_200", "code": -2021}, REJECTED, -2021, STATE),
    Row("200 with a limit", {"kind": "code_in_200", "code": -1015}, NOT_SENT, -1015, RATE),
    Row("200 with doubt", {"kind": "code_in_200", "code": -1007}, UNKNOWN, -1007, AMB),
    Row("200 with the clock", {"kind": "code_in_200", "code": -1021}, NOT_SENT, -1021, CLOCK),
    Row("204", raw("HTTP/1.1 204 No Content\r\n"), UNKNOWN, 0, AMB),
    Row("302", whole("302 Found", "", "Location: /elsewhere"), UNKNOWN, 0, AMB),
    Row("400 HTML", {"kind": "garbage_body", "status": 400}, UNKNOWN, 0, AMB),
    Row("400 empty", whole("400 Bad Request", ""), UNKNOWN, 0, AMB),
    Row("400 an object without code", whole("400 Bad Request", '{"oops":1}'), UNKNOWN, 0, AMB),
    # The library's own exception breaks on these three: a bare AttributeError.
    Row("400 a list", whole("400 Bad Request", "[1]"), UNKNOWN, 0, AMB),
    Row("400 null", whole("400 Bad Request", "null"), UNKNOWN, 0, AMB),
    Row("400 a text", whole("400 Bad Request", '"no"'), UNKNOWN, 0, AMB),
    Row("401 key format", said(-2014, 401), REJECTED, -2014, PERM),
    Row("401 key refused", said(-2015, 401), REJECTED, -2015, PERM),
    Row("401 unauthorised", said(-1002, 401), REJECTED, -1002, PERM),
    Row("401 HTML", {"kind": "garbage_body", "status": 401}, REJECTED, -2015, PERM),
    Row("401 a list", whole("401 Unauthorized", "[]"), REJECTED, -2015, PERM),
    Row("403 firewall", {"kind": "garbage_body", "status": 403}, NOT_SENT, 0, RETRY),
    Row("403 a list", whole("403 Forbidden", "[]"), NOT_SENT, 0, RETRY),
    Row("404 HTML", {"kind": "garbage_body", "status": 404}, UNKNOWN, 0, AMB),
    Row("408 with a code", said(-1007, 408), UNKNOWN, -1007, AMB),
    Row("408 HTML", {"kind": "garbage_body", "status": 408}, UNKNOWN, 0, AMB),
    Row(
        "418 until a moment",
        whole("418 Banned", '{"code":-1003,"msg":"banned until 9999999999999."}'),
        NOT_SENT,
        -1003,
        RATE,
    ),
    Row("418 a list", whole("418 Banned", "[]"), NOT_SENT, 0, RATE, pause_s=120),
    Row(
        "429 with a pause",
        whole("429 Too Many", '{"code":-1003,"msg":"slow down"}', "Retry-After: 7"),
        NOT_SENT,
        -1003,
        RATE,
        pause_s=7,
    ),
    Row("429 without a word", said(-1003, 429), NOT_SENT, -1003, RATE, pause_s=60),
    Row("429 for orders", said(-1015, 429), NOT_SENT, -1015, RATE, pause_s=10),
    Row("429 HTML", {"kind": "garbage_body", "status": 429}, NOT_SENT, 0, RATE, pause_s=60),
    Row("429 null", whole("429 Too Many", "null"), NOT_SENT, 0, RATE, pause_s=60),
    Row("500 HTML", {"kind": "garbage_body", "status": 500}, UNKNOWN, 0, AMB),
    Row("500 with a code", said(-1000, 500), UNKNOWN, -1000, AMB),
    Row("500 a list", whole("500 Internal", "[]"), UNKNOWN, 0, AMB),
    Row("500 with a refusal", said(-2021, 500), UNKNOWN, -2021, AMB),
    Row("502 HTML", {"kind": "garbage_body", "status": 502}, UNKNOWN, 0, AMB),
    Row("503 unknown", {"kind": "http_503_unknown", "executed": True}, UNKNOWN, -1000, AMB),
    Row("503 unavailable", {"kind": "http_503_unavailable"}, NOT_SENT, -1001, RETRY),
    Row("503 unavailable, bare", whole("503 No", "Service Unavailable."), NOT_SENT, 0, RETRY),
    Row("503 internal", {"kind": "http_503_internal"}, NOT_SENT, -1001, RETRY),
    Row("503 throttled", said(-1008, 503), NOT_SENT, -1008, RETRY),
    Row(
        "503 the page of a proxy",
        whole("503 No", "<b>503 Service Unavailable</b>"),
        UNKNOWN,
        0,
        AMB,
    ),
    Row("503 HTML", {"kind": "garbage_body", "status": 503}, UNKNOWN, 0, AMB),
    Row("503 a list", whole("503 No", "[]"), UNKNOWN, 0, AMB),
    Row("504 HTML", {"kind": "garbage_body", "status": 504}, UNKNOWN, 0, AMB),
    Row(
        "400 -1001 in doubt", said(-1001, msg="Internal error; disconnected."), UNKNOWN, -1001, AMB
    ),
    Row("400 -1001 for sure", said(-1001, msg=INTERNAL), NOT_SENT, -1001, RETRY),
    Row("400 a code nobody knows", said(-9999), REJECTED, -9999, STATE),
]

CODES = """
AMB    -1000 -1006 -1007
RETRY  -1008
RATE   -1003 -1015
CLOCK  -1021 -5028
PERM   -1002 -1013 -1014 -1016 -1020 -1022 -1100 -1101 -1102 -1103 -1104 -1105 -1106 -1111 -1114
PERM   -1115 -1116 -1117 -1118 -1119 -1120 -1121 -1127 -1128 -1130 -1136 -2014 -2015 -2026 -4000
PERM   -4001 -4002 -4003 -4004 -4005 -4007 -4013 -4014 -4015 -4023 -4028 -4161 -4060 -4061 -4062
PERM   -4109 -4120 -4135 -4136 -4137 -4138 -4164 -5024 -5025 -5026 -5037 -5038 -5039 -5040 -5047
GONE   -1125 -2011 -2013
STATE  -1112 -2010 -2018 -2019 -2020 -2021 -2022 -2023 -2024 -2025 -2027 -2028 -4016 -4024 -4045
STATE  -4047 -4048 -4067 -4068 -4087 -4088 -4116 -4117 -4118 -4129 -4130 -4131 -4140 -4141 -4142
STATE  -4183 -4184 -4192 -4210 -4211 -4400 -4401 -4402 -4403 -4404 -4405 -4406 -4407 -4408 -4409
STATE  -4410 -4411 -4509 -4517 -4518 -4519 -4531 -5021 -5022 -5041
DONE   -4046 -4059 -5027
"""
"""Section 6.3 of the reference; -1001 stands above, with both of its texts."""

_KIND = {"AMB": AMB, "RETRY": RETRY, "RATE": RATE, "CLOCK": CLOCK, "PERM": PERM}
_KIND |= {"GONE": GONE, "STATE": STATE, "DONE": DONE}
_FATE = {AMB: UNKNOWN, RETRY: NOT_SENT, RATE: NOT_SENT, CLOCK: NOT_SENT}
BY_CODE = [
    Row(f"400 {code}", said(int(code)), _FATE.get(_KIND[kind], REJECTED), int(code), _KIND[kind])
    for kind, *codes in map(str.split, CODES.strip().splitlines())
    for code in codes
]

ROWS = [*TRANSPORT, *HTTP, *BY_CODE]
_WORD = {REJECTED: "rejected", NOT_SENT: "unavailable", UNKNOWN: "indeterminate"}
_FATE_OF = {Rejected: REJECTED, Unavailable: NOT_SENT, Indeterminate: UNKNOWN}


@pytest.fixture(scope="module")
def venue() -> Iterator[Served]:
    with Served("--port", "0") as served:
        yield served


@pytest.fixture
def pool(venue: Served) -> Iterator[LanePool]:
    pool = LanePool(access_to(venue))
    yield pool
    pool.close()


def access_to(venue: Served) -> BinanceAccess:
    ready = venue.ready
    return BinanceAccess(venue.rest_url, ready["api_key"], ready["api_secret"], "BTCUSDT")


def monotonic_ms() -> int:
    return time.monotonic_ns() // 1_000_000


def an_exchange(venue: Served, pool: LanePool) -> BinanceExchange:
    """Return the real adapter; its clock is set by hand, so that the first request is the one."""
    clock = ExchangeClock(monotonic_ms)
    now_ms, told_ms = monotonic_ms(), int(str(venue.admin("GET", "state")["now_ms"]))
    clock.anchor(now_ms, now_ms, told_ms)
    return BinanceExchange(access_to(venue), pool, clock)


def arm(venue: Served, row: Row, verb: str, path: str) -> int:
    venue.admin("DELETE", "faults")
    armed = venue.admin("POST", "faults", {**row.fault, "match": {"verb": verb, "path": path}})
    ids = armed["ids"]
    assert isinstance(ids, list)
    return int(ids[0])


def struck(venue: Served, number: int) -> int:
    faults = venue.admin("GET", "faults")["faults"]
    assert isinstance(faults, list)
    return sum(fault["struck"] for fault in faults if fault["id"] == number)


def a_permit(now_ms: int) -> Permit:
    return Permit(PlaceOrder(STOP, ActionClass.PROTECT, "rule", "reason"), now_ms, 5_000)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_write_that_fails_on_the_wire_has_this_fate(
    venue: Served, pool: LanePool, row: Row
) -> None:
    exchange = an_exchange(venue, pool)
    number = arm(venue, row, "POST", "algoOrder")

    (outcome,) = exchange.send([a_permit(exchange.now_ms())], row.patience_ms)

    assert (outcome.fate, outcome.code) == (row.fate, row.code), outcome.text
    assert struck(venue, number) == 1, "the venue did not produce this row"
    pause_ms = exchange.usage().blocked_until_ms - exchange.now_ms()
    assert (pause_ms > 0) is (row.kind is RATE)
    if row.pause_s is not None:
        assert row.pause_s * 1000 - 1_000 < pause_ms <= row.pause_s * 1000
    assert (exchange.clock_error_ms() is None) is (row.kind is CLOCK)


READS = [*TRANSPORT, *HTTP]


@pytest.mark.parametrize("row", READS, ids=lambda row: row.name)
def test_a_read_that_fails_on_the_wire_says_the_same(
    venue: Served, pool: LanePool, row: Row
) -> None:
    exchange = an_exchange(venue, pool)
    number = arm(venue, row, "GET", "bookTicker")

    (told,) = exchange.ask([Question(Topic.BOOK_TICKER)], row.patience_ms)

    assert told.value is None
    assert told.failure is not None
    assert (told.failure.fate, told.failure.code) == (_WORD[row.fate], row.code)
    assert struck(venue, number) == 1, "the venue did not produce this row"


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_what_the_library_raises_has_this_class(venue: Served, pool: LanePool, row: Row) -> None:
    """Straight from python-binance: its exceptions, its bare AttributeError, its plain dicts."""
    now_ms = int(str(venue.admin("GET", "state")["now_ms"]))
    arm(venue, row, "POST", "algoOrder")

    (fate,) = pool.run([partial(_placed, now_ms, row.patience_ms)], 3 * row.patience_ms + 500)

    if fate is None or not isinstance(fate, Rejected | Unavailable | Indeterminate):
        # The library saw no failure: what it returned is no order, or the lane was cut.
        assert row.kind is AMB
        return
    assert class_of(fate) is row.kind
    assert (_FATE_OF[type(fate)], fate.code) == (row.fate, row.code)


def _placed(now_ms: int, patience_ms: int, client: LaneClient) -> KnownFate | None:
    client.prepare(lambda: now_ms, 5_000, patience_ms)
    try:
        reply = client.futures_create_algo_order(**wire_orders.place_parameters(STOP, "BTCUSDT"))
    except Exception as error:  # noqa: BLE001 - that is the question
        return fate_of(error, now_ms, client.response)
    return fate_of_body(reply, now_ms)


def test_every_code_of_the_table_is_produced_on_the_wire() -> None:
    """A row nobody has seen on the wire is a guess."""
    produced = {row.code for row in ROWS if row.fault.get("kind") == "error"}

    assert frozenset().union(*CLASSES.values()) <= produced


def test_each_code_has_one_class() -> None:
    codes = [code for codes in CLASSES.values() for code in codes]

    assert len(codes) == len(set(codes))


def test_a_venue_that_is_not_there_was_certainly_not_reached() -> None:
    """A refused connection is the one failure of the transport that is certain."""
    with Served("--port", "0") as gone:
        access = access_to(gone)
        gone.end()
        pool = LanePool(access)
        exchange = BinanceExchange(access, pool, ExchangeClock(monotonic_ms))

        (outcome,) = exchange.send([a_permit(1)], PATIENCE_MS)

        pool.close()
    assert (outcome.fate, outcome.code) == (NOT_SENT, 0)


def test_a_connection_that_is_not_made_in_time_was_certainly_not_reached() -> None:
    """The queue of a listener is full: the handshake hangs, and the deadline holds."""
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        address = full.getsockname()
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(address)
        access = BinanceAccess(f"http://127.0.0.1:{address[1]}", "key", "secret", "BTCUSDT")
        pool = LanePool(access)
        exchange = BinanceExchange(access, pool, ExchangeClock(monotonic_ms))
        started_ms = monotonic_ms()

        (outcome,) = exchange.send([a_permit(1)], SHORT_MS)

        assert monotonic_ms() - started_ms < SHORT_MS + 200
        pool.close()
        for one in waiting:
            one.close()
    assert (outcome.fate, outcome.code) == (NOT_SENT, 0)
