"""What stands beside the tick begins after the first one, and loses nothing of it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from threading import Event
from typing import Any

from engine.beside import Beside
from engine.config import Settings
from engine.domain.action import Plan
from engine.domain.condition import Condition
from engine.store.store import Store
from engine.tick import TickReport
from tests.builders import NOW, a_situation

PATIENCE_S = 20.0


def settings(folder: Path, name: str) -> Settings:
    command = ["sh", "-c", f"cat >> '{folder}/{name}'"]
    store = {"url": f"sqlite:///{folder}/keeper.db", "spool": f"{folder}/keeper.spool"}
    return Settings.model_validate({"store": store, "alerts": {"command": command}})


def a_report(now_ms: int = NOW, **condition: Any) -> TickReport:
    situation = a_situation(condition=Condition(**condition))
    return TickReport(now_ms, (), situation, (), Plan(situation.ledger), (), situation.ledger)


def fields(report: TickReport) -> dict[str, Any]:
    wrong = report.situation.condition.is_breaker_open
    return {"troubles": [{"code": "breaker_open", "detail": "x"}] if wrong else []}


def told(path: Path) -> list[str]:
    if not path.exists():
        return []
    return [json.loads(line)["reason"] for line in path.read_text().splitlines()]


def until(fact: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + PATIENCE_S
    while not fact():
        assert time.monotonic() < deadline_s
        Event().wait(0.02)


def test_an_alarm_of_the_first_tick_waits_for_its_followers(tmp_path: Path) -> None:
    """The store was gone at the start: the first thing worth telling, and nobody listened yet."""
    store = Store.open(f"sqlite:///{tmp_path}/keeper.db", account="spec", symbol="BTCUSDT")
    notes: list[str] = []
    beside = Beside(settings(tmp_path, "told"), store, notes.append, now_ms=NOW, environ={})
    report = a_report(is_store_writable=False)

    beside.after(report, fields(report))
    until(lambda: told(tmp_path / "told") == ["store_unwritable"])
    beside.stop()

    store.close()
    assert notes == []


def test_the_heartbeat_learns_since_when_something_is_wrong(tmp_path: Path) -> None:
    store = Store.open(f"sqlite:///{tmp_path}/keeper.db", account="spec", symbol="BTCUSDT")
    beside = Beside(settings(tmp_path, "told"), store, print, now_ms=NOW, environ={})
    first, second = (a_report(NOW + ms, is_breaker_open=True) for ms in (0, 7_000))

    beside.after(first, fields(first))
    beat = fields(second)
    beside.after(second, beat)
    beside.stop()

    store.close()
    assert beat["troubles"] == [{"code": "breaker_open", "detail": "x", "since_ms": NOW}]


def test_other_settings_bring_another_command_and_the_same_ones_change_nothing(
    tmp_path: Path,
) -> None:
    store = Store.open(f"sqlite:///{tmp_path}/keeper.db", account="spec", symbol="BTCUSDT")
    beside = Beside(settings(tmp_path, "one"), store, print, now_ms=NOW, environ={})
    calm, wrong = a_report(), a_report(NOW + 1, is_breaker_open=True)

    beside.after(calm, fields(calm))
    beside.follow(settings(tmp_path, "one"))
    beside.follow(settings(tmp_path, "two"))
    beside.after(wrong, fields(wrong))
    until(lambda: told(tmp_path / "two") == ["breaker_open"])
    beside.stop()

    store.close()
    assert told(tmp_path / "one") == []
