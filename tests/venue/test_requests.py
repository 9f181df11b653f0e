"""How a request is read: parameters, keys, signatures, time."""

from decimal import Decimal

import pytest

from tests.venue.desk import KEY, SECRET, SYMBOL, T0, Desk, signed, switched

ORDERS = "/fapi/v1/openOrders"


@pytest.mark.parametrize("verb", ["POST", "PUT", "DELETE"])
@pytest.mark.parametrize("place", ["query", "body"])
def test_parameters_are_read_from_query_and_body_on_every_verb(verb: str, place: str) -> None:
    """Three real clients differ in where they put them, DELETE bodies included."""
    desk = Desk()
    desk.order("BUY", "0.010", "90000", newClientOrderId="e1")
    text = signed(
        f"symbol={SYMBOL}&origClientOrderId=e1&side=BUY&quantity=0.011&price=90000&type=LIMIT"
        f"&timeInForce=GTC&timestamp={T0}"
    )

    answer = desk.raw(verb, "/fapi/v1/order", *((text, "") if place == "query" else ("", text)))

    assert answer.status == 200


def test_the_query_wins_over_the_body() -> None:
    desk = Desk()
    query = f"quantity=0.010&timestamp={T0}"
    body = f"symbol={SYMBOL}&side=BUY&type=MARKET&quantity=0.500"
    signature = signed(query + body).rpartition("=")[2]

    answer = desk.raw("POST", "/fapi/v1/order", query, f"{body}&signature={signature}")

    assert answer.body["origQty"] == "0.010"


def test_a_form_value_is_decoded_but_the_signature_covers_the_raw_text() -> None:
    desk = Desk()
    body = signed(
        f"symbol={SYMBOL}&side=BUY&type=MARKET&quantity=0.010&newClientOrderId=a%3Ab&timestamp={T0}"
    )

    answer = desk.raw("POST", "/fapi/v1/order", "", body)

    assert answer.body["clientOrderId"] == "a:b"


def test_text_behind_the_signature_breaks_it() -> None:
    desk = Desk()
    query = signed(f"symbol={SYMBOL}&timestamp={T0}") + "&recvWindow=5000"

    assert desk.raw("GET", ORDERS, query).code == -1022


@pytest.mark.parametrize(
    ("key", "status", "code"),
    [(None, 401, -2014), ("", 401, -2014), ("another", 401, -2015)],
)
def test_an_unknown_key_is_refused(key: str | None, status: int, code: int) -> None:
    desk = Desk()

    answer = desk.raw("GET", ORDERS, signed(f"symbol={SYMBOL}&timestamp={T0}"), key=key)

    assert (answer.status, answer.code) == (status, code)


def test_any_key_passes_where_no_keys_are_named() -> None:
    desk = Desk(keys=None)

    query = f"symbol={SYMBOL}&timestamp={T0}&signature=whatever"

    assert desk.raw("GET", ORDERS, query, key="anything").status == 200


@pytest.mark.parametrize(
    ("query", "code", "why"),
    [
        (f"symbol={SYMBOL}&signature=aa", -1102, "no timestamp"),
        (f"symbol={SYMBOL}&timestamp=now&signature=aa", -1102, "no number"),
        (f"symbol={SYMBOL}&timestamp={T0}", -1102, "no signature"),
        (f"symbol={SYMBOL}&timestamp={T0}&signature=aa", -1022, "wrong signature"),
        (signed(f"symbol={SYMBOL}&timestamp={T0}", "other"), -1022, "another secret"),
        (signed(f"symbol={SYMBOL}&timestamp={T0}&recvWindow=x"), -1130, "window"),
        (signed(f"timestamp={T0}&symbol={SYMBOL}"), 0, "in any order"),
    ],
)
def test_a_signed_request_carries_time_and_signature(query: str, code: int, why: str) -> None:
    assert Desk().raw("GET", ORDERS, query).code == code, why


@pytest.mark.parametrize(
    ("sent_ms", "window", "code", "why"),
    [
        (0, None, 0, "in time"),
        (-5000, None, 0, "the default window to the last millisecond"),
        (-5001, None, -1021, "one later"),
        (-2001, 2000, -1021, "an own window is kept"),
        (-2000, 2000, 0, "to the last millisecond"),
        (-60_001, 100_000, -1021, "no window is wider than a minute"),
        (999, None, 0, "a little ahead is fine"),
        (1000, None, -1021, "a second ahead is not"),
    ],
)
def test_the_receive_window_decides(sent_ms: int, window: int | None, code: int, why: str) -> None:
    """RULES G4 leans on it: what a frozen writer sends later is refused by the exchange."""
    answer = Desk().send("GET", ORDERS, symbol=SYMBOL, timestamp=T0 + sent_ms, recvWindow=window)

    assert answer.code == code, why


def test_the_window_is_judged_by_the_exchange_clock() -> None:
    desk = Desk()
    desk.venue.skew(10_000)

    assert desk.send("GET", ORDERS, symbol=SYMBOL).code == -1021
    assert desk.raw("GET", "/fapi/v1/time").body == {"serverTime": T0 + 10_000}


def test_a_switch_lets_old_requests_through() -> None:
    desk = switched(recv_window_enforced="false")

    assert desk.send("GET", ORDERS, symbol=SYMBOL, timestamp=T0 - 60_000).code == 0


@pytest.mark.parametrize(
    ("verb", "path"),
    [
        ("GET", "/fapi/v1/nothing"),
        ("GET", "/fapi/v1/algoOpenOrders"),
        ("PATCH", "/fapi/v1/order"),
        ("GET", "/fapi/v4/account"),
    ],
)
def test_an_unknown_path_is_not_found(verb: str, path: str) -> None:
    answer = Desk().raw(verb, path)

    assert (answer.status, answer.body["code"]) == (404, -5000)


@pytest.mark.parametrize("path", ["/fapi/v1/ping", "/api/v3/ping"])
def test_public_questions_need_no_key(path: str) -> None:
    answer = Desk().raw("GET", path, key=None)

    assert (answer.status, answer.body) == (200, {})


@pytest.mark.parametrize("text", ["true", "True", "TRUE"])
def test_booleans_are_read_in_any_case(text: str) -> None:
    """python-binance sends Python's own spelling."""
    assert Desk().stop("SELL", "90380", "0.013", reduceOnly=text).body["reduceOnly"] is True


def test_the_key_and_the_secret_of_the_desk_are_what_the_venue_knows() -> None:
    assert Desk().settings.keys == {KEY: SECRET}
    assert Desk().settings.wallet == Decimal(1000)


def test_a_list_that_changed_and_changed_back_is_told_as_it_is_each_time() -> None:
    """What was told last is not encoded again; it may be told only while it is still true."""
    desk = Desk()
    told = [desk.send("GET", ORDERS, symbol=SYMBOL).body for _ in range(2)]
    for name in ("e1", "e2"):
        desk.order("BUY", "0.010", "90000", newClientOrderId=name)
        told.append(desk.send("GET", ORDERS, symbol=SYMBOL).body)
        told.append(desk.send("GET", ORDERS, symbol=SYMBOL).body)
        desk.send("DELETE", "/fapi/v1/order", symbol=SYMBOL, origClientOrderId=name)
    told.append(desk.send("GET", ORDERS, symbol=SYMBOL).body)

    named = [[row["clientOrderId"] for row in rows] for rows in told]
    assert named == [[], [], ["e1"], ["e1"], ["e2"], ["e2"], []]
