"""Our client among the library's habits: exact numbers, one symbol of many, nothing left open."""

from __future__ import annotations

import hmac
import json
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest
import requests

from engine.domain.action import CancelOrder
from engine.domain.errors import Unavailable
from engine.domain.identity import ClientOrderId, OrderRole
from engine.domain.observation import Question, Topic
from engine.domain.terms import ActionClass, Book
from engine.exchange.binance.client import BinanceAccess, LaneClient
from engine.exchange.binance.usage import UsageMeter
from engine.exchange.port import Permit
from tests.canned import ACCESS, NOW_MS, Wire, an_exchange, said
from tests.wire.payloads import ACCOUNT, BRACKETS, SYMBOL, TRADE


def descriptors() -> int:
    """Return how many file descriptors are open, 0 where nobody tells."""
    return len(list(Path("/proc/self/fd").iterdir())) if sys.platform == "linux" else 0


def test_construction_asks_nothing_and_opens_nothing() -> None:
    """The library's constructor would otherwise leave an event loop behind in every lane."""
    before = descriptors()

    clients = [LaneClient(ACCESS) for _ in range(4)]

    assert descriptors() == before
    assert all(not client.session.trust_env for client in clients)


def test_fractions_become_the_decimals_they_were_written_as() -> None:
    raw = json.dumps({**BRACKETS, "notionalCoef": 1}).replace('"0.004"', "0.004")
    exchange, _ = an_exchange(Wire([said(raw)]))

    (told,) = exchange.ask([Question(Topic.BRACKETS)], 1_000)

    assert "maintenance_ratio=Decimal('0.004')" in str(told.value)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(
            {"assets": [{"symbol": "BTCUSDT"}], "symbols": [{"symbol": "ETHUSDT"}, SYMBOL]},
            id="found by its first key",
        ),
        pytest.param(
            {"symbols": [{key: SYMBOL[key] for key in reversed(SYMBOL)}]},
            id="found by reading everything",
        ),
    ],
)
def test_one_symbol_is_taken_out_of_the_long_list(body: object) -> None:
    exchange, _ = an_exchange(Wire([said(body)]))

    (told,) = exchange.ask([Question(Topic.INSTRUMENT)], 1_000)

    assert told.failure is None
    assert "tick_size=Decimal('0.10')" in str(told.value)


@pytest.mark.parametrize("body", [{"symbols": []}, {}, [], '{"symbol":"BTCUSDT","filters":['])
def test_a_symbol_that_is_not_listed_is_no_instrument(body: object) -> None:
    exchange, _ = an_exchange(Wire([said(body)]))

    (told,) = exchange.ask([Question(Topic.INSTRUMENT)], 1_000)

    assert told.failure is not None
    assert told.failure.fate == "indeterminate"


def test_the_wallet_asked_for_is_that_of_the_instruments_margin_asset() -> None:
    other = {**SYMBOL, "marginAsset": "USDC"}
    wallet = {**ACCOUNT, "assets": [{**ACCOUNT["assets"][0], "asset": "USDC"}]}
    exchange, _ = an_exchange(Wire([said({"symbols": [other]}), said(wallet)]))
    exchange.ask([Question(Topic.INSTRUMENT)], 1_000)

    (told,) = exchange.ask([Question(Topic.ACCOUNT)], 1_000)

    assert told.failure is None


def test_a_full_page_of_trades_is_followed_by_the_next() -> None:
    """A thousand fills is the limit of one reply; the rest must not go missing."""
    first = [{**TRADE, "id": number} for number in range(1, 1001)]
    wire = Wire([said(first), said([{**TRADE, "id": 1001}])])
    exchange, _ = an_exchange(wire)

    (told,) = exchange.ask([Question(Topic.FILLS, since_ms=NOW_MS - 1_000)], 1_000)

    assert isinstance(told.value, tuple)
    assert len(told.value) == 1001
    assert "fromId=1001" in wire.asked[1][2]
    assert "startTime" not in wire.asked[1][2]
    assert exchange.usage().weight_spent == 10


def test_a_history_that_does_not_end_is_no_history() -> None:
    page = [{**TRADE, "id": number} for number in range(1, 1001)]
    exchange, _ = an_exchange(Wire([said(page)] * 5))

    (told,) = exchange.ask([Question(Topic.FILLS)], 1_000)

    assert told.failure is not None


@pytest.mark.parametrize("topic", [Topic.FILLS, Topic.ORDER_HISTORY, Topic.ALGO_HISTORY])
@pytest.mark.parametrize("since_ms", [None, 0, NOW_MS - 30 * 86_400_000])
def test_histories_are_asked_within_the_exchanges_seven_days(
    topic: Topic, since_ms: int | None
) -> None:
    wire = Wire([said([])])
    exchange, _ = an_exchange(wire)

    exchange.ask([Question(topic, since_ms=since_ms)], 1_000)

    start_ms = int(wire.asked[0][2].partition("startTime=")[2].partition("&")[0])
    assert NOW_MS - 7 * 86_400_000 < start_ms < NOW_MS - 6 * 86_400_000


def test_the_secret_is_in_no_text() -> None:
    access = BinanceAccess("http://x", "the-key", "the-secret", "BTCUSDT")

    assert "the-secret" not in f"{access!r} {access}"
    assert "the-key" not in f"{access!r} {access}"


def test_counters_belong_to_their_minute() -> None:
    now = [NOW_MS]
    wire = Wire([said([], x_mbx_used_weight_1m="77", x_mbx_order_count_10s="9"), said([])])
    exchange, _ = an_exchange(wire, lambda: now[0])

    exchange.ask([Question(Topic.POSITION)], 1_000)

    assert (exchange.usage().weight_used, exchange.usage().orders_10s) == (77, 9)
    now[0] += 60_000
    assert (exchange.usage().weight_used, exchange.usage().orders_10s) == (0, 0)
    assert (exchange.usage().requests, exchange.usage().weight_spent) == (1, 5)


def test_every_number_is_a_decimal_with_no_float_in_between() -> None:
    exchange, _ = an_exchange(Wire([said('{"bidPrice": 0.1, "askPrice": "0.30000000000000004"}')]))

    (told,) = exchange.ask([Question(Topic.BOOK_TICKER)], 1_000)

    assert f"{told.value}" == (
        f"Quote(bid={Decimal('0.1')!r}, ask={Decimal('0.30000000000000004')!r})"
    )


def test_a_document_with_a_number_that_is_none_is_no_json() -> None:
    exchange, _ = an_exchange(Wire([said('{"bidPrice": "1", "askPrice": "2", "time": NaN}')]))

    (told,) = exchange.ask([Question(Topic.BOOK_TICKER)], 1_000)

    assert told.failure is not None


def test_a_broken_connection_does_not_repeat_what_the_last_answer_said() -> None:
    """The library leaves the previous response standing after a transport failure."""
    now = [NOW_MS]
    wire = Wire([said([], x_mbx_used_weight_1m="2390"), requests.ConnectionError()])
    exchange, _ = an_exchange(wire, lambda: now[0])
    exchange.ask([Question(Topic.POSITION)], 1_000)
    now[0] += 60_000

    exchange.ask([Question(Topic.POSITION)], 1_000)

    assert exchange.usage().weight_used == 0
    assert exchange.usage().consecutive_failures == 1


def test_a_block_never_gets_shorter() -> None:
    """Answers of one burst come in any order."""
    meter = UsageMeter(2_400, lambda: 0)
    meter.block(9_000)

    meter.block(5_000)

    assert meter.usage(0).blocked_until_ms == 9_000


@pytest.mark.parametrize("step_ms", [-3_600_000, 0, 3_600_000])
def test_a_silence_lasts_as_long_as_it_was_told_whatever_the_exchanges_clock_does(
    step_ms: int,
) -> None:
    """RULES H4, A6: the local clock measures waiting; an hour's step back must not last an hour."""
    mono = [0]
    meter = UsageMeter(2_400, lambda: mono[0])
    meter.block(5_000)

    mono[0] = 4_999
    assert meter.is_blocked()
    assert meter.usage(NOW_MS + step_ms).blocked_until_ms == NOW_MS + step_ms + 1
    mono[0] = 5_000
    assert not meter.is_blocked()
    assert meter.usage(NOW_MS + step_ms).blocked_until_ms == 0


def test_every_signature_covers_the_raw_text_that_is_sent() -> None:
    """The exchange verifies what it received, byte by byte, up to the signature itself."""
    wire = Wire([said([]), said({"code": -2011, "msg": "Unknown order sent."}, 400)])
    exchange, _ = an_exchange(wire)
    name = ClientOrderId("7f3aq2", 1, OrderRole.TP1, 1)
    cancel = CancelOrder(name, Book.ALGO, ActionClass.MANAGE, "rule", "reason")

    exchange.ask([Question(Topic.OPEN_ORDERS)], 1_000)
    exchange.send([Permit(cancel, NOW_MS, 5_000)], 1_000)

    for _, _, sent in wire.asked:
        text, _, signature = sent.partition("&signature=")
        assert text.startswith(("recvWindow", "clientAlgoId"))
        assert signature == hmac.new(b"secret", text.encode(), "sha256").hexdigest()


def test_a_call_without_a_stamp_signs_nothing() -> None:
    client = LaneClient(ACCESS)

    with pytest.raises(ValueError, match="stamp"):
        client.futures_account_config()


def test_a_parameter_without_value_is_neither_signed_nor_sent() -> None:
    wire = Wire([said([])])
    client = LaneClient(ACCESS)
    client.session = wire
    client.prepare(lambda: NOW_MS, 5_000, 1_000)

    client.futures_get_open_orders(symbol="BTCUSDT", orderId=None)

    text, _, signature = wire.asked[0][2].partition("&signature=")
    assert "orderId" not in text
    assert signature == hmac.new(b"secret", text.encode(), "sha256").hexdigest()


def test_dates_in_words_cost_nothing_until_somebody_reads_one() -> None:
    """10 MB and a tenth of a start for what the keeper never uses; the library still works."""
    code = (
        "import sys, engine.exchange.binance.client as c; print('regex' in sys.modules);"
        "from binance.helpers import date_to_milliseconds;"
        "print(date_to_milliseconds('1 Jan 2026'), 'regex' in sys.modules)"
    )

    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert ran.stdout.split() == ["False", "1767225600000", "True"]


LIMITS = [
    {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 240},
    {"rateLimitType": "ORDERS", "interval": "MINUTE", "intervalNum": 1, "limit": 120},
    {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": 30},
]


@pytest.mark.parametrize(
    ("told", "weight", "orders"),
    [
        pytest.param(LIMITS, 240, (30, 120), id="all told"),
        pytest.param(LIMITS[:1], 240, (300, 1200), id="one told"),
        pytest.param("no list", 2400, (300, 1200), id="no list"),
        pytest.param([1, {}, {"limit": 5}], 2400, (300, 1200), id="rows nobody knows"),
        pytest.param([{**LIMITS[0], "limit": 0}], 2400, (300, 1200), id="none at all"),
        pytest.param([{**LIMITS[0], "limit": "9"}], 2400, (300, 1200), id="no number"),
    ],
)
def test_the_budget_is_the_one_the_exchange_names(
    told: object, weight: int, orders: tuple[int, int]
) -> None:
    """RULES H4: demo has another than live, and either may change without notice."""
    exchange, _ = an_exchange(Wire([said({"rateLimits": told, "symbols": [SYMBOL]})]))

    (answer,) = exchange.ask([Question(Topic.INSTRUMENT)], 1_000)

    usage = exchange.usage()
    assert answer.failure is None
    assert usage.weight_limit == weight
    assert (usage.orders_10s_limit, usage.orders_1m_limit) == orders


def test_limits_that_cannot_be_read_spoil_no_answer() -> None:
    body = json.dumps({"symbols": [SYMBOL]})[:-1] + ', "rateLimits": [{]}'
    exchange, _ = an_exchange(Wire([said(body)]))

    (answer,) = exchange.ask([Question(Topic.INSTRUMENT)], 1_000)

    assert answer.failure is None
    assert exchange.usage().weight_limit == 2400


def test_inside_a_silence_not_even_the_clock_is_asked() -> None:
    """RULES H4: nothing is sent by any class; not even what would mend -1021."""
    wire = Wire([said({"code": -1003, "msg": "slow down"}, 429), said({"serverTime": NOW_MS})])
    exchange, _ = an_exchange(wire)
    exchange.ask([Question(Topic.POSITION)], 1_000)

    with pytest.raises(Unavailable, match="silence"):
        exchange.anchor_clock()
    with pytest.raises(Unavailable, match="silence"):
        exchange.key_rights(1_000)

    assert len(wire.asked) == 1
