"""Every fault there is, and what a client sees of it over real HTTP and WebSocket.

One served venue, wiped between two faults. A kind without an effect here fails the table test, so
that no fault exists whose working nobody has seen (exchange reference, section 10).
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp
import pytest
import requests

from engine.venue.faults import KINDS
from tests.venue_server.served import Served

PATIENCE_S = 8.0
SILENCE_S = 0.4
SHORT_S = 0.3
SYMBOL = "BTCUSDT"
START = "90800"
MARKET = {"do": "market", "side": "buy", "quantity": "0.010"}

Document = dict[str, Any]


@dataclass(frozen=True)
class Heard:
    """One answer: status, headers, body as text."""

    status: int
    headers: requests.structures.CaseInsensitiveDict[str]
    text: str

    @property
    def body(self) -> Any:
        return json.loads(self.text)

    @property
    def code(self) -> int:
        return int(self.body["code"]) if self.status != 200 else 0


class Wire:
    """A plain client of a served venue: requests signed by hand, sockets opened by hand."""

    def __init__(self, venue: Served) -> None:
        self.venue = venue
        self._ids = count(1)

    # -- requests

    def ask(self, verb: str, path: str, *, timeout_s: float = 5, **given: object) -> Heard:
        given.setdefault("timestamp", self.time_ms())
        text = urlencode(given)
        secret = self.venue.ready["api_secret"].encode()
        signature = hmac.new(secret, text.encode(), hashlib.sha256).hexdigest()
        reply = requests.request(
            verb,
            f"{self.venue.rest_url}/fapi/{path}?{text}&signature={signature}",
            headers={"X-MBX-APIKEY": self.venue.ready["api_key"], "Connection": "close"},
            timeout=timeout_s,
        )
        return Heard(reply.status_code, reply.headers, reply.text)

    def time_ms(self) -> int:
        return int(str(self.venue.admin("GET", "state")["now_ms"]))

    def name(self) -> str:
        return f"kp7f3aq2001s{next(self._ids):03d}"

    def stop(
        self, trigger: str = "90380", quantity: str | None = "0.010", **given: object
    ) -> Heard:
        terms: Document = {
            "symbol": SYMBOL,
            "algoType": "CONDITIONAL",
            "side": "SELL",
            "type": "STOP_MARKET",
            "triggerPrice": trigger,
        }
        if quantity is None:
            terms["closePosition"] = "true"
        else:
            terms |= {"quantity": quantity, "reduceOnly": "true", "timeInForce": "GTC"}
        return self.ask("POST", "v1/algoOrder", **(terms | given))

    def order(self, side: str, quantity: str, price: str | None = None, **given: object) -> Heard:
        terms: Document = {"symbol": SYMBOL, "side": side, "quantity": quantity, "type": "MARKET"}
        if price is not None:
            terms |= {"type": "LIMIT", "price": price, "timeInForce": "GTC"}
        return self.ask("POST", "v1/order", **(terms | given))

    def resting(self) -> list[str]:
        rows = self.ask("GET", "v1/openAlgoOrders", symbol=SYMBOL).body
        return [row["clientAlgoId"] for row in rows]

    def algo(self, name: str) -> Document:
        found: Document = self.ask("GET", "v1/algoOrder", clientAlgoId=name).body
        return found

    def position(self) -> str:
        rows = self.ask("GET", "v2/positionRisk", symbol=SYMBOL).body
        return str(rows[0]["positionAmt"])

    # -- the other side of the counter

    def hold(self, quantity: str = "0.010") -> None:
        self.venue.admin("POST", "hand", MARKET | {"quantity": quantity})

    def price(self, last: str) -> None:
        self.venue.admin("POST", "price", {"last": last})

    def arm(self, kind: str, **terms: object) -> None:
        self.venue.admin("POST", "faults", {"kind": kind, **terms})

    def calm(self) -> None:
        """Put the venue back to where a test may begin: calm, flat, empty, at the first price."""
        self.venue.admin("DELETE", "faults")
        self.venue.admin("POST", "clock", {"skew_ms": 0})
        for book in ("v1/algoOpenOrders", "v1/allOpenOrders"):
            while self.ask("DELETE", book, symbol=SYMBOL).status in (418, 429):
                self.venue.admin("POST", "clock", {"jump_s": 60})
        held = self.position()
        if float(held):
            side = "sell" if float(held) > 0 else "buy"
            self.venue.admin(
                "POST", "hand", {"do": "market", "side": side, "quantity": held.lstrip("-")}
            )
        self.price(START)
        self.venue.admin("POST", "clock", {"jump_s": 60})

    # -- streams

    def hear(
        self, act: Callable[[], object], enough: Callable[[list[Document]], bool] = lambda _: False
    ) -> list[Document]:
        """Return the user events that follow ``act``, until enough or a short silence."""

        async def listen() -> list[Document]:
            key = self.listen_key()
            url = f"{self.venue.stream_url}/private/ws?listenKey={key}"
            heard: list[Document] = []
            async with aiohttp.ClientSession() as session, session.ws_connect(url) as socket:
                await asyncio.to_thread(act)
                until = time.monotonic() + PATIENCE_S
                while not enough(heard) and time.monotonic() < until:
                    try:
                        message = await socket.receive(timeout=SILENCE_S)
                    except TimeoutError:
                        break
                    if message.type is not aiohttp.WSMsgType.TEXT:
                        heard.append({"e": f"!{message.type.name}"})
                        break
                    heard.append(json.loads(message.data))
            return heard

        return asyncio.run(listen())

    def listen_key(self) -> str:
        return str(self.ask("POST", "v1/listenKey").body["listenKey"])


Effect = Callable[[Wire], None]
EFFECTS: dict[str, Effect] = {}


def effect(kind: str) -> Callable[[Effect], Effect]:
    """Name the fault whose effect a function looks at."""

    def known(function: Effect) -> Effect:
        assert kind not in EFFECTS
        EFFECTS[kind] = function
        return function

    return known


@pytest.fixture(scope="module")
def shared() -> Iterator[Wire]:
    with Served("--port", "0") as venue:
        yield Wire(venue)


@pytest.fixture
def wire(shared: Wire) -> Wire:
    shared.calm()
    return shared


def test_no_fault_is_without_an_effect_somebody_has_seen() -> None:
    assert set(EFFECTS) == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_a_fault_is_seen_on_the_wire(wire: Wire, kind: str) -> None:
    EFFECTS[kind](wire)


# -- what becomes of one request -------------------------------------------------------------------

ON_STOPS = {"verb": "POST", "path": "algoOrder"}


def _lost(kind: str, error: type[Exception], *, executed: bool) -> None:
    def look(wire: Wire) -> None:
        name = wire.name()
        wire.arm(kind, match=ON_STOPS)
        with pytest.raises(error):
            wire.stop(clientAlgoId=name, timeout_s=SHORT_S)
        assert wire.resting() == ([name] if executed else [])

    EFFECTS[kind] = look


_lost("reply_lost_before", requests.ConnectionError, executed=False)
_lost("reply_lost_after", requests.ConnectionError, executed=True)
_lost("timeout_before", requests.ReadTimeout, executed=False)
_lost("timeout_after", requests.ReadTimeout, executed=True)


@effect("refused_connection")
def _(wire: Wire) -> None:
    wire.arm("refused_connection", match=ON_STOPS)
    with pytest.raises(requests.ConnectionError, match=r"[Rr]eset"):
        wire.stop()
    assert wire.resting() == []


@effect("executed_late")
def _(wire: Wire) -> None:
    name = wire.name()
    wire.arm("executed_late", delay_ms=2000, match=ON_STOPS)
    with pytest.raises(requests.ReadTimeout):
        wire.stop(clientAlgoId=name, timeout_s=SHORT_S)
    before = wire.resting()
    wire.venue.admin("POST", "clock", {"jump_s": 2})
    assert (before, wire.resting()) == ([], [name])


def _refused(kind: str, status: int, answered: int, text: str, **terms: object) -> None:
    def look(wire: Wire) -> None:
        wire.arm(kind, match=ON_STOPS, **terms)
        answer = wire.stop()
        assert (answer.status, answer.body["code"]) == (status, answered)
        assert text in answer.body["msg"]
        assert wire.resting() == []
        assert wire.stop().status == 200

    EFFECTS[kind] = look


_refused("http_503_unavailable", 503, -1001, "Service Unavailable.")
_refused("http_503_internal", 503, -1001, "Internal error; unable to process your request.")
_refused("error", 400, -2019, "Margin is insufficient.", code=-2019)
_refused("stop_refused_once", 400, -2022, "ReduceOnly Order is rejected.")
_refused("code_in_200", 200, -2011, "Unknown order sent.", code=-2011)


@effect("http_503_unknown")
def _(wire: Wire) -> None:
    for executed in (True, False):
        name = wire.name()
        wire.arm("http_503_unknown", executed=executed, match=ON_STOPS)
        answer = wire.stop(clientAlgoId=name)
        assert (answer.status, "Unknown error" in answer.body["msg"]) == (503, True)
        assert (name in wire.resting()) is executed


@effect("throttled")
def _(wire: Wire) -> None:
    wire.arm("throttled", times=2)
    opening = wire.order("BUY", "0.001")
    reducing = wire.stop()
    assert (opening.status, opening.code, reducing.status) == (503, -1008, 200)


@effect("rate_limited")
def _(wire: Wire) -> None:
    wire.arm("rate_limited", retry_after_s=7)
    first, second = wire.ask("GET", "v1/time"), wire.ask("GET", "v1/time")
    assert (first.status, first.code, second.status) == (429, -1003, 429)
    assert 0 < int(first.headers["Retry-After"]) <= 7
    wire.venue.admin("POST", "clock", {"jump_s": 7})
    assert wire.ask("GET", "v1/time").status == 200


@effect("banned")
def _(wire: Wire) -> None:
    wire.arm("banned", ban_s=300)
    before = wire.time_ms()
    first, second = wire.ask("GET", "v1/time"), wire.ask("GET", "v1/time")
    assert (first.status, first.code, second.status) == (418, -1003, 418)
    until = int(first.body["msg"].rpartition("banned until ")[2].strip("."))
    assert before + 299_000 <= until <= before + 310_000
    wire.venue.admin("POST", "clock", {"jump_s": 300})
    assert wire.ask("GET", "v1/time").status == 200


@effect("garbage_body")
def _(wire: Wire) -> None:
    wire.arm("garbage_body")
    answer = wire.ask("GET", "v1/time")
    assert (answer.status, answer.headers["Content-Type"].partition(";")[0]) == (200, "text/html")
    with pytest.raises(ValueError, match="Expecting value"):
        json.loads(answer.text)


@effect("raw_answer")
def _(wire: Wire) -> None:
    """The bytes themselves, broken ones included; dripping on request."""
    wire.arm("raw_answer", answer="HTTP/1.1 299 Odd\r\nContent-Length: 2\r\n\r\nok")
    answer = wire.ask("GET", "v1/time")
    assert (answer.status, answer.text) == (299, "ok")
    wire.arm("raw_answer", answer="no status line at all")
    with pytest.raises(requests.ConnectionError):
        wire.ask("GET", "v1/time")
    wire.arm("raw_answer", answer="HTTP/1.1 200 OK\r\n\r\nok", drip_ms=20)
    begun = time.monotonic()
    assert wire.ask("GET", "v1/time").text == "ok"
    assert time.monotonic() - begun >= 0.3


@effect("slow")
def _(wire: Wire) -> None:
    wire.arm("slow", delay_ms=300, match={"path": "v1/time"})
    begun = time.monotonic()
    answer = wire.ask("GET", "v1/time")
    assert (answer.status, time.monotonic() - begun >= 0.3) == (200, True)


# -- placing, cancelling, executing ----------------------------------------------------------------


@effect("gte_refused")
def _(wire: Wire) -> None:
    wire.hold()
    wire.arm("gte_refused", times=2)
    assert [wire.stop(quantity=None).code for _ in range(3)] == [-4509, -4509, 0]


@effect("gte_lag")
def _(wire: Wire) -> None:
    wire.arm("gte_lag")
    wire.hold()
    at_once = wire.stop(quantity=None).code
    wire.venue.admin("POST", "clock", {"jump_s": 3})
    assert (at_once, wire.stop(quantity=None).code) == (-4509, 0)


@effect("close_lingers")
def _(wire: Wire) -> None:
    wire.hold()
    name = wire.name()
    wire.stop(quantity=None, clientAlgoId=name)
    wire.arm("close_lingers", lag_s=2)
    wire.ask("DELETE", "v1/algoOrder", clientAlgoId=name)
    at_once = wire.stop(quantity=None).code
    wire.venue.admin("POST", "clock", {"jump_s": 2})
    assert (at_once, wire.stop(quantity=None).code) == (-4130, 0)


@effect("fills_in_part")
def _(wire: Wire) -> None:
    name = wire.name()
    wire.order("BUY", "0.010", "90700", newClientOrderId=name)
    wire.arm("fills_in_part", fraction="0.4", match={"client_id": name})

    def shown() -> tuple[str, str]:
        row = wire.ask("GET", "v1/order", symbol=SYMBOL, origClientOrderId=name).body
        return row["status"], row["executedQty"]

    wire.price("90690")
    first = shown()
    wire.venue.admin("DELETE", "faults")
    wire.price("90690")
    assert (first, shown()) == (("PARTIALLY_FILLED", "0.004"), ("FILLED", "0.010"))


@effect("child_rejected")
def _(wire: Wire) -> None:
    wire.hold()
    name = wire.name()
    wire.stop(clientAlgoId=name)
    wire.arm("child_rejected", match={"client_id": name})
    wire.price("90300")
    assert (wire.algo(name)["algoStatus"], wire.position()) == ("REJECTED", "0.010")


@effect("child_partial")
def _(wire: Wire) -> None:
    wire.hold()
    name = wire.name()
    wire.stop(clientAlgoId=name)
    wire.arm("child_partial", fraction="0.3")
    wire.price("90300")
    told = wire.algo(name)
    assert (told["algoStatus"], told["actualQty"], wire.position()) == (
        "FINISHED",
        "0.003",
        "0.007",
    )


# -- what reads show -------------------------------------------------------------------------------


@effect("list_forgets")
def _(wire: Wire) -> None:
    name, other = wire.name(), wire.name()
    wire.stop(clientAlgoId=name)
    wire.stop(clientAlgoId=other)
    wire.arm("list_forgets", match={"client_id": name})
    assert (wire.resting(), wire.algo(name)["algoStatus"]) == ([other], "NEW")


@effect("lookup_not_found")
def _(wire: Wire) -> None:
    name = wire.name()
    wire.stop(clientAlgoId=name)
    wire.arm("lookup_not_found")
    found = wire.ask("GET", "v1/algoOrder", clientAlgoId=name)
    assert (found.code, wire.resting()) == (-2013, [name])


@effect("cancel_not_found")
def _(wire: Wire) -> None:
    name = wire.name()
    wire.stop(clientAlgoId=name)
    wire.arm("cancel_not_found")
    cancels = [wire.ask("DELETE", "v1/algoOrder", clientAlgoId=name).code for _ in range(2)]
    assert cancels == [-2011, 0]


@effect("position_lag")
def _(wire: Wire) -> None:
    wire.arm("position_lag", lag_s=3)
    wire.hold()
    at_once = wire.position()
    wire.venue.admin("POST", "clock", {"jump_s": 3})
    assert (at_once, wire.position()) == ("0.000", "0.010")


@effect("fill_lag")
def _(wire: Wire) -> None:
    def told() -> int:
        since = wire.time_ms() - 20_000
        return len(wire.ask("GET", "v1/userTrades", symbol=SYMBOL, startTime=since).body)

    wire.arm("fill_lag", lag_s=3)
    before = told()
    wire.hold()
    at_once = told()
    wire.venue.admin("POST", "clock", {"jump_s": 3})
    assert (at_once - before, told() - before) == (0, 1)


@effect("clock_skew")
def _(wire: Wire) -> None:
    wire.arm("clock_skew", skew_ms=-7000, duration_s=60)
    ours = wire.time_ms()
    shown = wire.ask("GET", "v1/time").body["serverTime"]
    ahead = wire.ask("GET", "v3/balance", timestamp=ours)
    assert -8000 < shown - ours < -6000
    assert (ahead.status, ahead.code) == (400, -1021)
    wire.venue.admin("POST", "clock", {"jump_s": 60})
    assert wire.ask("GET", "v3/balance").status == 200


# -- what the user stream says ---------------------------------------------------------------------

USUAL = ["ORDER_TRADE_UPDATE", "TRADE_LITE", "ORDER_TRADE_UPDATE", "ACCOUNT_UPDATE"]


def _pushes(kind: str, expected: list[str], **terms: object) -> None:
    def look(wire: Wire) -> None:
        assert [one["e"] for one in wire.hear(wire.hold)] == USUAL
        wire.arm(kind, **terms)
        assert [one["e"] for one in wire.hear(wire.hold)] == expected

    EFFECTS[kind] = look


_pushes("stream_silent", [])
_pushes("drop_pushes", USUAL[:3], match={"event": "ACCOUNT_UPDATE"})
_pushes("duplicate_pushes", [one for one in USUAL for _ in range(2)])
_pushes("reorder_pushes", [USUAL[1], USUAL[0], *USUAL[2:]], times=1)


@effect("delay_pushes")
def _(wire: Wire) -> None:
    moments: list[float] = []

    def act() -> None:
        moments.append(time.monotonic())
        wire.hold()

    def enough(heard: list[Document]) -> bool:
        moments.append(time.monotonic())
        return len(heard) == len(USUAL)

    wire.arm("delay_pushes", delay_ms=250)
    assert [one["e"] for one in wire.hear(act, enough)] == USUAL
    assert moments[2] - moments[0] >= 0.25


@effect("listen_key_expires")
def _(wire: Wire) -> None:
    key = wire.listen_key()

    def act() -> None:
        wire.arm("listen_key_expires")
        wire.hold()

    (only,) = wire.hear(act)
    assert (only["e"], only["listenKey"]) == ("listenKeyExpired", key)
    assert wire.ask("PUT", "v1/listenKey").code == -1125


@effect("sockets_close")
def _(wire: Wire) -> None:
    heard = wire.hear(lambda: wire.arm("sockets_close"))
    assert heard == [{"e": "!CLOSE"}]
    assert [one["e"] for one in wire.hear(wire.hold)] == USUAL


def _forced(kind: str, client_id: str) -> None:
    def look(wire: Wire) -> None:
        wire.hold()
        wire.order("BUY", "0.001", "90000")
        heard = wire.hear(lambda: wire.arm(kind))
        closes = [one["o"] for one in heard if one["e"] == "ORDER_TRADE_UPDATE"]
        (close,) = [one for one in closes if one["x"] == "CALCULATED"]
        assert close["c"].startswith(client_id)
        assert (close["X"], close["S"], close["l"]) == ("FILLED", "SELL", "0.010")
        cancelled = [one["er"] for one in closes if one["x"] == "EXPIRED"]
        assert cancelled == (["5"] if kind == "liquidation" else [])
        assert wire.position() == "0.000"

    EFFECTS[kind] = look


_forced("liquidation", "autoclose-")
_forced("adl", "adl_autoclose")


# -- what needs no fault, only the truth -----------------------------------------------------------


def test_a_resting_limit_holds_the_quantity_a_close_would_need(wire: Wire) -> None:
    """Lesson 35: -2022 although there is a position."""
    wire.hold()
    wire.order("SELL", "0.010", "91600", reduceOnly="true", newClientOrderId="tp")
    refused = wire.order("SELL", "0.010", reduceOnly="true").code
    wire.ask("DELETE", "v1/order", symbol=SYMBOL, origClientOrderId="tp")
    assert (refused, wire.order("SELL", "0.010", reduceOnly="true").code) == (-2022, 0)


def test_a_gap_through_the_trigger_fills_where_the_price_is(wire: Wire) -> None:
    wire.hold()
    name = wire.name()
    wire.stop(clientAlgoId=name)
    wire.price("89000")
    assert float(wire.algo(name)["actualPrice"]) == pytest.approx(89000, abs=1)


def test_a_forgotten_stop_fires_into_the_next_position(wire: Wire) -> None:
    """Section 3.7: reduce-only quantity stops survive the position they were made for."""
    wire.hold()
    name = wire.name()
    wire.stop(clientAlgoId=name)
    wire.order("SELL", "0.010", reduceOnly="true")
    between = wire.algo(name)["algoStatus"]
    wire.hold("0.004")
    wire.price("90300")
    assert (between, wire.position(), wire.algo(name)["actualQty"]) == ("NEW", "0.000", "0.004")


# -- the other two ways in -------------------------------------------------------------------------


def test_faults_come_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "faults.yaml"
    file.write_text(
        "- {kind: error, code: -1000, match: {path: v1/ping}}\n"
        "- {at: 600, kind: http_503_internal, match: {path: v1/time}}\n"
    )
    with Served("--port", "0", "--faults", file) as venue:
        wire = Wire(venue)
        early = wire.ask("GET", "v1/time").status
        venue.admin("POST", "clock", {"jump_s": 600})
        late = wire.ask("GET", "v1/time").status
        assert (early, late, wire.ask("GET", "v1/ping").code) == (200, 503, -1000)


def test_a_seed_draws_faults_and_draws_them_again() -> None:
    """``--trouble``: as many a minute as asked for, the same ones from the same seed."""

    def drawn(seed: int) -> list[object]:
        with Served("--port", "0", "--seed", str(seed), "--trouble", "6") as venue:
            venue.admin("POST", "clock", {"jump_s": 600})
            listed = venue.admin("GET", "faults")["faults"]
            assert isinstance(listed, list)
            with suppress(requests.RequestException):
                Wire(venue).ask("GET", "v1/time", timeout_s=SHORT_S)
            return [(one["kind"], one["id"]) for one in listed]

    first = drawn(1)
    assert 40 <= len(first) <= 80
    assert first == drawn(1)
    assert first != drawn(2)
