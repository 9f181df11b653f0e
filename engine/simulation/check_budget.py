"""Judge H4: request weight is never overspent, entries stop first, and silence asked for is kept.

The shares are those of RULES H4. What a keeper knows of the weight is what the last answer told it,
and requests that were on their way together do not know of each other: one look's worth is granted.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from engine.domain.identity import OrderRole
from engine.simulation.checkers import Finding, Judgement
from engine.simulation.requests import WEIGHT_LIMIT, Request

SHARE_PERCENT = {"enter": 50, "manage": 65}
ONE_LOOK = 60
"""So much weight may be under way at once: the questions of one tick."""

_MANAGED = (OrderRole.TP1, OrderRole.TP2, OrderRole.LIQUIDATION_EXIT)


def budget(
    requests: Sequence[Request], *, round_trip_ms: int, births: Sequence[int] = ()
) -> Judgement:
    """Judge every request of a venue's log.

    ``births`` is when a keeper rose: what its predecessor was told it does not know, so its first
    look may break a silence.
    """
    findings = [*_overspent(requests), *_shares(requests)]
    findings += _broken_silence(requests, round_trip_ms, births)
    worst = max((r.weight for r in requests), default=0)
    return Judgement(
        "budget", len(requests), tuple(findings), f"weight {worst} of {WEIGHT_LIMIT} at most"
    )


def _overspent(requests: Sequence[Request]) -> Iterator[Finding]:
    for request in requests:
        if request.weight > WEIGHT_LIMIT:
            text = f"{request.verb} {request.path} at weight {request.weight} of {WEIGHT_LIMIT}"
            yield Finding(request.at_ms, text)


def _shares(requests: Sequence[Request]) -> Iterator[Finding]:
    for request in requests:
        own = request.own_id
        if request.verb != "POST" or own is None or request.fault == "executed_late":
            continue
        kind = "enter" if own.role is OrderRole.ENTRY else "manage"
        if kind == "manage" and own.role not in _MANAGED:
            continue
        percent = SHARE_PERCENT[kind]
        if (request.weight - ONE_LOOK) * 100 >= WEIGHT_LIMIT * percent:
            text = f"{request.client_id} sent at weight {request.weight}, beyond {percent} %"
            yield Finding(request.at_ms, text)


def _broken_silence(
    requests: Sequence[Request], round_trip_ms: int, births: Sequence[int]
) -> Iterator[Finding]:
    """Name every request sent while the exchange had asked for silence, and it was known."""
    from_ms = until_ms = 0
    told = -1
    for request in requests:
        if request.fault == "executed_late":
            continue  # sent before, and what it is told nobody hears
        # Whoever was born since then was not told; its first look is granted.
        is_new = any(from_ms <= born_ms <= request.at_ms for born_ms in births)
        if from_ms + round_trip_ms < request.at_ms < until_ms and not is_new:
            text = f"{request.verb} {request.path} during the silence asked for by request {told}"
            yield Finding(request.at_ms, text)
        if request.status in (429, 418) and request.retry_after_s is not None:
            from_ms, told = request.at_ms, request.n
            until_ms = request.at_ms + request.retry_after_s * 1000
