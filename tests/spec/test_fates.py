"""Every failure has one fate, by what is known of the request (RULES C4, exchange reference 6).

The failures are the library's own: python-binance meets the reply and raises what it raises. A
failure in the wrong row either repeats an order that executed or gives up one that did not.
"""

from __future__ import annotations

import socket
import ssl
from decimal import Decimal
from http.client import RemoteDisconnected

import pytest
import requests
from urllib3.exceptions import MaxRetryError, NewConnectionError, ProtocolError, SSLError

from engine.domain.action import CancelOrder, Configure, PlaceOrder
from engine.domain.identity import ClientOrderId, OrderRole
from engine.domain.observation import Question, Topic
from engine.domain.order import OrderTerms
from engine.domain.terms import ActionClass, Book, Fate, OrderSide, OrderType
from engine.exchange.binance.adapter import BinanceExchange
from engine.exchange.binance.client import BinanceAccess, LaneClient
from engine.exchange.binance.clock import ExchangeClock
from engine.exchange.binance.lanes import InlineLanes
from engine.exchange.port import Permit
from engine.venue.values import Reply
from tests.canned import NOW_MS, Wire, an_exchange, said
from tests.wire.payloads import ALGO, ORDER

REJECTED, NOT_SENT, UNKNOWN = Fate.REJECTED, Fate.NOT_SENT, Fate.UNKNOWN
STOP = OrderTerms(
    ClientOrderId("7f3aq2", 1, OrderRole.STOP_PRIMARY, 3),
    OrderSide.SELL,
    OrderType.STOP_MARKET,
    Decimal("0.013"),
    trigger_price=Decimal(90380),
    reduce_only=True,
)


def refused_connection() -> requests.ConnectionError:
    reason = NewConnectionError(None, "Connection refused")  # type: ignore[arg-type]
    return requests.ConnectionError(MaxRetryError(None, "/", reason))  # type: ignore[arg-type]


def aborted(inner: Exception) -> requests.ConnectionError:
    return requests.ConnectionError(ProtocolError("Connection aborted.", inner))


def bad_certificate() -> requests.exceptions.SSLError:
    inner = SSLError(ssl.SSLCertVerificationError(1, "self-signed certificate"))
    return requests.exceptions.SSLError(MaxRetryError(None, "/", inner))  # type: ignore[arg-type]


def coded(code: int, message: str = "…", status: int = 400, **headers: str) -> Reply:
    return said({"code": code, "msg": message}, status, **headers)


INTERNAL = "Internal error; unable to process your request. Please try again."
UNKNOWN_ERROR = "Unknown error, please check your request or try again later."
HTML = "<html><h1>Bad Gateway</h1></html>"

TABLE: list[tuple[str, Reply | Exception, Fate, int]] = [
    # what happened                      the reply or error                       fate       code
    ("connection refused", refused_connection(), NOT_SENT, 0),
    ("connect timed out", requests.ConnectTimeout("timed out"), NOT_SENT, 0),
    ("certificate refused", bad_certificate(), NOT_SENT, 0),
    ("invalid url", requests.exceptions.InvalidURL("no host"), NOT_SENT, 0),
    ("read timed out", requests.ReadTimeout("timed out"), UNKNOWN, 0),
    ("reset before a byte", aborted(ConnectionResetError(104, "reset")), UNKNOWN, 0),
    ("closed before a byte", aborted(RemoteDisconnected("closed")), UNKNOWN, 0),
    ("truncated chunks", requests.exceptions.ChunkedEncodingError("ended"), UNKNOWN, 0),
    ("bad gzip", requests.exceptions.ContentDecodingError("gzip"), UNKNOWN, 0),
    ("tls broke", requests.exceptions.SSLError("EOF"), UNKNOWN, 0),
    ("something else", OSError("?"), UNKNOWN, 0),
    ("200 that is no JSON", said(HTML), UNKNOWN, 0),
    ("200 cut short", said('{"orderId": 1'), UNKNOWN, 0),
    ("200 empty", said(""), UNKNOWN, 0),
    ("200 a list", said([]), UNKNOWN, 0),
    ("200 with NaN", said('{"algoId": NaN}'), UNKNOWN, 0),
    ("200 carrying a refusal", coded(-2021, status=200), REJECTED, -2021),
    ("200 carrying a limit", coded(-1015, status=200), NOT_SENT, -1015),
    ("200 carrying doubt", coded(-1007, status=200), UNKNOWN, -1007),
    ("204", said("", 204), UNKNOWN, 0),
    ("302 elsewhere", said("", 302, Location="http://elsewhere.invalid"), UNKNOWN, 0),
    ("400 without code", said({"oops": 1}, 400), UNKNOWN, 0),
    ("400 HTML", said(HTML, 400), UNKNOWN, 0),
    ("400 a list (the library breaks)", said([1], 400), UNKNOWN, 0),
    ("401 key refused", coded(-2015, "Invalid API-key", 401), REJECTED, -2015),
    ("401 HTML", said(HTML, 401), REJECTED, -2015),
    ("403 firewall", said(HTML, 403), NOT_SENT, 0),
    ("403 a list", said([], 403), NOT_SENT, 0),
    ("404", said(HTML, 404), UNKNOWN, 0),
    ("408 backend timed out", coded(-1007, "Timeout", 408), UNKNOWN, -1007),
    ("408 HTML", said(HTML, 408), UNKNOWN, 0),
    ("429 with a pause", coded(-1003, "Too many requests", 429, Retry_After="7"), NOT_SENT, -1003),
    ("429 a list", said([], 429), NOT_SENT, 0),
    ("418 banned", coded(-1003, "banned until 1795000090000.", 418), NOT_SENT, -1003),
    ("429 orders", coded(-1015, "Too many new orders", 429), NOT_SENT, -1015),
    ("500", said(HTML, 500), UNKNOWN, 0),
    ("500 with a code", coded(-1000, "An unknown error", 500), UNKNOWN, -1000),
    ("502", said(HTML, 502), UNKNOWN, 0),
    ("503 unknown", coded(-1000, UNKNOWN_ERROR, 503), UNKNOWN, -1000),
    ("503 unavailable", said("Service Unavailable.", 503), NOT_SENT, 0),
    ("503 unavailable, as JSON", said({"msg": "Service Unavailable."}, 503), UNKNOWN, 0),
    ("503 unavailable, with a code", coded(-1, "Service Unavailable.", 503), NOT_SENT, -1),
    ("503 page of a proxy", said("<b>503 Service Unavailable</b>", 503), UNKNOWN, 0),
    ("503 internal", coded(-1001, INTERNAL, 503), NOT_SENT, -1001),
    ("503 throttled", coded(-1008, "Request throttled", 503), NOT_SENT, -1008),
    ("503 anything else", said(HTML, 503), UNKNOWN, 0),
    ("504", said(HTML, 504), UNKNOWN, 0),
    ("-1000", coded(-1000, "An unknown error occurred"), UNKNOWN, -1000),
    ("-1001 disconnected", coded(-1001, "Internal error; disconnected."), UNKNOWN, -1001),
    ("-1001 unable to process", coded(-1001, INTERNAL), NOT_SENT, -1001),
    ("-1006", coded(-1006), UNKNOWN, -1006),
    ("-1007", coded(-1007), UNKNOWN, -1007),
    ("-1021 clock", coded(-1021, "outside of the recvWindow"), NOT_SENT, -1021),
    ("-5028 clock", coded(-5028), NOT_SENT, -5028),
    *(
        (f"{code}", coded(code), REJECTED, code)
        for code in (
            # refusals: nothing rests, nothing executed
            *(-1013, -1016, -1022, -1102, -1106, -1111, -1116, -1121, -1130),
            *(-2010, -2011, -2013, -2014, -2019, -2021, -2022, -2025, -2027),
            *(-4003, -4014, -4015, -4024, -4045, -4047, -4061, -4109, -4116),
            *(-4117, -4118, -4120, -4130, -4131, -4164, -4192, -4509, -5021, -5022, -9999),
        )
    ),
]


def a_permit() -> Permit:
    return Permit(PlaceOrder(STOP, ActionClass.PROTECT, "rule", "reason"), NOW_MS - 5, 2_000)


@pytest.mark.parametrize(
    ("answer", "fate", "code"), [pytest.param(a, f, c, id=name) for name, a, f, c in TABLE]
)
def test_a_write_that_failed_has_this_fate(
    answer: Reply | Exception, fate: Fate, code: int
) -> None:
    exchange, _ = an_exchange(Wire([answer]))

    (outcome,) = exchange.send([a_permit()], 1_000)

    assert (outcome.fate, outcome.code) == (fate, code)


WORDS = {REJECTED: "rejected", NOT_SENT: "unavailable", UNKNOWN: "indeterminate"}


@pytest.mark.parametrize(
    ("answer", "fate", "code"), [pytest.param(a, f, c, id=name) for name, a, f, c in TABLE]
)
def test_a_read_that_failed_says_the_same(answer: Reply | Exception, fate: Fate, code: int) -> None:
    exchange, _ = an_exchange(Wire([answer]))

    (told,) = exchange.ask([Question(Topic.BOOK_TICKER)], 1_000)

    assert told.value is None
    assert told.failure is not None
    assert (told.failure.fate, told.failure.code) == (WORDS[fate], code)


def test_what_may_have_executed_is_dead_after_stamp_window_and_clock_error() -> None:
    """Until then nothing that can open may be sent again (RULES C4)."""
    exchange, clock = an_exchange(Wire([requests.ReadTimeout()]))

    (outcome,) = exchange.send([a_permit()], 1_000)

    assert outcome.dead_after_ms == NOW_MS - 5 + 2_000 + (clock.error_ms() or 0)


@pytest.mark.parametrize(
    ("answer", "pause_ms"),
    [
        pytest.param(coded(-1003, "slow down", 429, Retry_After="7"), 7_000, id="header"),
        pytest.param(coded(-1003, "slow down", 429), 60_000, id="429 without a word"),
        pytest.param(coded(-1003, "slow down", 418), 120_000, id="418 without a word"),
        pytest.param(
            coded(-1003, f"banned until {NOW_MS + 90_000}.", 418, Retry_After="5"),
            90_000,
            id="the message is longer than the header",
        ),
        pytest.param(
            coded(-1003, f"banned until {NOW_MS - 90_000}.", 418, Retry_After="5"),
            5_000,
            id="the message names the past",
        ),
    ],
)
def test_nothing_at_all_leaves_inside_a_429_or_418_period(answer: Reply, pause_ms: int) -> None:
    """Field lesson 38: whoever goes on gets banned for days, with a position open."""
    now = [NOW_MS]
    wire = Wire([answer, said([])])
    exchange, _ = an_exchange(wire, lambda: now[0])
    exchange.ask([Question(Topic.POSITION)], 1_000)
    assert exchange.usage().blocked_until_ms == NOW_MS + pause_ms

    now[0] += pause_ms - 1
    (outcome,) = exchange.send([a_permit()], 1_000)
    (told,) = exchange.ask([Question(Topic.POSITION)], 1_000)

    assert outcome.fate is NOT_SENT
    assert told.failure is not None
    assert len(wire.asked) == 1
    now[0] += 1
    (told,) = exchange.ask([Question(Topic.POSITION)], 1_000)
    assert told.failure is None


def test_a_refused_timestamp_makes_the_next_look_measure_the_clock_first() -> None:
    """Field lesson 39: the offset is measured on the first -1021, and the next tick goes on."""
    wire = Wire([coded(-1021), said({"serverTime": NOW_MS + 10_000}), said([])])
    exchange, _ = an_exchange(wire)
    exchange.send([a_permit()], 1_000)
    assert exchange.clock_error_ms() is None

    (told,) = exchange.ask([Question(Topic.POSITION)], 1_000)

    assert told.failure is None
    assert [path for _, path, _ in wire.asked] == [
        "/fapi/v1/algoOrder",
        "/fapi/v1/time",
        "/fapi/v3/positionRisk",
    ]
    assert exchange.now_ms() == NOW_MS + 10_000
    assert f"timestamp={NOW_MS + 10_000}" in wire.asked[2][2]


def a_cancel(book: Book) -> Permit:
    request = CancelOrder(STOP.client_id, book, ActionClass.MANAGE, "rule", "reason")
    return Permit(request, NOW_MS, 5_000)


def test_a_cancel_of_what_is_gone_is_rejected_with_its_code() -> None:
    exchange, _ = an_exchange(Wire([coded(-2011), coded(-2011)]))

    outcomes = exchange.send([a_cancel(Book.ALGO), a_cancel(Book.REGULAR)], 1_000)

    assert [(o.fate, o.code) for o in outcomes] == [(REJECTED, -2011)] * 2


def test_an_algo_cancel_reports_no_order_and_a_regular_one_does() -> None:
    done = {"algoId": 1, "clientAlgoId": "kp7f3aq2001s003", "code": "200", "msg": "success"}
    gone = {**ORDER, "clientOrderId": "kp7f3aq2001s003", "status": "CANCELED"}
    wire = Wire([said(done), said(gone)])
    exchange, _ = an_exchange(wire)

    algo, regular = exchange.send([a_cancel(Book.ALGO), a_cancel(Book.REGULAR)], 1_000)

    assert (algo.fate, algo.report) == (Fate.ACCEPTED, None)
    assert regular.report is not None
    assert [(verb, path) for verb, path, _ in wire.asked] == [
        ("DELETE", "/fapi/v1/algoOrder"),
        ("DELETE", "/fapi/v1/order"),
    ]


@pytest.mark.parametrize(
    "reply",
    [
        {},
        [],
        {"clientAlgoId": "kp7f3aq2001s003", "code": "500", "msg": "?"},
        {"clientAlgoId": "kpzzzzzz001s001", "code": "200", "msg": "success"},
    ],
)
def test_a_cancel_is_done_only_when_the_reply_says_so(reply: object) -> None:
    """An empty 200 would otherwise take a resting stop for gone."""
    exchange, _ = an_exchange(Wire([said(reply)]))

    (outcome,) = exchange.send([a_cancel(Book.ALGO)], 1_000)

    assert outcome.fate is UNKNOWN


def test_a_reply_about_another_order_decides_nothing() -> None:
    """The library has handed out other threads' replies (its issue 1011)."""
    exchange, _ = an_exchange(Wire([said({**ALGO, "clientAlgoId": "kpzzzzzz001s001"})]))

    (outcome,) = exchange.send([a_permit()], 1_000)

    assert outcome.fate is UNKNOWN


@pytest.mark.parametrize("word", ["FINISHED", "SOMETHING_NEW"])
def test_an_accepted_order_in_a_state_we_do_not_understand_is_looked_up(word: str) -> None:
    exchange, _ = an_exchange(Wire([said({**ALGO, "algoStatus": word})]))

    (outcome,) = exchange.send([a_permit()], 1_000)

    assert (outcome.fate, outcome.report) == (Fate.ACCEPTED, None)


@pytest.mark.parametrize(
    ("replies", "fate", "code"),
    [
        ([coded(-4046), said({"leverage": 3})], Fate.ACCEPTED, 0),
        ([said({"code": 200, "msg": "success"}), said({"leverage": 3})], Fate.ACCEPTED, 0),
        ([coded(-4046), said({"leverage": 20})], UNKNOWN, 0),
        ([said({})], UNKNOWN, 0),
        ([coded(-4048)], REJECTED, -4048),
        ([coded(-4046), coded(-4028)], REJECTED, -4028),
    ],
)
def test_no_need_to_change_the_margin_type_counts_as_changed(
    replies: list[Reply | Exception], fate: Fate, code: int
) -> None:
    wire = Wire(replies)
    exchange, _ = an_exchange(wire)
    request = Configure(3, True, ActionClass.ENTER, "rule", "reason")

    (outcome,) = exchange.send([Permit(request, NOW_MS, 5_000)], 1_000)

    assert (outcome.fate, outcome.code) == (fate, code)
    assert "marginType=ISOLATED" in wire.asked[0][2]


def test_an_order_that_is_not_found_is_an_answer_and_no_failure() -> None:
    """Not found is not absent (RULES C1), but it is not a broken exchange either."""
    exchange, _ = an_exchange(Wire([coded(-2013)]))

    (told,) = exchange.ask([Question(Topic.ORDER, client_id="kpx", book=Book.ALGO)], 1_000)

    assert told.failure is None
    assert str(told.value) == "NotFound(client_id='kpx')"
    assert exchange.usage().consecutive_failures == 0


def test_a_finished_stop_that_hides_its_child_is_completed_by_the_child() -> None:
    finished = {**ALGO, "algoStatus": "FINISHED", "actualOrderId": "77"}
    child = {**ORDER, "status": "FILLED", "executedQty": "0.013"}
    wire = Wire([said(finished), said(child)])
    exchange, _ = an_exchange(wire)

    (told,) = exchange.ask([Question(Topic.ORDER, client_id="x", book=Book.ALGO)], 1_000)

    assert "'filled'" in str(told.value)
    assert "orderId=77" in wire.asked[1][2]


def test_what_is_kept_of_a_failure_holds_no_signed_query_and_no_address() -> None:
    """Texts go to logs and store, and must be the same on every run."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        access = BinanceAccess(
            f"http://127.0.0.1:{nobody.getsockname()[1]}", "key", "secret", "BTCUSDT"
        )
        lanes = InlineLanes(LaneClient(access))
        exchange = BinanceExchange(access, lanes, ExchangeClock(lambda: NOW_MS))

        (told,) = exchange.ask([Question(Topic.POSITION)], 1_000)

    lanes.close()
    assert told.failure is not None
    assert told.failure.fate == "unavailable"
    assert "refused" in told.failure.text
    assert not [w for w in ("signature", "0x", "timestamp") if w in told.failure.text]
