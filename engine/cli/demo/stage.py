"""The demo's stage: a venue process, a keeper process, and the venue's log as the only witness.

Invariants: every wait is for an observed fact and ends; every process is known by its id and is
gone when the stage closes, however it closes; nothing outside the demo's folder is written.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from threading import Event as Pause

from engine import paper
from engine.cli.output import ExitCode, Problem
from engine.config.model import without_password
from engine.domain.identity import OrderRole
from engine.domain.numbers import plain
from engine.simulation.cover import ZERO, Picture, pictures
from engine.simulation.log import Event, Filled, Placed, read_log

LOOK_S = 0.05
STEP_S = 0.1
PATIENCE_S = 40.0
TICK = Decimal("0.1")


@dataclass(frozen=True, slots=True)
class Restart:
    """One kill and what followed, in the venue's milliseconds; ``covered_ms`` may stay unknown."""

    killed_ms: int
    started_ms: int
    covered_ms: int | None
    level_before: Decimal | None
    level_after: Decimal | None


@dataclass
class Witness:
    """The venue's log as far as it was fetched, and what it adds up to."""

    entries: list[Mapping[str, object]] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)

    def take(self, new: list[Mapping[str, object]]) -> None:
        """Append what the venue noted since the last look."""
        self.entries += new
        if any(entry["kind"] in ("order", "fill") for entry in new):
            self.events = read_log(self.entries)

    @property
    def last_number(self) -> int:
        """Return the sequence number of the newest entry."""
        return int(str(self.entries[-1]["n"])) if self.entries else 0

    @property
    def now_ms(self) -> int:
        """Return the venue's time of the newest entry."""
        return int(str(self.entries[-1]["at_ms"])) if self.entries else 0

    def picture(self) -> Picture:
        """Return what stands now: position and resting orders."""
        nothing = Picture(0, 0, ZERO, (), 0, None)
        return deque([nothing, *pictures(self.events, end_ms=self.now_ms)], maxlen=1)[0]

    def fills(self, *roles: OrderRole, generation: int | None = None) -> list[Filled]:
        """Return our executions of these roles."""
        return [
            e for e in self.events if isinstance(e, Filled) and _is(e.own_id, roles, generation)
        ]

    def placed(self, *roles: OrderRole, generation: int | None = None) -> list[Placed]:
        """Return our orders of these roles that were ever accepted, oldest first."""
        return [
            e
            for e in self.events
            if isinstance(e, Placed)
            and _is(e.own_id, roles, generation)
            and (e.book == "algo" or e.type == "LIMIT")
        ]

    def requests_since(self, number: int, path: str) -> Iterator[Mapping[str, object]]:
        """Yield the requests to paths that end in ``path`` after entry ``number``."""
        for entry in self.entries:
            is_later = int(str(entry["n"])) > number
            if is_later and entry["kind"] == "request" and str(entry["path"]).endswith(path):
                yield entry


def _is(own: object, roles: tuple[OrderRole, ...], generation: int | None) -> bool:
    role, number = getattr(own, "role", None), getattr(own, "generation", None)
    return role in roles and (generation is None or number == generation)


class Stage:
    """Owns both processes and the price; ``heartbeat`` is called at every look."""

    def __init__(
        self,
        folder: Path,
        *,
        first_price: Decimal,
        options: tuple[str, ...],
        pace: float = 1.0,
        store: str | None = None,
    ) -> None:
        """``store`` is the URL of a database elsewhere; None: a file in ``folder``.

        Its password, if it has one, reaches the keeper through the environment and no file.
        """
        self.database = None if store is None else without_password(store)
        self.store_environ = {} if store is None else {"KEEPER__STORE__URL": store}
        self.folder = folder
        self.pace = pace
        self.price = first_price
        self.prices: list[tuple[int, Decimal]] = []
        self.witness = Witness()
        self.restarts: list[Restart] = []
        self.heartbeat: Callable[[], None] = _nothing
        self._options = ("--start-price", plain(first_price), *options)
        self._venue: subprocess.Popen[bytes] | None = None
        self._keeper: subprocess.Popen[bytes] | None = None
        self._access: paper.Access | None = None
        self._pause = Pause()

    @property
    def config(self) -> Path:
        """Return the keeper's configuration file."""
        return self.folder / "config.yaml"

    @property
    def access(self) -> paper.Access:
        """Return where the venue is; only once it was opened."""
        if self._access is None:
            raise RuntimeError("the venue is not open")
        return self._access

    def open_venue(self) -> None:
        """Start the venue and wait until it answers."""
        state = self.folder / "venue"
        self._venue = paper.start(state, options=self._options)
        self._access = paper.await_ready(state, self._venue, wait_s=PATIENCE_S)

    def start_keeper(self) -> None:
        """Start the keeper the way a person would, its words going to a file."""
        environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith("KEEPER_")},
            "KEEPER_API_KEY": self.access.api_key,
            "KEEPER_API_SECRET": self.access.api_secret,
            **self.store_environ,
        }
        with (self.folder / "keeper.log").open("ab") as log:
            self._keeper = subprocess.Popen(  # noqa: S603 - our own module
                [sys.executable, "-m", "engine.cli.main", "run", "--config", str(self.config)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment,
                start_new_session=True,
            )

    def kill_keeper(self) -> int:
        """Kill -9 the keeper and return the venue's time at which it was gone."""
        keeper = self._running_keeper()
        keeper.kill()
        keeper.wait(PATIENCE_S)
        return self.now_ms()

    def end_keeper(self) -> int:
        """Ask the keeper to finish its tick and leave; return its exit code."""
        keeper = self._running_keeper()
        keeper.send_signal(signal.SIGTERM)
        try:
            return keeper.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            raise self._failed("the keeper did not end within its patience") from None

    def now_ms(self) -> int:
        """Return the venue's time now."""
        state = self._ask("state")
        return int(str(state["now_ms"]))

    def look(self) -> None:
        """Fetch what is new in the log and tell whoever watches."""
        answer = self._ask(f"log?after={self.witness.last_number}")
        entries = answer["entries"]
        if isinstance(entries, list):
            self.witness.take(entries)
        self.heartbeat()

    def await_fact(
        self, fact: Callable[[], bool], what: str, *, patience_s: float = PATIENCE_S
    ) -> None:
        """Look until ``fact`` holds; raises ``Problem`` when it does not in time."""
        deadline_s = time.monotonic() + patience_s
        while True:
            self.look()
            if fact():
                return
            keeper = self._keeper
            if keeper is not None and keeper.poll() is not None:
                raise self._failed(f"the keeper ended with code {keeper.returncode}: {what}")
            if time.monotonic() > deadline_s:
                raise self._failed(f"did not happen within {patience_s:g} s: {what}")
            self._pause.wait(LOOK_S)

    def rest(self, duration_s: float) -> None:
        """Let time pass while looking."""
        until_s = time.monotonic() + duration_s
        while time.monotonic() < until_s:
            self.look()
            self._pause.wait(STEP_S)

    def set_price(self, price: Decimal, *, quantity: Decimal | None = None) -> None:
        """Move last and mark price; ``quantity`` bounds what resting orders fill there."""
        body: dict[str, object] = {"last": plain(price), "mark": plain(price)}
        if quantity is not None:
            body["quantity"] = plain(quantity)
        self._ask("price", body)
        self.price = price

    def glide(self, to: Decimal, duration_s: float) -> None:
        """Move the price in a straight line, a step every tenth of a second.

        ``pace`` shortens it; waiting for facts takes as long as it takes.
        """
        start, steps = self.price, max(1, round(duration_s / self.pace / STEP_S))
        for step in range(1, steps + 1):
            raw = start + (to - start) * step / steps
            self.set_price((raw / TICK).to_integral_value() * TICK)
            self.prices.append((self.now_ms(), self.price))
            self.look()
            self._pause.wait(STEP_S)

    def close(self) -> None:
        """End both processes, politely first, always."""
        for child in (self._keeper, self._venue):
            if child is None or child.poll() is not None:
                continue
            child.terminate()
            with suppress(subprocess.TimeoutExpired):
                child.wait(5)
            if child.poll() is None:
                child.kill()
                child.wait(5)

    def _running_keeper(self) -> subprocess.Popen[bytes]:
        if self._keeper is None:
            raise RuntimeError("the keeper was not started")
        return self._keeper

    def _ask(self, path: str, body: Mapping[str, object] | None = None) -> dict[str, object]:
        try:
            return paper.call(self.access.admin_url, path, body)
        except (OSError, ValueError, TypeError) as error:
            raise self._failed(f"the venue does not answer: {error}") from error

    def _failed(self, what: str) -> Problem:
        return Problem(
            "demo_stopped",
            what,
            ExitCode.NO,
            remedy=f"see {self.folder / 'keeper.log'} and {self.folder / 'venue' / 'venue.log'}",
        )


def _nothing() -> None:
    """Do nothing; what a stage without a watcher calls."""


def write_json(path: Path, document: Mapping[str, object]) -> None:
    """Replace ``path`` as a whole, so that nobody reads half a file."""
    aside = path.with_suffix(".new")
    aside.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    aside.replace(path)
