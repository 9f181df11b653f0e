"""docs/store.md is what people script against: it names each column of each view, and no other."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from engine.store import views
from engine.store.store import Store

DOCUMENT = Path(__file__).parents[2] / "docs" / "store.md"


def _documented(view: str) -> set[str]:
    section = DOCUMENT.read_text().partition(f"### {view}\n")[2].partition("\n## ")[0]
    section = section.partition("\n### ")[0]
    rows = re.findall(r"^\| (`[^|]+) \|", section, re.MULTILINE)
    return {name for row in rows for name in re.findall(r"`(\w+)`", row)} | {"account", "symbol"}


@pytest.mark.parametrize("view", views.NAMES)
def test_every_column_of_a_view_is_documented(view: str) -> None:
    store = Store.open("sqlite://", account="a", symbol="BTCUSDT")

    columns = {c[0] for c in store.desk.raw.execute(f"SELECT * FROM {view}").description}  # noqa: S608

    assert _documented(view) == columns
    store.close()
