"""The real client library against the venue: its session replaced, nothing else."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
import requests
from binance.client import Client
from binance.exceptions import BinanceAPIException

from tests.venue.desk import KEY, SECRET, SYMBOL, Desk


class InProcessSession:
    """In the place of `requests.Session`: encodes as it does, hands the text to the venue."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    def _send(self, verb: str, url: str, query: str, body: str) -> requests.Response:
        self.desk.venue.advance(self.desk.now)
        reply = self.desk.venue.handle(verb, urlsplit(url).path, query, body, KEY, self.desk.now)
        response = requests.Response()
        response.status_code = reply.status
        response.headers.update(reply.headers)
        response._content = reply.body
        return response

    def get(self, url: str, **given: Any) -> requests.Response:
        return self._send("GET", url, given.get("params") or "", "")

    def post(self, url: str, **given: Any) -> requests.Response:
        return self._send("POST", url, "", _form(given))

    def put(self, url: str, **given: Any) -> requests.Response:
        return self._send("PUT", url, "", _form(given))

    def close(self) -> None:
        """Have nothing to close."""

    def delete(self, url: str, **given: Any) -> requests.Response:
        return self._send("DELETE", url, "", _form(given))


def _form(given: dict[str, Any]) -> str:
    data = given.get("data") or ""
    return data if isinstance(data, str) else urlencode(data)


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
def client(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    client = Client(KEY, SECRET, ping=False)
    client.session = InProcessSession(desk)
    monkeypatch.setattr("binance.base_client.time.time", lambda: desk.now / 1000)
    monkeypatch.setattr("binance.client.time.time", lambda: desk.now / 1000)
    yield client
    client.close_connection()


def test_a_life_from_the_armed_stop_to_the_last_trade(desk: Desk, client: Any) -> None:
    """Arm, enter, fill, list, move, cancel, close: as the keeper will do it."""
    stop = client.futures_create_order(
        symbol=SYMBOL,
        side="SELL",
        type="STOP_MARKET",
        stopPrice="90380",
        quantity="0.013",
        reduceOnly="true",
        timeInForce="GTC",
        clientAlgoId="kp7f3aq2001s001",
    )
    entry = client.futures_create_order(
        symbol=SYMBOL,
        side="BUY",
        type="LIMIT",
        timeInForce="GTC",
        quantity="0.013",
        price="90743.3",
        newClientOrderId="kp7f3aq2001e001",
    )
    desk.price("90743.3")
    listed = client.futures_get_open_orders(symbol=SYMBOL, conditional=True)
    position = client.futures_position_information(symbol=SYMBOL)[0]
    second = client.futures_create_algo_order(
        symbol=SYMBOL,
        side="SELL",
        type="STOP_MARKET",
        algoType="CONDITIONAL",
        triggerPrice="90500",
        quantity="0.013",
        reduceOnly="true",
        timeInForce="GTC",
        clientAlgoId="kp7f3aq2001s002",
    )
    cancelled = client.futures_cancel_order(symbol=SYMBOL, clientAlgoId="kp7f3aq2001s001")
    desk.price("90490")
    trades = client.futures_account_trades(symbol=SYMBOL)

    assert (stop["algoStatus"], entry["status"], second["algoStatus"]) == ("NEW", "NEW", "NEW")
    assert [row["clientAlgoId"] for row in listed] == ["kp7f3aq2001s001"]
    assert (position["positionAmt"], position["entryPrice"]) == ("0.013", "90743.3")
    assert cancelled["code"] == "200"
    assert [(row["side"], row["price"]) for row in trades] == [
        ("BUY", "90743.30"),
        ("SELL", "90490.00"),
    ]
    assert client.futures_position_information(symbol=SYMBOL) == []
    found = client.futures_get_order(symbol=SYMBOL, clientAlgoId="kp7f3aq2001s002")
    assert (found["algoStatus"], Decimal(found["actualQty"])) == ("FINISHED", Decimal("0.013"))


def test_what_the_library_reads_without_complaint(client: Any) -> None:
    assert client.futures_ping() == {}
    assert client.futures_exchange_info()["symbols"][0]["symbol"] == SYMBOL
    assert client.futures_mark_price(symbol=SYMBOL)["markPrice"] == "90800.00000000"
    assert client.futures_orderbook_ticker(symbol=SYMBOL)["bidPrice"] == "90800.00"
    assert client.futures_symbol_ticker(symbol=SYMBOL)["price"] == "90800.00"
    assert len(client.futures_klines(symbol=SYMBOL, interval="1m")) == 1
    assert client.futures_account()["canTrade"] is True
    assert client.futures_account_balance()[0]["asset"] == "USDT"
    assert client.futures_get_position_mode() == {"dualSidePosition": False}
    assert client.futures_get_multi_assets_mode() == {"multiAssetsMargin": False}
    assert client.futures_leverage_bracket(symbol=SYMBOL)[0]["symbol"] == SYMBOL
    assert client.futures_symbol_config(symbol=SYMBOL)[0]["leverage"] == 20
    assert client.futures_change_leverage(symbol=SYMBOL, leverage=3)["leverage"] == 3
    assert client.futures_change_margin_type(symbol=SYMBOL, marginType="ISOLATED")["code"] == 200
    assert client.futures_stream_get_listen_key()


def test_refusals_arrive_as_the_librarys_exception(client: Any) -> None:
    with pytest.raises(BinanceAPIException) as refused:
        client.futures_create_order(
            symbol=SYMBOL, side="SELL", type="STOP_MARKET", stopPrice="91000", quantity="0.013"
        )

    assert (refused.value.code, refused.value.status_code) == (-2021, 400)


def test_a_batch_as_the_library_encodes_it(client: Any) -> None:
    orders = [
        {
            "symbol": SYMBOL,
            "side": "BUY",
            "type": "LIMIT",
            "timeInForce": "GTC",
            "quantity": "0.010",
            "price": "90000",
            "newClientOrderId": f"b{number}",
        }
        for number in range(2)
    ]

    placed = client.futures_place_batch_order(batchOrders=orders)

    assert [one["status"] for one in placed] == ["NEW", "NEW"]
