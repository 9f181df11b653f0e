"""What is wrong with a configuration, as values: every problem is found before the first is raised.

Invariant: a problem names field, value and remedy, and never shows what looks like a secret.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from pydantic import BaseModel, ValidationError

from engine.config.model import KNOWN_URLS, Mode, Settings
from engine.domain.errors import InvalidInput
from engine.domain.limits import TargetStyle

_SECRET = re.compile(r"secret|passw|token|api_?key|private_?key", re.IGNORECASE)
_KEEP_OUT = (
    "remove it from the configuration; set KEEPER_API_KEY and KEEPER_API_SECRET, or use "
    "api_key and api_secret in $CREDENTIALS_DIRECTORY"
)


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong; ``source`` says where the value came from, for people."""

    code: str
    message: str
    field: str
    value: str | None = None
    remedy: str | None = None

    def sentence(self) -> str:
        """Return it in one breath."""
        advice = f" ({self.remedy})" if self.remedy else ""
        return f"{self.field}: {self.message}{advice}"

    def document(self) -> dict[str, str | None]:
        """Return it as the error document spells it."""
        return {
            "code": self.code,
            "message": self.message,
            "field": self.field,
            "value": self.value,
            "remedy": self.remedy,
        }


def raise_first(problems: list[Problem], source: str) -> None:
    """Raise ``InvalidInput`` for the first problem, the others named in its message with remedies.

    Whoever mends a configuration wants to mend it once.
    """
    if not problems:
        return
    first, others = problems[0], problems[1:]
    text = f"{source}: {first.field}: {first.message}"
    if others:
        listed = "; ".join(other.sentence() for other in others)
        text = f"{text} (and {len(others)} more: {listed})"
    raise InvalidInput(
        first.code,
        text,
        field=first.field,
        value=first.value,
        remedy=first.remedy,
        others=tuple(other.document() for other in others),
    )


def groups() -> dict[str, type[BaseModel]]:
    """Return the groups of settings by name."""
    return {
        name: field.annotation
        for name, field in Settings.model_fields.items()
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)
    }


def known_keys() -> tuple[str, ...]:
    """Return every key, dotted, in the order of the models."""
    nested = groups()
    return tuple(
        key
        for name in Settings.model_fields
        for key in (
            (f"{name}.{inner}" for inner in nested[name].model_fields)
            if name in nested
            else (name,)
        )
    )


def unknown_keys(tree: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield a problem for each key no setting has, and for each secret."""
    nested = groups()
    for name, value in tree.items():
        if name not in Settings.model_fields:
            if isinstance(value, Mapping) and value:
                yield from (_unknown(f"{name}.{inner}", item) for inner, item in value.items())
            else:
                yield _unknown(name, value)
        elif name in nested and isinstance(value, Mapping):
            known = nested[name].model_fields
            yield from (_unknown(f"{name}.{k}", v) for k, v in value.items() if k not in known)


def only_known(tree: Mapping[str, Any]) -> dict[str, Any]:
    """Return the tree without the keys no setting has: what is left can still be judged."""
    nested = groups()
    return {
        name: {k: v for k, v in value.items() if k in nested[name].model_fields}
        if name in nested and isinstance(value, Mapping)
        else value
        for name, value in tree.items()
        if name in Settings.model_fields
    }


def nearest_key(path: str) -> str | None:
    """Return the known key most like ``path``, None when nothing is like it.

    A key of the right name in the wrong group is nearer than any misspelling.
    """
    keys = known_keys()
    last = path.rsplit(".", 1)[-1]
    for key in keys:
        if key.rsplit(".", 1)[-1] == last:
            return key
    close = difflib.get_close_matches(path, keys, n=1, cutoff=0.72)
    if close:
        return close[0]
    by_last = {key.rsplit(".", 1)[-1]: key for key in reversed(keys)}
    close = difflib.get_close_matches(last, by_last, n=1, cutoff=0.6)
    return by_last[close[0]] if close else None


def _unknown(path: str, value: object) -> Problem:
    if _SECRET.search(path):
        return Problem(
            "config_secret_in_file", "secrets do not belong here", path, "***", _KEEP_OUT
        )
    near = nearest_key(path)
    group = path.split(".", 1)[0]
    if near is not None:
        remedy = f"did you mean {near}?"
    elif group in groups():
        remedy = f"{group} knows: {', '.join(groups()[group].model_fields)}"
    else:
        remedy = "config.yaml of the distribution lists every key"
    return Problem("config_unknown_key", "there is no such setting", path, shown(value), remedy)


def shown(value: object) -> str | None:
    """Return a value as an error document shows it, cut where it is long."""
    if value is None:
        return None
    if isinstance(value, bool):
        return str(value).lower()
    text = str(value)
    return text if len(text) <= 120 else text[:117] + "..."


def invalid_values(error: ValidationError) -> Iterator[Problem]:
    """Yield a problem for each value a model refused."""
    for item in error.errors(include_url=False):
        path = ".".join(str(part) for part in item["loc"] if isinstance(part, str))
        hidden = path == "store.url"
        yield Problem(
            "config_invalid_value",
            _sentence(item["msg"]),
            path,
            None if hidden else shown(item["input"]),
            _remedy(item["type"], item.get("ctx", {})),
        )


def _sentence(message: str) -> str:
    text = message.removeprefix("Value error, ").removeprefix("Input ")
    return text[:1].lower() + text[1:]


def _remedy(kind: str, context: Mapping[str, Any]) -> str:
    template = _REMEDIES.get(kind, "config.yaml of the distribution shows form and default")
    return template.format(next(iter(context.values()), ""))


_REMEDIES = {
    "enum": "use one of {}",
    "greater_than": "use a value above {}",
    "greater_than_equal": "use {} or more",
    "less_than": "use a value below {}",
    "less_than_equal": "use {} or less",
    "decimal_max_places": "give seconds with at most {} decimals",
    "decimal_parsing": "write a plain number",
    "decimal_type": "write a plain number",
    "finite_number": "write a plain number",
    "int_parsing": "write a whole number",
    "int_type": "write a whole number",
    "int_from_float": "write a whole number",
    "bool_parsing": "write true or false",
    "bool_type": "write true or false",
    "model_type": "write the group's keys, indented, below it",
}


def contradictions(settings: Settings) -> Iterator[Problem]:
    """Yield a problem for each pair of settings that cannot both be meant."""
    risk, entry, trailing = settings.risk, settings.entry, settings.trailing
    exchange, loop = settings.exchange, settings.loop
    lease_min_s = Decimal(exchange.recv_window_ms) / 1000 + 1 + 3 * loop.interval_s
    rows = (
        (
            entry.leave_distance_pct >= 2 * entry.enter_distance_pct,
            "entry.leave_distance_pct",
            entry.leave_distance_pct,
            f"an entry would be placed and withdrawn in turn: twice entry.enter_distance_pct "
            f"({entry.enter_distance_pct}) is the least (RULES E6)",
            f"use {2 * entry.enter_distance_pct} or more",
        ),
        (
            entry.chases_max == 0 or entry.chase_interval_s < entry.timeout_s,
            "entry.chase_interval_s",
            entry.chase_interval_s,
            f"no chase could happen before entry.timeout_s ({entry.timeout_s})",
            f"use less than {entry.timeout_s}, or entry.chases_max: 0",
        ),
        (
            exchange.recv_window_open_ms <= exchange.recv_window_ms,
            "exchange.recv_window_open_ms",
            exchange.recv_window_open_ms,
            f"what can open may not live longer than the rest ({exchange.recv_window_ms})",
            f"use {exchange.recv_window_ms} or less",
        ),
        (
            trailing.liq_trail_pct <= trailing.trail_pct,
            "trailing.liq_trail_pct",
            trailing.liq_trail_pct,
            f"at the zone the stop trails closer than trailing.trail_pct ({trailing.trail_pct})",
            f"use {trailing.trail_pct} or less",
        ),
        (
            settings.protection.min_gap_pct < risk.stop_distance_min_pct,
            "protection.min_gap_pct",
            settings.protection.min_gap_pct,
            f"no initial stop could be sent: its distance is at least risk.stop_distance_min_pct "
            f"({risk.stop_distance_min_pct})",
            f"use less than {risk.stop_distance_min_pct}",
        ),
        (
            settings.decision.stale_s > 2 * loop.interval_s,
            "decision.stale_s",
            settings.decision.stale_s,
            f"a decision would be stale before it is read twice (loop.interval_s "
            f"{loop.interval_s})",
            f"use more than {2 * loop.interval_s}",
        ),
        (
            settings.store.lease_s >= lease_min_s,
            "store.lease_s",
            settings.store.lease_s,
            "the lease would run out between two ticks, or leave their requests no recvWindow: "
            "the window, its second and three loop.interval_s (RULES G4)",
            f"use {lease_min_s} or more",
        ),
        (
            exchange.stream_url is None or exchange.rest_url is not None or not _is_paper(settings),
            "exchange.stream_url",
            exchange.stream_url,
            "a stream without exchange.rest_url: paper mode's own exchange says where both are",
            "set exchange.rest_url as well, or remove exchange.stream_url",
        ),
        (
            settings.mode is Mode.LIVE or exchange.rest_url not in _LIVE_URLS,
            "exchange.rest_url",
            exchange.rest_url,
            f"this is the live exchange, and mode says {settings.mode.value}",
            "set mode: live and live.acknowledge, or another URL",
        ),
        (
            settings.mode is not Mode.LIVE or settings.targets.tp1_style is TargetStyle.TRIGGER,
            "targets.tp1_style",
            settings.targets.tp1_style.value,
            "whether a resting reduce-only limit starves a stop's order is not settled for live "
            "accounts (RULES F6)",
            "use trigger",
        ),
        (
            settings.mode is not Mode.LIVE or settings.live.acknowledge is not None,
            "live.acknowledge",
            None,
            "mode: live trades real money and wants the account's alias repeated here",
            "set live.acknowledge: <account alias>; `keeper check` shows the alias",
        ),
    )
    for holds, path, value, message, remedy in rows:
        if not holds:
            yield Problem("config_contradiction", message, path, shown(value), remedy)


def _is_paper(settings: Settings) -> bool:
    return settings.mode is Mode.PAPER


_LIVE_URLS = frozenset(
    {KNOWN_URLS[Mode.LIVE][0]}
    | {f"https://fapi{n}.binance.com" for n in range(1, 5)}
    | {f"http://fapi{n}.binance.com" for n in ("", 1, 2, 3, 4)}
)
