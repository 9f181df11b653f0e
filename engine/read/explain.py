"""How an order, a life or a moment came about, from the store's events (contracts.md, explain).

Each event carries the reason code of the rule that spoke; the rules behind a code are named from
``domain/reasons.py``, so that a user sees at a glance why something happened, or did not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from engine.domain.errors import InvalidInput
from engine.domain.identity import HASH_WIDTH, ClientOrderId
from engine.domain.reasons import REASONS
from engine.read.documents import Document, moment_of
from engine.store.reading import ReadStore

AROUND_MS = 30_000
"""A moment is explained by what happened this long before and after it."""

EVENTS_MAX = 100_000


@dataclass(frozen=True, slots=True)
class Subject:
    """What is asked about: one order, one life (decision and generation), or a span of time."""

    text: str
    order_id: str | None = None
    generation: int | None = None
    from_ms: int | None = None
    to_ms: int | None = None


def subject_of(text: str) -> Subject:
    """Return what ``text`` names; raises ``InvalidInput`` when it names nothing.

    An order id (``kp…``), a life (``7f3aq2-001``), or a time (RFC 3339 with an offset).
    """
    if ClientOrderId.parse(text) is not None:
        return Subject(text, order_id=text)
    head, dash, tail = text.partition("-")
    if dash and len(head) == HASH_WIDTH and tail.isdigit():
        return Subject(text, generation=int(tail))
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise InvalidInput(
            "explain_subject_unknown",
            f"{text} is neither an order id, a position id nor a time",
            field="subject",
            value=text,
            remedy="give kp7f3aq2001s003, 7f3aq2-001 or 2026-11-20T10:05:00Z",
            exit_code=2,
        )
    at_ms = int(at.timestamp() * 1000)
    return Subject(text, from_ms=at_ms - AROUND_MS, to_ms=at_ms + AROUND_MS)


def explain(store: ReadStore, subject: Subject) -> Document:
    """Return the ``keeper/explain/1`` document of one subject."""
    rows = store.events(
        order_id=subject.order_id,
        from_ms=subject.from_ms,
        to_ms=subject.to_ms,
        limit=EVENTS_MAX,
    )
    return {
        "schema": "keeper/explain/1",
        "subject": subject.text,
        "events": [_event(row) for row in rows if _is_about(subject, row)],
    }


def _is_about(subject: Subject, row: Mapping[str, Any]) -> bool:
    if subject.generation is None:
        return True
    own_id = None if row["order_id"] is None else ClientOrderId.parse(row["order_id"])
    named = row["generation"] if own_id is None else own_id.generation
    return bool(named == subject.generation)


def _event(row: Mapping[str, Any]) -> Document:
    reason = REASONS.get(str(row["reason"]))
    return {
        "at": moment_of(row["at_ms"]),
        "tick": row["tick"],
        "kind": row["kind"],
        "reason": row["reason"],
        "rules": [] if reason is None else list(reason.rules),
        "order": row["order_id"],
        "text": row["text"],
    }


def explain_text(document: Document) -> str:
    """Return the explanation as lines, one an event."""
    events = document["events"]
    if not isinstance(events, Sequence) or not events:
        return f"nothing is recorded about {document['subject']}"
    lines = [f"{document['subject']}: {len(events)} events"]
    for event in events:
        rules = f" ({', '.join(event['rules'])})" if event["rules"] else ""
        order = f" {event['order']}" if event["order"] else ""
        lines.append(
            f"{str(event['at'])[11:23]} tick {event['tick']:<6} {event['kind']:8}"
            f" {event['reason']}{rules}{order}: {event['text']}"
        )
    return "\n".join(lines)
