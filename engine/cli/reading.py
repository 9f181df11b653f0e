"""``keeper status``, ``history``, ``report``, ``replay``: what the store says, exchange unasked."""

from __future__ import annotations

import contextlib
from argparse import Namespace
from contextlib import closing
from threading import Event

from engine.cli.common import reader_of, settings_of, this_host
from engine.cli.live import view
from engine.cli.output import ExitCode, Output
from engine.cli.render import history_text, status_text
from engine.cli.watching import Watcher
from engine.config import Settings
from engine.domain.terms import Fate
from engine.read.documents import Document
from engine.read.trades import LIMIT, history_document, trade_documents
from engine.store.reading import ReadStore

WATCH_S = 0.5
EVENTS_MAX = 1_000_000


def status(arguments: Namespace, output: Output) -> int:
    """Show the position and what protects it; raises ``StoreUnavailable``."""
    settings = settings_of(arguments)
    with closing(Watcher(settings)) as watcher:
        if arguments.watch:
            _watch(watcher, settings, output)
        else:
            document = watcher.status()
            output.answer(document, lambda: status_text(document))
    return int(ExitCode.DONE)


def history(arguments: Namespace, output: Output) -> int:
    """Show closed positions; raises ``StoreUnavailable``."""
    with closing(reader_of(settings_of(arguments))) as store:
        document = history_document(store, limit=arguments.limit or LIMIT)
    trades = document["trades"]
    output.answer(document, lambda: history_text(trades if isinstance(trades, list) else []))
    return int(ExitCode.DONE)


def report(arguments: Namespace, output: Output) -> int:
    """Show totals, and draw the trades with ``--html``; raises ``StoreUnavailable``."""
    from engine.cli.drawing import store_page
    from engine.read.report import report_document

    settings = settings_of(arguments)
    with closing(reader_of(settings)) as store:
        trades = trade_documents(store)
        requests = _requests(store)
        if arguments.html is not None:
            arguments.html.write_text(store_page(store, trades), encoding="utf-8")
    document = report_document(
        trades,
        now_ms=this_host().now_ms,
        database=_database_name(settings),
        html=None if arguments.html is None else str(arguments.html),
        requests=requests,
    )
    output.answer(document, lambda: _report_text(document, trades))
    return int(ExitCode.DONE)


def explain(arguments: Namespace, output: Output) -> int:
    """Tell how an order, a position or a moment came about; raises ``StoreUnavailable``."""
    from engine.read.explain import explain as explained
    from engine.read.explain import explain_text, subject_of

    subject = subject_of(arguments.subject)
    with closing(reader_of(settings_of(arguments))) as store:
        document = explained(store, subject)
    output.answer(document, lambda: explain_text(document))
    return int(ExitCode.DONE)


def replay(arguments: Namespace, output: Output) -> int:
    """Plan every recorded tick again; raises ``StoreUnavailable``."""
    from engine.read.replay import replay as plan_again

    with closing(reader_of(settings_of(arguments))) as store:
        replayed = plan_again(store.ticks())
    document = replayed.document()
    lines = [f"{replayed.identical} of {replayed.ticks} recorded plans came out the same"]
    lines += [
        f"tick {d.tick} differs at {d.at}: recorded {d.recorded}, recomputed {d.recomputed}"
        for d in replayed.different[:20]
    ]
    lines += [f"tick {tick} skipped: {why}" for tick, why in replayed.skipped[:20]]
    output.answer(document, lambda: "\n".join(lines))
    return int(ExitCode.DONE if replayed.ok else ExitCode.NO)


def _watch(watcher: Watcher, settings: Settings, output: Output) -> None:
    pause = Event()
    interval_s = max(min(float(settings.loop.interval_s), 5.0), 0.2)
    # The first look fails loudly: a wrong path should not look like a quiet market.
    document = watcher.status()
    with contextlib.suppress(KeyboardInterrupt), view(output) as panel:
        panel.show(document)
        tick = None
        while True:
            pause.wait(min(interval_s, WATCH_S))
            document = watcher.status()
            process = document["process"]
            now = process.get("last_tick_at") if isinstance(process, dict) else None
            if not output.as_json or now != tick:
                panel.show(document)
            tick = now


def _requests(store: ReadStore) -> dict[str, int]:
    """Count requests: all since the keeper's last start, refused and unanswered since the first."""
    beat = store.heartbeat() or {}
    words = [str(e["text"]) for e in store.events(kinds=("refused", "sent"), limit=EVENTS_MAX)]
    return {
        "sent": int(beat.get("requests_sent", 0)),
        "weight": int(beat.get("requests_weight", 0)),
        "rejected": sum(1 for text in words if f": {Fate.REJECTED}" in text),
        "unknown": sum(1 for text in words if f": {Fate.UNKNOWN}" in text),
    }


def _database_name(settings: Settings) -> str:
    from engine.store.connect import Place

    return Place(settings.store.url).shown


def _report_text(document: Document, trades: list[Document]) -> str:
    totals = document["totals"]
    assert isinstance(totals, dict)  # noqa: S101 - narrows the type
    head = (
        f"{totals['trades']} closed positions, net {totals['net_pnl']}, commission "
        f"{totals['commission']}, funding {totals['funding']}, "
        f"{totals['naked_s']:g} s without cover"
    )
    return f"{head}\n{history_text(trades)}" if trades else head
