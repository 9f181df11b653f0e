"""The example that decides from candles writes what the intake accepts, from a file and live."""

from __future__ import annotations

import gzip
import json
import math
import subprocess
import sys
from collections import Counter
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pytest

from engine.domain.decision import Decided, Decision
from engine.intake.document import read_document
from tests.venue_server.served import Served

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "docs" / "examples" / "decide_from_candles.py"
START_MS = 1_746_372_780_000


def a_recording(path: Path, minutes: int) -> Path:
    """Write candles that swing within swings, so that every toy rule finds its moment."""
    rows = ["open_time_ms,open,high,low,close,volume"]
    for number in range(minutes):
        price = 95_000 + 900 * math.sin(number / 90) + 120 * math.sin(number / 7)
        rows.append(
            f"{START_MS + 60_000 * number},{price:.1f},{price + 9:.1f},{price - 9:.1f},"
            f"{price + 3:.1f},12.5"
        )
    path.write_bytes(gzip.compress("\n".join(rows).encode()))
    return path


def run(*words: str | Path) -> subprocess.CompletedProcess[str]:
    """Run the script as its reader would, without our packages."""
    return subprocess.run(
        [sys.executable, "-I", SCRIPT, *words],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )


def decision_in(path: Path) -> Decision:
    document = read_document(path.read_bytes(), path.name, "BTCUSDT")
    assert document.fault is None, path.read_text()
    assert document.decision is not None
    return document.decision


def test_every_decision_from_a_recording_is_valid(tmp_path: Path) -> None:
    recording = a_recording(tmp_path / "candles.csv.gz", 1500)

    done = run("--candles", recording, "--out", tmp_path / "out", "--every", "300")

    assert done.returncode == 0, done.stderr
    decisions = [decision_in(path) for path in sorted((tmp_path / "out").iterdir())]
    actions = Counter(decision.action for decision in decisions)
    assert len(decisions) == (1500 - 60 + 4) // 5
    assert min(actions[action] for action in Decided) >= 10
    gaps = {b.made_ms - a.made_ms for a, b in pairwise(decisions)}
    assert gaps == {300_000}
    assert all(d.tp1 is None or d.tp1 % Decimal("0.1") == 0 for d in decisions)


def test_a_recording_that_is_too_short_says_so(tmp_path: Path) -> None:
    recording = a_recording(tmp_path / "candles.csv.gz", 20)

    done = run("--candles", recording, "--out", tmp_path / "out")

    assert (done.returncode, list((tmp_path / "out").iterdir())) == (1, [])
    assert "fewer than 61 candles" in done.stderr


@pytest.mark.slow
def test_beside_a_running_exchange_it_writes_decisions_in_exchange_time(tmp_path: Path) -> None:
    """A decision stamped by this machine's clock could be from the future, or stale, over there."""
    with Served("--walk", "chop") as venue:
        words = ("--rest-url", venue.rest_url, "--every", "1", "--count", "2", "--window", "8")
        done = run(*words, "--out", tmp_path / "out")
        answer = venue.http.get(f"{venue.rest_url}/fapi/v1/time", timeout=5)
        now_ms = int(json.loads(answer.text)["serverTime"])

    assert done.returncode == 0, done.stderr
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["decision.json"]
    assert 0 <= now_ms - decision_in(tmp_path / "out" / "decision.json").made_ms < 30_000


def test_without_an_exchange_it_goes_on_asking(tmp_path: Path) -> None:
    """An analytics job that dies on the first refused connection is of no use."""
    process = subprocess.Popen(
        [sys.executable, SCRIPT, "--rest-url", "http://127.0.0.1:9", "--out", tmp_path],
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None

    line = process.stderr.readline()

    assert "no answer to use" in line
    assert process.poll() is None
    process.kill()
    process.communicate(timeout=10)
