"""python-binance on the served venue: what it sends arrives, and losses are real losses."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path

import pytest
import requests
from binance.exceptions import BinanceAPIException

from tests.venue_server.served import Served

STOP = {
    "symbol": "BTCUSDT",
    "side": "SELL",
    "type": "STOP_MARKET",
    "triggerPrice": "90380.0",
    "quantity": "0.013",
    "reduceOnly": "true",
    "timeInForce": "GTC",
}
ENTRY = {
    "symbol": "BTCUSDT",
    "side": "BUY",
    "type": "LIMIT",
    "price": "90743.3",
    "quantity": "0.013",
    "timeInForce": "GTC",
}


def test_a_position_is_armed_opened_and_stopped_out(venue: Served) -> None:
    """The whole way through the real library: stop first, entry, fill, trigger, flat."""
    client = venue.client()
    client.futures_change_leverage(symbol="BTCUSDT", leverage=3)
    stop = client.futures_create_order(**STOP, clientAlgoId="kpaaaaaa001s001")
    assert stop["algoStatus"] == "NEW"
    client.futures_create_order(**ENTRY, newClientOrderId="kpaaaaaa001e001")

    venue.admin("POST", "price", {"last": "90740"})
    (position,) = client.futures_position_information(symbol="BTCUSDT")
    assert Decimal(position["positionAmt"]) == Decimal("0.013")
    venue.admin("POST", "price", {"last": "90380"})

    positions = client.futures_position_information(symbol="BTCUSDT")
    assert all(Decimal(row["positionAmt"]) == 0 for row in positions)
    assert client.futures_get_open_orders(symbol="BTCUSDT", conditional=True) == []
    trades = client.futures_account_trades(symbol="BTCUSDT")
    assert [(row["side"], Decimal(row["qty"])) for row in trades] == [
        ("BUY", Decimal("0.013")),
        ("SELL", Decimal("0.013")),
    ]


def test_a_delete_carries_its_parameters_in_the_body(venue: Served) -> None:
    client = venue.client()
    client.futures_create_order(**ENTRY, newClientOrderId="mine-1")

    client.futures_cancel_order(symbol="BTCUSDT", origClientOrderId="mine-1")

    assert client.futures_get_open_orders(symbol="BTCUSDT") == []


def test_every_reply_says_how_much_was_used(venue: Served) -> None:
    client = venue.client()

    client.futures_time()

    assert int(client.response.headers["x-mbx-used-weight-1m"]) >= 1


def test_the_venue_shows_the_real_time(venue: Served) -> None:
    """A signed request of a client with a right clock must not be too old."""
    shown = venue.client().futures_time()["serverTime"]

    assert abs(shown - time.time() * 1000) < 2000  # noqa: TID251 - compared with the machine's


def test_a_constructor_that_pings_the_spot_host_finds_it(venue: Served) -> None:
    for path in ("/api/v3/ping", "/api/v3/time"):
        assert venue.http.get(venue.rest_url + path, timeout=5).status_code == 200


@pytest.mark.parametrize(
    ("kind", "error", "words", "executed"),
    [
        ("reply_lost_before", requests.ConnectionError, "RemoteDisconnected", False),
        ("reply_lost_after", requests.ConnectionError, "RemoteDisconnected", True),
        ("timeout_before", requests.ReadTimeout, "timed out", False),
        ("timeout_after", requests.ReadTimeout, "timed out", True),
        ("refused_connection", requests.ConnectionError, "Connection reset by peer", False),
    ],
)
def test_a_lost_reply_looks_lost_and_the_order_is_where_the_fault_says(
    venue: Served, kind: str, error: type[Exception], words: str, executed: bool
) -> None:
    """The client cannot tell the two apart; only a look at the exchange can."""
    client = venue.client(timeout_s=0.5)
    fault = {"kind": kind, "match": {"verb": "POST", "path": "/order"}, "times": 1}
    venue.admin("POST", "faults", fault)

    with pytest.raises(error, match=words):
        client.futures_create_order(**ENTRY, newClientOrderId="mine-1")

    orders = client.futures_get_open_orders(symbol="BTCUSDT")
    assert [order["clientOrderId"] for order in orders] == (["mine-1"] if executed else [])


def test_latency_is_paid_both_ways(venue: Served) -> None:
    client = venue.client()
    client.futures_time()
    venue.admin("POST", "latency", {"one_way_ms": 40})

    begun = time.monotonic()
    client.futures_time()

    assert 0.08 <= time.monotonic() - begun < 0.5


def test_requests_of_several_connections_travel_at_the_same_time(venue: Served) -> None:
    """Six reads of a tick must cost one round trip, not six."""
    clients = [venue.client() for _ in range(6)]
    for client in clients:
        client.futures_time()
    venue.admin("POST", "latency", {"one_way_ms": 50})

    begun = time.monotonic()
    _at_once([client.futures_time for client in clients])

    assert time.monotonic() - begun < 0.3  # one after the other would be 0.6


def test_only_named_keys_are_let_in_and_signatures_are_checked(tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.write_text("# who may\nmykey mysecret\n")

    with Served("--keys", keys) as venue:
        assert (venue.ready["api_key"], venue.ready["api_secret"]) == ("mykey", "mysecret")
        assert isinstance(venue.client().futures_account_balance(), list)
        with pytest.raises(BinanceAPIException) as wrong:
            venue.client("mykey", "guess").futures_account_balance()
        with pytest.raises(BinanceAPIException) as unknown:
            venue.client("k" * 64, "mysecret").futures_account_balance()

    assert (wrong.value.status_code, wrong.value.code) == (400, -1022)
    assert unknown.value.status_code == 401


def test_any_key_is_let_in_otherwise(venue: Served) -> None:
    assert isinstance(venue.client("anything", "whatever").futures_account_balance(), list)


def test_a_path_that_does_not_exist_is_refused_as_json(venue: Served) -> None:
    """The async library insists on a JSON object with a 4xx status."""
    reply = venue.http.get(venue.rest_url + "/fapi/v1/nothing", timeout=5)

    assert reply.status_code == 404
    assert reply.headers["Content-Type"].startswith("application/json")


def _at_once(calls: Sequence[Callable[[], object]]) -> None:
    with ThreadPoolExecutor(len(calls)) as pool:
        for done in [pool.submit(call) for call in calls]:
            done.result(timeout=10)
