"""Operator commands: what each does, when it is finished, and what is written about it.

DESIGN section 7: a halt stands until somebody resumes; `resume` refuses while the reason stands
unless forced. Everything is audited: who, when, why (RULES B5).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from engine.commands import NOT_OURS, REFUSED, Commands, causes_of
from engine.domain.action import Halt, Plan
from engine.domain.condition import Command, Condition, HaltReason
from engine.domain.ledger import Ledger
from engine.domain.position import HedgedSide, Origin
from engine.domain.situation import Situation
from engine.domain.terms import Side
from engine.store.reading import ReadStore
from engine.store.store import Store
from engine.tick import TickReport
from tests.builders import NOW, a_ledger, a_life, a_situation, d, ids, table

BY, WHY = "ann@desk", "maintenance"


@pytest.fixture
def store() -> Iterator[Store]:
    store = Store.open("sqlite://", account="spec", symbol="BTCUSDT")
    yield store
    store.close()


def ask(store: Store, command: Command) -> int:
    return store.add_command(command, by=BY, why=WHY, at_ms=NOW)


def a_report(situation: Situation, actions: tuple[Halt, ...] = ()) -> TickReport:
    ledger = situation.ledger
    return TickReport(NOW + 5, (), situation, (), Plan(ledger, actions), (), ledger)


def asked(store: Store, commands: Commands, ledger: Ledger) -> TickReport:
    """Return a tick that saw what is asked and ended with this ledger."""
    condition = Condition(commands=commands.obey(NOW + 1))
    situation = replace(a_situation(condition=condition), ledger=ledger)
    return a_report(situation)


def result(store: Store, number: int) -> str | None:
    return ReadStore.beside(store.desk).command_result(number)


def words(store: Store) -> list[str]:
    events = ReadStore.beside(store.desk).events(kinds=("operator", "rule"))
    return [str(event["text"]) for event in events]


def test_a_halt_takes_effect_in_the_tick_that_reads_it_and_says_who_and_why(store: Store) -> None:
    number = ask(store, Command.HALT)

    left = Commands(store).obey(NOW + 1)

    assert left == ()
    assert store.halts() == (HaltReason("operator", WHY, NOW + 1),)
    assert result(store, number) == "halted"
    assert words(store)[0] == f"halt by {BY}: {WHY}"


def test_a_halt_by_hand_is_lifted_at_once_even_by_a_process_that_has_seen_nothing(
    store: Store,
) -> None:
    """Nothing but the operator's mind stood behind it."""
    store.add_halt(HaltReason("operator", WHY, NOW))
    number = ask(store, Command.RESUME)

    Commands(store).obey(NOW + 1)

    assert store.halts() == ()
    assert result(store, number) == "1 halts lifted"
    assert f"resumed by {BY}" in words(store)


RESUMES = table("""
seen           command        lifted  why
clock_unknown  resume         no      the reason was seen in the last tick
none           resume         yes     the reason has gone
breaker_open   resume         yes     something else is wrong now
clock_unknown  resume_forced  yes     the operator insists
asked          resume         no      the plan asked for the halt again
nothing        resume         wait    no tick has looked yet: it waits for one
nothing        resume_forced  yes     force needs no look
""")


@pytest.mark.parametrize("row", RESUMES, ids=ids(RESUMES))
def test_resume_is_refused_while_the_reason_stands(store: Store, row: list[str]) -> None:
    seen, command, lifted, _ = row
    code = "clock_unknown"
    halt = HaltReason(code, "never measured", NOW)
    store.add_halt(halt)
    commands = Commands(store)
    conditions = {
        "clock_unknown": Condition(clock_error_ms=None, halts=(halt,)),
        "breaker_open": Condition(is_breaker_open=True, halts=(halt,)),
    }
    if seen != "nothing":
        actions = (Halt(code, "again", "ladder"),) if seen == "asked" else ()
        condition = conditions.get(seen, Condition(halts=(halt,)))
        commands.settle(a_report(a_situation(condition=condition), actions=actions))
    number = ask(store, Command(command))

    commands.obey(NOW + 1)

    answer = result(store, number)
    assert (store.halts() == ()) is (lifted == "yes")
    if lifted == "no":
        assert answer == f"{REFUSED}the reason stands: {code} (never measured)"
    else:
        assert (answer is None) is (lifted == "wait")


def test_a_standing_halt_is_not_its_own_reason() -> None:
    """Else no halt could ever be lifted without force."""
    halt = HaltReason("uncovered", "0.004 without a stop", NOW)

    calm = a_report(a_situation(condition=Condition(halts=(halt,))))
    naked = a_report(
        a_situation(
            condition=Condition(halts=(halt,)),
            ledger=a_ledger(life=a_life(uncovered_quantity=d("0.004"))),
        )
    )

    assert "uncovered" not in causes_of(calm)
    assert "uncovered" in causes_of(naked)


def test_flatten_stays_with_the_plan_until_the_look_says_flat(store: Store) -> None:
    commands, number = Commands(store), ask(store, Command.FLATTEN)

    commands.settle(asked(store, commands, a_ledger(life=a_life())))
    meanwhile = result(store, number)
    commands.settle(asked(store, commands, Ledger()))

    assert meanwhile is None
    assert result(store, number) == "flat"
    assert store.pending_commands() == ()


def test_flatten_is_not_finished_by_a_tick_that_could_not_look(store: Store) -> None:
    """An empty ledger beside an exchange out of reach says nothing (RULES C2)."""
    commands, number = Commands(store), ask(store, Command.FLATTEN)
    report = asked(store, commands, Ledger())
    blind = replace(report.situation.observation, position=None)

    commands.settle(replace(report, situation=replace(report.situation, observation=blind)))

    assert result(store, number) is None


def test_flatten_is_not_finished_while_somebodys_position_stands(store: Store) -> None:
    commands, number = Commands(store), ask(store, Command.FLATTEN)

    commands.settle(asked(store, commands, Ledger(position_quantity=d("0.2"))))

    assert result(store, number) is None


def test_flatten_beside_held_sides_of_hedge_mode_says_that_they_are_left_alone(
    store: Store,
) -> None:
    """RULES H3: what is held there cannot be ours."""
    commands, number = Commands(store), ask(store, Command.FLATTEN)
    side = HedgedSide(1, Side.LONG, d("90000"))

    commands.settle(asked(store, commands, Ledger(hedged=(side,))))

    assert result(store, number) == NOT_OURS


ADOPTIONS = table("""
origin    answer   why
orphan    -        the plan has not taken it over yet
imported  kept     it is ours now
decision  kept     it always was
none      refused  there is nothing
""")


@pytest.mark.parametrize("row", ADOPTIONS, ids=ids(ADOPTIONS))
def test_adopt_is_finished_when_the_position_counts_as_ours(store: Store, row: list[str]) -> None:
    """RULES G1: until then the position is only protected."""
    origin, answer, _ = row
    commands, number = Commands(store), ask(store, Command.ADOPT)
    life = None if origin == "none" else a_life(origin=Origin(origin))

    commands.settle(asked(store, commands, a_ledger(life=life)))

    told = result(store, number)
    expected = {
        "-": told is None,
        "kept": str(told).endswith("is kept as our own"),
        "refused": str(told).startswith(REFUSED),
    }
    assert expected[answer], told


def test_who_only_looks_finishes_nothing(store: Store) -> None:
    """`keeper plan` beside a keeper changes nothing."""
    for command in Command:
        ask(store, command)

    waiting = Commands(store).waiting()

    assert [one.command for one in waiting] == list(Command)
    assert len(store.pending_commands()) == len(Command)
    assert store.halts() == ()
