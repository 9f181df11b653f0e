"""The admin interface: what others script against, JSON in and out, refusals spelled out."""

from __future__ import annotations

import pytest

from tests.schemas import validate
from tests.venue_server.served import Served


def test_the_state_shows_wallet_books_clock_and_switches(venue: Served) -> None:
    state = venue.admin("GET", "state")

    assert {"served", "switches"} <= set(state)
    assert state["served"] == {
        "one_way_ms": 0.0,
        "sockets": 0,
        "feed_error": None,
        "timed_left": 0,
    }


def test_the_log_goes_on_where_a_reader_stopped(venue: Served) -> None:
    """Checkers and outside stands read it in pieces and must miss nothing."""
    venue.client().futures_time()
    first = venue.log()
    last = int(str(first[-1]["n"]))

    venue.admin("POST", "hand", {"do": "market", "side": "buy", "quantity": "0.002"})

    later = venue.log(last)
    assert later
    assert [entry["n"] for entry in later] == list(range(last + 1, last + 1 + len(later)))
    assert venue.log() == [*first, *later]
    assert venue.log(10**9) == []


def test_a_price_may_be_a_number_or_text(venue: Served) -> None:
    raw = '{"last": 90123.4, "mark": "90120.10"}'

    venue.http.post(venue.ready["admin_url"] + "/price", data=raw, timeout=5)

    client = venue.client()
    assert client.futures_symbol_ticker(symbol="BTCUSDT")["price"] == "90123.40"
    assert client.futures_mark_price(symbol="BTCUSDT")["markPrice"] == "90120.10000000"


def test_faults_are_armed_listed_and_cleared(venue: Served) -> None:
    two = [{"kind": "http_503_unknown"}, {"kind": "slow", "times": 2}]

    assert venue.admin("POST", "faults", two[0]) == {"ids": [1]}
    assert venue.admin("POST", "faults", two) == {"ids": [2, 3]}
    listed = venue.admin("GET", "faults")["faults"]
    assert isinstance(listed, list)
    assert [fault["kind"] for fault in listed] == ["http_503_unknown", "http_503_unknown", "slow"]

    assert venue.admin("DELETE", "faults") == {"faults": []}
    assert venue.admin("GET", "faults") == {"faults": []}


def test_a_hand_acts_on_the_account(venue: Served) -> None:
    venue.admin("POST", "hand", {"do": "market", "side": "buy", "quantity": "0.002"})

    (position,) = venue.client().futures_position_information(symbol="BTCUSDT")
    assert position["positionAmt"] == "0.002"


def test_the_clock_can_be_shifted_and_jump_ahead(venue: Served) -> None:
    """Skew is what the wire shows; a jump makes time pass."""
    client = venue.client()
    before = client.futures_time()["serverTime"]

    venue.admin("POST", "clock", {"skew_ms": -7000})
    skewed = client.futures_time()["serverTime"]
    venue.admin("POST", "clock", {"skew_ms": 0})
    venue.admin("POST", "clock", {"jump_s": 3600})
    later = client.futures_time()["serverTime"]

    assert -7000 <= skewed - before < -5000
    assert 3600_000 <= later - before < 3602_000


def test_a_clock_that_is_told_stands_still_until_then() -> None:
    """Whoever plays a life in virtual time owns the clock; delays are named, not waited for."""
    with Served("--clock", "2026-01-05T10:00:00Z", "--no-history") as venue:
        client = venue.client()
        start = 1_767_607_200_000
        assert client.futures_time()["serverTime"] == start
        assert len(client.futures_klines(symbol="BTCUSDT", interval="1m")) == 1

        told = venue.admin("POST", "clock", {"at_ms": start + 90_000})
        venue.admin("POST", "faults", {"kind": "slow", "delay_ms": 3_600_000})

        assert told == {"now_ms": start + 90_000, "skew_ms": None}
        assert client.futures_time()["serverTime"] == start + 90_000
        assert client.response.headers["X-Venue-Delay-Ms"] == "3600000"
        venue.admin("POST", "clock", {"at_ms": start}, status=400)
        assert client.futures_time()["serverTime"] == start + 90_000


def test_a_clock_that_runs_cannot_be_told(venue: Served) -> None:
    """Real clients would find their requests too old."""
    refused = venue.admin("POST", "clock", {"at_ms": 1_767_607_200_000}, status=400)

    assert "--clock" in str(refused["message"])


def test_a_liquidation_can_be_forced(venue: Served) -> None:
    venue.admin("POST", "hand", {"do": "market", "side": "buy", "quantity": "0.002"})

    assert venue.admin("POST", "force", {"liquidation": True}) == {"forced": "liquidation"}

    positions = venue.client().futures_position_information(symbol="BTCUSDT")
    assert all(float(row["positionAmt"]) == 0 for row in positions)


@pytest.mark.parametrize(
    ("verb", "name", "body", "field"),
    [
        ("POST", "price", {}, "last"),
        ("POST", "price", {"last": "much"}, "last"),
        ("POST", "price", {"last": -1}, "last"),
        ("POST", "price", {"last": True}, "last"),
        ("POST", "price", {"last": 1, "mrk": 1}, "mrk"),
        ("POST", "price", [1], None),
        ("POST", "clock", {}, None),
        ("POST", "clock", {"skew_ms": 1, "jump_s": 1}, None),
        ("POST", "clock", {"jump_s": -1}, None),
        ("POST", "latency", {"one_way_ms": -1}, "one_way_ms"),
        ("POST", "latency", {}, "one_way_ms"),
        ("POST", "force", {"earthquake": True}, None),
        ("POST", "faults", {"kind": "earthquake"}, None),
        ("POST", "faults", ["x"], None),
        ("POST", "hand", {"do": "dance"}, None),
        ("GET", "log?after=x", None, "after"),
    ],
)
def test_what_is_refused_says_why_and_changes_nothing(
    venue: Served, verb: str, name: str, body: object, field: str | None
) -> None:
    before = venue.log()

    error = venue.admin(verb, name, body, status=400)

    validate(error)
    assert error["field"] == field
    assert venue.log() == before


def test_an_unknown_call_names_the_known_ones(venue: Served) -> None:
    error = venue.admin("POST", "state", {}, status=404)

    validate(error)
    assert "GET state" in str(error["remedy"])


def test_a_body_that_is_not_json_is_refused(venue: Served) -> None:
    reply = venue.http.post(venue.ready["admin_url"] + "/price", data="{last", timeout=5)

    assert (reply.status_code, reply.json()["code"]) == (400, "venue_bad_json")


def test_the_venue_can_be_stopped_from_here(venue: Served) -> None:
    assert venue.admin("POST", "stop") == {"stopping": True}

    assert venue.process.wait(timeout=10) == 0
