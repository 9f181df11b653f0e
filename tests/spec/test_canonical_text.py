"""What the recorded text says of each kind of value, and what it refuses to say (RULES B5).

A tick is explained from its text alone, so the text gives the value back or does not exist.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from engine.domain import canonical
from engine.domain.errors import InvariantBroken
from engine.domain.identity import ClientOrderId
from engine.domain.observation import Fact, NotFound, Quote

EITHER: Any = NotFound | Quote | None
QUOTE = Quote(Decimal("90.10"), Decimal("90.2"))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        pytest.param((1, "a", None, True), '[1,"a",null,true]', id="a tuple"),
        pytest.param([Decimal("1.50")], '["1.5"]', id="a list"),
        pytest.param({"b": Decimal(2), "a": (1,)}, '{"a":[1],"b":"2"}', id="names and values"),
    ],
)
def test_a_collection_of_anything_is_spelled_by_what_is_in_it(value: object, text: str) -> None:
    """RULES B5: what the heartbeat tells has no declared type."""
    assert canonical.dumps(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        pytest.param(None, "null", id="none of them"),
        pytest.param(NotFound("kp"), '{"client_id":"kp","is":"NotFound"}', id="the first"),
        pytest.param(QUOTE, '{"ask":"90.2","bid":"90.1","is":"Quote"}', id="the second"),
    ],
)
def test_one_of_several_says_which_it_is(value: object, text: str) -> None:
    """RULES B5: an order that was looked up in vain is not an order."""
    assert canonical.dumps(value, EITHER) == text
    assert canonical.from_plain(EITHER, canonical.to_plain(value, EITHER)) == value


@pytest.mark.parametrize(
    "declared",
    [
        pytest.param(str | int, id="members without a name"),
        pytest.param(dict[str, int], id="a dict, which is no value"),
        pytest.param(Fact, id="a fact about nobody knows what"),
        pytest.param(float, id="a float"),
    ],
)
def test_a_type_without_one_spelling_is_neither_written_nor_read(declared: Any) -> None:
    """RULES B5: it is found when the type is first met, not when the text is needed."""
    with pytest.raises(InvariantBroken):
        canonical.to_plain(Fact(1, 2), declared)
    with pytest.raises(InvariantBroken):
        canonical.from_plain(declared, {"value": 1, "at_ms": 2})


def test_a_foreign_order_id_is_not_read_as_ours() -> None:
    """RULES G3: ids of ours have one form, and nothing else is one."""
    ours = "kp7f3aq2001s003"

    assert str(canonical.from_plain(ClientOrderId, ours)) == ours
    with pytest.raises(InvariantBroken, match="web_1"):
        canonical.from_plain(ClientOrderId, "web_1")
