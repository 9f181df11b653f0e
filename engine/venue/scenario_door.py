"""The door of scenario files: YAML text in, checked values out, every refusal spelled out.

Floats are read as `Decimal` from their text and time stamps stay text, so nothing is rounded or
reinterpreted on the way in. Unknown keys are refused with the nearest known one: a misspelt
`expect` that checks nothing would be worse than no expectation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from engine.venue.exact_yaml import NotYaml, read_yaml
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
from engine.venue.scenario_refusal import refusal


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
    call: Annotated[int, Field(ge=0)] | None = None
    after: bool = False

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
    placed: dict[str, object] | None = None
    judged: dict[str, object] | None = None
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
    stream: bool = False


_MODELS: Mapping[str, type[BaseModel]] = {
    "": _File,
    "account": _Account,
    "account.position": _Position,
    "decisions": _Decision,
    "kills": _Kill,
    "expect": _Expect,
}


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
        raw = read_yaml(text)
    except NotYaml as error:
        remedy = "see the scenario format in the contracts"
        raise ScenarioError(str(error), file=file, remedy=remedy) from error
    if not isinstance(raw, Mapping):
        raise ScenarioError(
            "a mapping is wanted at the top", file=file, remedy="begin with 'scenario: 1'"
        )
    try:
        parsed = _File.model_validate(raw)
    except ValidationError as error:
        raise refusal(error, raw, file, _MODELS) from error
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
            WrittenKill(_ms(row.at), _ms(row.back), row.lose_store, row.call, row.after)
            for row in sorted(parsed.kills, key=lambda row: row.at)
        ),
        until_ms=until_ms,
        expect=parsed.expect.model_dump(exclude_none=True),
        why=" ".join(parsed.why.split()),
        switches={key: _plain(value) for key, value in parsed.switches.items()},
        start=start,
        feed_step_ms=None if parsed.feed_step is None else _ms(parsed.feed_step),
        touch_quantity=parsed.touch_quantity,
        stream=parsed.stream,
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


def _plain(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _ms(seconds: Decimal) -> int:
    return int(seconds * 1000)
