"""Names of orders: derived, parseable, of fixed width (RULES G3, DESIGN section 6)."""

from __future__ import annotations

import pytest

from engine.domain.errors import InvariantBroken
from engine.domain.identity import NUMBER_MAX, ClientOrderId, OrderRole, base36
from tests.builders import ENTRY, FLOOR, PRIMARY, an_id, ids, table

SPELLED = table("""
id               decision  generation  role          revision  why
kp7f3aq2001s003  7f3aq2    1           stop_primary  3         the example of contracts
kp7f3aq200af001  7f3aq2    10          stop_floor    1         base 36, fixed width
kp000000zzzxzzz  000000    46655       emergency     46655     the largest numbers
""")


@pytest.mark.parametrize("row", SPELLED, ids=ids(SPELLED))
def test_an_id_spells_decision_generation_role_and_revision(row: list[str]) -> None:
    """RULES G3: with the store lost, ids alone tell what an order was for."""
    text, decision, generation, role, revision, _ = row
    own_id = ClientOrderId(decision, int(generation), OrderRole(role), int(revision))

    assert str(own_id) == text
    assert ClientOrderId.parse(text) == own_id


STRANGE = table("""
text              why
web_1             somebody else's
kp7f3aq2001s03    one digit short
kp7f3aq2001s0033  one digit long
kp7f3aq2001S003   upper case
kp7f3aq2001q003   no such role
xx7f3aq2001s003   another prefix
kp7f3a.2001s003   not base 36
autoclose-123456  the exchange's own
""")


@pytest.mark.parametrize("row", STRANGE, ids=ids(STRANGE))
def test_what_is_not_exactly_ours_is_foreign(row: list[str]) -> None:
    """Lesson 36: only own ids are ever cancelled, so nothing else may parse as one."""
    assert ClientOrderId.parse(row[0]) is None


def test_a_number_that_does_not_fit_is_an_error_and_not_another_id() -> None:
    """RULES G3: a wrapped number would repeat an id, and a repeated id executes again."""
    with pytest.raises(InvariantBroken):
        base36(NUMBER_MAX + 1, 3)
    with pytest.raises(InvariantBroken):
        base36(-1, 3)


def test_every_role_has_a_letter_of_its_own() -> None:
    """RULES G3: the role is one character."""
    letters = [role.letter for role in OrderRole]

    assert len(set(letters)) == len(letters) == 9
    assert all(len(letter) == 1 for letter in letters)


def test_roles_know_what_they_are_for() -> None:
    """Stops are never cancelled without proof (RULES F2), targets may be."""
    assert [r for r in OrderRole if r.is_stop] == [PRIMARY, FLOOR, OrderRole.STOP_BRIDGE]
    assert [r for r in OrderRole if r.is_target] == [
        OrderRole.TP1,
        OrderRole.TP2,
        OrderRole.LIQUIDATION_EXIT,
    ]
    assert not ENTRY.is_stop
    assert str(an_id(ENTRY)) == "kp7f3aq2001e001"
