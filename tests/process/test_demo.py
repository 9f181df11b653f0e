"""`keeper demo` from outside: what it promises to show, and that it leaves no process behind."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from engine import paper
from tests.cli.home import ROOT
from tests.cli.program import keeper
from tests.schemas import validate

pytestmark = pytest.mark.slow


def processes_in(folder: Path) -> list[int]:
    """Return the processes whose command line names the folder."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes().decode(errors="replace")
            except OSError:
                continue
            if str(folder) in words:
                found.append(int(entry.name))
    return found


def test_the_demo_shows_and_proves_what_it_says(tmp_path: Path) -> None:
    """The first thing a new user runs; each verdict is from the exchange's own log.

    The command it ends with is printed with its full path, so it must work from anywhere.
    """
    folder, elsewhere = tmp_path / "demo", tmp_path / "elsewhere"
    elsewhere.mkdir()

    ran = keeper("demo", "--folder", folder, "--pace", "4", cwd=tmp_path)
    assert ran.code == 0, ran.err + ran.out
    report: dict[str, Any] = json.loads((folder / "report.json").read_text())
    page = (folder / "report.html").read_text()
    words = shlex.split(ran.out.splitlines()[-1].removeprefix("next: "))
    done = subprocess.run(
        [*words, "--json"], cwd=elsewhere, capture_output=True, text=True, check=True, timeout=60,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    history = json.loads(done.stdout)

    validate(report)
    validate(history)
    assert report["ok"]
    assert report["trades"] == history["trades"]
    assert [trade["exit_reason"] for trade in report["trades"]] == ["liquidation_exit", "stop"]
    assert report["restarts"][0]["stop_level_before"] == report["restarts"][0]["stop_level_after"]
    assert report["totals"]["naked_s"] == 0
    assert page.count("<figure>") == 2
    assert processes_in(folder) == []
    for trade in report["trades"]:
        fees = sum((Decimal(fill["commission"]) for fill in trade["fills"]), Decimal(0))
        parts = (trade[name] for name in ("realized_pnl", "commission", "funding"))
        assert fees == Decimal(trade["commission"])
        assert Decimal(trade["net_pnl"]) == sum((Decimal(part) for part in parts), Decimal(0))


def test_an_interrupted_demo_takes_its_processes_along(tmp_path: Path) -> None:
    """Ctrl-C in the middle: no venue, no keeper may stay behind."""
    folder = tmp_path / "demo"
    child = subprocess.Popen(
        [sys.executable, "-m", "engine.cli.main", "demo", "--folder", str(folder)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert child.stderr is not None
    for line in child.stderr:
        if "stop armed" in line:
            break
    second = keeper("demo", "--folder", folder, "--json", cwd=tmp_path)
    child.send_signal(signal.SIGINT)
    child.communicate(timeout=30)

    assert (second.code, second.document["code"]) == (9, "demo_running")
    assert child.returncode == 130
    assert [pid for pid in processes_in(folder) if paper.is_alive(pid)] == []
