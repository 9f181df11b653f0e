"""A planted bug is caught by the checker that is there for it, within a few seeds.

Each sabotage substitutes a rule of the planner, and takes away the gateway's checks where these
would stop it: what remains is a keeper that breaks one promise. A checker nobody ever saw complain
proves nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from random import Random  # noqa: TID251 - only the type: a profile is handed its chance
from typing import Any

import pytest

import engine.exchange.gateway as gateway_module
import engine.plan.planner as planner_module
from engine.domain.action import CancelOrder, Outcome, PlaceOrder, Proof
from engine.domain.identity import ClientOrderId, OrderRole
from engine.domain.order import OrderStatus, OrderTerms
from engine.domain.situation import Situation
from engine.domain.terms import ActionClass, Book, Fate, OrderType
from engine.exchange.gateway import Gateway
from engine.plan.proposal import NOTHING, Proposal
from engine.simulation.draw import PROFILES, Drawn, Profile, draw
from engine.simulation.play import Fault, Happening
from engine.simulation.trial import run_trial
from engine.simulation.verdict import CHECKERS

SEEDS = 12
"""So many worlds at most until a planted bug is caught."""

Rule = Callable[[Situation], Proposal]


def lost_entries(chance: Random, length_ms: int) -> list[tuple[int, Happening]]:
    """Every other answer to an entry gets lost after it was executed."""
    match = {"verb": "POST", "role": "entry"}
    fault = {"kind": "reply_lost_after", "match": match, "times": 20, "probability": 0.5}
    return [(0, Fault(fault))]


LOST_ENTRIES = Profile("lost_entries", lost_entries)


def worlds(profile: Profile, count: int) -> Iterator[Drawn]:
    """Yield the first few worlds of a profile, with nothing that spaces lives out."""
    for seed in range(1, count + 1):
        drawn = draw(seed, profile)
        yield replace(drawn, limits=replace(drawn.limits, trades_per_day_max=20, cooldown_ms=0))


def caught_at(profile: Profile, *checkers: str, count: int = SEEDS) -> int | None:
    """Return the first seed at which one of these checkers complained, None when none did."""
    for drawn in worlds(profile, count):
        if any(v.checker in checkers for v in run_trial(drawn).violations):
            return drawn.seed
    return None


# -- the planted bugs ----------------------------------------------------------------------------


@dataclass
class WidenOnce:
    """Places one stop of the bridge role a percent wider than the level in force."""

    done: bool = False

    def __call__(self, situation: Situation) -> Proposal:
        life = situation.ledger.life
        if self.done or life is None or not life.is_open or situation.instrument is None:
            return NOTHING
        self.done = True
        level = situation.instrument.price_toward_more_risk(
            life.side, life.level_in_force * (100 - life.side.sign) / 100
        )
        terms = OrderTerms(
            client_id=situation.next_id(OrderRole.STOP_BRIDGE),
            side=life.side.closing,
            type=OrderType.STOP_MARKET,
            quantity=life.quantity,
            trigger_price=level,
            reduce_only=True,
        )
        place = PlaceOrder(terms, ActionClass.PROTECT, "widen", "sabotage")
        return Proposal(actions=(place,))


def cancels_first(situation: Situation) -> Proposal:
    """Cancel the primary as soon as a tighter one was asked for, not once it was seen resting."""
    life = situation.ledger.life
    if life is None or not life.is_open:
        return NOTHING
    primaries = situation.ledger.of_life(OrderRole.STOP_PRIMARY)
    if not any(o.status is OrderStatus.INTENDED for o in primaries):
        return NOTHING
    return Proposal(actions=tuple(_cancel(o.id) for o in primaries if o.status.is_resting))


def drops_its_stops(situation: Situation) -> Proposal:
    """Cancel every stop once TP1 rests: 'the target is all we need'."""
    ledger = situation.ledger
    if ledger.life is None or not any(o.status.is_resting for o in ledger.of_life(OrderRole.TP1)):
        return NOTHING
    stops = ledger.of_life(OrderRole.STOP_PRIMARY, OrderRole.STOP_FLOOR)
    return Proposal(actions=tuple(_cancel(o.id) for o in stops if o.status.is_resting))


def sends_again(gateway: Gateway, *arguments: Any) -> tuple[Outcome, ...]:
    """Send an entry of unknown fate again at once under a new id: "it cannot have arrived"."""
    outcomes = list(PERFORM(gateway, *arguments))
    for index, outcome in enumerate(outcomes):
        action = outcome.action
        is_entry = isinstance(action, PlaceOrder) and action.terms.role is OrderRole.ENTRY
        if isinstance(action, PlaceOrder) and is_entry and outcome.fate is Fate.UNKNOWN:
            old = action.terms.client_id
            terms = replace(action.terms, client_id=old._replace(revision=old.revision + 1))
            again = replace(action, terms=terms)
            outcomes[index] = PERFORM(gateway, [again], *arguments[1:])[0]
    return tuple(outcomes)


PERFORM = Gateway.perform


def _cancel(client_id: ClientOrderId) -> CancelOrder:
    return CancelOrder(
        client_id=client_id,
        book=Book.ALGO,
        action_class=ActionClass.PROTECT,
        rule="sabotage",
        reason="sabotage",
        proof=Proof.TIGHTER_RESTS,
    )


# -- what the checkers say -----------------------------------------------------------------------


def plant(monkeypatch: pytest.MonkeyPatch, rule: Rule, *, blind: bool) -> None:
    """Put a rule behind the planner's own, and, if wanted, the gateway to sleep."""
    monkeypatch.setattr(planner_module, "RULES", (*planner_module.RULES, rule))
    if blind:
        monkeypatch.setattr(gateway_module, "CHECKS", ())
        monkeypatch.setattr(gateway_module, "refuse_cancel", lambda *_: None)


BUGS = pytest.mark.parametrize(
    ("rule", "checker"),
    [
        (WidenOnce(), "never_widened"),
        (cancels_first, "never_widened"),
        (drops_its_stops, "covered"),
    ],
    ids=["widens_once", "cancels_first", "drops_its_stops"],
)


@pytest.mark.slow
@BUGS
def test_a_planted_bug_is_caught_by_its_checker_within_twelve_seeds(
    rule: Rule, checker: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One promise broken, one checker that says so."""
    plant(monkeypatch, rule, blind=True)

    assert caught_at(PROFILES["calm"], checker) is not None


@pytest.mark.slow
@BUGS
def test_the_gateway_alone_stops_the_same_bug(
    rule: Rule, checker: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A planner gone wrong reaches nothing: every request is judged once more at the one door."""
    plant(monkeypatch, rule, blind=False)

    assert caught_at(PROFILES["calm"], checker, count=3) is None


@pytest.mark.slow
def test_an_entry_sent_twice_is_caught_within_twelve_seeds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The oldest bug of all: a timeout taken for a refusal."""
    monkeypatch.setattr(Gateway, "perform", sends_again)
    monkeypatch.setattr(gateway_module, "CHECKS", ())

    assert caught_at(LOST_ENTRIES, "executed_once") is not None


@pytest.mark.slow
def test_an_honest_keeper_is_not_accused_when_answers_to_its_entries_get_lost() -> None:
    """The worlds in which the entry sent twice was caught, without the bug."""
    assert caught_at(LOST_ENTRIES, *CHECKERS, count=4) is None
