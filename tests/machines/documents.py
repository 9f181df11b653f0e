"""Decision documents around a price, and what a reader without our code expects of them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal
from typing import Any

from hypothesis import strategies as st

from engine.domain.terms import Side
from engine.read.documents import moment_of
from tests.builders import d

TICK, STEP = d("0.1"), d("0.001")
M, R = d("0.0035"), d(2)


@dataclass(frozen=True, slots=True)
class Idea:
    """A decision relative to the price it is made at, in ticks; the same idea suits both sides."""

    side: Side
    middle: int
    half: int
    room: int
    reward: int
    further: int
    size: int
    leverage: int
    fraction: str
    confidence: str
    has_zone: bool

    def document(self, price: Decimal) -> dict[str, Any]:
        """Return the document of this idea at ``price``, without its date."""
        sign = self.side.sign
        middle = price - sign * self.middle * TICK
        ends = sorted((middle - self.half * TICK, middle + self.half * TICK))
        stop = middle - sign * (self.half + self.room) * TICK
        first = middle + sign * (self.half + self.reward) * TICK
        second = first + sign * self.further * TICK
        made: dict[str, Any] = {
            "symbol": "BTCUSDT",
            "action": self.side.value,
            "reason": "machine",
            "entry_zone": [float(ends[0]), float(ends[1])],
            "sl": float(stop),
            "tp1": float(first),
            "tp2": float(second),
            "risk_level": 2,
            "position_size_usdt": self.size,
            "leverage": self.leverage,
            "confidence": float(self.confidence),
            "risk_checks": {"session_ok": True},
            "position_management": {
                "tp1_fraction": float(self.fraction),
                "enable_trailing": True,
                "trail_mode": "structure_plus_liq",
            },
        }
        if self.has_zone:
            edge = first + sign * self.further * TICK / 2
            made["position_management"] |= {
                "liq_tp_zone_id": "z1",
                "liquidation_zones": [
                    {
                        "id": "z1",
                        "side": "short",
                        "price": float(edge),
                        "zone": sorted((float(edge), float(edge + sign * 100 * TICK))),
                        "strength": 0.9,
                    }
                ],
            }
        return made


ideas = st.builds(
    Idea,
    side=st.sampled_from(Side),
    middle=st.integers(-300, 900),
    half=st.integers(100, 1_000),
    room=st.integers(100, 4_000),
    reward=st.integers(8_000, 14_000),
    further=st.integers(500, 9_000),
    size=st.sampled_from([200, 600, 1200]),
    leverage=st.sampled_from([3, 5]),
    fraction=st.sampled_from(["0.5", "0.3", "1"]),
    confidence=st.sampled_from(["0.7", "0.9"]),
    has_zone=st.booleans(),
)

REFINEMENTS = ("same", "tighter", "wider", "targets", "size", "zone", "target_behind")


def refined(document: dict[str, Any], what: str, price: Decimal, step: int) -> dict[str, Any]:
    """Return the document of a newer decision that changes one thing."""
    made = json.loads(json.dumps(document))
    sign = 1 if made["action"] == "long" else -1
    by = float(sign * step * TICK)
    match what:
        case "tighter":
            made["sl"] = round(made["sl"] + by, 1)
        case "wider":
            made["sl"] = round(made["sl"] - by, 1)
        case "targets":
            made["tp1"], made["tp2"] = round(made["tp1"] + by, 1), round(made["tp2"] + 2 * by, 1)
        case "target_behind":
            edge = max(made["entry_zone"]) if sign > 0 else min(made["entry_zone"])
            made["tp1"] = round((edge + float(price)) / 2, 1)
        case "size":
            made["position_size_usdt"] = 900
        case "zone":
            made["entry_zone"] = [round(p + by / 10, 1) for p in made["entry_zone"]]
        case _:
            pass
    return dict(made)


def text_of(document: dict[str, Any], made_ms: int) -> str:
    """Return the document as a file's text, dated."""
    return json.dumps({**document, "timestamp_iso": moment_of(made_ms)})


BROKEN = ("half", "nan", "contradiction", "flat_nan", "symbol", "future", "empty")


def broken(document: dict[str, Any], how: str, made_ms: int) -> str:
    """Return a text the door refuses, or reads as flat at most."""
    whole = text_of(document, made_ms)
    return {
        "half": whole[: len(whole) // 2],
        "nan": whole.replace('"confidence":', '"confidence": NaN, "was":'),
        "contradiction": text_of({**document, "sl": document["tp1"]}, made_ms),
        "flat_nan": '{"symbol": "BTCUSDT", "action": "flat", "confidence": NaN}',
        "symbol": text_of({**document, "symbol": "ETHUSDT"}, made_ms),
        "future": text_of(document, made_ms + 3_600_000),
        "empty": "",
    }[how]


def quantity_at(size_usdt: Decimal, price: Decimal) -> Decimal:
    """Return what a decision may open: its notional at the limit price, whole steps (D1)."""
    return (size_usdt / price / STEP).to_integral_value(ROUND_FLOOR) * STEP
