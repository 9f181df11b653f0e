"""The doing: everything a plan asks for goes out in one burst, through the gateway."""

from __future__ import annotations

from collections.abc import Set as AbstractSet

from engine.domain.action import (
    CancelOrder,
    Configure,
    Halt,
    Outcome,
    PlaceOrder,
    Plan,
    Request,
)
from engine.domain.identity import ClientOrderId
from engine.domain.situation import Situation
from engine.domain.terms import Fate
from engine.exchange.gateway import Gateway


def act(
    gateway: Gateway, situation: Situation, plan: Plan, refused: AbstractSet[ClientOrderId]
) -> tuple[Outcome, ...]:
    """Return what became of every action; ``refused`` are intents the store did not accept.

    Every precondition of a plan was observed before it, so its requests do not wait for one
    another: all go out together, protection first.
    """
    requests: list[Request] = []
    outcomes: list[Outcome] = []
    for action in plan.actions:
        if isinstance(action, Halt):
            outcomes.append(Outcome(action, Fate.NOT_SENT, situation.now_ms, text="persisted"))
        elif _id_of(action) in refused:
            text = "the store refused the intent"
            outcomes.append(Outcome(action, Fate.NOT_SENT, situation.now_ms, text=text))
        else:
            requests.append(action)
    if requests:
        outcomes += gateway.perform(requests, situation, plan.ledger)
    return tuple(outcomes)


def _id_of(action: Request) -> ClientOrderId | None:
    match action:
        case PlaceOrder():
            return action.terms.client_id
        case CancelOrder():
            return action.client_id
        case Configure():
            return None
