"""``keeper halt``, ``resume`` and ``flatten``: asked through the store, carried out by the keeper.

Invariant: nothing here touches the exchange; a command that the running keeper has not answered in
time says so and stays in the store until it does.
"""

from __future__ import annotations

import getpass
import socket
import time
from argparse import Namespace
from contextlib import closing
from threading import Event

from engine.cli.common import command, config_words, reader_of, settings_of, this_host
from engine.cli.output import ExitCode, Output, Problem
from engine.domain.condition import Command
from engine.read.status import read_facts, status_document
from engine.store.reading import ReadStore
from engine.store.store import Store

LOOK_S = 0.1


def order(arguments: Namespace, output: Output) -> int:
    """Ask the keeper, wait for its answer; raises ``Problem`` with 9 when there is none."""
    settings = settings_of(arguments)
    wanted = Command(arguments.command)
    with closing(reader_of(settings)) as reader:
        status = status_document(
            read_facts(reader, mode=settings.mode.value, interval_s=1.0), this_host()
        )
        process = status["process"]
        is_running = isinstance(process, dict) and bool(process["running"])
        store = Store.open(
            settings.store.url,
            account=reader.desk.account,
            symbol=settings.symbol,
            migrate=False,
        )
        with closing(store):
            by = f"{getpass.getuser()}@{socket.gethostname()}"
            number = store.add_command(wanted, by=by, why=arguments.why, at_ms=this_host().now_ms)
        wait_s = arguments.wait if is_running else 0.0
        answer = _answer(reader, number, wait_s)
    if answer is None:
        watch = command("status", "--watch", *config_words(arguments))
        why = "has not finished" if is_running else "is not carried out: no keeper is running"
        raise Problem(
            "command_pending",
            f"{wanted.value} {why}",
            ExitCode.STATE,
            remedy=f"it stays in the store and is carried out by the next tick; see {watch}",
        )
    document: dict[str, object] = {
        "schema": "keeper/command/1",
        "command": wanted.value,
        "id": number,
        "result": answer,
    }
    output.answer(document, lambda: f"{wanted.value}: {answer}")
    return int(ExitCode.DONE)


def _answer(reader: ReadStore, number: int, wait_s: float) -> str | None:
    """Return what became of the command, None while it is pending after ``wait_s``."""
    deadline_s = time.monotonic() + wait_s
    pause = Event()
    while any(pending.id == number for pending in reader.pending_commands()):
        if time.monotonic() > deadline_s:
            return None
        pause.wait(LOOK_S)
    start = f"command {number}: "
    texts = [str(e["text"]) for e in reader.events(kinds=("operator",), limit=1_000_000)]
    return next((t.removeprefix(start) for t in reversed(texts) if t.startswith(start)), "done")
