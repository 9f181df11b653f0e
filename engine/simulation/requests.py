"""Requests as the venue logged them, and the moments when the exchange was silent or broken.

The keeper's pace follows from them: RULES H4 stretches the tick by the weight used, and what the
keeper knew of the weight is what the last answer before a moment said.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise

from engine.domain.identity import ClientOrderId, OrderRole

Entry = Mapping[str, object]
WEIGHT_LIMIT = 2_400
STRETCH_PERCENT = (30, 40)
"""From these shares of the weight on the tick takes two and three intervals (RULES H4)."""

CLOCK_REFUSED = -1021
"""The exchange's word for a timestamp outside of its window."""

WAITS = ("timeout", "slow", "executed_late")
"""Faults that cost the patience of one request, as far as their names begin so."""

TOO_MANY_ORDERS, ORDERS_WINDOW_MS = -1015, 10_000
"""A 429 that names no pause asks for the shorter of the two windows that orders are counted in."""

IN_PART = "fills_in_part"
"""A fault that lets an order execute in part only."""

RESERVED = (-2022, -4118)
"""The exchange's words for a quantity that belongs to other orders: they make way first (F11)."""

ATTEMPT_MS = 1_000
"""How long an order that closes may rest before it is priced anew (RULES F11)."""

DENIES = "lookup_not_found"
"""The fault by which a question about one order is answered as if there were none."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request: its number in the log, what was answered, which fault struck it."""

    n: int
    at_ms: int
    verb: str
    path: str
    client_id: str
    status: int
    weight: int
    fault: str
    retry_after_s: int | None
    code: int | None = None

    @property
    def own_id(self) -> ClientOrderId | None:
        """Return our id of the order it is about."""
        return ClientOrderId.parse(self.client_id)

    @property
    def is_answered(self) -> bool:
        """Return whether it was executed and its answer arrived."""
        return self.status == 200 and (not self.fault or self.fault == "slow")


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of time, in venue milliseconds."""

    from_ms: int
    until_ms: int


def read_requests(entries: Iterable[Entry]) -> list[Request]:
    """Return the requests of a venue's log, oldest first."""
    return [
        Request(
            n=_int(e["n"]),
            at_ms=_int(e["at_ms"]),
            verb=str(e["verb"]),
            path=str(e["path"]),
            client_id=str(e["client_id"] or ""),
            status=_int(e["status"]),
            weight=_int(e["weight_1m"]),
            fault=str(e.get("fault") or ""),
            retry_after_s=None if (s := e.get("retry_after_s")) is None else _int(s),
            code=None if (c := e.get("code")) is None else _int(c),
        )
        for e in entries
        if e["kind"] == "request"
    ]


def silences(requests: Iterable[Request]) -> list[Span]:
    """Return when the exchange had asked for silence: 429 and 418 with their Retry-After."""
    return [
        Span(r.at_ms, r.at_ms + r.retry_after_s * 1000)
        for r in requests
        if r.status in (429, 418) and r.retry_after_s is not None
    ]


def broken_spans(entries: Iterable[Entry], patience_ms: int) -> list[Span]:
    """Return when requests were broken: for the patience of one, its instant, or a silence.

    An answer that knows nothing of an order is one, too: no contrary word (RULES C1), so what
    became of a stop stays hidden until the next look. So is a request that the exchange refused
    for its clock (the table of RULES B); and an order of ours that closes, which the exchange
    refused as reserved or executed in part: the ladder's next step follows (RULES F11). A 429 for
    too many orders is one for the window it stands for; a step of the exchange's clock, by which
    every wait is measured, one for its instant.
    """
    entries = list(entries)
    requests = read_requests(entries)
    spans = [
        Span(r.at_ms, r.at_ms + (patience_ms if r.fault.startswith(WAITS) else 1))
        for r in requests
        if r.fault or r.code == CLOCK_REFUSED or (r.code in RESERVED and _is_close(r.own_id))
    ]
    denied = [
        Span(at_ms := _int(e["at_ms"]), at_ms + 1)
        for e in entries
        if e["kind"] == "strike" and e["fault"] == DENIES
    ]
    stepped = [Span(at_ms := _int(e["at_ms"]), at_ms + 1) for e in entries if e["kind"] == "skew"]
    remains = [
        Span(at_ms := _int(e["at_ms"]), at_ms + ATTEMPT_MS)
        for e, order in pairwise(entries)
        if e["kind"] == "strike" and e["fault"] == IN_PART and _closes(order)
    ]
    full = [
        Span(r.at_ms, r.at_ms + ORDERS_WINDOW_MS)
        for r in requests
        if r.code == TOO_MANY_ORDERS and r.retry_after_s is None
    ]
    return [*spans, *denied, *stepped, *remains, *full, *silences(requests)]


def _closes(entry: Entry) -> bool:
    return _is_close(ClientOrderId.parse(str(entry.get("client_id") or "")))


def _is_close(own: ClientOrderId | None) -> bool:
    return own is not None and own.role is OrderRole.EMERGENCY


class Rhythm:
    """How long the keeper's tick may have been when, from the weight the venue had told it."""

    def __init__(self, requests: Iterable[Request] = ()) -> None:
        """Take every request, oldest first."""
        told = [r for r in requests if r.status]
        self._at = [r.at_ms for r in told]
        self._weights = [r.weight for r in told]

    def factor(self, at_ms: int, interval_ms: int) -> int:
        """Return how many intervals the tick took that was running at this moment.

        Its length was settled when it began: by what was told until then, not by what it asked.
        """
        index = bisect_right(self._at, at_ms)
        first = bisect_left(self._at, at_ms - 3 * interval_ms)
        weight = max(self._weights[max(min(first, index - 1), 0) : index], default=0)
        percent = weight * 100 // WEIGHT_LIMIT
        return 1 + sum(percent >= limit for limit in STRETCH_PERCENT)


def _int(value: object) -> int:
    return int(str(value))
