"""``keeper run`` and ``once``: the loop with a voice; what it says goes beside what it does."""

from __future__ import annotations

import logging
import os
import sys
from argparse import Namespace
from collections.abc import Callable
from typing import TypeVar

from engine.app import Running, build
from engine.cli.common import command, config_words, credentials_of, settings_of
from engine.cli.output import ExitCode, Output
from engine.cli.ticks import Teller, TickDocuments
from engine.config import Settings
from engine.tick import TickReport

Told = TypeVar("Told")


def run(arguments: Namespace, output: Output) -> int:
    """Keep the position until SIGTERM, Ctrl-C or ``--ticks``; the stops stay where they are."""
    settings = settings_of(arguments)
    _quiet_libraries()
    hint = (
        f"waiting for a fresh decision in {settings.decisions}; give one with: "
        f"{command('decide', 'long', *config_words(arguments))}"
    )
    listener = _listener(settings, output, hint)
    keeper = build(
        settings,
        credentials_of(settings),
        listener=_going_on_without_an_audience(listener),
        note=_going_on_without_an_audience(lambda text: output.progress(f"keeper: {text}")),
        standby=arguments.standby,
    )
    try:
        if not output.as_json:
            place = "its own simulated exchange" if settings.starts_paper_venue else "the exchange"
            output.text(f"keeping {settings.symbol} on {place}, {settings.mode.value} mode")
        keeper.run(ticks=arguments.ticks)
    finally:
        keeper.close()
    return int(ExitCode.DONE)


def once(arguments: Namespace, output: Output) -> int:
    """Run one tick and say what it did."""
    settings = settings_of(arguments)
    _quiet_libraries()
    documents = TickDocuments(settings)
    keeper: Running = build(
        settings,
        credentials_of(settings),
        note=lambda text: output.progress(f"keeper: {text}"),
    )
    try:
        report = keeper.once()
    finally:
        keeper.close()
    if output.as_json:
        output.answer(documents.status(report), lambda: "")
    else:
        Teller(output.text, documents).tell(report)
    return int(ExitCode.DONE)


def _listener(settings: Settings, output: Output, hint: str) -> Callable[[TickReport], None]:
    """Return what is called after each tick: JSON lines, or a line per change."""
    documents = TickDocuments(settings)
    if output.as_json:
        waiting = _Hint(output.progress, hint)

        def write(report: TickReport) -> None:
            waiting.look(report)
            output.answer(documents.status(report), lambda: "")

        return write
    teller = Teller(output.text, documents)
    waiting = _Hint(output.text, hint)

    def say(report: TickReport) -> None:
        teller.tell(report)
        waiting.look(report)

    return say


def _going_on_without_an_audience(say: Callable[[Told], None]) -> Callable[[Told], None]:
    """Keep the keeper running when nobody reads it any more: a closed pipe, a full disk."""
    is_heard = True

    def tell(told: Told) -> None:
        nonlocal is_heard
        if is_heard:
            try:
                say(told)
            except OSError:
                is_heard = False
                # What is still buffered would complain again when the process ends.
                quiet = os.open(os.devnull, os.O_WRONLY)
                os.dup2(quiet, sys.stdout.fileno())

    return tell


class _Hint:
    """Says once what a keeper without a fresh decision waits for."""

    def __init__(self, say: Callable[[str], None], hint: str) -> None:
        self._say = say
        self._hint = hint
        self._was_said = False

    def look(self, report: TickReport) -> None:
        """Say it after the first tick that is flat and has nothing to act on."""
        if self._was_said:
            return
        situation = report.situation
        decision, limits = situation.inbox.decision, situation.limits
        is_fresh = (
            decision is not None and report.now_ms - decision.made_ms <= limits.decision_stale_ms
        )
        self._was_said = True
        if report.ledger.life is None and not is_fresh:
            self._say(self._hint)


def _quiet_libraries() -> None:
    """Keep other people's log lines off our output."""
    for name in ("apscheduler", "urllib3", "binance", "websockets", "asyncio", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
