"""Hard errors halt by themselves: entries stop until an operator resumes, protection goes on.

DESIGN section 7. What a later tick can mend by itself is no halt: the gates hold it while it lasts.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from engine.domain.action import Halt
from engine.domain.condition import Command, Condition, HaltReason
from engine.domain.limits import Limits
from engine.domain.observation import Failure, Topic
from engine.domain.position import ExitReason
from engine.domain.situation import Situation
from engine.plan.halts import STANDS_MS, reasons_to_halt
from engine.plan.planner import make_plan
from engine.simulation.draw import START_MS
from engine.simulation.world import World
from engine.store.reading import ReadStore
from engine.tick import TickReport
from engine.venue.api import Venue
from engine.venue.settings import VenueSettings
from tests.builders import (
    EMERGENCY,
    NOW,
    PRIMARY,
    REJECTED,
    a_decision,
    a_filled_entry,
    a_ledger,
    a_life,
    a_situation,
    a_stop,
    an_entry,
    cancelled,
    ids,
    placed,
    table,
)

CODES = table("""
code   halts               why
-1022  key_refused         the signature is not ours
-2014  key_refused         no key of this exchange
-2015  key_refused         key, address or right
-2023  account_restricted  the account is being liquidated
-4087  account_restricted  reduce-only right alone
-4109  account_restricted  inactive
-4192  account_restricted  cooling off
-4400  account_restricted  quantitative rules
-4411  account_restricted  quantitative rules
-1102  request_wrong       a parameter is missing
-1111  request_wrong       too many digits
-4014  request_wrong       off the tick
-4120  request_wrong       the wrong endpoint
-2019  -                   margin: the gate holds it while it lasts
-2021  -                   would trigger: the market's doing
-2022  -                   reduce-only refused: flat, or reserved
-1003  -                   too many requests: the exchange says until when
-1021  -                   the clock: measured again
-4061  -                   position mode: read again, and hedge mode has its own rule
-4116  -                   a duplicate: it exists
-4164  -                   too small: depends on price and size
-4412  -                   beyond the range of the rules
""")


CLOSES = table("""
since_ms  quantity  closed  halts             why
29999     0.013     no      -                 half a minute is not over
30000     0.013     no      close_unfinished  the ladder does not come to its end
30000     0         no      -                 nothing is left: flat waits for its proof
30000     0.013     yes     -                 it is closed
-         0.013     no      -                 nothing is being closed
""")


@pytest.mark.parametrize("row", CLOSES, ids=ids(CLOSES))
def test_a_close_that_does_not_end_halts_entries_and_goes_on(row: list[str]) -> None:
    """RULES F11: ends flat, or halted with an alarm a minute while it goes on trying."""
    since, quantity, closed, code, _ = row
    is_closing = since != "-"
    life = replace(
        a_life(quantity, opened_ms=NOW - 60_000),
        closing=ExitReason.EMERGENCY if is_closing else None,
        closing_ms=NOW - int(since) if is_closing else None,
        closed_ms=NOW - 1_000 if closed == "yes" else None,
    )
    situation = a_situation(life, (a_filled_entry(), a_stop()))

    assert halts_of(situation) == ([] if code == "-" else [code])
    if code != "-":
        assert [t.role for t in placed(make_plan(situation))] == [EMERGENCY]


def refused(code: int, ago_ms: int = 0) -> Situation:
    """Return a situation whose entry was refused with ``code`` a moment ago."""
    entry = replace(
        an_entry(status=REJECTED, code=code), finished_ms=NOW - ago_ms, note="the exchange's words"
    )
    return a_situation(ledger=a_ledger(a_life("0"), (a_stop(), entry)), decision=a_decision())


def halts_of(situation: Situation) -> list[str]:
    return [a.code for a in make_plan(situation).actions if isinstance(a, Halt)]


@pytest.mark.parametrize("row", CODES, ids=ids(CODES))
def test_a_refused_order_halts_by_its_code(row: list[str]) -> None:
    """What no other price, size or moment would change needs a person."""
    wanted = [] if row[1] == "-" else [row[1]]

    assert halts_of(refused(int(row[0]))) == wanted


def test_a_question_that_is_refused_for_the_key_halts() -> None:
    """Without a key nothing can be read either: the first look that says so is enough."""
    failure = Failure(Topic.POSITION, "rejected", -2015, "-2015 Invalid API-key")
    late = Failure(Topic.ACCOUNT, "indeterminate", 0, "no answer before the deadline")
    situation = a_situation(a_life(), failures=(late, failure, failure))

    (halt,) = [a for a in make_plan(situation).actions if isinstance(a, Halt)]

    assert (halt.code, halt.detail) == ("key_refused", "position: -2015 Invalid API-key")


def test_the_halt_says_which_order_and_what_the_exchange_said() -> None:
    """RULES B5: an operator must find the cause in the reason."""
    (reason,) = reasons_to_halt(refused(-4014))

    assert reason == HaltReason("request_wrong", "kp7f3aq2001e001: -4014 the exchange's words", NOW)


@pytest.mark.parametrize(("ago_ms", "stands"), [(STANDS_MS, True), (STANDS_MS + 1, False)])
def test_a_refusal_stands_for_ten_seconds(ago_ms: int, stands: bool) -> None:
    """After that a resume is not refused for it, and only a new refusal halts again."""
    assert bool(reasons_to_halt(refused(-4014, ago_ms))) is stands


def test_an_order_that_ended_in_another_way_halts_nothing() -> None:
    situation = a_situation(ledger=a_ledger(a_life(), (a_stop(code=-4014), a_filled_entry())))

    assert reasons_to_halt(situation) == ()


@pytest.mark.parametrize(
    "condition",
    [
        pytest.param(Condition(halts=(HaltReason("request_wrong", "", 1),)), id="halted for it"),
        pytest.param(Condition(overruled=("request_wrong",)), id="an operator overruled it"),
    ],
)
def test_one_halt_a_code_and_none_against_the_operators_word(condition: Condition) -> None:
    """A forced resume holds until the reason has gone once."""
    assert halts_of(replace(refused(-4014), condition=condition)) == []


def test_the_plan_that_halts_enters_nothing_and_withdraws_what_works() -> None:
    """DESIGN 7: entries stop in the tick that saw it, not in the one after."""
    failure = Failure(Topic.ACCOUNT, "rejected", -2015, "-2015 Invalid API-key")
    ledger = a_ledger(a_life("0"), (a_stop(), an_entry()))

    plan = make_plan(a_situation(ledger=ledger, decision=a_decision(), failures=(failure,)))

    assert [str(i) for i in cancelled(plan)] == ["kp7f3aq2001e001"]
    assert plan.ledger.life is not None
    assert plan.ledger.life.withdrawing == "halted"


def test_protection_goes_on_under_every_halt() -> None:
    """RULES B6: when in doubt no entry, but always protection."""
    failure = Failure(Topic.ACCOUNT, "rejected", -2015, "-2015 Invalid API-key")

    plan = make_plan(a_situation(a_life(), failures=(failure,)))

    assert PRIMARY in [t.role for t in placed(plan)]


# -- the whole keeper -----------------------------------------------------------------------------


class Account:
    """A keeper in a world of its own, beside a venue that may refuse its key."""

    def __init__(self, folder: Path) -> None:
        self.reports: list[TickReport] = []
        self.venue = Venue(VenueSettings(market_streams=()), now_ms=START_MS)
        self.world = World(
            self.venue, folder, Limits(), start_ms=START_MS, listener=self.reports.append
        )

    def refuse_the_key(self) -> None:
        refusal = {"kind": "error", "code": -2015, "status": 401, "match": {"path": "account"}}
        self.venue.inject({**refusal, "times": None})

    def run(self, seconds: int) -> None:
        self.world.run_until(self.world.clock.now_ms + 1_000 * seconds)

    def ask(self, command: Command) -> str | None:
        """Ask for something, let the keeper tick, and return what became of it."""
        store = self.world.store
        number = store.add_command(command, by="ann", why="spec", at_ms=self.world.clock.now_ms)
        self.run(3)
        return ReadStore.beside(store.desk).command_result(number)

    @property
    def halts(self) -> list[str]:
        return [halt.code for halt in self.world.store.halts()]


def test_a_refused_key_halts_until_it_is_accepted_and_somebody_resumes(tmp_path: Path) -> None:
    """Persisted with its reason; `resume` is refused while it stands, and needs no force after."""
    account = Account(tmp_path)
    try:
        account.refuse_the_key()
        account.run(3)
        assert account.halts == ["key_refused"]

        refused = account.ask(Command.RESUME)
        assert refused is not None
        assert refused.startswith("refused: the reason stands: key_refused")
        account.venue.clear_faults()
        account.run(400)  # what is asked rarely is asked again
        assert account.halts == ["key_refused"]

        assert account.ask(Command.RESUME) == "1 halts lifted"
        account.run(5)
        assert account.halts == []
    finally:
        account.world.close()


def test_by_force_it_is_resumed_and_halts_again_only_after_the_reason_had_gone(
    tmp_path: Path,
) -> None:
    """Else the tick after a forced resume would take it back."""
    account = Account(tmp_path)
    try:
        account.refuse_the_key()
        account.run(3)

        assert account.ask(Command.RESUME_FORCED) == "1 halts lifted by force"
        account.run(400)
        assert account.halts == []
        account.venue.clear_faults()
        account.run(400)
        account.refuse_the_key()
        account.run(400)
        assert account.halts == ["key_refused"]
    finally:
        account.world.close()
