"""A venue in a process of its own, started with the keeper's Python; these tests only talk to it.

Nothing of the keeper is imported here: this environment does not have its packages.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import threading
import urllib.request
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
START_S = 60.0
END_S = 30.0
KEY, SECRET = "clients-key-0123456789", "clients-secret-0123456789"
SYMBOL = "BTCUSDT"
FIRST_PRICE = "90800"


def keeper_python() -> str:
    """Return the Python that has the keeper: KEEPER_VENUE_PYTHON, else the checkout's .venv."""
    return os.environ.get("KEEPER_VENUE_PYTHON") or str(ROOT / ".venv" / "bin" / "python")


class Served:
    """`python -m engine.venue` with one known key, so that signatures are checked."""

    def __init__(self, folder: Path) -> None:
        keys = folder / "keys"
        keys.write_text(f"{KEY} {SECRET}\n", encoding="utf-8")
        words = ["-m", "engine.venue", "--port", "0", "--json", "--keys", str(keys)]
        self._process = subprocess.Popen(
            [keeper_python(), *words],
            cwd=ROOT,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        out = self._process.stdout
        assert out is not None
        threading.Thread(target=lambda: lines.put(out.readline()), daemon=True).start()
        line = lines.get(timeout=START_S)
        if not line:
            _, complaint = self._process.communicate(timeout=END_S)
            raise AssertionError(f"no ready line: {complaint}")
        ready = json.loads(line)
        self.rest_url: str = ready["rest_url"]
        self.stream_url: str = ready["stream_url"]
        self._admin_url: str = ready["admin_url"]
        self._open = urllib.request.build_opener(urllib.request.ProxyHandler({})).open

    def end(self) -> None:
        """End the process and say how it went."""
        self._process.send_signal(signal.SIGTERM)
        _, complaint = self._process.communicate(timeout=END_S)
        assert self._process.returncode == 0, complaint

    def admin(self, verb: str, name: str, body: object = None) -> dict[str, object]:
        """Call the admin interface."""
        asked = urllib.request.Request(  # noqa: S310 - our own loopback address
            f"{self._admin_url}/{name}",
            method=verb,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        with self._open(asked, timeout=10) as reply:
            document = json.loads(reply.read())
        assert isinstance(document, dict)
        return document

    def price(self, *prices: str) -> None:
        """Let the price go there, one after the other."""
        for last in prices:
            self.admin("POST", "price", {"last": last})

    def called(self) -> set[str]:
        """Return every call that was answered with success, without its version."""
        entries = self.admin("GET", "log?after=0")["entries"]
        assert isinstance(entries, list)
        return {
            f"{one['verb']} {one['path'].split('/', 3)[3]}"
            for one in entries
            if one["kind"] == "request" and one["status"] == 200
        }

    def leftovers(self) -> dict[str, object]:
        """Return what stands: positions that are open and everything that rests."""
        state = self.admin("GET", "state")
        positions = state["positions"]
        rows = positions.values() if isinstance(positions, Mapping) else positions
        assert hasattr(rows, "__iter__")
        return {
            "positions": [row for row in rows if float(row["quantity"])],
            "orders": state["regular_orders"],
            "algo_orders": state["algo_orders"],
        }
