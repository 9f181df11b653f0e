"""A venue in a process of its own for one written life: `keeper venue`, its clock told by us.

The server plays the life's prices, hands and faults itself, each at its moment; documents and
deaths are the world's. The process ends with the block.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from engine.exchange.binance.client import BinanceAccess
from engine.read.documents import moment_of
from engine.simulation.reach import KEY, SECRET, VenueGone
from engine.simulation.wire import ByWire

READY_S = 30.0
ENDED_S = 10.0


@contextmanager
def served_life(file: Path, symbol: str, start_ms: int, folder: Path) -> Iterator[ByWire]:
    """Serve the life of ``file`` from exchange time ``start_ms`` on; words go to ``folder``.

    Raises ``VenueGone`` when the server does not come up.
    """
    keys = folder / "keys"
    keys.write_text(f"{KEY} {SECRET}\n", encoding="utf-8")
    words = ["--scenario", str(file.resolve()), "--clock", moment_of(start_ms), "--no-history"]
    words += ["--keys", str(keys), "--json"]
    with (folder / "venue.log").open("wb") as complaints:
        server = subprocess.Popen(  # noqa: S603 - our own module, words of our own
            [sys.executable, "-m", "engine.venue", *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=complaints,
        )
    try:
        address = _address(server)
        access = BinanceAccess(
            rest_url=address["rest_url"],
            stream_url=address["stream_url"],
            api_key=KEY,
            api_secret=SECRET,
            symbol=symbol,
        )
        wire = ByWire(access, address["admin_url"])
        try:
            yield wire
        finally:
            wire.close()
    finally:
        _end(server)


def _address(server: subprocess.Popen[bytes]) -> dict[str, str]:
    line = b"" if server.stdout is None else _line(server.stdout)
    try:
        address = json.loads(line)
        return {name: str(address[name]) for name in ("rest_url", "stream_url", "admin_url")}
    except (ValueError, KeyError, TypeError) as error:
        raise VenueGone(f"the venue was not ready: {line[:200]!r}") from error


def _line(stdout: IO[bytes]) -> bytes:
    """Return the first line, or what came of it within the time there is."""
    until_s = time.monotonic() + READY_S
    line = b""
    while not line.endswith(b"\n"):
        left_s = until_s - time.monotonic()
        if left_s <= 0 or not select.select([stdout], [], [], left_s)[0]:
            break
        more = os.read(stdout.fileno(), 4096)
        if not more:
            break
        line += more
    return line


def _end(server: subprocess.Popen[bytes]) -> None:
    server.terminate()
    try:
        server.communicate(timeout=ENDED_S)
    except subprocess.TimeoutExpired:
        server.kill()
        server.communicate()
