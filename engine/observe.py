"""The questions of a tick: what is asked, how old an answer may be, and the second look.

All questions go out together. What changed or went missing is asked once more *after* the first
answers came (``reconcile.questions``), and only that second picture is planned from (RULES C3).
A flat keeper without a fresh decision asks little.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Any, Protocol

from engine.domain.equity import week_start
from engine.domain.identity import OrderRole
from engine.domain.ledger import Ledger
from engine.domain.observation import (
    AccountMode,
    Candle,
    Fact,
    Failure,
    MarkQuote,
    Observation,
    Question,
    Topic,
)
from engine.domain.order import OrderReport
from engine.domain.position import HedgedPositions, PositionReport
from engine.domain.values import replace
from engine.exchange.port import NOTHING_HEARD, Answer, Heard
from engine.reconcile.history import HISTORY_MS
from engine.reconcile.pushes import needs_a_stop
from engine.reconcile.questions import questions

SECOND_MS = 1_000
MINUTE_MS = 60 * SECOND_MS
HOUR_MS = 60 * MINUTE_MS
CANDLES_MAX = 99
"""The most candles whose request weighs 1 (binance-usdm.md section 5.1)."""


class Attention(StrEnum):
    """How closely the keeper looks: something is at stake, or nothing can happen soon."""

    WATCHFUL = "watchful"
    IDLE = "idle"


class Asks(Protocol):
    """Whoever passes questions on to the exchange."""

    def ask(self, questions: Sequence[Question], patience_ms: int) -> tuple[Answer, ...]:
        """Ask everything at once; one answer per question, in order."""


_PICTURE = (
    Topic.POSITION,
    Topic.OPEN_ORDERS,
    Topic.OPEN_ALGO_ORDERS,
    Topic.MARK_PRICE,
    Topic.CANDLES,
)
_NEVER_OLD = frozenset({Topic.POSITION, Topic.OPEN_ORDERS, Topic.OPEN_ALGO_ORDERS})
"""What a look that asks nothing must not repeat: an older answer would contradict the push."""

_SLOW_MS = {
    Topic.INSTRUMENT: HOUR_MS,
    Topic.BRACKETS: HOUR_MS,
    Topic.ACCOUNT_MODE: HOUR_MS,
    Topic.COMMISSION: HOUR_MS,
}
IDLE_MS = 10 * SECOND_MS
QUOTE_MS = 3 * SECOND_MS
ACCOUNT_MS = 30 * SECOND_MS
CONFIG_MS = 2 * MINUTE_MS
ENTERING_CONFIG_MS = 15 * SECOND_MS
HELD_CONFIG_MS = MINUTE_MS
"""How old leverage and margin type may be beside a life: another hand may change them."""
INCOME_MS = 30 * MINUTE_MS
FLOWS_MS = 5 * MINUTE_MS
RETRY_MS = 5 * SECOND_MS
_EXPLAINS = frozenset({Topic.INSTRUMENT, Topic.ORDER_HISTORY})
"""What a position that nobody here knows waits for: filters for its stop, history for its level."""
QUESTION_MS = 5 * SECOND_MS
"""How old balance and income may be while a drawdown limit seems reached (RULES H2, C6).

And the balance, where a position closed since it was read.
"""
HEDGE_MODE_MS = 10 * SECOND_MS
"""How old the account's mode may be while it is hedge mode: its end must be seen (RULES H3)."""
FUNDED_AFTER_MS = 20 * SECOND_MS
"""When the income of a funding hour is surely told."""

_EACH_LOOK = _SLOW_MS | dict.fromkeys(_PICTURE, 0)
_IDLE_AGES = _SLOW_MS | dict.fromkeys(_PICTURE, IDLE_MS) | {Topic.ACCOUNT: 10 * ACCOUNT_MS}
_FLAT_AGES = _EACH_LOOK | {
    Topic.BOOK_TICKER: 0,
    Topic.ACCOUNT: ACCOUNT_MS,
    Topic.SYMBOL_CONFIG: CONFIG_MS,
}
_ENTERING_AGES = _EACH_LOOK | {
    Topic.BOOK_TICKER: 0,
    Topic.ACCOUNT: 10 * ACCOUNT_MS,
    Topic.SYMBOL_CONFIG: ENTERING_CONFIG_MS,
}
_HELD_AGES = _ENTERING_AGES | {
    Topic.BOOK_TICKER: QUOTE_MS,
    Topic.SYMBOL_CONFIG: HELD_CONFIG_MS,
}
_PLAINLY = {topic: Question(topic) for topic in Topic}

_NOTHING = Observation(0)
"""What is seen before anybody looked."""

_FIELD = {
    Topic.POSITION: "position",
    Topic.OPEN_ORDERS: "orders",
    Topic.OPEN_ALGO_ORDERS: "algo_orders",
    Topic.BOOK_TICKER: "quote",
    Topic.MARK_PRICE: "mark",
    Topic.CANDLES: "candles",
    Topic.FILLS: "fills",
    Topic.INSTRUMENT: "instrument",
    Topic.BRACKETS: "brackets",
    Topic.ACCOUNT: "account",
    Topic.SYMBOL_CONFIG: "symbol_config",
    Topic.ACCOUNT_MODE: "account_mode",
    Topic.COMMISSION: "rates",
    Topic.INCOME: "income",
}


class Observer:
    """Asks, and remembers answers for as long as they may be used again.

    The memory is an economy, never a source of truth: losing it costs one round of questions.
    """

    def __init__(
        self, asks: Asks, *, patience_ms: int, hear: Callable[[], Heard] = lambda: NOTHING_HEARD
    ) -> None:
        """Look through ``asks``; one round of questions may last ``patience_ms``.

        ``hear`` takes what the user stream said since it was last asked.
        """
        self._asks = asks
        self._hear = hear
        self._patience_ms = patience_ms
        self._facts: dict[Topic, Fact[Any]] = {}
        self._asked_ms: dict[Topic, int] = {}
        self._funding_ms: int | None = None
        self._is_unexplained = False

    def observe(self, ledger: Ledger, now_ms: int, attention: Attention) -> Observation:
        """Return what the exchange says now: one look, or two when something changed.

        No look at all when a fill was pushed that nothing covers: the stop goes out first. Pushed
        while the first look was under way, it is not kept waiting for the second either.
        """
        heard = self._hear()
        if needs_a_stop(ledger, heard.orders):
            return self._unasked(now_ms, heard)
        asked = self._first(ledger, now_ms, attention)
        first = self._look(_NOTHING, asked, now_ms=now_ms, pushed=heard.orders, stream=heard.stream)
        again = questions(ledger, first)
        if not again:
            return first
        late = self._hear()
        heard = Heard((*heard.orders, *late.orders), late.stream)
        if needs_a_stop(ledger, late.orders):
            return self._unasked(now_ms, heard)
        return self._look(
            first, again, now_ms=now_ms, pushed=heard.orders, stream=heard.stream, is_second=True
        )

    def _unasked(self, now_ms: int, heard: Heard) -> Observation:
        """Return a look at what was pushed, with what older answers may still be used for."""
        told = {_FIELD[t]: fact for t, fact in self._facts.items() if t not in _NEVER_OLD}
        seen = Observation(now_ms, pushed=heard.orders, stream=heard.stream, is_unasked=True)
        return replace(seen, **told)  # type: ignore[arg-type]  # by field name

    def forget(self, *topics: Topic) -> None:
        """Drop remembered answers: what we just changed must be read back."""
        for topic in topics:
            self._facts.pop(topic, None)
            self._asked_ms.pop(topic, None)

    def _first(self, ledger: Ledger, now_ms: int, attention: Attention) -> tuple[Question, ...]:
        position: Fact[PositionReport | HedgedPositions] | None = self._facts.get(Topic.POSITION)
        is_flat = position is not None and not _is_held(position.value)
        self._is_unexplained = ledger.life is None and not is_flat
        if self._sees_hedged:
            attention = Attention.WATCHFUL
        ages = _ages(ledger, attention)
        if _is_in_question(ledger) or ledger.is_equity_outdated:
            ages = ages | {Topic.ACCOUNT: QUESTION_MS}
        if self._is_hedge:
            ages = ages | {Topic.ACCOUNT_MODE: HEDGE_MODE_MS}
        asked = [
            self._question(t, now_ms) for t, age in ages.items() if self._is_due(t, now_ms, age)
        ]
        since_ms = self._income_since(ledger, now_ms, attention)
        if since_ms is not None:
            asked.append(Question(Topic.INCOME, since_ms=since_ms))
        if ledger.history_read_ms is None and self._is_due(Topic.ORDER_HISTORY, now_ms, RETRY_MS):
            since_ms = now_ms - HISTORY_MS
            asked.append(Question(Topic.ORDER_HISTORY, since_ms=since_ms))
            asked.append(Question(Topic.ALGO_HISTORY, since_ms=since_ms))
        return tuple(asked)

    def _income_since(self, ledger: Ledger, now_ms: int, attention: Attention) -> int | None:
        """Return from when income is to be read now, None when it need not be.

        Once after a close (funding), now and then while open, and before entries: the week's
        flows and the openings that nobody sampled (RULES H2).
        """
        life, week_ms = ledger.life, week_start(now_ms)
        if life is None or life.opened_ms is None:
            age_ms = QUESTION_MS if _is_in_question(ledger) else FLOWS_MS
            is_asked = attention is Attention.WATCHFUL or _is_in_question(ledger)
            return week_ms if is_asked and self._is_due(Topic.INCOME, now_ms, age_ms) else None
        since_ms = min(life.opened_ms, week_ms)
        if life.closed_ms is None:
            age_ms = QUESTION_MS if _is_in_question(ledger) else INCOME_MS
            is_due = self._is_due(Topic.INCOME, now_ms, age_ms) or self._was_funded(now_ms)
            return since_ms if is_due else None
        last = self._facts.get(Topic.INCOME)
        is_told = last is not None and last.at_ms > life.closed_ms
        return since_ms if not is_told and self._is_due(Topic.INCOME, now_ms, RETRY_MS) else None

    def _was_funded(self, now_ms: int) -> bool:
        """Return whether funding was charged since income was last read (RULES F5)."""
        quote: Fact[MarkQuote] | None = self._facts.get(Topic.MARK_PRICE)
        # The exchange may name the time just past for a while: once is enough.
        if quote is not None and self._funding_ms is None and quote.value.next_funding_ms > now_ms:
            self._funding_ms = quote.value.next_funding_ms
        if self._funding_ms is None or now_ms < self._funding_ms + FUNDED_AFTER_MS:
            return False
        self._funding_ms = None
        return True

    @property
    def _sees_hedged(self) -> bool:
        """Return whether a side of a hedge-mode account was held at the last look (RULES H3)."""
        fact = self._facts.get(Topic.POSITION)
        return fact is not None and isinstance(fact.value, HedgedPositions) and _is_held(fact.value)

    @property
    def _is_hedge(self) -> bool:
        mode: Fact[AccountMode] | None = self._facts.get(Topic.ACCOUNT_MODE)
        return mode is not None and mode.value.is_hedge

    def _question(self, topic: Topic, now_ms: int) -> Question:
        if topic is not Topic.CANDLES:
            return _PLAINLY[topic]
        known: Fact[tuple[Candle, ...]] | None = self._facts.get(Topic.CANDLES)
        if known is None or not known.value:
            return Question(topic, limit=CANDLES_MAX)
        missed = (now_ms - known.value[-1].open_ms) // MINUTE_MS
        return Question(topic, limit=int(min(max(missed + 1, 2), CANDLES_MAX)))

    def _is_due(self, topic: Topic, now_ms: int, age_max_ms: int) -> bool:
        asked_ms = self._asked_ms.get(topic)
        if asked_ms is None:
            return True
        fact = self._facts.get(topic)
        # Without a whole picture nothing is found: it is asked for at every look until it is there.
        is_urgent = topic in _NEVER_OLD or (topic in _EXPLAINS and self._is_unexplained)
        retry_ms = 0 if is_urgent else RETRY_MS
        wait_ms = age_max_ms if fact is not None else min(age_max_ms, retry_ms)
        return now_ms - asked_ms >= wait_ms or now_ms < asked_ms

    def _look(
        self, seen: Observation, asked: tuple[Question, ...], *, now_ms: int, **told: Any
    ) -> Observation:
        """Return ``seen`` with what was told besides, the answers, and older ones still of use."""
        failures = list(seen.failures)
        if asked:
            for question in asked:
                self._asked_ms[question.topic] = now_ms
            told |= self._fold(seen, self._asks.ask(asked, self._patience_ms), failures)
        failed = {failure.topic for failure in failures}
        for topic, fact in self._facts.items():
            field = _FIELD[topic]
            if topic not in failed and told.get(field, getattr(seen, field)) is None:
                _tell(told, topic, fact)
        return replace(seen, now_ms=now_ms, failures=tuple(failures), **told)

    def _fold(
        self, seen: Observation, answers: Sequence[Answer], failures: list[Failure]
    ) -> dict[str, Any]:
        """Return the fields of an observation that these answers fill, and add what failed."""
        told: dict[str, Any] = {}
        lookups = list(seen.lookups)
        histories: list[Fact[tuple[OrderReport, ...]]] = []
        for answer in answers:
            topic = answer.question.topic
            if answer.failure is not None or answer.value is None:
                failures.append(answer.failure or Failure(topic, "unknown", 0, "no answer"))
                self._facts.pop(topic, None)
                if topic in _FIELD:
                    told[_FIELD[topic]] = None  # a first answer does not outlive a failed second
                if topic is Topic.POSITION:
                    told["hedged"] = None
                continue
            value: Any = answer.value
            if topic is Topic.CANDLES:
                value = self._merged(value)
            fact: Fact[Any] = Fact(value, answer.at_ms)
            if topic is Topic.ORDER:
                lookups.append(fact)
            elif topic in (Topic.ORDER_HISTORY, Topic.ALGO_HISTORY):
                histories.append(fact)
            else:
                if topic is not Topic.FILLS:
                    self._facts[topic] = fact
                _tell(told, topic, fact)
        if len(histories) == 2:
            both = (*histories[0].value, *histories[1].value)
            told["history"] = Fact(both, min(h.at_ms for h in histories))
        return told | {"lookups": tuple(lookups)}

    def _merged(self, fresh: tuple[Candle, ...]) -> tuple[Candle, ...]:
        """Return the remembered candles with the fresh ones in place of those they replace."""
        known: Fact[tuple[Candle, ...]] | None = self._facts.get(Topic.CANDLES)
        if known is None or not fresh:
            return fresh
        start_ms = fresh[0].open_ms
        kept = known.value[: bisect_left(known.value, start_ms, key=_opened)]
        if kept and start_ms - kept[-1].open_ms > MINUTE_MS:
            return fresh  # a hole: what lies before it must not look continuous
        if known.value[len(kept) :] == fresh:
            return known.value
        return (*kept, *fresh)[-CANDLES_MAX:]


def _opened(candle: Candle) -> int:
    return candle.open_ms


def _tell(told: dict[str, Any], topic: Topic, fact: Fact[Any]) -> None:
    """Put an answer into the fields of an observation that it fills.

    In hedge mode there is certainly no one-way position: that one reads flat (RULES H3).
    """
    told[_FIELD[topic]] = fact
    if topic is Topic.POSITION:
        told["hedged"] = None
        if isinstance(fact.value, HedgedPositions):
            told["position"] = replace(fact, value=fact.value.one_way)
            told["hedged"] = replace(fact, value=fact.value.sides)


def _ages(ledger: Ledger, attention: Attention) -> dict[Topic, int]:
    """Return how old the answers may be, by what is at stake."""
    life = ledger.life
    if attention is Attention.IDLE:
        return _IDLE_AGES
    if life is None:
        return _FLAT_AGES
    is_held = life.is_open and ledger.entries_are_final and life.closing is None
    return _HELD_AGES if is_held else _ENTERING_AGES


def _is_held(read: PositionReport | HedgedPositions) -> bool:
    """Return whether anything is held, on whichever side (RULES H3)."""
    return bool(read.sides) if isinstance(read, HedgedPositions) else not read.is_flat


def _is_in_question(ledger: Ledger) -> bool:
    return ledger.equity is not None and ledger.equity.is_in_question


def is_at_stake(ledger: Ledger) -> bool:
    """Return whether the ledger alone demands a close look: a life, a position, own orders."""
    return (
        ledger.life is not None
        or ledger.position_quantity != 0
        or ledger.history_read_ms is None
        or any(o.role is not OrderRole.PROBE for o in ledger.orders)
    )
