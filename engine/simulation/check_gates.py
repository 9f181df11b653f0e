"""Judge E1, E3, D1, D2, H1, H2: no entry is sent that a gate forbids, seen from outside.

What can be known without the keeper is held against every entry that was accepted: the document it
names, the price and the stop beside it, prices and book, the account, the day's trades and losses.
Not to be seen are gates on the keeper's own condition: clock, picture, lease, halt, store, breaker.
"""

from __future__ import annotations

from collections.abc import Iterator

from engine.domain.identity import OrderRole
from engine.domain.limits import Limits
from engine.simulation import gates_account, gates_document, gates_market
from engine.simulation.account import Account
from engine.simulation.checkers import Finding, History, Judgement
from engine.simulation.gate_case import Case, Gate, Scene
from engine.simulation.given import Inbox
from engine.simulation.lives import opened_lives, withdrawn_lives
from engine.simulation.log import Placed
from engine.simulation.looks import Act, Life, life_of

ALWAYS: tuple[Gate, ...] = (
    gates_document.side,
    gates_document.price_in_zone,
    gates_document.stop_and_reward,
    gates_document.words,
    gates_document.fresh,
    gates_document.notional,
    gates_market.tradable,
    gates_market.spread,
    gates_market.gap_to_stop,
    gates_market.beyond_the_zone,
    gates_market.taken_at_market,
)
"""What holds for a chase too."""

GATES: tuple[Gate, ...] = (
    *ALWAYS,
    gates_document.not_against,
    gates_document.settings,
    gates_document.account_free,
    gates_document.no_foreign_orders,
    gates_document.made_after,
    gates_document.cooldown,
    gates_market.volatility,
    gates_market.near_enough,
    gates_market.waited,
    gates_market.liquidation,
    gates_market.bracket,
    gates_account.margin,
    gates_account.trades_today,
    gates_account.drawdown,
    gates_account.drawdown_of_the_week,
)


def gates(
    history: History,
    account: Account,
    inbox: Inbox,
    limits: Limits,
    *,
    slack_ms: int,
    scene: Scene | None = None,
) -> Judgement:
    """Judge every entry accepted; ``slack_ms`` is how old what the keeper knew may have been.

    Without a ``scene`` prices and looks are not known, and their gates are silent.
    """
    findings: list[Finding] = []
    lives, withdrawn = opened_lives(history), withdrawn_lives(history)
    around = scene or Scene()
    begun: dict[Life, int] = {}
    checked = 0
    for picture in history.pictures():
        event = picture.cause
        if not isinstance(event, Placed) or not event.is_own(OrderRole.ENTRY):
            continue
        own = event.own_id
        if own is None or event.price is None:
            continue
        checked += 1
        given = inbox.named(own.decision_hash, event.at_ms)
        if given is None or given.sign == 0:
            text = f"{event.client_id} names no decision that could open"
            findings.append(Finding(event.at_ms, text))
            continue
        sign = 1 if event.side == "BUY" else -1
        sent = around.looks.sent(event.client_id, Act(event.n, event.at_ms))
        refused = around.looks.turned_away(own, sent)
        life = life_of(own)
        is_first = life not in begun and refused is None
        first_ms = event.at_ms if refused is None else refused.at_ms
        from_ms = begun.setdefault(life, first_ms) - slack_ms
        later = [] if is_first else inbox.between(from_ms, event.at_ms)
        papers = [given, *(other for other in later if other.sign == sign)]
        armed = around.looks.armed(own, sent)
        case = Case(
            event, sign, event.price, given, own.generation, is_first, picture, papers,
            lives, withdrawn, account, inbox, limits, slack_ms, around, sent, armed,
        )  # fmt: skip
        findings += _refused(case)
    return Judgement(
        "gates", checked, tuple(findings), f"{checked} entries, {len(findings)} gates broken"
    )


def _refused(case: Case) -> Iterator[Finding]:
    for gate in GATES if case.is_first else ALWAYS:
        if (why := gate(case)) is not None:
            yield Finding(case.entry.at_ms, f"{case.entry.client_id}, {gate.__name__}: {why}")
