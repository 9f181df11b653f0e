"""After flat every own order goes, one by one, before anything new begins (RULES G6, lesson 5)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.domain.action import CancelOrder, Proof
from engine.domain.ledger import Ledger, PastLife
from engine.domain.limits import Limits
from engine.domain.observation import Fact, Income, NotFound, Observation, Topic
from engine.domain.position import ExitReason, Life
from engine.plan.planner import make_plan
from engine.reconcile.life import INCOME_WAIT_MS
from engine.reconcile.questions import questions
from engine.reconcile.settle import reconcile
from tests.builders import (
    CANCELLED,
    LONG,
    NOW,
    UNKNOWN,
    a_decision,
    a_fill,
    a_filled_entry,
    a_floor,
    a_foreign_stop,
    a_ledger,
    a_life,
    a_position,
    a_situation,
    a_stop,
    a_tp2,
    an_entry,
    cancelled,
    d,
    held,
    ids,
    placed,
    report_of,
    seen,
    table,
)


def a_closed_life(**changes: object) -> Life:
    given = {
        "opened_ms": NOW - 90_000,
        "closed_ms": NOW - 5_000,
        "exit_reason": ExitReason.STOP,
        **changes,
    }
    return a_life("0", **given)  # type: ignore[arg-type]


def told(ledger: Ledger, now: int = NOW, **changes: object) -> Observation:
    """Return a look that also tells income since the close."""
    look = seen(ledger, position=a_position(0), now=now, **changes)
    return replace(look, income=Fact((), now))


def test_everything_that_may_rest_is_cancelled_by_its_own_id() -> None:
    """RULES G6, lessons 5, 36: by own id only, never mass cancel; foreign orders stay."""
    orders = (
        a_filled_entry(),
        a_stop(),
        a_stop(90_500, revision=2, status=UNKNOWN),
        a_tp2(),
        a_floor(status=CANCELLED),
    )
    ledger = a_ledger(a_closed_life(), orders, fills=())
    reports = [report_of(o) for o in orders if o.status.is_resting]
    situation = a_situation(
        ledger=ledger, position=a_position(0), reports=[*reports, a_foreign_stop()]
    )

    plan = make_plan(situation)

    assert cancelled(plan) == [orders[1].id, orders[2].id, orders[3].id]
    proofs = {a.proof for a in plan.actions if isinstance(a, CancelOrder)}
    assert proofs == {Proof.FLAT_PROVEN}


def test_a_leftover_is_cancelled_again_each_second() -> None:
    """RULES G6: an id that can only be found missing is cancelled again."""
    sent = [a_stop(cancel_sent_ms=NOW - ago) for ago in (1_000, 1_001)]

    plans = [make_plan(a_situation(ledger=a_ledger(a_closed_life(), (o,), fills=()))) for o in sent]

    assert [len(cancelled(plan)) for plan in plans] == [0, 1]


def test_nothing_is_swept_without_a_picture() -> None:
    """RULES B6: no cancel of a stop on half a look."""
    situation = a_situation(ledger=a_ledger(a_closed_life(), (a_stop(),), fills=()))
    blind = replace(situation, observation=replace(situation.observation, position=None))

    plan = make_plan(blind)

    assert (plan.actions, held(plan)) == ((), ["picture_missing"])


def test_a_zombie_without_any_life_is_swept_while_flat() -> None:
    """RULES G6: an older generation's stop that shows up."""
    zombie = a_stop()
    flat = a_situation(ledger=a_ledger(orders=(zombie,)))
    beside = a_situation(ledger=a_ledger(orders=(zombie,), position_quantity=d("0.5")))

    assert cancelled(make_plan(flat)) == [zombie.id]
    assert cancelled(make_plan(beside)) == []


def test_nothing_is_swept_while_the_position_stands() -> None:
    """RULES C2: no sweep of stops before flat is proven."""
    doubt = a_life(flat_seen_ms=NOW - 9_000, flat_reads=2)

    plan = make_plan(a_situation(doubt, (a_filled_entry(), a_stop(), a_floor())))

    assert cancelled(plan) == []


def clean_after(ledger: Ledger, *looks: Observation) -> list[tuple[int, bool]]:
    """Return clean reads and whether swept, look by look."""
    found = []
    for look in looks:
        ledger, _ = reconcile(ledger, look, Limits())
        life = ledger.life
        found.append((0, True) if life is None else (life.clean_reads, life.swept_ms is not None))
    return found


def test_a_clean_book_is_believed_on_two_reads_then_the_life_is_past() -> None:
    """RULES F7, G6: both lists empty on two reads, then the next life may begin."""
    ledger = a_ledger(a_closed_life(), (a_filled_entry(),), fills=(a_fill(),))
    looks = [told(ledger, now=NOW + n * 1_000) for n in range(3)]

    assert clean_after(ledger, *looks) == [(1, False), (2, True), (0, True)]

    for look in looks:
        ledger, _ = reconcile(ledger, look, Limits())
    assert ledger.life is None
    assert ledger.past == (
        PastLife(
            generation=1,
            decision_id="7f3aq2",
            terms="terms-of-S",
            opened_ms=NOW - 90_000,
            closed_ms=NOW - 5_000,
            exit_reason=ExitReason.STOP,
            withdrawn=None,
            side=LONG,
        ),
    )
    assert (ledger.orders, ledger.fills, ledger.levels) == ((), (), ())


UNCLEAN = table("""
kind      why
listed    an own order rests
unknown   one of unknown fate
lists     a list was not read
doubtful  one that is not seen and not ended
""")


@pytest.mark.parametrize("row", UNCLEAN, ids=ids(UNCLEAN))
def test_a_book_is_not_clean_while_anything_of_ours_may_rest(row: list[str]) -> None:
    """RULES G6: every own order id that ever rested has a final word."""
    orders = {
        "listed": (a_stop(),),
        "unknown": (a_stop(status=UNKNOWN),),
        "lists": (a_filled_entry(),),
        "doubtful": (a_stop(doubtful_since_ms=NOW - 5_000),),
    }[row[0]]
    ledger = a_ledger(a_closed_life(clean_reads=1), orders, fills=())
    look = told(ledger)
    if row[0] == "lists":
        look = replace(look, orders=None)
    elif row[0] == "doubtful":
        look = replace(look, algo_orders=Fact((), NOW))

    assert clean_after(ledger, look) == [(0, False)]


def test_a_doubtful_order_does_not_hang_the_keeper_for_ever() -> None:
    """RULES G6, lesson 30: a minute of not found frees it, two clean reads later all is over."""
    stop = a_stop(doubtful_since_ms=NOW)
    ledger = a_ledger(a_closed_life(), (stop,), fills=())

    def look(seconds: int) -> Observation:
        now = NOW + seconds * 1_000
        return told(ledger, now=now, reports=(), lookups=[NotFound(str(stop.id))])

    assert clean_after(ledger, look(59), look(60), look(61)) == [
        (0, False),
        (1, False),
        (2, True),
    ]


def test_the_close_waits_a_while_for_its_funding() -> None:
    """Contracts: the trade record has its funding; but not for ever (lesson 30)."""
    ledger = a_ledger(a_closed_life(clean_reads=1), (a_filled_entry(),), fills=())
    untold = replace(told(ledger), income=None)
    late = replace(told(ledger, now=NOW - 5_000 + INCOME_WAIT_MS + 1), income=None)
    older = replace(told(ledger), income=Fact((), NOW - 5_000))

    swept = [clean_after(ledger, look)[0][1] for look in (untold, late, older)]

    assert swept == [False, True, False]


def test_funding_after_the_close_is_not_this_lifes() -> None:
    """Contracts: net_pnl is exact."""
    ledger = a_ledger(a_closed_life(), (a_filled_entry(),), fills=())
    lines = tuple(
        Income("FUNDING_FEE", d(amount), "USDT", "BTCUSDT", at_ms, str(at_ms))
        for amount, at_ms in (("-0.1", NOW - 6_000), ("-7", NOW - 4_000), ("-9", NOW - 91_000))
    )

    reconciled, _ = reconcile(ledger, replace(told(ledger), income=Fact(lines, NOW)), Limits())

    assert reconciled.life is not None
    assert reconciled.life.funding == d("-0.1")


def test_a_withdrawn_life_ends_without_a_trade() -> None:
    """RULES E6: remembered as withdrawn, so that entering again waits."""
    life = a_life("0", withdrawing="price_left", clean_reads=1)
    ledger = a_ledger(life, (an_entry(status=CANCELLED),), fills=())
    for now in (NOW, NOW + 1_000):
        ledger, _ = reconcile(ledger, told(ledger, now=now), Limits())

    (past,) = ledger.past
    assert (past.opened_ms, past.closed_ms, past.withdrawn) == (None, NOW, "price_left")


def test_a_life_that_ends_replaces_what_history_told_of_it() -> None:
    """RULES H2: one generation is one trade."""
    recovered = PastLife(1, "7f3aq2", "", NOW - 90_000, NOW - 90_000, None, None)
    life = a_closed_life(swept_ms=NOW - 1_000)
    ledger = a_ledger(life, fills=(), past=(recovered,))

    ledger, _ = reconcile(ledger, told(ledger), Limits())

    assert [x.exit_reason for x in ledger.past] == [ExitReason.STOP]


def test_nothing_enters_before_the_book_is_clean() -> None:
    """Lesson 5: sweep before any new entry."""
    life = a_closed_life(clean_reads=1)
    decision = a_decision(id="newer1", made_ms=NOW - 1_000)

    for ledger in (a_ledger(life, fills=()), a_ledger(orders=(a_stop(),))):
        assert placed(make_plan(a_situation(ledger=ledger, decision=decision))) == []


def test_a_life_whose_trades_were_not_told_yet_is_not_past() -> None:
    """Lesson 33, RULES C2: orders may be final before a list of trades shows anything of them.

    They are asked for until told; a minute after the close the record is final without them.
    """
    untold = a_ledger(a_closed_life(), (a_filled_entry(),), fills=())
    looks = [told(untold, now=NOW + n * 1_000) for n in range(3)]
    late = [told(untold, now=NOW + INCOME_WAIT_MS + n * 1_000) for n in range(2)]

    assert clean_after(untold, *looks) == [(1, False), (2, False), (3, False)]
    assert Topic.FILLS in {q.topic for q in questions(untold, looks[0])}
    assert clean_after(untold, *late) == [(1, False), (2, True)]
    assert questions(untold, late[0]) == ()
