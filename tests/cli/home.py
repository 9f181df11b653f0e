"""A keeper's home for one test: configuration, inbox, store, and a venue on a port of its own."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Any

import yaml

from engine import paper
from engine.simulation.cover import Picture, pictures
from engine.simulation.log import read_log
from tests.cli.program import Ran, keeper

ROOT = Path(__file__).parents[2]
PATIENCE_S = 30.0


@dataclass
class Home:
    """The folder, its venue, and every process started from it."""

    folder: Path
    access: paper.Access
    children: list[subprocess.Popen[str]] = field(default_factory=list)

    @property
    def config(self) -> Path:
        """The configuration file."""
        return self.folder / "config.yaml"

    @property
    def secrets(self) -> dict[str, str]:
        """The environment that names the account."""
        return {
            "KEEPER_API_KEY": self.access.api_key,
            "KEEPER_API_SECRET": self.access.api_secret,
        }

    def keeper(self, *words: object, env: Mapping[str, str] | None = None) -> Ran:
        """Run one command from the empty folder beside the home, naming the configuration."""
        elsewhere = self.folder / "elsewhere"
        elsewhere.mkdir(exist_ok=True)
        given = self.secrets if env is None else env
        ran = keeper(*words, "--config", self.config, cwd=elsewhere, env=given)
        assert list(elsewhere.iterdir()) == [], "a command must not write where it is called"
        return ran

    def start(self, *words: object, env: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
        """Start a command that goes on, with more environment; it ends with the test."""
        clean = {k: v for k, v in os.environ.items() if not k.startswith("KEEPER")}
        child = subprocess.Popen(
            [sys.executable, "-m", "engine.cli.main", *map(str, words), "--config", self.config],
            cwd=self.folder,
            env={**clean, "PYTHONPATH": str(ROOT), **self.secrets, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.children.append(child)
        return child

    def await_ticks(self, child: subprocess.Popen[str]) -> None:
        """Wait until this very process has ticked, as the store says."""

        def ticks() -> bool:
            assert child.poll() is None, f"ended with {child.returncode}"
            beat = self.beat()
            return beat.get("pid") == child.pid and bool(beat.get("tick"))

        self.until(ticks, "the keeper ticks")

    def ticks(self) -> int:
        """Return the keeper's last tick, as the store says."""
        return int(self.beat().get("tick") or 0)

    def beat(self) -> dict[str, Any]:
        """Return the keeper's last heartbeat, read from the store: no process is as cheap."""
        path = self.folder / "var" / "keeper.db"
        if not path.exists():
            return {}
        query = "SELECT value FROM engine_state WHERE key = 'heartbeat'"
        with (
            closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database,
            suppress(sqlite3.OperationalError),  # not made yet
        ):
            for (text,) in database.execute(query):
                return dict(json.loads(text))
        return {}

    def price(self, last: str) -> None:
        """Move last and mark price."""
        paper.call(self.access.admin_url, "price", {"last": last, "mark": last})

    def hand(self, **hand: object) -> None:
        """Let somebody else act on the account."""
        paper.call(self.access.admin_url, "hand", hand)

    def fault(self, **fault: object) -> None:
        """Arm a fault."""
        paper.call(self.access.admin_url, "faults", fault)

    def struck(self) -> int:
        """Return how often the faults that are armed have struck."""
        faults = paper.call(self.access.admin_url, "faults")["faults"]
        assert isinstance(faults, list)
        return sum(int(fault["struck"]) for fault in faults)

    def clear_faults(self) -> None:
        """Disarm every fault."""
        with urllib.request.urlopen(  # noqa: S310 - loopback
            urllib.request.Request(f"{self.access.admin_url}/faults", method="DELETE")  # noqa: S310
        ):
            return

    def state(self) -> dict[str, object]:
        """Return the venue's own view."""
        return paper.call(self.access.admin_url, "state")

    def log(self) -> list[dict[str, object]]:
        """Return everything the venue noted."""
        entries = paper.call(self.access.admin_url, "log?after=0")["entries"]
        assert isinstance(entries, list)
        return entries

    def picture(self) -> Picture | None:
        """Return position and resting orders as the venue's log gives them."""
        events = read_log(self.log())
        last = None
        for last in pictures(events, end_ms=0):  # noqa: B007 - the last one is wanted
            pass
        return last

    def until(self, fact: Callable[[], bool], what: str) -> None:
        """Look until something is so."""
        deadline_s = time.monotonic() + PATIENCE_S
        pause = Event()
        while not fact():
            assert time.monotonic() < deadline_s, f"did not happen: {what}"
            pause.wait(0.05)


@contextmanager
def home_in(folder: Path, *options: str, interval_s: float = 0.3) -> Iterator[Home]:
    """Open a home; close every process of it afterwards, by its id."""
    access = paper.ensure(folder / "venue", options=("--start-price", "90860", *options))
    home = Home(folder, access)
    configure(home, interval_s=interval_s)
    (folder / "decisions").mkdir(exist_ok=True)
    try:
        yield home
    finally:
        for child in home.children:
            if child.poll() is None:
                child.kill()
            child.wait(10)
            if child.stdout is not None:
                child.stdout.close()
        with suppress(OSError, ValueError):
            paper.call(access.admin_url, "stop", {})
        home.until(lambda: not paper.is_alive(access.pid), "the venue ended")


def configure(home: Home, *, interval_s: float = 0.3, **more: object) -> None:
    """Write the configuration."""
    settings: dict[str, object] = {
        "exchange": {"rest_url": home.access.rest_url, "stream_url": home.access.stream_url},
        "store": {"url": "sqlite:///var/keeper.db", "spool": "var/keeper.spool"},
        "loop": {"interval_s": interval_s},
        "risk": {"volatility_max_pct": 10},
        **more,
    }
    home.config.write_text(yaml.safe_dump(settings))


def end(child: subprocess.Popen[str], how: signal.Signals) -> tuple[int, str]:
    """Send a signal and return code and output."""
    child.send_signal(how)
    out, _ = child.communicate(timeout=PATIENCE_S)
    return child.returncode, out
