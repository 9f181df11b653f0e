"""Planted bugs: what each changes in the code, in which worlds it lives, which checker names it.

A sabotage is text: where ``old`` stands exactly once in a module it becomes ``new``, and what is
``added`` is appended. It is applied while the module is imported (``sabotaged``), in a process of
its own; nothing here imports the engine. Where the gateway would stop the bug, the gateway is put
to sleep (``BLIND``): a checker is to be seen at work, not the layer before it.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Change:
    """One change of one module; ``old`` empty: only ``added`` is appended."""

    module: str
    old: str = ""
    new: str = ""
    added: str = ""


@dataclass(frozen=True, slots=True)
class Sabotage:
    """One bug; ``checker`` must complain within the first ``seeds`` seeds of the worlds."""

    name: str
    what: str
    checker: str
    worlds: str
    seeds: int
    changes: tuple[Change, ...]


BLIND = (
    Change("engine.exchange.clearance", added="CHECKS = ()\n"),
    Change("engine.exchange.proofs", added="def refuse_cancel(*_):\n    return None\n"),
)


def rule(body: str) -> Change:
    """Return a change that puts one more rule behind the planner's own: ``planted(situation)``."""
    return Change(
        "engine.plan.planner",
        added=f"{IMPORTS}\n{body}\n\nRULES = (*RULES, planted)\n",
    )


IMPORTS = """
from dataclasses import replace
from engine.domain.action import CancelOrder, PlaceOrder, Proof
from engine.domain.identity import OrderRole
from engine.domain.order import OrderStatus, OrderTerms
from engine.domain.terms import ActionClass, Book, OrderType
from engine.plan.proposal import NOTHING, Proposal

def dropped(order):
    return CancelOrder(
        client_id=order.id, book=Book.ALGO, action_class=ActionClass.PROTECT,
        rule="planted", reason="planted", proof=Proof.TIGHTER_RESTS,
    )
"""


SABOTAGES = (
    Sabotage(
        "widens_once",
        "one stop is sent a percent wider than the level in force",
        "never_widened",
        "calm",
        12,
        (
            *BLIND,
            rule("""
def planted(situation):
    life, ledger = situation.ledger.life, situation.ledger
    if life is None or not life.is_open or ledger.of_life(OrderRole.STOP_BRIDGE):
        return NOTHING
    if life.quantity == 0:
        return NOTHING
    level = situation.instrument.price_toward_more_risk(
        life.side, life.level_in_force * (100 - life.side.sign) / 100
    )
    terms = OrderTerms(
        client_id=situation.next_id(OrderRole.STOP_BRIDGE), side=life.side.closing,
        type=OrderType.STOP_MARKET, quantity=life.quantity, trigger_price=level, reduce_only=True,
    )
    return Proposal(actions=(PlaceOrder(terms, ActionClass.PROTECT, "planted", "planted"),))
"""),
        ),
    ),
    Sabotage(
        "cancels_first",
        "the old stop goes when the tighter one was asked for, not once it was seen resting",
        "never_widened",
        "calm",
        12,
        (
            *BLIND,
            rule("""
def planted(situation):
    life = situation.ledger.life
    if life is None or not life.is_open:
        return NOTHING
    primaries = situation.ledger.of_life(OrderRole.STOP_PRIMARY)
    if not any(o.status is OrderStatus.INTENDED for o in primaries):
        return NOTHING
    return Proposal(actions=tuple(dropped(o) for o in primaries if o.status.is_resting))
"""),
        ),
    ),
    Sabotage(
        "drops_its_stops",
        "every stop is cancelled once the first target rests",
        "covered",
        "calm",
        12,
        (
            *BLIND,
            rule("""
def planted(situation):
    ledger = situation.ledger
    if ledger.life is None or not any(o.status.is_resting for o in ledger.of_life(OrderRole.TP1)):
        return NOTHING
    stops = ledger.of_life(OrderRole.STOP_PRIMARY, OrderRole.STOP_FLOOR)
    return Proposal(actions=tuple(dropped(o) for o in stops if o.status.is_resting))
"""),
        ),
    ),
    Sabotage(
        "forgets_the_intent",
        "entries are not written down, neither before they are sent nor after",
        "trade_record",
        "forgetful",
        12,
        (
            *BLIND,
            Change(
                "engine.store.changes",
                "for entry in orders:",
                'for entry in [one for one in orders if one.value.role.value != "entry"]:',
            ),
        ),
    ),
    Sabotage(
        "resends_on_timeout",
        "an entry of unknown fate is sent again at once under a new id",
        "executed_once",
        "lost_entries",
        12,
        (
            *BLIND,
            Change(
                "engine.exchange.gateway",
                added="""
from dataclasses import replace as _replace

def _sends_again(gateway, requests, *rest, **named):
    outcomes = list(_perform(gateway, requests, *rest, **named))
    for index, outcome in enumerate(outcomes):
        action = outcome.action
        is_entry = isinstance(action, PlaceOrder) and action.terms.role is OrderRole.ENTRY
        if is_entry and outcome.fate is Fate.UNKNOWN:
            old = action.terms.client_id
            terms = _replace(action.terms, client_id=old._replace(revision=old.revision + 1))
            outcomes[index] = _perform(gateway, [_replace(action, terms=terms)], *rest, **named)[0]
    return tuple(outcomes)

_perform = Gateway.perform
Gateway.perform = _sends_again
""",
            ),
        ),
    ),
    Sabotage(
        "enters_while_unknown",
        "an entry whose fate is unknown counts as never sent",
        "exposure",
        "forgetful",
        12,
        (
            *BLIND,
            Change(
                "engine.plan.entry",
                "not all(never_ran(o) for o in entries)",
                "not all(never_ran(o) or o.status is OrderStatus.UNKNOWN for o in entries)",
            ),
            Change(
                "engine.plan.entry",
                'return "picture_unsettled"',
                "pass",
            ),
        ),
    ),
    Sabotage(
        "trusts_not_found",
        "an unanswered entry is given up for dead as soon as it is not found",
        "executed_once",
        "forgetful",
        12,
        (
            *BLIND,
            Change(
                "engine.reconcile.orders",
                "over_ms = listing.at_ms - (order.dead_after_ms + VISIBLE_WITHIN_MS)",
                "over_ms = 1",
            ),
        ),
    ),
    Sabotage(
        "ignores_the_algo_list",
        "stops that vanish from the list of conditional orders are not asked for",
        "covered",
        "meddled",
        12,
        (
            Change(
                "engine.reconcile.orders",
                "listing = observation.orders if order.terms.book is Book.REGULAR else "
                "observation.algo_orders",
                "listing = observation.orders if order.terms.book is Book.REGULAR else None",
            ),
            Change(
                "engine.reconcile.questions",
                "missing.append(order)",
                "missing += [order] if order.terms.book is Book.REGULAR else []",
            ),
        ),
    ),
    Sabotage(
        "sizes_from_local_fills",
        "the position is what our own orders executed, whatever the exchange says",
        "no_leftovers",
        "meddled",
        12,
        (
            Change(
                "engine.reconcile.position",
                "    quantity = max(read.quantity, executed) if is_lagging else read.quantity\n",
                "    own = tuple(f for f in ledger.fills if f.own_id is not None)\n"
                "    quantity = max(sum_of(own) * life.side.sign, ZERO)\n",
            ),
        ),
    ),
    Sabotage(
        "shrinks_at_a_partial_fill",
        "the armed stop is cut to what has filled while the entry still works",
        "protection_first",
        "chased",
        12,
        (
            *BLIND,
            rule("""
def planted(situation):
    life, ledger = situation.ledger.life, situation.ledger
    if life is None or not life.is_open or ledger.entries_are_final or life.quantity == 0:
        return NOTHING
    primaries = [o for o in ledger.of_life(OrderRole.STOP_PRIMARY) if o.may_rest]
    small = [o for o in primaries if o.terms.quantity < life.planned_quantity]
    if small or not primaries:
        return Proposal(actions=tuple(dropped(o) for o in primaries if o not in small))
    terms = replace(
        primaries[-1].terms, client_id=situation.next_id(OrderRole.STOP_PRIMARY),
        quantity=life.quantity,
    )
    return Proposal(actions=(PlaceOrder(terms, ActionClass.PROTECT, "planted", "planted"),))
"""),
        ),
    ),
    Sabotage(
        "disarms_at_once",
        "the armed stop is cancelled in the same plan as its entry",
        "protection_first",
        "calm",
        12,
        (
            *BLIND,
            Change(
                "engine.plan.withdrawal",
                "    if not entry_never_filled(situation):\n",
                "    if life.is_open:\n",
            ),
        ),
    ),
    Sabotage(
        "enters_before_the_stop_rests",
        "the entry does not wait for the armed stop to be seen",
        "protection_first",
        "lost_stops",
        12,
        (
            *BLIND,
            Change(
                "engine.plan.entry",
                "if not is_fallback and (stop is None or stop.terms.trigger_price is None):",
                "if False:",
            ),
            Change("engine.plan.entry", 'return "picture_unsettled"', "pass"),
        ),
    ),
    Sabotage(
        "uses_a_decision_twice",
        "a decision that has opened once may open again",
        "executed_once",
        "one_decision",
        24,
        (
            Change(
                "engine.plan.gates.decision",
                "is_after = entry.decision.made_ms > ends_at_ms",
                "is_after = used or entry.decision.made_ms > ends_at_ms",
            ),
            Change(
                "engine.plan.gates.decision",
                '"decision_unused", not used and is_after, detail="" if not used and is_after '
                "else detail",
                '"decision_unused", is_after, detail="" if is_after else detail',
            ),
            Change(
                "engine.tick",
                "is_used = ledger.has_used(decision.id)",
                "is_used = False",
            ),
        ),
    ),
    Sabotage(
        "skips_the_sweep",
        "what is left after flat stays where it is",
        "no_leftovers",
        "calm",
        12,
        (
            Change(
                "engine.plan.exits",
                "    if life is not None and (life.closed_ms is None or life.swept_ms is not "
                "None):\n",
                "    if True:\n",
            ),
        ),
    ),
    Sabotage(
        "takes_a_refused_step_for_the_stop",
        "-2021 of a trailing step closes the position",
        "gates",
        "refused_steps",
        24,
        (
            Change(
                "engine.plan.ladder",
                "is_cover = last.action_class is ActionClass.PROTECT",
                "is_cover = True",
            ),
            Change(
                "engine.plan.ladder",
                "if is_missing and _cover_would_trigger(situation):",
                "if _cover_would_trigger(situation):",
            ),
        ),
    ),
    Sabotage(
        "swaps_the_sides_of_the_wider_stop",
        "of two stops the lower one is taken, for shorts as for longs",
        "gates",
        "calm",
        12,
        (
            *BLIND,
            Change(
                "engine.plan.entry_zone",
                "return side.wider(given, least)",
                "return min(given, least)",
            ),
        ),
    ),
    Sabotage(
        "rounds_toward_the_entry",
        "the 0.35 % stop is rounded toward the entry",
        "gates",
        "calm",
        24,
        (
            *BLIND,
            Change(
                "engine.plan.entry_zone",
                "least = instrument.price_toward_more_risk(side, price * (ONE - side.sign * "
                "terms.stop_distance))",
                "least = instrument.price_toward_less_risk(side, price * (ONE - side.sign * "
                "terms.stop_distance))",
            ),
        ),
    ),
    Sabotage(
        "believes_a_lagging_flat",
        "one read that shows nothing ends the life",
        "never_widened",
        "lagging",
        12,
        (
            *BLIND,
            Change(
                "engine.reconcile.position",
                "if can_end and (is_told or _is_accounted_for(ledger, life)):",
                "if can_end:",
            ),
        ),
    ),
    Sabotage(
        "forgets_the_floor",
        "the stop that sizes itself is never placed",
        "covered",
        "meddled",
        24,
        (
            Change(
                "engine.plan.protection",
                "    if life is None or not life.is_open or life.quantity == 0 or "
                "_is_being_closed(situation, life):\n"
                "        return NOTHING\n    if life.origin is Origin.ORPHAN and",
                "    if True:\n        return NOTHING\n    if life.origin is Origin.ORPHAN and",
            ),
        ),
    ),
    Sabotage(
        "does_not_restore",
        "a stop that somebody removed is not placed again",
        "covered",
        "meddled",
        12,
        (
            Change(
                "engine.plan.protection",
                "    if reached >= situation.quantity_to_cover or _has_made_way(situation, "
                "life):\n",
                "    if True:\n",
            ),
            Change(
                "engine.plan.protection",
                "    if standing and not (is_unanswered and len(standing) < "
                "situation.limits.possibly_resting_max):\n",
                "    if floors:\n",
            ),
        ),
    ),
    Sabotage(
        "looks_rarely",
        "a look every five intervals",
        "covered",
        "stripped",
        12,
        (
            Change(
                "engine.loop",
                "paced_ms = interval_ms * factor",
                "paced_ms = interval_ms * 5",
            ),
        ),
    ),
    Sabotage(
        "sizes_a_tenth_too_large",
        "the quantity is a tenth more than the decided size pays for",
        "exposure",
        "calm",
        12,
        (
            Change(
                "engine.plan.gates.entry",
                "quantity = instrument.floor_quantity(decision.size_usdt / zone.first_price)",
                "quantity = instrument.floor_quantity(decision.size_usdt * 11 / 10 / "
                "zone.first_price)",
            ),
        ),
    ),
    Sabotage(
        "looks_without_pause",
        "the tick does not stretch, and no question is held back",
        "budget",
        "calm",
        4,
        (
            Change(
                "engine.loop",
                "paced_ms = interval_ms * factor",
                "return min(SOON_MS, interval_ms)",
            ),
            Change(
                "engine.exchange.budget",
                "    if usage.weight_used + COVER_READ_WEIGHT > usage.weight_limit:\n",
                "    if False:\n",
            ),
            Change(
                "engine.exchange.budget",
                "    if usage.weight_used * 100 >= usage.weight_limit * share:\n",
                "    if False:\n",
            ),
        ),
    ),
    Sabotage(
        "talks_into_the_silence",
        "a silence the exchange asked for is not kept",
        "budget",
        "silenced",
        8,
        (
            Change(
                "engine.exchange.binance.usage",
                "return until_ms is not None and self._monotonic_ms() < until_ms",
                "return False",
            ),
            Change(
                "engine.exchange.budget",
                "    if now_ms < usage.blocked_until_ms:\n",
                "    if False:\n",
            ),
        ),
    ),
    Sabotage(
        "chases_with_the_whole",
        "a chased entry carries the whole quantity, not the remainder",
        "exposure",
        "chased",
        16,
        (
            *BLIND,
            Change(
                "engine.plan.chase",
                "remainder = life.planned_quantity - sum((o.quantity_filled for o in entries), "
                "ZERO)",
                "remainder = life.planned_quantity",
            ),
        ),
    ),
    Sabotage(
        "replaces_before_the_last_word",
        "a chased entry goes out while its predecessor still works",
        "exposure",
        "chased",
        16,
        (
            *BLIND,
            Change(
                "engine.plan.chase",
                "return Proposal(actions=tuple(_cancel(o) for o in late))",
                "pass",
            ),
            Change(
                "engine.plan.chase",
                "if any(o.finished_ms is None or o.finished_ms > situation.now_ms for o in "
                "entries):",
                "if False:",
            ),
            Change(
                "engine.plan.chase",
                "return Proposal(actions=(_cancel(last),), life=replace(life, "
                "chasing_ms=situation.now_ms))",
                "return Proposal(life=replace(life, chasing_ms=situation.now_ms))",
            ),
        ),
    ),
    Sabotage(
        "tidies_up",
        "beside one of ours every order of somebody else is cancelled",
        "foreign_untouched",
        "foreign_orders",
        12,
        (
            Change(
                "engine.exchange.binance.adapter",
                "gone = self._checked(client.futures_cancel_algo_order(**parameters))",
                "for one in client.futures_get_open_algo_orders(symbol=self._access.symbol):\n"
                '                        if not one["clientAlgoId"].startswith("kp"):\n'
                "                            "
                'client.futures_cancel_algo_order(algoId=one["algoId"])\n'
                "                    gone = "
                "self._checked(client.futures_cancel_algo_order(**parameters))",
            ),
        ),
    ),
    Sabotage(
        "targets_that_can_open",
        "the first target is sent without reduceOnly",
        "never_flipped",
        "calm",
        12,
        (
            *BLIND,
            Change(
                "engine.plan.exits",
                "        reduce_only=quantity is not None,\n",
                "        reduce_only=False,\n",
            ),
        ),
    ),
    Sabotage(
        "never_rests",
        "the runner's target is taken for outdated in every tick",
        "converged",
        "calm",
        12,
        (
            Change(
                "engine.plan.exits",
                "outdated = [o for o in working if o.role is not role or o.terms.trigger_price "
                "!= trigger]",
                "outdated = working",
            ),
        ),
    ),
    Sabotage(
        "drops_a_fill",
        "every other execution is not written down",
        "trade_record",
        "calm",
        12,
        (
            Change(
                "engine.store.changes",
                "        fills=tuple(fills),\n",
                "        fills=tuple(fills)[1:],\n",
            ),
        ),
    ),
    Sabotage(
        "skips_the_cooldown",
        "the same terms may enter again right after a stop-out",
        "gates",
        "stopped_out",
        24,
        (
            Change(
                "engine.plan.gates.decision",
                "        if was_bad and same and since_ms < limit_ms:\n",
                "        if False:\n",
            ),
        ),
    ),
    Sabotage(
        "ignores_the_days_trades",
        "the cap on positions a day does not count",
        "gates",
        "busy_days",
        12,
        (
            Change(
                "engine.plan.gates.account",
                'return gate("trades_left_today", today < limit, today, limit)',
                'return gate("trades_left_today", passes=True)',
            ),
        ),
    ),
    Sabotage(
        "leaves_the_leverage",
        "margin type and leverage are not set before arming",
        "gates",
        "calm",
        4,
        (
            Change(
                "engine.plan.entry",
                "if (setup := _configure(situation, entry.decision)) is not None:",
                "if (setup := None) is not None:",
            ),
        ),
    ),
    Sabotage(
        "enters_on_stale_news",
        "a decision never grows too old",
        "gates",
        "stale",
        16,
        (
            Change(
                "engine.plan.gates.decision",
                'return gate("decision_fresh", age_ms <= limit_ms, age_ms // 1000, limit_ms '
                '// 1000, "seconds")',
                'return gate("decision_fresh", passes=True)',
            ),
            Change(
                "engine.plan.withdrawal",
                "if now_ms - made_ms > limits.decision_stale_ms:",
                "if False:",
            ),
            Change(
                "engine.tick",
                "is_fresh = now_ms - decision.made_ms <= limits.decision_stale_ms",
                "is_fresh = True",
            ),
        ),
    ),
    Sabotage(
        "drops_an_update_on_restart",
        "what was written down last is missing when a new process reads the ledger",
        "executed_once",
        "restarted",
        24,
        (
            Change(
                "engine.store.recall",
                "self._ledger = self._read()",
                "self._ledger = _older(self, self._read())",
                added="""
from dataclasses import replace as _replace

def _older(recall, ledger):
    if not hasattr(recall, "missing"):
        recall.missing = ledger.past[-1:]
    return _replace(ledger, past=tuple(p for p in ledger.past if p not in recall.missing))
""",
            ),
        ),
    ),
    Sabotage(
        "ignores_the_spread",
        "a wide book is entered",
        "gates",
        "wide_books",
        12,
        (
            Change(
                "engine.plan.gates.market",
                'return gate("spread_narrow", spread <= limit, '
                'spread.quantize(Decimal("0.0001")), limit)',
                'return gate("spread_narrow", passes=True)',
            ),
        ),
    ),
    Sabotage(
        "ignores_the_volatility",
        "a minute that moved too much is no reason to wait",
        "gates",
        "quick_minutes",
        12,
        (
            Change(
                "engine.plan.gates.market",
                'return gate("volatility_calm", worst <= limit, worst.quantize(Decimal("0.001")), '
                "limit)",
                'return gate("volatility_calm", passes=True)',
            ),
        ),
    ),
    Sabotage(
        "arms_from_afar",
        "the distance within which an entry begins does not count",
        "gates",
        "short_way",
        24,
        (
            Change(
                "engine.plan.gates.market",
                "passes = distance <= limit and not detail",
                "passes = not detail",
            ),
        ),
    ),
    Sabotage(
        "enters_near_liquidation",
        "the liquidation price may lie right behind the stop",
        "gates",
        "near_liquidation",
        12,
        (
            Change(
                "engine.plan.gates.market",
                'return gate("liquidation_far", distance >= need, '
                'distance.quantize(Decimal("0.1")), need)',
                'return gate("liquidation_far", passes=True)',
            ),
        ),
    ),
    Sabotage(
        "spends_the_whole_margin",
        "the share of the balance that an entry may take does not count",
        "gates",
        "little_margin",
        12,
        (
            Change(
                "engine.plan.gates.account",
                'return gate("margin_available", need <= free, '
                'need.quantize(Decimal("0.01")), free)',
                'return gate("margin_available", passes=True)',
            ),
        ),
    ),
    Sabotage(
        "ignores_the_days_loss",
        "the day's loss does not keep anything from entering",
        "gates",
        "losing_day",
        12,
        (
            Change(
                "engine.plan.gates.account",
                'return _drawdown("drawdown_day", situation, opening, flows, limit)',
                'return gate("drawdown_day", passes=True)',
            ),
        ),
    ),
    Sabotage(
        "ignores_the_weeks_loss",
        "the week's loss does not keep anything from entering",
        "gates",
        "losing_week",
        12,
        (
            Change(
                "engine.plan.gates.account",
                'return _drawdown("drawdown_week", situation, opening, flows, limit)',
                'return gate("drawdown_week", passes=True)',
            ),
        ),
    ),
    Sabotage(
        "forgets_what_was_reached",
        "a limit that was reached is lifted as soon as the loss is smaller again",
        "gates",
        "recovering",
        24,
        (
            Change(
                "engine.plan.gates.account",
                "passes = not opening.is_latched and fell > limit",
                "passes = fell > limit",
            ),
        ),
    ),
    Sabotage(
        "ignores_the_lease",
        "a keeper goes on as if the lease were still its own",
        "never_widened",
        "frozen",
        24,
        (
            Change("engine.store.lease", "if not renewed:", "if False:"),
            Change("engine.store.lease", "if holder != epoch:", "if False:"),
            Change("engine.exchange.gateway", "if until_ms is None:", "if True:"),
        ),
    ),
    Sabotage(
        "enters_again_at_once",
        "after a withdrawal for price the next decision is armed without a wait",
        "gates",
        "running_away",
        24,
        (
            Change(
                "engine.plan.gates.decision",
                'return gate("reenter_wait_over", since_ms >= limit_ms, since_ms // 1000, '
                "limit_ms // 1000)",
                'return gate("reenter_wait_over", passes=True)',
            ),
        ),
    ),
    Sabotage(
        "enters_beyond_the_zone",
        "a price that has fallen out of the zone toward the stop is entered",
        "gates",
        "calm",
        24,
        (
            *BLIND,
            Change(
                "engine.plan.gates.market",
                'detail = "" if side.gain(near, best) >= 0 else "price beyond the stop-side end"',
                'detail = ""',
            ),
            Change(
                "engine.plan.entry",
                "if near is not None and life.side.gain(near, best) < 0:",
                "if False:",
            ),
            Change(
                "engine.plan.withdrawal",
                'return "price_below_zone" if not is_sent and side.gain(near, price) < 0 else None',
                "return None",
            ),
        ),
    ),
)
