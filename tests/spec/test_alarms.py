"""Alarms: what is wrong is told when it begins, now and then while it lasts, and when it is over.

An operator who gets one message a second reads none of them (lesson 43, RULES F11).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from engine.alarms import GRACE_MS, QUIET_MS, REMIND_MS, URGENT_MS, Alarms
from engine.domain.action import Plan
from engine.domain.condition import Condition, HaltReason
from engine.domain.situation import Situation
from engine.followers.happening import Happening, happening_of
from engine.store.reading import ReadStore
from engine.store.store import Store
from engine.tick import TickReport
from tests.builders import NOW, a_life, a_situation, an_open_situation, d


class Watch:
    """Alarms over a store, and what came out of both ways."""

    def __init__(self) -> None:
        self.store = Store.open("sqlite://", account="spec", symbol="BTCUSDT")
        self.told: list[Happening] = []
        self.alarms = Alarms(self.store, self.told.append)

    def see(self, situation: Situation, after_ms: int = 0) -> None:
        now_ms = NOW + after_ms
        plan = Plan(situation.ledger)
        self.alarms.look(TickReport(now_ms, (), situation, (), plan, (), situation.ledger))

    def written(self) -> list[tuple[str, str]]:
        rows = ReadStore.beside(self.store.desk).events(kinds=("seen",))
        found = [happening_of(row) for row in rows]
        return [(one.reason, "" if one.alarm is None else one.alarm.value) for one in found]


@pytest.fixture
def watch() -> Iterator[Watch]:
    watch = Watch()
    yield watch
    watch.store.close()


def calm(**condition: object) -> Situation:
    return a_situation(condition=Condition(**condition))  # type: ignore[arg-type]


def breaker() -> Situation:
    return calm(is_breaker_open=True)


def naked() -> Situation:
    return an_open_situation(life=a_life(uncovered_quantity=d("0.004")))


def test_an_alarm_is_written_when_it_begins_and_when_it_is_over(watch: Watch) -> None:
    for after_ms in range(0, 60_000, 1_000):
        watch.see(breaker(), after_ms)
    for after_ms in range(60_000, 80_000, 1_000):
        watch.see(calm(), after_ms)

    assert watch.written() == [("breaker_open", "raised"), ("breaker_open", "cleared")]
    assert watch.told == []


def test_what_flickers_is_one_alarm(watch: Watch) -> None:
    """On and off every second for a minute: one word, not sixty."""
    for after_ms in range(0, 60_000, 1_000):
        watch.see(breaker() if after_ms % 2_000 else calm(), after_ms)

    assert watch.written() == [("breaker_open", "raised")]


def test_it_is_over_only_after_a_while_of_quiet(watch: Watch) -> None:
    watch.see(breaker())
    watch.see(calm(), QUIET_MS - 1)
    before = watch.written()
    watch.see(calm(), QUIET_MS)

    assert before == [("breaker_open", "raised")]
    assert watch.written()[1:] == [("breaker_open", "cleared")]


def test_a_single_lost_answer_wakes_nobody(watch: Watch) -> None:
    blind = calm()
    blind = replace(blind, observation=replace(blind.observation, position=None))

    watch.see(blind)
    watch.see(calm(), 1_000)
    watch.see(blind, 2_000)
    once = watch.written()
    watch.see(blind, 2_000 + GRACE_MS["exchange_unreachable"])

    assert once == []
    assert watch.written() == [("exchange_unreachable", "raised")]


@pytest.mark.parametrize(
    ("situation", "first_ms", "every_ms"),
    [(breaker(), 0, REMIND_MS), (naked(), 5_000, URGENT_MS)],
)
def test_what_stands_is_said_again(
    watch: Watch, situation: Situation, first_ms: int, every_ms: int
) -> None:
    """RULES F11: an alarm a minute while a position cannot be covered; an hour otherwise."""
    watch.see(situation)
    watch.see(situation, 5_000)
    watch.see(situation, first_ms + every_ms - 1)
    before = watch.written()
    watch.see(situation, first_ms + every_ms)

    assert [stage for _, stage in before] == ["raised"]
    assert [stage for _, stage in watch.written()] == ["raised", "standing"]


def test_a_moment_without_cover_wakes_nobody_and_a_second_does(watch: Watch) -> None:
    """A lost answer leaves a stop possibly resting; the next look a quarter second later knows."""
    watch.see(naked())
    watch.see(an_open_situation(), 250)
    watch.see(naked(), 500)
    watch.see(naked(), 500 + GRACE_MS["uncovered"] - 1)
    before = watch.written()
    watch.see(naked(), 500 + GRACE_MS["uncovered"])

    assert before == []
    assert watch.written() == [("uncovered", "raised")]


def test_status_learns_since_when_something_is_wrong(watch: Watch) -> None:
    watch.see(breaker(), 1_000)
    watch.see(breaker(), 9_000)

    assert watch.alarms.since_ms("breaker_open") == NOW + 1_000
    assert watch.alarms.since_ms("uncovered") is None


def test_a_halt_speaks_for_itself(watch: Watch) -> None:
    """It has an event of its own, an alarm too; twice would be once too often."""
    halt = HaltReason("breaker_open", "x", NOW)

    watch.store.add_halt(halt)
    watch.see(calm(is_breaker_open=True, halts=(halt,)))

    rows = ReadStore.beside(watch.store.desk).events()
    assert [(row["reason"], happening_of(row).alarm) for row in rows] == [
        ("breaker_open", "raised")
    ]


def test_what_the_store_cannot_take_goes_another_way(watch: Watch) -> None:
    """The store itself may be what is broken (RULES G5)."""
    watch.see(calm(is_store_writable=False))

    assert watch.written() == []
    assert [(one.reason, one.alarm, one.id) for one in watch.told] == [
        ("store_unwritable", "raised", 0)
    ]


def test_a_store_that_fails_at_the_alarm_itself_stops_nothing(watch: Watch) -> None:
    watch.store.desk.raw.execute("PRAGMA query_only=ON")

    watch.see(breaker())

    assert [one.reason for one in watch.told] == ["breaker_open"]
