"""No key, no secret and no signature in anything a keeper says or writes, however it fails.

Every run below fails in its own way; then all of it is searched: stdout, stderr, logs, alerts,
database (packed bodies unpacked), spool, report.
"""

from __future__ import annotations

import re
import signal
import sqlite3
import subprocess
import sys
import zlib
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from engine import paper
from tests.cli.home import ROOT, Home, configure, end, home_in
from tests.cli.program import Ran

pytestmark = pytest.mark.slow
WRONG = "5ecret" * 10
SIGNED = re.compile(r"signature['\"]?[=:]\s*['\"]?[0-9a-fA-F]{32,}")
FAULTS = ("garbage_body", "http_503_unknown", "reply_lost_after", "refused_connection", "error")


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    with home_in(tmp_path) as home:
        yield home


class Searched:
    """Everything said and written, and what must not be in it."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.secrets = (home.access.api_key, home.access.api_secret, WRONG)
        self.texts: dict[str, str] = {}

    def take(self, name: str, ran: Ran | str) -> None:
        text = ran if isinstance(ran, str) else ran.out + ran.err
        self.texts[name] = text

    def found(self) -> list[tuple[str, str]]:
        """Return where a secret is, with what is around it."""
        everything = {**self.texts, **dict(self._files())}
        hits = []
        for name, text in everything.items():
            places = [text.find(secret) for secret in self.secrets]
            signed = SIGNED.search(text)
            places += [signed.start()] if signed is not None else []
            hits += [(name, text[max(at - 40, 0) : at + 12]) for at in places if at >= 0]
        return hits

    def _files(self) -> Iterator[tuple[str, str]]:
        for path in sorted(self.home.folder.rglob("*")):
            if "venue" in path.relative_to(self.home.folder).parts or not path.is_file():
                continue  # the exchange's own folder holds its own keys
            raw = path.read_bytes()
            yield str(path), raw.decode("latin-1")
            if raw.startswith(b"SQLite"):
                yield f"{path} unpacked", "\n".join(_unpacked(path))


def _unpacked(path: Path) -> Iterator[str]:
    """Yield every value of every table, packed ones unpacked."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        names = [row[0] for row in database.execute("SELECT name FROM sqlite_master")]
        for name in names:
            with suppress(sqlite3.OperationalError):
                for row in database.execute(f"SELECT * FROM {name}"):  # noqa: S608 - names of ours
                    for value in row:
                        if isinstance(value, bytes):
                            with suppress(zlib.error):
                                value = zlib.decompress(value).decode()  # noqa: PLW2901
                        yield str(value)


def crash(home: Home, words: str) -> str:
    """Return what a defect that carries secrets leaves behind: the last frame's own words."""
    program = (
        "import engine.cli.reading as reading, engine.cli.main as main, os\n"
        "def status(arguments, output):\n"
        "    key, secret = os.environ['KEEPER_API_KEY'], os.environ['KEEPER_API_SECRET']\n"
        "    raise RuntimeError(f'/fapi/v1/order?apiKey={key}&signature=' + 'ab' * 32 + secret)\n"
        "reading.status = status\n"
        f"raise SystemExit(main.main({words!r}.split()))\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", **home.secrets},
        cwd=home.folder,
    )
    assert ran.returncode == 70, ran.stderr
    assert "RuntimeError" in ran.stderr, "the trace is there"
    return ran.stdout + ran.stderr


def break_everything(home: Home) -> None:
    for kind in FAULTS:
        for verb in ("GET", "POST", "DELETE"):
            fault = {"kind": kind, "match": {"verb": verb}, "times": 4}
            paper.call(home.access.admin_url, "faults", fault | {"code": -1000})


def test_nothing_a_failing_keeper_says_or_writes_holds_a_secret(home: Home) -> None:
    told = home.folder / "told"
    everything = {
        "alerts": {"command": ["sh", "-c", f"env >> '{told}'; cat >> '{told}'"], "kinds": "all"},
        "logs": {"folder": "log"},
        "ticks": {"record": "all"},
    }
    searched = Searched(home)

    # A keeper with an entry at work, every kind of request broken under it.
    configure(home, **everything)  # type: ignore[arg-type]  # by name
    home.keeper("decide", "long")
    child = home.start("run")
    home.await_ticks(child)
    break_everything(home)
    tick = home.ticks()
    home.until(lambda: home.ticks() > tick + 8, "it ticks through the faults")
    searched.take("run", end(child, signal.SIGTERM)[1])
    for verb in ("check", "verify"):
        searched.take(verb, home.keeper(verb, "--json"))
    report = home.folder / "report.html"
    searched.take("report", home.keeper("report", "--html", report, "--json"))

    # A secret that signs wrongly, credentials from systemd's folder, and nobody at the address.
    wrong = {**home.secrets, "KEEPER_API_SECRET": WRONG}
    searched.take("wrong secret", home.keeper("run", "--ticks", "2", "--json", env=wrong))
    folder = home.folder / "venue" / "credentials"  # beside the exchange's own keys: not searched
    folder.mkdir()
    (folder / "api_key").write_text(home.access.api_key)
    (folder / "api_secret").write_text(WRONG)
    systemd = {"CREDENTIALS_DIRECTORY": str(folder)}
    searched.take("systemd", home.keeper("once", "--json", env=systemd))
    nobody = {**home.secrets, "KEEPER__EXCHANGE__REST_URL": "http://127.0.0.1:9"}
    for verb in ("once", "check"):
        searched.take(f"nobody there, {verb}", home.keeper(verb, "--json", env=nobody))

    # Secrets where they do not belong, and a defect whose words carry them all.
    configure(home, exchange={"api_secret": home.access.api_secret})
    searched.take("in the file", home.keeper("run", "--json"))
    configure(home)
    searched.take("crash", crash(home, f"status --json --config {home.config}"))
    home.config.unlink()

    assert searched.found() == []
    assert "***" in searched.texts["crash"]
    assert told.exists()
    assert report.exists()
    assert all(searched.texts.values()), "each of them said something"


def test_the_search_finds_what_it_looks_for(home: Home) -> None:
    """A search that cannot find anything proves nothing."""
    (home.folder / "leak").write_text(f"x{home.access.api_secret}x")
    with closing(sqlite3.connect(home.folder / "leak.db")) as database:
        database.execute("CREATE TABLE t (body BLOB)")
        packed = zlib.compress(f"signature={'0f' * 32}".encode())
        database.execute("INSERT INTO t VALUES (?)", (packed,))
        database.commit()
    searched = Searched(home)
    searched.take("said", f"key {home.access.api_key}")

    names = {Path(name).name for name, _ in searched.found()}

    assert names == {"said", "leak", "leak.db unpacked"}
