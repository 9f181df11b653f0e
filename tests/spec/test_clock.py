"""Exchange time is an anchor plus monotonic time; signatures use exactly that (RULES A6, C5)."""

from __future__ import annotations

import time

import pytest

from engine.domain.action import CancelOrder
from engine.domain.identity import ClientOrderId, OrderRole
from engine.domain.observation import Question, Topic
from engine.domain.terms import ActionClass, Book
from engine.exchange.binance.clock import ExchangeClock, measured
from engine.exchange.port import Permit
from engine.simulation.session import VenueResponse
from tests.canned import NOW_MS, Wire, an_exchange, said


class Monotonic:
    """A monotonic clock under the test's thumb."""

    def __init__(self, at_ms: int = 1_000) -> None:
        self.at_ms = at_ms

    def __call__(self) -> int:
        return self.at_ms


@pytest.mark.parametrize(
    ("sent", "received", "told", "at_receipt", "error"),
    [
        pytest.param(1_000, 1_000, 50_000, 50_000, 1, id="no travel time"),
        pytest.param(1_000, 1_100, 50_000, 50_050, 51, id="half the round trip is unsure"),
        pytest.param(1_000, 1_101, 50_000, 50_051, 52, id="odd halves round up"),
    ],
)
def test_one_question_anchors_the_clock_within_half_its_round_trip(
    sent: int, received: int, told: int, at_receipt: int, error: int
) -> None:
    anchor = measured(sent, received, told)

    assert (anchor.at(received), anchor.error_at(anchor.monotonic_ms, 50)) == (at_receipt, error)


def test_the_true_time_always_lies_within_the_bound() -> None:
    """Whatever share of the round trip each way takes, and after an hour of worst drift."""
    for outward in range(0, 101, 10):
        true_offset = 49_000
        clock = ExchangeClock(mono := Monotonic(1_100))
        clock.anchor(1_000, 1_100, 1_000 + outward + true_offset)
        mono.at_ms += 3_600_000
        drifted = mono.at_ms + true_offset + 3_600_000 * 50 // 1_000_000

        assert abs(clock.now_ms() - drifted) <= (clock.error_ms() or 0)


def test_before_the_first_anchor_the_error_is_unknown_not_zero() -> None:
    clock = ExchangeClock(Monotonic(), guess_ms=77_000)

    assert (clock.now_ms(), clock.error_ms()) == (77_000, None)


def test_a_worse_measurement_does_not_replace_a_better_one() -> None:
    clock = ExchangeClock(mono := Monotonic(1_010))
    clock.anchor(1_000, 1_010, 50_000)

    mono.at_ms = 3_000
    clock.anchor(2_000, 3_000, 51_300)

    assert (clock.now_ms(), clock.error_ms()) == (51_995, 7)


def test_a_measurement_that_contradicts_wins_however_bad() -> None:
    """Then the exchange's clock has jumped, and the old anchor only gets requests refused."""
    clock = ExchangeClock(mono := Monotonic(1_010))
    clock.anchor(1_000, 1_010, 50_000)

    mono.at_ms = 3_000
    clock.anchor(2_000, 3_000, 91_300)

    assert clock.now_ms() == 91_800


def test_the_bound_grows_with_age_until_measured_again() -> None:
    clock = ExchangeClock(mono := Monotonic(0))
    clock.anchor(0, 0, 0)
    bounds = []
    for hour in range(3):
        mono.at_ms = hour * 3_600_000
        bounds.append(clock.error_ms())

    clock.anchor(mono.at_ms, mono.at_ms, mono.at_ms)

    assert bounds == [1, 181, 361]
    assert clock.error_ms() == 1


def test_a_step_of_the_wall_clock_reaches_no_signature(monkeypatch: pytest.MonkeyPatch) -> None:
    """An hour's step back would otherwise get every protective request refused (-1021)."""
    wire = Wire([said([]), said([])])
    exchange, _ = an_exchange(wire)
    for wall_s in (0.0, 4e9):
        monkeypatch.setattr(time, "time", lambda wall_s=wall_s: wall_s)

        exchange.ask([Question(Topic.POSITION)], 1_000)

    assert all(f"timestamp={NOW_MS}&" in query for _, _, query in wire.asked)


def test_a_write_carries_exactly_the_stamp_and_window_of_its_permit() -> None:
    """The stamp was taken before the lease check; a later one would defeat the fence (G4)."""
    wire = Wire([said({"code": -2011, "msg": "Unknown order sent."}, 400)] * 2)
    exchange, _ = an_exchange(wire)
    name = ClientOrderId("7f3aq2", 1, OrderRole.TP1, 1)
    cancel = CancelOrder(name, Book.ALGO, ActionClass.MANAGE, "rule", "reason")

    exchange.send([Permit(cancel, 123_456, 1_777), Permit(cancel, 123_457, 250)], 1_000)

    assert "recvWindow=1777&symbol=BTCUSDT&timestamp=123456&signature=" in wire.asked[0][2]
    assert "recvWindow=250&symbol=BTCUSDT&timestamp=123457&signature=" in wire.asked[1][2]


def test_a_slow_first_measurement_is_repeated_on_the_open_connection() -> None:
    """The first request pays for name lookup, connection and TLS: that is no error of clocks."""
    mono = Monotonic()
    trips = [400, 30]

    def answer(url: str, **_: object) -> VenueResponse:
        trip_ms = trips.pop(0)
        mono.at_ms += trip_ms
        told = mono.at_ms - trip_ms // 2 + 49_000
        return VenueResponse(200, {}, f'{{"serverTime": {told}}}'.encode())

    wire = Wire()
    wire.get = answer  # type: ignore[method-assign, assignment]
    exchange, clock = an_exchange(wire, mono)
    clock.distrust()

    exchange.anchor_clock()

    assert trips == []
    assert (exchange.now_ms(), exchange.clock_error_ms()) == (mono.at_ms + 49_000, 17)
