"""SIGHUP: a running keeper takes what is safe while a position is open, and reports the rest."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from engine.config import Settings, known_keys
from engine.config.reload import When, reload, when_of
from engine.domain.errors import InvalidInput
from tests.builders import ids, table

CHANGES: dict[str, Any] = {
    "trailing": {"trail_pct": "0.9"},
    "protection": {"naked_limit_s": 9},
    "symbol": "ETHUSDT",
}


def wanted(**changes: Any) -> Settings:
    return Settings.model_validate(changes)


def test_every_key_has_its_place() -> None:
    """A key nobody thought about waits for a restart, which is always safe."""
    places = {key: when_of(key) for key in known_keys()}

    assert places["trailing.trail_pct"] is When.ANY_TIME
    assert places["protection.orphan"] is When.WHILE_FLAT
    assert {places[key] for key in ("mode", "symbol", "store.url", "live.acknowledge")} == {
        When.RESTART
    }
    assert when_of("somebody.added_this") is When.RESTART


PLACES = table("""
key                          when        why
risk.notional_max            any_time    a cap on the next entry
entry.timeout_s              any_time    an entry given up earlier or later
trailing.trail_pct           any_time    the ratchet only tightens
alerts.command               any_time    who is told
logs.folder                  any_time    what is written beside the store
loop.interval_s              any_time    how often it looks
decision.on_opposite         while_flat  it could close what is held
risk.isolated                while_flat  the margin of what is held
protection.working_price     while_flat  it would place the stop anew
protection.orphan            while_flat  flatten would close what is held
targets.no_split             while_flat  it would move the targets
exchange.rest_url            restart     another exchange
exchange.recv_window_ms      restart     the lease is measured with it
store.url                    restart     another memory
paper.walk                   restart     the venue runs already
clock.error_max_s            restart     the lease is measured with it
logs.format                  restart     the log is open
""")


@pytest.mark.parametrize("row", PLACES, ids=ids(PLACES))
def test_what_could_touch_a_position_waits(row: list[str]) -> None:
    key, when, _ = row

    assert key in known_keys()
    assert when_of(key).value == when


@pytest.mark.parametrize("is_open", [True, False])
def test_with_a_position_open_only_what_is_safe_is_taken(is_open: bool) -> None:
    found = reload(Settings(), wanted(**CHANGES), is_open=is_open)

    flat_only = () if is_open else ("protection.naked_limit_s",)
    assert found.settings.trailing.trail_pct == Decimal("0.9")
    assert found.settings.limits().trail_pct == Decimal("0.9")
    assert found.settings.limits().naked_limit_ms == (5_000 if is_open else 9_000)
    assert found.settings.symbol == "BTCUSDT"
    assert found.document() == {
        "taken": sorted(("trailing.trail_pct", *flat_only)),
        "while_flat": [] if not is_open else ["protection.naked_limit_s"],
        "restart": ["symbol"],
    }


def test_the_report_names_every_key_with_both_values() -> None:
    text = reload(Settings(), wanted(**CHANGES), is_open=True).text()

    assert text == (
        "taken: trailing.trail_pct 0.60 -> 0.9; "
        "not taken while a position is open: protection.naked_limit_s 5 -> 9; "
        "taken by a restart only: symbol BTCUSDT -> ETHUSDT"
    )


def test_nothing_changed_is_said_too() -> None:
    found = reload(Settings(), Settings(), is_open=True)

    assert (found.settings, found.text()) == (Settings(), "nothing has changed")


def test_half_a_change_that_contradicts_the_other_half_is_refused_whole() -> None:
    """What may be taken alone would leave settings that no start would accept."""
    both = wanted(risk={"stop_distance_min_pct": "0.01"}, protection={"min_gap_pct": "0.005"})

    with pytest.raises(InvalidInput) as caught:
        reload(Settings(), both, is_open=True)

    assert caught.value.field == "protection.min_gap_pct"
    assert reload(Settings(), both, is_open=False).settings.protection.min_gap_pct == Decimal(
        "0.005"
    )


def test_a_password_and_a_token_are_not_told() -> None:
    """The report goes into the log and into the store."""
    new = wanted(
        store={"url": "postgresql://keeper:hunter2hunter2@db/keeper"},
        alerts={"command": "/opt/tell --token hunter2hunter2"},
    )

    text = reload(Settings(), new, is_open=False).text()

    assert "hunter2" not in text
    assert "store.url" in text
    assert "alerts.command None -> /opt/tell" in text
