"""What stops entries by itself until an operator resumes (DESIGN section 7, hard errors).

A halt is for what the next tick cannot mend and only a person can: a key the exchange refuses, an
account it restricts, a request it calls wrong. What the tick sees and the gates hold anyway (hedge
mode, margin that is not free, a symbol that does not trade) needs no halt: it ends by itself.
Protection goes on under every halt.
"""

from __future__ import annotations

from engine.domain.action import Halt
from engine.domain.condition import HaltReason
from engine.domain.order import OrderStatus
from engine.domain.situation import SECOND_WRITER, Situation
from engine.plan.proposal import NOTHING, Proposal

KEY_REFUSED = "key_refused"
ACCOUNT_RESTRICTED = "account_restricted"
REQUEST_WRONG = "request_wrong"
CLOSE_UNFINISHED = "close_unfinished"

STANDS_MS = 10_000
"""How long a refusal of an order counts as present: after that only a new one speaks."""

_KEY = frozenset({-1002, -1022, -2014, -2015})
_ACCOUNT = frozenset({-2023, -4087, -4088, -4109, -4192, *range(-4411, -4399), -4517, -4518, -4519})
# What no other price, size or moment would change: our idea of the wire is wrong. Left out is what
# depends on the position mode (-1106, -4061: asked again, RULES H3), on an id or on the size.
_WRONG = frozenset(
    {
        *(-1013, -1014, -1020, -1100, -1101, -1102, -1103, -1104, -1105, -1111),
        *(-1114, -1115, -1116, -1117, -1120, -1121, -1127, -1128, -1130, -1136),
        *(-2026, -4014, -4023, -4062, -4120, -4135, -4136, -4137, -4138),
    }
)


def halt_on_hard_errors(situation: Situation) -> Proposal:
    """Ask for a halt for every hard error present that no halt and no operator stands for yet."""
    condition = situation.condition
    known = {halt.code for halt in condition.halts} | set(condition.overruled)
    halts = tuple(
        Halt(reason.code, reason.detail, "halt_on_hard_errors")
        for reason in reasons_to_halt(situation)
        if reason.code not in known
    )
    return Proposal(actions=halts) if halts else NOTHING


def reasons_to_halt(situation: Situation) -> tuple[HaltReason, ...]:
    """Return the hard errors that are present, one a code: while one is, ``resume`` is refused.

    From this look's failures, from own orders refused within the last ten seconds, from an own
    order nobody here intended: another keeper writes (RULES G4); and from a close that does not
    come to its end (RULES F11).
    """
    found: dict[str, HaltReason] = {}
    life = situation.ledger.life
    if life is not None and life.is_closing_for_long(situation.now_ms):
        detail = f"{life.id} must be closed ({life.closing_why}), and is not"
        found[CLOSE_UNFINISHED] = HaltReason(CLOSE_UNFINISHED, detail, life.closing_ms or 0)
    if (theirs := situation.second_writer) is not None:
        detail = f"{theirs.id} is ours by its name, but not of our making: another keeper writes"
        found[SECOND_WRITER] = HaltReason(SECOND_WRITER, detail, theirs.intended_ms)
    for failure in situation.observation.failures:
        if (code := _named(failure.code)) is not None:
            detail = f"{failure.topic}: {failure.text}"
            found.setdefault(code, HaltReason(code, detail, situation.now_ms))
    for order in situation.ledger.orders:
        ended_ms = order.finished_ms
        if order.status is not OrderStatus.REJECTED or ended_ms is None:
            continue
        if situation.now_ms - ended_ms > STANDS_MS or (code := _named(order.code)) is None:
            continue
        detail = f"{order.id}: {order.code} {order.note}".rstrip()
        found.setdefault(code, HaltReason(code, detail, ended_ms))
    return tuple(found.values())


def _named(code: int) -> str | None:
    if code in _KEY:
        return KEY_REFUSED
    if code in _ACCOUNT:
        return ACCOUNT_RESTRICTED
    return REQUEST_WRONG if code in _WRONG else None
