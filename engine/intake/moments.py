"""Moments between text and milliseconds of exchange time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from engine.intake.refusals import Code, Fault
from engine.intake.shapes import shown

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def read_moment(value: object, field: str) -> int | Fault:
    """Return the milliseconds since the epoch that ISO 8601 ``value`` names, or what is wrong."""
    if not isinstance(value, str):
        return Fault(Code.TIMESTAMP_INVALID, f"{field} must be text", field, shown(value))
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return Fault(Code.TIMESTAMP_INVALID, f"{field} is no ISO 8601 moment", field, shown(value))
    if moment.tzinfo is None:
        return Fault(
            Code.TIMESTAMP_WITHOUT_OFFSET, f"{field} carries no offset", field, shown(value)
        )
    return (moment - _EPOCH) // _MILLISECOND


def write_moment(at_ms: int) -> str:
    """Return RFC 3339 text in UTC, with milliseconds and ``Z``."""
    moment = _EPOCH + timedelta(milliseconds=at_ms)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at_ms % 1000:03d}Z"
