"""What systemd hears: ready and alive only after a tick that verified cover, over a real socket."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from engine.domain.action import Plan
from engine.domain.condition import Condition
from engine.domain.ledger import Ledger
from engine.domain.position import HedgedSide
from engine.domain.situation import Situation
from engine.domain.terms import Side
from engine.service import ServiceManager, is_cover_verified
from engine.tick import TickReport
from tests.builders import (
    NOW,
    a_ledger,
    a_life,
    a_situation,
    an_open_situation,
    d,
    ids,
    table,
)


class Manager:
    """The other end of the socket."""

    def __init__(self, address: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(address)
        self.socket.setblocking(False)

    def heard(self) -> list[str]:
        words: list[str] = []
        while True:
            try:
                words += self.socket.recv(4096).decode().split("\n")
            except BlockingIOError:
                return words


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    found = Manager(str(tmp_path / "notify"))
    yield found
    found.socket.close()


def a_service(tmp_path: Path, **more: str) -> tuple[ServiceManager, list[int]]:
    clock = [0]
    environ = {"NOTIFY_SOCKET": str(tmp_path / "notify"), **more}
    return ServiceManager(environ, lambda: clock[0]), clock


def a_report(situation: Situation) -> TickReport:
    return TickReport(NOW, (), situation, (), Plan(situation.ledger), (), situation.ledger)


def a_look(kind: str) -> Situation:
    """Return a situation as a tick left it."""
    flat = a_situation()
    held = an_open_situation()
    side = HedgedSide(1, Side.LONG, d("90000"))
    match kind:
        case "flat":
            return flat
        case "covered":
            return held
        case "naked":
            return an_open_situation(life=a_life(uncovered_quantity=d("0.001")))
        case "blind":
            return replace(held, observation=replace(held.observation, position=None))
        case "no lists":
            return replace(held, observation=replace(held.observation, algo_orders=None))
        case "unasked":
            return replace(held, observation=replace(held.observation, is_unasked=True))
        case "somebody's":
            life = a_life("0", closed_ms=NOW)
            return replace(flat, ledger=a_ledger(life=life, position_quantity=d("0.2")))
        case "unknown":
            return replace(flat, ledger=Ledger(position_quantity=d("-0.2")))
        case "side covered":
            return replace(flat, ledger=Ledger(hedged=(replace(side, is_covered=True),)))
        case _:
            return replace(flat, ledger=Ledger(hedged=(side,)))


LOOKS = table("""
kind          verified  why
flat          yes       nothing is held
covered       yes       stops reach the whole position
naked         no        a part has no stop
blind         no        the position was not read
no lists      no        the stops were not read
unasked       no        a push is no verification
somebody's    no        a position nobody covers yet
unknown       no        a position without a life
side covered  yes       the held side of hedge mode has its stop
side naked    no        it has none
""")


@pytest.mark.parametrize("row", LOOKS, ids=ids(LOOKS))
def test_only_a_look_that_verified_cover_makes_ready(
    tmp_path: Path, manager: Manager, row: list[str]
) -> None:
    kind, verified, _ = row
    service, _ = a_service(tmp_path, WATCHDOG_USEC="4000000")

    service.look(a_report(a_look(kind)), "ok, open")

    heard = manager.heard()
    assert is_cover_verified(a_report(a_look(kind))) is (verified == "yes")
    assert ("READY=1" in heard) is (verified == "yes")
    assert ("WATCHDOG=1" in heard) is (verified == "yes")
    assert "STATUS=ok, open" in heard


def test_ready_is_said_once_and_the_watchdog_is_fed_four_times_in_its_patience(
    tmp_path: Path, manager: Manager
) -> None:
    service, clock = a_service(tmp_path, WATCHDOG_USEC="4000000", WATCHDOG_PID=str(os.getpid()))
    report = a_report(a_look("covered"))

    for clock[0] in range(0, 4_000, 250):
        service.look(report, "ok")

    heard = manager.heard()
    assert heard.count("READY=1") == 1
    assert heard.count("WATCHDOG=1") == 4
    assert heard.count("STATUS=ok") == 1


def test_a_keeper_that_cannot_verify_cover_starves_the_watchdog(
    tmp_path: Path, manager: Manager
) -> None:
    """It then is restarted, which costs nothing: the stops rest on the exchange."""
    service, clock = a_service(tmp_path, WATCHDOG_USEC="4000000")
    service.look(a_report(a_look("covered")), "ok")
    manager.heard()

    for clock[0] in range(1_000, 20_000, 1_000):
        service.look(a_report(a_look("blind")), "degraded")

    assert manager.heard() == ["STATUS=degraded"]


@pytest.mark.parametrize(
    "more",
    [{}, {"WATCHDOG_USEC": "soon"}, {"WATCHDOG_USEC": "1000000", "WATCHDOG_PID": "1"}],
    ids=["none", "unreadable", "another process's"],
)
def test_without_a_watchdog_of_ours_none_is_fed(
    tmp_path: Path, manager: Manager, more: dict[str, str]
) -> None:
    service, _ = a_service(tmp_path, **more)

    service.look(a_report(a_look("covered")), "ok")

    assert "READY=1" in (heard := manager.heard())
    assert "WATCHDOG=1" not in heard


def test_a_silence_the_exchange_asked_for_is_no_reason_to_restart(
    tmp_path: Path, manager: Manager
) -> None:
    """RULES H4: a new process would not know of it, and its first request would break it."""
    service, clock = a_service(tmp_path, WATCHDOG_USEC="4000000")
    service.look(a_report(a_look("covered")), "ok")
    manager.heard()
    blind = a_look("blind")
    silent = replace(blind, condition=Condition(blocked_until_ms=NOW + 60_000))

    for clock[0] in range(1_000, 4_000, 1_000):
        service.look(a_report(silent), "degraded")
    during = manager.heard()
    service.look(a_report(a_look("covered")), "ok")

    # A second since it was fed, the minute of silence, and its usual patience.
    assert during == ["STATUS=degraded", "WATCHDOG_USEC=65000000"]
    assert "WATCHDOG_USEC=4000000" in manager.heard()


def test_a_reload_is_said_with_its_moment_and_its_end(tmp_path: Path, manager: Manager) -> None:
    service, clock = a_service(tmp_path)
    service.look(a_report(a_look("flat")), "ok")
    manager.heard()
    clock[0] = 12

    service.reloading()
    service.reloaded()
    service.stopping()

    words = manager.heard()
    assert words[:3] == ["RELOADING=1", "MONOTONIC_USEC=12000", "READY=1"]
    assert words[3] == "STOPPING=1"


def test_a_socket_in_the_abstract_namespace_is_found(tmp_path: Path) -> None:
    name = f"keeper-spec-{os.getpid()}"
    manager = Manager("\0" + name)

    ServiceManager({"NOTIFY_SOCKET": "@" + name}, lambda: 0).look(a_report(a_look("flat")), "ok")

    assert "READY=1" in manager.heard()
    manager.socket.close()


@pytest.mark.parametrize("address", ["", "/nowhere/at/all", "vsock:2:1234"])
def test_a_manager_that_is_not_there_costs_nothing(address: str) -> None:
    service = ServiceManager({"NOTIFY_SOCKET": address}, lambda: 0)

    service.look(a_report(a_look("flat")), "ok")
    service.stopping()
