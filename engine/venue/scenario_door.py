"""The door of scenario files: YAML text in, checked values out, every refusal spelled out.

Floats are read as `Decimal` from their text and time stamps stay text, so nothing is rounded or
reinterpreted on the way in. Unknown keys are refused with the nearest known one: a misspelt
`expect` that checks nothing would be worse than no expectation.
"""

from __future__ import annotations

import difflib
from collections.abc import Hashable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal

import yaml
from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from engine.venue.jsontext import json_text
from engine.venue.scenario import (
    DECISION_FILE,
    DEFAULT_DECISION,
    FeedRow,
    Scenario,
    ScenarioError,
    StartingAccount,
    StartingPosition,
    WrittenDecision,
    WrittenFault,
    WrittenHand,
    WrittenKill,
)


class _Loader(yaml.SafeLoader):
    """YAML with exact numbers, plain time stamps and no silently repeated keys."""


def _decimal_scalar(_: yaml.SafeLoader, node: yaml.ScalarNode) -> Decimal:
    text = node.value.replace("_", "").lower().replace(".inf", "Infinity").replace(".nan", "NaN")
    return Decimal(text)


def _unique_mapping(loader: yaml.SafeLoader, node: yaml.MappingNode) -> dict[Hashable, object]:
    seen: set[Hashable] = set()
    for key_node, _ in node.value:
        key = loader.construct_object(key_node)
        if key in seen:
            mark = key_node.start_mark
            raise yaml.constructor.ConstructorError(
                None, None, f"the key {key!r} stands twice", mark
            )
        seen.add(key)
    return loader.construct_mapping(node, deep=True)


_Loader.yaml_implicit_resolvers = {
    first: [(tag, regexp) for tag, regexp in rules if not tag.endswith(":timestamp")]
    for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_constructor("tag:yaml.org,2002:float", _decimal_scalar)
_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _unique_mapping)


def _not_boolean(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("a number is wanted")  # noqa: TRY004 - pydantic reports ValueError
    return value


Number = Annotated[Decimal, BeforeValidator(_not_boolean)]
Price = Annotated[Number, Field(gt=0)]
Quantity = Annotated[Number, Field(gt=0)]
Seconds = Annotated[Number, Field(ge=0, decimal_places=3)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Position(_Strict):
    side: Literal["long", "short"]
    quantity: Quantity
    entry_price: Price


class _Account(_Strict):
    wallet: Annotated[Number, Field(ge=0)] = Decimal(1000)
    position: _Position | None = None


class _Bar(_Strict):
    """Open, high, low, close of `seconds` beginning at `at`."""

    at: Seconds
    bar: tuple[Price, Price, Price, Price]
    seconds: Annotated[Seconds, Field(gt=0)] = Decimal(60)

    @model_validator(mode="after")
    def _spans(self) -> _Bar:
        opened, high, low, closed = self.bar
        if high < max(opened, closed, low) or low > min(opened, closed):
            raise ValueError("a bar is open, high, low, close; high and low must enclose the rest")
        return self


class _Decision(_Strict):
    at: Seconds
    decision: dict[str, object] | None = None
    raw: str | None = None
    file: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]+\.json$")] = DECISION_FILE
    liquidation_map: dict[str, object] | None = None

    @model_validator(mode="after")
    def _one_form(self) -> _Decision:
        if (self.decision is None) == (self.raw is None):
            raise ValueError("give either decision (fields) or raw (the text of the file)")
        return self


class _Hand(BaseModel):
    model_config = ConfigDict(extra="allow", frozen=True)
    at: Seconds
    do: str


class _Fault(BaseModel):
    model_config = ConfigDict(extra="allow", frozen=True)
    at: Seconds
    kind: str


class _Kill(_Strict):
    at: Seconds
    back: Seconds
    lose_store: bool = False

    @model_validator(mode="after")
    def _in_order(self) -> _Kill:
        if self.back < self.at:
            raise ValueError("back must not be before at")
        return self


class _Expect(_Strict):
    trades: list[object] | None = None
    stop_levels: list[object] | None = None
    orders: list[object] | None = None
    fills: list[object] | None = None
    refusals: list[object] | None = None
    final: dict[str, object] | None = None


_Row = tuple[Seconds, Price] | tuple[Seconds, Price, Price] | _Bar


class _File(_Strict):
    scenario: Literal[1]
    symbol: Annotated[str, Field(pattern=r"^[A-Z0-9]{5,20}$")]
    feed: Annotated[list[_Row], Field(min_length=1)]
    account: _Account = _Account()
    config: dict[str, object] = Field(default_factory=dict)
    decisions: list[_Decision] = Field(default_factory=list)
    hands: list[_Hand] = Field(default_factory=list)
    faults: list[_Fault] = Field(default_factory=list)
    kills: list[_Kill] = Field(default_factory=list)
    switches: dict[str, str | int | bool | Decimal] = Field(default_factory=dict)
    until: Seconds | None = None
    expect: _Expect = _Expect()
    why: str = ""
    start: AwareDatetime | None = None
    feed_step: Annotated[Seconds, Field(gt=0)] | None = None
    touch_quantity: Quantity | None = None


def parse_scenario(text: str, *, name: str, file: str) -> Scenario:
    """Return the checked scenario in `text`.

    Args:
        text: YAML, or JSON, which is YAML too.
        name: what to call it, usually the stem of its file name.
        file: what to call the file in errors.

    Raises:
        ScenarioError: names field, value and remedy.
    """
    try:
        raw = yaml.load(text, Loader=_Loader)  # noqa: S506 - a SafeLoader with exact numbers
    except yaml.YAMLError as error:
        raise ScenarioError(
            f"is not YAML: {' '.join(str(error).split())}",
            file=file,
            remedy="see the scenario format in the contracts",
        ) from error
    if not isinstance(raw, Mapping):
        raise ScenarioError(
            "a mapping is wanted at the top", file=file, remedy="begin with 'scenario: 1'"
        )
    try:
        parsed = _File.model_validate(raw)
    except ValidationError as error:
        raise _refusal(error, raw, file) from error
    return _as_value(parsed, name, file)


def _as_value(parsed: _File, name: str, file: str) -> Scenario:
    feed = _feed(parsed.feed, file)
    until_ms = feed[-1].at_ms if parsed.until is None else _ms(parsed.until)
    start: datetime | None = parsed.start
    position = parsed.account.position
    standing = (
        StartingPosition(position.side, position.quantity, position.entry_price)
        if position is not None
        else None
    )
    return Scenario(
        name=name,
        symbol=parsed.symbol,
        account=StartingAccount(parsed.account.wallet, standing),
        config=parsed.config,
        feed=feed,
        decisions=tuple(
            WrittenDecision(
                _ms(row.at),
                _with_defaults(row.decision or {}, parsed.symbol),
                row.raw,
                row.file,
                row.liquidation_map,
            )
            for row in sorted(parsed.decisions, key=lambda row: row.at)
        ),
        hands=tuple(
            WrittenHand(_ms(row.at), {"do": row.do, **(row.model_extra or {})})
            for row in sorted(parsed.hands, key=lambda row: row.at)
        ),
        faults=tuple(
            WrittenFault(_ms(row.at), {"kind": row.kind, **(row.model_extra or {})})
            for row in sorted(parsed.faults, key=lambda row: row.at)
        ),
        kills=tuple(
            WrittenKill(_ms(row.at), _ms(row.back), row.lose_store)
            for row in sorted(parsed.kills, key=lambda row: row.at)
        ),
        until_ms=until_ms,
        expect=parsed.expect.model_dump(exclude_none=True),
        why=" ".join(parsed.why.split()),
        switches={key: _plain(value) for key, value in parsed.switches.items()},
        start=start,
        feed_step_ms=None if parsed.feed_step is None else _ms(parsed.feed_step),
        touch_quantity=parsed.touch_quantity,
    )


def _feed(rows: Sequence[_Row], file: str) -> tuple[FeedRow, ...]:
    points: list[FeedRow] = []
    for index, row in enumerate(rows):
        before = len(points)
        match row:
            case _Bar():
                points.extend(_bar_points(row))
            case (at, last):
                points.append(FeedRow(_ms(at), last))
            case (at, last, mark):
                points.append(FeedRow(_ms(at), last, mark))
        if points[before].at_ms < (points[before - 1].at_ms if before else 0):
            raise ScenarioError(
                "goes back in time",
                file=file,
                field=f"feed.{index}",
                value=f"{points[before].at_ms} ms after {points[before - 1].at_ms} ms",
                remedy="order the rows by their seconds",
            )
    return tuple(points)


def _bar_points(row: _Bar) -> list[FeedRow]:
    opened, high, low, closed = row.bar
    middle = (low, high) if closed >= opened else (high, low)
    start, span = _ms(row.at), _ms(row.seconds)
    at = (start, start + span // 3, start + 2 * span // 3, start + span - 1)
    return [FeedRow(*pair) for pair in zip(at, (opened, *middle, closed), strict=True)]


def _with_defaults(fields: Mapping[str, object], symbol: str) -> dict[str, object]:
    merged: dict[str, object] = {**DEFAULT_DECISION, "symbol": symbol}
    for key, value in fields.items():
        default = merged.get(key)
        nested = isinstance(value, Mapping) and isinstance(default, Mapping)
        merged[key] = {**default, **value} if nested else value  # type: ignore[dict-item]
    return merged


def _refusal(error: ValidationError, raw: Mapping[str, object], file: str) -> ScenarioError:
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
        remedy = _nearest(loc)
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


_MODELS: Mapping[str, type[BaseModel]] = {
    "": _File,
    "account": _Account,
    "account.position": _Position,
    "decisions": _Decision,
    "kills": _Kill,
    "expect": _Expect,
}


def _nearest(loc: Sequence[str]) -> str:
    owner = ".".join(part for part in loc[:-1] if not part.isdigit())
    known = list(_MODELS.get(owner, _File).model_fields)
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


def _plain(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _ms(seconds: Decimal) -> int:
    return int(seconds * 1000)
