"""What each request fault makes of a request: refused, lost, late, spoiled.

A `Mishap` says whether the request is executed, what a refused one is answered, and what happens to
the reply on its way. The three texts of HTTP 503 are those of section 6.2 of the exchange
reference.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.venue.codes import Code, Refusal, by_number, refuse
from engine.venue.jsontext import json_text
from engine.venue.values import Reply, Transport

if TYPE_CHECKING:
    import random

    from engine.venue.faults import Fault

UNKNOWN_503 = "Unknown error, please check your request or try again later."
UNAVAILABLE_503 = "Service Unavailable."
INTERNAL_503 = "Internal error; unable to process your request. Please try again."
GARBAGE = b"<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>"

# kind -> (whether the request is executed, what becomes of the reply)
LOST: dict[str, tuple[bool, Transport]] = {
    "reply_lost_before": (False, Transport.LOST_BEFORE),
    "reply_lost_after": (True, Transport.LOST_AFTER),
    "timeout_before": (False, Transport.TIMEOUT_BEFORE),
    "timeout_after": (True, Transport.TIMEOUT_AFTER),
    "refused_connection": (False, Transport.REFUSED),
}


@dataclass(frozen=True, slots=True)
class Mishap:
    """The effect of one fault on one request."""

    executes: bool
    refusal: Refusal | None = None
    transport: Transport = Transport.DELIVERED
    delay_ms: int = 0
    late_ms: int | None = None
    block_s: int = 0
    block_status: int = 0
    status: int | None = None
    body: bytes | None = None
    content_type: str | None = None
    drip_ms: int = 0

    def spoil(self, reply: Reply) -> Reply:
        """Return the reply as it arrives."""
        headers = reply.headers
        if self.content_type is not None:
            headers = {**headers, "Content-Type": self.content_type}
        return reply._replace(
            status=reply.status if self.status is None else self.status,
            headers=headers,
            body=reply.body if self.body is None else self.body,
            transport=self.transport,
            delay_ms=self.delay_ms,
            drip_ms=self.drip_ms,
        )


def mishap_of(fault: Fault, chance: random.Random) -> Mishap:
    """Return what the fault does; chance decides where the fault leaves it open."""
    if fault.kind in LOST:
        executes, transport = LOST[fault.kind]
        delay = fault.whole("delay_ms", 0)
        return Mishap(executes=executes, transport=transport, delay_ms=delay)
    match fault.kind:
        case "executed_late":
            late = fault.whole("delay_ms", 1500)
            return Mishap(executes=False, transport=Transport.TIMEOUT_BEFORE, late_ms=late)
        case "slow":
            return Mishap(executes=True, delay_ms=fault.whole("delay_ms", 1000))
        case "http_503_unknown":
            return _unknown(fault, chance)
        case "rate_limited":
            seconds = fault.whole("retry_after_s", 5)
            return Mishap(executes=True, block_s=seconds, block_status=429)
        case "banned":
            seconds = fault.whole("ban_s", 120)
            return Mishap(executes=True, block_s=seconds, block_status=418)
        case _:
            return _answered(fault)


def _answered(fault: Fault) -> Mishap:
    """Return what a fault does that answers in the exchange's place."""
    match fault.kind:
        case "garbage_body":
            status = fault.whole("status", 200)
            return Mishap(
                executes=_flag(fault, "executed", default=True),
                status=status,
                body=GARBAGE,
                content_type="text/html",
                refusal=Refusal(0, "garbage", status),
            )
        case "raw_answer":
            return Mishap(
                executes=_flag(fault, "executed"),
                transport=Transport.RAW,
                body=str(fault.details.get("answer", "")).encode("latin-1"),
                drip_ms=fault.whole("drip_ms", 0),
                refusal=Refusal(0, "raw", 200),
            )
        case "code_in_200":
            code = fault.whole("code", -1000)
            named = _refusal(fault, code)
            return Mishap(executes=False, refusal=Refusal(code, named.message, 200))
        case "error" if _flag(fault, "executed"):
            return _told_otherwise(fault)
        case _:
            return Mishap(executes=False, refusal=_clean(fault))


def _flag(fault: Fault, name: str, *, default: bool = False) -> bool:
    return str(fault.details.get(name, default)).lower() == "true"


def _told_otherwise(fault: Fault) -> Mishap:
    """Execute, and answer with a code all the same: -1006 and -1007 say that nobody knows."""
    refusal = _refusal(fault, fault.whole("code", -1000))
    body = json_text({"code": refusal.code, "msg": refusal.message}).encode()
    return Mishap(executes=True, refusal=refusal, status=refusal.status, body=body)


def _clean(fault: Fault) -> Refusal:
    """Return the answer of a fault that certainly executes nothing."""
    if fault.kind == "http_503_unavailable":
        return Refusal(-1001, UNAVAILABLE_503, 503)
    if fault.kind == "http_503_internal":
        return Refusal(-1001, INTERNAL_503, 503)
    if fault.kind == "throttled":
        return refuse(Code.THROTTLED)
    if fault.kind == "stop_refused_once":
        return _refusal(fault, fault.whole("code", Code.REDUCE_ONLY.value.code))
    return _refusal(fault, fault.whole("code", -1000))


def _refusal(fault: Fault, code: int) -> Refusal:
    """Return the refusal a fault spells out, completed from the list of codes."""
    known = by_number(code)
    message = str(fault.details.get("msg", known.message))
    return Refusal(code, message, fault.whole("status", known.status))


def _unknown(fault: Fault, chance: random.Random) -> Mishap:
    """Answer "unknown error", executed or not: the sender cannot know."""
    executed = fault.details.get("executed")
    executes = chance.random() < 0.5 if executed is None else str(executed).lower() == "true"
    refusal = Refusal(-1000, UNKNOWN_503, 503)
    body = b'{"code":-1000,"msg":"' + UNKNOWN_503.encode() + b'"}'
    return Mishap(executes=executes, refusal=refusal, status=503, body=body)
