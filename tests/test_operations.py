"""docs/operations.md keeps step with the code: every code stands there, and no other."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from engine.cli.output import ExitCode
from engine.config import known_keys
from engine.config.reload import When, when_of
from engine.domain import reasons
from engine.domain.drift import DriftKind
from tests.runbook import written

DOCS = Path(__file__).parents[1] / "docs"
PAGE = (DOCS / "operations.md").read_text(encoding="utf-8")
WHENS = {
    "at any time": When.ANY_TIME,
    "while nothing": When.WHILE_FLAT,
    "by a restart": When.RESTART,
}


def rows(start: str, end: str) -> list[list[str]]:
    """Return the cells of the table rows between two texts of the page, heads left out."""
    part = PAGE.partition(start)[2].partition(end)[0]
    lines = [line for line in part.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines][2:]


def codes(table: list[list[str]]) -> list[str]:
    """Return the first cells; a code that stands twice is told twice."""
    return [re.sub(r"`", "", row[0]) for row in table]


def test_the_runbook_has_every_alarm_code_with_something_to_do() -> None:
    """An operator looks a code up at night; it must be there."""
    table = rows("## Runbook", "Drifts are")

    assert sorted(codes(table)) == sorted(reasons.HEALTH)
    assert [row[0] for row in table if len(row) != 3 or not all(row)] == []


def test_the_runbook_has_every_drift() -> None:
    assert sorted(codes(rows("Drifts are", "How a process ended"))) == sorted(DriftKind)


def test_the_runbook_has_every_exit_code() -> None:
    named = re.findall(r"\d+", " ".join(codes(rows("How a process ended", "## Reason codes"))))

    # 1 is the answer "no" of a question; no keeper ends with it.
    assert {int(code) for code in named} == {int(code) for code in ExitCode} - {1}


def test_every_reason_code_stands_with_its_words_and_rules() -> None:
    """Codes land in the store and in explanations; they must be found without a checkout."""
    stale = [line for line in written(PAGE).splitlines() if line not in PAGE.splitlines()]

    assert stale == [], "write them anew: .venv/bin/python -m tests.runbook"
    assert written(PAGE) == PAGE, "write them anew: .venv/bin/python -m tests.runbook"


def test_the_reload_table_is_what_reload_does() -> None:
    """Which settings a position survives is not a matter of taste."""
    placed: dict[str, When] = {}
    for cells in rows("## Reload", "A restart beside"):
        when = next(when for words, when in WHENS.items() if cells[1].startswith(words))
        placed |= dict.fromkeys(re.findall(r"`([a-z0-9_.*]+)`", cells[0]), when)

    told = {
        key: placed.get(key) or placed.get(f"{key.partition('.')[0]}.*") for key in known_keys()
    }

    assert told == {key: when_of(key) for key in known_keys()}


def test_every_link_between_the_pages_leads_somewhere() -> None:
    broken = [
        (page.name, target)
        for page in (DOCS / "operations.md", DOCS / "alerts.md")
        for target in _links(page)
        if not _leads(target, page)
    ]

    assert broken == []


def _links(page: Path) -> Iterator[str]:
    yield from re.findall(r"\]\(([^)]+)\)", page.read_text(encoding="utf-8"))


def _leads(target: str, page: Path) -> bool:
    name, _, anchor = target.partition("#")
    file = page if not name else page.parent / name
    if not file.exists():
        return False
    heads = re.findall(r"^#+ (.+)$", file.read_text(encoding="utf-8"), re.MULTILINE)
    anchors = {re.sub(r"[^a-z0-9 -]", "", head.lower()).replace(" ", "-") for head in heads}
    return not anchor or anchor in anchors
