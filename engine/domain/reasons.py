"""Every reason code a rule may give, once: which rules it stands for, and what it says.

Codes are stable: they land in the store, in documents and in other people's queries. A test
compares this table with what the planner's modules really say. ``RULES`` are the numbered rules of
the trading semantics; a test fails when one of them has no spec.
"""

from __future__ import annotations

from dataclasses import dataclass

RULES: dict[str, str] = {
    "A1": "covering order",
    "A2": "naked quantity and naked time",
    "A3": "level of the cover, level in force, loose time",
    "A4": "quantity to cover",
    "A5": "generation",
    "A6": "exchange time",
    "B1": "covered",
    "B2": "never widened",
    "B3": "once",
    "B4": "recovered",
    "B5": "explained",
    "B6": "harmless",
    "C1": "resting is evidence, absence is not",
    "C2": "flat needs proof",
    "C3": "settled picture",
    "C4": "unknown fate",
    "C5": "recvWindow and deadlines",
    "C6": "two agreeing reads before destructive acts on account numbers",
    "D1": "size is notional at the limit price",
    "D2": "a decision opens once",
    "D3": "terms of a newer decision",
    "D4": "a newer refused document suspends entries",
    "D5": "future documents, equal timestamps, confirmed closes",
    "E1": "effective zone",
    "E2": "rounding",
    "E3": "gates",
    "E4": "arm, then enter",
    "E5": "withdrawing in two steps",
    "E6": "hysteresis",
    "E7": "chase, fallback, timeout",
    "E8": "stop spent while an entry may fill",
    "E9": "fallback mode",
    "F1": "two layers",
    "F2": "proof before a stop is cancelled",
    "F3": "ratchet",
    "F4": "would trigger, by purpose",
    "F5": "breakeven",
    "F6": "targets",
    "F7": "order of events",
    "F8": "trailing",
    "F9": "liquidation zones",
    "F10": "newer decisions beside a position",
    "F11": "ladder",
    "G1": "position without a ledger row",
    "G2": "drift reactions",
    "G3": "ids",
    "G4": "rights and lease",
    "G5": "write-ahead",
    "G6": "clean book",
    "H1": "liquidation distance",
    "H2": "drawdown and trades per day",
    "H3": "hedge-mode account",
    "H4": "pacing",
}


@dataclass(frozen=True, slots=True)
class Reason:
    """What a code stands for."""

    rules: tuple[str, ...]
    says: str


def _reason(rules: str, says: str) -> Reason:
    return Reason(tuple(rules.split()), says)


GATES: dict[str, Reason] = {
    "decision_fresh": _reason("D2 A6", "the decision is young enough to open"),
    "decision_unused": _reason("D2", "the decision has not been used and is newer than the close"),
    "cooldown_over": _reason("D2", "the same terms waited after a stop-out"),
    "reenter_wait_over": _reason("E6", "enough time passed since an entry was withdrawn"),
    "not_suspended": _reason("D4", "no newer document is refused or reads flat"),
    "risk_checks_true": _reason("E3", "the analytics job's risk checks are present and true"),
    "risk_level_positive": _reason("E3", "the risk level permits trading"),
    "confidence_enough": _reason("E3", "confidence reaches the minimum"),
    "leverage_allowed": _reason("E3", "leverage is within the cap and the bracket"),
    "rr_minimum": _reason("E1", "somewhere in the zone the reward is worth the risk"),
    "quantity_tradable": _reason("E3 D1", "the quantity can be traded and closed by one child"),
    "notional_in_bounds": _reason("E3 D1", "the notional is within minimum and cap"),
    "margin_available": _reason("E3", "the margin is really free"),
    "liquidation_far": _reason("H1", "the stop lies well before liquidation"),
    "spread_narrow": _reason("E3", "bid and ask are close together"),
    "volatility_calm": _reason("E3", "no recent minute moved too far"),
    "enter_distance": _reason("E6 E1", "price is near the zone on the target side"),
    "stop_not_crossed": _reason("E4", "price is on the safe side of the stop"),
    "trades_left_today": _reason("H2", "the day's trades are not spent"),
    "drawdown_day": _reason("H2", "the day's loss is above its limit"),
    "drawdown_week": _reason("H2", "the week's loss is above its limit"),
    "history_read": _reason("D2 G3", "the exchange's history was read"),
    "book_clean": _reason("G6", "no own order of an earlier life may rest"),
    "no_foreign_orders": _reason("E3", "the policy on other people's orders is kept"),
    "account_usable": _reason("E3 H3", "one-way mode, single-asset margin, symbol trading"),
    "clock_in_step": _reason("E3 A6", "exchange time is known well enough"),
    "picture_settled": _reason("C3", "two settled pictures in a row"),
    "lease_held": _reason("G4", "the lease is ours"),
    "not_halted": _reason("E3", "no halt stands"),
    "store_writable": _reason("G5", "the store takes write-ahead intents"),
    "breaker_closed": _reason("H4", "the exchange is not in trouble"),
    "budget_free": _reason("H4", "entries have request weight left"),
    "stop_while_flat": _reason(
        "E9", "the account takes a stop while flat, or fallback is possible"
    ),
}

ACTIONS: dict[str, Reason] = {
    "arm_stop": _reason("E4", "the stop rests before the entry is sent"),
    "margin_type_differs": _reason("E4", "the margin type is set before arming"),
    "leverage_differs": _reason("E4", "the leverage is set before arming"),
    "enter": _reason("E4 E1", "the entry, inside the effective zone"),
    "chase": _reason("E7 E1", "the entry follows the price inside its legal interval"),
    "market_fallback": _reason("E7", "the chases are spent; one bounded immediate order"),
    "cover_missing": _reason("A4 F1", "what is or may become position lacks its primary stop"),
    "excess": _reason("B3 D1", "entries executed more than the decision's quantity"),
    "floor_missing": _reason("F1", "the closePosition stop at the initial level is not there"),
    "tighter_rests": _reason("F2", "a stop at least as tight was seen resting for everything"),
    "earlier_life": _reason("G6", "an order of an earlier life shows up"),
    "initial": _reason("E1", "the stop level the life began with"),
    "breakeven": _reason("F5", "TP1 is done: entry plus costs"),
    "trail": _reason("F8", "structure or the approach to the zone"),
    "decision": _reason("F10 D3", "a newer decision's tighter stop"),
    "liquidation_guard": _reason("H1", "the stop lay beyond the liquidation price"),
    "tp1_missing": _reason("F6", "the first target is not there"),
    "tp1_reached": _reason("F4 E6", "price is at TP1: executed now, or no entry any more"),
    "tp2_missing": _reason("F6", "the runner's target is not there"),
    "liquidation_exit_missing": _reason("F9", "the zone exit is not there"),
    "target_outdated": _reason("F6 F10", "a target no longer fits price or quantity"),
    "flat": _reason("G6", "flat is proven: what rests is swept"),
    "ladder": _reason("F11", "a resting limit makes way for the close"),
    "reprice": _reason("F11", "the last rung follows the best price"),
    "makes_way": _reason("F11 F2", "the close is refused for what own orders hold"),
    "withdrawn": _reason("E5", "the entry is given up"),
    "hedge_mode": _reason("H3", "one stop for each held side, and nothing else"),
}

WITHDRAWALS: dict[str, Reason] = {
    "operator": _reason("E5", "an operator asked"),
    "halted": _reason("E5", "a halt stands"),
    "closing": _reason("E5", "the position is being closed"),
    "quantity_spent": _reason("B3 D1", "entries could execute more than the decision's quantity"),
    "stop_spent": _reason("E8", "no armed stop rests while the entry may fill"),
    "entry_rejected": _reason("E7", "no entry can execute any more"),
    "flat_decision": _reason("D4 E7", "the newest document says flat"),
    "opposite_decision": _reason("E7", "the newest decision wants the other side"),
    "newer_terms": _reason("D3", "a newer decision asks for another price, size or wider stop"),
    "suspended": _reason("D4", "a newer document is refused"),
    "decision_stale": _reason("D2", "the decision is too old"),
    "price_left": _reason("E6", "price left on the target side"),
    "price_below_zone": _reason("E6", "price lies beyond the stop-side end"),
    "earlier_lease": _reason("G4", "its writer may only be frozen; its lease is ours now"),
    "entry_timeout": _reason("E7", "the entry waited too long"),
    "settings_changed": _reason("E4 H1 G2", "margin type or leverage do not fit the entry"),
    "foreign_position": _reason("G1", "somebody else's position appeared"),
    "not_sent": _reason("E4", "nothing of the life ever reached the exchange"),
}

CLOSES: dict[str, Reason] = {
    "stop_crossed": _reason("F4 C1", "price passed the level and the position still stands"),
    "stop_would_trigger": _reason("F4", "the stop's moment has passed: cover was refused as late"),
    "cover_refused": _reason("F11", "the exchange refuses every stop for too long"),
    "breakeven_crossed": _reason("F4", "price is already behind breakeven"),
    "target_reached": _reason("F4", "the target is reached: taken now"),
    "excess_held": _reason("B3", "own orders hold what executed beyond the decision"),
    "too_small_at_timeout": _reason("E7", "the timed-out entry filled less than an order's worth"),
    "orphan_policy": _reason("G1", "policy: flatten what is not ours"),
    "below_minimum": _reason("F11", "what is left is below any order's minimum"),
    "dust": _reason("F11", "a closePosition target takes what no order can"),
    "flat_in_doubt": _reason("C2", "flat is not proven yet"),
}

HOLDS: dict[str, Reason] = {
    "attempt_works": _reason("F11", "an attempt to close is under way"),
    "backoff": _reason("H4", "the same request was refused a moment ago"),
    "entry_not_proven_empty": _reason("E5", "the stop stays until the entry is proven empty"),
    "entry_not_read_final": _reason("E7 D1", "the remainder waits for the predecessor's last word"),
    "floor_refused": _reason("F1", "the exchange refuses the floor; the primary covers"),
    "foreign_close_position": _reason("F1", "somebody else's closePosition stop rests"),
    "orphan_ignored": _reason("G1", "policy: leave what is not ours alone"),
    "level_crossed": _reason("F4", "a stop at the level would trigger at once"),
    "possibly_resting_max": _reason("C4", "enough stops are possibly resting: look, place no more"),
    "target_behind_price": _reason("F4 F10", "a moved target lies behind price"),
    "stop_wider": _reason("F10 B2", "a newer decision's stop is wider than the level in force"),
    "zone_behind_price": _reason("F9", "a moved zone lies behind price"),
    "zone_moved_too_far": _reason("F9", "one map moved the zone too far"),
    "picture_missing": _reason("C3", "position or orders were not read"),
    "picture_unsettled": _reason("C3", "the picture is not settled twice"),
    "min_gap": _reason("F3", "the level is too near the price"),
    "min_interval": _reason("F3", "the last move was a moment ago"),
    "min_step": _reason("F3", "the move is too small"),
    "stop_not_resting": _reason("E4", "the armed stop was not seen a moment ago"),
    "price_unknown": _reason("C3", "no price was read"),
    "stream_down": _reason("E9", "fallback mode needs the user stream"),
    "not_allowed": _reason("B6", "halt, store or breaker forbid entries"),
    "lease_held_by_another": _reason("G4", "somebody else may act, we may not"),
    "second_writer": _reason("G4", "another keeper writes under our name: only adding is safe"),
    "lease_unreachable": _reason("G4", "without the lease store only protection is added"),
    "store_unwritable": _reason("G5", "unrecorded, only protection is added"),
    "rate_limited": _reason("H4", "the exchange asked for silence"),
    "breaker_open": _reason("H4", "the exchange is in trouble"),
    "budget_spent": _reason("H4", "this class has spent its share of the request weight"),
    "churn": _reason("H4", "this class placed as many orders as it may within minute or hour"),
}

HEALTH: dict[str, Reason] = {
    "operator": _reason("E3", "somebody halted entries by hand"),
    "key_refused": _reason("E3", "the exchange refuses the key, its signature or its rights"),
    "close_unfinished": _reason("F11", "a close took longer than half a minute"),
    "account_restricted": _reason("E3", "the exchange restricts the account"),
    "request_wrong": _reason("E3", "the exchange calls a request of ours wrong"),
    "second_writer": _reason("G4", "an own order shows up that nobody here intended"),
    "uncovered": _reason("A2 B1", "a part of the position has no stop"),
    "closing_for_long": _reason("F11", "the ladder has not closed the position in half a minute"),
    "cover_in_doubt": _reason("C1", "a stop is not shown by its list for half a minute"),
    "orphan_position": _reason("G1", "a position that is not ours has a stop and nothing else"),
    "hedge_mode": _reason("H3", "the account is in hedge mode: stops for what is held, no entries"),
    "fallback_mode": _reason("E9", "the account takes no stop while flat: it follows the fill"),
    "store_unwritable": _reason("G5", "the store cannot be written"),
    "lease_lost": _reason("G4", "the lease is another's, or its store is out of reach"),
    "exchange_unreachable": _reason("C3", "position or orders could not be read"),
    "wire_stuck": _reason("C5", "too many requests hang beyond any deadline"),
    "rate_limited": _reason("H4", "the exchange asked for silence"),
    "breaker_open": _reason("H4", "too many requests failed in a row"),
    "churn": _reason("H4", "too many orders were placed within minute or hour"),
    "clock_unknown": _reason("A6", "exchange time was never measured"),
    "decisions_unreadable": _reason("D4", "the inbox cannot be read"),
    "suspended": _reason("D4", "a newer document is refused"),
    "late": _reason("A6", "the process lives and does not tick"),
    "not_running": _reason("B4", "no keeper process is alive"),
}
"""What `keeper status` gives as reasons of ill health, and what alarms are named by."""

REASONS: dict[str, Reason] = {**GATES, **ACTIONS, **WITHDRAWALS, **CLOSES, **HOLDS}
