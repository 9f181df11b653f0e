"""Ends a venue that keeps its books in a folder, and waits until it has let go of them."""

from __future__ import annotations

import json
import os
import signal
import time
import urllib.request
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Event

from engine.venue.books import is_held, read_address

DEFAULT_STATE = Path("var/paper")
WAIT_S = 10.0
_LOOK_S = 0.05


@dataclass(frozen=True, slots=True)
class Ended:
    """What became of the request to stop."""

    was_running: bool
    stopped: bool
    pid: int | None
    sentence: str


def stop_venue(folder: Path, *, wait_s: float = WAIT_S) -> Ended:
    """Stop the venue of `folder`, politely first, then by SIGTERM; never by force.

    Only a folder whose lock is held has a venue: an old `venue.json` names nobody, so no innocent
    process is signalled.
    """
    if not is_held(folder):
        return Ended(
            was_running=False, stopped=True, pid=None, sentence=f"no venue runs in {folder}"
        )
    address: Mapping[str, object] = read_address(folder) or {}
    pid = int(str(address["pid"])) if "pid" in address else None
    deadline = time.monotonic() + wait_s
    asked = _ask(str(address.get("admin_url", "")))
    if not asked and pid is not None:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
    pause = Event()
    while is_held(folder):
        if time.monotonic() > deadline:
            return Ended(
                was_running=True,
                stopped=False,
                pid=pid,
                sentence=f"the venue in {folder} (pid {pid}) did not end within {wait_s:g} s",
            )
        pause.wait(_LOOK_S)
    return Ended(was_running=True, stopped=True, pid=pid, sentence=f"venue {pid} stopped")


def _ask(admin_url: str) -> bool:
    if not admin_url.startswith("http://"):
        return False
    request = urllib.request.Request(  # noqa: S310 - http only, checked above
        f"{admin_url}/stop", data=b"{}", headers={"Content-Type": "application/json"}
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=3) as reply:
            return bool(json.load(reply).get("stopping"))
    except (OSError, ValueError):
        return False
