"""Make a valid fresh decision by hand: levels around the price that pass every gate, unless given.

For people who try the keeper out, and for tests: this is no advice, and nothing in the engine
decides with it. Invariant: what `compose` returns is accepted by `Intake`, or it raises.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from engine.domain.decision import Decided
from engine.domain.errors import InvalidInput
from engine.domain.limits import Limits
from engine.domain.numbers import ceil_to, floor_to, plain
from engine.domain.terms import Side
from engine.intake.document import read_document
from engine.intake.jsontext import pretty
from engine.intake.moments import write_moment

_HALF_ZONE = Decimal("0.0005")
_STOP_ROOM = Decimal("1.15")
_REWARD_ROOM = Decimal("1.1")
_SWING = Decimal("0.0025")
_ZONE_WIDTH = Decimal("0.0008")
_SIZE = Decimal(1200)
_LEVERAGE = 3
_CONFIDENCE = Decimal("0.8")
FILE_NAME = "decision.json"


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the operator named; None is filled in. Prices and size in quote currency."""

    zone: tuple[Decimal, Decimal] | None = None
    stop: Decimal | None = None
    tp1: Decimal | None = None
    tp2: Decimal | None = None
    size_usdt: Decimal | None = None
    leverage: int | None = None
    confidence: Decimal | None = None
    risk_level: int = 2
    tp1_fraction: Decimal = Decimal("0.5")
    is_trailing_enabled: bool = True
    reason: str = "by_hand"


def compose(
    action: Decided,
    symbol: str,
    now_ms: int,
    last_price: Decimal | None,
    tick_size: Decimal,
    *,
    limits: Limits | None = None,
    wishes: Wishes | None = None,
) -> dict[str, object]:
    """Return a decision made at ``now_ms`` (exchange time), ready for `write`.

    Without wishes the entry zone lies around ``last_price``, the stop just beyond the least
    distance, the targets just beyond the least reward; ``last_price`` may be None for flat or when
    the zone is given. Raises ``InvalidInput`` with the refusal's code when the wishes contradict
    each other.
    """
    limits, wishes = limits or Limits(), wishes or Wishes()
    document: dict[str, object] = {
        "symbol": symbol,
        "timestamp_iso": write_moment(now_ms),
        "action": action.value,
        "reason": wishes.reason,
    }
    if action is Decided.FLAT:
        empty = ("entry_zone", "sl", "tp1", "tp2", "position_size_usdt")
        document |= dict.fromkeys(empty)
    else:
        side = Side(action.value)
        document |= _opening(side, _anchor(last_price, wishes), tick_size, limits, wishes)
    fault = read_document(pretty(document).encode(), FILE_NAME, symbol).fault
    if fault is not None:
        raise InvalidInput(
            fault.code.value,
            f"no valid decision: {fault.message}",
            field=fault.field,
            value=fault.value,
            remedy=fault.remedy,
        )
    return document


def _anchor(last_price: Decimal | None, wishes: Wishes) -> Decimal:
    if wishes.zone is not None:
        return (wishes.zone[0] + wishes.zone[1]) / 2
    if last_price is None:
        raise InvalidInput(
            "missing_field",
            "no price to put an entry zone around",
            field="entry_zone",
            remedy="name the zone, or let the exchange be asked for its price",
        )
    return last_price


def _opening(
    side: Side, anchor: Decimal, tick_size: Decimal, limits: Limits, wishes: Wishes
) -> dict[str, object]:
    sign = side.sign
    low, high = wishes.zone or (
        floor_to(anchor * (1 - _HALF_ZONE), tick_size),
        ceil_to(anchor * (1 + _HALF_ZONE), tick_size),
    )
    stop_end, target_end = (low, high) if side is Side.LONG else (high, low)
    stop = wishes.stop
    if stop is None:
        room = limits.stop_distance_min_pct / 100 * _STOP_ROOM
        stop = _outward(-sign, side.wider(anchor * (1 - sign * room), stop_end), tick_size)
    risk = side.gain(stop, target_end)
    reward = risk * limits.rr_minimum * _REWARD_ROOM
    tp1, tp2 = wishes.tp1, wishes.tp2
    if tp1 is None:
        tp1 = _outward(sign, target_end + sign * reward, tick_size)
    if tp2 is None:
        tp2 = _outward(sign, tp1 + sign * reward, tick_size)
    return {
        "entry_zone": [low, high],
        "sl": stop,
        "tp1": tp1,
        "tp2": tp2,
        "risk_level": Decimal(wishes.risk_level),
        "position_size_usdt": _given(wishes.size_usdt, min(_SIZE, limits.notional_max)),
        "leverage": _given(wishes.leverage, min(_LEVERAGE, limits.leverage_max)),
        "confidence": _given(wishes.confidence, max(_CONFIDENCE, limits.confidence_min)),
        "risk_checks": {
            "daily_dd_ok": True,
            "weekly_dd_ok": True,
            "max_trades_per_day_ok": True,
            "session_ok": True,
            "no_major_news": True,
        },
        "position_management": {
            "tp1_fraction": wishes.tp1_fraction,
            "enable_trailing": wishes.is_trailing_enabled,
            "trail_mode": "structure_plus_liq",
            "liq_tp_zone_id": "cluster_1",
            "structure": {
                "swing_low": floor_to(anchor * (1 - _SWING), tick_size),
                "swing_high": ceil_to(anchor * (1 + _SWING), tick_size),
            },
            "liquidation_zones": [_zone(side, tp1, tp2, tick_size)],
        },
    }


def _given(wish: Decimal | int | None, otherwise: Decimal | int) -> Decimal:
    return Decimal(otherwise if wish is None else wish)


def _outward(sign: int, price: Decimal, tick_size: Decimal) -> Decimal:
    """Return the next tick strictly beyond ``price``, upward for +1."""
    if sign > 0:
        return floor_to(price, tick_size) + tick_size
    return ceil_to(price, tick_size) - tick_size


def _zone(side: Side, tp1: Decimal, tp2: Decimal, tick_size: Decimal) -> dict[str, object]:
    """Return one liquidation zone three quarters of the way from TP1 to TP2."""
    price = floor_to(tp1 + (tp2 - tp1) * Decimal("0.75"), tick_size)
    half = price * _ZONE_WIDTH / 2
    return {
        "id": "cluster_1",
        "side": side.opposite.value,
        "price": price,
        "zone": [floor_to(price - half, tick_size), ceil_to(price + half, tick_size)],
        "strength": Decimal("0.8"),
    }


def write(document: dict[str, object], path: Path) -> Path:
    """Write a decision so that no reader ever sees half of it; return the file's path.

    ``path`` is the ``decisions`` setting: a folder gets ``decision.json``. Raises ``InvalidInput``
    when it cannot be written.
    """
    target = path if path.suffix == ".json" and not path.is_dir() else path / FILE_NAME
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("w", encoding="utf-8") as file:
            file.write(pretty(document))
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
        _keep_name(target.parent)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink()
        raise InvalidInput(
            "decisions_not_writable",
            f"{target} cannot be written: {error.strerror}",
            field="decisions",
            value=str(path),
            remedy="let this user write there, or set `decisions` to another place",
        ) from None
    return target


def _keep_name(folder: Path) -> None:
    """Make a rename survive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def describe(document: dict[str, object]) -> str:
    """Return one line on what a decision asks for, for people."""
    zone = document.get("entry_zone")
    if not isinstance(zone, list):
        return f"{document['action']} {document['symbol']}"
    prices = {name: document[name] for name in ("sl", "tp1", "tp2")}
    listed = ", ".join(f"{k} {plain(v)}" for k, v in prices.items() if isinstance(v, Decimal))
    low, high = (plain(price) for price in zone)
    return f"{document['action']} {document['symbol']} in [{low}, {high}], {listed}"
