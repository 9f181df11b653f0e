"""Policy as an ordered list of small rules: reading the list is reading the policy.

Protection speaks first, entries last. Each rule sees the situation as the rules before it leave
it. The planner is pure: the same Situation gives the same Plan, ids included.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from engine.domain.action import Action, GateResult, Hold, Next, Plan
from engine.domain.situation import Situation
from engine.plan.adoption import adopt_orphan
from engine.plan.chase import chase_entry
from engine.plan.entry import arm, arm_again, enter
from engine.plan.excess import close_excess
from engine.plan.exits import keep_runner_target, sweep, take_first_target
from engine.plan.guards import permitted
from engine.plan.halts import halt_on_hard_errors
from engine.plan.hedge import protect_beside, protect_hedged
from engine.plan.ladder import begin_closing, close_position
from engine.plan.proposal import NOTHING, Proposal, after
from engine.plan.protection import place_floor, protect_position, retire_spare_stops
from engine.plan.ratchet import tighten_stop
from engine.plan.refinement import refine
from engine.plan.withdrawal import disarm, withdraw_entry

Rule = Callable[[Situation], Proposal]

RULES: tuple[Rule, ...] = (
    halt_on_hard_errors,
    protect_hedged,
    protect_beside,
    adopt_orphan,
    begin_closing,
    protect_position,
    place_floor,
    withdraw_entry,
    refine,
    chase_entry,
    take_first_target,
    keep_runner_target,
    tighten_stop,
    close_position,
    close_excess,
    retire_spare_stops,
    disarm,
    sweep,
    enter,
    arm_again,
    arm,
)

ON_A_PUSH: tuple[Rule, ...] = (protect_position, place_floor)
"""What may be done on a push alone: place stops. Everything else waits for answers (DESIGN 2)."""


def make_plan(situation: Situation) -> Plan:
    """Return what this tick does, and why it holds back what it does not."""
    actions: list[Action] = []
    holds: list[Hold] = []
    gates: tuple[GateResult, ...] = ()
    nexts: list[Next] = []
    zone: tuple[Decimal, Decimal] | None = None
    for rule in ON_A_PUSH if situation.observation.is_unasked else RULES:
        proposal = rule(situation)
        if proposal is NOTHING:
            continue
        proposal = permitted(situation, proposal)
        situation = after(situation, proposal)
        actions += proposal.actions
        holds += proposal.holds
        nexts += proposal.nexts
        gates = proposal.gates or gates
        zone = proposal.effective_zone or zone
    return Plan(
        ledger=situation.ledger,
        actions=tuple(actions),
        holds=tuple(holds),
        gates=gates,
        effective_zone=zone,
        nexts=tuple(nexts),
    )
