"""What of a changed configuration a running keeper may take: what is safe, never what is not.

Pure. Every key stands in exactly one of three places: taken at any time, taken only while nothing
is held, taken by a restart alone. A key that nobody placed is of the last kind.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from engine.config.model import Settings, without_password
from engine.config.problems import contradictions, raise_first, shown


class When(StrEnum):
    """When a changed key may be taken."""

    ANY_TIME = "any_time"
    WHILE_FLAT = "while_flat"
    RESTART = "restart"


_ANY_TIME = (
    # Who is told and what is written down beside the store.
    *("alerts.command", "alerts.kinds", "alerts.timeout_s", "logs.folder", "logs.keep_days"),
    *("ticks.keep_days", "loop.interval_s"),
    # What may be entered: gates and entries only ever get stricter or looser for the next one.
    *("decision.stale_s", "decision.suspend_grace_s", "decision.cooldown_s"),
    *("risk.stop_distance_min_pct", "risk.rr_minimum", "risk.basis_price", "risk.rr_with_fees"),
    *("risk.confidence_min", "risk.leverage_max", "risk.notional_max"),
    *("risk.margin_share_max_pct", "risk.spread_max_pct", "risk.volatility_max_pct"),
    *("risk.daily_drawdown_limit_pct", "risk.weekly_drawdown_limit_pct", "risk.drawdown_scope"),
    *("risk.trades_per_day_max", "risk.block_on_foreign_orders"),
    *("entry.post_only", "entry.enter_distance_pct", "entry.leave_distance_pct"),
    *("entry.reenter_wait_s", "entry.timeout_s", "entry.chase_interval_s", "entry.chases_max"),
    *("entry.fallback_confidence", "entry.fallback_enabled", "entry.fallback_slippage_pct"),
    "entry.armed_age_max_s",
    # How the stop follows: the ratchet lets it only tighten, whatever these say (RULES F3).
    *("trailing.min_step", "trailing.min_interval_s", "trailing.trail_pct"),
    *("trailing.liq_trail_pct", "trailing.approach_pct", "trailing.pivot_k"),
    "trailing.swing_fresh_s",
)
_WHILE_FLAT = (
    # Each could close, re-cover or re-target a position that was opened under other terms.
    *("decision.on_flat", "decision.on_opposite", "risk.isolated", "risk.liq_buffer_pct"),
    *("protection.", "targets."),
)


def when_of(key: str) -> When:
    """Return when a changed key may be taken."""
    if key in _ANY_TIME:
        return When.ANY_TIME
    if key in _WHILE_FLAT or key.partition(".")[0] + "." in _WHILE_FLAT:
        return When.WHILE_FLAT
    return When.RESTART


@dataclass(frozen=True, slots=True)
class Change:
    """One key whose value differs; both values as people write them, without a password."""

    key: str
    before: str | None
    after: str | None

    def __str__(self) -> str:
        return f"{self.key} {self.before} -> {self.after}"


@dataclass(frozen=True, slots=True)
class Reloaded:
    """What came of a reload: the settings from now on, and every change by what became of it."""

    settings: Settings
    taken: tuple[Change, ...] = ()
    while_flat: tuple[Change, ...] = ()
    restart: tuple[Change, ...] = ()

    def text(self) -> str:
        """Return it in words."""
        parts = (
            ("taken", self.taken),
            ("not taken while a position is open", self.while_flat),
            ("taken by a restart only", self.restart),
        )
        said = [f"{what}: {', '.join(map(str, changes))}" for what, changes in parts if changes]
        return "; ".join(said) or "nothing has changed"

    def document(self) -> dict[str, list[str]]:
        """Return the keys by what became of them."""
        return {
            "taken": [change.key for change in self.taken],
            "while_flat": [change.key for change in self.while_flat],
            "restart": [change.key for change in self.restart],
        }


def reload(running: Settings, wanted: Settings, *, is_open: bool) -> Reloaded:
    """Return what of ``wanted`` may replace ``running``; ``is_open``: something is held or enters.

    Raises ``InvalidInput`` when what may be taken contradicts what must stay: then nothing is.
    """
    before, after = _flat(running), _flat(wanted)
    changed = [key for key in after if before.get(key) != after[key]]
    sorted_out: dict[When, list[str]] = {when: [] for when in When}
    for key in changed:
        sorted_out[when_of(key)].append(key)
    taken = list(sorted_out[When.ANY_TIME])
    if not is_open:
        taken += sorted_out[When.WHILE_FLAT]
        sorted_out[When.WHILE_FLAT] = []
    settings = _with(running, {key: after[key] for key in taken})
    raise_first(list(contradictions(settings)), "reload")

    def told(keys: list[str]) -> tuple[Change, ...]:
        return tuple(Change(k, _shown(k, before.get(k)), _shown(k, after[k])) for k in sorted(keys))

    rest = sorted_out[When.WHILE_FLAT], sorted_out[When.RESTART]
    return Reloaded(settings, told(taken), *map(told, rest))


def _flat(settings: Settings) -> dict[str, Any]:
    """Return every value by its dotted key."""
    found: dict[str, Any] = {}
    for name, value in settings.model_dump(mode="python").items():
        if isinstance(value, Mapping):
            found |= {f"{name}.{inner}": item for inner, item in value.items()}
        else:
            found[name] = value
    return found


def _with(settings: Settings, values: Mapping[str, Any]) -> Settings:
    """Return the settings with some values replaced, validated anew."""
    tree = settings.model_dump(mode="python")
    for key, value in values.items():
        group, dot, name = key.partition(".")
        if dot:
            tree[group][name] = value
        else:
            tree[key] = value
    return Settings.model_validate(tree)


def _shown(key: str, value: object) -> str | None:
    if key == "store.url":
        return without_password(str(value))
    if key == "alerts.command" and isinstance(value, tuple):
        return shown(str(value[0]))  # its arguments may hold a token
    if isinstance(value, tuple):
        return shown(" ".join(str(part) for part in value))
    return shown(value)
