"""``alerts.command``: real programs get events on stdin, and none of them can hold up the keeper.

DESIGN section 7: run with the event as JSON on stdin, from the tail of ``events``, never in the
tick.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

import pytest
import sqlalchemy as sa

from engine.domain.condition import Command
from engine.domain.errors import StoreUnavailable
from engine.followers.alerts import BACKLOG_MAX, Alerts, Order, run
from engine.followers.happening import Happening, Stage
from engine.followers.tail import Tail
from engine.store import tables as t
from engine.store.reading import ReadStore
from engine.store.store import Store
from tests.builders import NOW
from tests.schemas import validate

PATIENCE_S = 20.0
SECRETS = {
    "KEEPER_API_KEY": "the-key",
    "KEEPER_API_SECRET": "the-secret",
    "CREDENTIALS_DIRECTORY": "/run/credentials/keeper",
    "KEEPER__STORE__URL": "postgresql://keeper:hidden@db/keeper",
}


def an_event(number: int = 1, **changes: Any) -> Happening:
    event = Happening(
        *(number, NOW, 7, "seen", "uncovered", "0.004 without a stop", "BTCUSDT", "spec"),
        alarm=Stage.RAISED,
    )
    return replace(event, **changes)


class Desk:
    """Alerts with a real program, and what came of them."""

    def __init__(self, folder: Path, command: tuple[str, ...], **more: Any) -> None:
        self.folder = folder
        self.notes: list[str] = []
        kinds = more.pop("kinds", ("alarm", "operator"))
        order = Order(command, kinds, more.pop("timeout_s", 5.0))
        place = folder / "keeper.spool.alerts"
        self.alerts = Alerts(order, place, self.notes.append, retry_s=(0.05,), **more)

    def take(self, *news: Happening) -> None:
        self.alerts.take(news, is_ending=lambda: False)

    def told(self) -> list[dict[str, Any]]:
        path = self.folder / "told"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def writing(folder: Path) -> tuple[str, ...]:
    return ("sh", "-c", f"cat >> '{folder}/told'")


def test_the_command_gets_the_event_as_one_json_line(tmp_path: Path) -> None:
    desk = Desk(tmp_path, writing(tmp_path))

    desk.take(an_event(41, order_id="kp7f3aq2001s003", decision_id="7f3aq2", generation=1))

    (told,) = desk.told()
    validate(told)
    assert (told["id"], told["alarm"], told["reason"]) == (41, "raised", "uncovered")
    assert (told["order"], told["decision"], told["tick"]) == ("kp7f3aq2001s003", "7f3aq2", 7)
    assert desk.alerts.cursor() == 41


def test_only_the_kinds_that_were_asked_for_are_told(tmp_path: Path) -> None:
    """Nobody wants to be woken for every look; the cursor passes over the rest."""
    desk = Desk(tmp_path, writing(tmp_path), kinds=("alarm", "fill"))

    desk.take(
        an_event(1, alarm=None),
        an_event(2),
        an_event(3, alarm=None, kind="fill"),
        an_event(4, alarm=None, kind="operator"),
    )

    assert [one["id"] for one in desk.told()] == [2, 3]
    assert desk.alerts.cursor() == 4


def test_all_means_all(tmp_path: Path) -> None:
    desk = Desk(tmp_path, writing(tmp_path), kinds=("all",))

    desk.take(an_event(1, alarm=None), an_event(2, alarm=None, kind="intent"))

    assert [one["id"] for one in desk.told()] == [1, 2]


def test_of_a_flood_the_newest_are_told_and_how_many_were_left_out(tmp_path: Path) -> None:
    desk = Desk(tmp_path, writing(tmp_path))
    flood = [an_event(number) for number in range(1, BACKLOG_MAX + 11)]

    desk.take(*flood)

    told = desk.told()
    assert len(told) == BACKLOG_MAX
    assert (told[0]["id"], told[0]["left_out"], told[1]["left_out"]) == (11, 10, 0)


BROKEN = {
    "missing": (("/nowhere/at/all",), "cannot be started"),
    "not_executable": (("/etc/hostname",), "cannot be started"),
    "failing": (("sh", "-c", "exit 3"), "ended with 3"),
    "not_reading": (("sh", "-c", "exec <&-; exit 4"), "ended with 4"),
    "killed": (("sh", "-c", "kill -9 $$"), "ended with -9"),
    "hanging": (("sh", "-c", "sleep 600"), "did not end within 0.2 s"),
    "hanging_child": (("sh", "-c", "sleep 600 & wait"), "did not end within 0.2 s"),
    "stubborn": (("sh", "-c", "trap '' TERM INT HUP; sleep 600"), "did not end within 0.2 s"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_command_is_noted_once_given_up_and_passed_over(tmp_path: Path, kind: str) -> None:
    """It is tried again a little, never for ever: the next event has its own chance."""
    command, why = BROKEN[kind]
    desk = Desk(tmp_path, command, timeout_s=0.2 if "0.2 s" in why else 10.0)
    started_s = time.monotonic()

    desk.take(an_event(1), an_event(2))

    assert time.monotonic() - started_s < PATIENCE_S
    assert len(desk.notes) == 1
    assert why in desk.notes[0]
    assert desk.alerts.cursor() == 2


def test_nothing_the_command_started_is_left_behind(tmp_path: Path) -> None:
    text = f"sleep 600 & echo $! > '{tmp_path}/pid'; wait"

    failure = run(("sh", "-c", text), "{}", 0.3, {})

    pid = int((tmp_path / "pid").read_text())
    assert failure is not None
    until(lambda: not alive(pid), "the child's child ended")


def test_a_command_that_works_again_is_said_too(tmp_path: Path) -> None:
    text = f"test -e '{tmp_path}/mended' || exit 1"
    desk = Desk(tmp_path, ("sh", "-c", text))

    desk.take(an_event(1))
    (tmp_path / "mended").touch()
    desk.take(an_event(2))

    assert desk.notes == ["alerts.command failed: sh ended with 1", "alerts.command works again"]


def test_the_command_sees_no_credentials(tmp_path: Path) -> None:
    """They are the keeper's: a notifier has no business with the account."""
    environ = {"PATH": "/usr/bin:/bin", "CHAT": "42", **SECRETS}
    desk = Desk(tmp_path, ("sh", "-c", f"env > '{tmp_path}/env'"), environ=environ)

    desk.take(an_event())

    seen = (tmp_path / "env").read_text()
    assert "CHAT=42" in seen
    assert [secret for secret in SECRETS.values() if secret in seen] == []


def test_a_keeper_that_ends_leaves_the_rest_to_the_next(tmp_path: Path) -> None:
    desk = Desk(tmp_path, writing(tmp_path))
    words = iter((False, True))

    desk.alerts.take((an_event(1), an_event(2)), is_ending=lambda: next(words))

    assert [one["id"] for one in desk.told()] == [1]
    assert desk.alerts.cursor() == 1


# -- the tail


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store.open(f"sqlite:///{tmp_path}/keeper.db", account="spec", symbol="BTCUSDT")
    store.add_command(Command.HALT, by="ann@desk", why="early", at_ms=NOW - 60_000)
    yield store
    store.close()


def a_tail(tmp_path: Path, desk: Desk, notes: list[str], url: str | None = None) -> Tail:
    def reader() -> ReadStore:
        return ReadStore.open(
            url or f"sqlite:///{tmp_path}/keeper.db", account="spec", symbol="BTCUSDT"
        )

    return Tail(reader, desk.alerts, since_ms=NOW, note=notes.append, every_s=0.05)


def test_what_is_recorded_while_the_keeper_runs_is_told_once(tmp_path: Path, store: Store) -> None:
    """Without a cursor it begins with this process's events, not with those of last year."""
    desk, notes = Desk(tmp_path, writing(tmp_path)), list[str]()
    tail = a_tail(tmp_path, desk, notes)

    tail.start()
    store.note(NOW, "seen", "uncovered", "naked", data={"alarm": "raised"})
    until(lambda: len(desk.told()) == 1, "the alarm was told")
    store.note(NOW + 1, "seen", "uncovered", "over", data={"alarm": "cleared"})
    until(lambda: len(desk.told()) == 2, "its end was told")
    tail.stop()

    assert [one["alarm"] for one in desk.told()] == ["raised", "cleared"]
    assert notes == []


def test_an_event_that_appears_behind_the_cursor_is_told_too(tmp_path: Path, store: Store) -> None:
    """On Postgres an operator's id may be drawn before the keeper's and committed after it."""
    desk = Desk(tmp_path, writing(tmp_path))
    tail = a_tail(tmp_path, desk, [])
    tail.start()
    for number in (50, 49, 51):
        with store.desk.transaction("spec") as connection:
            row = {"id": number, "at_ms": NOW, "tick": 1, "kind": "operator", "reason": "halt"}
            owner = {"account": "spec", "symbol": "BTCUSDT", "text": "x"}
            connection.execute(sa.insert(t.events), row | owner)
        until(lambda number=number: number in [one["id"] for one in desk.told()], "it was told")
    tail.stop()

    assert [one["id"] for one in desk.told()] == [50, 49, 51]
    assert desk.alerts.cursor() == 51


def test_an_event_of_an_order_names_its_decision(tmp_path: Path, store: Store) -> None:
    """The id says it, also where the event belongs to no life of the ledger."""
    desk = Desk(tmp_path, writing(tmp_path), kinds=("answered",))
    store.note(NOW, "answered", "arm_stop", "place: accepted", order_id="kp7f3aq2003s001")
    tail = a_tail(tmp_path, desk, [])
    tail.start()
    until(lambda: len(desk.told()) == 1, "it was told")
    tail.stop()

    (told,) = desk.told()
    assert (told["decision"], told["generation"]) == ("7f3aq2", 3)


def test_the_next_process_goes_on_where_the_last_one_was(tmp_path: Path, store: Store) -> None:
    """What happened between the last word and a kill is told by the next start."""
    first, notes = Desk(tmp_path, writing(tmp_path)), list[str]()
    tail = a_tail(tmp_path, first, notes)
    tail.start()
    store.note(NOW, "seen", "a", "first", data={"alarm": "raised"})
    until(lambda: len(first.told()) == 1, "the first was told")
    tail.stop()
    store.note(NOW + 1, "seen", "b", "while nobody followed", data={"alarm": "raised"})

    second = a_tail(tmp_path, Desk(tmp_path, writing(tmp_path)), notes)
    second.start()
    until(lambda: len(first.told()) == 2, "the second was told")
    second.stop()

    assert [one["reason"] for one in first.told()] == ["a", "b"]


def test_an_alarm_that_the_store_cannot_take_is_told_all_the_same(tmp_path: Path) -> None:
    """The store itself may be what is broken."""
    desk, notes = Desk(tmp_path, writing(tmp_path)), list[str]()
    tail = a_tail(tmp_path, desk, notes, url=f"sqlite:///{tmp_path}/gone/keeper.db")

    tail.tell(an_event(0, reason="store_unwritable"))
    tail.start()
    until(lambda: len(desk.told()) == 1, "the alarm was told")
    tail.stop()

    assert desk.told()[0]["reason"] == "store_unwritable"
    assert len(notes) == 1, "that the events cannot be followed is said once"
    assert desk.alerts.cursor() is None


def test_a_store_that_comes_back_is_followed_again(tmp_path: Path, store: Store) -> None:
    desk, notes = Desk(tmp_path, writing(tmp_path)), list[str]()
    is_down = Event()
    is_down.set()

    def reader() -> ReadStore:
        if is_down.is_set():
            raise StoreUnavailable("gone", place="x", remedy="y")
        return ReadStore.beside(Store.open(str(url), account="spec", symbol="BTCUSDT").desk)

    url = f"sqlite:///{tmp_path}/keeper.db"
    tail = Tail(reader, desk.alerts, since_ms=NOW, note=notes.append, every_s=0.05)
    store.note(NOW, "seen", "uncovered", "naked", data={"alarm": "raised"})
    tail.start()
    until(lambda: len(notes) == 1, "the trouble was noted")
    is_down.clear()
    until(lambda: len(desk.told()) == 1, "it was told")
    tail.stop()

    assert notes[1:] == ["the events are followed again"]


def test_stopping_does_not_wait_for_a_hanging_command(tmp_path: Path, store: Store) -> None:
    desk = Desk(tmp_path, ("sh", "-c", f"touch '{tmp_path}/began'; sleep 600"), timeout_s=3.0)
    tail = a_tail(tmp_path, desk, [])
    store.note(NOW, "seen", "uncovered", "naked", data={"alarm": "raised"})
    tail.start()
    until((tmp_path / "began").exists, "the command began")

    started_s = time.monotonic()
    tail.stop(0.2)

    assert time.monotonic() - started_s < 2


def test_a_reload_beside_a_hanging_command_waits_for_nothing(tmp_path: Path, store: Store) -> None:
    """It happens between two ticks; the new command takes over when the old one has ended."""
    slow = f"touch '{tmp_path}/began'; sleep 1.6; cat >> '{tmp_path}/slow'"
    old = a_tail(tmp_path, Desk(tmp_path, ("sh", "-c", slow)), [])
    desk = Desk(tmp_path, writing(tmp_path))
    store.note(NOW, "seen", "a", "first", data={"alarm": "raised"})
    old.start()
    until((tmp_path / "began").exists, "the command began")
    started_s = time.monotonic()

    old.end()
    new = a_tail(tmp_path, desk, [])
    new.start(after=(old,))
    took_s = time.monotonic() - started_s
    store.note(NOW + 1, "seen", "b", "second", data={"alarm": "raised"})
    until(lambda: len(desk.told()) == 1, "the second was told")
    new.stop()

    assert took_s < 0.9
    assert [one["reason"] for one in desk.told()] == ["b"]
    assert json.loads((tmp_path / "slow").read_text())["reason"] == "a"


def alive(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and ") Z" not in stat.read_text()


def until(fact: Any, what: str) -> None:
    deadline_s = time.monotonic() + PATIENCE_S
    pause = Event()
    while not fact():
        assert time.monotonic() < deadline_s, f"did not happen: {what}"
        pause.wait(0.02)
