"""The checkers' events are what the venue really notes, read from a venue in process."""

from __future__ import annotations

from decimal import Decimal
from urllib.parse import urlencode

import pytest

from engine.simulation.cover import pictures
from engine.simulation.log import Changed, Filled, Placed, last_ms, read_log
from engine.venue.api import Venue
from engine.venue.values import Reply

START_MS = 1_795_150_000_000
ENTRY, STOP = "kp7f3aq2001e001", "kp7f3aq2001s001"


class Client:
    """Sends requests a millisecond apart, unsigned as far as this venue can tell."""

    def __init__(self) -> None:
        self.now_ms = START_MS
        self.venue = Venue(now_ms=START_MS)

    def send(self, verb: str, path: str, **given: object) -> Reply:
        self.now_ms += 1
        fields = {"symbol": "BTCUSDT", **given, "timestamp": self.now_ms, "signature": "none"}
        query = urlencode(fields)
        reply = self.venue.handle(verb, path, query, "", "key", self.now_ms)
        assert reply.status == 200, reply.body
        return reply

    def stop(self, client_id: str, trigger: str) -> None:
        self.send(
            "POST", "/fapi/v1/algoOrder", algoType="CONDITIONAL", side="SELL", type="STOP_MARKET",
            quantity="0.013", triggerPrice=trigger, reduceOnly="true", timeInForce="GTC",
            workingType="MARK_PRICE", clientAlgoId=client_id,
        )  # fmt: skip

    def buy(self) -> None:
        self.send(
            "POST", "/fapi/v1/order", side="BUY", type="MARKET", quantity="0.013",
            newClientOrderId=ENTRY,
        )  # fmt: skip


@pytest.fixture
def client() -> Client:
    return Client()


def test_a_life_on_the_venue_reads_as_placed_filled_and_covered(client: Client) -> None:
    """The first entry of an order is its placement, whatever its status."""
    client.stop(STOP, "90000")
    client.buy()
    log = client.venue.log_after(0)

    events = read_log(log)

    assert [type(e) for e in events[:2]] == [Placed, Placed]
    assert any(isinstance(e, Filled) and e.client_id == ENTRY for e in events)
    last = list(pictures(events, end_ms=last_ms(log) + 5_000))[-1]
    assert str(last.position) == "0.013"
    assert last.naked_quantity == 0
    assert str(last.cover_level) == "90000"


def test_a_stop_that_executes_leaves_the_books_and_the_position(client: Client) -> None:
    """A child's fill belongs to its conditional order."""
    client.stop(STOP, "90000")
    client.buy()
    client.now_ms += 100
    client.venue.set_price(Decimal(89990), client.now_ms)
    log = client.venue.log_after(0)

    events = read_log(log)

    fill = next(e for e in events if isinstance(e, Filled) and e.client_id == STOP)
    stop = next(e for e in events if isinstance(e, Placed) and e.client_id == STOP)
    assert fill.algo_id == stop.exchange_id
    last = list(pictures(events, end_ms=last_ms(log)))[-1]
    assert last.position == 0
    assert last.orders == ()


def test_a_cancel_by_request_is_told_from_one_by_hand(client: Client) -> None:
    """Only what the keeper itself withdraws can break its promise."""
    client.stop(STOP, "90000")
    client.send("DELETE", "/fapi/v1/algoOrder", clientAlgoId=STOP)
    client.stop("kp7f3aq2001s002", "90000")
    client.venue.hand({"do": "cancel", "role": "stop_primary"}, client.now_ms + 1)

    events = read_log(client.venue.log_after(0))

    gone = [(e.client_id[-1], e.by) for e in events if isinstance(e, Changed)]
    assert gone == [("1", "api"), ("2", "hand")]
