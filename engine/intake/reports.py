"""Refusals as the inbox reports them."""

from __future__ import annotations

from engine.domain.decision import Refusal
from engine.intake.document import Document
from engine.intake.liquidation_map import MAP_NAME, LiquidationMap
from engine.intake.moments import write_moment
from engine.intake.refusals import Code, Fault
from engine.intake.suspension import Candidate


def moment_of(document: Document) -> str | None:
    """Return the document's own timestamp as text."""
    return None if document.made_ms is None else write_moment(document.made_ms)


def fault_of_order(code: Code, candidate: Candidate) -> Fault:
    """Return the fault of a valid document that came too late, or beside a later name."""
    texts = {
        Code.OLDER_THAN_ADOPTED: "older than the decision adopted last",
        Code.SAME_TIMESTAMP: "another valid document has this timestamp and the later file name",
    }
    return Fault(code, texts[code], "timestamp_iso", moment_of(candidate.document))


def refusal(document: Document, fault: Fault, *, now_ms: int, suspends: bool) -> Refusal:
    """Return a refused document as the inbox reports it."""
    return Refusal(
        digest=document.digest,
        code=fault.code.value,
        message=fault.message,
        file_name=document.name,
        seen_ms=now_ms,
        field=fault.field,
        value=fault.value,
        remedy=fault.remedy,
        made_ms=document.made_ms,
        suspends=suspends,
    )


def map_refusal(chart: LiquidationMap, fault: Fault, now_ms: int) -> Refusal:
    """Return a refused map as the inbox reports it; it suspends nothing."""
    return Refusal(
        digest=chart.digest,
        code=fault.code.value,
        message=fault.message,
        file_name=MAP_NAME,
        seen_ms=now_ms,
        field=fault.field,
        value=fault.value,
        remedy=fault.remedy,
        made_ms=chart.as_of_ms,
    )
