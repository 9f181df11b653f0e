"""The same life leaves the same rows, twice, and on both databases (determinism reaches the store).

Every table is compared whole: a moment, a digest or a row's number that came from chance, the wall
clock or the database would show.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.simulation import world as worlds
from engine.simulation.scenario import Staged, settings_of
from engine.store import tables as t
from engine.store.store import Store
from engine.venue.scenario import load_scenario

SCENARIOS = Path(__file__).parents[1] / "scenarios"
LIVES = ("tp1_then_breakeven", "short_stopped_out", "kill_between_tp1_and_breakeven")
Content = dict[str, list[tuple[Any, ...]]]


def content_of(store: Store) -> Content:
    """Return every row of every table, in the order of its key; bytes compare as they are."""
    found: Content = {}
    with store.desk.transaction("reading everything") as connection:
        for table in t.metadata.sorted_tables:
            rows = connection.execute(table.select()).all()
            names = [column.name for column in table.primary_key.columns]
            rows = sorted(rows, key=lambda row: [str(getattr(row, name)) for name in names])
            found[table.name] = [tuple(_plain(value) for value in row) for row in rows]
    return found


def _plain(value: Any) -> Any:
    return bytes(value) if isinstance(value, bytes | memoryview) else value


@pytest.fixture
def lived(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], Content]:
    """Give a function that plays a written life on a store of its own and returns the rows."""

    def play(name: str, url: str) -> Content:
        place = Store.open(url, account=worlds.ACCOUNT, symbol="BTCUSDT")
        place.close()

        def opened(_: object) -> Store:
            return Store.open(url, account=worlds.ACCOUNT, symbol="BTCUSDT")

        if url != "sqlite://":
            monkeypatch.setattr(worlds.World, "_open_store", opened)
        scenario = load_scenario(SCENARIOS / f"{name}.yaml")
        inbox = tmp_path / f"inbox-{len(list(tmp_path.iterdir()))}"
        inbox.mkdir()
        shelf = None if url == "sqlite://" else tmp_path
        staged = Staged(scenario, settings_of(scenario), inbox, shelf=shelf)
        try:
            staged.run()
            return content_of(staged.world.store)
        finally:
            staged.world.close()
            monkeypatch.undo()

    return play


@pytest.mark.parametrize("name", LIVES)
def test_a_life_played_twice_leaves_the_same_rows(
    name: str, lived: Callable[[str, str], Content]
) -> None:
    first = lived(name, "sqlite://")

    assert first["fills"]
    assert first["ticks"]
    assert lived(name, "sqlite://") == first


@pytest.mark.postgres
@pytest.mark.parametrize("name", LIVES)
def test_both_databases_hold_the_same_rows(
    name: str,
    lived: Callable[[str, str], Content],
    new_postgres_database: Callable[[], str],
    tmp_path: Path,
) -> None:
    in_memory = lived(name, "sqlite://")

    assert lived(name, f"sqlite:///{tmp_path}/keeper.db") == in_memory
    assert lived(name, new_postgres_database()) == in_memory
