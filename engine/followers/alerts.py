"""``alerts.command``: a program of the operator's own gets each event as JSON on stdin.

Invariants: one child at a time, ended with everything it started when its time is up; a command
that fails is tried again a few times and then given up, never for ever; nothing of the keeper's
credentials reaches the child; only the followers' thread waits for it, never the tick.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Event

from engine.followers.happening import Happening

EVERYTHING = "all"

RETRY_S = (1.0, 4.0)
"""How long to wait after the first and the second failure; after the third the event is let go."""

BACKLOG_MAX = 50
"""How many events may wait: of a flood only the newest are told, with the number left out."""

SECRET_NAMES = (
    "KEEPER_API_KEY",
    "KEEPER_API_SECRET",
    "CREDENTIALS_DIRECTORY",
    "KEEPER__STORE__URL",
)
"""What the command's environment must not hold: keys, and a database address with a password."""


@dataclass(frozen=True, slots=True)
class Order:
    """What to run, for which kinds of events (``alarm`` is one), and for how long at most."""

    command: tuple[str, ...]
    kinds: tuple[str, ...]
    timeout_s: float

    def wants(self, happening: Happening) -> bool:
        """Return whether this event is told."""
        return EVERYTHING in self.kinds or happening.sort in self.kinds


class Alerts:
    """Follows the events and runs the command for each that is wanted."""

    def __init__(
        self,
        order: Order,
        place: Path,
        note: Callable[[str], None],
        *,
        environ: Mapping[str, str] | None = None,
        retry_s: Sequence[float] = RETRY_S,
    ) -> None:
        """Keep the cursor in the file ``place``; ``note`` is told when telling begins to fail."""
        self._retry_s = retry_s
        self._order = order
        self._place = place
        self._note = note
        self._environ = _without_secrets(os.environ if environ is None else environ)
        self._failure: str | None = None
        self._pause = Event()

    def cursor(self) -> int | None:
        """Return the id of the last event that was told or passed over."""
        try:
            return int(self._place.read_text(encoding="ascii"))
        except (OSError, ValueError):
            return None

    def take(self, news: Sequence[Happening], *, is_ending: Callable[[], bool]) -> None:
        """Tell what is wanted, oldest first; of a flood the newest."""
        wanted = [one for one in news if self._order.wants(one)]
        left_out = max(len(wanted) - BACKLOG_MAX, 0)
        for number, happening in enumerate(wanted[left_out:]):
            if not self._told(happening, left_out if number == 0 else 0, is_ending):
                return
            self._keep(happening.id)
        self._keep(max(one.id for one in news))

    def _told(self, happening: Happening, left_out: int, is_ending: Callable[[], bool]) -> bool:
        """Tell one event; False when the keeper ends before it was told."""
        text = json.dumps(happening.document(left_out=left_out), ensure_ascii=False) + "\n"
        for wait_s in (*self._retry_s, None):
            if is_ending():
                return False
            failure = run(self._order.command, text, self._order.timeout_s, self._environ)
            if failure is None:
                self._say(None)
                return True
            self._say(failure)
            if wait_s is not None and not self._wait(wait_s, is_ending):
                return False
        return True  # given up: the next event has its own chance

    def _wait(self, wait_s: float, is_ending: Callable[[], bool]) -> bool:
        """Wait; False when the keeper ends meanwhile."""
        until_s = time.monotonic() + wait_s
        while (left_s := until_s - time.monotonic()) > 0:
            if is_ending():
                return False
            self._pause.wait(min(left_s, 0.1))
        return True

    def _say(self, failure: str | None) -> None:
        """Note the first failure of a row, and that it is over."""
        if failure is not None and self._failure is None:
            self._note(f"alerts.command failed: {failure}")
        if failure is None and self._failure is not None:
            self._note("alerts.command works again")
        self._failure = failure

    def _keep(self, event_id: int) -> None:
        """Write the cursor down; without it the worst is an event told twice."""
        if event_id <= (self.cursor() or 0):
            return
        aside = self._place.with_name(self._place.name + ".new")
        with suppress(OSError):
            self._place.parent.mkdir(parents=True, exist_ok=True)
            aside.write_text(str(event_id), encoding="ascii")
            aside.replace(self._place)


def run(
    command: Sequence[str], text: str, timeout_s: float, environ: Mapping[str, str]
) -> str | None:
    """Run the command with ``text`` on stdin; return what went wrong, None for nothing.

    It gets a session of its own, so that at its end everything it started can be ended too.
    """
    try:
        child = subprocess.Popen(  # noqa: S603 - the operator's own command, from the configuration
            list(command),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=dict(environ),
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        return f"{command[0]} cannot be started: {error}"
    try:
        child.communicate(text.encode(), timeout=timeout_s)
    except subprocess.TimeoutExpired:
        _end(child)
        return f"{command[0]} did not end within {timeout_s:g} s"
    except OSError as error:
        _end(child)
        return f"{command[0]} took no input: {error}"
    if child.returncode != 0:
        return f"{command[0]} ended with {child.returncode}"
    return None


def _end(child: subprocess.Popen[bytes]) -> None:
    """End a child and what it started; a process that cannot be ended is left behind."""
    with suppress(OSError):
        os.killpg(child.pid, signal.SIGKILL)
    with suppress(subprocess.TimeoutExpired):
        child.wait(1)
    if child.stdin is not None:
        with suppress(OSError):
            child.stdin.close()


def _without_secrets(environ: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environ.items() if name.upper() not in SECRET_NAMES}
