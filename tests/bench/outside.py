"""Figures of real processes over loopback: round trips, starts, memory, imports."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from decimal import Decimal
from pathlib import Path
from statistics import median

from engine import paper
from engine.config import Credentials, Settings, load
from engine.domain.decision import Decided
from engine.domain.limits import Limits
from engine.intake import compose, write
from tests.bench.figures import Goal, Row, figure

KEEPER = (sys.executable, "-m", "engine.cli.main")
ONE_WAY_MS = 50
IMPORTS = "import binance.client, sqlalchemy, pydantic, apscheduler.schedulers.background"
STARTS = 5
PATIENCE_S = 30.0


def measure() -> Iterator[Row]:
    """Yield every figure that needs processes."""
    yield figure(
        "import_floor_s", "s", [_run_s([sys.executable, "-c", IMPORTS]) for _ in range(STARTS)]
    )
    yield figure("help_cpu_s", "s", [_cpu_s([*KEEPER, "--help"]) for _ in range(STARTS)], Goal(0.4))
    with a_stage(latency_ms=ONE_WAY_MS) as stage:
        yield _round_trips(stage)
    with a_stage(latency_ms=0) as stage:
        yield from _starts(stage)


class Stage:
    """A venue process and a folder for a keeper."""

    def __init__(self, folder: Path, access: paper.Access) -> None:
        self.access = access
        self.inbox = folder / "decisions"
        self.inbox.mkdir()
        self.config = folder / "config.yaml"
        self.config.write_text(
            f"exchange: {{rest_url: '{access.rest_url}', stream_url: '{access.stream_url}'}}\n"
            f"decisions: {self.inbox}\nstore: {{url: 'sqlite:///{folder / 'keeper.db'}'}}\n"
        )
        self.environ = os.environ | {
            "KEEPER_API_KEY": access.api_key,
            "KEEPER_API_SECRET": access.api_secret,
        }

    def settings(self) -> Settings:
        return load(self.config, {})

    @property
    def credentials(self) -> Credentials:
        return Credentials(self.access.api_key, self.access.api_secret)

    def price(self, last: Decimal) -> None:
        paper.call(self.access.admin_url, "/price", {"last": str(last)})

    def open_a_long(self) -> None:
        """Let a keeper in another process enter, then end it hard: position and stops stay."""
        now_ms = int(time.time() * 1000)
        document = compose(
            Decided.LONG, "BTCUSDT", now_ms, Decimal(90800), Decimal("0.1"), limits=Limits()
        )
        write(document, self.inbox)
        zone = document["entry_zone"]
        assert isinstance(zone, list)
        keeper = self.start()
        try:
            self.wait_for(self._has_entry, "the entry was not placed")
            self.price(min(Decimal(str(edge)) for edge in zone))
            self.wait_for(self._has_targets, "no targets were placed")
        finally:
            keeper.kill()
            keeper.wait()

    def start(self, *words: str, **environ: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [*KEEPER, "run", *words, "--config", str(self.config)],
            env=self.environ | environ,
            stdout=subprocess.DEVNULL,
            stderr=(self.config.parent / "keeper.log").open("ab"),
        )

    def wait_for(self, holds: object, otherwise: str) -> None:
        assert callable(holds)
        until = time.monotonic() + PATIENCE_S
        while not holds():
            if time.monotonic() > until:
                raise SystemExit(f"bench: {otherwise}: {self.log()}")
            time.sleep(0.005)

    def log(self) -> str:
        path = self.config.parent / "keeper.log"
        return path.read_text()[-2000:] if path.exists() else ""

    def books(self) -> list[dict[str, object]]:
        """Return every open order of the venue's two books."""
        state = paper.call(self.access.admin_url, "/state")
        orders: list[dict[str, object]] = []
        for key in ("regular_orders", "algo_orders"):
            found = state.get(key)
            orders += found if isinstance(found, list) else []
        return orders

    def stops(self) -> int:
        return sum(1 for o in self.books() if o.get("type") == "STOP_MARKET")

    def _has_entry(self) -> bool:
        return any(str(o.get("client_id", ""))[11:12] == "e" for o in self.books())

    def _has_targets(self) -> bool:
        return any(o.get("type") == "TAKE_PROFIT_MARKET" for o in self.books())


@contextmanager
def a_stage(*, latency_ms: int) -> Iterator[Stage]:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(name)
        options = ("--symbol", "BTCUSDT", "--wallet", "1000", "--latency-ms", str(latency_ms))
        access = paper.ensure(folder / "venue", options=(*options, "--start-price", "90800"))
        try:
            yield Stage(folder, access)
        finally:
            with suppress(Exception):
                paper.call(access.admin_url, "/stop", {})


def _round_trips(stage: Stage) -> Row:
    """Measure a tick in which nothing changed against the bare round trip, in one run."""
    from engine.app import build

    stage.open_a_long()
    keeper = build(stage.settings(), stage.credentials)
    try:
        for _ in range(10):
            keeper.once()
        rtt_s = median(_ping_s(stage) for _ in range(20))
        took: list[float] = []
        while len(took) < 100:
            begun = time.perf_counter()
            report = keeper.once()
            if not report.outcomes and not report.situation.observation.is_second:
                took.append((time.perf_counter() - begun) / rtt_s)
    finally:
        keeper.close()
    return figure("tick_round_trips", "rtt", took, Goal(1.3))


def _ping_s(stage: Stage) -> float:
    import requests

    if not hasattr(stage, "session"):
        stage.session = requests.Session()  # type: ignore[attr-defined]
    session = stage.session  # type: ignore[attr-defined]
    begun = time.perf_counter()
    session.get(f"{stage.access.rest_url}/fapi/v1/time", timeout=5)
    return time.perf_counter() - begun


def _starts(stage: Stage) -> Iterator[Row]:
    """Measure kill -9 to covered, with the stops gone: the hardest start there is."""
    stage.open_a_long()
    took: list[float] = []
    memory: list[float] = []
    for _ in range(STARTS):
        for order in stage.books():
            if order.get("type") == "STOP_MARKET":
                hand = {"do": "cancel", "client_id": order["client_id"]}
                paper.call(stage.access.admin_url, "/hand", hand)
        stage.wait_for(lambda: stage.stops() == 0, "the stops could not be removed")
        begun = time.perf_counter()
        keeper = stage.start()
        try:
            stage.wait_for(lambda: stage.stops() > 0, "the restart did not cover")
            took.append(time.perf_counter() - begun)
            time.sleep(3)  # memory is judged after some ticks with stream and jobs running
            memory.append(_rss_mb(keeper.pid))
        finally:
            keeper.kill()
            keeper.wait()
    yield figure("start_to_covered_s", "s", took, Goal(0.6))
    yield figure("rss_mb", "MB", memory, Goal(90))


def _rss_mb(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    return 0.0


def _run_s(words: list[str]) -> float:
    begun = time.perf_counter()
    subprocess.run(words, check=True, capture_output=True)
    return time.perf_counter() - begun


def _cpu_s(words: list[str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(words, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
