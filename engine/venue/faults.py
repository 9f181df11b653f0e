"""Faults: what can go wrong between client and exchange, armed by file, seed or request.

A fault has a kind, a `match` (verb, part of the path, role, client id prefix, push event), and says
how often it strikes: `after` so many matches, `times` at most, with a `probability` drawn from the
venue's seeded chance, for `duration_s` from when it was armed. Faults change what is answered or
shown, never the truth of the books, except where a kind says that it executes nothing, executes
later or in part, or is itself something that happens once (scope "now").
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Mapping

ID_KEYS = ("newclientorderid", "clientalgoid", "origclientorderid")
ROLE_AT = 11  # prefix (2), decision hash (6), generation (3), then the letter of the role

# kind -> (where it acts, how often it strikes unless `times` says otherwise; None: without end)
KINDS: dict[str, tuple[str, int | None]] = {
    "reply_lost_before": ("request", 1),
    "reply_lost_after": ("request", 1),
    "timeout_before": ("request", 1),
    "timeout_after": ("request", 1),
    "executed_late": ("request", 1),
    "refused_connection": ("request", 1),
    "http_503_unknown": ("request", 1),
    "http_503_unavailable": ("request", 1),
    "http_503_internal": ("request", 1),
    "throttled": ("request", 1),
    "error": ("request", 1),
    "rate_limited": ("request", 1),
    "banned": ("request", 1),
    "stop_refused_once": ("request", 1),
    "garbage_body": ("request", 1),
    "raw_answer": ("request", 1),
    "code_in_200": ("request", 1),
    "slow": ("request", 1),
    "gte_refused": ("placement", 1),
    "gte_lag": ("gte", None),
    "close_lingers": ("linger", None),
    "fills_in_part": ("fill", None),
    "child_rejected": ("child", 1),
    "child_partial": ("child", 1),
    "list_forgets": ("list", None),
    "lookup_not_found": ("lookup", None),
    "cancel_not_found": ("cancel", 1),
    "position_lag": ("position", None),
    "fill_lag": ("fills", None),
    "clock_skew": ("clock", None),
    "stream_silent": ("push", None),
    "drop_pushes": ("push", None),
    "duplicate_pushes": ("push", None),
    "reorder_pushes": ("push", None),
    "delay_pushes": ("push", None),
    "listen_key_expires": ("now", 1),
    "sockets_close": ("now", 1),
    "liquidation": ("now", 1),
    "adl": ("now", 1),
}
KEPT = 500
"""How many faults are kept before those that are over are forgotten."""
MATCH_KEYS = frozenset({"verb", "path", "role", "client_id", "event", "type"})


@dataclass(slots=True)
class Fault:
    """One armed fault and how often it has struck."""

    number: int
    kind: str
    scope: str
    verb: str | None
    path: str | None
    client_id: str | None
    role_letter: str | None
    event: str | None
    order_type: str | None
    times: int | None
    after: int
    probability: float
    from_ms: int
    until_ms: int | None
    details: dict[str, object]
    seen: int = 0
    struck: int = 0

    def is_over(self, now_ms: int) -> bool:
        """Whether it can never strike again."""
        is_spent = self.times is not None and self.struck >= self.times
        return is_spent or (self.until_ms is not None and now_ms >= self.until_ms)

    def amount(self, name: str, default: str) -> Decimal:
        """Return a numeric detail."""
        return Decimal(str(self.details.get(name, default)))

    def milliseconds(self, name: str, default_s: str) -> int:
        """Return a detail that is given in seconds (name ends in _s) as milliseconds."""
        return int(self.amount(name, default_s) * 1000)

    def whole(self, name: str, default: int) -> int:
        """Return a whole-number detail."""
        return int(str(self.details.get(name, default)))


@dataclass(frozen=True, slots=True)
class PushFate:
    """What the faults make of one push."""

    dropped: bool = False
    doubled: bool = False
    held: bool = False
    delay_ms: int = 0


UNHARMED = PushFate()


@dataclass(slots=True)
class Faults:
    """The armed faults of one venue."""

    chance: random.Random
    role_letters: Mapping[str, str]
    armed: list[Fault] = field(default_factory=list)
    made: int = 0
    noted: Callable[[Fault], None] | None = None

    def inject(self, plain: Mapping[str, object], now_ms: int) -> Fault:
        """Arm one fault; an unknown kind or match key is an error."""
        kind = str(plain.get("kind"))
        if kind not in KINDS:
            message = f"there is no fault {kind!r}"
            raise ValueError(message)
        match = plain.get("match") or {}
        if not isinstance(match, dict) or not MATCH_KEYS.issuperset(match):
            message = f"a fault matches by {sorted(MATCH_KEYS)}, not {match!r}"
            raise ValueError(message)
        role = match.get("role")
        if role is not None and role not in self.role_letters:
            message = f"there is no role {role!r}"
            raise ValueError(message)
        scope, times = KINDS[kind]
        if "times" in plain:
            times = None if plain["times"] is None else int(str(plain["times"]))
        duration = plain.get("duration_s")
        start = now_ms + int(Decimal(str(plain.get("starts_in_s", 0))) * 1000)
        self.made += 1
        fault = Fault(
            number=self.made,
            kind=kind,
            scope=scope,
            verb=_text(match.get("verb")),
            path=_text(match.get("path")),
            client_id=_text(match.get("client_id")),
            role_letter=None if role is None else self.role_letters[str(role)],
            event=_text(match.get("event")),
            order_type=_text(match.get("type")),
            times=times,
            after=int(str(plain.get("after", 0))),
            probability=float(str(plain.get("probability", 1))),
            from_ms=start,
            until_ms=None if duration is None else start + int(Decimal(str(duration)) * 1000),
            details={key: value for key, value in plain.items() if key != "match"},
        )
        if kind == "stop_refused_once":
            fault.verb, fault.path = "POST", "algoOrder"
        if len(self.armed) >= KEPT:
            self.armed = [one for one in self.armed if not one.is_over(now_ms)]
        self.armed.append(fault)
        return fault

    def clear(self) -> None:
        """Disarm everything."""
        self.armed.clear()

    def plain(self) -> list[dict[str, object]]:
        """List the armed faults with their counts."""
        return [
            {
                **one.details,
                "id": one.number,
                "kind": one.kind,
                "seen": one.seen,
                "struck": one.struck,
            }
            for one in self.armed
        ]

    def _strikes(self, fault: Fault, now_ms: int) -> bool:
        """Count one match and say whether the fault strikes."""
        if now_ms < fault.from_ms or (fault.until_ms is not None and now_ms >= fault.until_ms):
            return False
        if fault.times is not None and fault.struck >= fault.times:
            return False
        fault.seen += 1
        if fault.seen <= fault.after:
            return False
        if fault.probability < 1 and self.chance.random() >= fault.probability:
            return False
        fault.struck += 1
        if self.noted is not None:
            self.noted(fault)
        return True

    def on_request(
        self, verb: str, path: str, parameters: Mapping[str, str], now_ms: int
    ) -> Fault | None:
        """Return the fault that strikes this request, if any; the first armed wins."""
        for fault in self.armed:
            if (
                fault.scope == "request"
                and (fault.verb is None or fault.verb == verb)
                and (fault.path is None or fault.path in path)
                and (fault.order_type is None or parameters.get("type") == fault.order_type)
                and self._names(fault, *(parameters.get(key, "") for key in ID_KEYS))
                and not (fault.kind == "throttled" and _is_exempt(verb, parameters))
                and self._strikes(fault, now_ms)
            ):
                return fault
        return None

    def on_order(self, scope: str, client_id: str, now_ms: int) -> Fault | None:
        """Return the fault of this scope that strikes the order with this id."""
        for fault in self.armed:
            if (
                fault.scope == scope
                and self._names(fault, client_id)
                and self._strikes(fault, now_ms)
            ):
                return fault
        return None

    def lag_ms(self, scope: str, now_ms: int, usual_s: str = "2") -> int:
        """Return how old what is shown or known must be ("position", "fills", "gte", "linger")."""
        lag = 0
        for fault in self.armed:
            if fault.scope == scope and self._strikes(fault, now_ms):
                lag = max(lag, fault.milliseconds("lag_s", usual_s))
        return lag

    def at_once(self, number: int, now_ms: int) -> Fault | None:
        """Return the fault of that number if it happens now, by itself; count it as struck."""
        for fault in self.armed:
            if fault.number == number and fault.scope == "now" and self._strikes(fault, now_ms):
                return fault
        return None

    def push_fate(self, event: str, now_ms: int) -> PushFate:
        """Return what becomes of one user event."""
        fate = UNHARMED
        for fault in self.armed:
            if fault.scope != "push" or not (fault.event is None or fault.event == event):
                continue
            if not self._strikes(fault, now_ms):
                continue
            if fault.kind in ("stream_silent", "drop_pushes"):
                return PushFate(dropped=True)
            fate = PushFate(
                doubled=fate.doubled or fault.kind == "duplicate_pushes",
                held=fate.held or fault.kind == "reorder_pushes",
                delay_ms=fault.whole("delay_ms", 500)
                if fault.kind == "delay_pushes"
                else fate.delay_ms,
            )
        return fate

    @staticmethod
    def _names(fault: Fault, *client_ids: str) -> bool:
        """Whether one of the ids is what the fault looks for."""
        if fault.client_id is not None:
            prefix = fault.client_id
            if not any(one.startswith(prefix) for one in client_ids if one):
                return False
        if fault.role_letter is not None:
            letter = fault.role_letter
            return any(one[ROLE_AT : ROLE_AT + 1] == letter for one in client_ids if one)
        return True


def _is_exempt(verb: str, parameters: Mapping[str, str]) -> bool:
    """Whether system protection lets the request through (exchange reference, section 6.2)."""
    if verb == "DELETE":
        return True
    if parameters.get("reduceonly", "").lower() == "true":
        return True
    if parameters.get("closeposition", "").lower() == "true":
        return True
    pair = (parameters.get("positionside"), parameters.get("side"))
    return pair in (("LONG", "SELL"), ("SHORT", "BUY"))


def _text(value: object) -> str | None:
    return None if value is None else str(value)
