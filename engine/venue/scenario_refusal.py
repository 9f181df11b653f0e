"""The sentence for a scenario that breaks the format: field, value found, what to write instead."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence

from pydantic import BaseModel, ValidationError

from engine.venue.jsontext import json_text
from engine.venue.scenario import ScenarioError


def refusal(
    error: ValidationError,
    raw: Mapping[str, object],
    file: str,
    models: Mapping[str, type[BaseModel]],
) -> ScenarioError:
    """Return what the door says instead of pydantic's complaint.

    Args:
        error: the complaint; its first problem is told, the others are counted.
        raw: what the file says.
        file: what to call the file.
        models: dotted place in the file to the model that knows its keys, "" being the top.
    """
    problems = error.errors(include_url=False)
    # The rows of a feed are tried in several shapes; the deepest complaint is the useful one.
    problem = problems[0]
    loc = [str(part) for part in problem["loc"] if not _is_shape(part)]
    where = ".".join(loc)
    value = _shown(problem.get("input"))
    more = len({tuple(item["loc"][:2]) for item in problems}) - 1
    message = problem["msg"].removeprefix("Value error, ")
    remedy = ""
    if problem["type"] == "extra_forbidden":
        message = "is not a known key"
        remedy = _nearest(loc, models)
        value = loc[-1]
    elif where.startswith("feed."):
        message = "is not a feed row"
        value = _shown(_at(raw, loc[:2]))
        where = ".".join(loc[:2])
        remedy = (
            "write [seconds, last] or [seconds, last, mark], seconds with at most 3 decimals, "
            "or {at, bar: [open, high, low, close], seconds}"
        )
    elif problem["type"] == "missing":
        message, value, remedy = "is missing", "", f"add {loc[-1]}"
    elif where == "scenario":
        remedy = "this version reads 'scenario: 1'"
    if more > 0:
        remedy = f"{remedy} ({more} more)".strip()
    return ScenarioError(message, file=file, field=where, value=value, remedy=remedy)


def _nearest(loc: Sequence[str], models: Mapping[str, type[BaseModel]]) -> str:
    owner = ".".join(part for part in loc[:-1] if not part.isdigit())
    known = list(models.get(owner, models[""]).model_fields)
    close = difflib.get_close_matches(loc[-1], known, n=1)
    return f"did you mean {close[0]}?" if close else f"known are {', '.join(known)}"


def _is_shape(part: int | str) -> bool:
    return isinstance(part, str) and (part.startswith(("tuple[", "_")) or "[" in part)


def _at(raw: object, loc: Sequence[str]) -> object:
    for part in loc:
        if isinstance(raw, Sequence) and not isinstance(raw, str):
            raw = raw[int(part)]
        elif isinstance(raw, Mapping):
            raw = raw.get(part)
    return raw


def _shown(value: object) -> str:
    try:
        return json_text(value)[:80]
    except TypeError:
        return str(value)[:80]
