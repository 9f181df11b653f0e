"""The life of a conditional order as a table (exchange reference, sections 3.4 and 10).

Invariant: a status changes along `NEXT_STATUS` or not at all.
"""

from __future__ import annotations

from enum import StrEnum

from engine.venue.orders import AlgoStatus


class Step(StrEnum):
    """What can happen to a conditional order."""

    TRIGGER = "trigger"
    CANCEL = "cancel"
    SYSTEM_END = "system_end"
    CHILD_MADE = "child_made"
    CHILD_REFUSED = "child_refused"
    CHILD_LAPSED = "child_lapsed"
    CHILD_VOID = "child_void"
    CHILD_ENDED = "child_ended"


NEXT_STATUS: dict[tuple[AlgoStatus, Step], AlgoStatus] = {
    (AlgoStatus.NEW, Step.TRIGGER): AlgoStatus.TRIGGERING,
    (AlgoStatus.NEW, Step.CANCEL): AlgoStatus.CANCELED,
    (AlgoStatus.NEW, Step.SYSTEM_END): AlgoStatus.EXPIRED,
    (AlgoStatus.TRIGGERING, Step.CANCEL): AlgoStatus.CANCELED,  # where the switch allows it
    (AlgoStatus.TRIGGERING, Step.CHILD_MADE): AlgoStatus.TRIGGERED,
    (AlgoStatus.TRIGGERING, Step.CHILD_REFUSED): AlgoStatus.REJECTED,
    (AlgoStatus.TRIGGERING, Step.CHILD_LAPSED): AlgoStatus.EXPIRED,
    (AlgoStatus.TRIGGERING, Step.CHILD_VOID): AlgoStatus.FINISHED,
    (AlgoStatus.TRIGGERED, Step.CHILD_ENDED): AlgoStatus.FINISHED,
}
FINAL_STATUSES = frozenset(AlgoStatus) - {status for status, _ in NEXT_STATUS}


class ImpossibleStepError(Exception):
    """A step that the life of a conditional order does not have."""


def next_status(status: AlgoStatus, step: Step) -> AlgoStatus:
    """Return the status after `step`, or raise `ImpossibleStepError`."""
    try:
        return NEXT_STATUS[status, step]
    except KeyError:
        raise ImpossibleStepError(f"{step} in {status}") from None
