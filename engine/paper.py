"""Paper mode's exchange: a child process that outlives the keeper and is found again.

Invariants: one venue per folder (the venue's own lock sees to that); an address is believed only
when the process it names is alive and answers; every wait ends. The child is started by name, so
nothing here knows the venue's insides.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

from engine.domain.errors import KeeperError
from engine.domain.numbers import plain

if TYPE_CHECKING:
    from engine.config.model import Paper

ADDRESS_FILE = "venue.json"
LOG_FILE = "venue.log"
KEYS_FILE = "keys"
START_S = 20.0
ANSWER_S = 3.0
_LOOK_S = 0.05


class PaperVenueFailed(KeeperError):
    """The simulated exchange could not be started; ``remedy`` says what to do."""

    code = "paper_venue_failed"
    exit_code = 5

    def __init__(self, message: str, *, remedy: str) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy


@dataclass(frozen=True, slots=True)
class Access:
    """Where the venue is and the key it takes; ``was_started`` tells whether it is new."""

    rest_url: str
    stream_url: str
    admin_url: str
    api_key: str
    api_secret: str
    pid: int
    was_started: bool = False


def ensure(
    folder: Path, *, options: Sequence[str] = (), wait_s: float = START_S, port: int = 0
) -> Access:
    """Return the venue that keeps ``folder``, starting it when none does.

    ``options`` are words of `keeper venue`, used only for a new start. Raises
    ``PaperVenueFailed`` when there is no answer within ``wait_s`` seconds.
    """
    found = find(folder)
    if found is not None:
        return found
    child = start(folder, options=options, port=port)
    access = await_ready(folder, child, wait_s=wait_s)
    # It outlives us on purpose; without a word Popen would complain that nobody waited for it.
    child.returncode = 0
    return access


def options_of(paper: Paper, symbol: str) -> tuple[str, ...]:
    """Return the words of `keeper venue` that paper mode's settings mean."""
    return (
        *("--symbol", symbol),
        *("--wallet", plain(paper.wallet)),
        *("--walk", paper.walk),
        *("--seed", str(paper.seed)),
        *("--start-price", plain(paper.first_price)),
    )


def find(folder: Path) -> Access | None:
    """Return the running venue of ``folder``, None when there is none that answers."""
    access = read_access(folder)
    if access is None or not is_alive(access.pid) or not answers(access.admin_url):
        return None
    return access


def known_key(folder: Path) -> str | None:
    """Return the key of the account kept in ``folder``, None when there is none yet."""
    try:
        key, _ = (folder / KEYS_FILE).read_text(encoding="utf-8").split()
    except (OSError, ValueError):
        return None
    return key


def own_keys(folder: Path) -> tuple[str, str]:
    """Return the key and secret of the account kept in ``folder``, made on the first call.

    They stay the same however often the venue is restarted, because the store knows an account
    by its key.
    """
    file = folder / KEYS_FILE
    with suppress(OSError, ValueError):
        key, secret = file.read_text(encoding="utf-8").split()
        return key, secret
    folder.mkdir(parents=True, exist_ok=True)
    aside = folder / f".{KEYS_FILE}.{os.getpid()}"
    handle = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as stream:
        stream.write(f"{secrets.token_hex(32)} {secrets.token_hex(32)}\n")
    # A link is there whole or not at all, and the first of two starters wins.
    with suppress(FileExistsError):
        os.link(aside, file)
    aside.unlink()
    key, secret = file.read_text(encoding="utf-8").split()
    return key, secret


def start(folder: Path, *, options: Sequence[str] = (), port: int = 0) -> subprocess.Popen[bytes]:
    """Start the venue as a process of its own session, its words going to a log file."""
    try:
        own_keys(folder)
        keys = ["--keys", str(folder / KEYS_FILE)]
        words = ["--state", str(folder), "--port", str(port), "--json", *keys, *options]
        with (folder / LOG_FILE).open("ab") as log:
            return subprocess.Popen(  # noqa: S603 - our own module, words of our own
                [sys.executable, "-m", "engine.venue", *words],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
    except OSError as error:
        raise PaperVenueFailed(
            f"the simulated exchange cannot be started in {folder}: {error}",
            remedy="make the folder writable",
        ) from error


def await_ready(folder: Path, child: subprocess.Popen[bytes], *, wait_s: float) -> Access:
    """Return the venue once it answers; the one that won if two were started at once."""
    deadline_s = time.monotonic() + wait_s
    pause = Event()
    while time.monotonic() < deadline_s:
        access = read_access(folder)
        if access is not None and is_alive(access.pid) and answers(access.admin_url):
            return replace(access, was_started=access.pid == child.pid)
        if child.poll() is not None and (access is None or not is_alive(access.pid)):
            raise PaperVenueFailed(
                f"the simulated exchange ended at once with code {child.returncode}: "
                f"{_last_line(folder / LOG_FILE)}",
                remedy=f"see {folder / LOG_FILE}",
            )
        pause.wait(_LOOK_S)
    with suppress(ProcessLookupError):
        child.terminate()
    raise PaperVenueFailed(
        f"the simulated exchange in {folder} did not answer within {wait_s:g} s",
        remedy=f"see {folder / LOG_FILE}; `keeper venue stop --state {folder}` ends it",
    )


def read_access(folder: Path) -> Access | None:
    """Return what the folder's address file says, None when it is missing or unreadable."""
    try:
        plain = json.loads((folder / ADDRESS_FILE).read_text(encoding="utf-8"))
        return Access(
            str(plain["rest_url"]),
            str(plain["stream_url"]),
            str(plain["admin_url"]),
            str(plain["api_key"]),
            str(plain["api_secret"]),
            int(plain["pid"]),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def is_alive(pid: int) -> bool:
    """Return whether a process of that id exists and is no mere remainder of one."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    with suppress(OSError):
        # A child of ours that ended stays visible until somebody waits for it.
        return ") Z" not in Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    return True


def answers(admin_url: str) -> bool:
    """Return whether the admin interface answers."""
    try:
        call(admin_url, "state")
    except (OSError, ValueError, TypeError):
        return False
    return True


def call(admin_url: str, path: str, body: Mapping[str, object] | None = None) -> dict[str, object]:
    """Ask the admin interface (GET) or tell it something (POST).

    Raises OSError, ValueError or TypeError when there is no usable answer.
    """
    if not admin_url.startswith("http://"):
        raise ValueError(f"{admin_url} is no address of a venue")
    request = urllib.request.Request(  # noqa: S310 - http only, checked above
        f"{admin_url}/{path}",
        data=None if body is None else json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
    )
    # No proxy of the environment may stand between us and loopback.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=ANSWER_S) as reply:
        plain = json.load(reply)
    if not isinstance(plain, dict):
        raise TypeError("the venue's answer is no JSON object")
    return plain


def _last_line(path: Path) -> str:
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
    except OSError:
        return "no log"
    return next((line.strip() for line in reversed(lines) if line.strip()), "its log is empty")
