"""The analytics job of a drawn world: documents built around the price there is when they are due.

What it writes is decided by the seed alone; the price decides only the numbers in it. Most of its
decisions pass the gates, some are refused by one, some are refused at the door, some say the same
again or refine what was said before.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from enum import StrEnum
from random import Random
from typing import Any

from engine.read.documents import moment_of
from engine.simulation.markets import Market
from engine.simulation.play import Appear
from engine.simulation.world import World

FILE = "decision.json"
SYMBOL = "BTCUSDT"
_ONE = Decimal(1)
Written = dict[str, Any]


class Kind(StrEnum):
    """What the analytics job does."""

    ENTER = "enter"
    FLAT = "flat"
    OPPOSITE = "opposite"
    REFINE = "refine"
    RESEND = "resend"
    STALE = "stale"
    BROKEN = "broken"
    REMOVE = "remove"


@dataclass(frozen=True, slots=True)
class Wish:
    """One act of the analytics job: when after the start, what, and the chance it draws from."""

    at_ms: int
    kind: Kind
    seed: int


class Analyst:
    """Remembers its last good decision, and mostly goes with the leg, as the real one would."""

    def __init__(self, market: Market, start_ms: int) -> None:
        self._market = market
        self._start_ms = start_ms
        self._last: Written | None = None

    def write(self, wish: Wish, world: World, at_ms: int) -> Appear:
        """Return what appears in the inbox now."""
        chance = Random(wish.seed)
        price = world.venue.house.market.last
        made_ms = at_ms - chance.choice((0, 0, 300, 2_000, 20_000))
        name = FILE if chance.random() < 0.9 else f"decision-{chance.randint(1, 3)}.json"
        side = self._side(chance, at_ms)
        match wish.kind:
            case Kind.REMOVE:
                return Appear(((FILE, None),))
            case Kind.BROKEN:
                text = broken(decided(chance, side, price), chance, made_ms)
                return Appear(((name, text),))
            case Kind.FLAT:
                document = _flat()
            case Kind.RESEND if self._last is not None:
                document = dict(self._last)
            case Kind.REFINE if self._last is not None:
                document = refined(self._last, chance)
            case Kind.OPPOSITE if self._last is not None:
                other = "short" if self._last["action"] == "long" else "long"
                document = decided(chance, other, price)
            case _:
                document = decided(chance, side, price)
        if wish.kind is Kind.STALE:
            made_ms = at_ms - chance.randint(601, 3_600) * 1_000
        elif document["action"] != "flat":
            self._last = document
        return Appear(((name, _text(document, made_ms)),))

    def _side(self, chance: Random, at_ms: int) -> str:
        drift = self._market.drift_at(at_ms - self._start_ms)
        is_with = chance.random() < 0.75
        if drift == 0:
            return "long" if is_with else "short"
        return "long" if (drift > 0) is is_with else "short"


def decided(chance: Random, side: str, price: Decimal) -> Written:
    """Return a decision of ``side`` around ``price``: usually one that passes every gate."""
    sign = 1 if side == "long" else -1
    middle = price * (_ONE - sign * _share(chance, -8, 6))
    half = middle * _share(chance, 3, 15)
    near = middle - sign * half  # the end on the stop's side
    stop = near * (_ONE - sign * _share(chance, 5, 60))
    risk = max(abs(middle - stop), middle * Decimal("0.0035"))
    reward = risk * Decimal(chance.randint(23, 45)) / 10
    first = middle + sign * (reward + half)
    second = first + sign * risk * Decimal(chance.randint(5, 40)) / 10
    management: Written = {
        "tp1_fraction": chance.choice((0.5, 0.5, 0.3, 0.7, 1)),
        "enable_trailing": chance.random() < 0.8,
        "trail_mode": chance.choice(("structure_plus_liq", "structure", "liq")),
    }
    if chance.random() < 0.5:
        below, above = (
            price * (_ONE - _share(chance, 10, 60)),
            price * (_ONE + _share(chance, 10, 60)),
        )
        management["structure"] = {"swing_low": _price(below), "swing_high": _price(above)}
    if chance.random() < 0.5:
        edge = first + sign * risk * Decimal(chance.randint(-5, 40)) / 10
        ends = sorted((edge, edge * (_ONE + sign * _share(chance, 5, 20))))
        management["liq_tp_zone_id"] = "cluster_1"
        management["liquidation_zones"] = [
            {
                "id": "cluster_1",
                "side": chance.choice(("long", "short")),
                "price": _price(edge),
                "zone": [_price(ends[0]), _price(ends[1])],
                "strength": 0.9,
            }
        ]
    poor = chance.random() < 0.15  # one gate or another refuses it
    return {
        "symbol": SYMBOL,
        "action": side,
        "reason": "drawn",
        "entry_zone": [_price(middle - half), _price(middle + half)],
        "sl": _price(stop),
        "tp1": _price(first),
        "tp2": _price(second),
        "risk_level": chance.choice((0, 2)) if poor else chance.randint(1, 3),
        "position_size_usdt": chance.choice((30, 90, 6000) if poor else (200, 600, 1200, 2000)),
        "leverage": chance.choice((3, 12)) if poor else chance.choice((3, 5, 10)),
        "confidence": chance.choice((0, 0.55)) if poor else chance.choice((0.65, 0.74, 0.9)),
        "risk_checks": {"daily_dd_ok": True, "session_ok": not poor or chance.random() < 0.5},
        "position_management": management,
    }


def refined(last: Written, chance: Random) -> Written:
    """Return the last decision with another stop, other targets, zone or size."""
    document = dict(last)
    if document["action"] == "flat":
        return document
    sign = 1 if document["action"] == "long" else -1
    width = Decimal(str(abs(document["entry_zone"][1] - document["entry_zone"][0])))
    step = width * Decimal(chance.randint(1, 8)) / 8
    what = chance.choice(("tighter", "wider", "targets", "size", "zone"))
    match what:
        case "tighter":
            document["sl"] = _moved(document["sl"], sign * step)
        case "wider":
            document["sl"] = _moved(document["sl"], -sign * step)
        case "targets":
            document["tp1"] = _moved(document["tp1"], sign * step)
            document["tp2"] = _moved(document["tp2"], sign * step * 2)
        case "size":
            document["position_size_usdt"] = chance.choice((150, 600, 1200, 2000))
        case _:
            low, high = document["entry_zone"]
            document["entry_zone"] = [_moved(low, sign * step / 8), _moved(high, sign * step / 8)]
    return document


def broken(document: Written, chance: Random, made_ms: int) -> str:
    """Return a text that is refused at the door, or reads as flat at most."""
    whole = _text(document, made_ms)
    match chance.randint(0, 7):
        case 0:
            return whole[: chance.randint(1, len(whole) - 1)]
        case 1:
            return whole.replace('"confidence":', '"confidence":NaN,"was":')
        case 2:
            return _text({**document, "sl": document["tp1"]}, made_ms)
        case 3:
            return _text({k: v for k, v in document.items() if k != "entry_zone"}, made_ms)
        case 4:
            return _text({**document, "symbol": "ETHUSDT"}, made_ms)
        case 5:
            return _text(document, made_ms + 3_600_000)
        case 6:
            return '{"action":"flat","confidence":NaN}'
        case _:
            return ""


def _flat() -> Written:
    nothing = dict.fromkeys(("entry_zone", "sl", "tp1", "tp2"))
    return {**decided(Random(0), "long", Decimal(50_000)), "action": "flat", **nothing}


def _text(document: Written, made_ms: int) -> str:
    return json.dumps({**document, "timestamp_iso": moment_of(made_ms)}, separators=(",", ":"))


def _share(chance: Random, low: int, high: int) -> Decimal:
    """Return a share of the price, drawn in basis points."""
    return Decimal(chance.randint(low, high)) / 10_000


def _price(value: Decimal) -> float:
    return float(value.quantize(Decimal("0.1"), ROUND_HALF_EVEN))


def _moved(price: float, by: Decimal) -> float:
    return _price(Decimal(str(price)) + by)
