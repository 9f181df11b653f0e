"""Laws of a decision's identity: it follows the content, not the way the content is written."""

from __future__ import annotations

import json
import zlib
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from engine.domain.decision import Decision
from engine.domain.identity import ClientOrderId, OrderRole
from engine.intake.document import read_document
from engine.intake.jsontext import canonical, parse, pretty

EXAMPLES = Path(__file__).parents[2] / "decisions" / "examples"
LONG: dict[str, Any] = json.loads((EXAMPLES / "long-with-zones.json").read_text())

numbers = st.decimals(
    allow_nan=False, allow_infinity=False, min_value=-(10**9), max_value=10**9, places=8
)
trees = st.recursive(
    st.none() | st.booleans() | numbers | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4)
    ),
    max_leaves=20,
)


def decision_of(text: str, name: str = "decision.json") -> Decision:
    document = read_document(text.encode(), name, "BTCUSDT")
    assert document.decision is not None, document.fault
    return document.decision


def shuffled(value: Any, salt: int) -> Any:
    """Return the value with every object's keys in another order."""
    match value:
        case dict():
            keys = sorted(value, key=lambda key: zlib.crc32(f"{salt}{key}".encode()))
            return {key: shuffled(value[key], salt) for key in keys}
        case list():
            return [shuffled(item, salt) for item in value]
        case _:
            return value


def respelt(text: str, zeros: int) -> str:
    """Return the JSON text with every price spelt in another way."""
    for price in ("92900.0", "92310", "90380.0", "1200.0"):
        whole = price.removesuffix(".0")
        text = text.replace(price, f"{whole}.{'0' * zeros}" if zeros else f"{whole}e0")
    return text


@given(st.integers(), st.sampled_from([None, 1, 7]), st.integers(0, 6))
def test_white_space_key_order_and_spelling_do_not_make_another_decision(
    salt: int, indent: int | None, zeros: int
) -> None:
    """The same decision written by another JSON library opens nothing a second time."""
    text = respelt(json.dumps(shuffled(LONG, salt), indent=indent), zeros)

    again, first = decision_of(text), decision_of(json.dumps(LONG))

    assert again == first


@given(st.sampled_from(["sl", "tp1", "confidence", "position_size_usdt"]), st.integers(1, 10**6))
def test_another_number_makes_another_decision(field: str, millionths: int) -> None:
    delta = Decimal(millionths).scaleb(-7)
    other = dict(LONG) | {field: float(Decimal(str(LONG[field])) - delta)}
    assume(other[field] != LONG[field])

    one, two = decision_of(json.dumps(LONG)), decision_of(json.dumps(other))

    assert one.digest != two.digest
    assert (one.terms == two.terms) == (field == "confidence")


@given(st.text(max_size=20), st.integers(0, 59))
def test_a_refreshed_decision_has_the_same_terms(reason: str, second: int) -> None:
    """Same terms: the entry that works is refreshed and not touched (RULES D3)."""
    other = LONG | {"reason": reason, "timestamp_iso": f"2025-12-05T10:06:{second:02d}Z"}

    one, two = decision_of(json.dumps(LONG)), decision_of(json.dumps(other))

    assert one.digest != two.digest
    assert one.terms == two.terms


TERMS: list[tuple[str, Any]] = [
    ("entry_zone", [90700, 90899]),
    ("sl", 90379),
    ("tp1", 91601),
    ("tp2", 92901),
    ("position_size_usdt", 1201),
    ("leverage", 4),
    ("position_management", {"tp1_fraction": 0.4}),
    ("position_management", {"enable_trailing": False}),
    ("position_management", {"trail_mode": "liq"}),
    ("position_management", {"liq_tp_zone_id": "weekly_low"}),
]


@pytest.mark.parametrize(("field", "value"), TERMS)
def test_each_term_counts(field: str, value: Any) -> None:
    """What RULES D3 lists makes other terms, and so another entry."""
    before = LONG[field]
    other = LONG | {field: before | value if isinstance(before, dict) else value}

    assert decision_of(json.dumps(other)).terms != decision_of(json.dumps(LONG)).terms


def test_evidence_is_no_part_of_the_terms() -> None:
    """Structure and zones change with every decision; an entry must not be withdrawn for them."""
    without = json.loads(json.dumps(LONG))
    del without["position_management"]["structure"]
    del without["position_management"]["liquidation_zones"]

    assert decision_of(json.dumps(without)).terms == decision_of(json.dumps(LONG)).terms


@given(st.text(min_size=1, max_size=12), st.integers(0, 10**6))
def test_the_id_fits_every_order_id_and_comes_back(name: str, number: int) -> None:
    decision = decision_of(json.dumps(LONG | {"run": number}), name)

    order = ClientOrderId(decision.id, 1, OrderRole.ENTRY, 1)

    assert ClientOrderId.parse(str(order)) == order
    assert decision.id == decision_of(json.dumps(LONG | {"run": number})).id


@given(trees)
def test_a_document_survives_being_written_and_read(tree: Any) -> None:
    assert canonical(parse(canonical(tree)).tree) == canonical(tree)
    assert canonical(parse(pretty(tree)).tree) == canonical(tree)


@given(trees, st.integers(0, 200))
def test_no_prefix_of_a_document_and_no_tree_breaks_the_reader(tree: Any, length: int) -> None:
    """Whatever somebody writes there, a document comes back, with a decision or a fault."""
    text = canonical({"symbol": "BTCUSDT", "action": "flat", "x": tree})

    for raw in (text[:length].encode(), canonical(tree).encode()):
        document = read_document(raw, "any.json", "BTCUSDT")

        assert (document.decision is None) == (document.fault is not None)


@given(st.binary(max_size=200))
def test_no_bytes_break_the_reader(raw: bytes) -> None:
    assert read_document(raw, "any.json", "BTCUSDT").fault is not None


@given(st.sampled_from(sorted(LONG)), trees)
def test_no_field_breaks_the_reader_whatever_it_holds(field: str, tree: Any) -> None:
    text = canonical(
        json.loads(json.dumps(LONG), parse_float=Decimal, parse_int=Decimal) | {field: tree}
    )

    document = read_document(text.encode(), "any.json", "BTCUSDT")

    assert (document.decision is None) == (document.fault is not None)
