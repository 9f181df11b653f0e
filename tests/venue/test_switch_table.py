"""docs/venue.md tells every switch, its values with the default first, and why that is it."""

import re
from pathlib import Path

import pytest

from engine.venue.switches import SWITCHES, Switch

DOCUMENT = Path(__file__).parent.parent.parent / "docs" / "venue.md"


def rows() -> dict[str, tuple[str, str]]:
    """Return values and reason by the name of the switch."""
    found = {}
    for line in DOCUMENT.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| `") and len(cells) == 3:
            found[cells[0].strip("`")] = (cells[1], cells[2])
    return found


@pytest.mark.parametrize("switch", SWITCHES, ids=lambda switch: switch.name)
def test_a_switch_is_told_with_its_values_and_a_reason(switch: Switch) -> None:
    values, reason = rows()[switch.name]

    assert values == ", ".join(switch.values or (str(switch.default),))
    assert reason
    assert (switch.values or (str(switch.default),))[0] == str(switch.default)


def test_nothing_is_told_of_switches_that_are_not_there() -> None:
    """A row outlives its switch otherwise."""
    text = DOCUMENT.read_text(encoding="utf-8")
    table = text[text.index("| Switch | Values |") :].split("\n\n")[0]
    names = [line.split("`")[1] for line in table.splitlines()[2:]]

    assert names == [switch.name for switch in SWITCHES]


NO_SWITCH = {
    19: "entries of a change log that could not be read",
}
"""Open questions of the exchange reference that no behaviour of a venue can answer."""


def test_every_open_question_has_its_switch() -> None:
    """The reference collects what nobody has confirmed in 22 questions; each can be turned."""
    asked = {
        int(number)
        for switch in SWITCHES
        for number in re.findall(r"open question (\d+)", switch.reference)
    }

    assert asked.isdisjoint(NO_SWITCH)
    assert asked | set(NO_SWITCH) == set(range(1, 23))
