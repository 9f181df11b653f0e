"""``keeper run`` and ``once``: the loop with a voice; what it says goes beside what it does."""

from __future__ import annotations

import os
import signal
import sys
from argparse import Namespace
from collections.abc import Callable

from engine.app import build
from engine.cli.common import command, config_words, credentials_of, settings_of
from engine.cli.logs import Line, Log, open_log, speaking_for_everybody
from engine.cli.output import ExitCode, Output
from engine.cli.ticks import Teller, TickDocuments
from engine.config import Settings, secrets_in
from engine.read.documents import Document
from engine.tick import TickReport


def run(arguments: Namespace, output: Output) -> int:
    """Keep the position until SIGTERM, Ctrl-C or ``--ticks``; the stops stay where they are."""
    settings = settings_of(arguments)
    known = credentials_of(settings)
    log = open_log(
        sys.stderr, settings.logs.format, symbol=settings.symbol, secrets=secrets_in(os.environ)
    )
    hint = (
        f"waiting for a fresh decision in {settings.decisions}; give one with: "
        f"{command('decide', 'long', *config_words(arguments))}"
    )
    # Until the loop listens (a standby may wait for days) a reload has nothing to reload.
    signal.signal(signal.SIGHUP, lambda _number, _frame: None)
    with speaking_for_everybody(log):
        keeper = build(
            settings,
            known,
            listener=_listener(settings, output, log, hint),
            note=log.note,
            standby=arguments.standby,
            check=lambda: _passing(settings),
        )
        keeper.reload_from(lambda: settings_of(arguments))
        try:
            keeper.run(ticks=arguments.ticks)
            ticks = keeper.keeper.ticks
            log.say(Line("ended", f"ended after {ticks} ticks; what rests on the exchange stays"))
        finally:
            keeper.close()
    return int(ExitCode.DONE)


def once(arguments: Namespace, output: Output) -> int:
    """Run one tick and say what it did."""
    settings = settings_of(arguments)
    known = credentials_of(settings)
    log = Log(sys.stderr, as_json=False, symbol=settings.symbol, secrets=secrets_in(os.environ))
    documents = TickDocuments(settings)
    with speaking_for_everybody(log):
        keeper = build(settings, known, note=log.note, check=lambda: _passing(settings))
        try:
            report = keeper.once()
        finally:
            keeper.close()
    if output.as_json:
        output.answer(documents.status(report), lambda: "")
    else:
        Teller(lambda line: output.text(log.hide(line.plain())), documents).tell(report)
    return int(ExitCode.DONE)


def _passing(settings: Settings) -> None:
    """Raise what stands against the first start with real money."""
    from engine.cli.checking import require_passing  # a start in another mode does not wait for it

    require_passing(settings)


def _listener(
    settings: Settings, output: Output, log: Log, hint: str
) -> Callable[[TickReport], None]:
    """Return what is called after each tick: a log line per change and, with ``--json``, a status.

    The greeting comes with the first tick's end, because nothing is said before cover is seen to.
    """
    documents = TickDocuments(settings)
    teller, waiting = Teller(log.say, documents), _Hint(log.say, hint)
    answer = _going_on_without_an_audience(output)
    place = "its own simulated exchange" if settings.starts_paper_venue else "the exchange"
    greeting = f"keeping {settings.symbol} on {place}, {settings.mode.value} mode"
    is_greeted = False

    def listen(report: TickReport) -> None:
        nonlocal is_greeted
        if not is_greeted:
            is_greeted = True
            log.say(Line("started", greeting, at_ms=report.now_ms))
        teller.tell(report)
        waiting.look(report)
        if output.as_json:
            answer(documents.status(report))

    return listen


def _going_on_without_an_audience(output: Output) -> Callable[[Document], None]:
    """Keep the keeper running when nobody reads its answers: a closed pipe, a full disk."""
    is_heard = True

    def answer(document: Document) -> None:
        nonlocal is_heard
        if is_heard:
            try:
                output.answer(document, lambda: "")
            except OSError:
                is_heard = False
                # What is still buffered would complain again when the process ends.
                quiet = os.open(os.devnull, os.O_WRONLY)
                os.dup2(quiet, sys.stdout.fileno())

    return answer


class _Hint:
    """Says once what a keeper without a fresh decision waits for."""

    def __init__(self, say: Callable[[Line], None], hint: str) -> None:
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
            tick = situation.condition.tick
            self._say(Line("waiting", self._hint, at_ms=report.now_ms, tick=tick))
