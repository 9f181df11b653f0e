"""An answer that says the very same is not read twice, and nothing else follows from that."""

from __future__ import annotations

import json

import pytest

from engine.domain.errors import Indeterminate
from engine.domain.observation import Question, Topic
from engine.exchange.binance.echo import BODY_MAX, Echo
from tests.canned import NOW_MS, Wire, an_exchange, said
from tests.wire.payloads import ALGO


def _first(document: object) -> object:
    assert isinstance(document, list)
    return [document[0]]


def test_the_same_body_from_the_same_address_is_the_same_document() -> None:
    echo = Echo()

    first = echo.decoded("/orders", b"[1]", json.loads)

    assert echo.decoded("/orders", b"[1]", json.loads) is first
    assert echo.decoded("/algo", b"[1]", json.loads) is not first
    assert echo.decoded("/orders", b"[2]", json.loads) == [2]
    assert echo.decoded("/orders", b"[1]", json.loads) is not first


def test_a_body_that_cannot_be_read_leaves_no_echo() -> None:
    echo = Echo()

    for _ in range(2):
        with pytest.raises(ValueError, match="Expecting value"):
            echo.decoded("/orders", b"[", json.loads)


def test_a_long_history_is_not_kept() -> None:
    """Sixteen lanes would hold it for nothing: memory stays bounded."""
    echo = Echo()
    body = b"[" + b"1," * (BODY_MAX // 2) + b"1]"

    assert echo.decoded("/all", body, json.loads) is not echo.decoded("/all", body, json.loads)


def test_the_same_document_is_translated_once() -> None:
    echo = Echo()
    document: list[int] = [1, 2]

    value = echo.read(_first, document)

    assert echo.read(_first, document) is value
    assert echo.read(_first, [1, 2]) is not value


def test_a_translation_that_depends_on_more_is_made_anew_when_that_is_another() -> None:
    echo = Echo()
    document: list[int] = [1, 2]

    def at(listed: list[int], index: int) -> int:
        return listed[index]

    assert [echo.read(at, document, index) for index in (0, 1, 0)] == [1, 2, 1]


def test_a_translation_that_fails_is_tried_again() -> None:
    echo = Echo()

    for _ in range(2):
        with pytest.raises(IndexError):
            echo.read(_first, [])


def test_two_looks_at_unchanged_orders_give_the_very_same_reports_at_their_own_moments() -> None:
    """Identity says that nothing is new; the age of the answer is not part of what it says."""
    clock = [NOW_MS]
    wire = Wire([said([ALGO]), said([ALGO]), said([ALGO | {"triggerPrice": "1.0"}])])
    exchange, _ = an_exchange(wire, lambda: clock[0])
    asked = [Question(Topic.OPEN_ALGO_ORDERS)]

    (first,) = exchange.ask(asked, 1_000)
    clock[0] += 1_000
    (second,) = exchange.ask(asked, 1_000)
    (third,) = exchange.ask(asked, 1_000)

    assert second.value is first.value
    assert second.at_ms == first.at_ms + 1_000
    assert third.value != first.value


@pytest.mark.parametrize(
    "body", [{"code": -1000, "msg": "unknown"}, [{"algoId": 1}], "<html>"], ids=str
)
def test_what_cannot_be_used_fails_each_time_it_is_said(body: object) -> None:
    exchange, _ = an_exchange(Wire([said(body), said(body)]))

    for _ in range(2):
        (answer,) = exchange.ask([Question(Topic.OPEN_ALGO_ORDERS)], 1_000)
        assert answer.failure is not None
        assert answer.failure.fate == Indeterminate.__name__.lower()
