"""``keeper demo``: set the stage, play both trades, judge them from outside, say where it is."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import time
from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from threading import Event
from types import FrameType

import yaml

from engine import paper
from engine.cli.common import command, reader_of
from engine.cli.demo.checks import judge, required_events
from engine.cli.demo.facts import panels_of, recorded_by
from engine.cli.demo.report import (
    DATABASE,
    HTML,
    JSON,
    Outcome,
    page,
    report_document,
    requests_of,
)
from engine.cli.demo.script import FIRST_PRICE, TOUCH_QUANTITY, configuration, play
from engine.cli.demo.stage import Stage, write_json
from engine.cli.live import view
from engine.cli.output import ExitCode, Output, Problem
from engine.cli.watching import Watcher
from engine.config import load
from engine.read.trades import trade_documents

FOLDER = Path("var/demo")
SEED = 7
OPTIONS = (
    *("--touch-quantity", TOUCH_QUANTITY),
    *("--wallet", "1000"),
    *("--seed", str(SEED)),
    *("--log-limit", "1000000"),
)


def demo(arguments: Namespace, output: Output) -> int:
    """Play the demo in ``var/demo`` beside the working directory's project."""
    folder = (arguments.folder or FOLDER).absolute()
    output.progress(f"demo in {folder}; it takes about a minute")
    folder.mkdir(parents=True, exist_ok=True)
    with only_one(folder):
        return _played(folder, output, pace=arguments.pace, store=arguments.store)


def _played(folder: Path, output: Output, *, pace: float, store: str | None) -> int:
    started_s = time.monotonic()
    prepare(folder)
    stage = Stage(folder, first_price=FIRST_PRICE, options=OPTIONS, pace=pace, store=store)
    lines: list[str] = []
    with closing_stage(stage):
        stage.open_venue()
        urls = {"rest_url": stage.access.rest_url, "stream_url": stage.access.stream_url}
        stage.config.write_text(
            yaml.safe_dump(configuration(urls, stage.database)), encoding="utf-8"
        )
        with view_of(stage, output, lines):
            play(stage, _teller(output, lines, started_s))
        outcome = judged(stage)
    write_json(folder / JSON, report_document(outcome))
    (folder / HTML).write_text(page(outcome), encoding="utf-8")
    took_s = time.monotonic() - started_s
    output.answer(report_document(outcome), lambda: summary(outcome, folder, took_s))
    return int(ExitCode.DONE if outcome.ok else ExitCode.NO)


@contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """Hold the folder: a second demo would pull the stage from under the first."""
    handle = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise Problem(
            "demo_running",
            f"another demo plays in {folder}",
            ExitCode.STATE,
            remedy="wait a minute, or give --folder another place",
        ) from error
    else:
        yield
    finally:
        os.close(handle)


def prepare(folder: Path) -> None:
    """Clear what an earlier demo left, its venue included, and nothing else."""
    old = paper.find(folder / "venue")
    if old is not None:
        with suppress(OSError, ValueError, TypeError):
            paper.call(old.admin_url, "stop", {})
        _await_gone(old.pid)
    for name in ("venue", "decisions"):
        shutil.rmtree(folder / name, ignore_errors=True)
    for name in (DATABASE, f"{DATABASE}-wal", f"{DATABASE}-shm", "keeper.spool", "keeper.log"):
        (folder / name).unlink(missing_ok=True)
    for name in (HTML, JSON, "config.yaml"):
        (folder / name).unlink(missing_ok=True)
    (folder / "decisions").mkdir(parents=True)


def judged(stage: Stage) -> Outcome:
    """Return the verdicts on what was played, the keeper being gone."""
    stage.look()
    end_ms = stage.now_ms()
    settings = load(stage.config, stage.store_environ)
    with closing(reader_of(settings, stage.access.api_key)) as store:
        recorded = recorded_by(store)
        trades = trade_documents(store)
        panels = panels_of(store, trades, stage)
    return Outcome(
        at_ms=end_ms,
        seed=SEED,
        database=stage.database or DATABASE,
        checks=judge(stage.witness, stage.restarts, recorded, end_ms=end_ms),
        events=required_events(stage.witness, recorded),
        restarts=stage.restarts,
        trades=trades,
        panels=panels,
        requests=requests_of(stage.witness.entries),
    )


def summary(outcome: Outcome, folder: Path, took_s: float) -> str:
    """Return what a person reads at the end."""
    lines = [
        f"{'ok  ' if check.ok else 'FAIL'} {check.name.replace('_', ' ')}: {check.detail}"
        for check in (*outcome.checks, *outcome.events)
    ]
    lines += [
        f"trade {trade['id']}: {trade['side']} {trade['quantity']}, {trade['exit_reason']}, "
        f"net {trade['net_pnl']} USDT"
        for trade in outcome.trades
    ]
    config = folder / "config.yaml"
    lines += [
        f"played and judged in {took_s:.0f} s",
        f"report    {folder / HTML}",
        f"for tools {folder / JSON}",
        f"store     {folder / DATABASE if outcome.database == DATABASE else outcome.database}",
        f"next: {command('history', '--config', config)}",
    ]
    return "\n".join(lines)


@contextmanager
def closing_stage(stage: Stage) -> Iterator[None]:
    """Leave no process behind: not at the end, not after Ctrl-C, not after SIGTERM."""
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
        stage.close()


@contextmanager
def view_of(stage: Stage, output: Output, lines: list[str]) -> Iterator[None]:
    """Draw the live status on a terminal while the stage plays; elsewhere lines are enough."""
    if not output.is_terminal:
        yield
        return
    watcher = Watcher(load(stage.config, stage.store_environ), stage.access.api_key)
    with view(output, log=lambda: lines[-12:]) as panel:
        stage.heartbeat = lambda: watcher.show_on(panel)
        yield
        stage.heartbeat = lambda: None


def _teller(output: Output, lines: list[str], started_s: float) -> Callable[[str], None]:
    def tell(text: str) -> None:
        line = f"{time.monotonic() - started_s:5.1f} s  {text}"
        lines.append(line)
        if not output.is_terminal:
            output.progress(line)

    return tell


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _await_gone(pid: int) -> None:
    deadline_s = time.monotonic() + 10
    pause = Event()
    while paper.is_alive(pid) and time.monotonic() < deadline_s:
        pause.wait(0.05)
