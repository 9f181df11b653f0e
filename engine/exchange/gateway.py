"""The one door out, and the only holder of the exchange: every request is judged here once more.

Invariants: a request that fails a check never leaves and comes back NOT_SENT with the rule's name;
an id is never sent with other terms, an entry's id never twice after it may have executed; the
stamp of a request is taken before the lease is looked at, and its window ends before the lease
does (RULES G4); protection and the withdrawal of an entry are never held back by budget, breaker,
backoff or churn.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

from engine.domain.action import CancelOrder, Configure, Outcome, PlaceOrder, Request
from engine.domain.errors import Unavailable
from engine.domain.identity import ClientOrderId, OrderRole
from engine.domain.ledger import Ledger
from engine.domain.observation import Failure, Question
from engine.domain.order import OrderTerms
from engine.domain.situation import Situation
from engine.domain.terms import ActionClass, Fate
from engine.exchange import budget
from engine.exchange.backoff import Backoff, after_failure
from engine.exchange.breaker import Breaker, Reply, step
from engine.exchange.churn import Churn, after_placing
from engine.exchange.clearance import CHECKS, can_open
from engine.exchange.cover import Grounds
from engine.exchange.port import Answer, Exchange, KeyRights, Permit, Usage
from engine.exchange.proofs import refuse_cancel

REFUSED = "gateway: "
LEASE_MARGIN_MS = 1_000
WINDOW_MIN_MS = 250  # below that a request could not even arrive in time
REMEMBERED_MAX = 1_024
PATIENCE_MS = 2_500
_ORDER = (ActionClass.PROTECT, ActionClass.RECONCILE, ActionClass.MANAGE, ActionClass.ENTER)


@dataclass(frozen=True, slots=True)
class Sent:
    """What an id went out with, and what became of it."""

    terms: OrderTerms
    fate: Fate


class Gateway:
    """Asks and performs; see the module's invariants."""

    def __init__(self, exchange: Exchange, *, patience_ms: int = PATIENCE_MS) -> None:
        self._exchange = exchange
        self._patience_ms = patience_ms
        self._breaker = Breaker()
        self._churn = Churn()
        self._backoffs: dict[str, Backoff] = {}
        self._sent: OrderedDict[str, Sent] = OrderedDict()

    def now_ms(self) -> int:
        """Return exchange time."""
        return self._exchange.now_ms()

    def clock_error_ms(self) -> int | None:
        """Return the bound on the error of ``now_ms``, None before the first anchoring."""
        return self._exchange.clock_error_ms()

    def anchor_clock(self) -> None:
        """Measure the exchange's clock; raises ``Unavailable`` or ``Indeterminate``.

        A silence the exchange asked for holds for this question too (RULES H4).
        """
        until_ms = self._exchange.usage().blocked_until_ms
        if self._exchange.now_ms() < until_ms:
            raise Unavailable(f"the exchange asked for silence until {until_ms}")
        self._exchange.anchor_clock()

    def usage(self) -> Usage:
        """Return the request counters as last reported."""
        return self._exchange.usage()

    def key_rights(self, patience_ms: int) -> KeyRights:
        """Return what the API key may do; raises ``Rejected`` when the key is refused."""
        return self._exchange.key_rights(patience_ms)

    @property
    def breaker(self) -> Breaker:
        """Return the breaker's state."""
        return self._breaker

    @property
    def is_breaker_open(self) -> bool:
        """Return whether the breaker blocks entries now."""
        return self._breaker.blocks_entries(self._exchange.now_ms())

    @property
    def churned(self) -> tuple[ActionClass, ...]:
        """Return the classes that have placed as many orders as they may for now."""
        return self._churn.over(self._exchange.now_ms())

    @property
    def is_wire_stuck(self) -> bool:
        """Return whether nothing can be sent because too many calls hang; a reason for an alarm."""
        return self._exchange.is_stuck

    def close(self) -> None:
        """Release connections and threads."""
        self._exchange.close()

    def ask(self, questions: Sequence[Question], patience_ms: int) -> tuple[Answer, ...]:
        """Ask what the budget permits, all at once; one answer per question, in order.

        What cover is judged from is asked as protection. Never raises.
        """
        now_ms, usage = self._exchange.now_ms(), self._exchange.usage()
        refused = [budget.refusal_to_ask(question.topic, usage, now_ms) for question in questions]
        judged = tuple(zip(questions, refused, strict=True))
        asked = [question for question, why in judged if why is None]
        answers = iter(self._exchange.ask(asked, patience_ms) if asked else ())
        return tuple(
            self._noted(next(answers)) if why is None else _unasked(question, why, now_ms)
            for question, why in judged
        )

    def perform(
        self,
        requests: Sequence[Request],
        situation: Situation,
        plan_ledger: Ledger,
        patience_ms: int | None = None,
    ) -> tuple[Outcome, ...]:
        """Send what passes every check, protection first; one outcome per request, in order.

        ``situation`` is what the plan was made from, ``plan_ledger`` holds the plan's intents.
        """
        stamp_ms = self._exchange.now_ms()  # before the lease is looked at: the fence (G4)
        grounds = Grounds(situation, plan_ledger)
        leaving = [r.client_id for r in requests if isinstance(r, CancelOrder)]
        outcomes: dict[int, Outcome] = {}
        permits: list[tuple[int, Permit]] = []
        placed: set[ClientOrderId] = set()
        for index, request in enumerate(requests):
            window_ms = _window_ms(request, grounds, stamp_ms)
            refused = self._refusal(request, grounds, leaving, stamp_ms)
            if refused is None and window_ms < WINDOW_MIN_MS:
                refused = f"lease: ends in {window_ms + LEASE_MARGIN_MS} ms (G4)"
            if refused is None and isinstance(request, PlaceOrder):
                if request.terms.client_id in placed:
                    refused = f"once: {request.terms.client_id} twice in one plan (B3)"
                placed.add(request.terms.client_id)
            if refused is not None:
                outcomes[index] = Outcome(request, Fate.NOT_SENT, stamp_ms, text=REFUSED + refused)
            else:
                permits.append((index, Permit(request, stamp_ms, window_ms)))
        permits.sort(key=lambda item: _ORDER.index(item[1].request.action_class))
        if permits:
            patience_ms = self._patience_ms if patience_ms is None else patience_ms
            sent = self._exchange.send([permit for _, permit in permits], patience_ms)
            for (index, permit), outcome in zip(permits, sent, strict=True):
                outcomes[index] = outcome
                if isinstance(permit.request, PlaceOrder):
                    placing = permit.request.action_class
                    self._churn = after_placing(self._churn, placing, stamp_ms)
                self._learn(permit.request, outcome)
        return tuple(outcomes[index] for index in range(len(requests)))

    def _refusal(
        self,
        request: Request,
        grounds: Grounds,
        leaving: Sequence[ClientOrderId],
        now_ms: int,
    ) -> str | None:
        for check in CHECKS:
            refused = check(request, grounds)
            if refused is not None:
                return refused
        if isinstance(request, CancelOrder):
            refused = refuse_cancel(request, grounds, leaving)
            if refused is not None:
                return refused
        return self._repetition(request) or self._pace(request, now_ms)

    def _repetition(self, request: Request) -> str | None:
        if not isinstance(request, PlaceOrder):
            return None
        name = str(request.terms.client_id)
        before = self._sent.get(name)
        if before is None:
            return None
        if before.terms != request.terms:
            return f"terms: {name} was sent with other terms (B3)"
        if can_open(request) and before.fate in (Fate.ACCEPTED, Fate.UNKNOWN):
            return f"once: {name} may have executed already (C4)"
        return None

    def _pace(self, request: Request, now_ms: int) -> str | None:
        is_order = isinstance(request, PlaceOrder)
        usage = self._exchange.usage()
        # What could still open must not wait for its withdrawal.
        spends = ActionClass.PROTECT if _withdraws(request) else request.action_class
        refused = budget.refusal(spends, usage, now_ms, is_order=is_order)
        if refused is not None or spends is ActionClass.PROTECT:
            return refused
        if is_order and self._churn.is_over(spends, now_ms):
            return f"churn: too many {spends} orders within the minute or the hour (H4)"
        if can_open(request) and self._breaker.blocks_entries(now_ms):
            return f"breaker: {self._breaker.failures} failures in a row (DESIGN 7)"
        backoff = self._backoffs.get(_identity(request))
        if backoff is not None and backoff.is_waiting(now_ms):
            return f"backoff: attempt {backoff.attempt} waits until {backoff.until_ms} (DESIGN 7)"
        return None

    def _learn(self, request: Request, outcome: Outcome) -> None:
        identity = _identity(request)
        is_answered = outcome.fate in (Fate.ACCEPTED, Fate.REJECTED)
        self._note(is_answered=is_answered, now_ms=outcome.at_ms)
        # A refused order takes a new id and its rule's pace; a refused setting is asked again.
        is_setting = isinstance(request, Configure) and outcome.fate is Fate.REJECTED
        if outcome.fate is Fate.NOT_SENT or is_setting:
            before = self._backoffs.get(identity, Backoff())
            self._backoffs[identity] = after_failure(before, identity, outcome.at_ms)
            if len(self._backoffs) > REMEMBERED_MAX:
                self._backoffs.pop(next(iter(self._backoffs)))
        else:
            self._backoffs.pop(identity, None)
        if isinstance(request, PlaceOrder):
            self._remember(str(request.terms.client_id), Sent(request.terms, outcome.fate))

    def _remember(self, name: str, sent: Sent) -> None:
        before = self._sent.pop(name, None)
        if before is not None and before.fate in (Fate.ACCEPTED, Fate.UNKNOWN):
            sent = Sent(sent.terms, before.fate)
        self._sent[name] = sent
        while len(self._sent) > REMEMBERED_MAX:
            self._sent.popitem(last=False)

    def _noted(self, answer: Answer) -> Answer:
        failure = answer.failure
        self._note(is_answered=failure is None or failure.fate == "rejected", now_ms=answer.at_ms)
        return answer

    def _note(self, *, is_answered: bool, now_ms: int) -> None:
        reply = Reply.ANSWERED if is_answered else Reply.FAILED
        self._breaker = step(self._breaker, reply, now_ms)


def _unasked(question: Question, why: str, now_ms: int) -> Answer:
    failure = Failure(question.topic, "unavailable", 0, REFUSED + why)
    return Answer(question, now_ms, failure=failure)


def _window_ms(request: Request, grounds: Grounds, stamp_ms: int) -> int:
    """Return the recvWindow: its class's, but never beyond the lease (RULES C5, G4)."""
    limits, until_ms = grounds.limits, grounds.condition.lease_until_ms
    window_ms = limits.recv_window_open_ms if can_open(request) else limits.recv_window_ms
    if until_ms is None:
        return window_ms
    return min(window_ms, until_ms - stamp_ms - LEASE_MARGIN_MS)


def _withdraws(request: Request) -> bool:
    return isinstance(request, CancelOrder) and request.client_id.role is OrderRole.ENTRY


def _identity(request: Request) -> str:
    match request:
        case PlaceOrder(terms=terms):
            return f"place {terms.client_id}"
        case CancelOrder(client_id=client_id):
            return f"cancel {client_id}"
        case Configure(leverage=leverage, isolated=isolated):
            return f"configure {leverage} {isolated}"
