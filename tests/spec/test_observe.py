"""What is asked how often, and the second look (RULES C3, H4; DESIGN section 2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

import pytest

from engine.domain.condition import Command, Condition, OperatorCommand
from engine.domain.identity import OrderRole
from engine.domain.ledger import Ledger, PastLife
from engine.domain.limits import Limits
from engine.domain.observation import (
    AccountMode,
    AccountReport,
    Failure,
    MarkQuote,
    NotFound,
    Observation,
    Question,
    Quote,
    Rates,
    SymbolConfig,
    Topic,
)
from engine.domain.terms import Book
from engine.exchange.port import Answer
from engine.observe import CANDLES_MAX, Attention, Observer, is_at_stake
from engine.tick import attention
from tests.builders import (
    BRACKETS,
    ENTRY,
    MINUTE_MS,
    NOW,
    PRIMARY,
    SHORT,
    TP1,
    a_candle,
    a_decision,
    a_flat_decision,
    a_ledger,
    a_life,
    a_position,
    a_stop,
    an_equity,
    an_inbox,
    an_instrument,
    an_order,
    d,
    ids,
    report_of,
    table,
    the_usual_orders,
)

WEIGHTS = {
    Topic.POSITION: 5,
    Topic.OPEN_ORDERS: 1,
    Topic.OPEN_ALGO_ORDERS: 1,
    Topic.BOOK_TICKER: 2,
    Topic.MARK_PRICE: 1,
    Topic.FILLS: 5,
    Topic.ORDER: 1,
    Topic.INSTRUMENT: 1,
    Topic.BRACKETS: 1,
    Topic.ACCOUNT: 5,
    Topic.SYMBOL_CONFIG: 5,
    Topic.ACCOUNT_MODE: 5,
    Topic.COMMISSION: 20,
    Topic.INCOME: 30,
    Topic.ORDER_HISTORY: 5,
    Topic.ALGO_HISTORY: 5,
}
"""Request weights of the reference (binance-usdm.md section 5); candles weigh by their number."""


FUNDING_MS = 8 * 60 * MINUTE_MS


def weight_of(question: Question) -> int:
    if question.topic is not Topic.CANDLES:
        return WEIGHTS[question.topic]
    asked = question.limit or 500
    return 1 if asked < 100 else 2 if asked < 500 else 5


@dataclass
class Oracle:
    """Answers every question as told, and keeps what was asked."""

    values: dict[Topic, Any]
    failing: set[Topic] = field(default_factory=set)
    rounds: list[tuple[Question, ...]] = field(default_factory=list)
    now_ms: int = NOW

    def ask(self, questions: Sequence[Question], patience_ms: int) -> tuple[Answer, ...]:
        self.rounds.append(tuple(questions))
        return tuple(self._answer(q) for q in questions)

    def _answer(self, question: Question) -> Answer:
        topic = question.topic
        if topic in self.failing:
            return Answer(question, self.now_ms, failure=Failure(topic, "unknown", 0, "timeout"))
        value = self.values.get(topic)
        if topic is Topic.CANDLES:
            minute = (self.now_ms - NOW) // MINUTE_MS
            count = question.limit or 1
            value = tuple(a_candle(90_760, minute - n) for n in reversed(range(count)))
        return Answer(question, self.now_ms, value=value)

    @property
    def topics(self) -> list[list[Topic]]:
        return [[q.topic for q in asked] for asked in self.rounds]


def an_oracle(ledger: Ledger) -> Oracle:
    resting = [report_of(o) for o in ledger.orders if o.status.is_resting]
    values: dict[Topic, Any] = {
        Topic.POSITION: a_position(ledger.position_quantity),
        Topic.OPEN_ORDERS: tuple(r for r in resting if r.book is Book.REGULAR),
        Topic.OPEN_ALGO_ORDERS: tuple(r for r in resting if r.book is Book.ALGO),
        Topic.BOOK_TICKER: Quote(d(90_760), d(90_760)),
        Topic.MARK_PRICE: MarkQuote(d(90_760), d(90_760), d(0), NOW + FUNDING_MS),
        Topic.FILLS: ledger.fills,
        Topic.INSTRUMENT: an_instrument(),
        Topic.BRACKETS: BRACKETS,
        Topic.ACCOUNT: AccountReport(d(1000), d(0), d(1000)),
        Topic.SYMBOL_CONFIG: SymbolConfig(3, is_isolated=True),
        Topic.ACCOUNT_MODE: AccountMode(is_hedge=False, is_multi_assets=False),
        Topic.COMMISSION: Rates(d(0), d(0)),
        Topic.INCOME: (),
        Topic.ORDER_HISTORY: (),
        Topic.ALGO_HISTORY: (),
        Topic.ORDER: NotFound("x"),
    }
    return Oracle(values)


def looked(oracle: Oracle, ledger: Ledger, how: Attention = Attention.WATCHFUL) -> Observation:
    return Observer(oracle, patience_ms=2_000).observe(ledger, NOW, how)


OPEN = a_ledger(a_life(), the_usual_orders())
FLAT = a_ledger()


def per_minute(ledger: Ledger, how: Attention, tick_ms: int = 1_000) -> int:
    """Return the weight of one steady minute, and the slow questions' share of an hour."""
    oracle = an_oracle(ledger)
    observer = Observer(oracle, patience_ms=2_000)
    observer.observe(ledger, NOW, how)
    oracle.rounds.clear()
    for elapsed_ms in range(tick_ms, 60 * MINUTE_MS + 1, tick_ms):
        oracle.now_ms = NOW + elapsed_ms
        observer.observe(ledger, oracle.now_ms, how)
    return sum(weight_of(q) for asked in oracle.rounds for q in asked) // 60


def test_a_position_is_watched_for_at_most_660_a_minute() -> None:
    """RULES H4: a quarter of the weight of the whole address, at one tick a second."""
    assert per_minute(OPEN, Attention.WATCHFUL) <= 660


def test_a_flat_keeper_without_a_decision_asks_little() -> None:
    """RULES H4: at most 120 a minute."""
    assert per_minute(FLAT, Attention.IDLE) <= 120


def test_the_steady_state_is_one_round_trip() -> None:
    """RULES C3: everything goes out together."""
    oracle = an_oracle(OPEN)

    look = looked(oracle, OPEN)

    assert len(oracle.rounds) == 1
    assert look.is_second is False
    assert look.failures == ()
    assert look.open_reports is not None
    assert len(look.open_reports) == 4


def test_what_moved_is_asked_again_after_the_first_answers() -> None:
    """RULES C3: position, trades and the fate of each vanished order, in a second round."""
    gone = [o for o in OPEN.orders if o.role is not TP1]
    oracle = an_oracle(replace(OPEN, orders=tuple(gone)))

    look = looked(oracle, OPEN)

    assert oracle.topics[1:] == [[Topic.POSITION, Topic.FILLS, Topic.ORDER]]
    assert look.is_second is True
    assert [fact.value for fact in look.lookups] == [NotFound("x")]
    assert look.fills is not None


def test_the_second_position_is_the_one_that_counts() -> None:
    """RULES C3: read after the lists came back."""
    oracle = an_oracle(OPEN)
    answers = iter([a_position("0.007"), a_position("0.006")])

    class Later(Oracle):
        def _answer(self, question: Question) -> Answer:
            if question.topic is Topic.POSITION:
                return Answer(question, self.now_ms, value=next(answers))
            return super()._answer(question)

    look = looked(Later(oracle.values), OPEN)

    assert look.position is not None
    assert look.position.value.quantity == d("0.006")


def test_a_first_answer_does_not_outlive_a_failed_second() -> None:
    """RULES C3: the first picture is known to be no longer true."""
    gone = [o for o in OPEN.orders if o.role is not TP1]
    values = an_oracle(replace(OPEN, orders=tuple(gone))).values

    class Failing(Oracle):
        def _answer(self, question: Question) -> Answer:
            if len(self.rounds) == 2:
                self.failing = {Topic.POSITION}
            return super()._answer(question)

    look = looked(Failing(values), OPEN)

    assert look.position is None
    assert [f.topic for f in look.failures] == [Topic.POSITION]


def test_a_failed_question_is_not_answered_from_memory() -> None:
    """None means not known: yesterday's list is no list."""
    oracle = an_oracle(OPEN)
    observer = Observer(oracle, patience_ms=2_000)
    observer.observe(OPEN, NOW, Attention.WATCHFUL)
    oracle.failing = {Topic.OPEN_ALGO_ORDERS}

    look = observer.observe(OPEN, NOW + 1_000, Attention.WATCHFUL)

    assert look.algo_orders is None
    assert look.open_reports is None


def test_slow_answers_are_remembered_with_their_age() -> None:
    """DESIGN section 2: each fact names its age."""
    oracle = an_oracle(OPEN)
    observer = Observer(oracle, patience_ms=2_000)
    observer.observe(OPEN, NOW, Attention.WATCHFUL)
    oracle.now_ms = NOW + 1_000

    look = observer.observe(OPEN, NOW + 1_000, Attention.WATCHFUL)

    assert look.instrument is not None
    assert look.position is not None
    assert (look.instrument.at_ms, look.position.at_ms) == (NOW, NOW + 1_000)
    assert Topic.INSTRUMENT not in oracle.topics[1]


def test_trades_are_never_remembered() -> None:
    """Fills count once, but a list from before is not this look's."""
    gone = [o for o in OPEN.orders if o.role is not TP1]
    oracle = an_oracle(replace(OPEN, orders=tuple(gone)))
    observer = Observer(oracle, patience_ms=2_000)
    observer.observe(OPEN, NOW, Attention.WATCHFUL)
    settled = replace(OPEN, orders=tuple(gone))

    assert observer.observe(settled, NOW + 1_000, Attention.WATCHFUL).fills is None


def test_what_we_set_is_read_back() -> None:
    """RULES E4: forget, then ask anew."""
    oracle = an_oracle(FLAT)
    observer = Observer(oracle, patience_ms=2_000)
    observer.observe(FLAT, NOW, Attention.WATCHFUL)
    observer.forget(Topic.SYMBOL_CONFIG, Topic.ORDER)

    observer.observe(FLAT, NOW + 1_000, Attention.WATCHFUL)

    assert Topic.SYMBOL_CONFIG in oracle.topics[1]


FAILED = table("""
topic          held     again at 1 s, 4 s, 5 s  why
brackets       nothing  no no yes               not missing for an hour (lesson 30)
instrument     nothing  no no yes               the same
instrument     short    yes yes yes             what is found needs filters for its stop (G1)
instrument     unread   yes yes yes             something may be held
order_history  nothing  no no yes               nothing enters before (D2)
order_history  short    yes yes yes             it knows the level, if what is found is ours (B2)
position       nothing  yes yes yes             a flat keeper asks rarely, but is not blind (G1)
""")


@pytest.mark.parametrize("row", FAILED, ids=ids(FAILED))
def test_a_question_that_failed_is_asked_again_soon(row: list[str]) -> None:
    """A slow answer is asked for once an hour, but not where there is none."""
    topic, held, again, _ = Topic(row[0]), row[1], row[2], row[3]
    unread = replace(FLAT, history_read_ms=None)
    oracle = an_oracle(unread)
    oracle.failing = {topic, Topic.POSITION} if held == "unread" else {topic}
    if held == "short":
        oracle.values[Topic.POSITION] = a_position("0.002", SHORT)
    observer = Observer(oracle, patience_ms=2_000)
    observer.observe(unread, NOW, Attention.IDLE)
    asked = []
    for elapsed_ms in (1_000, 4_000, 5_000):
        looked = len(oracle.topics)
        observer.observe(unread, NOW + elapsed_ms, Attention.IDLE)
        asked.append("yes" if any(topic in look for look in oracle.topics[looked:]) else "no")

    assert " ".join(asked) == again


def test_candles_are_asked_for_what_is_missing() -> None:
    """Weight: a whole page once, then the open candle and the one before."""
    oracle = an_oracle(OPEN)
    observer = Observer(oracle, patience_ms=2_000)
    limits, sizes = [], []
    for elapsed_ms in (0, 1_000, 5 * MINUTE_MS, 300 * MINUTE_MS):
        oracle.now_ms = NOW + elapsed_ms
        look = observer.observe(OPEN, oracle.now_ms, Attention.WATCHFUL)
        limits += [q.limit for q in oracle.rounds[-1] if q.topic is Topic.CANDLES]
        sizes.append(0 if look.candles is None else len(look.candles.value))

    assert limits == [CANDLES_MAX, 2, 6, CANDLES_MAX]
    assert sizes == [CANDLES_MAX] * 4


def test_candles_join_without_a_hole() -> None:
    """RULES F8: what lies before a hole must not look continuous."""
    oracle = an_oracle(OPEN)
    observer = Observer(oracle, patience_ms=2_000)
    observer.observe(OPEN, NOW, Attention.WATCHFUL)
    oracle.now_ms = NOW + 2 * MINUTE_MS

    look = observer.observe(OPEN, oracle.now_ms, Attention.WATCHFUL)

    assert look.candles is not None
    opens = [c.open_ms for c in look.candles.value]
    assert opens == sorted(set(opens))
    assert {b - a for a, b in pairwise(opens)} == {MINUTE_MS}


def test_history_is_asked_until_it_was_read() -> None:
    """RULES D2: both histories, again every few seconds, then never more."""
    unread = a_ledger(history_read_ms=None)
    oracle = an_oracle(unread)
    observer = Observer(oracle, patience_ms=2_000)

    first = observer.observe(unread, NOW, Attention.WATCHFUL)
    soon = observer.observe(unread, NOW + 1_000, Attention.WATCHFUL)
    observer.observe(FLAT, NOW + 9_000, Attention.WATCHFUL)

    assert first.history is not None
    assert soon.history is None
    assert [Topic.ORDER_HISTORY in t for t in oracle.topics] == [True, False, False]


def test_half_a_history_is_none() -> None:
    """RULES G3: both books, or nothing is concluded."""
    unread = a_ledger(history_read_ms=None)
    oracle = an_oracle(unread)
    oracle.failing = {Topic.ALGO_HISTORY}

    assert looked(oracle, unread).history is None


def test_income_is_read_once_after_the_close() -> None:
    """Contracts: the trade's funding."""
    life = a_life("0", opened_ms=NOW - 90_000, closed_ms=NOW - 500)
    ledger = a_ledger(life, fills=())
    oracle = an_oracle(ledger)
    observer = Observer(oracle, patience_ms=2_000)
    for elapsed_ms in (0, 1_000, 6_000):
        oracle.now_ms = NOW + elapsed_ms
        observer.observe(ledger, oracle.now_ms, Attention.WATCHFUL)

    assert [Topic.INCOME in t for t in oracle.topics] == [True, False, False]


@pytest.mark.parametrize("ledger", [OPEN, FLAT], ids=["open", "flat"])
@pytest.mark.parametrize("how", list(Attention))
def test_a_drawdown_in_question_is_asked_again_within_five_seconds(
    ledger: Ledger, how: Attention
) -> None:
    """RULES H2, C6: balance and the flows in it, together, until two figures in a row tell."""
    doubted = replace(ledger, equity=replace(an_equity(970), is_in_question=True))
    oracle = an_oracle(doubted)
    observer = Observer(oracle, patience_ms=2_000)
    for elapsed_ms in range(0, 11_000, 1_000):
        oracle.now_ms = NOW + elapsed_ms
        observer.observe(doubted, oracle.now_ms, how)

    asked = [{Topic.ACCOUNT, Topic.INCOME} & set(topics) for topics in oracle.topics]
    both = {Topic.ACCOUNT, Topic.INCOME}
    assert [found == both for found in asked if found] == [True, True, True]


def test_the_balance_is_read_once_more_after_a_position_closed() -> None:
    """RULES H2: stopped out with -3 %, an entry 15 s later was judged by the balance of before."""
    past = PastLife(1, "7f3aq2", "t", NOW - 60_000, NOW - 2_000, None, None)
    before = replace(an_equity(1000), known_ms=NOW - 10_000)
    ended = replace(FLAT, past=(past,), equity=before)
    read = replace(ended, equity=replace(an_equity(970), known_ms=NOW + 5_000))
    oracle = an_oracle(ended)
    observer = Observer(oracle, patience_ms=2_000)
    for elapsed_ms in range(0, 21_000, 1_000):
        oracle.now_ms = NOW + elapsed_ms
        observer.observe(ended if elapsed_ms < 6_000 else read, oracle.now_ms, Attention.WATCHFUL)

    asked = [n for n, topics in enumerate(oracle.topics) if Topic.ACCOUNT in topics]
    assert asked == [0, 5]


ATTENTIONS = table("""
kind       attention  why
nothing    idle       flat, clean, no decision
flat       idle       a flat decision asks for nothing
fresh      watchful   a decision that may enter
stale      idle       one that may not any more
used       idle       one that was used
life       watchful   a life
position   watchful   a position of anybody
history    watchful   nobody knows yet what is there
orders     watchful   an order of ours somewhere
command    watchful   an operator waits
pushed     watchful   the account moved by somebody else's hand
""")


@pytest.mark.parametrize("row", ATTENTIONS, ids=ids(ATTENTIONS))
def test_how_closely_the_keeper_looks(row: list[str]) -> None:
    """DESIGN section 2: closely when something is at stake or may be entered."""
    kind = row[0]
    past = PastLife(1, "7f3aq2", "t", 1, 2, None, None)
    ledgers = {
        "used": a_ledger(past=(past,)),
        "life": a_ledger(a_life("0")),
        "position": a_ledger(position_quantity=d(1)),
        "history": a_ledger(history_read_ms=None),
        "orders": a_ledger(orders=(a_stop(),)),
    }
    decisions = {
        "flat": a_flat_decision(),
        "fresh": a_decision(),
        "stale": a_decision(made_ms=NOW - 600_001),
        "used": a_decision(),
    }
    commands = (OperatorCommand(1, Command.HALT, "ann", "", NOW),) if kind == "command" else ()

    found = attention(
        ledgers.get(kind, FLAT),
        an_inbox(decisions.get(kind)),
        Condition(commands=commands),
        Limits(),
        NOW,
        ("interval", "stream:ACCOUNT_UPDATE") if kind == "pushed" else ("interval",),
    )

    assert found is Attention(row[1])


def test_a_probe_is_nothing_at_stake() -> None:
    """RULES E9: a probe far away, cancelled at once."""
    assert not is_at_stake(a_ledger(orders=(an_order(OrderRole.PROBE, trigger=88_000),)))
    assert is_at_stake(a_ledger(orders=(an_order(ENTRY, price=1), an_order(PRIMARY, trigger=1))))


def test_income_is_read_again_once_after_funding_was_charged() -> None:
    """RULES F5, H4: once, though the exchange goes on naming the time just past."""
    oracle = an_oracle(OPEN)
    oracle.values[Topic.MARK_PRICE] = MarkQuote(d(90_760), d(90_760), d(0), NOW + 10_000)
    observer = Observer(oracle, patience_ms=2_000)
    for elapsed_ms in range(0, 10 * MINUTE_MS, 1_000):
        oracle.now_ms = NOW + elapsed_ms
        observer.observe(OPEN, oracle.now_ms, Attention.WATCHFUL)

    asked = [n for n, topics in enumerate(oracle.topics) if Topic.INCOME in topics]
    assert asked[0] == 0
    assert len(asked) == 2
