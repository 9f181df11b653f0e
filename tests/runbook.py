"""``python -m tests.runbook`` writes the reason codes of docs/operations.md anew from the code.

The words of the runbook itself, what to do, are written by hand; these tables only repeat
``engine/domain/reasons.py`` for people who have no checkout.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from engine.domain import reasons

PAGE = Path(__file__).parents[1] / "docs" / "operations.md"
HEAD = "|---|---|---|\n"
TABLES: Mapping[str, Mapping[str, reasons.Reason]] = {
    "Gates": reasons.GATES,
    "Actions": reasons.ACTIONS,
    "Withdrawals": reasons.WITHDRAWALS,
    "Closes": reasons.CLOSES,
    "Holds": reasons.HOLDS,
}


def written(page: str) -> str:
    """Return the page with every table of reason codes as the code has it."""
    for name, table in TABLES.items():
        before, mark, rest = page.partition(f"**{name}.**")
        intro, head, rows = rest.partition(HEAD)
        while rows.startswith("|"):
            rows = rows.partition("\n")[2]
        lines = (f"| `{c}` | {r.says} | {' '.join(r.rules)} |\n" for c, r in table.items())
        page = before + mark + intro + head + "".join(lines) + rows
    return page


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
