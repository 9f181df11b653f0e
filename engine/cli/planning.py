"""``keeper plan``: what the next tick would do and every gate with its numbers; nothing is done."""

from __future__ import annotations

from argparse import Namespace

from engine.ahead import look_ahead
from engine.cli.common import credentials_of, settings_of
from engine.cli.output import ExitCode, Output
from engine.cli.render import plan_text
from engine.read.documents import plan_document


def plan(arguments: Namespace, output: Output) -> int:
    """Show the plan of the next tick."""
    settings = settings_of(arguments)
    situation, drifts, planned = look_ahead(
        settings,
        credentials_of(settings),
        note=lambda text: output.progress(f"keeper: {text}"),
    )
    decision = situation.inbox.decision
    document = plan_document(
        planned,
        now_ms=situation.now_ms,
        tick=situation.condition.tick,
        decision_id=None if decision is None else decision.id,
        drifts=drifts,
        ledger=situation.ledger,
    )
    output.answer(document, lambda: plan_text(document))
    return int(ExitCode.DONE)
