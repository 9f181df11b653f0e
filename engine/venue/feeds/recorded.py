"""Recorded prices, streamed from disk: trades one by one, or candles as four points each.

Files are comma separated with a header line, packed with gzip or not. Only the row at hand is in
memory. A row that cannot be used ends the feed with the file, the line and the column: silently
leaving out prices would make a recording say what never happened.
"""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TextIO

from engine.venue.values import PricePoint

TRADE_COLUMNS = ("trade_ms", "price", "qty")
CANDLE_COLUMNS = ("open_time_ms", "open", "high", "low", "close")


class RecordingError(ValueError):
    """A recording that cannot be used.

    Attributes:
        file: path as given.
        line: line number, the header being 1; 0 for the file as a whole.
        column: column name, empty for the row as a whole.
        value: what was found there.
    """

    def __init__(
        self, message: str, *, file: Path, line: int = 0, column: str = "", value: str = ""
    ) -> None:
        """Keep the parts beside the sentence made of them."""
        self.file, self.line, self.column, self.value = str(file), line, column, value
        place = f"{file}, line {line}" if line else str(file)
        place = f"{place}, column {column}" if column else place
        super().__init__(f"{place}: {message}" + (f" (found {value!r})" if value else ""))


@dataclass(frozen=True, slots=True)
class Placement:
    """How recorded time is laid on the venue's time.

    Attributes:
        speed: recorded seconds that pass in one venue second.
        offset_ms: recorded milliseconds to leave out at the beginning.
        rebase_to_ms: venue time of the first point kept; None keeps recorded times.
    """

    speed: Decimal = Decimal(1)
    offset_ms: int = 0
    rebase_to_ms: int | None = None

    def __post_init__(self) -> None:
        """Refuse what would make time stand still or run backwards."""
        if self.speed <= 0 or self.offset_ms < 0:
            raise ValueError("speed must be positive and offset not negative")

    def at_ms(self, recorded_ms: int, first_ms: int) -> int:
        """Return venue time of a recorded instant; `first_ms` is the file's first one."""
        begin = first_ms + self.offset_ms
        base = begin if self.rebase_to_ms is None else self.rebase_to_ms
        return base + int((recorded_ms - begin) / self.speed)


AS_RECORDED = Placement()


@dataclass(frozen=True, slots=True)
class RecordedCandle:
    """One row of a candle file; `open_ms` is when it begins, `interval_ms` how long it lasts."""

    open_ms: int
    interval_ms: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal


def trades_feed(path: Path, placement: Placement = AS_RECORDED) -> Iterator[PricePoint]:
    """Yield one point per recorded trade, its quantity included.

    Args:
        path: a file with at least the columns trade_ms, price, qty.
        placement: where to lay it on the venue's time.

    Raises:
        RecordingError: while iterating, at the first row that cannot be used.
    """
    first_ms: int | None = None
    latest_ms = 0
    for line, row in _rows(path, TRADE_COLUMNS):
        at_ms = _whole(path, line, "trade_ms", row["trade_ms"])
        first_ms = at_ms if first_ms is None else first_ms
        if at_ms < latest_ms:
            raise RecordingError(
                "goes back in time", file=path, line=line, column="trade_ms", value=str(at_ms)
            )
        latest_ms = at_ms
        if at_ms < first_ms + placement.offset_ms:
            continue
        yield PricePoint(
            at_ms=placement.at_ms(at_ms, first_ms),
            last=_positive(path, line, "price", row["price"]),
            quantity=_positive(path, line, "qty", row["qty"]),
        )


def candles_feed(path: Path, placement: Placement = AS_RECORDED) -> Iterator[PricePoint]:
    """Yield four points per candle: open, the extreme against it, the other extreme, close.

    A rising candle is taken as open, low, high, close, a falling one as open, high, low, close:
    the path that hurts a stop in the direction of the candle most.

    Raises:
        RecordingError: while iterating, at the first row that cannot be used.
    """
    first_ms: int | None = None
    for candle in read_candles(path):
        first_ms = candle.open_ms if first_ms is None else first_ms
        if candle.open_ms < first_ms + placement.offset_ms:
            continue
        for recorded_ms, last in candle_points(candle):
            yield PricePoint(at_ms=placement.at_ms(recorded_ms, first_ms), last=last)


def candle_points(candle: RecordedCandle) -> tuple[tuple[int, Decimal], ...]:
    """Return the four (millisecond, price) points of a candle, all inside its interval."""
    rising = candle.close >= candle.open
    middle = (candle.low, candle.high) if rising else (candle.high, candle.low)
    third = candle.interval_ms // 3
    offsets = (0, third, 2 * third, candle.interval_ms - 1)
    prices = (candle.open, *middle, candle.close)
    return tuple(
        (candle.open_ms + offset, price) for offset, price in zip(offsets, prices, strict=True)
    )


def read_candles(path: Path) -> Iterator[RecordedCandle]:
    """Yield the candles of a file; their length is the step between its first two rows.

    A row that repeats the open time of the row before is left out: recordings joined from pages
    hold such doubles.

    Raises:
        RecordingError: while iterating, at the first row that cannot be used.
    """
    held: list[RecordedCandle] = []
    interval_ms = 0
    latest_ms = -1
    for line, row in _rows(path, CANDLE_COLUMNS):
        open_ms = _whole(path, line, "open_time_ms", row["open_time_ms"])
        if open_ms == latest_ms:
            continue
        if open_ms < latest_ms:
            raise RecordingError(
                "goes back in time", file=path, line=line, column="open_time_ms", value=str(open_ms)
            )
        if latest_ms >= 0 and not interval_ms:
            interval_ms = open_ms - latest_ms
        latest_ms = open_ms
        held.append(_candle(path, line, row, open_ms, interval_ms))
        if interval_ms:
            yield from (replace(candle, interval_ms=interval_ms) for candle in held)
            held.clear()
    if held:
        raise RecordingError("at least two candles are wanted", file=path)


def _candle(
    path: Path, line: int, row: dict[str, str], open_ms: int, interval_ms: int
) -> RecordedCandle:
    opened, high, low, close = (
        _positive(path, line, column, row[column]) for column in CANDLE_COLUMNS[1:]
    )
    if high < max(opened, close, low):
        raise RecordingError(
            "is below another price of the candle",
            file=path,
            line=line,
            column="high",
            value=row["high"],
        )
    if low > min(opened, close):
        raise RecordingError(
            "is above another price of the candle",
            file=path,
            line=line,
            column="low",
            value=row["low"],
        )
    volume = _number(path, line, "volume", row.get("volume") or "0")
    return RecordedCandle(open_ms, interval_ms, opened, high, low, close, volume)


@contextmanager
def _opened(path: Path) -> Iterator[TextIO]:
    try:
        with path.open("rb") as raw:
            packed = raw.peek(2)[:2] == b"\x1f\x8b"
            plain = gzip.GzipFile(fileobj=raw) if packed else raw
            yield io.TextIOWrapper(plain, encoding="utf-8", newline="")
    except OSError as error:
        reason = error.strerror or str(error)
        raise RecordingError(f"cannot be read: {reason}", file=path) from error


def _rows(path: Path, wanted: tuple[str, ...]) -> Iterator[tuple[int, dict[str, str]]]:
    line = 0
    with _opened(path) as text:
        reader = csv.reader(text)
        try:
            header = next(reader, [])
            for column in wanted:
                if column not in header:
                    raise RecordingError(
                        f"the header lacks it; it reads {','.join(header)[:120]!r}",
                        file=path,
                        line=1,
                        column=column,
                    )
            for cells in reader:
                line = reader.line_num
                if len(cells) != len(header):
                    raise RecordingError(
                        f"has {len(cells)} columns where the header has {len(header)}",
                        file=path,
                        line=line,
                    )
                yield line, dict(zip(header, cells, strict=True))
        except (EOFError, zlib.error, UnicodeDecodeError, csv.Error) as error:
            raise RecordingError(
                f"is damaged after this line: {error}", file=path, line=max(line, 1)
            ) from error


def _number(path: Path, line: int, column: str, text: str) -> Decimal:
    try:
        value = Decimal(text)
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite():
        raise RecordingError("is not a number", file=path, line=line, column=column, value=text)
    return value


def _positive(path: Path, line: int, column: str, text: str) -> Decimal:
    value = _number(path, line, column, text)
    if value <= 0:
        raise RecordingError("is not positive", file=path, line=line, column=column, value=text)
    return value


def _whole(path: Path, line: int, column: str, text: str) -> int:
    if not text.isdigit():
        raise RecordingError(
            "is not a time in epoch milliseconds", file=path, line=line, column=column, value=text
        )
    return int(text)
