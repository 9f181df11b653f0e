"""Judge E1, E3, D1, D2, H2: no entry is sent that a gate forbids, seen from outside.

What can be known without the keeper is held against every entry that was accepted: the document it
names, the price and the stop beside it, the account, the day's trades and losses. Distances of
price, spread and volatility are not: the log carries no book.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from engine.domain.identity import OrderRole
from engine.domain.limits import Limits
from engine.domain.numbers import plain
from engine.simulation.account import ANY, Account
from engine.simulation.checkers import Finding, History, Judgement
from engine.simulation.cover import ZERO, Picture
from engine.simulation.given import Given, Inbox
from engine.simulation.lives import Opened, opened_lives
from engine.simulation.log import Placed

DAY_MS = 86_400_000
MIN_NOTIONAL = Decimal(50)
FUTURE_MS = 5_000
STOPPED = ("stop", "emergency", "forced")
"""Ends after which the same terms wait (RULES D2)."""


@dataclass(frozen=True, slots=True)
class Case:
    """One entry with everything it is judged by; ``is_first`` in its life.

    ``papers`` are the documents whose prices it may have: its own, and of a chase every one of its
    side since the life began, for a newer one may have moved zone and targets (D3).
    """

    entry: Placed
    sign: int
    price: Decimal
    given: Given
    generation: int
    is_first: bool
    picture: Picture
    papers: Sequence[Given]
    lives: Sequence[Opened]
    account: Account
    inbox: Inbox
    limits: Limits
    slack_ms: int


Gate = Callable[[Case], str | None]


def gates(
    history: History, account: Account, inbox: Inbox, limits: Limits, *, slack_ms: int
) -> Judgement:
    """Judge every entry accepted; ``slack_ms`` is how old what the keeper knew may have been."""
    findings: list[Finding] = []
    lives = opened_lives(history)
    begun: dict[int, int] = {}
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
        is_first = own.generation not in begun
        from_ms = begun.setdefault(own.generation, event.at_ms) - slack_ms
        later = [] if is_first else inbox.between(from_ms, event.at_ms)
        papers = [given, *(other for other in later if other.sign == sign)]
        case = Case(
            event, sign, event.price, given, own.generation, is_first, picture, papers,
            lives, account, inbox, limits, slack_ms,
        )  # fmt: skip
        findings += _refused(case)
    return Judgement(
        "gates", checked, tuple(findings), f"{checked} entries, {len(findings)} gates broken"
    )


def _refused(case: Case) -> Iterator[Finding]:
    for gate in GATES if case.is_first else ALWAYS:
        if (why := gate(case)) is not None:
            name = gate.__name__.lstrip("_")
            yield Finding(case.entry.at_ms, f"{case.entry.client_id}, {name}: {why}")


def _side(case: Case) -> str | None:
    return None if case.sign == case.given.sign else f"{case.entry.side} for {case.given.action}"


def _price_in_zone(case: Case) -> str | None:
    low, high = case.given.zone_low, case.given.zone_high
    if any(paper.zone_low <= case.price <= paper.zone_high for paper in case.papers):
        return None
    return f"{plain(case.price)} outside {plain(low)}..{plain(high)}"


def _stop_and_reward(case: Case) -> str | None:
    """E1: some own stop rests far enough from the price, and near enough for the reward."""
    share = case.limits.stop_distance_min_pct / 100
    triggers = [
        o.terms.trigger_price
        for o in case.picture.own(OrderRole.STOP_PRIMARY)
        if o.terms.trigger_price is not None
        and (its := o.own_id) is not None
        and its.generation == case.generation
    ]
    if not triggers:
        return None  # whether one must rest is another checker's
    risks = [(case.price - t) * case.sign for t in triggers]
    reward = (_target(case) - case.price) * case.sign
    far = [risk for risk in risks if risk >= share * case.price]
    if not far:
        return f"stop {plain(min(risks))} away, {plain(share * case.price)} at least"
    if all(reward < case.limits.rr_minimum * risk for risk in far):
        return f"reward {plain(reward)} for risk {plain(min(far))}"
    return None


def _target(case: Case) -> Decimal:
    """Return the target farthest away: what the reward may be measured to at most."""
    return max((paper.tp1 for paper in case.papers), key=lambda tp1: tp1 * case.sign)


def _notional(case: Case) -> str | None:
    cost = (case.entry.quantity or ZERO) * case.price
    if MIN_NOTIONAL <= cost <= case.limits.notional_max:
        return None
    return f"{plain(cost)} outside {MIN_NOTIONAL}..{plain(case.limits.notional_max)}"


def _fresh(case: Case) -> str | None:
    age_ms = case.entry.at_ms - case.given.made_ms
    limit_ms = case.limits.decision_stale_ms + case.slack_ms
    if -FUTURE_MS - case.slack_ms <= age_ms <= limit_ms:
        return None
    return f"{age_ms / 1000:g} s old"


def _words(case: Case) -> str | None:
    """E3: what the document itself says of its risk."""
    given, limits = case.given, case.limits
    if not given.is_checked:
        return "a risk check is false or missing"
    if given.risk_level <= 0:
        return "risk level 0"
    if given.confidence < limits.confidence_min or given.confidence <= 0:
        return f"confidence {plain(given.confidence)}"
    if not 1 <= given.leverage <= limits.leverage_max:
        return f"leverage {given.leverage}"
    return None


def _not_against(case: Case) -> str | None:
    """D3, D4: no newer document that says otherwise lay there all the time."""
    until_ms = case.entry.at_ms
    before = case.inbox.at(until_ms - case.slack_ms)
    still = case.inbox.at(until_ms)
    for other in before:
        is_newer = case.given.made_ms < other.made_ms <= until_ms
        if other in still and is_newer and other.sign != case.sign:
            return f"a newer document said {other.action}"
    return None


def _settings(case: Case) -> str | None:
    leverage, margin = case.account.settings_at(case.entry.n)
    if leverage not in (case.given.leverage, ANY):
        return f"leverage stands at {leverage}, not {case.given.leverage}"
    wanted = "ISOLATED" if case.limits.is_isolated else "CROSSED"
    return None if margin in (wanted, None) else f"margin type is {margin}"


def _account_free(case: Case) -> str | None:
    """E4, G6: flat, and nothing of an earlier life rests."""
    if case.picture.position != 0:
        return f"a position of {plain(case.picture.position)} stands"
    old = [
        o.terms.client_id
        for o in case.picture.own()
        if (its := o.own_id) is not None and its.generation < case.generation
    ]
    return f"{old[0]} of an earlier life rests" if old else None


def _made_after(case: Case) -> str | None:
    """D2: made after the last position closed, unless it is the opposite that closed it.

    One that opened before is ``executed_once``'s.
    """
    last = _last(case)
    if any(life.decision_hash == case.given.id for life in case.lives):
        return None
    if last is None or last.sign != case.sign or case.given.made_ms > last.closed_ms:
        return None
    return f"made {(last.closed_ms - case.given.made_ms) / 1000:g} s before the last close"


def _cooldown(case: Case) -> str | None:
    """D2: after a stop-out the same terms wait."""
    for life in case.lives:
        since_ms = case.entry.at_ms - life.closed_ms
        if not 0 <= since_ms < case.limits.cooldown_ms or life.end not in STOPPED:
            continue
        before = case.inbox.named(life.decision_hash, life.opened_ms)
        if before is not None and before.same == case.given.same:
            return f"the same terms were stopped out {since_ms / 1000:g} s ago"
    return None


def _trades_today(case: Case) -> str | None:
    start_ms = case.entry.at_ms - case.entry.at_ms % DAY_MS
    count = sum(start_ms <= life.opened_ms < case.entry.at_ms for life in case.lives)
    return None if count < case.limits.trades_per_day_max else f"{count} positions today"


def _drawdown(case: Case) -> str | None:
    """H2, while flat: what the wallet lost since the opening, transfers aside."""
    at_ms = case.entry.at_ms - case.slack_ms
    fell = case.account.fell_pct(at_ms, at_ms - at_ms % DAY_MS)
    limit = case.limits.daily_drawdown_limit_pct
    return None if fell > limit else f"{fell:.2f} % down today"


def _last(case: Case) -> Opened | None:
    closed = [life for life in case.lives if life.closed_ms < case.entry.at_ms]
    return max(closed, key=lambda life: life.closed_ms, default=None)


ALWAYS: tuple[Gate, ...] = (_side, _price_in_zone, _stop_and_reward, _notional, _words, _fresh)
"""What holds for a chase too."""

GATES: tuple[Gate, ...] = (
    *ALWAYS,
    _not_against,
    _settings,
    _account_free,
    _made_after,
    _cooldown,
    _trades_today,
    _drawdown,
)
