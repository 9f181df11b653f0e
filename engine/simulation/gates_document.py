"""The gates that what was asked for and what happened before decide (RULES E1, E3, E4, D, G6)."""

from __future__ import annotations

from decimal import Decimal

from engine.domain.numbers import plain
from engine.simulation.account import ANY
from engine.simulation.gate_case import Case
from engine.simulation.lives import Opened

FUTURE_MS = 5_000
STOPPED = ("stop", "emergency", "forced")
"""Ends after which the same terms wait (RULES D2)."""

TOLD_MS = 30_000
"""A close so long after a document said flat or the other side may have been for it (F10)."""


def side(case: Case) -> str | None:
    """E1: the entry is on the side its document names."""
    return None if case.sign == case.given.sign else f"{case.entry.side} for {case.given.action}"


def price_in_zone(case: Case) -> str | None:
    """E1: the limit price lies inside the zone."""
    low, high = case.given.zone_low, case.given.zone_high
    if any(paper.zone_low <= case.price <= paper.zone_high for paper in case.papers):
        return None
    return f"{plain(case.price)} outside {plain(low)}..{plain(high)}"


def stop_and_reward(case: Case) -> str | None:
    """E1: some own stop rests far enough from the price, and near enough for the reward."""
    share = case.limits.stop_distance_min_pct / 100
    if not case.triggers:
        return None  # whether one must rest is another checker's
    risks = [(case.price - t) * case.sign for t in case.triggers]
    reward = (farthest_target(case) - case.price) * case.sign
    far = [risk for risk in risks if risk >= share * case.price]
    if not far:
        return f"stop {plain(min(risks))} away, {plain(share * case.price)} at least"
    if all(reward < case.limits.rr_minimum * risk for risk in far):
        return f"reward {plain(reward)} for risk {plain(min(far))}"
    return None


def farthest_target(case: Case) -> Decimal:
    """Return the target farthest away: what the reward may be measured to at most."""
    return max((paper.tp1 for paper in case.papers), key=lambda tp1: tp1 * case.sign)


def notional(case: Case) -> str | None:
    """E3: at least the least order, at most the cap."""
    low, high = case.scene.instrument.notional_min, case.limits.notional_max
    if low <= case.cost <= high:
        return None
    return f"{plain(case.cost)} outside {plain(low)}..{plain(high)}"


def fresh(case: Case) -> str | None:
    """D2, D5: neither stale nor from the future."""
    age_ms = case.entry.at_ms - case.given.made_ms
    limit_ms = case.limits.decision_stale_ms + case.slack_ms
    if -FUTURE_MS - case.slack_ms <= age_ms <= limit_ms:
        return None
    return f"{age_ms / 1000:g} s old"


def words(case: Case) -> str | None:
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


def not_against(case: Case) -> str | None:
    """D3, D4: no newer document that says otherwise lay there all the time."""
    until_ms = case.entry.at_ms
    before = case.inbox.at(until_ms - case.slack_ms)
    still = case.inbox.at(until_ms)
    for other in before:
        is_newer = case.given.made_ms < other.made_ms <= until_ms
        if other in still and is_newer and other.sign != case.sign:
            return f"a newer document said {other.action}"
    return None


def settings(case: Case) -> str | None:
    """E4: leverage and margin type are what was asked for."""
    leverage, margin = case.account.settings_at(case.entry.n)
    if leverage not in (case.given.leverage, ANY):
        return f"leverage stands at {leverage}, not {case.given.leverage}"
    wanted = "ISOLATED" if case.limits.is_isolated else "CROSSED"
    return None if margin in (wanted, None) else f"margin type is {margin}"


def account_free(case: Case) -> str | None:
    """E4, G6: flat, and nothing of an earlier life rests."""
    if case.picture.position != 0:
        return f"a position of {plain(case.picture.position)} stands"
    old = [
        o.terms.client_id
        for o in case.picture.own()
        if (its := o.own_id) is not None and its.generation < case.generation
    ]
    return f"{old[0]} of an earlier life rests" if old else None


def no_foreign_orders(case: Case) -> str | None:
    """E3: the policy on other people's orders on the symbol."""
    if not case.limits.block_on_foreign_orders:
        return None
    since_ms = case.sent.at_ms - case.slack_ms
    old = [o for o in case.picture.orders if o.own_id is None and o.terms.at_ms < since_ms]
    return f"{old[0].terms.client_id} rests" if old else None


def made_after(case: Case) -> str | None:
    """D2: made after the last position closed, unless it is the opposite that closed it.

    One that opened before is ``executed_once``'s.
    """
    last = _last(case)
    if any(life.decision_hash == case.given.id for life in case.lives):
        return None
    if last is None or last.sign != case.sign or case.given.made_ms > last.closed_ms:
        return None
    return f"made {(last.closed_ms - case.given.made_ms) / 1000:g} s before the last close"


def _last(case: Case) -> Opened | None:
    closed = [life for life in case.lives if life.closed_ms < case.entry.at_ms]
    return max(closed, key=lambda life: life.closed_ms, default=None)


def cooldown(case: Case) -> str | None:
    """D2: after a stop-out the same terms wait."""
    for life in case.lives:
        since_ms = case.entry.at_ms - life.closed_ms
        if not 0 <= since_ms < case.limits.cooldown_ms or life.end not in STOPPED:
            continue
        if life.end == "emergency" and _was_told(case, life):
            continue
        before = case.inbox.named(life.decision_hash, life.opened_ms)
        if before is not None and before.same == case.given.same:
            return f"the same terms were stopped out {since_ms / 1000:g} s ago"
    return None


def _was_told(case: Case, life: Opened) -> bool:
    """Return whether document or operator asked for the close: neither stop-out nor emergency."""
    if any(life.opened_ms - TOLD_MS <= at_ms <= life.closed_ms for at_ms in case.scene.flattened):
        return True
    seen = case.inbox.between(life.closed_ms - TOLD_MS, life.closed_ms)
    return any(paper.sign != life.sign for paper in seen)
