"""``keeper halt``, ``resume``, ``flatten``, ``adopt``: asked through the store, done by the keeper.

Invariants: nothing here touches the exchange; who asked, when and why is kept with the command and
in the events; a command that the running keeper has not answered in time says so and stays in the
store until it does, and one that was refused ends with the same exit code (9).
"""

from __future__ import annotations

import getpass
import os
import socket
import time
from argparse import Namespace
from contextlib import closing
from threading import Event

from engine.cli.common import command, config_words, reader_of, settings_of, this_host
from engine.cli.output import ExitCode, Output, Problem
from engine.commands import REFUSED
from engine.config import Settings
from engine.domain.condition import Command
from engine.read.status import read_facts, status_document
from engine.store.reading import ReadStore
from engine.store.store import Store

LOOK_S = 0.1
USUAL_S, FLATTEN_S = 10.0, 60.0
REMEDIES = {
    Command.RESUME: "mend it first, or lift the halt all the same: add --force",
    Command.ADOPT: "see what is held: keeper status",
}


def order(arguments: Namespace, output: Output) -> int:
    """Ask the keeper, wait for its answer; raises ``Problem`` with 9 without one, or at a no."""
    settings = settings_of(arguments)
    wanted = Command(arguments.command)
    asked = Command.RESUME_FORCED if wanted is Command.RESUME and arguments.force else wanted
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
            by, at_ms = who(), this_host().now_ms
            number = store.add_command(asked, by=by, why=arguments.why, at_ms=at_ms)
        patience_s = _patience_s(wanted, arguments, settings)
        answer = _answer(reader, number, patience_s if is_running else 0.0)
    if answer is None:
        watch = command("status", "--watch", *config_words(arguments))
        why = "has not finished" if is_running else "is not carried out: no keeper is running"
        raise Problem(
            "command_pending",
            f"{wanted.value} {why}",
            ExitCode.STATE,
            remedy=f"it stays in the store and the keeper goes on with it; see {watch}",
        )
    if answer.startswith(REFUSED):
        raise Problem(
            "command_refused",
            f"{wanted.value} is refused: {answer.removeprefix(REFUSED)}",
            ExitCode.STATE,
            remedy=REMEDIES.get(wanted),
        )
    document: dict[str, object] = {
        "schema": "keeper/command/1",
        "command": wanted.value,
        "id": number,
        "result": answer,
        "by": by,
        "why": arguments.why,
    }
    output.answer(document, lambda: f"{wanted.value}: {answer}")
    return int(ExitCode.DONE)


def who() -> str:
    """Return who asks, for the books: the person behind sudo, if there is one, and the machine."""
    user, behind = getpass.getuser(), os.environ.get("SUDO_USER", "")
    name = f"{behind} as {user}" if behind and behind != user else user
    return f"{name}@{socket.gethostname()}"


def _patience_s(wanted: Command, arguments: Namespace, settings: Settings) -> float:
    """Return how long to wait: as told, else long enough for two of the keeper's looks."""
    if arguments.wait is not None:
        return float(arguments.wait)
    usual_s = FLATTEN_S if wanted is Command.FLATTEN else USUAL_S
    return max(usual_s, 2 * float(settings.loop.interval_s))


def _answer(reader: ReadStore, number: int, wait_s: float) -> str | None:
    """Return what became of the command, None while it is pending after ``wait_s``."""
    deadline_s = time.monotonic() + wait_s
    pause = Event()
    while (result := reader.command_result(number)) is None:
        if time.monotonic() > deadline_s:
            return None
        pause.wait(LOOK_S)
    return result
