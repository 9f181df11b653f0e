"""A venue served by a process of its own, as a user starts it, for the tests in this folder."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

import requests
from binance.client import Client

ROOT = Path(__file__).parent.parent.parent
START_S = 20.0
END_S = 20.0


class Served:
    """`python -m engine.venue …` until the block ends; `ready` is its first line."""

    def __init__(self, *options: str | Path) -> None:
        self.process = start(*options)
        line = first_line(self.process)
        if not line:
            out, err = self.process.communicate(timeout=END_S)
            raise AssertionError(f"no ready line: {out}{err}")
        self.ready: dict[str, str] = json.loads(line)
        self.rest_url = self.ready["rest_url"]
        self.stream_url = self.ready["stream_url"]
        self.port = int(self.rest_url.rpartition(":")[2])
        self.http = requests.Session()
        self.http.trust_env = False
        self._clients: list[Client] = []

    def __enter__(self) -> Served:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None
    ) -> None:
        for client in self._clients:
            client.close_connection()
            client.loop.close()
        self.http.close()
        ended_before = self.process.poll() is not None
        code = self.end()
        if kind is None and not ended_before:
            assert code == 0, f"the venue ended with {code}"

    def client(self, key: str = "", secret: str = "", timeout_s: float = 5) -> Client:
        """Return python-binance's client, pointed here."""
        client = Client(
            key or self.ready["api_key"],
            secret or self.ready["api_secret"],
            ping=False,
            requests_params={"timeout": timeout_s},
        )
        client.FUTURES_URL = f"{self.rest_url}/fapi"
        client.session.trust_env = False
        self._clients.append(client)
        return client

    def admin(
        self, verb: str, name: str, body: object = None, status: int = 200
    ) -> dict[str, object]:
        """Call the admin interface and return its document."""
        reply = self.http.request(verb, f"{self.ready['admin_url']}/{name}", json=body, timeout=10)
        assert reply.status_code == status, reply.text
        document = reply.json()
        assert isinstance(document, dict)
        return document

    def log(self, after: int = 0) -> list[Mapping[str, object]]:
        """Return the venue's log."""
        entries = self.admin("GET", f"log?after={after}")["entries"]
        assert isinstance(entries, list)
        return entries

    def end(self, number: int = signal.SIGTERM) -> int:
        """Signal the process, wait for it, and return its exit code."""
        self.process.send_signal(number)  # does nothing to a process that has ended
        if self.process.stdout is not None and not self.process.stdout.closed:
            self.process.communicate(timeout=END_S)
        return self.process.returncode


def start(*options: str | Path) -> subprocess.Popen[str]:
    """Start `keeper venue` with `--json`, without waiting for it."""
    asked = [str(word) for word in options]
    words = [sys.executable, "-m", "engine.venue", *asked]
    if "--json" not in asked:
        words.append("--json")
    return subprocess.Popen(
        words,
        cwd=ROOT,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def first_line(process: subprocess.Popen[str]) -> str:
    """Return the first line on stdout, empty when the process ends without one."""
    assert process.stdout is not None
    lines: queue.SimpleQueue[str] = queue.SimpleQueue()
    reader = threading.Thread(target=lambda: lines.put(process.stdout.readline()), daemon=True)  # type: ignore[union-attr]
    reader.start()
    return lines.get(timeout=START_S)


def ended(*options: str | Path) -> tuple[int, dict[str, object], str]:
    """Run to the end; return exit code, the one document on stdout, and stderr."""
    process = start(*options)
    out, err = process.communicate(timeout=START_S)
    document = json.loads(out)
    assert isinstance(document, dict)
    return process.returncode, document, err
