"""Every recorded value has one spelling, and the spelling gives the value back."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.domain import canonical
from engine.domain.action import Halt, Plan
from engine.domain.decision import Inbox
from engine.domain.errors import InvariantBroken
from engine.domain.ledger import Ledger
from engine.domain.observation import Fact, NotFound, Observation
from tests.contract.ledgers import a_situation, an_open_ledger, ledgers


@given(ledgers())
def test_a_ledger_comes_back_from_its_text(ledger: Ledger) -> None:
    text = canonical.dumps(ledger)

    back = canonical.from_plain(Ledger, json.loads(text))

    assert back == ledger
    assert canonical.dumps(back) == text


def test_a_situation_comes_back_from_its_text() -> None:
    situation = a_situation(an_open_ledger(), tick=3)

    back = canonical.from_plain(type(situation), json.loads(canonical.dumps(situation)))

    assert back == situation


def test_the_members_of_a_union_are_told_apart() -> None:
    observation = Observation(1, lookups=(Fact(NotFound("kp"), 2),))
    plan = Plan(Ledger(), (Halt("code", "detail", "rule"),))

    assert canonical.from_plain(Observation, canonical.to_plain(observation)) == observation
    assert canonical.from_plain(Plan, canonical.to_plain(plan)) == plan


@given(st.decimals(min_value=-(10**9), max_value=10**9, places=4), st.integers(0, 6))
def test_equal_numbers_have_equal_text(value: Decimal, zeros: int) -> None:
    """1.50 and 1.5 are one number, so one digest."""
    longer = value.quantize(Decimal(1).scaleb(-4 - zeros))

    assert canonical.dumps(value) == canonical.dumps(longer)
    assert canonical.dumps(-abs(value) * 0) == '"0"'


def test_keys_are_sorted_and_nothing_is_spaced() -> None:
    assert canonical.dumps(NotFound("kp")) == '{"client_id":"kp"}'
    text = canonical.dumps(Inbox())
    assert text == json.dumps(json.loads(text), sort_keys=True, separators=(",", ":"))


@pytest.mark.parametrize("value", [1.5, object(), {1.5}, b"x"], ids=repr)
def test_what_has_no_exact_spelling_is_refused(value: Any) -> None:
    with pytest.raises(InvariantBroken):
        canonical.dumps(value)


def test_a_digest_is_of_the_value_not_of_the_run() -> None:
    """Settings are named by it across restarts and machines."""
    digest = canonical.digest(NotFound("kp7f3aq2001s003"))

    assert digest == "7569b6e4a9a6fb16dd8fe6723733a481ba697528c4aaec44469ccb8ab4a7c0e5"
