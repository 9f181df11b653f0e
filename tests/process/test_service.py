"""A real keeper under a service manager: what it hears, SIGHUP, alerts and transaction logs.

The socket is a real one, the process is a real `keeper run`, the exchange answers over loopback.
"""

from __future__ import annotations

import json
import signal
import socket
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.cli.home import Home, configure, end, home_in
from tests.schemas import validate

pytestmark = pytest.mark.slow


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    with home_in(tmp_path) as home:
        yield home


class Manager:
    """The service manager's end of the socket."""

    def __init__(self, folder: Path) -> None:
        self.address = str(folder / "notify")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.address)
        self.socket.setblocking(False)
        self.words: list[str] = []

    def heard(self, word: str) -> int:
        """Return how often a word was said so far."""
        while True:
            try:
                self.words += self.socket.recv(4096).decode().split("\n")
            except BlockingIOError:
                return self.words.count(word)

    @property
    def env(self) -> dict[str, str]:
        return {"NOTIFY_SOCKET": self.address, "WATCHDOG_USEC": "2000000"}


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    manager = Manager(tmp_path)
    yield manager
    manager.socket.close()


def fault(home: Home, **more: Any) -> None:
    from engine import paper  # noqa: PLC0415 - the venue's admin interface

    paper.call(home.access.admin_url, "faults", more)


def lines(path: Path) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    for one in found:
        validate(one)
    return found


def logged(home: Home, sort: str) -> list[dict[str, Any]]:
    (path,) = (home.folder / "log").glob(f"{sort}-*.jsonl")
    return lines(path)


def test_ready_alive_reload_and_end_are_said_to_the_service_manager(
    home: Home, manager: Manager
) -> None:
    """Ready and alive come from ticks that read position and orders, and from no others."""
    child = home.start("run", env=manager.env)
    home.until(lambda: manager.heard("READY=1") == 1, "it is ready")
    home.until(lambda: manager.heard("WATCHDOG=1") >= 3, "it is alive")

    configure(home, trailing={"trail_pct": 0.9}, symbol="ETHUSDT")
    child.send_signal(signal.SIGHUP)
    home.until(lambda: manager.heard("READY=1") == 2, "it has reloaded")
    configure(home, trailing={"trial_pct": 0.9})
    child.send_signal(signal.SIGHUP)
    home.until(lambda: manager.heard("READY=1") == 3, "it has refused to reload")
    configure(home)
    code, out = end(child, signal.SIGTERM)

    assert (code, manager.heard("STOPPING=1")) == (0, 1), out
    assert manager.heard(f"MAINPID={child.pid}") == 1
    assert manager.heard("RELOADING=1") == 2
    assert any(word.startswith("MONOTONIC_USEC=") for word in manager.words)
    assert manager.words[-2] == "STOPPING=1"
    told = [json.loads(line) for line in out.splitlines() if line.startswith("{")]
    texts = [line["text"] for line in told if "configuration read again" in line["text"]]
    assert len(texts) == 2
    assert "taken: trailing.trail_pct 0.60 -> 0.9" in texts[0]
    assert "by a restart only: symbol BTCUSDT -> ETHUSDT" in texts[0]
    assert "did you mean trailing.trail_pct" in texts[1]


def test_a_standby_does_not_die_of_a_reload(home: Home) -> None:
    """It waits for days; a closed terminal or a `systemctl reload` must not end it."""
    first = home.start("run")
    home.await_ticks(first)
    second = home.start("run", "--standby")
    assert second.stdout is not None
    assert "standing by" in second.stdout.readline()

    second.send_signal(signal.SIGHUP)
    end(first, signal.SIGTERM)
    home.await_ticks(second)

    assert end(second, signal.SIGTERM)[0] == 0


def test_a_keeper_that_cannot_look_is_neither_ready_nor_alive(home: Home, manager: Manager) -> None:
    """The exchange answers the clock and nothing else: it ticks on and says nothing good."""
    for path in ("positionRisk", "openOrders", "openAlgoOrders"):
        fault(home, kind="refused_connection", match={"path": path}, times=100_000)
    child = home.start("run", env=manager.env)
    home.until(lambda: manager.heard("STATUS=degraded, flat") == 1, "it ticks")

    code, out = end(child, signal.SIGTERM)

    assert code == 0, out
    assert (manager.heard("READY=1"), manager.heard("WATCHDOG=1")) == (0, 0)


def test_a_position_is_told_to_the_alert_command_and_written_to_the_daily_files(home: Home) -> None:
    """Fills, a halt by hand, and every order: from the tail of the events, by id in order."""
    told = home.folder / "told"
    beside: dict[str, Any] = {
        "alerts": {"command": ["sh", "-c", f"cat >> '{told}'"]},
        "logs": {"folder": "log"},
    }
    configure(home, **beside)
    home.keeper("decide", "long")
    child = home.start("run")
    home.await_ticks(child)
    status: dict[str, Any] = {}

    def entered() -> bool:
        status.update(home.keeper("status", "--json").document)
        return bool(status["phase"] == "entering")

    home.until(entered, "an entry rests")
    entry = next(order for order in status["orders"] if order["role"] == "entry")
    home.price(str(Decimal(entry["price"]) - 1))
    home.until(lambda: any(one["kind"] == "fill" for one in lines(told)), "the fill was told")
    configure(home, **beside, protection={"naked_limit_s": 9}, entry={"chases_max": 1})
    child.send_signal(signal.SIGHUP)
    home.until(lambda: any(one["reason"] == "reload" for one in lines(told)), "it was told")
    home.keeper("halt", "--reason", "enough for today")
    home.until(lambda: any(one["reason"] == "halt" for one in lines(told)), "the halt was told")
    code, out = end(child, signal.SIGTERM)

    assert code == 0, out
    fill = next(one for one in lines(told) if one["kind"] == "fill")
    assert fill["order"] == entry["client_id"]
    assert fill["decision"] == status["decision"]["id"]
    assert any("enough for today" in one["text"] for one in lines(told))
    reload = next(one for one in lines(told) if one["reason"] == "reload")
    assert reload["data"] == {
        "taken": ["entry.chases_max"],
        "while_flat": ["protection.naked_limit_s"],
        "restart": [],
    }
    assert {one["order"] for one in logged(home, "fills")} == {entry["client_id"]}
    data = [one["data"] for one in logged(home, "fills")]
    assert sum(Decimal(one["quantity"]) for one in data) <= Decimal(entry["quantity"])
    assert {one["price"] for one in data} == {entry["price"]}
    orders = logged(home, "orders")
    ids = [one["id"] for one in orders]
    assert ids == sorted(set(ids))
    kinds = [one["kind"] for one in orders if one["order"] == entry["client_id"]]
    assert kinds[0] == "intent"
    assert "answered" in kinds
