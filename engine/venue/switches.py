"""Every behaviour of the real exchange that nobody has confirmed, as a named choice.

Each switch is consulted at exactly one place in the venue, so that turning it changes one behaviour
and no other. `SWITCHES` documents them: values, default, meaning, where the exchange reference
speaks of it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Switch:
    """What is known of one switch; no values means any whole number of milliseconds."""

    name: str
    values: tuple[str, ...]
    default: str | int
    meaning: str
    reference: str


def _switch(values: str, meaning: str, reference: str) -> str:
    """Declare a choice; the first value named is the default."""
    choices = tuple(values.split("|"))
    return field(
        default=choices[0],
        metadata={"values": choices, "meaning": meaning, "reference": reference},
    )


def _duration(default: int, meaning: str, reference: str) -> int:
    """Declare a duration in milliseconds."""
    return field(
        default=default, metadata={"values": (), "meaning": meaning, "reference": reference}
    )


@dataclass(frozen=True, slots=True)
class Switches:
    """One value for every switch; an unknown value is an error."""

    stop_while_flat: str = _switch(
        "accepted|refused", "a reduce-only quantity stop sent while flat", "3.6, open question 1"
    )
    gte_default_when_absent: str = _switch(
        "gtc|gte", "what a reduce-only stop without timeInForce becomes", "3.6, open question 2"
    )
    stop_fired_flat_status: str = _switch(
        "rejected|expired|finished", "status of a stop that fired while flat", "open question 3"
    )
    oversize_reduce_only_child: str = _switch(
        "capped|refused", "a reduce-only child larger than the position", "3.6"
    )
    resting_reduce_only_reserves: str = _switch(
        "true|false", "a resting reduce-only order holds its share of the position", "3.10"
    )
    reserved_code: str = _switch(
        "-2022|-4118", "refusal when resting reduce-only orders hold the position", "3.10"
    )
    resting_reduce_only_starves_child: str = _switch(
        "false|true", "whether that reservation also refuses a stop's child", "3.10, RULES F6"
    )
    untriggered_stops_reserve: str = _switch(
        "false|true", "whether untriggered reduce-only stops reserve too", "open question 4"
    )
    countdown_cancels_algo: str = _switch(
        "false|true", "whether countdownCancelAll removes conditional orders", "open question 5"
    )
    algo_orders_block_modes: str = _switch(
        "false|true", "whether stops forbid margin type and mode changes", "open question 6"
    )
    duplicate_algo_id_code: str = _switch(
        "-4116|-4015|-2011", "refusal of a duplicate clientAlgoId", "open question 7"
    )
    client_id_namespaces: str = _switch(
        "two|one", "whether clientAlgoId and newClientOrderId share a namespace", "open question 7"
    )
    algo_orders_per_symbol: str = _switch(
        "unlimited|10", "a limit of open conditional orders per symbol", "3.1, open question 8"
    )
    cancel_while_triggering: str = _switch(
        "-4117|-2011|success", "answer to a cancel in TRIGGERING", "open question 9"
    )
    open_algo_envelope: str = _switch(
        "array|object", "openAlgoOrders answers an array or {orders: []}", "open question 10"
    )
    algo_list_quantities: str = _switch(
        "absent|present", "actualType and actualQty in the lists of conditional orders", "3.3"
    )
    avg_price_in_write_replies: str = _switch(
        "present|absent", "avgPrice and cumQuote in replies to writes", "open question 11"
    )
    trigger_on_tick: str = _switch(
        "enforced|accepted", "a trigger price off the tick", "open question 12"
    )
    gte_after_flat: str = _switch(
        "expired|survives", "a closePosition order once the position is gone", "open question 17"
    )
    order_of_checks: str = _switch(
        "documented|duplicate_first|trigger_first", "checks of POST algoOrder", "open question 18"
    )
    child_original_type: str = _switch(
        "MARKET|STOP_MARKET", "whether ot and sp of a child still name the stop", "open question 21"
    )
    algo_child_push_order: str = _switch(
        "algo_first|child_first|random", "order of the pushes of a triggered child", "3.4"
    )
    same_point_order: str = _switch(
        "path|triggers_first",
        "what one move meets: in the order of the way, or all triggers before resting orders",
        "not documented",
    )
    flat_position_row: str = _switch(
        "absent|present", "whether positionRisk v3 lists a flat symbol", "5.4"
    )
    private_without_events: str = _switch(
        "everything|nothing",
        "what a private stream opened without `events` delivers",
        "4.2, open question 14",
    )
    bracket_envelope: str = _switch(
        "array|object", "leverageBracket of one symbol: a list of one, or the object alone", "5.4"
    )
    leverage_maximum: str = _switch(
        "125|150", "the highest leverage of the first bracket", "7, open question 15"
    )
    forced_close_status: str = _switch(
        "plain|named",
        "whether pushes of forced closes say FILLED, or NEW_INSURANCE and NEW_ADL",
        "4.4, 8",
    )
    stops_after_liquidation: str = _switch(
        "stay|expired", "reduce-only quantity stops once their position was liquidated", "3.11"
    )
    klines_maximum: str = _switch(
        "1500|1000", "the most rows klines gives, and what it is asked for", "5.1, open question 16"
    )
    close_above_market_maximum: str = _switch(
        "whole|refused", "a closePosition child above MARKET_LOT_SIZE.maxQty", "not documented"
    )
    recv_window_enforced: str = _switch(
        "true|false", "whether a request is refused once too old", "RULES B3 a"
    )
    visible_after_ms: int = _duration(
        0, "how long an accepted order stays invisible to lookups and lists", "RULES B3 b"
    )
    gte_sync_lag_ms: int = _duration(
        0, "-4509 for this long after the fill that opened the position", "3.5, open question 13"
    )
    reduce_only_sync_lag_ms: int = _duration(
        0,
        "a reduce-only quantity stop is refused for this long after the opening fill",
        "3.9",
    )
    child_sync_lag_ms: int = _duration(
        0,
        "a triggered reduce-only child finds no position for this long after the opening fill",
        "3.6, open question 22",
    )
    gte_cancel_lag_ms: int = _duration(
        0, "-4130 for this long after a closePosition order was cancelled", "3.5"
    )
    gte_expire_lag_ms: int = _duration(
        0, "how long after flat the system expires closePosition orders", "3.7"
    )
    trigger_delay_ms: int = _duration(0, "time spent in TRIGGERING", "3.4")
    funding_lag_ms: int = _duration(
        0, "how long after its hour funding is charged, to what is open by then", "8"
    )
    auto_cancel_stops_ms: int = _duration(
        0, "stops are cancelled by the system after this long (0: never)", "open question 20"
    )

    def __post_init__(self) -> None:
        """Refuse a value the switch does not have."""
        for switch in SWITCHES:
            value = getattr(self, switch.name)
            if switch.values:
                if value not in switch.values:
                    message = f"switch {switch.name} is one of {switch.values}, not {value!r}"
                    raise ValueError(message)
            elif not isinstance(value, int) or value < 0:
                message = f"switch {switch.name} is a number of milliseconds, not {value!r}"
                raise ValueError(message)

    @classmethod
    def named(cls, values: Mapping[str, object]) -> Switches:
        """Build from a mapping, for scenario files and command lines."""
        known = {switch.name: switch for switch in SWITCHES}
        chosen: dict[str, object] = {}
        for name, value in values.items():
            if name not in known:
                message = f"there is no switch {name!r}"
                raise ValueError(message)
            if known[name].values:
                text = str(value)
                chosen[name] = text.lower() if isinstance(value, bool) else text
            else:
                chosen[name] = int(str(value))
        return cls(**chosen)  # type: ignore[arg-type]  # names were just checked against the fields

    def plain(self) -> dict[str, str | int]:
        """Return every switch with its value, for the admin interface."""
        return {switch.name: getattr(self, switch.name) for switch in SWITCHES}


SWITCHES: tuple[Switch, ...] = tuple(
    Switch(
        one.name,
        one.metadata["values"],
        one.default if isinstance(one.default, int) else str(one.default),
        one.metadata["meaning"],
        one.metadata["reference"],
    )
    for one in fields(Switches)
)
