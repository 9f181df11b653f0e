"""The session in front of the venue encodes like ``requests`` and fails like ``requests``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import requests

from engine.simulation.session import VenueSession
from engine.venue.values import Reply, Transport

URL = "http://venue.invalid/fapi/v1/algoOrder"


class Recorder:
    """Answers everything with one prepared reply."""

    def __init__(self, **reply: Any) -> None:
        plain = {"status": 200, "headers": {"X-MBX-Used-Weight-1M": "7"}, "body": b'{"a": 1}'}
        self.reply = Reply(**{**plain, **reply})
        self.asked: list[tuple[object, ...]] = []

    def __call__(
        self, verb: str, path: str, query: str, body: str, key: str | None, now_ms: int
    ) -> Reply:
        self.asked.append((verb, path, query, body, key, now_ms))
        return self.reply


PAIRS = [
    pytest.param([("symbol", "BTCUSDT"), ("quantity", "0.013")], id="plain"),
    pytest.param([("clientAlgoId", "a:b/c d"), ("x", "1+1=2&3")], id="needs quoting"),
    pytest.param([("x", "a&b=c")], id="separators inside a value"),
    pytest.param([("x", "ä")], id="not ascii"),
    pytest.param([], id="nothing"),
]


@pytest.mark.parametrize("pairs", PAIRS)
@pytest.mark.parametrize("verb", ["POST", "PUT", "DELETE"])
def test_a_form_body_is_what_requests_would_send(verb: str, pairs: list[tuple[str, str]]) -> None:
    """Signatures are made over the raw text, so the venue must see the very bytes."""
    recorder = Recorder()
    session = VenueSession(recorder, "key", lambda: 5)
    prepared = requests.Request(verb, URL, data=pairs).prepare()

    getattr(session, verb.lower())(URL, headers={}, data=pairs, timeout=1)

    expected = (verb, "/fapi/v1/algoOrder", "", prepared.body or "", "key", 5)
    assert recorder.asked == [expected]


def test_a_query_reaches_the_venue_as_it_was_made() -> None:
    recorder = Recorder()
    session = VenueSession(recorder, None, lambda: 5)

    response = session.get(URL, params="symbol=BTCUSDT&x=a:b/c", timeout=(1, 2))

    assert recorder.asked == [("GET", "/fapi/v1/algoOrder", "symbol=BTCUSDT&x=a:b/c", "", None, 5)]
    assert (response.status_code, response.text, response.json()) == (200, '{"a": 1}', {"a": 1})
    assert response.headers["x-mbx-used-weight-1m"] == "7"


@pytest.mark.parametrize(
    ("transport", "error"),
    [
        (Transport.LOST_BEFORE, requests.ConnectionError),
        (Transport.LOST_AFTER, requests.ConnectionError),
        (Transport.TIMEOUT_BEFORE, requests.ReadTimeout),
        (Transport.TIMEOUT_AFTER, requests.ReadTimeout),
        (Transport.REFUSED, requests.ConnectionError),
    ],
)
def test_what_the_transport_does_becomes_the_error_requests_raises(
    transport: Transport, error: type[Exception]
) -> None:
    session = VenueSession(Recorder(transport=transport), "key", lambda: 5)

    with pytest.raises(error):
        session.post(URL, data=[], timeout=(1, 2))


@pytest.mark.parametrize(
    ("reply", "delay_ms", "fails"),
    [
        pytest.param({"delay_ms": 300}, 300, False, id="slow"),
        pytest.param({"delay_ms": 2_001}, 2_000, True, id="slower than the timeout"),
        pytest.param({"transport": Transport.TIMEOUT_AFTER}, 2_000, True, id="never"),
    ],
)
def test_time_is_counted_and_never_waited_for(
    reply: dict[str, Any], delay_ms: int, fails: bool
) -> None:
    paused: list[int] = []
    session = VenueSession(Recorder(**reply), "key", lambda: 5, paused.append)
    call: Callable[[], object] = lambda: session.get(URL, timeout=(1, 2))  # noqa: E731

    if fails:
        with pytest.raises(requests.ReadTimeout):
            call()
    else:
        call()

    assert session.take_delay_ms() == delay_ms
    assert session.take_delay_ms() == 0
    session.pause(40)
    assert paused == [40]
