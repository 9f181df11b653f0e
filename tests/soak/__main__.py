"""``python -m tests.soak --minutes 30``: fast market, broken requests, one keeper, real HTTP.

A venue process with a market twenty times as fast, faults of the campaign's faulty profile from a
seed, a new decision every few seconds; the keeper is one process that must not grow. Ends with a
quiet stage, in which it should say nearly nothing. Writes ``var/soak.json``; exit code 1 when
something grew, when a promise broke, or when the keeper did not live through it.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import asdict
from decimal import Decimal
from itertools import count
from pathlib import Path
from random import Random
from threading import Event
from typing import Any
from urllib.request import Request, urlopen

import yaml

from engine import __version__, paper
from engine.domain.decision import Decided
from engine.domain.errors import KeeperError
from engine.intake import compose, write
from engine.simulation.checkers import History, executed_once, naked_windows, never_widened
from engine.simulation.log import Filled, read_log
from engine.simulation.play import Fault
from engine.simulation.troubles import broken_requests
from engine.store.reading import ReadStore
from tests.soak.figures import Sample, judge

SPEED = "20"
DECIDE_S = 15.0
SAMPLE_S = 5.0
FAULTS_MS = 60_000
"""Faults are drawn for so long at a time."""
QUIET_S = 60.0
SYMBOL = "BTCUSDT"
NOTIFY = "import sys; sys.stdin.read()"
RESULT = Path("var/soak.json")


def main() -> int:
    """Run it and write down what came out."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0, help="of the busy stage (30)")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--interval-s", type=float, default=0.5, help="between two looks (0.5)")
    parser.add_argument("--keep", type=Path, help="a folder to leave everything in")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = arguments.keep or Path(name)
        folder.mkdir(parents=True, exist_ok=True)
        soak = Soak(folder, Random(arguments.seed), arguments.interval_s)
        try:
            document = soak.run(arguments.minutes)
        finally:
            soak.close()
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(document, indent=1) + "\n")
    sys.stdout.write(json.dumps({k: v for k, v in document.items() if k != "samples"}) + "\n")
    return 0 if document["ok"] else 1


class Soak:
    """One long run."""

    def __init__(self, folder: Path, chance: Random, interval_s: float) -> None:
        """Start the venue; the keeper comes with `run`."""
        self._folder = folder
        self._chance = chance
        options = ("--symbol", SYMBOL, "--wallet", "100000", "--start-price", "90800")
        walk = ("--walk", "chop", "--seed", str(chance.randrange(1000)), "--speed", SPEED)
        self._access = paper.ensure(folder / "venue", options=(*options, *walk))
        self._inbox = folder / "decisions"
        self._inbox.mkdir(exist_ok=True)
        self._config = folder / "config.yaml"
        self._config.write_text(yaml.safe_dump(self._settings(interval_s)))
        self._log = folder / "keeper.log"
        self._entries: list[dict[str, object]] = []
        self._child: subprocess.Popen[bytes] | None = None
        self._started_s = 0.0
        self._decisions = count()
        self._faults = 0

    def run(self, minutes: float) -> dict[str, object]:
        """Keep it busy for so many minutes, then quiet; return the document."""
        child = self._start()
        samples = [self._sample(child.pid)]
        self._busy(child, minutes * 60, samples)
        quiet = self._quiet(child)
        child.send_signal(signal.SIGTERM)
        code = child.wait(30)
        self._take_log()
        return self._document(minutes, samples, quiet, code)

    def close(self) -> None:
        """End what was started."""
        if self._child is not None and self._child.poll() is None:
            self._child.kill()
            self._child.wait(10)
        with suppress(OSError, ValueError):
            paper.call(self._access.admin_url, "stop", {})

    def _settings(self, interval_s: float) -> dict[str, object]:
        """Return settings under which a life follows the other: the gates are not the subject."""
        return {
            "exchange": {
                "rest_url": self._access.rest_url,
                "stream_url": self._access.stream_url,
                "patience_ms": 1000,
            },
            "loop": {"interval_s": interval_s},
            "decision": {"cooldown_s": 0},
            "risk": {
                "volatility_max_pct": 100,
                "spread_max_pct": 100,
                "trades_per_day_max": 100,
                "daily_drawdown_limit_pct": -100,
                "weekly_drawdown_limit_pct": -100,
            },
            "entry": {"reenter_wait_s": 1, "timeout_s": 20, "chase_interval_s": 3},
            "trailing": {"min_interval_s": 1, "min_step": 1},
            "logs": {"folder": str(self._folder / "daily")},
            "alerts": {"command": [sys.executable, "-c", NOTIFY]},
        }

    def _start(self) -> subprocess.Popen[bytes]:
        environ = os.environ | {
            "KEEPER_API_KEY": self._access.api_key,
            "KEEPER_API_SECRET": self._access.api_secret,
        }
        words = [sys.executable, "-m", "engine.cli.main", "run", "--config", str(self._config)]
        with self._log.open("ab") as log:
            child = subprocess.Popen(  # our own module
                words, env=environ, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        self._child = child
        deadline_s = time.monotonic() + 30
        while not self._log.read_bytes():
            if child.poll() is not None or time.monotonic() > deadline_s:
                raise SystemExit(f"the keeper did not start: {self._log.read_text()}")
            Event().wait(0.1)
        self._started_s = time.monotonic()
        return child

    def _busy(self, child: subprocess.Popen[bytes], length_s: float, samples: list[Sample]) -> None:
        """Decide, break requests and look on until the time is over."""
        begin_s = time.monotonic()
        decide_s, sample_s, draw_s = begin_s, begin_s + SAMPLE_S, begin_s
        due: list[tuple[float, dict[str, object]]] = []
        while (now_s := time.monotonic()) - begin_s < length_s:
            if child.poll() is not None:
                raise SystemExit(f"the keeper ended with {child.returncode}, see {self._log}")
            if now_s >= decide_s:
                decide_s = now_s + DECIDE_S * self._chance.uniform(0.5, 1.5)
                self._decide()
            if now_s >= draw_s:
                draw_s += FAULTS_MS / 1000
                drawn = broken_requests(self._chance, FAULTS_MS)
                faults = [(at_ms, one.terms) for at_ms, one in drawn if isinstance(one, Fault)]
                due += [(now_s + at_ms / 1000, dict(fault)) for at_ms, fault in faults]
            for at_s, fault in [entry for entry in due if entry[0] <= now_s]:
                due.remove((at_s, fault))
                self._tell("faults", fault)
                self._faults += 1
            if now_s >= sample_s:
                sample_s += SAMPLE_S
                self._take_log()
                samples.append(self._sample(child.pid))
            Event().wait(0.1)

    def _quiet(self, child: subprocess.Popen[bytes]) -> list[Sample]:
        """Ask for nothing for a minute, no faults either: the keeper goes flat and falls silent."""
        with suppress(OSError):
            faults = f"{self._access.admin_url}/faults"
            urlopen(Request(faults, method="DELETE"), timeout=5).close()  # noqa: S310 - loopback
        self._decide(Decided.FLAT)
        environ = os.environ | {
            "KEEPER_API_KEY": self._access.api_key,
            "KEEPER_API_SECRET": self._access.api_secret,
        }
        words = [sys.executable, "-m", "engine.cli.main", "flatten", "--config", str(self._config)]
        subprocess.run(words, env=environ, check=False, capture_output=True, timeout=90)
        Event().wait(15)
        quiet = [self._sample(child.pid)]
        Event().wait(QUIET_S)
        self._take_log()
        quiet.append(self._sample(child.pid))
        return quiet

    def _decide(self, action: Decided | None = None) -> None:
        """Write a decision around the current price; a venue under faults may not tell one."""
        with suppress(OSError, ValueError, KeyError, TypeError, KeeperError):
            state: Any = paper.call(self._access.admin_url, "state")
            last, now_ms = Decimal(str(state["prices"]["last"])), int(str(state["now_ms"]))
            chosen = action or self._chance.choice((Decided.LONG, Decided.SHORT))
            write(compose(chosen, SYMBOL, now_ms, last, Decimal("0.1")), self._inbox)
            next(self._decisions)

    def _tell(self, path: str, body: dict[str, object]) -> None:
        with suppress(OSError, ValueError):
            paper.call(self._access.admin_url, path, body)

    def _take_log(self) -> None:
        """Take what the venue noted since; it keeps only so much."""
        after = 0 if not self._entries else int(str(self._entries[-1]["n"]))
        with suppress(OSError, ValueError, TypeError):
            found = paper.call(self._access.admin_url, f"log?after={after}")["entries"]
            if isinstance(found, list):
                self._entries += found

    def _sample(self, pid: int) -> Sample:
        status = dict(
            line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines()
        )
        log = self._log.read_bytes()
        daily = self._folder / "daily"
        events, ticks = self._told()
        return Sample(
            at_s=round(time.monotonic() - self._started_s, 1),
            rss_mb=int(status["VmRSS"].split()[0]) / 1024,
            threads=int(status["Threads"]),
            handles=len(os.listdir(f"/proc/{pid}/fd")),  # noqa: PTH208 - it is counted, not walked
            log_lines=log.count(b"\n"),
            log_bytes=len(log),
            daily_bytes=sum(f.stat().st_size for f in daily.glob("*")) if daily.exists() else 0,
            store_bytes=sum(f.stat().st_size for f in (self._folder / "var").glob("keeper.db*")),
            events=events,
            ticks=ticks,
        )

    def _told(self) -> tuple[int, int]:
        """Return the last event's number and the keeper's last tick, from its store."""
        with suppress(KeeperError):
            reader = ReadStore.open(f"sqlite:///{self._folder}/var/keeper.db", symbol=SYMBOL)
            try:
                beat = reader.heartbeat() or {}
                return reader.last_event_id(), int(beat.get("tick") or 0)
            finally:
                reader.close()
        return 0, 0

    def _document(
        self, minutes: float, samples: list[Sample], quiet: list[Sample], code: int
    ) -> dict[str, object]:
        events = read_log(self._entries)
        history = History(events, end_ms=int(str(self._entries[-1]["at_ms"])))
        promises = [never_widened(history), executed_once(history)]
        naked = naked_windows(history)
        verdicts = judge(samples, quiet)
        last = quiet[-1]
        return {
            "ok": code == 0 and all(v.ok for v in verdicts) and all(p.ok for p in promises),
            "version": __version__,
            "minutes": minutes,
            "exit_code": code,
            "verdicts": [verdict.document() for verdict in verdicts],
            "promises": [
                {"name": p.name, "ok": p.ok, "checked": p.checked}
                | {"findings": [finding.detail for finding in p.findings[:5]]}
                for p in promises
            ],
            "naked_s": sum(window.duration_ms for window in naked) / 1000,
            "naked_worst_s": max((window.duration_ms for window in naked), default=0) / 1000,
            "decisions": next(self._decisions),
            "faults": self._faults,
            "fills": sum(isinstance(event, Filled) for event in events),
            "requests": sum(entry.get("kind") == "request" for entry in self._entries),
            "ticks": last.ticks,
            "events": last.events,
            "rss_mb": {"first": samples[0].rss_mb, "last": last.rss_mb},
            "threads": {"first": samples[0].threads, "last": last.threads},
            "handles": {"first": samples[0].handles, "last": last.handles},
            "log_mb": round(last.log_bytes / 1e6, 3),
            "daily_mb": round(last.daily_bytes / 1e6, 3),
            "store_mb": round(last.store_bytes / 1e6, 3),
            "samples": [asdict(sample) for sample in samples],
        }


if __name__ == "__main__":
    raise SystemExit(main())
